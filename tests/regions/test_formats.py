"""Region files of other programs: read as the same region, or refused by name; and as many shapes as one likes."""

from __future__ import annotations

import os
import time
import warnings

import numpy as np
import pytest
import regions as rg
from astropy.coordinates import SkyCoord
from astropy.io import fits

from xtendsrc.errors import InputNotFoundError, RegionError
from xtendsrc.instrument import Geometry
from xtendsrc.regions import RegionSet, Shape

WCS = Geometry(81.259, -69.644, 264.638).wcs
CIRCLE = (81.259, -69.644, 1 / 60)


def place_of(found):
    assert [shape.name for shape in found.shapes] == ["circle"]
    return found.shapes[0].values


@pytest.mark.parametrize(
    "text",
    [
        'icrs\ncircle(81.259,-69.644,60")',
        'global icrs color=green\ncircle(81.259,-69.644,60")',
        'global color=green font="fk5 text" coordsys=icrs; circle(81.259,-69.644,1\')',
        "#CRTFv0 CASA Region Text Format version 0\ncircle [[81.259deg, -69.644deg], 60.0arcsec] coord=ICRS\n",
        "Circle ICRS 81.259 -69.644 0.016666666666666666",
        "CIRCLE ICRS GEOCENTER SPHERICAL2 81.259 -69.644 0.016666666666666666",
        'icrs\ncircle(81.259,-69.644,60") # text={a; box(1,2,3,4) # of mine} tag={b}\n# text(81,-69) text={c}',
        'icrs\n# composite(81.2,-69.6,0) || composite=1\ncircle(81.259,-69.644,60") ||',
    ],
)
def test_one_circle_in_the_languages_of_many_programs(tmp_path, text):
    (tmp_path / "a.reg").write_text(text)
    found = RegionSet.read(tmp_path / "a.reg")
    assert found.frame == "icrs"
    np.testing.assert_allclose(place_of(found), CIRCLE, atol=1e-9)


def test_ciao_takes_sexagesimal_positions_without_a_frame_as_j2000(tmp_path):
    fk5 = SkyCoord("05:25:02.16 -69:38:38.4", unit=("hourangle", "deg"), frame="fk5").icrs
    (tmp_path / "a.reg").write_text("# Region file format: CIAO version 1.0\ncircle(5:25:02.16,-69:38:38.4,1')\n")
    np.testing.assert_allclose(place_of(RegionSet.read(tmp_path / "a.reg")), (fk5.ra.deg, fk5.dec.deg, 1 / 60))
    (tmp_path / "b.reg").write_text("# Region file format: CIAO version 1.0\n-circle(1200,1300,60)\nbox(1,2,3,4)\n")
    shapes = RegionSet.read(tmp_path / "b.reg").shapes
    assert [(s.name, s.exclude) for s in shapes] == [("box", False), ("circle", True)]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("#CRTFv0\nellipse [[81deg, -69deg], [60arcsec, 30arcsec], 10deg]", "line 2.*CRTF"),
        ("#CRTFv0\nnothing of the kind", "CRTF"),
        ("Ellipse ICRS 81 -69 0.1 0.2 10", "line 1.*STC-S"),
        ("Union ICRS (Circle 81 -69 1 Circle 82 -69 1)", "line 1.*STC-S"),
        ("((X,Y) IN circle(1,2,3))", "line 1.*SAS"),
        ("circle(1,2,3)-circle(1,2,1)", "line 1.*CIAO"),
        ("<region/>", "line 1.*XML"),
        ("physical\ncircle(1215,1300,1e300)", "line 2.*1e"),
        ("global ecliptic\ncircle(1,2,3)", "ecliptic"),
    ],
)
def test_what_is_another_format_is_named(tmp_path, text, named):
    (tmp_path / "a.reg").write_text(text)
    with pytest.raises(RegionError, match=named) as caught:
        RegionSet.read(tmp_path / "a.reg")
    assert "a.reg" in str(caught.value)
    assert caught.value.next_step


REGIONS = [
    RegionSet("SKY", (Shape("circle", (1200, 1300, 30)), Shape("ellipse", (900, 800, 40, 20, 30)))),
    RegionSet("DET", (Shape("annulus", (900, 800, 10, 30)), Shape("box", (910, 800, 20, 8, 15), exclude=True))),
    RegionSet("SKY", (Shape("polygon", (1, 1, 50, 1, 50, 60, 20, 30)), Shape("circle", (5, 5, 2)))),
    RegionSet(
        "SKY", (Shape("elliptannulus", (500, 500, 10, 20, 30, 60, 25)), Shape("boxannulus", (5, 5, 1, 2, 3, 4, 5)))
    ),
    RegionSet("SKY", (Shape("circle", (5, 5, 2), exclude=True), Shape("circle", (50, 50, 2), exclude=True))),
]

EVENTS = fits.Header()
for number, (name, kind) in enumerate(
    (("X", "RA---TAN"), ("Y", "DEC--TAN"), ("DETX", "DETX"), ("DETY", "DETY")), start=1
):
    EVENTS[f"TTYPE{number}"], EVENTS[f"TCTYP{number}"] = name, kind
    for key, value in (("TCRPX", 1215.5), ("TCRVL", 81.0), ("TCDLT", 4.9e-4)):
        EVENTS[f"{key}{number}"] = value


@pytest.mark.parametrize("region", REGIONS, ids=lambda r: r.shapes[0].name)
@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_a_fits_region_table_reads_back_as_the_region_it_was_written_from(tmp_path, region, case):
    hdu = region.to_hdu(EVENTS)
    for key in list(hdu.header["TTYPE*"]):
        hdu.header[key] = case(hdu.header[key])
    hdu.writeto(tmp_path / "a.fits")
    assert RegionSet.read(tmp_path / "a.fits") == region


def _table(tmp_path, shapes, components=None):
    columns = [
        fits.Column("X", "1D", array=[s[1] for s in shapes]),
        fits.Column("Y", "1D", array=[s[2] for s in shapes]),
        fits.Column("SHAPE", "16A", array=[s[0] for s in shapes]),
        fits.Column("R", "1D", array=[s[3] for s in shapes]),
    ]
    if components:
        columns.append(fits.Column("COMPONENT", "1I", array=components))
    fits.BinTableHDU.from_columns(columns, name="REGION").writeto(tmp_path / "t.fits", overwrite=True)
    return tmp_path / "t.fits"


def test_tables_say_what_components_mean_or_are_refused(tmp_path):
    shapes = [("CIRCLE", 10, 10, 5), ("Circle", 30, 30, 5), ("!CIRCLE", 12, 12, 2)]
    expected = RegionSet("SKY", tuple(Shape("circle", s[1:], s[0][0] == "!") for s in shapes))
    assert RegionSet.read(_table(tmp_path, shapes)) == expected
    with pytest.raises(RegionError, match="intersect"):  # the second component is everything but the hole
        RegionSet.read(_table(tmp_path, shapes, [1, 1, 2]))
    with pytest.raises(RegionError, match=r"row 1 \(PIE"):
        RegionSet.read(_table(tmp_path, [("PIE", 1, 2, 3)]))
    fits.PrimaryHDU().writeto(tmp_path / "none.fits")
    with pytest.raises(RegionError, match="no region table"):
        RegionSet.read(tmp_path / "none.fits")


@pytest.mark.parametrize(
    "line",
    [
        'circle(81.259,-69.644,60.000")',
        '-circle(81.259,-69.644,60.000")',
        'annulus(81.259,-69.644,30.000",60.000")',
        'ellipse(81.259,-69.644,60.000",30.000",25)',
        'box(81.259,-69.644,60.000",30.000",25)',
        "polygon(81.2,-69.6,81.3,-69.6,81.3,-69.7)",
        'circle(81.259,-69.644,60.000")\n# text(81.3,-69.6) text={A}',
    ],
)
@pytest.mark.parametrize("frame", ["icrs", "fk5", "galactic"])
def test_a_file_and_the_regions_package_give_the_same(tmp_path, line, frame):
    (tmp_path / "a.reg").write_text(f"# Region file format: DS9\n{frame}\n{line}\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        objects = rg.Regions.read(tmp_path / "a.reg", format="ds9")
    assert RegionSet.of(objects).canonical() == RegionSet.read(tmp_path / "a.reg").canonical()


def test_the_work_of_reading_grows_with_the_number_of_shapes_only(tmp_path):
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(81, 82, 100_000), rng.uniform(-70, -69, 100_000)
    path = tmp_path / "many.reg"
    path.write_text("fk5\n" + "\n".join(f'circle({a:.6f},{d:.6f},20")' for a, d in zip(ra, dec, strict=True)))
    start = time.process_time()
    found = RegionSet.read(path)
    assert time.process_time() - start < 15  # 2 s; a transform for each shape would take 100
    assert len(found.shapes) == ra.size
    expected = SkyCoord(ra, dec, unit="deg", frame="fk5").icrs
    np.testing.assert_allclose([s.values[0] for s in found.shapes], expected.ra.deg, atol=1e-9)


def test_masks_of_many_shapes_are_those_of_each_alone():
    rng = np.random.default_rng(2)
    x, y = rng.integers(1, 2430, (2, 20_000))
    shapes = [Shape("circle", (*rng.uniform(1, 2430, 2), 25.0), exclude=bool(i % 4 == 3)) for i in range(100)]
    inside = np.zeros(x.size, bool)
    for shape in sorted(shapes, key=lambda s: s.exclude):
        inside[np.hypot(x - shape.values[0], y - shape.values[1]) <= 25] = not shape.exclude
    np.testing.assert_array_equal(RegionSet("SKY", tuple(shapes)).mask(x, y), inside)


def test_many_shapes_are_put_on_a_grid_as_each_alone():
    rng = np.random.default_rng(3)
    shapes = [Shape("ellipse", (*rng.uniform((81, -69.8), (81.5, -69.5)), 0.02, 0.01, a)) for a in range(20)]
    shapes.append(Shape("polygon", (81.2, -69.6, 81.3, -69.6, 81.3, -69.7)))
    together = RegionSet("icrs", tuple(shapes)).to_pixels(WCS).shapes
    alone = [RegionSet("icrs", (shape,)).to_pixels(WCS).shapes[0] for shape in shapes]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=1e-9)


def test_what_is_no_regular_file_or_too_large_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "fifo.reg")
    with pytest.raises(RegionError, match="FIFO"):
        RegionSet.read(tmp_path / "fifo.reg")
    with (tmp_path / "huge.reg").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(RegionError, match="1024 MB"):
        RegionSet.read(tmp_path / "huge.reg")
    (tmp_path / "link.reg").symlink_to(tmp_path / "gone.reg")
    with pytest.raises(InputNotFoundError, match="no such region file"):
        RegionSet.read(tmp_path / "link.reg")
