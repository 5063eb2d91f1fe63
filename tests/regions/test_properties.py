"""Random regions: against the plainest possible test of a point, the `regions` package, and themselves."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
import regions as rg
from hypothesis import given, settings
from hypothesis import strategies as st

from xtendsrc.instrument import Geometry
from xtendsrc.regions import RegionSet, Shape

GRID = ((1, 400), (1, 400))
GEOMETRY = Geometry(81.259, -69.644, 264.638)

place = st.floats(100.0, 300.0)
size = st.floats(0.5, 60.0)
angle = st.floats(-400.0, 400.0)
factor = st.floats(0.05, 0.95)


@st.composite
def shapes(draw, names=("circle", "annulus", "ellipse", "elliptannulus", "box", "boxannulus", "polygon"), exclude=None):
    name = draw(st.sampled_from(names))
    x, y, a, b, f, turn = (draw(s) for s in (place, place, size, size, factor, angle))
    values = {
        "circle": (x, y, a),
        "annulus": (x, y, f * a, a),
        "ellipse": (x, y, a, b, turn),
        "elliptannulus": (x, y, f * a, f * b, a, b, turn),
        "box": (x, y, a, b, turn),
        "boxannulus": (x, y, f * a, f * b, a, b, turn),
        "polygon": None,
    }[name]
    if values is None:
        values = draw(star(x, y))
    return Shape(name, values, draw(st.booleans()) if exclude is None else exclude)


@st.composite
def star(draw, x, y):
    """A simple polygon around (x, y): vertices at growing angles, all radii above a pixel."""
    count = draw(st.integers(3, 8))
    radii = draw(st.lists(st.floats(1.0, 60.0), min_size=count, max_size=count))
    turns = [2 * math.pi * k / count for k in range(count)]
    return tuple(v for r, t in zip(radii, turns, strict=True) for v in (x + r * math.cos(t), y + r * math.sin(t)))


def region_sets(frame="SKY"):
    return st.lists(shapes(), min_size=1, max_size=5).map(lambda found: RegionSet(frame, tuple(found)))


def inside(shape, x, y):
    """Whether one point is in one shape, by the definition of the shape; None too near an edge to be told."""
    if shape.name == "polygon":
        return _inside_polygon(list(zip(shape.values[0::2], shape.values[1::2], strict=True)), x, y)
    x0, y0 = shape.values[:2]
    if shape.name in ("circle", "annulus"):
        radius = math.hypot(x - x0, y - y0)
        low, high = (0.0, shape.values[2]) if shape.name == "circle" else shape.values[2:]
        return _told(radius - high, low - radius if low else -1.0)
    turn = math.radians(shape.values[-1])
    u = complex(x - x0, y - y0) * complex(math.cos(turn), -math.sin(turn))
    rings = [shape.values[2:4]] if len(shape.values) == 5 else [shape.values[4:6], shape.values[2:4]]
    if shape.name.startswith("box"):
        excess = [max(abs(u.real) - w / 2, abs(u.imag) - h / 2) for w, h in rings]
    else:
        excess = [math.hypot(u.real / a, u.imag / b) - 1 for a, b in rings]
    return _told(excess[0], -excess[1] if len(excess) > 1 else -1.0)


def _told(*excess):
    if any(abs(e) < 1e-9 for e in excess):
        return None
    return all(e < 0 for e in excess)


def _inside_polygon(vertices, x, y):
    """By the winding angle seen from the point."""
    total = 0.0
    for (x1, y1), (x2, y2) in zip(vertices, vertices[1:] + vertices[:1], strict=True):
        before, after = complex(x1 - x, y1 - y), complex(x2 - x, y2 - y)
        if abs(before) < 1e-9:
            return None
        turn = math.atan2((before.conjugate() * after).imag, (before.conjugate() * after).real)
        if abs(abs(turn) - math.pi) < 1e-7:
            return None
        total += turn
    return abs(total) > math.pi


def inside_set(region, x, y):
    told = [inside(shape, x, y) for shape in region.shapes]
    if None in told:
        return None
    includes = [t for t, s in zip(told, region.shapes, strict=True) if not s.exclude]
    excludes = [t for t, s in zip(told, region.shapes, strict=True) if s.exclude]
    return (any(includes) or not includes) and not any(excludes)


def region(*shapes):
    return RegionSet("SKY", shapes)


@given(region_sets(), st.data())
@settings(max_examples=300, deadline=None)
def test_mask_is_that_of_a_naive_loop(found, data):
    coordinate = st.one_of(st.floats(90, 310), st.integers(90, 310).map(float))
    points = data.draw(st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=30))
    points += [shape.values[:2] for shape in found.shapes]
    mask = found.mask(*np.array(points).T)
    for (x, y), got in zip(points, mask, strict=True):
        told = inside_set(found, x, y)
        assert told is None or told == got


@given(region_sets(), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_order_of_shapes_does_not_matter(found, random):
    shuffled = list(found.shapes)
    random.shuffle(shuffled)
    other = region(*shuffled)
    np.testing.assert_array_equal(other.image_mask(GRID), found.image_mask(GRID))
    assert other.canonical() == found.canonical()
    assert [shape.exclude for shape in other.shapes] == sorted(shape.exclude for shape in shuffled)


@given(region_sets(), st.sampled_from([1, 2, 3, 4, 7]))
@settings(max_examples=40, deadline=None)
def test_image_mask_is_the_mask_of_pixel_centres(found, binning):
    limits = ((95, 305), (120, 290))
    image = found.image_mask(limits, binning)
    assert image.shape == (171 // binning, 211 // binning)
    y, x = np.indices(image.shape)
    # centre of image pixel k: mean of the unbinned pixels first + k*b ... first + k*b + b - 1
    centre_x = np.mean([95 + x * binning + i for i in range(binning)], axis=0)
    centre_y = np.mean([120 + y * binning + i for i in range(binning)], axis=0)
    np.testing.assert_array_equal(image, found.mask(centre_x, centre_y))


@given(shapes(names=("circle", "ellipse", "box", "polygon"), exclude=False))
@settings(max_examples=60, deadline=None)
def test_area_agrees_with_the_regions_package_in_fine_pixels(shape):
    """Sub-pixel sampling by `regions` (0-based) against the closed form."""
    (other,) = region(shape).to_regions()
    mask = other.to_mask(mode="subpixels", subpixels=20)
    bound = 0.1 * sum(math.hypot(*s) for s in [np.subtract(shape.bounds[1::2], shape.bounds[0::2])]) + 0.05
    assert mask.data.sum() == pytest.approx(region(shape).area(), abs=bound)


@given(shapes(exclude=False), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_mask_agrees_with_the_regions_package(shape, seed):
    (other,) = region(shape).to_regions()
    x, y = np.random.default_rng(seed).uniform(90, 310, (2, 200))
    np.testing.assert_array_equal(region(shape).mask(x, y), other.contains(rg.PixCoord(x - 1, y - 1)))


@given(shapes(exclude=False))
@settings(max_examples=60, deadline=None)
def test_outline_runs_along_the_edge(shape):
    x0, y0 = shape.centre
    curves = region(shape).outline(50)
    assert len(curves) == (2 if shape.is_ring else 1)
    for x, y in curves:
        assert (x[0], y[0]) == pytest.approx((x[-1], y[-1]))
    if shape.name == "polygon":
        assert region(shape).mask(*curves[0]).all()
        return
    x, y = curves[0]
    assert region(shape).mask(x0 + (x - x0) * 0.999, y0 + (y - y0) * 0.999).all()
    assert not region(shape).mask(x0 + (x - x0) * 1.001, y0 + (y - y0) * 1.001).any()


def spread(region):
    """The region moved from its 100..300 pixels to all over the SKY grid, so that the sky is not flat to it."""
    return RegionSet("SKY", tuple(_moved(shape) for shape in region.shapes))


def _moved(shape):
    x, y = shape.values[:2]
    dx, dy = 9 * (x - 200), 9 * (y - 200)
    shift = [1015.5 + dx, 1015.5 + dy] * (len(shape.values) if shape.name == "polygon" else 1)
    values = [v + d for v, d in zip(shape.values, shift, strict=False)]
    return Shape(shape.name, (*values, *shape.values[len(values) :]), shape.exclude)


def assert_same(first, second, position, angle=1e-6):
    """Equal within a tolerance of positions and sizes, and one of angles (modulo a half turn)."""
    assert first.frame == second.frame
    for one, other in zip(first.shapes, second.shapes, strict=True):
        assert (one.name, one.exclude) == (other.name, other.exclude)
        last = -1 if one.turns else None
        np.testing.assert_allclose(one.values[:last], other.values[:last], rtol=0, atol=position)
        assert abs((one.angle - other.angle + 90) % 180 - 90) < angle


@given(region_sets())
@settings(max_examples=50, deadline=None)
def test_canonical_form_survives_json(found):
    again = RegionSet.from_canonical(json.loads(json.dumps(found.canonical())))
    assert again.canonical() == found.canonical()
    assert sorted(s.name for s in again.shapes) == sorted(s.name for s in found.shapes)
    differ = found.image_mask(GRID) != again.image_mask(GRID)
    assert differ.sum() <= 2  # a pixel centre within 1e-6 of an edge


@given(region_sets(), st.sampled_from(["SKY", "DET"]))
@settings(max_examples=40, deadline=None)
def test_physical_file_reads_back(found, frame):
    found = RegionSet(frame, found.shapes)
    with tempfile.TemporaryDirectory() as folder:
        path = found.write(Path(folder) / "x.reg")
        assert_same(RegionSet.read(path, frame), found, 1e-6, 1e-5)


@given(region_sets())
@settings(max_examples=40, deadline=None)
def test_fk5_file_reads_back(found):
    found = spread(found)
    with tempfile.TemporaryDirectory() as folder:
        path = found.write(Path(folder) / "x.reg", "fk5", GEOMETRY.wcs)
        again = RegionSet.read(path)
        assert again.frame == "icrs"
        assert_same(again.to_pixels(GEOMETRY.wcs), found, 1e-6, 1e-5)


@given(region_sets())
@settings(max_examples=40, deadline=None)
def test_sky_and_detector_and_back(found):
    found = spread(found)
    assert_same(found.to_sky(GEOMETRY.wcs).to_pixels(GEOMETRY.wcs), found, 1e-8)
    detector = found.to_frame("DET", GEOMETRY)
    assert_same(detector.to_frame("icrs", GEOMETRY).to_frame("SKY", GEOMETRY), found, 1e-8)
    x, y = np.random.default_rng(3).uniform(1, 2430, (2, 500))
    np.testing.assert_array_equal(detector.mask(*GEOMETRY.sky_to_det(x, y)), found.mask(x, y))


@given(region_sets())
@settings(max_examples=40, deadline=None)
def test_objects_of_the_regions_package_and_back(found):
    assert_same(RegionSet.of(found.to_regions()), found, 1e-9)
    sky = spread(found).to_sky(GEOMETRY.wcs)
    assert_same(RegionSet.of(sky.to_regions()), sky, 1e-11)


@given(shapes(exclude=False))
@settings(max_examples=40, deadline=None)
def test_pixels_agree_with_the_regions_package(shape):
    """`regions` takes scale and shear of the place; ours the scale of the grid: 2e-4 apart at most in size.

    Its angle comes from a finite step on the sky; 0.05 deg moves the edge of these shapes by less than 0.01 pixel.
    """
    ours = spread(RegionSet("SKY", (shape,)))
    (sky,) = ours.to_sky(GEOMETRY.wcs).to_regions()
    theirs = RegionSet.of(sky.to_pixel(GEOMETRY.wcs))
    assert_same(ours, theirs, 0.01, 0.05)
    place = slice(None) if shape.name == "polygon" else slice(0, 2)
    np.testing.assert_allclose(ours.shapes[0].values[place], theirs.shapes[0].values[place], rtol=0, atol=1e-6)


@given(region_sets())
@settings(max_examples=30, deadline=None)
def test_sky_positions_are_inside_as_their_pixels_are(found):
    found = spread(found)
    x, y = np.random.default_rng(5).uniform(1, 2430, (2, 300))
    x, y = np.append(x, [s.centre[0] for s in found.shapes]), np.append(y, [s.centre[1] for s in found.shapes])
    place = GEOMETRY.sky_to_icrs(x, y).galactic
    expected = found.mask(x, y)
    np.testing.assert_array_equal(found.to_sky(GEOMETRY.wcs).contains_sky(place, GEOMETRY.wcs), expected)
    np.testing.assert_array_equal(found.contains_sky(place, GEOMETRY.wcs), expected)
