"""Products of the native engine equal those that HEASoft's extractor made of the same events."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.events.selection import Selection
from xtendsrc.products.image.request import ImageRequest
from xtendsrc.products.lightcurve.request import LightCurveRequest
from xtendsrc.products.spectrum.request import SpectrumRequest
from xtendsrc.regions import RegionSet

GOLDEN = Path(__file__).parents[2] / "data" / "full_window"
JOBS = [job for job in json.loads((GOLDEN / "manifest.json").read_text())["jobs"] if job["task"] == "extractor"]
IMAGES = [job for job in JOBS if "imgfile" in job["params"]]
SPECTRA = [job for job in JOBS if "phafile" in job["params"]]
CURVES = [job for job in JOBS if "fitsbinlc" in job["params"] and job["params"].get("lctzero") != "no"]

GRID = ["CTYPE", "CRPIX", "DRPIX", "CRVAL", "CDELT", "DDELT", "LTV", "CTYPE{}P", "CRPIX{}P", "CRVAL{}P", "CDELT{}P"]
GRID = [name if "{}" in name else name + "{}" for name in GRID] + ["LTM{0}_{0}", "WCSTY{}P"]
TIMES = ["TSTART", "TSTOP", "TELAPSE", "MJD-OBS", "MJDREFI", "MJDREFF", "TIMESYS", "TIMEREF", "TIMEUNIT", "DATE-OBS"]
EVERYWHERE = ["TELESCOP", "INSTRUME", "DATAMODE", "DETNAM", "OBJECT", "ONTIME", "EXPOSURE", "LIVETIME", *TIMES]
POINTING = ["DATACLAS", "OBS_ID", "RA_OBJ", "DEC_OBJ", "PA_NOM", "RA_PNT", "DEC_PNT", "EQUINOX", "RADECSYS", "DEADC"]


def name_of(job):
    return job["output"]


def request_of(job):
    about = {"obs_id": "900001010", "dataclass": "300000a0"}
    given = job["params"]
    cut = tuple(int(v) for v in job["filter"][4:-1].split(":")) if job["filter"] else None
    about["selection"] = Selection(channels=cut)
    if "imgfile" in given:
        return ImageRequest(**about, binning=given["binf"], frame="DET" if given.get("xcolf") == "DETX" else "SKY")
    region = RegionSet.read(GOLDEN / given["regionfile"])
    if "phafile" in given:
        return SpectrumRequest(**about, region=region)
    return LightCurveRequest(
        **about,
        region=region,
        bin=given.get("binlc", 200),
        min_fraction=given.get("lcthresh", 0),
        start=given.get("lcstart"),
    )


def same(ours, theirs, names):
    """Keywords are equal: text and integers exactly, numbers to the digits extractor writes."""
    for name in names:
        value, expected = ours[name], theirs[name]
        if isinstance(expected, float):
            assert value == pytest.approx(expected, rel=1e-12, abs=1e-12), name
        else:
            assert value == expected, name


def both_axes(names):
    return [name.format(n) for name in names for n in (1, 2)]


@pytest.mark.parametrize("job", IMAGES, ids=name_of)
def test_image(job, make):
    with make(request_of(job)) as ours, fits.open(GOLDEN / (job["output"] + ".gz")) as theirs:
        assert [hdu.name for hdu in ours] == [hdu.name for hdu in theirs] == ["PRIMARY", "GTI"]
        np.testing.assert_array_equal(ours[0].data, theirs[0].data)
        assert ours[0].header["BITPIX"] == 32
        names = ["TOTCTS", "CHANMIN", "CHANMAX", "CHANTYPE", "IMGBIN", "WCSNAMEP", *both_axes(GRID)]
        same(ours[0].header, theirs[0].header, [*EVERYWHERE, *POINTING, *names])
        if ours[0].header["CTYPE1"]:
            same(ours[0].header, theirs[0].header, ["CROTA2", "RA_NOM", "DEC_NOM"])
        same_gti(ours, theirs)


def same_gti(ours, theirs):
    for column in ("START", "STOP"):
        np.testing.assert_array_equal(ours["GTI"].data[column], theirs["GTI"].data[column])
    names = ["HDUCLASS", "HDUCLAS1", "HDUCLAS2", "MTYPE1", "MFORM1", "METYP1", "TTYPE1", "TUNIT1", "TTYPE2", "TUNIT2"]
    same(ours["GTI"].header, theirs["GTI"].header, [*EVERYWHERE, *names])


def same_region(ours, theirs):
    ours, theirs = ours["REG00101"], theirs["REG00101"]
    assert list(ours.data["SHAPE"]) == list(theirs.data["SHAPE"])
    for column in ("X", "Y", "ROTANG", "COMPONENT"):
        np.testing.assert_array_equal(ours.data[column], theirs.data[column])
    same(ours.header, theirs.header, [*EVERYWHERE, "HDUCLASS", "HDUCLAS1", "MFORM1", "TCRPX1", "TCRVL1", "TCDLT1"])


@pytest.mark.parametrize("job", SPECTRA, ids=name_of)
def test_spectrum(job, make):
    with make(request_of(job)) as ours, fits.open(GOLDEN / (job["output"] + ".gz")) as theirs:
        assert [hdu.name for hdu in ours] == [hdu.name for hdu in theirs]
        for column in ("CHANNEL", "COUNTS"):
            np.testing.assert_array_equal(ours["SPECTRUM"].data[column], theirs["SPECTRUM"].data[column])
        header = ours["SPECTRUM"].header
        assert f"{header['BACKSCAL']:.6E}" == f"{theirs['SPECTRUM'].header['BACKSCAL']:.6E}"  # it writes seven digits
        assert header["BACKSCAL"] == pytest.approx(theirs[0].header["NPIXSOU"] / 2430**2, rel=1e-15)
        names = ["AREASCAL", "BACKFILE", "RESPFILE", "ANCRFILE", "CORRFILE", "DETCHANS", "CHANTYPE", "POISSERR"]
        names += ["GROUPING", "QUALITY", "STAT_ERR", "SYS_ERR", "TLMIN1", "TLMAX1", "TOTCTS", "HDUCLAS1", "HDUCLAS2"]
        names += ["HDUCLAS3", "HDUVERS", "PHAVERSN", "FILTER", "CORRSCAL", "TUNIT2", "DSTYP1", "DSREF1", "DSVAL1"]
        same(header, theirs["SPECTRUM"].header, [*EVERYWHERE, *POINTING, *names])
        same_gti(ours, theirs)
        same_region(ours, theirs)


@pytest.mark.parametrize("job", SPECTRA, ids=name_of)
def test_weighted_map(job, make):
    with make(request_of(job)) as ours, fits.open(GOLDEN / (job["output"] + ".gz")) as theirs:
        np.testing.assert_array_equal(ours[0].data, theirs[0].data)
        assert ours[0].header["BITPIX"] == -32
        names = ["WMREBIN", "NPIXSOU", "SKYBIN", "WMAPFIX", "TOTCTS", "X-OFFSET", "Y-OFFSET", "AXLEN1", "AXLEN2"]
        names += ["BBOX1", "BBOX2", "HBBOX1", "HBBOX2", "HDUCLAS1", "HDUCLAS2", "HDUVERS", "CONTENT", *both_axes(GRID)]
        names += [f"REF{axis}{key}" for axis in "XY" for key in ("CTYP", "CRPX", "CRVL", "CDLT")]
        same(ours[0].header, theirs[0].header, [*EVERYWHERE, *POINTING, *names, "RA_NOM", "DEC_NOM", "PIXSIZE"])
        for name in ("EXTXF0", "EXTYF0", "EXTXH0", "EXTYH0", "EXTTHETA"):  # sums of 10 000 floats, in another order
            assert ours[0].header[name] == pytest.approx(theirs[0].header[name], rel=1e-11), name


@pytest.mark.parametrize("job", CURVES, ids=name_of)
def test_light_curve(job, make):
    with make(request_of(job)) as ours, fits.open(GOLDEN / (job["output"] + ".gz")) as theirs:
        assert [hdu.name for hdu in ours] == [hdu.name for hdu in theirs]
        assert ours["RATE"].columns.names == [*theirs["RATE"].columns.names, "ERROR_LO", "ERROR_HI"]
        for column in ("TIME", "RATE", "ERROR", "FRACEXP"):
            assert ours["RATE"].columns[column].unit == theirs["RATE"].columns[column].unit
            expected = theirs["RATE"].data[column] + (theirs["RATE"].header["TIMEZERO"] if column == "TIME" else 0)
            np.testing.assert_array_equal(ours["RATE"].data[column], expected, err_msg=column)
        assert ours["RATE"].header["TIMEZERO"] == 0
        names = ["TIMEDEL", "TIMEPIXR", "PHALCUT", "PHAHCUT", "NPIXSOU", "MINFREXP", "HDUCLAS1"]
        names += ["HDUCLAS2", "HDUCLAS3", "DSTYP1", "DSREF1", "DSVAL1"]
        same(ours["RATE"].header, theirs["RATE"].header, [*EVERYWHERE, *POINTING, *names])
        same(ours[0].header, theirs[0].header, [*EVERYWHERE, "TIMEDEL"])
        same_gti(ours, theirs)
        same_region(ours, theirs)


def test_times_of_the_curve_are_the_middles_of_its_bins(make):
    """Where bins are whole, extractor's absolute times (lctzero=no) are ours."""
    job = next(job for job in CURVES if job["output"] == "src_83_1666_200_0.lc")
    with make(request_of(job)) as ours, fits.open(GOLDEN / "src_200_nozero.lc.gz") as theirs:
        whole = ours["RATE"].data["FRACEXP"] == 1
        np.testing.assert_array_equal(ours["RATE"].data["TIME"][whole], theirs["RATE"].data["TIME"][whole])


def test_averaged_image_of_fimgbin(make):
    """HEASoft's fimgbin averages the unbinned image and truncates: its pixels are ours at binning 4 over 16."""
    request = request_of(next(job for job in IMAGES if job["output"] == "img_83_1666_b4.fits"))
    with make(request) as ours, fits.open(GOLDEN / "fimgbin4_avg.fits.gz") as theirs:
        np.testing.assert_array_equal(ours[0].data // 16, theirs[0].data)
        same(ours[0].header, theirs[0].header, ["CRPIX1", "CRPIX2", "CDELT1", "CDELT2"])


def test_all_in_one_batch_are_the_same_files(make):
    """Sharing masks, headers and the unbinned image between jobs changes no product."""
    requests = [request_of(job) for job in JOBS if job in IMAGES + SPECTRA + CURVES]
    together = make(*requests)
    for request, product in zip(requests, together, strict=True):
        with make(request) as alone:
            assert [hdu.name for hdu in product] == [hdu.name for hdu in alone]
            for one, other in zip(product, alone, strict=True):
                assert fits.HDUDiff(one, other, ignore_keywords=["DATE"]).identical
        product.close()
