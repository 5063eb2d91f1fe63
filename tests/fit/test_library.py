"""XSPEC's model library in a process of its own: what it knows, and what happens when it fails."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from xtendsrc.errors import ComponentUnavailableError, LibraryCrashError
from xtendsrc.fit import library
from xtendsrc.fit.catalogue import components, find, models
from xtendsrc.fit.components.base import ModelSettings
from xtendsrc.fit.model import parse

EDGES = np.linspace(0.5, 10, 200)
SETTINGS = ModelSettings()

STAND_IN = """
import json, os, struct, sys, time
out = os.fdopen(os.dup(1), "wb")
def send(header, body=b""):
    text = json.dumps(header).encode()
    out.write(struct.pack("<I", len(text)) + text + body); out.flush()
send({"ready": True})
while (length := sys.stdin.buffer.read(4)):
    header = json.loads(sys.stdin.buffer.read(struct.unpack("<I", length)[0]))
    sys.stdin.buffer.read(8 * (header["bins"] + 1))
    order = header["values"][0]
    if order == 1: os._exit(3)
    if order == 2: time.sleep(60)
    if order == 3: print("x\\n" * 100000, "gone wrong", file=sys.stderr, flush=True); os.abort()
    if order == 4: send({"error": "no such thing"}); continue
    send({"bins": 2}, struct.pack("<2d", order, os.getpid()))
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A process that speaks the protocol, and does what the first parameter tells it to."""
    script = tmp_path / "worker.py"
    script.write_text(STAND_IN)
    monkeypatch.setattr(library, "WORKER", script)
    monkeypatch.setattr(library, "installed", lambda: True)
    with library.LibraryModels(timeout=1.0) as models_there:
        yield models_there


def ask(models_there, order):
    return models_there.evaluate(components()["powerlaw"], np.array([order]), EDGES, SETTINGS)


def test_a_crash_is_told_and_the_next_question_is_answered(stand_in):
    first = ask(stand_in, 7.0)[1]
    with pytest.raises(LibraryCrashError, match=r"ended its process at powerlaw\(1\.0,\)"):
        ask(stand_in, 1.0)
    again = ask(stand_in, 7.0)
    assert again[0] == 7.0
    assert again[1] != first


def test_a_hang_ends_after_the_timeout(stand_in):
    process = int(ask(stand_in, 7.0)[1])
    start = time.monotonic()
    with pytest.raises(LibraryCrashError, match="longer than 1 s"):
        ask(stand_in, 2.0)
    assert time.monotonic() - start < 5
    assert not psutil.pid_exists(process)
    assert ask(stand_in, 5.0)[0] == 5.0


def test_much_output_does_not_block_and_its_last_line_is_told(stand_in):
    with pytest.raises(LibraryCrashError, match="gone wrong"):
        ask(stand_in, 3.0)


def test_an_error_of_the_library_is_told(stand_in):
    with pytest.raises(ComponentUnavailableError, match="no such thing"):
        ask(stand_in, 4.0)
    assert ask(stand_in, 5.0)[0] == 5.0


def test_the_process_goes_with_its_owner(stand_in):
    process = int(ask(stand_in, 7.0)[1])
    stand_in.close()
    assert not psutil.pid_exists(process)


def test_a_fork_leaves_the_process_of_its_parent_alone(stand_in, monkeypatch):
    first = int(ask(stand_in, 7.0)[1])
    process = stand_in._process
    with monkeypatch.context() as patch:
        patch.setattr(process, "_owner", -1)  # as it looks to a process that was forked from the owner
        second = int(ask(stand_in, 7.0)[1])
        assert process.end() == ""
    assert second != first
    assert psutil.pid_exists(first)
    process.end()


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="asks /proc for a process's directory")
def test_what_the_library_leaves_behind_is_not_in_the_directory_of_the_user(stand_in, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    place = Path(f"/proc/{int(ask(stand_in, 8.0)[1])}/cwd").resolve()
    assert place != tmp_path
    stand_in.close()
    assert not place.exists()
    assert set(tmp_path.iterdir()) == before


def test_it_can_be_sent_to_another_process(stand_in):
    ask(stand_in, 7.0)
    copy = pickle.loads(pickle.dumps(stand_in))
    assert copy.timeout == stand_in.timeout
    copy.close()


def test_an_interpreter_that_does_not_have_it_is_told(tmp_path, monkeypatch):
    script = tmp_path / "worker.py"
    script.write_text("raise ImportError('No module named xspectrampoline')")
    monkeypatch.setattr(library, "WORKER", script)
    monkeypatch.setattr(library, "installed", lambda: True)
    with pytest.raises(ComponentUnavailableError, match=r"could not be loaded.*No module named"):
        ask(library.LibraryModels(), 1.0)


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(library, "installed", lambda: False)
    with pytest.raises(ComponentUnavailableError, match=r"xtendsrc\[xspec-library\]"):
        ask(library.LibraryModels(), 1.0)


def test_the_library_is_not_imported_here(xspec):
    environment = dict(os.environ)
    assert ask(xspec, 1.7).sum() == pytest.approx((10**-0.7 - 0.5**-0.7) / -0.7, rel=1e-9)
    assert "xspectrampoline" not in sys.modules
    assert dict(os.environ) == environment


def test_the_library_ends_when_its_parent_is_killed(xspec):
    script = (
        "import numpy as np, time\n"
        "from xtendsrc.fit.library import LibraryModels\n"
        "from xtendsrc.fit.catalogue import components\n"
        "from xtendsrc.fit.components.base import ModelSettings\n"
        "m = LibraryModels()\n"
        "m.evaluate(components()['powerlaw'], np.array([1.0]), np.array([1.0, 2.0]), ModelSettings())\n"
        "print(m._process._child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    child.wait(timeout=5)


def test_components_without_native_code_come_from_the_library(xspec):
    model = parse("tbabs*(nthcomp + powerlaw)").using(xspec)
    photons = model.evaluate(model.values, EDGES)
    parts = model.components(model.values, EDGES)
    assert (photons > 0).all()
    assert np.allclose(sum(parts.values()), photons, rtol=1e-12)
    with pytest.raises(ComponentUnavailableError, match="nthcomp has no native code"):
        parse("tbabs*nthcomp").evaluate(parse("tbabs*nthcomp").values, EDGES)


def test_a_convolution_of_the_library(xspec):
    model = parse("gsmooth*gaussian").using(xspec)
    values = model.values
    values[model.index("Sig_6keV")] = 0.1
    values[model.index("gaussian.LineE")] = 6.0
    values[model.index("gaussian.Sigma")] = 0.0
    photons = model.evaluate(values, np.linspace(4, 8, 2001))
    energy = np.linspace(4, 8, 2001)[:-1] + 0.001
    mean = (photons * energy).sum() / photons.sum()
    spread = np.sqrt((photons * (energy - mean) ** 2).sum() / photons.sum())
    assert photons.sum() == pytest.approx(1, rel=1e-5)
    assert spread == pytest.approx(0.1, rel=5e-3)


def test_a_component_that_does_not_work_there_is_refused_before_it_is_tried(xspec):
    assert not xspec.knows(find("eqpair"))
    with pytest.raises(ComponentUnavailableError, match="eqpair"):
        xspec.evaluate(find("eqpair"), np.ones(20), EDGES, SETTINGS)


def test_the_table_of_models_says_who_knows_them():
    table = models()
    table.add_index("name")
    assert len(table) == len(set(table["name"])) > 300
    assert table.loc["tbabs"]["engines"] == "native, xspec-library, xspec"
    assert table.loc["nthcomp"]["engines"] == "xspec-library, xspec"
    assert table.loc["eqpair"]["engines"] == "xspec"
    assert table.loc["gaussian"]["parameters"] == "LineE, Sigma, norm"
    assert table.loc["gaussian"]["units"] == "keV, keV, -"
    assert table.loc["zashift"]["kind"] == "con"
    assert table.loc["mtable"]["engines"] == "native, xspec-library, xspec"
