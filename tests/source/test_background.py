"""Background regions chosen from geometry: distances, rows and chips are checked on the detector itself."""

import numpy as np
import pytest

from xtendsrc.errors import BackgroundError
from xtendsrc.instrument import CALIBRATION_SOURCES, CCDS, PIXEL_ARCSEC, Geometry, active_area
from xtendsrc.regions import RegionSet, Shape
from xtendsrc.source.background import Place, annulus, automatic, check, chosen

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
    region = automatic(place(detx=detx, dety=dety))
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


def test_interlopers_are_avoided():
    free = automatic(place())
    x, y = on_detector(free)
    other = (float(x.mean()), float(y.mean()), 1.0 * ARCMIN)
    moved = automatic(place(), [other])
    x, y = on_detector(moved)
    assert np.hypot(x - other[0], y - other[1]).min() >= other[2] - 0.5


def test_an_error_where_none_fits():
    chip = active_area("300000a0")[1]
    middle = (sum(chip.detx) / 2, sum(chip.dety) / 2)
    crowd = [(middle[0], float(d), 60.0) for d in range(chip.dety[0], chip.dety[1], 60)]
    with pytest.raises(BackgroundError, match="background=") as caught:
        automatic(place(detx=middle[0], dety=middle[1]), crowd)
    assert caught.value.next_step


def test_window_strip_is_the_rows_of_the_window_away_from_the_source():
    where = place("31100010")
    x, y = on_detector(automatic(where))
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
    assert chosen("none", place()) is None
    assert chosen(None, place()) is None
