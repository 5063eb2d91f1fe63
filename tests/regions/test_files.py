"""Region files of ds9 and HEASoft: what is read, what is refused, and what is written."""

from __future__ import annotations

import logging
import re

import astropy.units as u
import numpy as np
import pytest
import regions as rg
from astropy.coordinates import SkyCoord
from astropy.io import fits

from xtendsrc.errors import InputNotFoundError, RegionError, XtendsrcError
from xtendsrc.instrument import Geometry
from xtendsrc.regions import RegionSet, Shape

WCS = Geometry(81.259, -69.644, 264.638).wcs
FK5 = SkyCoord(81.259, -69.644, unit="deg", frame="fk5").icrs
TWO_ARCMIN = 2 / 60


@pytest.fixture
def read(tmp_path):
    def read_text(text, **options):
        path = tmp_path / "some.reg"
        path.write_text(text, encoding="utf-8")
        return RegionSet.read(path, **options)

    return read_text


@pytest.mark.parametrize(
    "text",
    [
        'fk5\ncircle(81.259,-69.644,120")\n',
        "fk5;circle(81.259,-69.644,2')",
        "FK5; circle( 81.259d , -69.644d , 0.033333333333333d )",
        'j2000\ncircle(5:25:02.16,-69:38:38.4,120")',
        'fk5\ncircle(5h25m02.16s,-69d38m38.4s,120.0")',
        'fk5\r\ncircle(81.259 -69.644 1.2e2") # color=green\r\n',
        'fk5\ncircle 81.259 -69.644 120"\n',
        '\ufefffk5\n+circle(81.259,-69.644,120")',
        "fk5\ncircle(81.259,-69.644,0.00058177641733r)",
    ],
)
def test_one_circle_written_in_many_ways(read, text):
    found = read(text)
    assert found.frame == "icrs"
    assert found.shapes[0].values == pytest.approx((FK5.ra.deg, FK5.dec.deg, TWO_ARCMIN), abs=1e-9)


def test_fk5_is_not_icrs(read):
    fk5 = read('fk5\ncircle(81.259,-69.644,2")').to_pixels(WCS).shapes[0]
    icrs = read('icrs\ncircle(81.259,-69.644,2")').to_pixels(WCS).shapes[0]
    assert fk5.values[:2] == pytest.approx((1215.5, 1215.5), abs=1e-6)
    apart = np.hypot(*np.subtract(fk5.values[:2], icrs.values[:2])) * 1.768
    assert 0.005 < apart < 0.1  # arcsec: the frames are tens of milliarcseconds apart


def test_galactic_files_are_turned_to_icrs(read):
    place = SkyCoord(81.259, -69.644, unit="deg").galactic
    found = read(f'galactic\nellipse({place.l.deg},{place.b.deg},60",30",20)')
    (shape,) = found.shapes
    assert shape.values[:2] == pytest.approx((81.259, -69.644), abs=1e-9)
    tip = place.directional_offset_by((20 - 90) * u.deg, 59 * u.arcsec)  # angle 20 from West: -70 from North
    beyond = place.directional_offset_by((20 - 90) * u.deg, 61 * u.arcsec)
    assert found.contains_sky(tip, WCS)
    assert not found.contains_sky(beyond, WCS)


def test_an_angle_on_the_sky_follows_the_local_north(read):
    """Far from the centre of the grid the meridians lean: the ellipse must lean with them."""
    place = SkyCoord(82.5, -69.4, unit="deg", frame="fk5")
    found = read('fk5\nellipse(82.5,-69.4,120",10",90)')
    x, y = found.to_pixels(WCS).shapes[0].values[:2]
    north = place.directional_offset_by(0 * u.deg, 100 * u.arcsec)
    east = place.directional_offset_by(90 * u.deg, 100 * u.arcsec)
    assert found.contains_sky(north, WCS)
    assert not found.contains_sky(east, WCS)
    to = WCS.wcs_world2pix(north.ra.deg, north.dec.deg, 1)
    expected = np.degrees(np.arctan2(to[1] - y, to[0] - x))
    assert expected != pytest.approx(90.0, abs=0.5)
    assert found.to_pixels(WCS).shapes[0].angle == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("frame", ["physical", "image", "PHYSICAL", ""])
def test_pixel_frames_are_unbinned_pixels(read, frame):
    found = read(f"# Region file format: DS9 version 4.1\nglobal color=green include=1\n{frame}\ncircle(10,20.5,3)")
    assert found == RegionSet("SKY", (Shape("circle", (10, 20.5, 3)),))
    assert read(f"{frame}\ncircle(10,20.5,3)", frame="DET").frame == "DET"


@pytest.mark.parametrize(
    ("line", "shape"),
    [
        ("annulus(1,2,3,4)", Shape("annulus", (1, 2, 3, 4))),
        ("ellipse(1,2,3,4)", Shape("ellipse", (1, 2, 3, 4, 0))),
        ("ellipse(1,2,3,4,50)", Shape("ellipse", (1, 2, 3, 4, 50))),
        ("ellipse(1,2,3,4,5,6,50)", Shape("elliptannulus", (1, 2, 3, 4, 5, 6, 50))),
        ("elliptannulus(1,2,3,4,5,6,50,50)", Shape("elliptannulus", (1, 2, 3, 4, 5, 6, 50))),
        ("box(1,2,3,4)", Shape("box", (1, 2, 3, 4, 0))),
        ("rotbox(1,2,3,4,50)", Shape("box", (1, 2, 3, 4, 50))),
        ("box(1,2,3,4,5,6)", Shape("boxannulus", (1, 2, 3, 4, 5, 6, 0))),
        ("box(1,2,3,4,5,6,50)", Shape("boxannulus", (1, 2, 3, 4, 5, 6, 50))),
        ("rectangle(1,2,4,8)", Shape("box", (2.5, 5, 3, 6, 0))),
        ("polygon(1,2,3,4,5,0)", Shape("polygon", (1, 2, 3, 4, 5, 0))),
        ("-circle(1,2,3)", Shape("circle", (1, 2, 3), exclude=True)),
        ("- circle(1,2,3)", Shape("circle", (1, 2, 3), exclude=True)),
        ("!circle(1,2,3)", Shape("circle", (1, 2, 3), exclude=True)),
        ("circle(1,2,3) # include=0", Shape("circle", (1, 2, 3), exclude=True)),
        ("circle(1,2,3) # text={include=0}", Shape("circle", (1, 2, 3))),
        ("circle(1,2,3) || # color=red", Shape("circle", (1, 2, 3))),
        ("physical;circle(1,2,3)", Shape("circle", (1, 2, 3))),
    ],
)
def test_shapes(read, line, shape):
    assert read(f"physical\n{line}\n").shapes == (shape,)


def test_several_shapes_on_a_line_and_a_global_exclusion(read):
    assert len(read("physical;circle(1,2,3);circle(5,5,1)").shapes) == 2
    assert read("global include=0\nphysical\ncircle(1,2,3)").shapes[0].exclude


def test_shapes_after_the_semicolon_of_a_global_line(read):
    found = read('global color=#0f0 font="times; 10"; physical; circle(1,2,3)\ncircle(4,5,6)')
    assert [shape.values for shape in found.shapes] == [(1, 2, 3), (4, 5, 6)]


@pytest.mark.parametrize("include", [False, 0, "-"])
@pytest.mark.parametrize("with_another", [True, False])
def test_exclusions_as_the_regions_package_writes_them(read, include, with_another):
    """One shape alone gets its properties in a global line there."""
    hole = rg.CirclePixelRegion(rg.PixCoord(10, 10), 3, meta={"include": include})
    others = [rg.CirclePixelRegion(rg.PixCoord(10, 10), 30)] if with_another else []
    text = rg.Regions([*others, hole]).serialize(format="ds9")
    assert [shape.exclude for shape in read(text).shapes] == [False] * with_another + [True]


def test_what_stands_at_a_shape_is_stronger_than_the_global_line(read):
    text = "global include=0 source=0\nglobal color=red\nphysical\n+circle(1,2,3) # source\ncircle(4,5,6) # source=1"
    assert [shape.exclude for shape in read(text).shapes] == [False, True]


def test_excluded_shapes_act_on_later_ones_too_and_this_is_said(read, caplog):
    with caplog.at_level(logging.WARNING, "xtendsrc"):
        found = read("physical\n-circle(200,200,5)\ncircle(200,200,10)")
    assert "taken out of every included" in caplog.text
    assert found.mask([200.0, 207.0], [200.0, 200.0]).tolist() == [False, True]


def test_lines_that_only_draw_are_skipped_and_logged(read, caplog):
    text = "fk5\n# text(81.2,-69.6) text={N132D}\n# vector(81,-69,10\",20)\ntext(1,2)\ncircle(81.259,-69.644,2')"
    with caplog.at_level(logging.INFO, "xtendsrc"):
        assert len(read(text).shapes) == 1
    assert [record.getMessage().count("skipped") for record in caplog.records] == [1, 1, 1]
    assert "line 2, text" in caplog.text


@pytest.mark.parametrize(
    ("text", "line", "reason", "step"),
    [
        ("fk5\ncircle(81.2,-69.6,0.0333)", 2, "no unit", '120"'),
        ('icrs\nellipse(81.2,-69.6,60",30,10)', 2, "no unit", '120"'),
        ("fk5\ncircle(81.2,-69.6,68p)", 2, "in pixels under the sky frame", '120"'),
        ("fk5\ncircle(81.2,-99,2')", 2, "beyond the pole", "longitude first"),
        ("fk5\ncircle(05:75:02,-69:38:00,2')", 2, "not a coordinate", "05:25:02.3"),
        ("fk5\ncircle(81.2\",-69,2')", 2, "not in degrees", "81.259"),
        ("fk5\nrectangle(81.2,-69,81.3,-69.1)", 2, "no fixed meaning", "box"),
        ('physical\ncircle(1215,1215,120")', 2, "an angle under the pixel frame physical", "fk5"),
        ("circle(5:25:02,-69:38:38,2')", 1, "an angle without a frame", "fk5"),
        ("physical\n\npanda(1,2,0,360,1,5,10,1)", 3, "neither a frame nor a shape", "circle"),
        ("physical\npoint(100,100)", 2, "neither a frame nor a shape", "circle"),
        ('ecliptic\ncircle(1,2,3")', 1, "no fixed meaning", "fk5"),
        ("detector\ncircle(1,2,3)", 1, "no fixed meaning", "physical"),
        ("wcsa\ncircle(1,2,3)", 1, "no fixed meaning", "fk5"),
        ("fk6\ncircle(1,2,3)", 1, "neither a frame nor a shape", "fk5"),
        ("physical\ncircle(1,2", 2, "not understood", "one shape a line"),
        ("physical\ncircle(1,2)&&box(1,2,3,4)", 2, "not understood", "one shape a line"),
        ("physical\ncircle(1,two,3)", 2, "not a number", "Correct"),
        ("physical\ncircle(1,nan,3)", 2, "not a number", "Correct"),
        ("physical\ncircle(1,1e999,3)", 2, "too large", "Correct"),
        ("physical\ncircle(1,2)", 2, "2 values, not 3", "Correct"),
        ("physical\ncircle()", 2, "no values", "position"),
        ("physical\ncircle(1,2,0)", 2, "size of 0", "above zero"),
        ("physical\nannulus(1,2,3,4,5)", 2, "5 values, not 4", "ring"),
        ("physical\nannulus(1,2,5,4)", 2, "not between", "inner"),
        ("physical\nelliptannulus(1,2,3,4,5,6,10,20)", 2, "different angles", "one angle"),
        ('physical\nbox(1,2,3,4,10")', 2, "not in degrees", "degrees"),
        ("physical\npolygon(1,2,3,4,5)", 2, "5 values", "pairs"),
        ("physical\ncircle(1,2,3) # background", 2, "marked as background", "files of their own"),
        ("physical\ncircle(1,2,3) # include=maybe", 2, "include=maybe is neither", "include=0"),
        ("global background=True\nphysical\ncircle(1,2,3)", 3, "marked as background", "files of their own"),
        ("global source=0\nphysical\ncircle(1,2,3)", 3, "marked as background", "files of their own"),
        ("physical\ncircle(1,2,3)\nfk5\ncircle(81,-69,2')", None, "mixed", "one frame"),
        ("", None, "holds no region", "at least one"),
        ("physical\n# only a comment\nglobal color=red\n", None, "holds no region", "at least one"),
        ("physical\n# text(1,2) text={circle(1,2,3)}\n", None, "holds no region", "at least one"),
    ],
)
def test_what_is_not_understood_is_refused_by_file_line_reason_and_step(read, tmp_path, text, line, reason, step):
    with pytest.raises(RegionError) as caught:
        read(text)
    message = str(caught.value)
    assert str(tmp_path / "some.reg") in message
    assert line is None or f"line {line}:" in message
    assert reason in message
    assert "Next step:" in message
    assert step in caught.value.next_step


def test_files_that_are_no_region_files(tmp_path):
    with pytest.raises(InputNotFoundError, match="no such region file"):
        RegionSet.read(tmp_path / "absent.reg")
    with pytest.raises(RegionError, match="cannot be read"):
        RegionSet.read(tmp_path)
    (tmp_path / "fits.reg").write_bytes(b"SIMPLE  =                    T")
    with pytest.raises(RegionError, match="FITS file"):
        RegionSet.read(tmp_path / "fits.reg")
    (tmp_path / "binary.reg").write_bytes(b"\xff\xfe\x00c")
    with pytest.raises(RegionError, match="not a text file"):
        RegionSet.read(tmp_path / "binary.reg")


# --- objects ------------------------------------------------------------------------------------------------------


def test_pixels_of_the_regions_package_are_counted_from_zero():
    circle = rg.CirclePixelRegion(rg.PixCoord(1214.5, 1214.5), 68)
    assert RegionSet.of(circle) == RegionSet("SKY", (Shape("circle", (1215.5, 1215.5, 68)),))
    assert RegionSet.of(circle, frame="DET").frame == "DET"
    polygon = rg.PolygonPixelRegion(rg.PixCoord([0, 4, 0], [0, 0, 4]))
    assert RegionSet.of(polygon).shapes[0].values == (1, 1, 5, 1, 1, 5)
    hexagon = RegionSet.of(rg.RegularPolygonPixelRegion(rg.PixCoord(50, 50), 6, 10))
    assert hexagon.area() == pytest.approx(1.5 * np.sqrt(3) * 100)


def test_full_widths_of_ellipses_become_semi_axes():
    ellipse = rg.EllipseSkyRegion(FK5, 4 * u.arcmin, 2 * u.arcmin, 30 * u.deg)
    assert RegionSet.of(ellipse).shapes[0].sizes == pytest.approx((2 / 60, 1 / 60))
    box = rg.RectangleSkyRegion(FK5, 4 * u.arcmin, 2 * u.arcmin, 30 * u.deg)
    assert RegionSet.of(box).shapes[0].sizes == pytest.approx((4 / 60, 2 / 60))


@pytest.mark.parametrize("include", [False, "-"])
def test_lists_nested_lists_and_excluded_objects(include, tmp_path):
    source = rg.CircleSkyRegion(FK5, 2 * u.arcmin)
    hole = rg.CircleSkyRegion(FK5.galactic, 20 * u.arcsec, meta=rg.RegionMeta({"include": include}))
    file = tmp_path / "more.reg"
    file.write_text('icrs\n-circle(81.3,-69.6,10")')
    found = RegionSet.of([hole, [source, [file, str(file)]], rg.Regions([source])])
    assert [shape.exclude for shape in found.shapes] == [False, False, True, True, True]
    assert found.contains_sky(FK5.directional_offset_by(0 * u.deg, 1 * u.arcmin))
    assert not found.contains_sky(FK5)


def test_unions_are_taken_apart_and_other_compounds_refused():
    one = rg.CirclePixelRegion(rg.PixCoord(100, 100), 10)
    two = rg.CirclePixelRegion(rg.PixCoord(105, 100), 10)
    union = RegionSet.of(one | two | one)
    assert [shape.values for shape in union.shapes] == [(101, 101, 10), (106, 101, 10), (101, 101, 10)]
    for compound in (one & two, one ^ two):
        with pytest.raises(RegionError, match="not a plain union") as caught:
            RegionSet.of(compound)
        assert "include" in caught.value.next_step


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (rg.PointPixelRegion(rg.PixCoord(1, 1)), "PointPixelRegion cannot select"),
        (rg.TextPixelRegion(rg.PixCoord(1, 1), "a"), "TextPixelRegion cannot select"),
        (rg.LinePixelRegion(rg.PixCoord(1, 1), rg.PixCoord(2, 2)), "LinePixelRegion cannot select"),
        ([], "empty"),
        ([[], []], "empty"),
        (42, "not a region"),
        ({"a": 1}, "not a region"),
        (FK5, "not a region"),
        ("absent.reg", "no such region file"),
        ([rg.CirclePixelRegion(rg.PixCoord(1, 1), 3), rg.CircleSkyRegion(FK5, 1 * u.deg)], "different frames"),
    ],
)
def test_what_is_not_a_region_is_refused(what, reason):
    with pytest.raises(XtendsrcError, match=reason) as caught:
        RegionSet.of(what)
    assert caught.value.next_step


def test_frames_are_never_confused():
    circle = RegionSet("SKY", (Shape("circle", (100, 100, 5)),))
    with pytest.raises(RegionError, match="cannot be used on the DET grid"):
        circle.to_pixels(WCS, "DET")
    with pytest.raises(RegionError, match="needs a WCS"):
        circle.to_sky()
    sky = circle.to_sky(WCS)
    with pytest.raises(RegionError, match="needs a WCS"):
        sky.to_pixels()
    with pytest.raises(RegionError, match="pixel grid"):
        RegionSet.of(rg.CirclePixelRegion(rg.PixCoord(1, 1), 3), frame="icrs")
    far = RegionSet("icrs", (Shape("circle", (261.0, 69.0, 0.1)),))
    with pytest.raises(RegionError, match="other side of the sky"):
        far.to_pixels(WCS)


@pytest.mark.parametrize("x", [None, [], ["SKY"], ["SKY", [["circle", True]]], ["SKY", 3]])
def test_a_canonical_form_that_is_none_is_refused(x):
    with pytest.raises(RegionError, match="canonical form"):
        RegionSet.from_canonical(x)


def test_equal_regions_have_one_canonical_form():
    one = RegionSet("SKY", (Shape("box", (1, 2, 3, 4, 190.0)), Shape("circle", (5, 5, 1.00000001))))
    two = RegionSet("SKY", (Shape("circle", (5, 5, 1)), Shape("box", (1, 2, 3, 4, 10.0))))
    assert one.canonical() == two.canonical()
    east = RegionSet("icrs", (Shape("circle", (-0.25, 5, 1)),))
    assert east.canonical() == ["icrs", [["circle", True, [359.75, 5.0, 1.0]]]]


# --- on the sky ---------------------------------------------------------------------------------------------------


def test_geometry_on_the_sky():
    circle = RegionSet("icrs", (Shape("circle", (0.001, 60.0, TWO_ARCMIN)),))
    assert circle.area() == pytest.approx(np.pi * TWO_ARCMIN**2, rel=1e-9)
    assert circle.centre == pytest.approx((0.001, 60.0), abs=1e-9)
    ((ra, dec),) = circle.outline()
    apart = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(0.001, 60.0, unit="deg"))
    np.testing.assert_allclose(apart.deg, TWO_ARCMIN, rtol=1e-6)
    assert circle.contains_sky(SkyCoord(359.99, 60.0, unit="deg"))


def test_regions_cross_the_origin_of_right_ascension(tmp_path):
    wcs = Geometry(0.0, 10.0, 30.0).wcs
    polygon = RegionSet("icrs", (Shape("polygon", (359.9, 9.9, 0.1, 9.9, 0.1, 10.1, 359.9, 10.1)),))
    assert polygon.area() == pytest.approx(0.2 * np.cos(np.radians(10)) * 0.2, rel=1e-3)
    pixels = polygon.to_pixels(wcs)
    assert pixels.centre == pytest.approx((1215.5, 1215.5), abs=1)
    again = RegionSet.read(polygon.write(tmp_path / "x.reg", "fk5"))
    assert again.to_pixels(wcs).shapes[0].values == pytest.approx(pixels.shapes[0].values, abs=1e-6)
    assert polygon.contains_sky(SkyCoord([359.95, 0.05, 0.15], [10, 10, 10], unit="deg")).tolist() == [
        True,
        True,
        False,
    ]


# --- written files ------------------------------------------------------------------------------------------------

MIXED = RegionSet(
    "SKY",
    (
        Shape("circle", (1393.5, 1215.5, 92.0), exclude=True),
        Shape("circle", (1215.5, 1215.5, 67.868)),
        Shape("elliptannulus", (1000, 900, 10, 5, 20, 15, 390)),
        Shape("boxannulus", (1000, 900, 10, 5, 20, 15, 30)),
    ),
)


def test_written_files_keep_to_what_heasoft_obeys(tmp_path):
    assert MIXED.write(tmp_path / "a.reg").read_text().splitlines() == [
        "physical",
        "circle(1215.500000,1215.500000,67.868000)",
        "elliptannulus(1000.000000,900.000000,10.000000,5.000000,20.000000,15.000000,30.000000,30.000000)",
        "box(1000.000000,900.000000,10.000000,5.000000,20.000000,15.000000,30.000000)",
        "-circle(1393.500000,1215.500000,92.000000)",
    ]
    frame, *lines = MIXED.write(tmp_path / "b.reg", "fk5", WCS).read_text().splitlines()
    assert frame == "fk5"
    assert re.fullmatch(r'circle\(81\.2590000000,-69\.6440000000,119\.98\d{4}"\)', lines[0])
    assert [line.startswith("-") for line in lines] == [False, False, False, True]
    assert [line.count('"') for line in lines] == [1, 4, 4, 1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.reg", "b.reg"]


def test_angles_that_heasoft_reads_otherwise_are_named(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "xtendsrc"):
        RegionSet("SKY", MIXED.shapes[:1]).write(tmp_path / "a.reg", "fk5", WCS)
        MIXED.write(tmp_path / "a.reg")
        assert not caplog.records
        MIXED.write(tmp_path / "a.reg", "fk5", WCS)
    assert "boxannulus and elliptannulus" in caplog.text


def test_a_region_on_the_sky_is_written_in_pixels_of_the_grid(tmp_path):
    sky = MIXED.to_sky(WCS)
    again = RegionSet.read(sky.write(tmp_path / "a.reg", wcs=WCS))
    assert again.canonical() == MIXED.canonical()
    with pytest.raises(RegionError, match="needs a WCS"):
        sky.write(tmp_path / "c.reg")


def test_what_would_be_lost_in_writing_is_refused_and_the_old_file_kept(tmp_path):
    path = MIXED.write(tmp_path / "a.reg")
    before = path.read_text()
    for radius in (1e-7, 1.4e-6):
        with pytest.raises(RegionError, match="read back") as caught:
            RegionSet("SKY", (Shape("circle", (100, 100, radius)),)).write(path)
        assert str(path) in str(caught.value)
    assert path.read_text() == before
    assert [found.name for found in tmp_path.iterdir()] == ["a.reg"]


def test_writing_elsewhere_fails_by_name(tmp_path):
    with pytest.raises(RegionError, match=r"absent.*cannot be written"):
        MIXED.write(tmp_path / "absent" / "a.reg")
    with pytest.raises(RegionError, match="'galactic' is not a frame"):
        MIXED.write(tmp_path / "a.reg", "galactic")


# --- the FITS table -----------------------------------------------------------------------------------------------


EVENTS = fits.Header({"TTYPE1": "X", "TTYPE2": "Y"})
EVENTS.update({f"{key}{n}": 1.0 for key in ("TCRPX", "TCRVL", "TCDLT") for n in (1, 2)})


@pytest.mark.parametrize("header", [None, fits.Header(), fits.Header({"TTYPE1": "X", "TTYPE2": "Y"})])
def test_a_table_that_extractor_would_ignore_is_refused(header):
    with pytest.raises(RegionError, match="whole field"):
        MIXED.to_hdu(header)


def test_every_component_of_the_table_repeats_the_excluded_shapes(tmp_path):
    MIXED.to_hdu(EVENTS).writeto(tmp_path / "r.fits")
    table = fits.getdata(tmp_path / "r.fits", "REG00101")
    assert table["SHAPE"].tolist() == [
        *("CIRCLE", "!CIRCLE", "ELLIPTANNULUS", "!CIRCLE", "BOXANNULUS", "!CIRCLE"),
    ]
    assert table["COMPONENT"].tolist() == [1, 1, 2, 2, 3, 3]
    assert table["R"][2].tolist() == [10, 5, 20, 15]
    assert table["ROTANG"][2].tolist() == [390, 390]
    only = RegionSet("SKY", MIXED.excluded).to_hdu(EVENTS)
    assert [shape.strip() for shape in only.data["SHAPE"]] == ["!CIRCLE"]
    assert only.header["EXTNAME"] == "REG00101"
