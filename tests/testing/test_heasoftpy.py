"""The heasoftpy beside the stand-in: its surface, and the faults that make it unsafe in threads."""

import subprocess
import sys
from pathlib import Path

from astropy.io import fits


def python(text):
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_task_function_runs_and_drops_unknown_names(work):
    out = python(
        "import heasoftpy as hsp\n"
        "r = hsp.extractor(filename='ev.fits', imgfile='a.img', eventsout='NONE', phafile='NONE', fitsbinlc='NONE',"
        " regionfile='NONE', timefile='NONE', xcolf='X', ycolf='Y', binf=4, gti='GTI', nosuch=1, noprompt=True)\n"
        "print(r.returncode, 'nosuch' in r.params, type(r).__name__, len(r.output) > 1)\n"
    )
    assert out.split() == ["0", "False", "HSPResult", "True"]
    assert fits.getdata("a.img").shape == (607, 607)


def test_it_edits_the_environment_of_its_process(work, monkeypatch):
    monkeypatch.delenv("HEADASNOQUERY")
    out = python(
        "import os, heasoftpy as hsp\n"
        "before = os.environ['PFILES']\n"
        "with hsp.utils.local_pfiles_context() as d:\n"
        "    inside = os.environ['PFILES']\n"
        "    r = hsp.fversion(noprompt=True)\n"
        "print(r.output[0].rsplit('_', 1)[-1], inside.startswith(d), os.environ['PFILES'] == before,"
        " os.path.exists(d), 'HEADASNOQUERY' in os.environ)\n"
    )
    assert out.split() == ["V6.36", "True", "True", "False", "True"]


def test_output_parameters_are_on_the_task_only(work):
    out = python(
        "import heasoftpy as hsp\n"
        "t = hsp.HSPTask('coordpnt')\n"
        "r = t(input='733,731', outfile='NONE', ra=81.259, dec=-69.644, roll=10, startsys='DET', stopsys='SKY',"
        " noprompt=True)\n"
        "print(t.outx, t.outy, 'outx' in r.params)\n"
    )
    x, y, there = out.split()
    assert (round(float(x), 6), round(float(y), 6), there) == (1215.5, 1215.5, "False")


def test_failures_raise_only_when_asked(work):
    out = python(
        "import heasoftpy as hsp\n"
        "from heasoftpy.ftools import extractor\n"
        "print(extractor(filename='no.fits', imgfile='a.img', noprompt=True, allow_failure=True).returncode)\n"
        "hsp.Config.allow_failure = False\n"
        "try:\n"
        "    extractor(filename='no.fits', imgfile='a.img', noprompt=True)\n"
        "except hsp.HSPTaskException:\n"
        "    print('raised')\n"
    )
    assert out.split() == ["104", "raised"]
    assert not Path("a.img").exists()
