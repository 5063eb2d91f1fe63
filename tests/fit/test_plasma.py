"""apec and its kin: against tables whose sums are known, and against XSPEC's library on AtomDB's own."""

import numpy as np
import pytest
from astropy.io import fits

import xtendsrc as xs
from xtendsrc import cli
from xtendsrc.errors import InputFileError, TablesMissingError
from xtendsrc.fit import atomdb as tables_of_atomdb
from xtendsrc.fit.catalogue import components
from xtendsrc.fit.library import LibraryModels
from xtendsrc.fit.model import parse
from xtendsrc.fit.response import Response
from xtendsrc.settings import cache_directory

KEV_ANGSTROM = 12.39841974
EDGES = np.linspace(0.2, 12, 5901)
TEMPERATURES = (1.0, 2.0)
LINES = {26: (6.7, 3e-17), 8: (0.65, 5e-17), 1: (1.2, 1e-17), 24: (5.4, 2e-18)}
"""Element, energy and emissivity at 1 keV; twice as much at 2 keV."""


def write_tables(root, temperatures=TEMPERATURES):
    """Two temperatures, four lines, and a continuum of hydrogen that is 1e-16 from 0.1 to 10 keV."""

    def hdu(name, columns):
        made = [fits.Column(name=n, format=f, array=a) for n, f, a in columns]
        return fits.BinTableHDU.from_columns(made, name=name)

    parameters = hdu("PARAMETERS", [("kT", "1E", temperatures)])
    lines, continua = [fits.PrimaryHDU(), parameters], [fits.PrimaryHDU(), parameters]
    for place in range(len(TEMPERATURES)):
        wavelength = [KEV_ANGSTROM / energy for energy, _ in LINES.values()]
        emissivity = [(place + 1) * strength for _, strength in LINES.values()]
        columns = [("Lambda", "1E", wavelength), ("Epsilon", "1E", emissivity), ("Element", "1J", list(LINES))]
        lines.append(hdu("EMISSIVITY", columns))
        energy, flat = np.array([[0.1, 3.0, 10.0, 0.0]]), np.array([[1e-16, 1e-16, 1e-16, 9.0]])
        columns = [("Z", "1J", [1]), ("rmJ", "1J", [0])]
        columns += [("N_Cont", "1J", [3]), ("E_Cont", "4E", energy), ("Continuum", "4E", flat)]
        columns += [("N_Pseudo", "1J", [0]), ("E_Pseudo", "4E", energy), ("Pseudo", "4E", flat)]
        continua.append(hdu("EMISSIVITY", columns))
    fits.HDUList(lines).writeto(f"{root}_line.fits")
    fits.HDUList(continua).writeto(f"{root}_coco.fits")
    return root


@pytest.fixture
def small(tmp_path):
    root = write_tables(tmp_path / "apec_v9.8.7")
    with xs.settings(atomdb=root):
        yield root


def near(photons, energy, width=0.01):
    """What stands above the continuum near an energy."""
    low, high = np.searchsorted(EDGES, [energy - width, energy + width])
    return photons[low:high].sum() - 0.01 * np.diff(EDGES[[low, high]])[0]


def test_lines_and_continuum_have_the_strength_of_the_table(small):
    photons = parse("apec", abund="angr").evaluate([1.0, 1.0, 0.0, 1.0], EDGES)
    for energy, strength in LINES.values():
        assert near(photons, energy) == pytest.approx(1e14 * strength, rel=1e-5)
    assert photons[100] == pytest.approx(1e14 * 1e-16 * 0.002, rel=1e-6)
    assert photons[EDGES[:-1] > 10.001].sum() == 0


def test_temperatures_in_between_are_interpolated_and_those_beyond_are_the_last(small):
    model = parse("apec", abund="angr")
    strength = [near(model.evaluate([kt, 1.0, 0.0, 1.0], EDGES), 6.7) for kt in (0.5, 1.0, 1.25, 2.0, 30.0)]
    assert np.allclose(strength, 3e-3 * np.array([1, 1, 1.25, 2, 2]), rtol=1e-5)


def test_abundances_are_those_of_the_metals_only(small):
    photons = parse("apec", abund="angr").evaluate([1.0, 0.3, 0.0, 1.0], EDGES)
    assert near(photons, 6.7) == pytest.approx(0.3 * 3e-3, rel=1e-5)
    assert near(photons, 1.2) == pytest.approx(1e-3, rel=1e-5)
    assert near(photons, 5.4) == pytest.approx(2e-4, rel=1e-5)  # chromium
    lodders = parse("apec", abund="lodd").evaluate([1.0, 0.3, 0.0, 1.0], EDGES)
    assert near(lodders, 6.7) == pytest.approx(0.3 * 3e-3 * 2.95e-5 / 4.68e-5, rel=1e-5)


def test_elements_are_free_one_by_one(small):
    model = parse("vvapec", abund="angr")
    values = model.values
    values[0] = 1.0
    values[[model.index("Cr"), model.index("Fe"), model.index("O")]] = 2.0, 0.5, 0.0
    photons = model.evaluate(values, EDGES)
    assert near(photons, 5.4) == pytest.approx(4e-4, rel=1e-5)
    assert near(photons, 6.7) == pytest.approx(1.5e-3, rel=1e-5)
    assert near(photons, 0.65) == pytest.approx(0, abs=1e-8)
    model = parse("vapec", abund="angr")
    values = model.values
    values[0] = 1.0
    values[model.index("Fe")] = 0.5
    assert near(model.evaluate(values, EDGES), 6.7) == pytest.approx(1.5e-3, rel=1e-5)


def test_a_redshift_moves_and_dilutes(small):
    photons = parse("apec", abund="angr").evaluate([1.0, 1.0, 0.25, 1.0], EDGES)
    low, high = np.searchsorted(EDGES, [6.7 / 1.25 - 0.01, 6.7 / 1.25 + 0.01])
    continuum = 1e-2 * np.diff(EDGES[[low, high]])[0]
    assert photons[low:high].sum() == pytest.approx(3e-3 / 1.25 + continuum, rel=1e-5)


@pytest.mark.parametrize("name", ["bapec", "bvapec", "bvvapec"])
def test_lines_are_as_wide_as_heat_and_velocity_make_them(small, name):
    model = parse(name, abund="angr")
    values = model.values
    values[0], values[model.index("Velocity")] = 2.0, 400.0
    here = (EDGES[:-1] > 6.5) & (EDGES[1:] < 6.9)
    photons = model.evaluate(values, EDGES)[here] - 0.01 * 0.002
    centre = (EDGES[:-1] + 0.001)[here]
    mean = (photons * centre).sum() / photons.sum()
    spread = np.sqrt((photons * (centre - mean) ** 2).sum() / photons.sum())
    expected = 6.7 * np.sqrt(2.0 / (55.845 * 931494.06) + (400 / 299792.458) ** 2)
    assert photons.sum() == pytest.approx(6e-3, rel=1e-5)
    assert spread == pytest.approx(expected, rel=3e-3)


def test_condensed_tables_are_kept_and_made_again_when_damaged(small):
    first = parse("apec").evaluate(parse("apec").values, EDGES)
    (kept,) = cache_directory().glob("apec_v9.8.7-*.npz")
    for content in (kept.read_bytes(), b"nothing"):
        kept.write_bytes(content)
        tables_of_atomdb._load.cache_clear()
        tables_of_atomdb._found_in.cache_clear()
        assert np.array_equal(parse("apec").evaluate(parse("apec").values, EDGES), first)


def test_the_newest_version_of_a_directory_is_taken_and_recorded(tmp_path):
    for name in ("apec_v3.0.9", "apec_v3.0.10", "apec_v2.0.2"):
        write_tables(tmp_path / name)
    (tmp_path / "apec_v4.0.0_line.fits").write_bytes(b"alone")
    with xs.settings(atomdb=tmp_path):
        assert tables_of_atomdb.find().version == "3.0.10"
        assert parse("tbabs*apec").settings["atomdb"] == "3.0.10"
    assert "atomdb" not in parse("tbabs*powerlaw").settings


def test_missing_tables_are_told_with_what_brings_them(tmp_path):
    with xs.settings(atomdb=tmp_path / "nowhere"), pytest.raises(TablesMissingError) as refusal:
        parse("apec").evaluate(parse("apec").values, EDGES)
    assert "nowhere" in refusal.value.what
    assert "xtendsrc models fetch" in refusal.value.next_step
    assert parse("apec").settings["atomdb"] == ""


def test_the_doctor_says_whether_there_are_tables(small, tmp_path, capsys):
    assert cli.main(["doctor", "--output", str(tmp_path)]) == 0
    assert f"9.8.7 ({tmp_path})" in capsys.readouterr().out
    with xs.settings(atomdb=tmp_path / "nowhere"):
        cli.main(["doctor", "--output", str(tmp_path)])
    assert "xtendsrc models fetch" in capsys.readouterr().out


def test_heasoft_s_tables_are_found(tmp_path, monkeypatch):
    (tmp_path / "spectral" / "modelData").mkdir(parents=True)
    write_tables(tmp_path / "spectral" / "modelData" / "apec_v3.1.3")
    monkeypatch.setenv("HEADAS", str(tmp_path / "x86_64"))
    assert tables_of_atomdb.find().version == "3.1.3"


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    write_tables(tmp_path / "apec_v1.0.0")
    write_tables(tmp_path / "apec_v1.0.1", temperatures=(1.0, 3.0))
    (tmp_path / "apec_v1.0.1_line.fits").unlink()
    (tmp_path / "apec_v1.0.0_line.fits").rename(tmp_path / "apec_v1.0.1_line.fits")
    with xs.settings(atomdb=tmp_path / "apec_v1.0.1"), pytest.raises(InputFileError, match="different temperatures"):
        parse("apec").evaluate(parse("apec").values, EDGES)


@pytest.fixture(scope="module")
def theirs(atomdb_root, xspec):
    with LibraryModels(atomdb=str(atomdb_root)) as models:
        yield models


@pytest.mark.parametrize(
    ("name", "values", "worst"),
    [
        ("apec", [0.3, 1.0, 0.05], 1e-6),
        ("apec", [2.0, 0.3, 0.0], 1e-6),
        ("apec", [8.0, 0.5, 0.2], 1e-6),
        ("vapec", [1.5, *np.linspace(0.2, 2.0, 13), 0.1], 1e-6),
        ("vvapec", [3.0, *np.linspace(0.2, 2.0, 30), 0.0], 1e-6),
        ("bapec", [2.0, 1.0, 0.0, 0.0], 2e-4),  # the library interpolates its error function
        ("bapec", [5.0, 0.3, 0.1, 1000.0], 2e-4),
        ("bvapec", [1.5, *np.linspace(0.2, 2.0, 13), 0.1, 300.0], 2e-4),
        ("bvvapec", [3.0, *np.linspace(0.2, 2.0, 30), 0.0, 200.0], 2e-4),
    ],
)
def test_against_the_library(atomdb, theirs, name, values, worst):
    model = parse(name, abund="angr" if len(name) % 2 else "wilm")
    edges = np.linspace(103, 6144, 6042) / 512
    ours = model.evaluate([*values, 1.0], edges)
    expected = theirs.evaluate(components()[name], np.array(values), edges, model.model_settings)
    assert ours.sum() == pytest.approx(expected.sum(), rel=1e-7)
    assert np.abs(ours / expected - 1).max() < worst


@pytest.mark.parametrize("text", ["apec", "vapec"])
def test_folded_through_a_response(atomdb, theirs, truth, text):
    """On the response's own bins, whose edges lie on lines now and then."""
    response = Response.read(*(next(truth.glob(f"nom.{kind}*")) for kind in ("rmf", "arf")))
    model = parse(text)
    values = model.values
    values[0] = 1.3
    ours = model.evaluate(values, response.edges)
    expected = theirs.evaluate(components()[text], values[:-1], response.edges, model.model_settings)
    assert ours.sum() == pytest.approx(expected.sum(), rel=1e-6)
    channels = slice(83, 1667)
    folded, wanted = response.fold(ours)[channels], response.fold(expected)[channels]
    assert np.abs(folded / wanted - 1).max() < 1e-3
