"""Which events and pixels are inside: edges, areas, combinations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from xtendsrc.errors import RegionError
from xtendsrc.regions import RegionSet, Shape

GRID = ((1, 400), (1, 400))
C = Shape("circle", (200.0, 200.0, 10.0))


def region(*shapes):
    return RegionSet("SKY", shapes)


@pytest.mark.parametrize(
    ("shape", "edge", "beyond"),
    [
        (C, (210.0, 200.0), (210.0 + 1e-9, 200.0)),
        (C, (206.0, 208.0), (206.0, 208.0 + 1e-9)),
        (Shape("annulus", (200, 200, 5, 10)), (205.0, 200.0), (205.0 - 1e-9, 200.0)),
        (Shape("annulus", (200, 200, 5, 10)), (200.0, 190.0), (200.0, 190.0 - 1e-9)),
        (Shape("ellipse", (200, 200, 8, 4, 0)), (208.0, 200.0), (208.0 + 1e-9, 200.0)),
        (Shape("ellipse", (200, 200, 8, 4, 0)), (200.0, 204.0), (200.0, 204.0 + 1e-9)),
        (Shape("elliptannulus", (200, 200, 4, 2, 8, 4, 0)), (204.0, 200.0), (204.0 - 1e-9, 200.0)),
        (Shape("box", (200, 200, 8, 4, 0)), (204.0, 202.0), (204.0 + 1e-9, 202.0)),
        (Shape("box", (200, 200, 8, 4, 0)), (196.0, 200.0), (196.0 - 1e-9, 200.0)),
        (Shape("boxannulus", (200, 200, 4, 2, 8, 4, 0)), (204.0, 200.0), (204.0 + 1e-9, 200.0)),
        (Shape("boxannulus", (200, 200, 4, 2, 8, 4, 0)), (202.0 + 1e-9, 200.0), (202.0, 200.0)),  # as CFITSIO has it
        (Shape("polygon", (200, 200, 210, 200, 200, 210)), (205.0, 205.0), (205.0 + 1e-9, 205.0)),
        (Shape("polygon", (200, 200, 210, 200, 200, 210)), (205.0, 200.0), (205.0, 200.0 - 1e-9)),
        (Shape("polygon", (200, 200, 210, 200, 200, 210)), (200.0, 207.0), (200.0 - 1e-9, 207.0)),
        (Shape("polygon", (200, 200, 210, 200, 200, 210)), (200.0, 210.0), (200.0, 210.0 + 1e-9)),
    ],
)
def test_edges_belong_to_the_shape_included_or_not(shape, edge, beyond):
    points = np.array([edge, beyond]).T
    assert region(shape).mask(*points).tolist() == [True, False]
    assert region(shape.excluded()).mask(*points).tolist() == [False, True]


def test_circle_less_a_circle_leaves_the_half_open_ring():
    ring = region(C, Shape("circle", (200, 200, 5), exclude=True))
    assert ring.mask([205.0, 205.001, 210.0, 210.001], 200.0).tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        (C, math.pi * 100),
        (Shape("annulus", (200, 200, 5, 10)), math.pi * 75),
        (Shape("ellipse", (200, 200, 8, 4, 30)), math.pi * 32),
        (Shape("elliptannulus", (200, 200, 4, 2, 8, 4, 30)), math.pi * 24),
        (Shape("box", (200, 200, 8, 4, 30)), 32.0),
        (Shape("boxannulus", (200, 200, 4, 2, 8, 4, 30)), 24.0),
        (Shape("polygon", (200, 200, 210, 200, 200, 210)), 50.0),
    ],
)
def test_area_in_closed_form(shape, area):
    assert region(shape).area() == pytest.approx(area, rel=1e-12)
    far = Shape("circle", (300, 300, 20), exclude=True)
    assert region(shape, far).area() == pytest.approx(area, rel=1e-12)
    twice = region(shape, Shape("circle", (300, 300, 20)))
    assert twice.area() == pytest.approx(area + math.pi * 400, rel=1e-12)


def test_area_of_overlapping_shapes_counts_the_overlap_once():
    lens = 2 * 100 * math.acos(0.5) - 10 * math.sqrt(75)  # two circles of radius 10 whose centres are 10 apart
    two = region(C, Shape("circle", (210, 200, 10)))
    assert two.area() == pytest.approx(2 * math.pi * 100 - lens, rel=1e-3)
    less = region(C, Shape("circle", (210, 200, 10), exclude=True))
    assert less.area() == pytest.approx(math.pi * 100 - lens, rel=1e-3)


@pytest.mark.parametrize("dtype", ["i2", ">i2", "u2", "i4", "f4", ">f8"])
def test_columns_of_any_type_give_the_same(dtype):
    x, y = np.meshgrid(np.arange(180, 221), np.arange(180, 221))
    found = region(Shape("circle", (200, 200, 10.5)), Shape("box", (205, 200, 5, 5, 10), exclude=True))
    expected = found.mask(x.astype(float), y.astype(float))
    assert 200 < expected.sum() < 400
    np.testing.assert_array_equal(found.mask(x.astype(dtype), y.astype(dtype)), expected)


def test_no_events_give_an_empty_mask():
    assert region(C).mask(np.array([], dtype="i2"), np.array([], dtype="i2")).shape == (0,)


def test_not_a_number_is_never_inside_a_shape():
    assert region(C).mask([np.nan, 200.0], [200.0, np.nan]).tolist() == [False, False]


def test_overlap_fraction():
    half = Shape("box", (205.0, 200.0, 9.0, 100.0, 0.0))
    square = region(Shape("box", (200.0, 200.0, 20.0, 20.0, 0.0)))  # 190..210: 21 x 21 pixels, 201..209 shared
    assert square.overlap_fraction(region(half), GRID) == pytest.approx(9 / 21)
    assert square.overlap_fraction(square, GRID) == 1.0
    assert math.isnan(region(Shape("circle", (900, 900, 3))).overlap_fraction(square, GRID))


def test_bounds_enclose_all_and_touch():
    shape = Shape("ellipse", (200, 200, 50, 10, 30))
    x, y = next(iter(region(shape).outline(20001)))
    assert shape.bounds == pytest.approx((x.min(), x.max(), y.min(), y.max()), abs=1e-5)
    box = Shape("box", (200, 200, 50, 10, 30))
    x, y = next(iter(region(box).outline()))
    assert box.bounds == pytest.approx((x.min(), x.max(), y.min(), y.max()), abs=1e-9)


def test_centre_is_the_mean_weighted_by_area():
    two = region(Shape("box", (100, 100, 2, 2, 0)), Shape("box", (200, 130, 4, 2, 0)), C.excluded())
    assert two.centre == pytest.approx((500 / 3, 120))
    triangle = region(Shape("polygon", (0, 0, 3, 0, 0, 3)))
    assert triangle.centre == pytest.approx((1, 1))


def test_without_takes_either_kind_but_not_both():
    hole = Shape("circle", (200, 200, 5))
    expected = region(C, hole.excluded())
    assert region(C).without(region(hole)) == expected
    assert region(C).without(region(hole.excluded())) == expected
    assert region(C).exclude([hole]) == expected
    with pytest.raises(RegionError, match="cannot be taken out"):
        region(C).without(expected)
    with pytest.raises(RegionError, match="frames SKY and DET"):
        region(C).without(RegionSet("DET", (hole,)))


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("circle", (1, 2), "needs 3 values"),
        ("circle", (1, 2, 0), "size of 0"),
        ("circle", (1, 2, -3), "size of -3"),
        ("circle", (1, math.nan, 3), "not finite"),
        ("circle", (1, "2d", 3), "not plain numbers"),
        ("circle", None, "not plain numbers"),
        ("annulus", (1, 2, 5, 4), "not between"),
        ("annulus", (1, 2, -1, 4), "not between"),
        ("elliptannulus", (1, 2, 0, 1, 4, 4, 0), "not between"),
        ("box", (1, 2, 3, 4), "needs 5 values"),
        ("polygon", (1, 2, 3, 4), "three"),
        ("polygon", (0, 0, 1, 1, 2, 2), "no area"),
        ("panda", (1, 2, 3), "not a known shape"),
    ],
)
def test_shapes_that_make_no_sense_are_refused(name, values, reason):
    with pytest.raises(RegionError, match=reason) as caught:
        Shape(name, values)
    assert caught.value.next_step


def test_a_set_needs_a_shape_a_frame_and_a_possible_declination():
    with pytest.raises(RegionError, match="no shape"):
        RegionSet("SKY", ())
    with pytest.raises(RegionError, match="'sky' is not a frame"):
        RegionSet("sky", (C,))
    with pytest.raises(RegionError, match="beyond the poles"):
        RegionSet("icrs", (Shape("circle", (81, 269, 0.1)),))


def test_pixel_methods_refuse_the_sky():
    sky = RegionSet("icrs", (Shape("circle", (81.0, -69.0, 0.1)),))
    for call in (lambda: sky.mask([1], [1]), sky.image_mask, sky.pixel_count, lambda: sky.bounds, sky.to_hdu):
        with pytest.raises(RegionError, match="to_pixels"):
            call()
