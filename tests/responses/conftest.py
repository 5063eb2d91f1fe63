"""The reference matrices, and copies of their inputs that a test may damage."""

import json
import shutil
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

DATA = Path(__file__).parents[1] / "data"
RMF = DATA / "rmf"
MANIFEST = json.loads((RMF / "manifest.json").read_text())
RMF_CASES = [name for name in MANIFEST if (RMF / name / "out.rmf.gz").exists()]


def grids(name):
    """The arguments of `responses.rmf` for a case, from the task's command line."""
    words = dict(word.split("=", 1) for word in MANIFEST[name]["command"][1:])
    return {
        "first_energy": float(words["eminin"]) * u.eV,
        "widths": [float(x) for x in words["dein"].split(",")] * u.eV,
        "bins": [int(x) for x in words["nchanin"].split(",")],
        "channel_width": float(words["deout"]) * u.eV,
        "channels": int(words["nchanout"]),
        "threshold": float(words["rmfthresh"]),
    }


def dense(path):
    """A matrix file as a full array, read by astropy."""
    with fits.open(path, memmap=False) as hdus:
        rows, channels = hdus["MATRIX"].data, int(hdus["MATRIX"].header["DETCHANS"])
        matrix = np.zeros((len(rows), channels))
        for target, row in zip(matrix, rows, strict=True):
            values, begin = np.atleast_1d(row["MATRIX"]), 0
            for first, length in zip(np.atleast_1d(row["F_CHAN"]), np.atleast_1d(row["N_CHAN"]), strict=True):
                target[first : first + length] = values[begin : begin + length]
                begin += length
    return matrix


@pytest.fixture
def rmf_inputs(tmp_path):
    """Spectrum and line parameters, uncompressed, to be edited with `astropy.io.fits`."""
    for name in ("in.pha", "rmfparam.fits"):
        with fits.open(RMF / "full_src_coarse" / f"{name}.gz", memmap=False) as hdus:
            hdus.writeto(tmp_path / name)
    return tmp_path / "in.pha", tmp_path / "rmfparam.fits"


@pytest.fixture
def edit():
    """A function that opens a file, lets another change its HDUs, and writes it back."""

    def edit_(path, change):
        with fits.open(path, memmap=False) as hdus:
            change(hdus)
            hdus.writeto(path.with_suffix(".new"))
        shutil.move(path.with_suffix(".new"), path)

    return edit_
