"""The stand-in's tasks against what real HEASoft 6.20 tasks made of the same files."""

import gzip
import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.testing.heasoft import geometry, regfile

DATA = Path(__file__).parents[1] / "data"
FULL = DATA / "full_window"
STEADY = DATA / "expmap/steady"
JOBS = {job["output"]: job for job in json.loads((FULL / "manifest.json").read_text())["jobs"]}


def unpack(path, target):
    target.write_bytes(gzip.decompress(path.read_bytes()))


@pytest.mark.parametrize("output", [name for name, job in JOBS.items() if job["task"] == "extractor"])
def test_extractor(output, here, work):
    for path in FULL.glob("*.reg"):
        shutil.copy(path, work)
    job = JOBS[output]
    assert here("extractor", **{"filename": f"ev.fits{job['filter']}", **job["params"]}) == 0
    with fits.open(work / output) as made, fits.open(FULL / f"{output}.gz") as golden:
        assert [hdu.name for hdu in made] == [hdu.name for hdu in golden]
        for ours, theirs in zip(made, golden, strict=True):
            compare(ours, theirs)


def compare(ours, theirs):
    for key in ("CRPIX1", "CRPIX2", "CRVAL1", "CDELT1", "CDELT2", "LTV1", "CRVAL1P", "TIMEZERO", "BACKSCAL", "NPIXSOU"):
        assert (key in ours.header) == (key in theirs.header), key
        if key in theirs.header:
            assert ours.header[key] == pytest.approx(theirs.header[key], rel=1e-9, abs=1e-12), key
    for key in (
        "EXPOSURE",
        "ONTIME",
        "TSTART",
        "TSTOP",
        "TOTCTS",
        "DETCHANS",
        "TLMIN1",
        "CHANMIN",
        "PHAHCUT",
        "MINFREXP",
    ):
        assert ours.header.get(key) == pytest.approx(theirs.header.get(key)), key
    if isinstance(theirs, fits.BinTableHDU):
        for name in theirs.columns.names:
            if theirs.data[name].dtype.kind == "f":
                np.testing.assert_allclose(ours.data[name], theirs.data[name], rtol=3e-7)
            else:
                np.testing.assert_array_equal(ours.data[name], theirs.data[name])
    elif theirs.data is not None:
        np.testing.assert_array_equal(ours.data, theirs.data)


@pytest.mark.parametrize("output", ["net_em2.lc", "fimgbin4_avg.fits", "src_min1.pha", "src_min20.pha"])
def test_other_tools(output, here, work):
    for path in FULL.glob("*.gz"):
        unpack(path, work / path.stem)
    job = JOBS[output]
    out = work / f"made_{output}"
    assert here(job["task"], outfile=out.name, **job["params"]) == 0
    with fits.open(out) as made, fits.open(FULL / f"{output}.gz") as golden:
        assert len(made) == len(golden)
        for ours, theirs in zip(made, golden, strict=True):
            compare(ours, theirs)


def test_regions_against_cfitsio(work):
    golden = json.loads((DATA / "regions/cfitsio.json").read_text())
    x, y = np.meshgrid(np.arange(1560, 1640.25, 0.5), np.arange(1660, 1740.25, 0.5))
    for case in golden["cases"]:
        Path("case.reg").write_text("\n".join(case["region"]) + "\n")
        mask = regfile.read("case.reg", None).inside(x, y).astype(np.uint8)
        assert (int(mask.sum()), zlib.crc32(mask.tobytes())) == (case["inside"], case["crc32"]), case["region"]


def test_coordpnt_chain():
    points = json.loads((DATA / "expmap/coordpnt.json").read_text())
    nominal, where = (81.259, -69.644, 0.0), geometry.Geometry()
    for point in points:
        pointing = (point["ra"], point["dec"], point["roll"])
        step = geometry.joined(geometry.det_to_foc(where), geometry.foc_to_sky(where, pointing, nominal))
        found = step.apply(point["detx"], point["dety"])
        if point["stopsys"] == "RADEC":
            found = geometry.sky_projection(where, nominal).to_sky(*found)
        assert found == pytest.approx(point["out"], abs=1e-9)


def test_coordpnt_region_and_outputs(here, work, child):
    Path("cal.reg").write_text("physical\n-circle(920.0,1530.0,92.0)\n-circle(919.0,271.0,91.0) # include=0\n")
    common = {
        "telescop": "XRISM",
        "instrume": "XTEND",
        "ra": 81.259,
        "dec": -69.644,
        "roll": 264.638,
        "startsys": "DET",
    }
    assert here("coordpnt", input="cal.reg", outfile="sky.reg", stopsys="SKY", **common) == 0
    lines = Path("sky.reg").read_text().splitlines()
    assert lines[2:] == [  # as HEASoft 6.20 wrote them
        "physical",
        "-circle(1993.52892630,954.65332120,92.00000000)",
        "-circle(740.13155607,1073.29999117,91.00000000)",
    ]
    assert here("coordpnt", input="cal.reg", outfile="sky.reg", stopsys="SKY", **common) == 1  # no clobber
    assert here("coordpnt", input="920,1530", outfile="NONE", stopsys="RADEC", **common) == 0
    out = child("pget", "coordpnt", "outx", "outy").stdout.split()
    assert [float(word) for word in out] == pytest.approx([80.15403617, -69.76864615], abs=1e-7)


MAPS = {"exp_SKY_cal0": ("SKY", "yes"), "exp_DET_cal1": ("DET", "no"), "exp_FOC_cal0": ("FOC", "yes")}


@pytest.mark.parametrize("name", MAPS)
def test_exposure_map(name, here, work):
    case(STEADY)
    system, mask = MAPS[name]
    assert expmap(here, stopsys=system, maskcalsrc=mask) == 0
    with fits.open("map.fits") as made, fits.open(STEADY / f"{name}.fits.gz") as golden:
        total = golden["OFFAXISHIST"].header["EXPOSURE"]
        assert np.abs(made[0].data - golden[0].data).max() < 2e-7 * total
        check_histogram(made, golden)
        assert made["PARTIALEXP001"].header["NAXIS2"] == 1810**2 - np.count_nonzero(det(mask))


def det(mask):
    with fits.open(STEADY / f"exp_DET_cal{int(mask == 'no')}.fits.gz") as hdus:
        return hdus[0].data


def case(folder):
    for name in ("ehk", "events", "bimg"):
        unpack(folder / f"{name}.fits.gz", Path(f"{name}.fits"))


def expmap(here, **parameters):
    common = {
        "ehkfile": "ehk.fits",
        "gtifile": "events.fits",
        "instrume": "XTEND",
        "badimgfile": "bimg.fits",
        "pixgtifile": "NONE",
        "outfile": "map.fits",
        "outmaptype": "EXPOSURE",
        "delta": 20,
        "numphi": 1,
        "logfile": "NONE",
    }
    return here("xaexpmap", **{**common, **parameters})


def check_histogram(made, golden):
    ours, theirs = made["OFFAXISHIST"], golden["OFFAXISHIST"]
    assert ours.header["EXPOSURE"] == pytest.approx(theirs.header["EXPOSURE"], abs=1e-6)
    for name in theirs.columns.names:
        if name != "AZIMUTH" or theirs.data["OFFAXISVAL"].min() > 1e-3:  # else the direction of nothing
            np.testing.assert_allclose(ours.data[name], theirs.data[name], rtol=0, atol=2e-7)
    times = [(a, b) for hdu in golden if hdu.name.startswith("GTIEXP") for a, b in hdu.data]
    assert times == [(a, b) for hdu in made if hdu.name.startswith("GTIEXP") for a, b in hdu.data]


@pytest.mark.slow
def test_wandering_exposure_map(here, work):
    """Thirteen attitude bins; the detector map holds their histogram and good times."""
    folder = DATA / "expmap/wander"
    case(folder)
    assert expmap(here, stopsys="DET", delta=0.5, numphi=4) == 0
    with fits.open("map.fits") as made, fits.open(folder / "exp_DET_cal0.fits.gz") as golden:
        np.testing.assert_allclose(made[0].data, golden[0].data, rtol=1e-6)
        check_histogram(made, golden)


@pytest.mark.parametrize(("norm", "expected"), [("MAX", 0.00230207431727498), ("10000.0", 0.00567730104369779)])
def test_backscal(norm, expected, here, work):
    unpack(STEADY / "exp_SKY_cal0.fits.gz", Path("map.fits"))
    unpack(STEADY / "src.pha.gz", Path("src.pha"))
    shutil.copy(STEADY / "src.reg", work)
    assert here("ahbackscal", infile="src.pha", regfile="src.reg", expfile="map.fits", norm=norm) == 0
    assert fits.getval("src.pha", "BACKSCAL", "SPECTRUM") == pytest.approx(expected, rel=1e-9)
    assert not list(work.glob("tmp_fix*"))
    assert Path("ahbackscal.log").exists()  # a fixed name, in the working directory
