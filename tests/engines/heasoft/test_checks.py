"""A task that returns 0 with a wrong exposure, or with one count too many, is found out."""

import stat
import sys

import pytest

from xtendsrc.engines import heasoft
from xtendsrc.engines.protocol import Job
from xtendsrc.errors import TaskError
from xtendsrc.events.selection import Selection
from xtendsrc.products.image.request import ImageRequest
from xtendsrc.products.lightcurve.request import LightCurveRequest
from xtendsrc.products.spectrum.request import SpectrumRequest
from xtendsrc.settings import settings
from xtendsrc.testing.heasoft import environment, install

FALSIFIER = """#!{python}
import subprocess, sys
from pathlib import Path
from astropy.io import fits
code = subprocess.call([{real!r}, *sys.argv[1:]])
given = dict(word.split("=", 1) for word in sys.argv[1:])
for name in ("imgfile", "phafile", "fitsbinlc"):
    path = Path(given.get(name, "NONE").lstrip("!"))
    if path.is_file():
        with fits.open(path, mode="update") as hdus:
            for hdu in hdus:
                {edit}
sys.exit(code)
"""
EXPOSURE = """
                for key in ("ONTIME", "EXPOSURE", "LIVETIME"):
                    if key in hdu.header:
                        hdu.header[key] *= 1.01"""
COUNT = """
                if hdu.name == "PRIMARY" and name == "imgfile":
                    hdu.data[0, 0] += 1
                if hdu.name == "SPECTRUM":
                    hdu.data["COUNTS"][100] += 1
                if hdu.name == "RATE":
                    hdu.data["RATE"][0] += 1 / (hdu.data["FRACEXP"][0] * hdu.header["TIMEDEL"])"""
BAND = Selection(channels=(83, 1666))
WHERE = {"obs_id": "900001010", "dataclass": "300000a0"}
REQUESTS = {
    "image": ImageRequest(selection=BAND, binning=8, **WHERE),
    "spectrum": SpectrumRequest(selection=Selection(), **WHERE),
    "curve": LightCurveRequest(selection=BAND, bin=200.0, **WHERE),
}


@pytest.fixture
def make(tmp_path, monkeypatch, full):
    """Make a product with an extractor whose output is edited behind its back."""

    def run(request, edit):
        headas = install(tmp_path / "headas")
        task = headas / "bin" / "extractor"
        real = task.rename(task.with_name("extractor-itself"))
        task.write_text(FALSIFIER.format(python=sys.executable, real=str(real), edit=edit))
        task.chmod(task.stat().st_mode | stat.S_IXUSR)
        for name, value in environment(headas).items():
            monkeypatch.setenv(name, value)
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        with settings(runner="direct"):
            return heasoft.make(Job(request=request, files=full.roles), scratch)

    return run


@pytest.mark.parametrize("what", REQUESTS)
def test_a_wrong_exposure_is_refused(make, what):
    with pytest.raises(TaskError, match="the good time asked for"):
        make(REQUESTS[what], EXPOSURE)


@pytest.mark.parametrize("what", REQUESTS)
def test_one_count_too_many_is_refused(make, what):
    with pytest.raises(TaskError, match="by our own count"):
        make(REQUESTS[what], COUNT)


def test_what_is_not_falsified_passes(make):
    assert make(REQUESTS["image"], "pass").path
