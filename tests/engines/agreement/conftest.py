"""Both sides of a comparison: the native engine, and the stand-in's tasks in this process."""

import itertools

import pytest
from astropy.io import fits

from tests.engines.agreement import cases
from xtendsrc.engines import native
from xtendsrc.engines.protocol import Job
from xtendsrc.regions import RegionSet
from xtendsrc.testing.heasoft import environment, install, runtime

EXTRACTOR = {
    **dict.fromkeys(("eventsout", "imgfile", "phafile", "fitsbinlc", "regionfile", "timefile"), "NONE"),
    **dict(zip(("xcolf", "ycolf", "xcolh", "ycolh", "gti", "binh"), ("X", "Y", "DETX", "DETY", "GTI", 8), strict=True)),
}


def load(path):
    """All of a FITS file, in memory."""
    with fits.open(path, memmap=False) as hdus:
        return fits.HDUList([hdu.copy() for hdu in hdus])


class Bench:
    """One case on disk, and both ways to make products of it."""

    def __init__(self, case, folder):
        self.case, self.folder, self._number = case, folder, itertools.count()
        cases.write_events(case, folder / "ev.fits")
        self.regions = cases.regions_of(case)
        for name, text in self.regions.items():
            (folder / f"{name}.reg").write_text(text)

    def region(self, name):
        """A region of the case as the package reads it."""
        return RegionSet.read(self.folder / f"{name}.reg", frame="DET" if name == "detector" else "SKY")

    def native(self, request, files=None, needs=None):
        """Product of the native engine, or its error."""
        scratch = self.folder / f"native{next(self._number)}"
        scratch.mkdir()
        events = {"events": (str(self.folder / "ev.fits"),)}
        (made,) = native.make([Job(request=request, files=events | (files or {}), needs=needs or {})], scratch)
        if isinstance(made, Exception):
            raise made
        return load(made.path)

    def task(self, name, **parameters):
        """Run a task; its exit status."""
        return runtime.main(name, [f"{key}={value}" for key, value in parameters.items()])

    def extractor(self, output, cut="", region=None, **parameters):
        """Product of the stand-in's extractor; ``output`` is the parameter that names it."""
        given = {**EXTRACTOR, "filename": f"ev.fits{cut}", output: f"{output}.out", **parameters}
        if region:
            given["regionfile"] = f"{region}.reg"
            if region == "detector":
                given |= {"xcolf": "DETX", "ycolf": "DETY"}
        assert self.task("extractor", **given) == 0
        return load(f"{output}.out")


@pytest.fixture(scope="session")
def headas(tmp_path_factory):
    return install(tmp_path_factory.mktemp("headas"))


@pytest.fixture
def bench(headas, tmp_path, monkeypatch):
    """Make a bench of a case in a directory of its own: ``bench(case)``."""
    for name, value in environment(headas, tmp_path / "pfiles").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HEADASNOQUERY", "")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return lambda case: Bench(case, work)
