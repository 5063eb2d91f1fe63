"""The array functions against plain loops over single events, written from the definitions alone."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xtendsrc.events.gti import GTI
from xtendsrc.measure import grid as image
from xtendsrc.measure import lightcurve
from xtendsrc.measure import weightedmap as spectrum
from xtendsrc.measure.poisson import poisson_errors

pixels = st.integers(-3, 30)
positions = st.lists(st.tuples(pixels, pixels), max_size=60)
limits = st.tuples(st.integers(-2, 5), st.integers(6, 25))


def loop_image(events, grid):
    width, height = (grid.x[1] - grid.x[0] + 1) // grid.binning, (grid.y[1] - grid.y[0] + 1) // grid.binning
    picture = [[0] * width for _ in range(height)]
    for x, y in events:
        column, row = math.floor((x - grid.x[0]) / grid.binning), math.floor((y - grid.y[0]) / grid.binning)
        if 0 <= column < width and 0 <= row < height:
            picture[row][column] += 1
    return picture


@given(positions, limits, limits, st.integers(1, 6))
def test_image(events, x, y, binning):
    grid = image.Grid(x, y, binning)
    columns = np.array(events, dtype=np.int16).reshape(-1, 2).T
    counted = image.count(image.flat_index(*columns, grid), grid.shape)
    np.testing.assert_array_equal(counted, np.array(loop_image(events, grid)).reshape(grid.shape))
    unbinned = image.Grid(x, y)
    summed = image.rebin(image.count(image.flat_index(*columns, unbinned), unbinned.shape), binning)
    np.testing.assert_array_equal(summed, counted)


@pytest.mark.parametrize(("value", "rounded"), [(1.49, 1), (1.5, 2), (2.5, 3), (-0.4, 0), (-1.5, -2), (7.0, 7)])
def test_fractional_columns_go_to_the_nearest_pixel(value, rounded):
    """Fortran's NINT: halves away from zero, unlike numpy's rint."""
    assert image.nint(np.array([value])) == rounded


times = st.floats(-50, 400, allow_nan=False).map(lambda t: round(t, 2))
intervals = st.lists(st.tuples(times, st.floats(0.5, 90)), min_size=1, max_size=5).map(
    lambda found: GTI.from_pairs([(a, round(a + length, 2)) for a, length in found])
)


def loop_curve(events, gti, origin, width, minimum):
    rows = []
    for number in range(1000):
        start, stop = origin + width * number, origin + width * number + width
        exposed = sum(max(0.0, min(stop, b) - max(start, a)) for a, b in gti.pairs)
        inside = [t for t in events if math.floor((t - origin) / width) == number]
        if exposed > 0 and exposed / width >= minimum:
            rows.append((width * number, len(inside) / exposed, math.sqrt(len(inside)) / exposed, exposed / width))
    return rows


@given(st.lists(times, max_size=50), intervals, st.sampled_from([3.0, 7.5, 40.0]), st.sampled_from([0, 0.5, 1]), times)
def test_light_curve(events, gti, width, minimum, origin):
    events = [t for t in events if any(a <= t <= b for a, b in gti.pairs)]
    if gti.stop[-1] < origin:
        return
    bins = lightcurve.bins_over(gti, origin, width)
    columns = lightcurve.rates(np.array(events), gti, bins, minimum)
    expected = loop_curve(events, gti, origin, width, minimum)
    assert len(columns["TIME"]) == len(expected)
    for name, values in zip(("TIME", "RATE", "ERROR", "FRACEXP"), zip(*expected, strict=True), strict=False):
        np.testing.assert_allclose(columns[name], values, rtol=1e-6, atol=1e-12, err_msg=name)


@given(arrays(float, st.integers(0, 40), elements=times), intervals, st.booleans())
def test_good_times(values, gti, ordered):
    """Both ends of an interval are good, whether the times are in order or not."""
    values = np.sort(values) if ordered else values
    expected = [any(a <= t <= b for a, b in gti.pairs) for t in values]
    np.testing.assert_array_equal(gti.contains(values), expected)


@given(arrays(np.int32, st.integers(0, 60), elements=st.integers(-999, 30)), st.integers(0, 3), st.integers(4, 25))
def test_spectrum(channels, low, high):
    expected = [sum(1 for c in channels if c == channel) for channel in range(low, high + 1)]
    np.testing.assert_array_equal(spectrum.histogram(channels, (low, high)), expected)


@given(
    st.floats(-3.1, 3.1),
    st.tuples(st.floats(-500, 2500), st.floats(-500, 2500)),
    arrays(float, st.tuples(st.just(2), st.integers(2, 30)), elements=st.integers(1, 1810).map(float)),
)
def test_rotation_is_found_again(angle, centre, det):
    """Positions turned and shifted exactly give the angle and shift back; angles are compared as directions."""
    if np.ptp(det, axis=1).max() == 0:
        assert spectrum.fit_rotation((det[0], det[1]), (det[0], det[1]), (905.5, 905.5)) is None
        return
    true = spectrum.Rotation(centre, (905.5, 905.5), angle)
    found = spectrum.fit_rotation(true.to_sky(*det), (det[0], det[1]), (905.5, 905.5))
    assert math.hypot(math.cos(found.angle) - math.cos(angle), math.sin(found.angle) - math.sin(angle)) < 1e-8
    np.testing.assert_allclose(found.sky, centre, atol=1e-5)


@given(arrays(np.int32, (6, 7), elements=st.integers(0, 9)), arrays(bool, (6, 7)))
def test_weighted_map(counts, inside):
    """The map put back into its place has the counts inside, -1 in the rest of its box, and nothing beyond."""
    if not inside.any():
        return
    found = spectrum.weighted_map(counts, inside)
    x, y = found.first
    whole = np.full(counts.shape, -1)
    whole[y - 1 : y - 1 + found.data.shape[0], x - 1 : x - 1 + found.data.shape[1]] = found.data
    np.testing.assert_array_equal(whole, np.where(inside, counts, -1))
    edges = (found.data[0], found.data[-1], found.data[:, 0], found.data[:, -1])
    assert all((edge >= 0).any() for edge in edges)  # no smaller box holds the region


# Gehrels (1986), tables 1 and 2, column of one sigma (0.8413)
UPPER = {0: 1.841, 1: 3.300, 2: 4.638, 3: 5.918, 4: 7.163, 5: 8.382, 10: 14.27, 20: 25.55, 50: 58.12, 100: 111.03}
LOWER = {0: 0.0, 1: 0.173, 2: 0.708, 3: 1.367, 4: 2.086, 5: 2.840, 10: 6.891, 20: 15.57, 50: 42.95, 100: 90.02}


@pytest.mark.parametrize("number", sorted(UPPER))
def test_errors_are_those_of_gehrels(number):
    below, above = poisson_errors(np.array([number]))
    assert number + above[0] == pytest.approx(UPPER[number], abs=6e-4 if number < 10 else 6e-3)
    assert number - below[0] == pytest.approx(LOWER[number], abs=6e-4 if number < 10 else 6e-3)
