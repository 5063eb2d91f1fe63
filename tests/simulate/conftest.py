"""Simulated observations that several tests look at, and a plain reader for them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from xtendsrc import simulate

if TYPE_CHECKING:
    from pathlib import Path

CENTRE = SkyCoord(81.259, -69.644, unit="deg", frame="fk5")


def read(path, name="EVENTS"):
    """Columns (native) and header of one extension, with nothing but astropy."""
    with fits.open(path) as hdus:
        data = hdus[name].data
        columns = {n: np.array(data[n]).astype(data[n].dtype.newbyteorder("=")) for n in data.names}
        return columns, hdus[name].header


@dataclass
class Tree:
    path: Path

    def file(self, pattern):
        found = sorted(self.path.rglob(pattern))
        assert len(found) == 1, (pattern, found)
        return found[0]

    def clean(self, code):
        return read(self.file(f"*_p?{code}_cl.evt*"))

    def unfiltered(self, code):
        return read(self.file(f"*_p?{code}_uf.evt*"))

    def gti(self, code):
        columns, _ = read(self.file(f"*_p?{code}_cl.evt*"), "GTI")
        return columns["START"], columns["STOP"]

    def bad_pixels(self, code):
        return fits.getdata(self.file(f"*{code}.bimg*"))

    @property
    def truth(self):
        return json.loads(self.file("*_truth.json").read_text())["dataclasses"]


PERFECT = {
    "bad_columns": 0,
    "hot_pixels": 0,
    "flickering_pixels": 0,
    "ci_first": 2000,
    "wander": (0.0, 0.0),
    "wander_roll": 0,
}
"""A detector without faults and a steady pointing: what it counts has a closed form."""


def quiet(**changes):
    """Conditions without background."""
    return simulate.Conditions(**{"background": simulate.Background.none(), **changes})


def make(folder, obs_id="900001010", sources=(), **kwargs):
    kwargs.setdefault("files", simulate.Files(compress=False))
    return Tree(simulate.observation(folder, obs_id, CENTRE, sources, **kwargs))


@pytest.fixture(scope="session")
def typical(tmp_path_factory):
    """A full-window observation with everything on, and a large wander."""
    star = simulate.Source(
        CENTRE.directional_offset_by(70 * u.deg, 4 * u.arcmin), rate=2 * u.ct / u.s, name="star", band=(0.5, 10) * u.keV
    )
    return make(
        tmp_path_factory.mktemp("typical"),
        sources=[star],
        exposure=12_345.5 * u.s,
        roll=264.638 * u.deg,
        seed=3,
        conditions=simulate.Conditions(wander=(40.0, 30.0), wander_roll=0.05),
        files=simulate.Files(compress=True),
    )


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    """A 1/8 window and its companion."""
    star = simulate.Source(CENTRE, rate=2 * u.ct / u.s, name="star")
    return make(
        tmp_path_factory.mktemp("pair"),
        sources=[star],
        exposure=8 * u.ks,
        dataclasses=("31100010", "32000010"),
        roll=30 * u.deg,
        seed=5,
    )
