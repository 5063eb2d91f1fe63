"""The whole way from calibration files to an area: rays traced here, against those of xrtraytrace."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from tests.responses.test_arf import ARF, SOURCE, arguments
from xtendsrc import errors, responses
from xtendsrc.responses.exposuremap import read_exposure_map
from xtendsrc.responses.sourcerays import source_angles

FILES = responses.TelescopeFiles(
    mirror=ARF / "tel20.fits.gz",
    reflectivity=ARF / "ref.fits.gz",
    coarse_area=ARF / "ea_coarse.fits.gz",
    teldef=ARF / "xtd.teldef.gz",
    scattering=ARF / "scat10.fits.gz",
)
EMAP = ARF / "emap.fits.gz"


@pytest.fixture(scope="module")
def rays():
    return responses.source_rays(EMAP, FILES, SOURCE, precision=0.005)


def test_angles_are_those_that_the_task_traced():
    """aharfgen rounded them to 0.01 arcmin and degrees."""
    off_axis, azimuth = source_angles(read_exposure_map(EMAP, "right"), SOURCE, FILES.teldef)
    assert off_axis == pytest.approx([3.98], abs=0.005)
    assert azimuth == pytest.approx([180.0], abs=0.005)


def test_energies_are_those_of_the_coarse_area(rays):
    assert rays.energy[[0, -1]] == pytest.approx([0.4, 12.0])
    few = responses.source_rays(EMAP, FILES, SOURCE, energies=(1.0, 2.0) * u.keV, precision=0.05)
    assert few.energy == pytest.approx([0.8, 1.2, 1.6, 2.0])
    with pytest.raises(errors.RequestError, match="fewer than two energies"):
        responses.source_rays(EMAP, FILES, SOURCE, energies=(0.41, 0.42) * u.keV)


def test_the_area_agrees_with_that_from_the_rays_of_the_task(rays, tmp_path):
    """Both through the region over the gap; the task's rays have 2500 photons for each energy."""
    ours = responses.arf(out=tmp_path / "a.arf", **arguments() | {"rays": rays})
    theirs = responses.arf(out=tmp_path / "b.arf", **arguments())
    assert (ours.traced_error / ours.traced_area).max() < 0.01
    together = np.hypot(ours.traced_error, theirs.traced_error)
    assert np.abs((ours.traced_area - theirs.traced_area) / together).max() < 4
    weight = 1 / theirs.traced_error**2
    ratio = np.average(ours.traced_area / theirs.traced_area, weights=weight)
    assert ratio == pytest.approx(1, abs=4 / np.sqrt(theirs.accepted.sum()))


def test_flux_and_slope_come_back_from_photons_of_the_task(rays, tmp_path):
    """A power law folded through the task's rays, read with the area from our own, keeps flux and slope."""
    ours = responses.arf(out=tmp_path / "a.arf", **arguments() | {"rays": rays})
    theirs = responses.arf(out=tmp_path / "b.arf", **arguments())
    centre = (ours.energy_low + ours.energy_high) / 2
    used = (centre > 1) & (centre < 10)
    rate = theirs.area[used] * centre[used] ** -1.8
    design = np.column_stack([np.ones(used.sum()), np.log(centre[used])])
    log_norm, slope = np.linalg.lstsq(design, np.log(rate / ours.area[used]), rcond=None)[0]
    assert slope == pytest.approx(-1.8, abs=0.02)
    assert log_norm == pytest.approx(0, abs=0.03)


def test_rays_in_a_file_give_the_same_area(rays, tmp_path):
    path = responses.write_rays(rays, tmp_path / "rays.fits", ["made for a test"])
    a = responses.arf(out=tmp_path / "a.arf", **arguments() | {"rays": rays})
    b = responses.arf(out=tmp_path / "b.arf", **arguments() | {"rays": path})
    np.testing.assert_allclose(b.area, a.area, rtol=1e-6)
    with pytest.raises(errors.InputFileError, match="off axis; the source is at"):
        responses.arf(
            out=tmp_path / "c.arf", **arguments() | {"rays": path, "source": SkyCoord(81.2, -69.7, unit="deg")}
        )


def test_the_same_seed_gives_the_same_rays():
    a, b, c = (responses.source_rays(EMAP, FILES, SOURCE, precision=0.05, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.x, b.x)
    assert not np.array_equal(a.x, c.x)


def test_a_disc_spreads_the_light(rays, tmp_path):
    """Of a disc of 3' less light lands in a small region than of a point, and its whole area is much the same."""
    disc = responses.source_rays(EMAP, FILES, SOURCE, shape=responses.DiscShape(3 * u.arcmin), precision=0.01)
    small = [responses.arf(out=tmp_path / "a.arf", **arguments() | {"rays": r}) for r in (rays, disc)]
    assert small[1].traced_area.sum() < 0.2 * small[0].traced_area.sum()
    whole = [(r.weight.sum(axis=0) / r.injected[:, 0])[5] for r in (rays, disc)]
    assert whole[1] == pytest.approx(whole[0], rel=0.1)
