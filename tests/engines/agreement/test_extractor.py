"""Native images, spectra and light curves against a second program, for every kind of event file."""

import numpy as np
import pytest
from astropy.io import fits

from tests.engines.agreement import cases
from xtendsrc.events.selection import Selection
from xtendsrc.products.image.request import ImageRequest
from xtendsrc.products.lightcurve.request import LightCurveRequest
from xtendsrc.products.spectrum.request import SpectrumRequest

SEEDS = range(6)
TIMES = ["TSTART", "TSTOP", "TELAPSE", "MJD-OBS", "DATE-OBS", "DATE-END", "MJDREFI", "MJDREFF", "TIMESYS", "TIMEREF"]
COMMON = ["TELESCOP", "INSTRUME", "DETNAM", "OBJECT", "ONTIME", "EXPOSURE", "LIVETIME", "TIMEUNIT", *TIMES]
POINTING = ["OBS_ID", "DATACLAS", "RA_OBJ", "DEC_OBJ", "PA_NOM", "RA_PNT", "DEC_PNT", "EQUINOX", "RADECSYS"]
AXIS = ["CTYPE{}", "CRPIX{}", "DRPIX{}", "CRVAL{}", "CDELT{}", "DDELT{}", "LTV{}", "LTM{0}_{0}", "WCSTY{}P"]
AXIS += ["CTYPE{}P", "CRPIX{}P", "CRVAL{}P", "CDELT{}P"]
GRID = ["WCSNAMEP", *(name.format(n) for name in AXIS for n in (1, 2))]
PHA = ["AREASCAL", "BACKFILE", "RESPFILE", "ANCRFILE", "CORRFILE", "CORRSCAL", "DETCHANS", "CHANTYPE", "POISSERR"]
PHA += ["STAT_ERR", "SYS_ERR", "GROUPING", "QUALITY", "TLMIN1", "TLMAX1", "TOTCTS", "HDUCLAS1", "HDUCLAS2", "HDUCLAS3"]
MAP = ["WMREBIN", "NPIXSOU", "SKYBIN", "WMAPFIX", "TOTCTS", "X-OFFSET", "Y-OFFSET", "AXLEN1", "AXLEN2", "RA_NOM"]
MAP += [f"REF{axis}{key}" for axis in "XY" for key in ("CTYP", "CRPX", "CRVL", "CDLT")]
CURVE = ["TIMEDEL", "TIMEPIXR", "PHALCUT", "PHAHCUT", "NPIXSOU", "MINFREXP", "HDUCLAS1", "HDUCLAS2"]


def about(case):
    return {"obs_id": "900001010", "dataclass": case.dataclass}


def same(ours, theirs, names):
    """Keywords are equal, where the other side has them."""
    for name in names:
        if name not in theirs:
            continue
        if isinstance(theirs[name], float):
            assert ours[name] == pytest.approx(theirs[name], rel=1e-12, abs=1e-12), name
        else:
            assert ours[name] == theirs[name], name


def same_tables(ours, theirs):
    for column in ("START", "STOP"):
        np.testing.assert_array_equal(ours["GTI"].data[column], theirs["GTI"].data[column])
    same(ours["GTI"].header, theirs["GTI"].header, [*COMMON, "HDUCLAS1", "HDUCLAS2"])
    assert not ours["GTI"].header.get("TIMEZERO")  # the times of products are absolute
    assert ("REG00101" in ours) == ("REG00101" in theirs)
    if "REG00101" in theirs:
        mine, other = ours["REG00101"], theirs["REG00101"]
        assert mine.columns.names == other.columns.names
        assert list(mine.data["SHAPE"]) == list(other.data["SHAPE"])
        for column in [*mine.columns.names[:2], "ROTANG", "COMPONENT"]:
            np.testing.assert_allclose(mine.data[column], other.data[column], rtol=0, atol=1e-9)
        same(mine.header, other.header, [*COMMON, "MFORM1", "TCRPX1", "TCRVL1", "TCDLT1"])


def selection(case, rng, work, band=True):
    """A random selection for both sides: a request's, and a name filter and parameters for the task."""
    cut, parameters, channels, grades, gti = [], {}, None, None, None
    if band:
        channels = tuple(int(v) for v in rng.choice([(83, 1666), (100, 333), (1667, 4095), (0, 4095), (84, 84)]))
        cut.append(f"PI={channels[0]}:{channels[1]}")
    if rng.integers(3) == 0:
        grades = (0, 2, 3, 4, 6)
        cut.append("GRADE=0:0,2:4,6:6")
    if rng.integers(2):
        first, last = min(a for a, _ in case.gti), max(b for _, b in case.gti)
        edges = np.sort(rng.uniform(first + 1, last + 100, 6))
        edges[0] = first + 0.5  # so that some is left
        gti = tuple((float(edges[i]), float(edges[j])) for i, j in ((0, 1), (2, 3), (4, 5), (0, 4)))
        cases.write_gti(work / "user.gti", gti, fits.Header({"TIMEZERO": 50.0}))
        parameters["timefile"] = "user.gti"
    return Selection(channels=channels, grades=grades, gti=gti), f"[{','.join(cut)}]" if cut else "", parameters


@pytest.mark.parametrize("seed", SEEDS)
def test_images(bench, seed):
    case, rng = cases.draw(seed), np.random.default_rng([seed, 2])
    both = bench(case)
    for frame, binning in (("SKY", int(rng.integers(1, 17))), ("DET", int(rng.choice([1, 2, 3, 7])))):
        chosen, cut, parameters = selection(case, rng, both.folder, band=bool(rng.integers(4)))
        names = {"xcolf": "DETX", "ycolf": "DETY"} if frame == "DET" else {}
        theirs = both.extractor("imgfile", cut, binf=binning, **names, **parameters)
        ours = both.native(ImageRequest(**about(case), selection=chosen, binning=binning, frame=frame))
        np.testing.assert_array_equal(ours[0].data, theirs[0].data)
        special = ["IMGBIN", "TOTCTS", "CHANMIN", "CHANMAX", "CHANTYPE"]
        same(ours[0].header, theirs[0].header, [*COMMON, *POINTING, *GRID, *special])
        if frame == "SKY":
            same(ours[0].header, theirs[0].header, ["RA_NOM", "DEC_NOM", "CROTA2", "DROLLANG"])
        same_tables(ours, theirs)


@pytest.mark.parametrize("seed", SEEDS)
def test_spectra(bench, seed):
    case, rng = cases.draw(seed), np.random.default_rng([seed, 3])
    both = bench(case)
    for region in rng.choice([*both.regions, None], 4, replace=False):
        chosen, cut, parameters = selection(case, rng, both.folder, band=False)
        theirs = both.extractor("phafile", cut, region, binf=1, **parameters)
        placed = None if region is None else both.region(region)
        ours = both.native(SpectrumRequest(**about(case), selection=chosen, region=placed))
        for column in ("CHANNEL", "COUNTS"):
            np.testing.assert_array_equal(ours["SPECTRUM"].data[column], theirs["SPECTRUM"].data[column])
        header = ours["SPECTRUM"].header
        assert float(f"{header['BACKSCAL']:.6E}") == theirs["SPECTRUM"].header["BACKSCAL"], region
        same(header, theirs["SPECTRUM"].header, [*COMMON, *POINTING, *PHA])
        same_tables(ours, theirs)
        if region is None or theirs[0].data.min() < 0:  # without events in the region the task cannot place it
            np.testing.assert_array_equal(ours[0].data, theirs[0].data)
            same(ours[0].header, theirs[0].header, [*COMMON, *MAP, *GRID])


@pytest.mark.parametrize("seed", SEEDS)
def test_light_curves(bench, seed):
    case, rng = cases.draw(seed), np.random.default_rng([seed, 4])
    both = bench(case)
    first = min(start for start, _ in case.gti)
    for width in rng.choice([4.0, 64.0, 100.0, 33.3, 200.0, 5000.0], 3, replace=False):
        chosen, cut, parameters = selection(case, rng, both.folder, band=bool(rng.integers(3)))
        threshold = float(rng.choice([0, 0.5, 1]))
        start = [None, first - 1000.0, first - 37.25][rng.integers(3)]
        region = rng.choice([None, "circle", "several", "detector"])
        more = {} if start is None else {"lcstart": repr(start)}
        given = parameters | more | {"binlc": repr(float(width)), "lcthresh": threshold}
        request = {"bin": float(width), "min_fraction": threshold, "start": start, "selection": chosen}
        compare_curves(both, cut, region, given, about(case) | request)


def compare_curves(both, cut, region, given, request):
    theirs = both.extractor("fitsbinlc", cut, region, **given)
    placed = None if region is None else both.region(region)
    if not len(theirs["RATE"].data):
        with pytest.raises(Exception, match="No bin of"):
            both.native(LightCurveRequest(**request, region=placed))
        return
    ours = both.native(LightCurveRequest(**request, region=placed))
    np.testing.assert_allclose(ours["RATE"].data["TIME"], absolute(theirs["RATE"]), rtol=0, atol=1e-6)
    for column in ("RATE", "ERROR", "FRACEXP"):
        np.testing.assert_allclose(ours["RATE"].data[column], theirs["RATE"].data[column], rtol=2.4e-7, err_msg=column)
    same(ours["RATE"].header, theirs["RATE"].header, [*COMMON, *POINTING, *CURVE])
    same_tables(ours, theirs)


def absolute(rate):
    """Middles of bins as the task gives them in two parts."""
    return rate.data["TIME"] + rate.header["TIMEZERO"]


def test_a_start_inside_the_good_time(bench):
    """The task truncates towards zero: its first bin holds the events of the bin before, too. All others agree."""
    case = cases.draw(3)
    both = bench(case)
    start = min(a for a, _ in case.gti) + 150.5
    theirs = both.extractor("fitsbinlc", lcstart=repr(start), binlc=100, lcthresh=0)["RATE"]
    request = LightCurveRequest(**about(case), selection=Selection(), bin=100.0, start=start)
    made = both.native(request)
    ours = made["RATE"].data
    np.testing.assert_allclose(ours["TIME"], absolute(theirs), rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours["RATE"][1:], theirs.data["RATE"][1:], rtol=2.4e-7)
    assert ours["RATE"][0] <= theirs.data["RATE"][0]
    after = sum(stop - max(begin, start) for begin, stop in case.gti if stop > start)
    assert made["RATE"].header["TSTART"] == pytest.approx(start, abs=1e-6)
    assert made["RATE"].header["ONTIME"] == pytest.approx(after, abs=1e-6)


def test_pieces_of_a_split_file(bench):
    """Good times of pieces are ORed, dates are the outermost, and each event counts once."""
    case = cases.draw(21)
    both = bench(case)
    whole = both.native(SpectrumRequest(**about(case), selection=Selection()))
    paths = []
    for number, half in enumerate((np.s_[:1500], np.s_[1500:])):
        with fits.open("ev.fits", memmap=False) as hdus:
            table = fits.BinTableHDU(hdus["EVENTS"].data[half], hdus["EVENTS"].header, name="EVENTS")
            table.header["DATE-OBS"], table.header["DATE-END"] = f"2023-10-{9 - number:02d}", f"2023-10-{20 - number}"
            fits.HDUList([hdus[0], table, hdus["GTI"]]).writeto(f"piece{number}.fits")
        paths.append(str(both.folder / f"piece{number}.fits"))
    (both.folder / "pieces.txt").write_text("piece0.fits\npiece1.fits\n")
    theirs = both.extractor("phafile", filename="@pieces.txt", binf=1)["SPECTRUM"]
    ours = both.native(SpectrumRequest(**about(case), selection=Selection()), files={"events": tuple(paths)})
    for other in (theirs, whole["SPECTRUM"]):
        np.testing.assert_array_equal(ours["SPECTRUM"].data["COUNTS"], other.data["COUNTS"])
    same(ours["SPECTRUM"].header, theirs.header, ["ONTIME", "EXPOSURE", "TSTART", "TSTOP", "FILIN001", "FILIN002"])
    assert [ours["SPECTRUM"].header[name] for name in ("DATE-OBS", "DATE-END")] == ["2023-10-08", "2023-10-20"]
