"""The golden event list, changed copies of it, and one call of the engine."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.engines import native
from xtendsrc.engines.protocol import Job

GOLDEN = Path(__file__).parents[2] / "data" / "full_window"
ABOUT = {"obs_id": "900001010", "dataclass": "300000a0"}


@pytest.fixture(scope="session")
def golden():
    return GOLDEN


@pytest.fixture(scope="session")
def about():
    return ABOUT


@pytest.fixture(scope="session")
def columns():
    """Columns of the golden events and its GTIs as plain arrays."""
    with fits.open(GOLDEN / "events.fits.gz") as hdus:
        found = {c.name: np.array(hdus[1].data[c.name]) for c in hdus[1].columns if c.name != "STATUS"}
        found["gti"] = [
            (float(a), float(b)) for a, b in zip(*(hdus[2].data[n] for n in ("START", "STOP")), strict=True)
        ]
    return found


@pytest.fixture
def changed(tmp_path):
    """Write a copy of the golden event file with other keywords (None removes one) or columns."""

    def make(name="events.evt", header=None, gti_header=None, **values):
        path = tmp_path / name
        with fits.open(GOLDEN / "events.fits.gz") as hdus:
            for hdu, changes in ((hdus[1], header or {}), (hdus[2], gti_header or {})):
                for key, value in changes.items():
                    hdu.header.pop(key, None)
                    if value is not None:
                        hdu.header[key] = value
            for column, array in values.items():
                hdus[1].data[column] = array
            hdus.writeto(path)
        return path

    return make


@pytest.fixture
def make(tmp_path):
    """Make products of an event file; one is returned open, several as a list; an error is raised."""
    counter = iter(range(1000))
    opened_files = []

    def run(*requests, events=GOLDEN / "events.fits.gz", opened=True):
        scratch = tmp_path / f"scratch{next(counter)}"
        scratch.mkdir()
        files = {"events": (str(events),)}
        made = list(native.make([Job(request=r, files=files) for r in requests], scratch))
        if not opened:
            return made
        for one in made:
            if isinstance(one, Exception):
                raise one
        products = [fits.open(one.path, memmap=False) for one in made]
        opened_files.extend(products)
        return products[0] if len(products) == 1 else products

    yield run
    for product in opened_files:
        product.close()
