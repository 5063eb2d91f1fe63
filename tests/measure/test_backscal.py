"""BACKSCAL of spectra: the exposure over the region, over the total exposure, over the pixels of the map."""

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.engines.native import make
from xtendsrc.engines.protocol import Job
from xtendsrc.measure.backscal import backscal, read_map


@pytest.fixture
def wandering(tmp_path):
    """A map of a pointing that wandered: no pixel was exposed for the whole 1000 s."""
    path = tmp_path / "map.fits"
    data = np.full((10, 10), 500.0)
    data[:, :5] = 800.0
    histogram = fits.BinTableHDU.from_columns([fits.Column("TIME", "D", array=[1000.0])], name="OFFAXISHIST")
    histogram.header["EXPOSURE"] = 1000.0
    fits.HDUList([fits.PrimaryHDU(data), histogram]).writeto(path)
    return path


def test_the_norm_is_the_total_exposure_not_the_maximum(wandering):
    data, norm = read_map(wandering)
    assert norm == 1000.0
    mask = np.zeros((10, 10), bool)
    mask[2:4, 4:6] = True  # two pixels of 800 s, two of 500 s
    assert backscal(data, mask, norm) == pytest.approx((2 * 800 + 2 * 500) / 1000 / 100)


def test_a_spectrum_is_scaled_with_that_norm(full, source, tmp_path):
    """With twice the total exposure over the same map, as in a pointing that wandered, BACKSCAL is half as large."""
    spectrum = source.spectrum(obs_id="900001010", response=None, background="none")
    request = spectrum.compute().request
    registry = spectrum.target.registry
    needs = {role: str(registry.path(need.key)) for role, need in request.needs().items()}
    found = []
    for factor in (1.0, 2.0):
        path = tmp_path / f"map{factor:g}.fits"
        with fits.open(needs["expmap"]) as hdus:
            hdus["OFFAXISHIST"].header["EXPOSURE"] *= factor
            hdus.writeto(path)
        scratch = tmp_path / f"scratch{factor:g}"
        scratch.mkdir()
        job = Job(request=request, files=full.roles, needs={**needs, "expmap": str(path)})
        (made,) = make([job], scratch)
        found.append(fits.getheader(made.path, "SPECTRUM")["BACKSCAL"])
    assert found[0] == pytest.approx(spectrum.backscal)
    assert found[1] == pytest.approx(found[0] / 2)
