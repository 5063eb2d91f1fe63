"""Effective areas: equal to the task's on its own rays, and right where the task is not."""

import gzip
import json
import re
import shutil

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from tests.responses.conftest import DATA
from xtendsrc import errors, responses
from xtendsrc.regions import RegionSet
from xtendsrc.responses.detectorregion import detector_regions
from xtendsrc.responses.exposuremap import read_exposure_map

ARF = DATA / "arf"
SOURCE = SkyCoord(81.2911529685034, -69.7154607713606, unit="deg")


def arguments(folder=ARF, suffix=".gz"):
    """What every call of `responses.arf` has."""
    return {
        "rays": folder / f"arf_gap_rt.fits{suffix}",
        "exposure_map": folder / f"emap.fits{suffix}",
        "region": folder / "arf_gap.reg",
        "region_frame": "DET",
        "teldef": folder / f"xtd.teldef{suffix}",
        "source": SOURCE,
        "rmf": folder / f"grid.rmf{suffix}",
        "quantum_efficiency": folder / f"qe.fits{suffix}",
        "contamination": folder / f"contam.fits{suffix}",
        "fine_area": folder / f"ea_fine.fits{suffix}",
        "coarse_area": folder / f"ea_coarse.fits{suffix}",
        "energies": (0.4, 12) * u.keV,
        "degree": 3,
    }


def put(hdus, number, rows):
    """Replace the rows of a table, keeping its header with the units."""
    table = fits.BinTableHDU.from_columns(hdus[number].columns, header=hdus[number].header, nrows=len(rows))
    for name in rows.dtype.names:
        table.data[name] = rows[name]
    hdus[number] = table


@pytest.fixture(scope="module")
def uncompressed(tmp_path_factory):
    """Uncompressed copies of the inputs."""
    folder = tmp_path_factory.mktemp("arf")
    for path in ARF.glob("*.gz"):
        (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    shutil.copy(ARF / "arf_gap.reg", folder)
    return folder


@pytest.fixture
def files(uncompressed, tmp_path):
    """Copies of the inputs to be edited; the arguments that name them."""
    shutil.copytree(uncompressed, tmp_path, dirs_exist_ok=True)
    return arguments(tmp_path, "")


@pytest.mark.parametrize(("name", "degree", "tolerance"), [("arf_gap_deg3", 3, 1e-6), ("arf_gap", None, 2e-5)])
def test_the_area_is_that_of_the_task(name, degree, tolerance, tmp_path):
    made = responses.arf(out=tmp_path / "a.arf", mode="task", **arguments() | {"degree": degree})
    with fits.open(made.path) as ours, fits.open(ARF / f"{name}.arf.gz") as theirs:
        a, b = ours["SPECRESP"], theirs["SPECRESP"]
        np.testing.assert_array_equal(a.data["ENERG_LO"], b.data["ENERG_LO"])
        np.testing.assert_array_equal(a.data["ENERG_HI"], b.data["ENERG_HI"])
        np.testing.assert_allclose(a.data["SPECRESP"], b.data["SPECRESP"], rtol=tolerance)
        for keyword in ("TELESCOP", "INSTRUME", "HDUCLAS1", "HDUCLAS2", "HDUVERS2", "ARFVERSN", "GEOMAREA", "OBSTIME"):
            assert a.header[keyword] == b.header[keyword], keyword
        assert a.header["DETNAM"] == "SXT"
    log = json.loads((ARF / "manifest.json").read_text())[name]["log"]
    rows = [re.match(r".*INFO: +([\d.]+) +(\d+)$", line) for line in log]
    counted = {float(row[1]): int(row[2]) for row in rows if row and float(row[1]) <= 12 and int(row[2]) > 100}
    assert dict(zip(made.traced_energy.tolist(), made.accepted.tolist(), strict=True)) == pytest.approx(counted)
    if degree is None:
        assert made.degree == 10


def test_an_area_without_the_fault_does_not_grow_with_the_photons(tmp_path, files, edit):
    """Repeating every ray leaves a right area as it is; the task accepts more of the later ones."""

    def twice(hdus):
        rays, sent = hdus[1].data, hdus[2].data
        again = rays.copy()
        again["ROWINDEX"] += 2500
        sent["NUMPHOTONS"] *= 2
        first = np.searchsorted(np.arange(1, 26) * 2500, rays["ROWINDEX"] - 1, side="right") * 2500
        rays["ROWINDEX"] += first
        again["ROWINDEX"] += first
        both = np.concatenate([np.array(rays), np.array(again)])
        put(hdus, 1, both[np.argsort(both["ROWINDEX"], kind="stable")])

    once = {m: responses.arf(out=tmp_path / "a.arf", mode=m, **files).traced_area for m in ("task", "right")}
    edit(files["rays"], twice)
    more = {m: responses.arf(out=tmp_path / "b.arf", mode=m, **files) for m in ("task", "right")}
    np.testing.assert_allclose(more["right"].traced_area, once["right"], rtol=1e-12)
    assert (more["task"].traced_area >= once["task"]).all()
    assert more["task"].traced_area.sum() > once["task"].sum() > once["right"].sum()
    assert np.median(more["right"].traced_error / more["right"].traced_area) == pytest.approx(
        1 / np.sqrt(1400), rel=0.1
    )


def test_no_transmission_and_no_gaps_give_the_telescope_alone(tmp_path, files, edit):
    """The area of a region that holds every ray is the traced doubly reflected fraction of the aperture."""

    def whole(hdus):
        hdus[2].data = hdus[2].data[:0]

    edit(files["exposure_map"], whole)
    files["region"].write_text("physical\ncircle(905,905,2000)\n")
    made = responses.arf(
        out=tmp_path / "a.arf", **files | {"quantum_efficiency": None, "contamination": None, "degree": 24}
    )
    with fits.open(files["rays"]) as hdus:
        rays, header = hdus[1].data, hdus[1].header
        codes = [re.findall("....", path) for path in rays["PATHCODE"]]
        double = [sum(c[1:] == "062" and c[0] in "23" for c in path) == 1 for path in codes]
        double &= np.array([sum(c[1:] == "072" and c[0] in "23" for c in path) == 1 for path in codes])
        on = (np.abs(745 + rays["FINALXPOS"] / 0.048 - 905.5) < 905) & (
            np.abs(722 + rays["FINALYPOS"] / 0.048 - 905.5) < 905
        )
        energy = rays["ENERGY"][double & on]
    expected = np.array([(energy == e).sum() for e in made.traced_energy]) / 2500 * header["GEOMAREA"]
    np.testing.assert_allclose(made.traced_area, expected * np.cos(np.radians(3.98 / 60)), rtol=1e-9)


def test_two_equal_attitude_bins_are_one(tmp_path, files, edit):
    """A bin cut into halves, each traced with half of the rays, gives the area of the whole."""
    whole = responses.arf(out=tmp_path / "a.arf", mode="right", **files)

    def split(hdus):
        table = hdus["OFFAXISHIST"]
        table.header["NUMEXMAP"] = 2
        rows = np.concatenate([np.array(table.data)] * 2)
        rows["FRACTION"] = 0.5
        put(hdus, 1, rows)
        second = hdus["PARTIALEXP001"].copy()
        second.name = "PARTIALEXP002"
        hdus.append(second)

    def halves(hdus):
        rays, sent = hdus[1].data, hdus[2].data
        energy, photon = np.divmod(rays["ROWINDEX"] - 1, 2500)
        half = photon // 1250
        rays["ROWINDEX"] = 1 + half * 25 * 1250 + energy * 1250 + photon % 1250
        hdus[2].header["NOFFAXIS"] = 2
        rows = np.concatenate([np.array(sent)] * 2)
        rows["NUMPHOTONS"] = 1250
        put(hdus, 2, rows)

    edit(files["exposure_map"], split)
    edit(files["rays"], halves)
    made = responses.arf(out=tmp_path / "b.arf", mode="right", **files)
    np.testing.assert_allclose(made.area, whole.area, rtol=1e-12)
    with pytest.raises(errors.CalibrationError, match='use mode="right"'):
        responses.arf(out=tmp_path / "c.arf", mode="task", **files)


@pytest.mark.parametrize("mode", ["task", "right"])
def test_regions_on_the_sky_are_placed_as_coordpnt_does(tmp_path, mode):
    """``coordpnt`` wrote these discs from circles of radius 92 and 91 at DET (920, 1530) and (919, 271)."""
    region = tmp_path / "sky.reg"
    region.write_text(
        "fk5\ncircle(80.15403617d,-69.76864615d,0.04518181d)\ncircle(81.93231851d,-69.71254868d,0.04469071d)\n"
    )
    bins = read_exposure_map(ARF / "emap.fits.gz", mode)
    (found,) = detector_regions(region, "RADEC", bins, ARF / "xtd.teldef.gz", mode)
    np.testing.assert_allclose(found.shapes[0].values, (920, 1530, 92), atol=1e-4)
    np.testing.assert_allclose(found.shapes[1].values, (919, 271, 91), atol=1e-4)


def test_a_turned_shape_on_the_sky_keeps_its_light(tmp_path, files):
    """A long box drawn on the sky and the same box on the detector accept the same rays."""
    box = RegionSet.read(ARF / "arf_gap.reg", frame="DET")
    shape = type(box.shapes[0])("box", (880.0, 722.0, 60.0, 20.0, 35.0), exclude=False)
    bins = read_exposure_map(files["exposure_map"], "right")
    from xtendsrc.instrument import Geometry

    geometry = Geometry(*bins.nominal, float(bins.pointing[0, 2]))
    on_sky = RegionSet("DET", (shape,)).to_frame("icrs", geometry)
    a = responses.arf(out=tmp_path / "a.arf", **files | {"region": RegionSet("DET", (shape,))})
    b = responses.arf(out=tmp_path / "b.arf", **files | {"region": on_sky, "region_frame": "RADEC"})
    np.testing.assert_allclose(b.traced_area, a.traced_area, rtol=2e-3)


def _set(name, value, hdu=1):
    return lambda hdus: hdus[hdu].header.__setitem__(name, value)


def _cell(column, row, value, hdu=1):
    return lambda hdus: hdus[hdu].data[column].__setitem__(row, value)


def _rows(number, hdu=1):
    def change(hdus):
        hdus[hdu].data = hdus[hdu].data[:number]

    return change


@pytest.mark.parametrize(
    ("argument", "change", "error", "words"),
    [
        ("quantum_efficiency", _set("INSTRUME", "SXS"), errors.CalibrationError, "for the instrument SXS"),
        ("quantum_efficiency", _cell("QE", (1, 5), np.nan), errors.CalibrationError, "QE: row 2"),
        ("quantum_efficiency", _cell("QE", (1, 5), 7.0), errors.CalibrationError, "between 0 and 1"),
        ("quantum_efficiency", _rows(1, 2), errors.CalibrationError, "the format demands 2"),
        ("contamination", _cell("TIME", slice(None), 1.6e8), errors.CalibrationError, "valid from mission time 1600"),
        ("contamination", _rows(2), errors.CalibrationError, "corners of"),
        ("contamination", lambda hdus: hdus.pop(3), errors.CalibrationError, "no extension 3"),
        ("fine_area", _set("TUNIT1", "Angstrom"), errors.CalibrationError, "not in eV or keV"),
        ("coarse_area", _cell("ENERGY", 3, 0.1), errors.CalibrationError, "do not rise"),
        ("coarse_area", _cell("EFFAREA", 3, -1.0), errors.CalibrationError, "is negative"),
        ("coarse_area", _cell("ENERGY", 3, 1.61), errors.CalibrationError, "not among those"),
        ("exposure_map", _set("NUMEXMAP", 0), errors.InputFileError, "NUMEXMAP is 0"),
        ("exposure_map", lambda hdus: hdus.pop(2), errors.InputFileError, "no extension PARTIALEXP001"),
        ("rays", _set("NOFFAXIS", 4, 2), errors.CalibrationError, "traced for 4 off-axis angles"),
        ("rays", _cell("PATHCODE", slice(None), "206210110000"), errors.CalibrationError, "both mirrors"),
        ("rays", _cell("INITIALTHETA", slice(None), 1.0, 2), errors.InputFileError, "1.00' off axis; the source is at"),
        ("rmf", _set("EXTNAME", "EBOUNDS"), errors.InputFileError, "no extension MATRIX"),
        ("rmf", _set("INSTRUME", "RESOLVE"), errors.CalibrationError, "for the instrument RESOLVE"),
        ("rays", _set("INSTRUME", "RESOLVE"), errors.CalibrationError, "for the instrument RESOLVE"),
        ("exposure_map", _set("INSTRUME", "RESOLVE"), errors.CalibrationError, "not for RESOLVE"),
        ("teldef", _set("INSTRUME", "RESOLVE", 0), errors.CalibrationError, "for the instrument RESOLVE"),
    ],
)
def test_bad_files_are_named(argument, change, error, words, tmp_path, files, edit):
    edit(files[argument], change)
    with pytest.raises(error, match=words) as caught:
        responses.arf(out=tmp_path / "a.arf", **files)
    assert any(path.name in str(caught.value) for path in tmp_path.iterdir())
    assert not (tmp_path / "a.arf").exists()


@pytest.mark.parametrize("mode", ["task", "right"])
def test_contamination_of_several_epochs(mode, tmp_path, files, edit):
    """The layer at the observation's time is taken; the task would read beyond the file, so it is refused."""
    before = responses.arf(out=tmp_path / "a.arf", **files | {"mode": "right"})

    def epochs(hdus):
        rows = np.concatenate([np.array(hdus[1].data)] * 3)
        rows["TIME"] = np.repeat([5e7, 1e8, 2e8], 3)
        rows["COLUMN"][:3] = 9.0
        rows["COLUMN"][6:] = 99.0
        put(hdus, 1, rows)

    edit(files["contamination"], epochs)
    if mode == "task":
        with pytest.raises(errors.CalibrationError, match="3 epochs"):
            responses.arf(out=tmp_path / "b.arf", **files | {"mode": mode})
    else:
        made = responses.arf(out=tmp_path / "b.arf", **files | {"mode": mode})
        np.testing.assert_allclose(made.area, before.area, rtol=1e-12)


def test_what_makes_no_sense_is_refused(tmp_path, files):
    out = tmp_path / "a.arf"
    with pytest.raises(errors.InputNotFoundError, match="nowhere"):
        responses.arf(out=out, **files | {"coarse_area": tmp_path / "nowhere.fits"})
    with pytest.raises(errors.RequestError, match="region_frame"):
        responses.arf(out=out, **files | {"region_frame": "SKY"})
    with pytest.raises(errors.RequestError, match="in pixels, not on the sky"):
        responses.arf(out=out, **files | {"region_frame": "RADEC"})
    more = {"energies": (0.4, 15) * u.keV, "coarse_area": _longer(files["coarse_area"], tmp_path)}
    with pytest.raises(errors.RequestError, match=r"covers 0\.4-12 keV, not 0\.4-15 keV"):
        responses.arf(out=out, **files | more)
    with pytest.raises(errors.UnitsError, match="energies"):
        responses.arf(out=out, **files | {"energies": (0.4, 12) * u.s})
    with pytest.raises(errors.RequestError, match="degree -1"):
        responses.arf(out=out, **files | {"degree": -1})
    files["region"].write_text("physical\ncircle(100,100,5)\n")
    with pytest.raises(errors.RegionError, match="No ray"):
        responses.arf(out=out, **files)


def _longer(path, folder):
    """A coarse area that goes on to 15 keV."""
    with fits.open(path) as hdus:
        row = np.array(hdus[1].data[-1:])
        row["ENERGY"] = 15.0
        put(hdus, 1, np.concatenate([np.array(hdus[1].data), row]))
        hdus.writeto(folder / "longer.fits")
    return folder / "longer.fits"
