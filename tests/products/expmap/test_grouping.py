"""Grouping against grppha's files and against the words of its definition."""

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from tests.products.expmap.conftest import DATA
from xtendsrc.errors import RequestError
from xtendsrc.measure.grouping import group
from xtendsrc.responses.nominal import fwhm


@pytest.mark.parametrize("least", [1, 20])
def test_min_equals_grppha(least):
    counts = fits.getdata(DATA / "full_window" / "src.pha.gz", "SPECTRUM")["COUNTS"]
    golden = fits.getdata(DATA / "full_window" / f"src_min{least}.pha.gz", "SPECTRUM")
    made = group(counts, f"min {least}")
    np.testing.assert_array_equal(made.grouping, golden["GROUPING"])
    np.testing.assert_array_equal(made.quality, golden["QUALITY"])


def walk(counts, least):
    """Channel by channel: the definition."""
    grouping, quality, start, total = [], [], True, 0
    for c in counts:
        grouping.append(1 if start else -1)
        total += c
        start = total >= least
        total = 0 if start else total
    if not start:
        first = max((i for i, g in enumerate(grouping) if g == 1), default=0)
        quality = [0] * first + [2] * (len(counts) - first)
        grouping[first:] = [1] * (len(counts) - first)
    return grouping, quality or [0] * len(counts)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(1, 12))
def test_min_against_a_walk_over_the_channels(counts, least):
    made = group(counts, f"min {least}")
    grouping, quality = walk(counts, least)
    assert made.grouping.tolist() == grouping
    assert made.quality.tolist() == quality
    assert made.sum(counts).sum() == sum(counts)


def test_constant():
    made = group(np.ones(10), "constant 4")
    assert made.grouping.tolist() == [1, -1, -1, -1, 1, -1, -1, -1, 1, 1]
    assert made.quality.tolist() == [0] * 8 + [2, 2]


@given(st.integers(0, 2**31), st.integers(0, 3))
def test_fwhm_bins_are_wide_enough_and_hold_background(seed, least):
    background = np.random.default_rng(seed).poisson(0.05, 4096)
    made = group(np.zeros(4096), f"fwhm/3, background >= {least}", background)
    starts = made.starts[made.quality[made.starts] == 0]
    sizes = np.diff(np.concatenate([starts, [np.flatnonzero(made.quality == 0)[-1] + 1]]))
    assert (made.sum(background)[: len(starts)] >= least).all()
    wanted = fwhm((starts + 0.5) * 0.006) / 0.006 / 3
    assert (sizes >= np.round(wanted)).all()
    if not least:
        assert np.abs(sizes - wanted).max() <= 0.5


def test_fwhm_alone_asks_for_one_background_count():
    background = np.zeros(4096, int)
    background[::300] = 1
    one, plain = (group(np.zeros(4096), "fwhm/3", b) for b in (background, None))
    good = one.quality[one.starts] == 0
    assert (one.sum(background)[good] >= 1).all()
    assert np.count_nonzero(plain.quality) <= fwhm(24.6) / 0.006 / 3


@pytest.mark.parametrize("scheme", ["min", "min 0", "min -1", "twenty", "fwhm/0", "constant 0"])
def test_unknown_schemes(scheme):
    with pytest.raises(RequestError):
        group([1, 2, 3], scheme)


def test_background_asked_for_but_not_given():
    with pytest.raises(RequestError, match="background"):
        group([1, 2, 3], "fwhm/3, background >= 2")
