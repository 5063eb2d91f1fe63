"""Products handed over to XGA: the same numbers there, and the faults of XGA 1.0 that the way goes around."""

from __future__ import annotations

import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

import xtendsrc as xs
from xtendsrc import simulate
from xtendsrc.errors import EngineUnavailableError, RequestError

CENTRE = SkyCoord(81.2591, -69.6437, unit="deg")


@pytest.fixture(scope="module")
def dc(tmp_path_factory):
    root = tmp_path_factory.mktemp("xga")
    simulate.observation(root / "archive", "900001010", CENTRE, exposure=5 * u.ks, seed=4)
    return xs.Observation(root / "archive" / "900001010", output=root / "out").dataclasses["300000a0"]


def test_without_the_package_the_error_says_how_to_get_it(dc, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xga", None)
    monkeypatch.setitem(sys.modules, "xga.products", None)
    with pytest.raises(EngineUnavailableError, match=r"pip install 'xtendsrc\[xga\]'"):
        dc.image(binning=8).to_xga()
    with pytest.raises(EngineUnavailableError):
        dc.lightcurve(bin=500 * u.s).to_xga(tmp_path / "curve.fits")
    assert not (tmp_path / "curve.fits").exists()


@pytest.fixture
def xga(tmp_path, monkeypatch):
    monkeypatch.setenv("XGA_CONFIG_DIR", str(tmp_path / "config"))
    return pytest.importorskip("xga")


@pytest.mark.xga
@pytest.mark.filterwarnings("ignore")
def test_an_image_has_the_same_pixels_and_places(dc, xga):
    ours = dc.image(energy=(2, 8) * u.keV, binning=4)
    theirs = ours.to_xga()
    assert type(theirs) is xga.products.Image
    np.testing.assert_array_equal(theirs.data, ours.data)
    assert theirs.obs_id == "900001010"
    assert u.allclose(u.Quantity(theirs.energy_bounds), ours.energy)
    pixel = theirs.coord_conv(u.Quantity([CENTRE.ra.deg, CENTRE.dec.deg], "deg"), "pix")
    column, row = ours.wcs.world_to_pixel(CENTRE)
    np.testing.assert_allclose(pixel.value, [column, row], atol=0.51)  # XGA rounds to whole pixels


@pytest.mark.xga
@pytest.mark.filterwarnings("ignore")
def test_an_exposure_map_is_an_exposure_map(dc, xga):
    ours = dc.expmap(binning=8)
    theirs = ours.to_xga(energy=(0.6, 10) * u.keV)
    assert type(theirs) is xga.products.ExpMap
    np.testing.assert_array_equal(theirs.data, ours.data)
    assert theirs.get_exp(u.Quantity([CENTRE.ra.deg, CENTRE.dec.deg], "deg")).to_value("s") == pytest.approx(
        float(ours.value_at(CENTRE)), rel=1e-3
    )


@pytest.mark.xga
@pytest.mark.filterwarnings("ignore")
def test_a_light_curve_has_absolute_times(dc, xga, tmp_path):
    ours = dc.lightcurve(bin=500 * u.s)
    theirs = ours.to_xga(tmp_path / "curve.fits")
    assert type(theirs) is xga.products.LightCurve
    np.testing.assert_array_equal(theirs.src_count_rate.to_value("ct/s"), ours.table["RATE"])
    np.testing.assert_allclose(theirs.time.to_value("s"), ours.seconds, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(theirs.src_gti.to_value("s"), np.transpose([ours.gti.start, ours.gti.stop]))
    with pytest.raises(RequestError, match="exists already"):
        ours.to_xga(tmp_path / "curve.fits")
    assert "GTI" in fits.open(ours.path)  # what the copy is for: XGA looks for STDGTI


@pytest.mark.xga
@pytest.mark.filterwarnings("ignore")
def test_an_image_and_an_exposure_map_make_a_rate_map(dc, xga):
    """XGA 1.0 makes rate maps of files only, and of equal bands only."""
    band = (2, 8) * u.keV
    image, expmap = dc.image(energy=band, binning=4), dc.expmap(binning=4)
    theirs = xga.products.RateMap(image.to_xga(), expmap.to_xga(energy=band))
    exposed = expmap.data > 0
    np.testing.assert_allclose(theirs.data[exposed], image.data[exposed] / expmap.data[exposed], rtol=1e-6)
    assert theirs.data.max() < 10, "residues of rounding in the map would give rates of 1e12"
    whole = xs.RateMap(image, expmap).to_xga()
    assert type(whole) is xga.products.RateMap
    np.testing.assert_array_equal(whole.data, theirs.data)


@pytest.mark.xga
@pytest.mark.filterwarnings("ignore")
def test_a_rotated_image_keeps_its_rotation_in_memory_and_would_lose_it_from_a_file(xga, tmp_path):
    """Why images are handed over in memory; if this fails XGA reads rotations now, and a path would do."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [81.0, -69.0], [50, 50]
    wcs.wcs.cdelt, wcs.wcs.pc = [-0.001, 0.001], [[0.8, -0.6], [0.6, 0.8]]
    fits.PrimaryHDU(np.zeros((100, 100), np.int32), wcs.to_header()).writeto(tmp_path / "rotated.fits")
    lo, hi = 0.5 * u.keV, 2 * u.keV
    theirs = xga.products.Image(str(tmp_path / "rotated.fits"), "1", "xtend", "", "", "", lo, hi, telescope="xrism")
    place = wcs.pixel_to_world(80, 20)
    found = theirs.coord_conv(u.Quantity([place.ra.deg, place.dec.deg], "deg"), "pix").value
    assert np.abs(found - [80, 20]).max() > 5
    ours = xs.Image.read(tmp_path / "rotated.fits").to_xga()
    found = ours.coord_conv(u.Quantity([place.ra.deg, place.dec.deg], "deg"), "pix").value
    np.testing.assert_allclose(found, [80, 20], atol=1)
