"""Crowded fields: a source among its own interlopers, samples whose members are interlopers, catalogues on disk."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table

import xtendsrc as xs
from xtendsrc.errors import InputFileError, NoObservationsError, RegionError, RequestError
from xtendsrc.instrument import CALIBRATION_SOURCES
from xtendsrc.regions import RegionSet
from xtendsrc.source.interlopers import Interlopers


@pytest.fixture
def catalogue(position):
    """The star, five arcsec off, and two neighbours 3 and 12 arcmin away."""
    places = [
        position.directional_offset_by(40 * u.deg, 5 * u.arcsec),
        position.directional_offset_by(90 * u.deg, 3 * u.arcmin),
        position.directional_offset_by(200 * u.deg, 12 * u.arcmin),
    ]
    sky = SkyCoord(places)
    return Table(
        {"NAME": ["S1", "S2", "S3"], "RA": sky.ra, "DEC": sky.dec, "RADIUS": [1.0, 1.5, 2.0] * u.arcmin}, copy=False
    )


def make(archive, tmp_path, target, name="star", cls=xs.PointSource, **options):
    return cls(target, 2 * u.arcmin, name=name, archive=archive, output=tmp_path / "out", **options)


def centres(region):
    return SkyCoord([s.values[:2] for s in region.shapes], unit="deg")


def test_the_source_itself_is_no_interloper(archive, tmp_path, position, catalogue):
    source = make(archive, tmp_path, position, interlopers=catalogue)
    assert np.round(centres(source.interlopers).separation(position).arcmin).tolist() == [3, 12]
    assert source.region.contains_sky(position)
    east = position.directional_offset_by(90 * u.deg, 1.7 * u.arcmin)
    assert not source.region.contains_sky(east)  # in the circle of S2
    assert len(source.region.shapes) == 2  # S3 is too far away to matter


def test_the_source_is_known_by_its_name_within_its_radius(archive, tmp_path, position, catalogue):
    beside = position.directional_offset_by(40 * u.deg, 65 * u.arcsec)
    assert len(make(archive, tmp_path, beside, name="s1", interlopers=catalogue).interlopers.shapes) == 2
    assert len(make(archive, tmp_path, beside, name="other", interlopers=catalogue).interlopers.shapes) == 3


@pytest.mark.parametrize("ending", ["fits", "csv", "ecsv", "xml", "fits.gz"])
def test_catalogue_files_are_read(archive, tmp_path, position, catalogue, ending):
    path = tmp_path / f"catalogue.{ending}"
    table, radius = (catalogue, None) if ending != "csv" else (catalogue["NAME", "RA", "DEC"], 1.5 * u.arcmin)
    table.write(path, format="votable" if ending == "xml" else None)
    source = make(archive, tmp_path, position, interlopers=path, interloper_radius=radius)
    two = sorted(s.values[2] * 60 for s in source.interlopers.shapes)
    np.testing.assert_allclose(two, [1.5, 1.5] if ending == "csv" else [1.5, 2.0])


def test_a_region_file_is_read_as_such_and_what_is_neither_is_refused(archive, tmp_path, position):
    path = tmp_path / "others.reg"
    path.write_text(f"fk5\ncircle({position.ra.deg},{position.dec.deg},30\")\ncircle(81.5,-69.5,1')\n")
    assert len(make(archive, tmp_path, position, interlopers=path).interlopers.shapes) == 1
    (tmp_path / "broken.fits").write_bytes(b"nothing")
    with pytest.raises(InputFileError, match="broken"):
        make(archive, tmp_path, position, interlopers=tmp_path / "broken.fits")


def test_a_catalogue_row_without_a_position_is_named(position):
    table = Table({"ra": [81.0, np.nan], "dec": [-69.0, -69.0], "radius": [1.0, 1.0] * u.arcmin})
    with pytest.raises(RequestError, match="row 2"):
        Interlopers.of(table)
    with pytest.raises(RequestError, match="no column radius"):
        Interlopers.of(table["ra", "dec"])
    table["radius"].unit = None
    with pytest.raises(RequestError, match="no unit"):
        Interlopers.of(table)


def test_a_source_under_an_interloper_is_said_so(archive, tmp_path, position):
    cover = RegionSet.of([_circle(position.directional_offset_by(0 * u.deg, 1 * u.arcmin), 3)])
    source = make(archive, tmp_path, position, interlopers=cover)
    with pytest.raises(RegionError, match="covered by an interloper"):
        source.lightcurves()
    assert len(source.images()) == 2


def _circle(place, arcmin):
    from regions import CircleSkyRegion

    return CircleSkyRegion(place, arcmin * u.arcmin)


def test_members_of_a_sample_are_interlopers_of_one_another(archive, tmp_path, position):
    east = position.directional_offset_by(90 * u.deg, 3 * u.arcmin)
    far = position.directional_offset_by(270 * u.deg, 6 * u.arcmin)
    members = [make(archive, tmp_path, p, name=n) for p, n in ((position, "a"), (east, "b"), (far, "c"))]
    a, b, c = xs.Sample(members, mutual_interlopers=True)
    half = position.directional_offset_by(90 * u.deg, [1.45, 1.55] * u.arcmin)
    assert a.region.contains_sky(half).tolist() == [True, False]  # the two circles of 2' share the sky half-way
    assert b.region.contains_sky(half).tolist() == [False, True]
    assert len(c.region.shapes) == 1  # nobody touches it
    assert len(a.interlopers.shapes) == 2
    assert members[0].interlopers is None
    for dc in a.dataclasses("900001010"):
        background = a.background_region(dc)
        assert not background.contains_sky(SkyCoord([position, east, far])).any()


def test_a_sample_takes_its_own_table_as_interlopers(archive, tmp_path, position, catalogue):
    catalogue.rename_columns(["NAME", "RA", "DEC", "RADIUS"], ["name", "ra", "dec", "radius"])
    sample = xs.Sample.from_table(catalogue, archive=archive, output=tmp_path / "out", interlopers=catalogue)
    assert [len(s.interlopers.shapes) for s in sample] == [2, 2, 2]
    assert all(s.region.contains_sky(s.position) for s in sample)


def test_a_source_in_a_calibration_disc_is_a_failure_at_once(archive, tmp_path, position):
    dc = xs.Observation(archive / "900001010", output=tmp_path / "out").dataclasses["300000a0"]
    disc = CALIBRATION_SOURCES[0]
    inside = dc.geometry.det_to_icrs(disc.x + 10, disc.y)
    lost, star = make(archive, tmp_path, inside, name="lost"), make(archive, tmp_path, position)
    with pytest.raises(RegionError, match="calibration source"):
        lost.spectra()
    sample = xs.Sample([lost, star])
    spectra = sample.spectra(response=None)
    assert {s.source for s in spectra} == {"star"}
    assert "calibration source" in sample.failures["lost"]
    assert len(sample.images(obs_id="900001010")) == 2
    with pytest.raises(NoObservationsError, match="calibration source"):
        xs.Sample([lost]).spectra()
