from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.registry import Record, Registry


def key_of(n: int) -> str:
    return f"{n:064x}"


@pytest.fixture
def made(tmp_path):
    """Write a small light curve as an engine would; gives its path."""

    def make(value: float = 1.0, name: str = "made.fits"):
        path = tmp_path / "scratch" / name
        path.parent.mkdir(exist_ok=True)
        columns = [
            fits.Column("TIME", "1D", unit="s", array=np.arange(50.0)),
            fits.Column("RATE", "1E", unit="count/s", array=np.full(50, value, dtype=np.float32)),
        ]
        hdus = [fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns, name="RATE")]
        fits.HDUList(hdus).writeto(path, overwrite=True)
        return path

    return make


@pytest.fixture
def record():
    def make(n: int = 0, state: str = "s0", **more) -> Record:
        values = {"kind": "lightcurve", "request": json.dumps({"bin": 200, "n": n}), "obs_id": "900001010"}
        return Record(key=key_of(n), state=state, **{**values, **more})

    return make


@pytest.fixture
def reg(tmp_path):
    return Registry(tmp_path / "out", durable=False)
