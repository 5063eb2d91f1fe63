"""A flat field gives a flat rate map: counts of cells all over the field are Poisson about one rate times live time."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from scipy import stats

import xtendsrc as xs
from xtendsrc import simulate
from xtendsrc.instrument import CALIBRATION_SOURCES, PI_CHANNELS, PIXEL_ARCSEC

CENTRE = SkyCoord(81.259, -69.644, unit="deg")
CELL = 90
DENSITY = 0.3
"""Counts/s/arcmin2."""


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """Nothing but particles, equally many everywhere, under a pointing that wanders by ten arcseconds."""
    folder = tmp_path_factory.mktemp("flat")
    kev = PI_CHANNELS * 0.006
    even = simulate.Background(
        cxb_norm=0, continuum=DENSITY / kev, lines=(), gradient=0, calibration_rate=0, bad_grade_rate=0, null_rate=0
    )
    tree = simulate.observation(
        folder / "XRISM",
        "900001010",
        CENTRE,
        exposure=1 * u.ks,
        dataclasses=("31100010", "32000010"),
        roll=63 * u.deg,
        seed=3,
        conditions=simulate.Conditions(background=even, wander=(10.0, 10.0), flickering_pixels=0),
        files=simulate.Files(compress=False),
    )
    return xs.Observation(tree, output=folder / "output")


@pytest.mark.parametrize("code", ["31100010", "32000010"])
def test_cells_are_poisson_about_one_rate(flat, code):
    dc = flat.dataclasses[code]
    rates = xs.RateMap(dc.image(channels=(0, 4095)), dc.expmap(mask_calibration=False))
    expected = rates.live * (DENSITY * (PIXEL_ARCSEC / 60) ** 2)
    assert np.asarray(rates.image.data)[~rates.sensor_mask].sum() < 5e-3 * np.asarray(rates.image.data).sum()
    counts, means = (_cells(a) for a in (np.asarray(rates.image.data, float), expected))
    used = means > 20
    assert used.sum() > 25
    chi2 = ((counts - means)[used] ** 2 / means[used]).sum()
    low, high = stats.chi2.ppf([1e-3, 1 - 1e-3], used.sum())
    assert low < chi2 < high
    assert abs(counts.sum() - means.sum()) < 3.5 * np.sqrt(means.sum())


def test_the_mask_of_calibration_sources_takes_out_the_discs_and_no_more(flat):
    dc = flat.dataclasses["32000010"]
    whole, masked = (dc.expmap(mask_calibration=mask).data for mask in (False, True))
    y, x = np.indices(whole.shape) + 1.0
    detx, dety = dc.geometry.sky_to_det(x, y)
    distance = np.min([np.hypot(detx - c.x, dety - c.y) - c.radius for c in CALIBRATION_SOURCES], axis=0)
    reach = 1.5 * 10 / PIXEL_ARCSEC + 2
    assert masked[distance < -reach].sum() == 0
    np.testing.assert_array_equal(masked[distance > reach], whole[distance > reach])


def _cells(image):
    n = image.shape[0] // CELL
    return image[: n * CELL, : n * CELL].reshape(n, CELL, n, CELL).sum(axis=(1, 3))
