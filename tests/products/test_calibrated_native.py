"""Calibrated spectra without HEASoft, from a calibration database with made-up content."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

import xtendsrc as xs
from tests.caldb.conftest import CONTENT, MIRROR, MIRROR_ROWS, ROWS, WHERE, make_tree
from xtendsrc import caldb
from xtendsrc.cli import main
from xtendsrc.cli.comparison import differences
from xtendsrc.testing.heasoft import environment, install


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    root = tmp_path_factory.mktemp("calibration") / "caldb"
    return make_tree(root, CONTENT | MIRROR, [*ROWS, *MIRROR_ROWS])


@pytest.fixture(scope="module")
def spectrum(archive, position, database, tmp_path_factory):
    star = xs.PointSource(position, name="star", archive=archive, output=tmp_path_factory.mktemp("calibrated"))
    with xs.settings(caldb=database, progress=False):
        found = star.spectrum(response="calibrated", obs_id="900001010", engine="native")
        xs.compute(found)
    return found


def test_matrix_and_area_are_calibrated_and_say_what_made_them(spectrum, database):
    assert spectrum.calibrated
    assert spectrum.rmf.matrix.shape == (6400, 4096)
    header = spectrum.rmf.header
    assert header["CALSTAT"] == "CALIBRATED"
    assert "rmfparam.fits" in str(header["HISTORY"])
    with xs.settings(caldb=database):
        version = caldb.version()
    for product in (spectrum.rmf, spectrum.arf):
        assert product.provenance["engine"] == "native"
        assert product.provenance["versions"]["caldb"] == version


def test_the_spectrum_names_its_responses(spectrum):
    with fits.open(spectrum.path) as hdus:
        header = hdus["SPECTRUM"].header
    assert header["RESPFILE"] == spectrum.rmf.path.name
    assert header["ANCRFILE"] == spectrum.arf.path.name


def test_the_matrix_puts_photons_where_the_parameters_say(spectrum):
    """At 6 keV the main peak is at 6 keV, and the row holds every photon."""
    rmf = spectrum.rmf
    energy = rmf.energies.value.mean(axis=1)
    row = rmf.matrix[[int(np.searchsorted(energy, 6.0))]].toarray()[0]
    middle = rmf.channel_energies.value.mean(axis=1)
    assert middle[row.argmax()] == pytest.approx(6.0, abs=0.03)
    assert row.sum() == pytest.approx(1, abs=1e-4)


def test_the_area_is_below_that_on_axis_and_of_its_size(spectrum, database):
    """20 shells have 50 cm2 on axis; region, gaps, efficiency and filter take part of it."""
    area, energy = spectrum.arf.area.value, spectrum.arf.energies.value.mean(axis=1)
    with fits.open(database / WHERE / "areas.fits") as hdus:
        on_axis = np.interp(energy, hdus[1].data["ENERGY"], hdus[1].data["EFFAREA"])
    inside = (energy > 1) & (energy < 8)
    assert (area[inside] < on_axis[inside]).all()
    assert area[inside].max() > 0.2 * on_axis[inside].max()
    assert (area[energy > 12.1] == 0).all()


def test_a_second_region_shares_the_ray_trace(spectrum, archive, position, tmp_path):
    other = xs.PointSource(position, name="star", radius=1 * u.arcmin, archive=archive, output=tmp_path)
    small = other.spectrum(response="calibrated", obs_id="900001010", engine="native")
    assert small.request.arf.raytrace.expmap == spectrum.request.arf.raytrace.expmap
    assert small.request.arf.raytrace.position == spectrum.request.arf.raytrace.position
    assert small.request.arf.key != spectrum.request.arf.key


def test_without_calibration_files_nothing_falls_back_to_nominal(archive, position, tmp_path):
    star = xs.PointSource(position, name="star", archive=archive, output=tmp_path / "out")
    root = make_tree(tmp_path / "caldb", CONTENT, ROWS)
    wanted = star.spectrum(response="calibrated", obs_id="900001010", engine="native")
    with xs.settings(caldb=root, progress=False):
        report = xs.compute(wanted, quiet=True)
        assert len(report.failed) == 3  # rays, area and the spectrum that would name it
        assert "no MIRROR" in repr(report)
        (root / WHERE / "rmfparam.fits").unlink()
        assert "rmfparam.fits" in repr(xs.compute(wanted.rmf, quiet=True, force=True))
    assert not list((tmp_path / "out").rglob("*NOMINAL*"))


@pytest.mark.slow
def test_the_doctor_compares_both_engines(archive, position, database, tmp_path, monkeypatch, capsys):
    """The stand-in tasks have areas of their own, so that only the form of the table can be looked at."""
    for name, value in environment(install(tmp_path / "headas")).items():
        monkeypatch.setenv(name, value)
    with xs.settings(caldb=database, progress=False, runner="direct"):
        place = [f"{position.ra.deg}", f"{position.dec.deg}"]
        assert main(["doctor", "--responses", str(archive / "900001010"), *place]) == 0
        rows = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert rows[0][:3] == ["keV", "heasoft", "cm2"]
        assert len(rows) > 10
        assert main(["doctor", "--responses", str(archive / "900001010"), "here", "there"]) == 1


def test_equal_responses_do_not_differ(spectrum):
    found = differences((spectrum.rmf, spectrum.arf), (spectrum.rmf, spectrum.arf))
    assert len(found) == 12
    assert all(d.first == d.second > 0 and d.shift == 0 and d.moved == 0 for d in found)
