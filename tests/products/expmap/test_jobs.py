"""Files of the native engine, from the request to the FITS file."""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from xtendsrc.engines import native
from xtendsrc.engines.protocol import Job
from xtendsrc.errors import GTIError, InputFileError, InputNotFoundError, RegionError, TruncatedFileError
from xtendsrc.events.selection import Selection
from xtendsrc.measure.focalplane import FocalPlane
from xtendsrc.products.expmap.file import write_map
from xtendsrc.products.expmap.native import exposure_map
from xtendsrc.products.expmap.request import ExpMapRequest
from xtendsrc.products.lightcurve.request import LightCurveRequest
from xtendsrc.products.netcurve.request import NetCurveRequest
from xtendsrc.products.sourcespectrum.request import SourceSpectrumRequest
from xtendsrc.products.spectrum.request import SpectrumRequest
from xtendsrc.regions import RegionSet
from xtendsrc.regions.shapes import Shape

ABOUT = {"obs_id": "900001010", "dataclass": "300000a0"}
MAP = ExpMapRequest(**ABOUT)


def run(case, scratch, request, **needs):
    (made,) = native.make([Job(request=request, files=case.files, needs=needs)], scratch)
    if isinstance(made, Exception):
        raise made
    return made


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("expmap")


@pytest.fixture(scope="module")
def expmap(steady, scratch):
    return run(steady, scratch, MAP).path


@pytest.fixture(scope="module")
def regions(steady):
    return {name: RegionSet.read(steady.path / f"{name}.reg") for name in ("src", "bkg")}


def test_file_is_complete(expmap, steady):
    with fits.open(expmap) as hdus:
        hdus.verify("exception")
        names = [h.name for h in hdus]
        assert names == ["PRIMARY", "OFFAXISHIST", "GTIEXP001", "PARTIALEXP001"]
        assert hdus[0].data.dtype == ">f4"
        assert hdus[0].header["BUNIT"] == "s"
        histogram = hdus["OFFAXISHIST"]
        golden = fits.getheader(steady.path / "exp_SKY_cal0.fits.gz", "OFFAXISHIST")
        assert len(histogram.columns) == 13
        for key in ("EXPOSURE", "NUMEXMAP", "NUMTHETA", "FOC_XOFF", "FOC_YOFF", "FOC_ROTD", "OPTAXISX", "OPTAXISY"):
            assert histogram.header[key] == pytest.approx(golden[key], rel=1e-9, abs=1e-9)
        missing = {k for k in golden if k and not k.startswith(("CHECK", "DATAS", "HISTORY", "TSTA", "TSTO"))}
        assert missing <= set(histogram.header)
        codes = fits.getdata(steady.path / "bimg.fits.gz")
        partial = hdus["PARTIALEXP001"].data
        assert len(partial) == np.count_nonzero(codes)
        assert not partial["FRACTION"].any()
        assert codes[partial["DETY"] - 1, partial["DETX"] - 1].all()


def test_binning_keeps_places_and_means(steady, scratch, expmap):
    path = run(steady, scratch, ExpMapRequest(**ABOUT, binning=4)).path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, four = (WCS(fits.getheader(p)) for p in (expmap, path))
    header = fits.getheader(path)
    x = np.array([0.0, 300.0, 606.0])
    np.testing.assert_allclose(four.wcs_pix2world(x, x, 0), one.wcs_pix2world(4 * x + 1.5, 4 * x + 1.5, 0), atol=1e-9)
    assert header["BINMODE"] == "MEAN"
    assert (header["CRVAL1P"], header["CDELT1P"], header["LTM1_1"]) == (2.5, 4.0, 0.25)
    np.testing.assert_allclose(fits.getdata(path), steady.image("bin4_avg"), atol=0.3)


@pytest.mark.parametrize("name", ["src", "bkg"])
def test_source_spectrum(steady, scratch, expmap, regions, name):
    raw = SpectrumRequest(**ABOUT, selection=Selection(), region=regions[name])
    spectrum = run(steady, scratch, raw).path
    request = SourceSpectrumRequest(**ABOUT, spectrum=raw, expmap=MAP, grouping="min 20" if name == "src" else None)
    links = {"rmf": "/elsewhere/a.rmf", "arf": "/elsewhere/b.arf"} if name == "bkg" else {}
    made = run(steady, scratch, request, spectrum=spectrum, expmap=expmap, **links)
    with fits.open(made.path) as hdus, fits.open(spectrum) as before:
        hdus.verify("exception")
        table, header = hdus["SPECTRUM"].data, hdus["SPECTRUM"].header
        assert header["BACKSCAL"] == pytest.approx(steady.backscal[name, "EXPOSURE"], rel=1e-6)
        np.testing.assert_array_equal(table["COUNTS"], before["SPECTRUM"].data["COUNTS"])
        assert [h.name for h in hdus] == [h.name for h in before]
        np.testing.assert_array_equal(hdus[0].data, before[0].data)
        assert header["EXPOSURE"] == before["SPECTRUM"].header["EXPOSURE"]
        assert header["TLMIN1"] == 0
        assert ("GROUPING" in table.names) == (name == "src")
        if name == "src":
            assert "GROUPING" not in header
            assert "QUALITY" not in header
            sums = np.add.reduceat(table["COUNTS"], np.flatnonzero(table["GROUPING"] == 1))
            assert (sums[table["QUALITY"][table["GROUPING"] == 1] == 0] >= 20).all()
        else:
            assert (header["RESPFILE"], header["ANCRFILE"], header["BACKFILE"]) == ("a.rmf", "b.arf", "none")


def test_net_curve(steady, scratch, expmap, regions):
    curves = {
        name: LightCurveRequest(**ABOUT, selection=Selection(), region=regions[name], bin=400.0) for name in regions
    }
    paths = {name: run(steady, scratch, request).path for name, request in curves.items()}
    request = NetCurveRequest(**ABOUT, source=curves["src"], background=curves["bkg"], expmap=MAP)
    made = run(steady, scratch, request, source=paths["src"], background=paths["bkg"], expmap=expmap)
    scale = steady.backscal["src", "EXPOSURE"] / steady.backscal["bkg", "EXPOSURE"]
    with fits.open(made.path) as hdus:
        hdus.verify("exception")
        net, header = hdus["RATE"].data, hdus["RATE"].header
        raw = {name: fits.getdata(path, "RATE")["RATE"].astype(float) for name, path in paths.items()}
        np.testing.assert_allclose(net["RATE"], raw["src"] - scale * raw["bkg"], rtol=1e-5, atol=1e-8)
        assert (header["HDUCLAS2"], header["BACKAPP"], header["DEADAPP"]) == ("NET", True, True)
        assert header["TIMEZERO"] == fits.getheader(paths["src"], "RATE")["TIMEZERO"]
        assert header["BKGSCALE"] == pytest.approx(scale, rel=1e-6)


def test_dead_time_of_a_burst_mode_is_applied_once(steady, scratch, expmap, regions):
    curve = LightCurveRequest(**ABOUT, selection=Selection(), region=regions["src"], bin=500.0)
    path = run(steady, scratch, curve).path
    with fits.open(path, mode="update") as hdus:
        hdus["RATE"].header["DEADC"] = 0.8
    request = NetCurveRequest(**ABOUT, source=curve, background=None, expmap=MAP)
    made = run(steady, scratch, request, source=path, expmap=expmap)
    raw = fits.getdata(path, "RATE")["RATE"].astype(float)
    np.testing.assert_allclose(fits.getdata(made.path, "RATE")["RATE"], raw / 0.8, rtol=1e-6)


def test_region_off_the_field_has_no_exposure(steady, scratch, expmap):
    off = RegionSet("SKY", (Shape("circle", (30.0, 30.0, 10.0)),))
    raw = SpectrumRequest(**ABOUT, selection=Selection(), region=off)
    spectrum = run(steady, scratch, raw).path
    with pytest.raises(RegionError, match="no exposure"):
        run(steady, scratch, SourceSpectrumRequest(**ABOUT, spectrum=raw, expmap=MAP), spectrum=spectrum, expmap=expmap)


def test_missing_attitude_and_empty_good_time(steady, scratch):
    bare = Job(request=MAP, files={"events": steady.files["events"]})
    (error,) = native.make([bare], scratch)
    assert isinstance(error, InputNotFoundError)
    with pytest.raises(GTIError):
        run(steady, scratch, ExpMapRequest(**ABOUT, gti=((0.0, 1.0),)))


@pytest.mark.parametrize("role", ["ehk", "bimg", "fpix"])
@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda whole: whole[: len(whole) // 2], TruncatedFileError),
        (lambda whole: b"", TruncatedFileError),
        (lambda whole: b"<html>404</html>" * 500, InputFileError),
        (None, InputNotFoundError),
    ],
)
def test_damaged_or_missing_file_is_named(steady, tmp_path, role, damage, error):
    path = tmp_path / f"damaged.{role}"
    if damage:
        path.write_bytes(damage((steady.path / "bimg.fits.gz").read_bytes()))
    (made,) = native.make([Job(request=MAP, files=steady.files | {role: (str(path),)})], tmp_path)
    assert isinstance(made, error)
    assert path.name in str(made)
    assert made.next_step


def test_keywords_of_a_turned_detector_lead_from_det_to_foc_as_in_heasoft(steady, tmp_path):
    """``FOC = 1215.5 + R (DET - 905.5 - FOC_OFF)``, R = [[c, s], [-s, c]] of FOC_ROTD, as ahexpmap reads them."""
    plane = FocalPlane((-172.5, -174.5), rotation=0.7)
    made = exposure_map(steady.attitude, steady.gti, steady.detector(), plane, "FOC")
    write_map(tmp_path / "map.fits", made, steady.events, steady.gti)
    header = fits.getheader(tmp_path / "map.fits", "OFFAXISHIST")
    angle = np.radians(header["FOC_ROTD"])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    det = np.array([[300.0, 900.0, 1500.0], [1400.0, 500.0, 905.5]])
    offset = np.array([[header["FOC_XOFF"]], [header["FOC_YOFF"]]])
    np.testing.assert_allclose(1215.5 + turn @ (det - 905.5 - offset), plane.on_foc().forward(*det), atol=1e-9)
    assert header["FOC_ROTD"] != 0
