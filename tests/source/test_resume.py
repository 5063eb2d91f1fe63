"""A sample whose process is killed on the way goes on where it was, and its table is the same."""

import json
import os
import signal
import subprocess
import sys
import time

import astropy.units as u
import pytest
from astropy.coordinates import SkyCoord

from xtendsrc import simulate

SCRIPT = """
import json, sys
import astropy.units as u
from astropy.table import QTable
import xtendsrc as xs

rows = [(f"s{n}{k}", 20.0 * n + 1 + 0.05 * k, -40.0) for n in range(3) for k in range(3)]
table = QTable(rows=rows, names=("name", "ra", "dec"), units={"ra": "deg", "dec": "deg"})
with xs.settings(progress=False, engine="native"):
    sample = xs.Sample.from_table(table, archive=sys.argv[1], output=sys.argv[2])
    made = sample.table(columns=["name", "counts", "rate", "upper_limit", "detected"], energy=(0.5, 7) * u.keV)
print(json.dumps([[str(v) for v in row] for row in made]))
"""


@pytest.mark.slow
def test_a_killed_sample_is_resumed(tmp_path):
    for number in range(3):
        centre = SkyCoord(20.0 * number + 1, -40.0, unit="deg")
        star = simulate.Source(centre, simulate.PowerLaw(1.8), rate=0.3 * u.ct / u.s)
        options = {"exposure": 1 * u.ks, "seed": number, "files": simulate.Files(compress=False)}
        simulate.observation(tmp_path / "XRISM", f"90020{number}010", centre, [star], **options)

    def started(output):
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / "XRISM"), str(tmp_path / output)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    whole = json.loads(started("whole").communicate()[0])
    for _ in range(4):
        process = started("killed")
        time.sleep(2.5)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert json.loads(started("killed").communicate()[0]) == whole
    assert [row[-1] for row in whole[::3]] == ["True"] * 3
