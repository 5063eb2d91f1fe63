"""What users write, turned into plain values."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table
from astropy.time import Time, TimeDelta

from xtendsrc.errors import GTIError, RequestError, UnitsError
from xtendsrc.events import quantities
from xtendsrc.events.gti import GTI
from xtendsrc.events.time import mission_seconds, mission_time
from xtendsrc.products.image.request import ImageRequest

EPOCH_UTC = Time("2019-01-01T00:00:00", scale="utc")


@pytest.mark.parametrize(
    ("band", "channels"),
    [((0.5, 10), (83, 1666)), ((0.6, 2), (100, 332)), ((2, 6), (333, 999)), ((500 / 1000, 10), (83, 1666))],
)
def test_published_bands(band, channels):
    assert quantities.selection(band * u.keV).channels == channels
    assert quantities.selection(np.array(band) * 1000 * u.eV).channels == channels


def test_a_band_without_a_unit_is_refused():
    with pytest.raises(UnitsError, match=r"u\.keV|keV"):
        quantities.selection((0.5, 10))


def test_band_and_channels_together_are_refused():
    with pytest.raises(RequestError):
        quantities.selection((0.5, 10) * u.keV, (83, 1666))


def test_several_bands():
    assert len(quantities.bands([(0.6, 2), (2, 10)] * u.keV, None)) == 2
    assert len(quantities.bands((0.6, 2) * u.keV, None)) == 1
    assert quantities.bands(None, [(83, 332), (333, 1666)]) == [{"channels": (83, 332)}, {"channels": (333, 1666)}]
    assert quantities.bands(None, None) == [{}]
    with pytest.raises(RequestError, match="pairs"):
        quantities.bands(None, [(1, 2, 3)])


@pytest.mark.parametrize("seconds", [0.0, 150541417.0, 2.0e8 + 0.001])
def test_mission_time_is_utc_to_a_millisecond(seconds):
    """No leap second has come since 2016, so UTC runs with TT from the epoch on."""
    expected = EPOCH_UTC + TimeDelta(seconds, format="sec")
    assert abs((mission_time(seconds) - expected).to_value("s")) < 1e-3
    assert mission_seconds(mission_time(seconds)) == pytest.approx(seconds, abs=1e-6)


def test_good_times_from_everything_users_have(tmp_path):
    pairs = ((100.0, 200.0), (300.0, 450.0))
    good = GTI.from_pairs(pairs)
    path = tmp_path / "good.gti"
    from astropy.io import fits

    fits.HDUList([fits.PrimaryHDU(), good.to_hdu()]).writeto(path)
    table = Table({"START": [100.0, 300.0], "STOP": [200.0, 450.0]})
    times = [(mission_time(a), mission_time(b)) for a, b in pairs]
    for given in (good, path, str(path), table, pairs, [(a * u.s, b * u.s) for a, b in pairs]):
        assert quantities.good_time(given).pairs == pairs
    np.testing.assert_allclose(quantities.good_time(times).pairs, pairs, atol=1e-5)
    with pytest.raises(GTIError):
        quantities.good_time([(200.0, 100.0)])


def test_times_and_angles_need_units():
    assert quantities.seconds(2 * u.min) == 120.0
    with pytest.raises(UnitsError, match=r"200 \* u\.s"):
        quantities.seconds(200)
    with pytest.raises(UnitsError, match="arcmin"):
        quantities.arcminutes(2 * u.s)


@pytest.mark.parametrize(
    "given",
    [
        {"channels": (83.5, 90)},
        {"channels": (True, 5)},
        {"channels": (5,)},
        {"channels": 83},
        {"channels": "ab"},
        {"grades": (1.5,)},
        {"grades": "02346"},
        {"grades": ()},
    ],
)
def test_no_number_is_cut_or_dropped_in_silence(given):
    with pytest.raises(RequestError, match="Next step"):
        quantities.selection(**given)


def test_whole_numbers_of_any_type_are_the_same_request():
    assert quantities.selection(channels=np.array([83, 1666])) == quantities.selection(channels=(83, 1666))
    assert quantities.selection(channels=(83.0, 1666.0)) == quantities.selection(channels=(83, 1666))
    assert quantities.selection(grades=0) == quantities.selection(grades=np.array([0]))
    grid = {"obs_id": "900001010", "dataclass": "300000a0", "selection": quantities.selection()}
    assert ImageRequest(binning=np.int64(4), **grid).key == ImageRequest(binning=4, **grid).key
    with pytest.raises(RequestError, match="binning"):
        ImageRequest(binning=1.5, **grid)


@pytest.mark.parametrize("gti", [[], (100.0, 200.0), [("2024-01-01", "2024-01-02")], [(1.0, 2.0, 3.0)], 5.0])
def test_good_times_that_are_no_pairs_of_times_are_refused(gti):
    with pytest.raises((GTIError, RequestError), match="Next step"):
        quantities.good_time(gti)


def test_bands_may_be_pairs_of_quantities():
    assert len(quantities.bands([(0.6 * u.keV, 2 * u.keV), (2 * u.keV, 10 * u.keV)], None)) == 2
    assert len(quantities.bands([0.6 * u.keV, 2 * u.keV], None)) == 1
    for energy in (5 * u.keV, [] * u.keV, []):
        with pytest.raises(RequestError, match="pairs"):
            quantities.bands(energy, None)
    with pytest.raises(RequestError, match="Next step"):
        quantities.selection([(0.6, 2), (2, 10)] * u.keV)
