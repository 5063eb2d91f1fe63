"""Channels of energy bands: published examples, and tiling of neighbouring bands."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtendsrc.errors import RequestError, UnitsError
from xtendsrc.instrument import band_to_channels, channel_edges, channels_to_band


@pytest.mark.parametrize(
    ("band", "channels"),
    [((0.5, 10), (83, 1666)), ((0.6, 2), (100, 332)), ((2, 6), (333, 999)), ((0, 24.576), (0, 4095))],
)
def test_known_bands(band, channels):
    assert band_to_channels(band * u.keV) == channels
    assert band_to_channels(tuple(e * u.keV for e in band)) == channels
    assert band_to_channels((np.array(band) * 1000) * u.eV) == channels


def test_half_a_channel_rounds_up_in_every_unit():
    assert band_to_channels((0.207, 1) * u.keV)[0] == 35  # 207 eV = 34.5 channels
    assert band_to_channels((207, 1000) * u.eV)[0] == 35


@given(st.lists(st.integers(0, 24576), min_size=3, max_size=3, unique=True))
def test_neighbouring_bands_tile(edges):
    low, middle, high = sorted(edges)
    if middle - low < 7 or high - middle < 7:
        return
    first, second = band_to_channels((low, middle) * u.eV), band_to_channels((middle, high) * u.eV)
    assert second[0] == first[1] + 1
    assert (first[0], second[1]) == band_to_channels((low, high) * u.eV)


@given(st.integers(0, 4095), st.integers(0, 4095))
def test_channels_survive_the_way_there_and_back(a, b):
    lo, hi = min(a, b), max(a, b)
    assert band_to_channels(channels_to_band(lo, hi)) == (lo, hi)


def test_the_last_channel_ends_at_24_576_kev():
    edges = channel_edges()
    assert len(edges) == 4097
    assert edges[-1] == pytest.approx(24.576, abs=1e-12)


@pytest.mark.parametrize("band", [(0.5, 10), (0.5 * u.keV, 10), (1, 2) * u.s, (1, 2) * u.dimensionless_unscaled])
def test_a_band_needs_a_unit_of_energy(band):
    with pytest.raises(UnitsError, match="keV"):
        band_to_channels(band)


@pytest.mark.parametrize("band", [(2, 2), (10, 0.5), (-1, 2), (1, 25), (np.nan, 2), (1.0, 1.001), (1, 2, 3)])
def test_senseless_bands(band):
    with pytest.raises(RequestError):
        band_to_channels(band * u.keV)


@pytest.mark.parametrize("channels", [(-1, 5), (5, 4), (0, 4096)])
def test_senseless_channels(channels):
    with pytest.raises(RequestError, match="4095"):
        channels_to_band(*channels)
