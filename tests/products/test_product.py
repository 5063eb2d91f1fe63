"""What all products share: looking makes nothing, files are read as they are, collections select and tabulate."""

import copy
import pickle

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS

import xtendsrc as xs
from tests.products.ogip import DATA
from xtendsrc.errors import InputNotFoundError, ProductError, RegionError, RequestError, UnitsError
from xtendsrc.events.time import mission_seconds, mission_time
from xtendsrc.instrument import Geometry
from xtendsrc.products.collection import Products
from xtendsrc.products.image.product import Image, image_wcs, unbinned_wcs
from xtendsrc.products.lightcurve.product import LightCurve
from xtendsrc.products.netcurve.product import NetCurve
from xtendsrc.regions import RegionSet, Shape

ONE = {"obs_id": "900001010"}


@pytest.fixture
def images(star):
    return star.images(energy=(0.5, 2) * u.keV, binning=(1, 4), **ONE)


# --- looking makes nothing -----------------------------------------------------------------------------------------


def test_looking_at_a_product_makes_nothing(source, tmp_path):
    products = Products(
        [
            *source.images(energy=(0.6, 2) * u.keV, binning=(1, 8)),
            *source.lightcurves(bin=200 * u.s),
            *source.spectra(response="nominal"),
        ]
    )
    for product in products:
        assert product.obs_id in repr(product)
        assert "missing" in product._repr_html_()
        assert product.status == "missing"
        assert product.status_reason
        assert len(product.key) == 32
    assert "missing" in products._repr_html_()
    assert repr(products).startswith(f"<{len(products)} products>")
    assert set(products.table["status"]) == {"missing"}
    assert len(products.select(binning=8)) == len(products.select(kind="image", status="missing")) / 2
    assert len(products.select(channels=(100, 332))) == len(products.select(kind="image"))
    assert list(products.select(energy=(0.6, 2) * u.keV)) == list(products.select(channels=(100, 332)))
    assert not list((tmp_path / "out").rglob("*.fits"))
    with pytest.raises(ProductError, match="has not been made"):
        _ = products[0].provenance


def test_html_shows_names_as_text(star, images):
    assert "<star>" in star.name
    for text in (images[0]._repr_html_(), images._repr_html_(), images[0].compute()._repr_html_()):
        assert "<star>" not in text
    assert "a &lt;star&gt; &amp; more" in images[0]._repr_html_()


def test_products_can_be_carried_to_another_process(images):
    image = images[1]
    again = pickle.loads(pickle.dumps(image))
    assert (again.key, again.status, again.source) == (image.key, "ready", image.source)
    np.testing.assert_array_equal(again.data, image.data)
    read = pickle.loads(pickle.dumps(Image.read(image.path)))
    np.testing.assert_array_equal(read.data, image.data)
    assert copy.copy(image).key == image.key


def test_reading_a_file_gives_the_same_product_without_a_request(images):
    image = Image.read(images[1].path)
    np.testing.assert_array_equal(image.data, images[1].data)
    assert (image.status, image.obs_id, image.dataclass) == ("ready", "900001010", "300000a0")
    assert (image.channels, image.binning, image.frame) == ((83, 332), 4, "SKY")
    np.testing.assert_allclose(image.energy.to_value("keV"), [0.498, 1.998])
    assert image.counts == image.data.sum()
    assert str(image.path) in repr(image)
    for name in ("key", "request", "target", "provenance"):
        with pytest.raises(ProductError, match="read from disk"):
            getattr(image, name)
    assert image.compute() is image


@pytest.mark.parametrize("cls", [Image, xs.Spectrum, LightCurve, xs.RMF, xs.ARF])
def test_reading_what_is_not_there(cls, tmp_path):
    for path in (tmp_path / "none.fits", tmp_path):
        with pytest.raises(InputNotFoundError, match="There is no file") as caught:
            cls.read(path)
        assert isinstance(caught.value, FileNotFoundError)


def test_a_file_that_changes_is_read_again(tmp_path):
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(np.ones((3, 4), np.int32)).writeto(path)
    image = Image.read(path)
    assert image.counts == 12
    fits.PrimaryHDU(np.ones((30, 40), np.int32)).writeto(path, overwrite=True)
    assert image.counts == 1200
    image.unload()
    assert image.shape == (30, 40)


# --- collections ---------------------------------------------------------------------------------------------------


def test_net_curves_are_selected_by_what_was_asked_for(source):
    curves = source.lightcurves(energy=[(0.5, 2) * u.keV, (2, 10) * u.keV], bin=[100, 200] * u.s)
    each = len(source.dataclasses())
    assert len(curves) == 4 * each
    assert len(curves.select(bin=200 * u.s)) == 2 * each
    assert len(curves.select(bin=3 * u.min)) == 0
    assert {c.request.source.selection.channels for c in curves.select(energy=(0.5, 2) * u.keV)} == {(83, 332)}
    with pytest.raises(UnitsError):
        curves.select(bin=200)


def test_collections_select_slice_and_add(images):
    assert [p.binning for p in images] == [1, 4]
    assert isinstance(images[:1], Products)
    assert len(images + images[1:]) == 3
    assert images.select(binning=4)[0] is images[1]
    assert len(images.select(binning=3)) == 0
    assert len(images.select(dataclass="300000a0", status="ready")) == 2
    with pytest.raises(RequestError, match="No product here has a field 'colour'"):
        images.select(colour="red")
    table = images.table
    assert table.colnames[:4] == ["source", "obs_id", "dataclass", "kind"]
    assert len(Products([]).table) == 0
    assert len(Products([]).select(anything=1)) == 0


# --- images --------------------------------------------------------------------------------------------------------


def rotated(**extra):
    header = fits.Header()
    values = {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRVAL1": 83.6,
        "CRVAL2": -69.2,
        "CRPIX1": 20.5,
        "CRPIX2": 10.5,
    }
    header.update({**values, "CUNIT1": "deg", "CUNIT2": "deg", **extra})
    return header


@pytest.mark.parametrize(
    "extra",
    [
        {"CDELT1": -0.01, "CDELT2": 0.01},
        {"CDELT1": -0.01, "CDELT2": 0.01, "CROTA2": 31.0},
        {"CDELT1": -0.01, "CDELT2": 0.01, "PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8},
        {"CD1_1": -0.008, "CD1_2": 0.006, "CD2_1": 0.006, "CD2_2": 0.008},
    ],
)
@pytest.mark.parametrize("extension", [0, 1])
def test_positions_are_astropys(tmp_path, extra, extension):
    header, data = rotated(**extra), np.arange(800, dtype=np.int32).reshape(20, 40)
    hdus = [fits.PrimaryHDU(data, header)] if extension == 0 else [fits.PrimaryHDU(), fits.ImageHDU(data, header)]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    image, reference = Image.read(tmp_path / "a.fits"), WCS(header)
    x, y = np.array([0.0, 7.25, 39.0]), np.array([0.0, 3.5, 19.0])
    assert image.wcs.pixel_to_world(x, y).separation(reference.pixel_to_world(x, y)).max() < 1e-9 * u.deg
    assert image.value_at(reference.pixel_to_world(12.3, 4.4)) == data[4, 12]
    assert image.value_at(reference.pixel_to_world(12.3, 4.4).galactic) == data[4, 12]
    fine = unbinned_wcs(image.wcs, 4)
    # the middle of binned pixel 0 is the middle of unbinned pixels 0..3
    assert fine.pixel_to_world(1.5, 4 * 3 + 1.5).separation(image.wcs.pixel_to_world(0, 3)) < 1e-9 * u.deg
    with pytest.raises(RegionError, match="outside"):
        image.value_at(SkyCoord(83.6, -60, unit="deg"))


def test_unbinned_coordinates_of_a_binned_image_are_those_of_the_unbinned_image(images):
    fine, coarse = images
    corners = np.array([0.0, 1000.0, 2429.0]), np.array([2429.0, 3.0, 77.0])
    sky = unbinned_wcs(coarse.wcs, 4).pixel_to_world(*corners)
    assert sky.separation(fine.wcs.pixel_to_world(*corners)).max() < 1e-9 * u.deg


def test_masks_hold_the_pixels_whose_centre_is_inside(images, position):
    from regions import CircleSkyRegion

    circle = CircleSkyRegion(position, 2 * u.arcmin)
    for image in images:
        mask = image.mask(circle)
        rows, columns = np.nonzero(mask)
        near = np.s_[rows.min() - 9 : rows.max() + 10, columns.min() - 9 : columns.max() + 10]
        y, x = np.mgrid[near]
        distance = image.wcs.pixel_to_world(x, y).separation(position).arcmin
        sure = np.abs(distance - 2) > 0.002
        np.testing.assert_array_equal(mask[near][sure], (distance < 2)[sure])
        assert mask.sum() == mask[near].sum() == pytest.approx(np.pi * (120 / 1.7684 / image.binning) ** 2, rel=0.02)
    on_detector = RegionSet("DET", (Shape("circle", (900.0, 900.0, 50.0)),))
    for image in images:  # a region of the detector lies where the nominal pointing puts it
        rows, columns = np.nonzero(image.mask(on_detector))
        centre = Geometry.from_header(image.header).det_to_icrs(900.0, 900.0)
        mean = image.wcs.pixel_to_world(columns.mean(), rows.mean())
        assert mean.separation(centre).arcsec < 1.8 * image.binning
        assert rows.size == pytest.approx(np.pi * (50 / image.binning) ** 2, rel=0.02)


def test_exposure_of_a_map_is_its_good_time(star):
    expmap = star.expmaps(binning=4, **ONE)[0]
    assert expmap.exposure.to_value("s") == pytest.approx(expmap.attitude_bins["TIMEINTERVAL"].sum(), rel=1e-9)
    assert expmap.data.max() == pytest.approx(expmap.exposure.value, rel=1e-4)


def test_radecsys_is_radesys():
    header = rotated(CDELT1=-0.01, CDELT2=0.01, RADECSYS="FK5")
    assert image_wcs(header).wcs.radesys == "FK5"


# --- light curves --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.0, 0.001, 86400.0, 150_541_417.123, 300_000_000.0])
def test_mission_time_is_utc_less_leap_seconds_to_a_millisecond(seconds):
    # no leap second since 2017: TT - UTC = 32.184 + 37 s, and the epoch is 2019-01-01T00:00:00 UTC
    day, second = divmod(seconds, 86400)
    for header in (None, {"MJDREFI": 58484, "MJDREFF": 8.007407407410000e-04, "TIMESYS": "TT"}):
        utc = mission_time(seconds, header).utc
        expected = Time(58484 + day, second / 86400, format="mjd", scale="utc")
        assert abs((utc - expected).to_value("s")) < 1e-3
        assert abs((utc.tt.mjd - utc.mjd) * 86400 - 69.184) < 1e-3
        assert mission_seconds(utc, header) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("name", ["src_200_nozero.lc.gz", "src_83_1666_200_0.lc.gz", "src_64_start.lc.gz"])
def test_times_do_not_depend_on_how_the_file_counts(name):
    curve = LightCurve.read(DATA / "full_window" / name)
    header = fits.getheader(curve.path, "RATE")
    table = fits.getdata(curve.path, "RATE")
    zero = header.get("TIMEZERO", 0.0)
    day = header["MJDREFI"] - 58484 + (header["MJDREFF"] * 86400 - 69.184) / 86400
    expected = Time("2019-01-01T00:00:00", scale="utc") + (table["TIME"] + zero + day * 86400) * u.s
    assert np.abs((curve.time.utc - expected).to_value("s")).max() < 1e-3
    assert curve.time.scale == "tt"
    assert curve.rate.unit == u.ct / u.s
    np.testing.assert_allclose(curve.exposed.value, table["FRACEXP"] * header["TIMEDEL"], rtol=1e-6)


def test_two_ways_to_write_a_curve_are_the_same_times():
    relative = LightCurve.read(DATA / "full_window" / "src_83_1666_200_0.lc.gz")
    absolute = LightCurve.read(DATA / "full_window" / "src_200_nozero.lc.gz")
    shared = min(len(relative.table), len(absolute.table))
    assert relative.header.get("TIMEZERO", 0) != absolute.header.get("TIMEZERO", 0)
    # extractor centres partial bins on what is exposed when it writes absolute times, so whole ones are compared
    whole = np.asarray(relative.table["FRACEXP"])[:shared] > 0.999
    np.testing.assert_allclose(relative.seconds[:shared][whole], absolute.seconds[:shared][whole], rtol=0, atol=1e-3)
    assert whole.sum() > 90


def test_a_net_curve_knows_its_parts(star):
    curve = star.lightcurves(bin=200 * u.s, **ONE)[0]
    assert isinstance(curve, NetCurve)
    assert isinstance(curve.source_curve, LightCurve)
    assert curve.background is not None
    own = curve.source_curve.compute()
    at = np.searchsorted(own.seconds, curve.seconds - 1)
    np.testing.assert_allclose(own.seconds[at], curve.seconds, atol=1e-6)
    np.testing.assert_allclose(own.rate.value[at], curve.table["SRC_RATE"], rtol=1e-5)
    np.testing.assert_allclose(curve.rate.value, curve.table["SRC_RATE"] - curve.table["BKG_RATE"], atol=1e-6)


def test_a_curve_without_asymmetric_errors_has_symmetric_ones():
    curve = LightCurve.read(DATA / "full_window" / "src_83_1666_200_0.lc.gz")
    assert "ERROR_LO" not in curve.table.colnames
    np.testing.assert_array_equal(curve.error_lo.value, curve.table["ERROR"])
    np.testing.assert_array_equal(curve.error_hi.value, curve.table["ERROR"])
