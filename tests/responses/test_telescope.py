"""The telescope of the tracer: closed forms, laws of reflection, bars, films, collimators, and damaged files."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

from tests.responses.test_tracing import REFLECTIVITY, SCATTERING, TEL20
from xtendsrc import errors, responses
from xtendsrc.responses import passage
from xtendsrc.responses.cones import BACK, FRONT

FOCAL = 5600.0
ARCSEC = np.deg2rad(1 / 3600)


@pytest.fixture
def telescope(tmp_path):
    """Uncompressed copies of the telescope, reflectivity and scattering files, to be edited."""
    for path in (TEL20, REFLECTIVITY, SCATTERING):
        with fits.open(path, memmap=False) as hdus:
            hdus.writeto(tmp_path / path.stem)
    return tuple(tmp_path / path.stem for path in (TEL20, REFLECTIVITY, SCATTERING))


def perfect(hdus):
    """Let the fronts of the foils reflect everything."""
    hdus["REFPROBFRONT"].data["RefProb01"] = 1.0


def trace(telescope, off_axis=0 * u.arcmin, photons=20_000, **more):
    return responses.trace(*telescope[:2], energies=[4] * u.keV, off_axis=off_axis, photons=photons, **more)


def area(traced):
    return traced.effective_area[0, 0].to_value(u.cm**2)


def centre(traced):
    """Mean place of the image, mm."""
    rays = traced.as_rays()
    return np.average(rays.x, weights=rays.weight[:, 0]), np.average(rays.y, weights=rays.weight[:, 0])


def mean_radius(traced):
    """Mean distance of the double reflections from the axis, mm."""
    rays = traced.as_rays()
    return np.average(np.hypot(rays.x, rays.y), weights=rays.weight[:, 0])


def set_columns(number, **values):
    """A change of the foils of one layer."""

    def change(hdus):
        rows = hdus["MIRROR"].data["LAYER"] == number
        for name, value in values.items():
            hdus["MIRROR"].data[name][rows] = value

    return change


def set_segments(component, **values):
    def change(hdus):
        rows = hdus["SEGMENT"].data["COMPONENT"] == component
        for name, value in values.items():
            hdus["SEGMENT"].data[name][rows] = value

    return change


def bars(*polygons):
    """A change of the support structure, from heights and vertices."""

    def change(hdus):
        old = hdus["OBSTRUCT"]
        rows = [(2, i + 1, z, x, y) for i, (z, vertices) in enumerate(polygons) for x, y in vertices]
        hdus["OBSTRUCT"] = fits.BinTableHDU(np.array(rows, old.data.dtype.newbyteorder("=")), name="OBSTRUCT")

    return change


def test_perfect_foils_collect_the_open_area_between_them(telescope, edit):
    edit(telescope[1], perfect)
    with fits.open(telescope[0]) as hdus:
        foils = hdus["MIRROR"].data
        foils = foils[(foils["LAYER"] == 1) & (foils["ASSEMBLY"] == 1)]
        outer = foils["TOPINR"]
        inner = np.maximum(foils["BOTINR"], np.concatenate([[0], foils["TOPOUTR"][:-1]]))
    open_area = np.pi * (outer**2 - inner**2).sum() / 100
    assert area(trace(telescope)) == pytest.approx(open_area, rel=0.003)


def test_an_image_lies_opposite_to_the_source(telescope):
    x, y = centre(trace(telescope, off_axis=3 * u.arcmin, roll=90 * u.deg))
    assert x == pytest.approx(0, abs=0.02)
    assert y == pytest.approx(-FOCAL * np.tan(np.deg2rad(3 / 60)), rel=0.01)


def test_the_telescope_turned_turns_nothing_that_is_round(telescope, edit):
    before = trace(telescope, off_axis=3 * u.arcmin)
    edit(telescope[0], lambda hdus: hdus["MIRROR"].header.set("TELFPROT", 90.0))
    after = trace(telescope, off_axis=3 * u.arcmin)
    assert area(after) == pytest.approx(area(before), rel=0.01)
    assert centre(after) == pytest.approx(centre(before), abs=0.02)


def test_a_mirror_shifted_as_a_whole_shifts_its_image(telescope, edit):
    before = trace(telescope)
    for component in (2, 3):
        edit(telescope[0], set_segments(component, DELTAX=0.3, DELTAY=-0.2))
    after = trace(telescope)
    assert np.subtract(centre(after), centre(before)) == pytest.approx([0.3, -0.2], abs=0.01)
    assert area(after) == pytest.approx(area(before), rel=0.03)


def test_a_mirror_turned_about_its_axis_sees_the_same(telescope, edit):
    before = trace(telescope, off_axis=2 * u.arcmin)
    for component in (2, 3):
        edit(telescope[0], set_segments(component, DELTATZ=40.0))
    after = trace(telescope, off_axis=2 * u.arcmin)
    assert area(after) == pytest.approx(area(before), rel=0.005)
    assert centre(after) == pytest.approx(centre(before), abs=0.01)


def test_a_whole_mirror_tilted_about_the_focus_leaves_the_image_of_its_own_axis(telescope, edit):
    """Tilted by an angle about the focus, it sees a source at that angle as one on its axis."""
    before = trace(telescope)
    for component in (2, 3):
        edit(telescope[0], set_segments(component, DELTATY=1.0))
    with fits.open(telescope[0]) as hdus:
        assert hdus["MIRROR"].header["FOCALLEN"] == FOCAL
    after = trace(telescope, off_axis=1 * u.arcmin)
    assert area(after) == pytest.approx(area(before), rel=0.03)
    assert centre(after)[1] == pytest.approx(centre(before)[1], abs=0.01)


def test_tilted_secondaries_turn_the_rays_by_twice_the_tilt(telescope, edit):
    """At an azimuth a from the middle of a foil, covering a quarter turn, a ray is turned by the tilt times cos a."""
    radii = []
    for tilt in (60.0, -60.0):
        edit(telescope[0], set_columns(2, SYSTILT=tilt))
        radii.append(mean_radius(trace(telescope)))
    mean_cosine = np.sin(np.pi / 4) / (np.pi / 4)
    assert np.mean(radii) == pytest.approx(2 * 60 * ARCSEC * (FOCAL - 60) * mean_cosine, rel=0.02)


def test_tilts_of_primaries_and_secondaries_cancel_where_they_ought_to(telescope, edit):
    """The primary tilted by t turns a ray by -2t, and the secondary then by +2t."""
    before = mean_radius(trace(telescope))
    for number in (1, 2):
        edit(telescope[0], set_columns(number, SYSTILT=60.0))
    assert mean_radius(trace(telescope)) < before + 0.05 * 2 * 60 * ARCSEC * FOCAL


def test_twisted_foils_shift_their_image_along_the_circle(telescope, edit):
    """A foil turned by -t about its own middle is one turned about the axis and shifted by radius times t."""
    twist = 600.0
    edit(telescope[0], bars((5800.0, [(-200, -200), (200, -200), (200, 0), (0, 0), (0, 200), (-200, 200)])))
    before = trace(telescope)
    with fits.open(telescope[0]) as hdus:
        radius = np.mean(hdus["MIRROR"].data["TOPINR"])
    for number in (1, 2):
        edit(telescope[0], set_columns(number, SYSTWIST=twist))
    shift = radius * twist * ARCSEC * np.array([-1, 1]) / np.sqrt(2)
    assert np.subtract(centre(trace(telescope)), centre(before)) == pytest.approx(shift, abs=0.02)


def test_a_bar_stops_its_share(telescope, edit):
    before = area(trace(telescope))
    quarter = (5800.0, [(0, 0), (200, 0), (200, 200), (0, 200)])
    edit(telescope[0], bars(quarter))
    assert area(trace(telescope)) == pytest.approx(0.75 * before, rel=0.005)


def test_a_concave_bar_is_seen_as_it_is(telescope, edit):
    before = area(trace(telescope))
    corner = [(-200, -200), (200, -200), (200, 0), (0, 0), (0, 200), (-200, 200)]
    edit(telescope[0], bars((5605.0, corner)))
    assert area(trace(telescope)) == pytest.approx(0.25 * before, rel=0.02)


def test_a_wall_between_sectors_stops_only_rays_that_cross_it(telescope, edit):
    before = trace(telescope, off_axis=6 * u.arcmin)
    for number in (1, 2):
        edit(telescope[0], set_columns(number, SCROSS=False, ECROSS=False))
    after = trace(telescope, off_axis=6 * u.arcmin)
    assert 0.99 < area(after) / area(before) < 1.0


@pytest.mark.parametrize("heights", [(5720.0, 5720.01), (5450.0, 5450.01)])
def test_a_film_lets_through_what_its_depth_says(telescope, edit, heights):
    before = area(trace(telescope))

    def cover(hdus):
        film = hdus["AZIMUTHALSTRUCT"].data
        film["RMIN"][0], film["RMAX"][0], film["MABSINDEX"][0] = 50, 200, 2
        film["ZMIN"][0], film["ZMAX"][0] = heights

    edit(telescope[0], cover)
    with fits.open(telescope[1]) as hdus:
        table = hdus["MASS_ABSORPTION"].data
        coefficient = table["mabscoef02"][table["ENERGY"] == 4.0][0]
    through = np.exp(-coefficient * 2.7 * (heights[1] - heights[0]) / 10)
    assert area(trace(telescope)) == pytest.approx(through * before, rel=0.002)


def with_collimator(hdus):
    """Add blades, cylinders as thick as the foils, above them."""
    foils = hdus["MIRROR"].data[hdus["MIRROR"].data["LAYER"] == 1].copy()
    for name in ("INR", "OUTR"):
        foils[f"BOT{name}"] = foils[f"TOP{name}"]
    foils["TOPD"], foils["BOTD"], foils["FUNCTION"] = 5770.0, 5720.0, 1
    foils["FREFLECT"] = foils["BREFLECT"] = "RefProbPcol"
    table = fits.BinTableHDU(foils, name="COLLIMATOR")
    for name in ("HXPCSHFT", "HYPCSHFT", "TLTPVPCL"):
        table.header[name] = 0.0
    hdus.append(table)


def with_blade_reflectivity(hdus):
    back = hdus["REFPROBBACK"].copy()
    back.name = "REFPROBPCOL"
    back.columns.change_name("RefProbBack", "RefProbPcol")
    hdus.append(back)


def test_a_collimator_stops_stray_light_and_not_the_image(telescope, edit):
    bare, bare_off = trace(telescope), trace(telescope, off_axis=12 * u.arcmin)
    edit(telescope[0], with_collimator)
    edit(telescope[1], with_blade_reflectivity)
    covered, covered_off = trace(telescope), trace(telescope, off_axis=12 * u.arcmin)
    assert area(covered) == pytest.approx(area(bare), rel=0.005)
    assert stray(covered_off) < 0.7 * stray(bare_off)


def stray(traced):
    """Area for what reaches the focal plane without two reflections."""
    weight = [0.0]
    for arrivals in traced.arrivals[0].values():
        rays = traced.telescope.optics.survival(arrivals.code, arrivals.value, traced.energies_kev)
        weight.append(rays[~arrivals.double].sum() / arrivals.drawn.sum())
    return sum(weight) * traced.telescope.mirror.aperture_area


def drop(name):
    return lambda hdus: hdus.pop(hdus.index_of(name))


def drop_column(extension, name):
    def change(hdus):
        hdu = hdus[extension]
        kept = fits.ColDefs([c for c in hdu.columns if c.name != name])
        header = hdu.header.copy()
        hdus[extension] = fits.BinTableHDU.from_columns(kept, name=extension)
        for key in ("FOCALLEN", "PMINRAD", "PMAXRAD", "INSTRUME", "TELESCOP"):
            if key in header:
                hdus[extension].header[key] = header[key]

    return change


def keep_rows(extension, count):
    def change(hdus):
        hdus[extension].data = hdus[extension].data[:count]

    return change


def put(extension, name, row, value):
    def change(hdus):
        hdus[extension].data[name][row] = value

    return change


def del_key(extension, name):
    return lambda hdus: hdus[extension].header.remove(name)


def pad(hdus):
    hdus["SEGMENT1"].data["SCAT1"][0, 3, 0] = 5.0


FAULTS = [
    (0, drop("MIRROR"), errors.CalibrationError, "MIRROR"),
    (0, drop("OBSTRUCT"), errors.CalibrationError, "OBSTRUCT"),
    (0, drop("SEGMENT"), errors.CalibrationError, "SEGMENT"),
    (0, drop("SURFACE"), errors.CalibrationError, "SURFACE"),
    (0, drop_column("MIRROR", "TOPINR"), errors.MissingColumnError, "TOPINR"),
    (0, del_key("MIRROR", "FOCALLEN"), errors.MissingKeywordError, "FOCALLEN"),
    (0, lambda h: h["MIRROR"].header.set("INSTRUME", "HXI1"), errors.CalibrationError, "HXI1"),
    (0, lambda h: h["MIRROR"].header.set("PMINRAD", 300.0), errors.CalibrationError, "PMINRAD"),
    (0, put("MIRROR", "BOTINR", 7, np.nan), errors.CalibrationError, "BOTINR"),
    (0, put("MIRROR", "LAYER", slice(None), 1), errors.CalibrationError, "layers"),
    (0, put("MIRROR", "NUMBER", slice(None), 1), errors.CalibrationError, "two shells"),
    (0, put("MIRROR", "TOPOUTR", 3, 50.0), errors.CalibrationError, "outer radius"),
    (0, put("MIRROR", "TOPD", 3, 50.0), errors.CalibrationError, "TOPD"),
    (0, put("MIRROR", "FREFLECT", 3, "RefProb09"), errors.MissingColumnError, "REFPROB09"),
    (0, put("MIRROR", "ASSEMBLY", 3, 9), errors.CalibrationError, "segment 9"),
    (0, keep_rows("OBSTRUCT", 2), errors.CalibrationError, "OBSTRUCT has 2 rows"),
    (0, keep_rows("AZIMUTHALSTRUCT", 5), errors.CalibrationError, "AZIMUTHALSTRUCT has 5 rows"),
    (0, keep_rows("SEGMENT", 2), errors.CalibrationError, "SEGMENT has 2 rows"),
    (0, lambda h: h["MIRROR"].columns.change_unit("FSTART", "deg"), errors.CalibrationError, "FSTART"),
    (0, lambda h: h["MIRROR"].columns.change_unit("TOPINR", "cm"), errors.CalibrationError, "TOPINR"),
    (1, lambda h: h["REFPROBFRONT"].columns.change_unit("ANGLE", "deg"), errors.CalibrationError, "ANGLE"),
    (1, drop("REFPROBBACK"), errors.CalibrationError, "REFPROBBACK"),
    (1, drop("MASS_ABSORPTION"), errors.CalibrationError, "MASS_ABSORPTION"),
    (1, drop_column("REFPROBFRONT", "ANGLE"), errors.MissingColumnError, "ANGLE"),
    (1, put("REFPROBFRONT", "RefProb01", (5, 6), np.nan), errors.CalibrationError, "REFPROB01"),
    (1, put("REFPROBFRONT", "RefProb01", (5, 6), 1.5), errors.CalibrationError, "probabilities"),
    (1, put("REFPROBFRONT", "ANGLE", (5, 6), 0.9), errors.CalibrationError, "ANGLE"),
    (1, put("REFPROBFRONT", "ENERGY", 5, 90.0), errors.CalibrationError, "do not rise"),
    (2, drop("SEGMENT3"), errors.CalibrationError, "SEGMENT3"),
    (2, drop_column("SEGMENT1", "SCAT1"), errors.MissingColumnError, "SCAT1"),
    (2, del_key("SEGMENT1", "1CDLT2"), errors.MissingKeywordError, "1CDLT2"),
    (2, put("SEGMENT1", "SCAT1", (0, 3), -1.0), errors.CalibrationError, "without any probability"),
    (2, pad, errors.CalibrationError, "padded"),
]


@pytest.mark.parametrize(("number", "change", "error", "words"), FAULTS, ids=[str(i) for i in range(len(FAULTS))])
def test_a_damaged_file_is_named_with_its_fault(telescope, edit, number, change, error, words):
    edit(telescope[number], change)
    with pytest.raises(error) as raised:
        responses.trace(*telescope, energies=[4] * u.keV, off_axis=0 * u.arcmin, photons=100)
    assert words in str(raised.value)
    assert any(path.name in str(raised.value) for path in telescope)
    assert raised.value.next_step


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_missing_or_foreign_file_is_named(telescope, number):
    telescope[number].unlink()
    with pytest.raises(errors.InputNotFoundError, match=telescope[number].name):
        responses.trace(*telescope, energies=[4] * u.keV, off_axis=0 * u.arcmin, photons=100)
    telescope[number].write_text("no FITS file")
    with pytest.raises(errors.CalibrationError, match=telescope[number].name):
        responses.trace(*telescope, energies=[4] * u.keV, off_axis=0 * u.arcmin, photons=100)


def test_foils_farther_away_are_not_missed(telescope, edit, monkeypatch):
    """Looking at foils six shells away and at the next sector from everywhere finds the same paths."""
    random = np.random.default_rng(3)

    def disturb(hdus):
        foils = hdus["MIRROR"].data
        for name, size in (("SYSTILT", 40.0), ("SYSTWIST", 40.0), ("SECTORSHIFT", 0.05)):
            foils[name] = random.normal(0, size, len(foils))

    edit(telescope[0], disturb)
    near = trace(telescope, off_axis=9 * u.arcmin, photons=5000)
    monkeypatch.setattr(passage, "MISALIGNED", tuple((step, (BACK, FRONT)) for step in range(-7, 7)))
    monkeypatch.setattr(passage, "NEAR_SIDE", 10.0)
    far = trace(telescope, off_axis=9 * u.arcmin, photons=5000)
    assert area(near) == pytest.approx(area(far), rel=1e-12)
    assert stray(near) == pytest.approx(stray(far), rel=1e-12)
