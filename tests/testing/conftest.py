"""A stand-in HEADAS, and two ways to run its tasks: in this process for speed, as a child for its faults."""

import gzip
import os
import subprocess
from pathlib import Path

import pytest

from xtendsrc.testing.heasoft import environment, install

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="session")
def headas(tmp_path_factory):
    return install(tmp_path_factory.mktemp("headas"))


@pytest.fixture(scope="session")
def events(tmp_path_factory):
    """The golden event file, uncompressed."""
    path = tmp_path_factory.mktemp("events") / "ev.fits"
    path.write_bytes(gzip.decompress((DATA / "full_window/events.fits.gz").read_bytes()))
    return path


@pytest.fixture
def work(headas, tmp_path, monkeypatch, events):
    """A working directory with the golden event file, and the environment of the stand-in."""
    for name, value in environment(headas, tmp_path / "pfiles").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HEADASNOQUERY", "")
    here = tmp_path / "work"
    here.mkdir()
    (here / "ev.fits").symlink_to(events)
    monkeypatch.chdir(here)
    return here


EXTRACTOR = {
    "filename": "ev.fits",
    "eventsout": "NONE",
    "imgfile": "NONE",
    "phafile": "NONE",
    "fitsbinlc": "NONE",
    "regionfile": "NONE",
    "timefile": "NONE",
    "xcolf": "X",
    "ycolf": "Y",
    "gti": "GTI",
    "binlc": 200,
    "lcthresh": 0,
}


@pytest.fixture
def here(work):
    """Run a task in this process; gives its exit status."""
    from xtendsrc.testing.heasoft import runtime

    def run(task, **parameters):
        chosen = {**EXTRACTOR, **parameters} if task == "extractor" else parameters
        return runtime.main(task, [f"{name}={value}" for name, value in chosen.items()])

    return run


@pytest.fixture
def child(work, headas):
    """Run a task as a child process with nothing on its standard input."""

    def run(task, *arguments, env=None, stdin="", timeout=60, **parameters):
        chosen = {**EXTRACTOR, **parameters} if task == "extractor" else parameters
        words = [str(headas / "bin" / task), *arguments, *(f"{name}={value}" for name, value in chosen.items())]
        variables = {**os.environ, **(env or {})}
        for name in [name for name, value in variables.items() if value is None]:
            del variables[name]
        return subprocess.run(
            words, env=variables, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )

    return run
