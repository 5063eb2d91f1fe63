"""Data and models simple enough to be solved by hand."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from astropy.io import fits
from scipy.sparse import eye_array

from tests.products.ogip import DATA
from xtendsrc.fit.data import Counts, Dataset
from xtendsrc.fit.model import parse
from xtendsrc.fit.response import Response

AREA = 10.0


def perfect(channels=50, low=1.0, width=0.1, area=AREA):
    """A response that puts every photon into the channel of its energy."""
    edges = low + width * np.arange(channels + 1)
    unit = eye_array(channels, format="csr")
    return Response(edges, unit, np.arange(channels), edges[:-1], edges[1:], np.full(channels, area))


def dataset(counts, exposure=1000.0, background=None, backscal=1.0, back_backscal=1.0, back_exposure=None, **kw):
    """A spectrum seen through `perfect`, with a background or none."""
    counts = np.asarray(counts)
    other = None
    if background is not None:
        other = Counts.of(np.asarray(background), back_exposure or exposure, back_backscal)
    return Dataset(Counts.of(counts, exposure, backscal), perfect(counts.size, **kw), other)


FLAT = {"freeze": ("PhoIndex",), "start": {"PhoIndex": 0.0}}
"""With these choices a power law has as many photons in every keV."""


@cache
def cross_section():
    """Logarithms of energy (keV) and cross section (1e-22 cm2)."""
    table = fits.getdata(DATA / "spectral" / "xsect_tbabs_wilm.fits.gz")
    return [np.log(np.asarray(table[name], float)) for name in ("ENERGY", "SIGMA")]


@dataclass(frozen=True)
class TabulatedAbsorption:
    """A power law behind the tabulated absorption that the frozen fit was made with, at the middle of each bin."""

    @property
    def parameters(self):
        return parse("tbabs*powerlaw").parameters

    @property
    def settings(self):
        return {}

    def evaluate(self, values, edges):
        sigma = np.exp(np.interp(np.log((edges[1:] + edges[:-1]) / 2), *cross_section()))
        one = 1 - values[1] + 1e-12  # an index of one is no special case then
        return values[2] * np.diff(edges**one) / one * np.exp(-values[0] * sigma)

    def components(self, values, edges):
        return {"powerlaw": self.evaluate(values, edges)}

    def __str__(self):
        return "tbabs*powerlaw"
