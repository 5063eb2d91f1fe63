"""Scattering of traced rays: the angles drawn are those of the profile, and each energy has its own."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

from tests.responses.test_tracing import KS95, REFLECTIVITY, SCATTERING, TEL20
from xtendsrc import responses
from xtendsrc.responses.mirror import read_mirror
from xtendsrc.responses.scatter import read_scattering

RANDOM = np.random.default_rng(8).random(20_000)


@pytest.mark.parametrize("incidence", [0.0003, 0.0051])
def test_angles_follow_the_profile(incidence):
    """The file gives densities at the middles of bins; at the smallest angles of incidence they are cut at zero."""
    scattering = read_scattering(SCATTERING, read_mirror(TEL20))
    front = scattering.numbers[1, 0]
    angles = scattering.angle(0, np.full(20_000, front), np.full(20_000, incidence), RANDOM)
    with fits.open(SCATTERING) as hdus:
        header, density = hdus[1].header, hdus[1].data["SCAT1"][0][int(incidence / 0.001)]
        middle = header["1CRVL2"] + header["1CDLT2"] * np.arange(len(density))
    share = np.clip(density, 0, None) / np.clip(density, 0, None).sum()
    edges = np.append(middle, middle[-1] + header["1CDLT2"]) - header["1CDLT2"] / 2
    growth = np.concatenate([[0], np.cumsum(share)])
    counted = np.searchsorted(np.sort(angles), edges, side="right") / len(angles)
    assert np.abs(counted - growth).max() * np.sqrt(len(angles)) < KS95
    assert np.mean(angles) == pytest.approx(share @ middle, abs=3e-6)


@pytest.fixture
def energy_dependent(tmp_path):
    """A scattering file whose profile at 10 keV is twice as wide as at 1 and 5 keV."""
    with fits.open(SCATTERING, memmap=False) as hdus:
        for hdu in hdus[1:]:
            middle = hdu.header["1CRVL2"] + hdu.header["1CDLT2"] * np.arange(801)
            for column in ("SCAT1", "SCATBACK"):
                wide = np.exp(-0.5 * (middle / 2e-4) ** 2)
                wide[np.abs(middle) > 9e-4] = -1
                first, *_, last = np.flatnonzero(wide > 0)
                wide[[first, last]] = 0
                hdu.data[column][2] = wide
        hdus.writeto(tmp_path / "wide.fits")
    return tmp_path / "wide.fits"


def trace(scattering, energies, **more):
    return responses.trace(TEL20, REFLECTIVITY, scattering, energies=energies * u.keV, off_axis=0 * u.arcmin, **more)


def test_each_energy_is_scattered_by_the_nearest_profile(energy_dependent):
    radii = [10, 20, 40] * u.arcsec
    mixed = trace(energy_dependent, np.array([1.0, 7.0, 8.0, 12.0]), photons=5000, seed=2).encircled(radii)[0]
    narrow = trace(SCATTERING, np.array([1.0, 7.0]), photons=10_000, seed=2).encircled(radii)[0]
    np.testing.assert_allclose(mixed[:2], narrow, atol=1e-12)
    assert (mixed[2:] < 0.8 * mixed[:1]).all()


def test_a_wider_profile_widens_the_image_as_two_reflections_add(energy_dependent):
    """Each reflection turns the ray by the scattering angle; the first counts again as the second is met otherwise."""
    wide = trace(energy_dependent, np.array([10.0]), photons=40_000).as_rays()
    narrow = trace(SCATTERING, np.array([10.0]), photons=40_000).as_rays()
    square = [np.average(r.x**2 + r.y**2, weights=r.weight[:, 0]) for r in (narrow, wide)]
    sharp = trace(None, np.array([10.0]), photons=40_000).as_rays()
    rest = np.average(sharp.x**2 + sharp.y**2, weights=sharp.weight[:, 0])
    assert (square[1] - rest) / (square[0] - rest) == pytest.approx(4, rel=0.05)


def test_energies_of_another_profile_are_traced_when_asked_for(energy_dependent):
    low = trace(energy_dependent, np.array([1.0, 2.0]), photons=3000)
    both = low.at([1.0, 12.0] * u.keV)
    direct = trace(energy_dependent, np.array([1.0, 12.0]), photons=3000)
    np.testing.assert_allclose(both.effective_area, direct.effective_area, rtol=1e-12)
