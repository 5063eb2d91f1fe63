"""Background regions chosen from geometry: distances, rows and chips are checked on the detector itself."""

from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest

import xtendsrc as xs
from xtendsrc.errors import BackgroundError
from xtendsrc.instrument import CALIBRATION_SOURCES, CCDS, PIXEL_ARCSEC, Geometry, active_area
from xtendsrc.regions import RegionSet, Shape
from xtendsrc.source.automatic import Place, automatic
from xtendsrc.source.background import annulus, check, chosen

ARCMIN = 60 / PIXEL_ARCSEC
GEOMETRY = Geometry(81.259, -69.644, 137.9)


def place(code="300000a0", detx=733.0, dety=731.0, radius=2 * ARCMIN):
    return Place(GEOMETRY, tuple(active_area(code)), detx, dety, radius)


def on_detector(region: RegionSet):
    """Random points inside a region, in DET pixels."""
    pixels = region.to_pixels(GEOMETRY.wcs)
    low_x, high_x, low_y, high_y = pixels.bounds
    rng = np.random.default_rng(1)
    x, y = rng.uniform(low_x, high_x, 20000), rng.uniform(low_y, high_y, 20000)
    inside = pixels.mask(x, y)
    return GEOMETRY.sky_to_det(x[inside], y[inside])


@pytest.mark.parametrize(("detx", "dety"), [(733, 731), (500, 400), (400, 800), (1300, 1400), (1200, 350)])
def test_full_window_circle(detx, dety):
    region = automatic(place(detx=detx, dety=dety)).region
    x, y = on_detector(region)
    distance = np.hypot(x - detx, y - dety)
    assert distance.max() - distance.min() == pytest.approx(2 * 3 * ARCMIN, rel=0.02)
    assert distance.min() >= 2 * ARCMIN - 0.5
    assert distance.mean() >= 5 * ARCMIN
    assert abs(x.mean() - detx) < 2
    chip = next(b for b in active_area("300000a0") if b.contains(detx, dety))
    assert chip.contains(x, y).all()
    for disc in CALIBRATION_SOURCES:
        assert not disc.contains(x, y).any()


def off_axis(x, y):
    """Arcmin from the optical axis, by Pythagoras (OPTDETX 733, OPTDETY 731)."""
    return np.hypot(np.asarray(x) - 733, np.asarray(y) - 731) / ARCMIN


@pytest.mark.parametrize(("detx", "dety"), [(1250, 1300), (500, 850), (800, 880), (600, 700)])
def test_the_background_has_the_vignetting_of_the_source(detx, dety):
    """Of all circles of the rows that keep clear of the source, none has an off-axis angle more like the source's."""
    chip = next(b for b in active_area("300000a0") if b.contains(detx, dety))
    x, y = on_detector(automatic(place(detx=detx, dety=dety)).region)
    row = float((x.min() + x.max()) / 2)
    centres = np.arange(chip.dety[0] + 3 * ARCMIN, chip.dety[1] - 3 * ARCMIN)
    clear = np.hypot(centres - dety, row - detx) >= 6 * ARCMIN
    for disc in CALIBRATION_SOURCES:
        clear &= np.hypot(row - disc.x, centres - disc.y) >= disc.radius + 3 * ARCMIN
    unlike = abs(off_axis(row, centres[clear]) - off_axis(detx, dety))
    chosen_unlike = abs(off_axis(row, (y.min() + y.max()) / 2) - off_axis(detx, dety))
    assert chosen_unlike <= unlike.min() + 0.1
    assert unlike.max() > unlike.min() + 0.5  # the choice matters


@pytest.mark.parametrize("arcmin", [1, 3, 5, 7])
def test_the_background_begins_outside_the_source(arcmin):
    """An arcmin of room where the CCD has it, never less than nothing, and a remark where it is less."""
    found = automatic(place(detx=700, dety=500, radius=arcmin * ARCMIN))
    x, y = on_detector(found.region)
    nearest = np.hypot(x - 700, y - 500).min() / ARCMIN
    assert nearest >= arcmin - 0.02
    assert (nearest >= max(arcmin + 1, 3) - 0.02) == (not found.remarks)


def test_interlopers_are_avoided():
    free = automatic(place()).region
    x, y = on_detector(free)
    other = (float(x.mean()), float(y.mean()), 1.0 * ARCMIN)
    moved = automatic(place(), [other]).region
    x, y = on_detector(moved)
    assert np.hypot(x - other[0], y - other[1]).min() >= other[2] - 0.5


CHIP = active_area("300000a0")[1]
MIDDLE = (sum(CHIP.detx) / 2, sum(CHIP.dety) / 2)


def crowd(spacing, radius, box=CHIP, keep=lambda x, y: True):
    """Sources on a square lattice over a CCD."""
    xs, ys = (np.arange(a, b + 1, spacing * ARCMIN) for a, b in (box.detx, box.dety))
    return [(float(x), float(y), radius * ARCMIN) for x in xs for y in ys if keep(x, y)]


def test_a_smaller_circle_where_the_large_one_does_not_fit():
    """Other sources every 7' along the rows of the source: circles of 2' fit between them, of 3' do not."""
    rows = [(MIDDLE[0] + dx, float(y), 0.6 * ARCMIN) for dx in (0.0,) for y in np.arange(*CHIP.dety, 5.6 * ARCMIN)]
    found = automatic(place(detx=MIDDLE[0], dety=MIDDLE[1]), rows)
    x, y = on_detector(found.region)
    assert np.ptp(y) == pytest.approx(2 * 2 * ARCMIN, rel=0.02)
    assert all(np.hypot(x - a, y - b).min() >= r - 0.5 for a, b, r in rows)
    assert "2'" in found.remarks[0]


def test_an_annulus_where_no_circle_fits_and_then_other_rows():
    where = place(detx=MIDDLE[0], dety=MIDDLE[1])
    others = crowd(2.4, 0.7, keep=lambda x, y: np.hypot(x - MIDDLE[0], y - MIDDLE[1]) > 3.5 * ARCMIN)
    found = automatic(where, others)
    x, y = on_detector(found.region)
    distance = np.hypot(x - where.detx, y - where.dety) / ARCMIN
    assert distance.min() == pytest.approx(3, abs=0.05)
    assert "annulus" in found.remarks[0]
    packed = crowd(1.0, 0.8, keep=lambda x, y: np.hypot(x - MIDDLE[0], y - MIDDLE[1]) > 2.5 * ARCMIN)
    found = automatic(where, packed)
    x, y = on_detector(found.region)
    assert not CHIP.contains(x, y).any()
    assert np.logical_or.reduce([b.contains(x, y) for b in active_area("300000a0")]).all()
    assert not any(disc.contains(x, y).any() for disc in CALIBRATION_SOURCES)
    assert "rows" in found.remarks[0]


def test_an_error_where_nothing_is_left():
    packed = [c for box in active_area("300000a0") for c in crowd(1.0, 0.8, box)]
    with pytest.raises(BackgroundError, match="background=") as caught:
        automatic(place(detx=MIDDLE[0], dety=MIDDLE[1]), packed)
    assert caught.value.next_step


@pytest.mark.parametrize("extent", [4.0, 7.0, 10.0])
def test_an_extended_source_keeps_its_background_clear(extent):
    """A cluster measured in its core of 2' reaches farther than that."""
    where = place(detx=MIDDLE[0], dety=MIDDLE[1])
    found = automatic(replace(where, extent=extent * ARCMIN))
    x, y = on_detector(found.region)
    assert np.hypot(x - where.detx, y - where.dety).min() >= extent * ARCMIN - 0.5
    assert not any("extent" in remark for remark in found.remarks)


@pytest.mark.parametrize("code", ["300000a0", "31100010"])
def test_a_source_that_fills_the_field_has_a_background_and_a_warning(code):
    where = replace(place(code), extent=40 * ARCMIN)
    found = automatic(where)
    assert "within the extent of the source" in found.remarks[0]
    x, y = on_detector(found.region)
    assert np.hypot(x - where.detx, y - where.dety).min() >= where.radius


def test_window_strip_is_the_rows_of_the_window_away_from_the_source():
    where = place("31100010")
    x, y = on_detector(automatic(where).region)
    rows = active_area("31100010")[0].detx
    assert (x >= rows[0] - 0.51).all()
    assert (x <= rows[1] + 0.51).all()
    assert np.hypot(x - where.detx, y - where.dety).min() >= 3 * ARCMIN - 0.5
    assert y.min() < CCDS[1].dety[1] < y.max()


def test_annulus_in_source_radii():
    x, y = on_detector(annulus(place(), 1.5, 2.5))
    distance = np.hypot(x - 733, y - 731) / (2 * ARCMIN)
    assert distance.min() == pytest.approx(1.5, abs=0.02)
    assert distance.max() == pytest.approx(2.5, abs=0.02)
    with pytest.raises(BackgroundError):
        annulus(place(), 0.5, 2)


def circle_at(detx, dety, radius_arcmin):
    sky = GEOMETRY.det_to_icrs(detx, dety)
    return RegionSet("icrs", (Shape("circle", (float(sky.ra.deg), float(sky.dec.deg), radius_arcmin / 60)),))


def test_a_background_of_the_users_own_is_checked():
    check(circle_at(733, 400, 2), place())
    with pytest.raises(BackgroundError, match="overlaps"):
        check(circle_at(733, 760, 2), place())
    with pytest.raises(BackgroundError, match="read"):
        check(circle_at(100, 100, 2), place())
    assert chosen("none", place()).region is None
    assert chosen(None, place()).region is None


@pytest.mark.parametrize("obs_id", ["900001010", "900002010"])
def test_a_contaminated_background_is_a_warning_of_the_product(archive, position, tmp_path, obs_id):
    """A cluster that fills the field, measured in its core: both products that subtract say what they subtract."""
    cluster = xs.ExtendedSource(
        position,
        40 * u.arcmin,
        name="cluster",
        region=circle_on_sky(position, 2),
        archive=archive,
        output=tmp_path / "out",
    )
    spectrum = cluster.spectrum(obs_id=obs_id, response=None)
    curve = cluster.lightcurve(obs_id=obs_id, bin=500 * u.s)
    report = xs.compute(spectrum, curve)
    assert not report.failed
    for product in (spectrum, curve):
        assert "within the extent of the source" in product.provenance["notes"][0]
    assert sum("within the extent" in line for line in report.remarks) == 1
    point = xs.PointSource(position, 2 * u.arcmin, name="star", archive=archive, output=tmp_path / "another")
    clean = point.spectrum(obs_id=obs_id, response=None).compute()
    assert not any("background" in note.lower() for note in clean.provenance["notes"])


def circle_on_sky(position, arcmin):
    return RegionSet("icrs", (Shape("circle", (float(position.ra.deg), float(position.dec.deg), arcmin / 60)),))
