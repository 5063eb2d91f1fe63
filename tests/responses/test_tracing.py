"""Traced rays against those of xrtraytrace (HEASoft 6.20), and against laws a telescope obeys."""

import functools
import pickle

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

from tests.responses.conftest import DATA
from tests.responses.test_arf import ARF, arguments
from xtendsrc import errors, responses

KS95 = 1.358
"""95 % point of the Kolmogorov distribution."""

TEL20, TEL60, REFLECTIVITY, SCATTERING = (DATA / "arf" / f"{n}.fits.gz" for n in ("tel20", "tel60", "ref", "scat10"))
TASK_PHOTONS = 20_000
MIRRORS = {"rt_spec": TEL20, "rt_tel60": TEL60}


def by_task(case):
    """Energies, angles, areas, encircled energies (angles, energies, radii), photons and radii of the task."""
    with fits.open(ARF / f"{case}_ea.fits.gz") as areas, fits.open(ARF / f"{case}_psf.fits.gz") as psf:
        energy = np.asarray(areas[1].data["Energy"], float)
        where = [(hdu.header["OFFAXIS"], hdu.header["AZIMUTH"]) for hdu in areas[1:]]
        area = np.array([hdu.data["EFFAREA"] for hdu in areas[1:]])
        shape = (*area.shape, -1)
        fraction = np.array([hdu.data["EEF"] for hdu in psf[1:]]).reshape(shape)
        photons = np.array([hdu.header["TOTCTS"] for hdu in psf[1:]]).reshape(area.shape)
        return energy, np.array(where).T, area, fraction, photons, np.asarray(psf[1].data["Radius"], float)


def gap_photons():
    """The task's doubly reflected photons of the source 4' off axis that crossed no foil: energies and places (mm)."""
    with fits.open(ARF / "arf_gap_rt.fits.gz") as hdus:
        table = hdus[1].data
        code = np.char.strip(table["PATHCODE"].astype(str))
        double = np.isin(code, ("306230721011", "206220721011"))
        return (np.asarray(table[n][double], float) for n in ("ENERGY", "FINALXPOS", "FINALYPOS"))


@pytest.fixture(scope="module")
def gap_trace():
    """Rays of the source 4' off axis, at the energies of the coarse on-axis area."""
    with fits.open(ARF / "ea_coarse.fits.gz") as hdus:
        energies = hdus["EFFAREACRS"].data["ENERGY"] * u.keV
    inside = energies[(energies >= 0.4 * u.keV) & (energies <= 12 * u.keV)]
    return responses.trace(
        TEL20, REFLECTIVITY, SCATTERING, energies=inside, off_axis=3.98 * u.arcmin, roll=180 * u.deg, photons=8000
    )


@functools.cache
def traced_as(case):
    """Rays at the positions and energies of a case of the task."""
    energy, (off_axis, roll), *_ = by_task(case)
    return responses.trace(
        mirror=MIRRORS[case],
        reflectivity=REFLECTIVITY,
        energies=energy * u.keV,
        off_axis=off_axis * u.arcmin,
        roll=roll * u.deg,
        photons=20_000,
        seed=7,
    )


@pytest.mark.parametrize("case", ["rt_spec", "rt_tel60"])
def test_areas_and_radii_are_those_of_the_task(case):
    _, _, area, fraction, photons, radius = by_task(case)
    traced = traced_as(case)
    share = area / traced.telescope.mirror.aperture_area
    error = traced.telescope.mirror.aperture_area * np.sqrt(share * (1 - share) / TASK_PHOTONS)
    chi2 = ((traced.effective_area.to_value(u.cm**2) - area) / error) ** 2
    assert 0.5 < chi2.mean() < 1.5
    assert (traced.effective_area_error.to_value(u.cm**2) < 0.3 * error).all()
    distance = np.abs(traced.encircled(radius * u.arcsec) - fraction).max(axis=-1) * np.sqrt(photons)
    assert (distance < KS95).all()


def test_areas_are_unbiased():
    """All areas of the task together, of both telescopes, differ by less than 0.3 %."""
    ratio, weight = [], []
    for case in MIRRORS:
        expected, traced = by_task(case)[2], traced_as(case)
        share = expected / traced.telescope.mirror.aperture_area
        ratio.append((traced.effective_area.to_value(u.cm**2) / expected).ravel())
        weight.append((share / (1 - share)).ravel() * TASK_PHOTONS)
    ratio, weight = np.concatenate(ratio), np.concatenate(weight)
    assert 1 / np.sqrt(weight.sum()) < 0.002
    assert np.average(ratio, weights=weight) == pytest.approx(1, abs=0.003)


def test_areas_and_places_with_scattering_are_those_of_the_task(gap_trace):
    energy, x, y = gap_photons()
    number = np.array([np.isclose(energy, e).sum() for e in gap_trace.energies_kev])
    opening = gap_trace.telescope.mirror.aperture_area
    error = opening * np.sqrt(number / 2500 * (1 - number / 2500) / 2500)
    area = gap_trace.effective_area.to_value(u.cm**2)[0]
    assert 0.5 < (((area - opening * number / 2500) / error) ** 2).mean() < 1.5
    radius = np.linspace(0, 5, 101)
    share = area / area.sum()
    traced = share @ gap_trace.encircled(radius / 5600 * u.rad, "double")[0]
    distance = np.sort(np.hypot(x - 5600 * np.tan(np.deg2rad(3.98 / 60)), y))
    counted = np.searchsorted(distance, radius, side="right") / len(distance)
    assert np.abs(traced - counted).max() * np.sqrt(len(distance)) < KS95


@pytest.mark.parametrize("centre", [(6.45, 0.0), (7.0, 0.8), (5.6, -0.7)])
def test_areas_of_regions_are_those_of_the_task(gap_trace, centre):
    _, x, y = gap_photons()

    def accept(x, y):
        return np.hypot(x - centre[0], y - centre[1]) < 0.8

    area, error = gap_trace.area_within(accept)
    counted = np.count_nonzero(accept(x, y)) * gap_trace.telescope.mirror.aperture_area / 2500
    relative = 1 / np.sqrt(np.count_nonzero(accept(x, y)))
    assert area.sum().to_value(u.cm**2) == pytest.approx(counted, rel=3 * relative)
    assert (error < 0.02 * area).all()


def test_photons_of_the_task_give_back_flux_and_slope(gap_trace, tmp_path):
    """A power law folded through the task's photons is fitted with the area of the rays traced here."""
    norm, slope = 2.5, 1.7
    arf = responses.arf(**{**arguments(), "rays": gap_trace.as_rays(), "out": tmp_path / "a.arf"})
    task = responses.arf(**{**arguments(), "rays": without_transmission(tmp_path), "out": tmp_path / "t.arf"})
    energy = arf.traced_energy
    photons = norm * energy**-slope
    counts, variance = photons * task.traced_area, (photons * task.traced_error) ** 2
    design = np.stack([np.ones_like(energy), -np.log(energy)], axis=1)
    weight = counts**2 / variance
    covariance = np.linalg.inv(design.T @ (weight[:, None] * design))
    fitted = covariance @ design.T @ (weight * np.log(counts / arf.traced_area))
    assert abs(fitted[0] - np.log(norm)) < 3 * np.sqrt(covariance[0, 0])
    assert abs(fitted[1] - slope) < 3 * np.sqrt(covariance[1, 1])
    assert np.sqrt(covariance[1, 1]) < 0.01


def without_transmission(folder):
    """The task's rays without the photons it lets through the outermost foil, which is opaque."""
    path = folder / "rays.fits"
    with fits.open(ARF / "arf_gap_rt.fits.gz", memmap=False) as hdus:
        code = np.char.strip(hdus[1].data["PATHCODE"].astype(str))
        hdus[1].data = hdus[1].data[np.isin(code, ("306230721011", "206220721011"))]
        hdus.writeto(path)
    return path


def small(**changes):
    """A quick trace."""
    given = {
        "mirror": TEL20,
        "reflectivity": REFLECTIVITY,
        "energies": [1, 4] * u.keV,
        "off_axis": [0, 3] * u.arcmin,
        "photons": 2000,
        "seed": 7,
    }
    return responses.trace(**{**given, **changes})


def test_the_same_seed_gives_the_same_rays_on_any_number_of_cores(monkeypatch):
    one = small(cores=1)
    two = small(cores=2)
    assert (one.effective_area == two.effective_area).all()
    assert (one.effective_area == pickle.loads(pickle.dumps(one)).effective_area).all()
    assert (one.effective_area != small(seed=8).effective_area).all()
    monkeypatch.setattr("xtendsrc.responses.sampling.PIECE", 50)
    np.testing.assert_allclose(small(cores=2).effective_area, one.effective_area, rtol=1e-12)


def test_a_position_does_not_depend_on_the_others_asked_for():
    both = small()
    alone = small(off_axis=3 * u.arcmin)
    assert (both.effective_area[1] == alone.effective_area[0]).all()


def test_a_trace_tells_what_it_is_in_a_line():
    assert repr(small()) == "<Trace through tel20.fits.gz: 2 angles, 2 energies, 4000 rays an angle>"


def test_other_energies_share_the_rays():
    wide = small(energies=[1, 2, 4] * u.keV, photons=2000)
    narrow = small(energies=[1, 4, 8] * u.keV, photons=2000).at([1, 2, 4] * u.keV)
    np.testing.assert_allclose(narrow.effective_area, wide.effective_area, rtol=1e-12)


def test_a_precision_is_reached_and_is_true():
    exact = small(photons=60_000, seed=99)
    asked = small(photons=None, precision=0.5 * u.percent)
    relative = asked.effective_area_error / asked.effective_area
    assert (relative < 0.005).all()
    assert (np.abs(asked.effective_area - exact.effective_area) < 4 * asked.effective_area_error).all()


def test_the_error_is_that_of_many_seeds():
    traces = [small(seed=seed, photons=200) for seed in range(60)]
    scatter = np.std([t.effective_area.value for t in traces], axis=0, ddof=1)
    stated = np.sqrt(np.mean([t.effective_area_error.value**2 for t in traces], axis=0))
    np.testing.assert_allclose(stated, scatter, rtol=0.35)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"energies": [1, 4]}, errors.UnitsError),
        ({"energies": [-1, 4] * u.keV}, errors.RequestError),
        ({"energies": [1, 40] * u.keV}, errors.CalibrationError),
        ({"off_axis": [1, 2]}, errors.UnitsError),
        ({"off_axis": [0, 1, 2] * u.arcmin, "roll": [0, 1] * u.deg}, errors.RequestError),
        ({"off_axis": [np.nan] * u.arcmin}, errors.RequestError),
        ({"photons": 3}, errors.RequestError),
        ({"photons": 1000, "precision": 0.01}, errors.RequestError),
        ({"photons": None, "precision": 2}, errors.RequestError),
        ({"seed": -1}, errors.RequestError),
    ],
)
def test_what_makes_no_sense_is_refused(changes, error):
    with pytest.raises(error):
        small(**changes)


def test_encircled_energy_asks_for_angles_and_a_known_kind():
    traced = small()
    with pytest.raises(errors.UnitsError):
        traced.encircled([1, 2])
    with pytest.raises(errors.RequestError):
        traced.encircled(1 * u.arcmin, "single")
    assert (traced.encircled(180 * u.deg) == 1).all()
    grown = traced.encircled([0, 10, 30] * u.arcsec)
    shuffled = traced.encircled([30, 0, 10] * u.arcsec)
    assert (grown[..., [2, 0, 1]] == shuffled).all()
    assert (np.diff(grown) > 0).all()
