"""The golden cases: HEASoft's exposure maps and BACKSCAL of simulated observations, and parts of a native map."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.events.eventlist import EventList
from xtendsrc.events.gti import GTI
from xtendsrc.measure.attitude import Attitude
from xtendsrc.measure.detector import detector_of
from xtendsrc.measure.ehk import read_attitude

DATA = Path(__file__).parents[2] / "data"


class Case:
    """One golden case, read when needed."""

    def __init__(self, name):
        self.path = DATA / "expmap" / name
        self.events = EventList.read(self.path / "events.fits.gz")
        self.attitude = read_attitude(self.path / "ehk.fits.gz")
        self.gti = self.events.gti
        self.backscal = {
            (row["region"], row["norm"]): row["backscal"]
            for row in json.loads((self.path / "manifest.json").read_text())["backscal"]
        }

    def detector(self, mask_calibration=True):
        return detector_of(self.path / "bimg.fits.gz", self.events.header, mask_calibration=mask_calibration)

    def image(self, name):
        return fits.getdata(self.path / f"{name}.fits.gz", 0).astype(float)

    @property
    def files(self):
        return {role: (str(self.path / f"{role}.fits.gz"),) for role in ("events", "ehk", "bimg")}


@pytest.fixture(scope="session")
def steady():
    return Case("steady")


@pytest.fixture(scope="session")
def wander():
    return Case("wander")


def pointing(times, ra=10.0, dec=0.0, roll=0.0, nominal=(10.0, 0.0, 0.0)):
    """An attitude from numbers or arrays; the optical axis is that of the spacecraft."""
    t = np.asarray(times, dtype=float)
    columns = [np.broadcast_to(np.asarray(v, dtype=float), t.shape).copy() for v in (ra, dec, roll, ra, dec)]
    return Attitude(t, *columns, nominal=nominal, target=nominal[:2])


@pytest.fixture
def make_pointing():
    return pointing


@pytest.fixture
def thousand_seconds():
    return GTI([0.0, 600.0], [400.0, 1000.0])
