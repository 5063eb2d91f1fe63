"""Regions against what HEASoft's extractor and coordpnt made of them."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.instrument import Geometry
from xtendsrc.regions import RegionSet, calibration_discs

DATA = Path(__file__).parents[1] / "data" / "full_window"
CASES = ["src", "bkg", "annulus", "ellipse", "box", "polygon"]
GRID = ((1, 2430), (1, 2430))

# coordpnt's positions of the calibration sources: PA_NOM -> SKY circles, and fk5 circles in degrees, around
# RA_NOM = 81.259, DEC_NOM = -69.644
COORDPNT_SKY = {
    0.0: [(1402.50000000, 2014.50000000, 92.0), (1401.50000000, 755.50000000, 91.0)],
    31.25: [(960.86868655, 1995.58518394, 92.0), (1613.14930670, 918.73236551, 91.0)],
    90.0: [(416.50000000, 1402.50000000, 92.0), (1675.50000000, 1401.50000000, 91.0)],
    264.638: [(1993.52892630, 954.65332120, 92.0), (740.13155607, 1073.29999117, 91.0)],
    359.995: [(1402.56972519, 2014.48367813, 92.0), (1401.45985672, 755.48377019, 91.0)],
}
COORDPNT_FK5 = {
    0.0: [(80.99977530, -69.25141762), (80.99358167, -69.86970925)],
    31.25: [(81.61212660, -69.26054028), (80.69373117, -69.78884023)],
    90.0: [(82.38205269, -69.54855976), (80.61236626, -69.55145976)],
    264.638: [(80.15403617, -69.76864615), (81.93231851, -69.71254868)],
    359.995: [(80.99967855, -69.25142549), (80.99363885, -69.86971731)],
}


@pytest.fixture(scope="module")
def events():
    with fits.open(DATA / "events.fits.gz") as hdus:
        header, table = hdus["EVENTS"].header, hdus["EVENTS"].data
        time = table["TIME"] + header["TIMEZERO"] - (header["TIMEPIXR"] - 0.5) * header["TIMEDEL"]
        good = np.zeros(len(time), dtype=bool)
        for start, stop in hdus["GTI"].data:
            good |= (time >= start) & (time <= stop)
        return header.copy(), table[good]


@pytest.mark.parametrize("case", CASES)
def test_counts_of_every_channel_are_extractors(case, events):
    _, table = events
    inside = RegionSet.read(DATA / f"{case}.reg").mask(table["X"], table["Y"])
    pi = table["PI"][inside]
    counts = np.bincount(pi[(pi >= 0) & (pi < 4096)], minlength=4096)
    expected = fits.getdata(DATA / f"{case}.pha.gz", "SPECTRUM")["COUNTS"]
    assert expected.sum() > 100
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("case", CASES)
def test_pixel_count_gives_backscal(case):
    region = RegionSet.read(DATA / f"{case}.reg")
    backscal = fits.getheader(DATA / f"{case}.pha.gz", "SPECTRUM")["BACKSCAL"]
    pixels = backscal * 2430**2
    assert region.pixel_count(GRID) == round(pixels)
    assert pixels == pytest.approx(round(pixels), abs=0.01)  # seven digits are in the file


@pytest.mark.parametrize("case", CASES)
def test_region_table_is_extractors(case, events):
    header, _ = events
    made = RegionSet.read(DATA / f"{case}.reg").to_hdu(header)
    with fits.open(DATA / f"{case}.pha.gz") as hdus:
        golden = hdus["REG00101"].copy()
    assert made.columns.names == golden.columns.names
    assert made.columns.formats == golden.columns.formats
    assert made.columns.units == golden.columns.units
    for ours, theirs in zip(made.data, golden.data, strict=True):
        assert ours["SHAPE"] == theirs["SHAPE"]
        sizes = 1 if "CIRCLE" in theirs["SHAPE"] else None  # beyond the shape's own, extractor leaves old values
        for name in ("X", "Y", "ROTANG", "COMPONENT"):
            np.testing.assert_array_equal(ours[name], theirs[name])
        np.testing.assert_array_equal(np.atleast_1d(ours["R"])[:sizes], np.atleast_1d(theirs["R"])[:sizes])
    for key in ("EXTNAME", "HDUCLASS", "HDUCLAS1", "HDUCLAS2", "HDUVERS", "CONTENT", "MTYPE1", "MFORM1", "TELESCOP"):
        assert made.header[key] == golden.header[key]
    for key in ("TCTYP1", "TCRPX1", "TCRVL1", "TCDLT1", "TCTYP2", "TCRPX2", "TCRVL2", "TCDLT2"):
        assert made.header[key] == golden.header[key]


@pytest.mark.parametrize("roll", COORDPNT_SKY)
def test_calibration_discs_are_where_coordpnt_puts_them(roll):
    discs = calibration_discs(Geometry(81.259, -69.644, roll))
    assert all(shape.exclude for shape in discs.shapes)
    values = [shape.values for shape in discs.shapes]
    np.testing.assert_allclose(values, COORDPNT_SKY[roll], rtol=0, atol=1e-8)


@pytest.mark.parametrize("roll", COORDPNT_SKY)
def test_fk5_file_lands_on_the_pixels_of_coordpnt(roll, tmp_path):
    file = tmp_path / "cal.reg"
    lines = [f"-circle({ra:.8f}d,{dec:.8f}d,0.04518181d)" for ra, dec in COORDPNT_FK5[roll]]
    file.write_text("\n".join(["# Region file written by coordpnt.", "fk5", *lines]))
    found = RegionSet.read(file).to_pixels(Geometry(81.259, -69.644, roll).wcs)
    assert all(shape.exclude for shape in found.shapes)
    centres = [shape.values[:2] for shape in found.shapes]
    # 1e-8 degree, the last digit written, is 2e-5 pixel
    np.testing.assert_allclose(centres, np.array(COORDPNT_SKY[roll])[:, :2], rtol=0, atol=2e-5)
    assert found.shapes[0].values[2] == pytest.approx(92.0, abs=2e-5)


def test_discs_on_the_sky_come_back_to_the_detector():
    geometry = Geometry(81.259, -69.644, 264.638)
    sky = calibration_discs(geometry, "icrs")
    assert sky.frame == "icrs"
    back = sky.to_frame("DET", geometry)
    values = [shape.values for shape in back.shapes]
    np.testing.assert_allclose(values, [(920.0, 1530.0, 92.0), (919.0, 271.0, 91.0)], rtol=0, atol=1e-6)


@pytest.mark.parametrize("frame", ["SKY", "DET"])
def test_masks_are_those_of_cfitsio(frame, tmp_path):
    """Random regions, half of them on the half-pixel lattice that is tested, so that many points lie on edges."""
    golden = json.loads((DATA.parent / "regions" / "cfitsio.json").read_text())
    x, y = np.meshgrid(1560 + 0.5 * np.arange(161), 1660 + 0.5 * np.arange(161))
    file = tmp_path / "x.reg"
    for case in golden["cases"]:
        file.write_text("\n".join(case["region"]))
        mask = RegionSet.read(file, frame).mask(x, y)
        assert mask.sum() == case["inside"], case["region"]
        assert zlib.crc32(mask.astype(np.uint8).tobytes()) == case["crc32"], case["region"]
