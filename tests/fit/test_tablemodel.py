"""Table models of OGIP memo 92-009: small files whose spectra are known, and XSPEC's library on the same files."""

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.errors import InputFileError, InputNotFoundError, ModelError
from xtendsrc.fit.model import parse

ENERGIES = np.geomspace(0.3, 9, 41)
KT, AB = np.array([1.0, 2.0, 4.0, 8.0]), np.array([-1.0, 0.5, 1.0])
EDGES = np.linspace(103, 6144, 6042) / 512


def flat(kt, ab):
    """A value linear in log kT and in ab, and so exact between the points of the grid."""
    return 1.0 + 0.5 * np.log(kt) + 0.2 * ab


def ramp(kt, ab):
    return flat(kt, ab) * np.linspace(0.5, 1.5, ENERGIES.size - 1)


def write(path, spectrum=ramp, extra=None, shuffle=False, leave_out=0, **keywords):
    """A table of two parameters, kT interpolated in its logarithm; ``extra`` is the spectrum of one that is added."""
    names = ["kT", "ab"] + (["more"] if extra else [])
    count = len(names)
    values = np.zeros((count, KT.size))
    values[0], values[1, : AB.size] = KT, AB
    columns = {
        "NAME": ("12A", names),
        "METHOD": ("J", [1, 0, 0][:count]),
        "INITIAL": ("E", [2.0, 0.3, 0.1][:count]),
        "DELTA": ("E", [0.01, -0.01, 0.01][:count]),
        "MINIMUM": ("E", [0.5, -1, 0][:count]),
        "BOTTOM": ("E", [1, -1, 0][:count]),
        "TOP": ("E", [6, 1, 5][:count]),
        "MAXIMUM": ("E", [20, 1, 5][:count]),
        "NUMBVALS": ("J", [KT.size, AB.size, 0][:count]),
        "VALUE": (f"{KT.size}E", values),
    }
    grid = [(kt, ab) for kt in KT for ab in AB]
    if shuffle:
        grid = grid[::-1]
    grid = grid[leave_out:]
    bins = f"{ENERGIES.size - 1}E"
    spectra = {
        "PARAMVAL": ("2E", grid),
        "INTPSPEC": (bins, [np.broadcast_to(spectrum(*g), ENERGIES.size - 1) for g in grid]),
    }
    if extra:
        spectra["ADDSP001"] = (bins, [np.broadcast_to(extra(*g), ENERGIES.size - 1) for g in grid])
    energies = {"ENERG_LO": ("E", ENERGIES[:-1]), "ENERG_HI": ("E", ENERGIES[1:])}

    def hdu(name, described):
        made = [fits.Column(n, f, array=np.array(a)) for n, (f, a) in described.items()]
        table = fits.BinTableHDU.from_columns(made, name=name)
        table.header.update(HDUCLASS="OGIP", HDUCLAS1="XSPEC TABLE MODEL", HDUCLAS2=name, HDUVERS="1.0.0")
        return table

    primary = fits.PrimaryHDU()
    primary.header.update(HDUCLASS="OGIP", HDUCLAS1="XSPEC TABLE MODEL", HDUVERS="1.0.0", MODLNAME="made")
    primary.header.update({"MODLUNIT": "photons/cm^2/s", "REDSHIFT": False, "ADDMODEL": True, **keywords})
    parameters = hdu("PARAMETERS", columns)
    parameters.header.update(NINTPARM=2, NADDPARM=count - 2)
    fits.HDUList([primary, parameters, hdu("ENERGIES", energies), hdu("SPECTRA", spectra)]).writeto(path)
    return path


def test_parameters_and_limits_come_from_the_file(tmp_path):
    model = parse(f"tbabs*(atable{{{write(tmp_path / 'a.fits')}}} + powerlaw)")
    assert model.names[1:4] == ("atable.kT", "atable.ab", "atable.norm")
    kt, ab = model.parameters[1:3]
    assert (kt.default, kt.hard_min, kt.soft_min, kt.soft_max, kt.hard_max, kt.frozen) == (
        2.0,
        1.0,
        1.0,
        6.0,
        8.0,
        False,
    )
    assert (ab.hard_min, ab.hard_max, ab.frozen) == (-1.0, 1.0, True)
    assert str(parse(str(model))) == str(model)
    recorded = model.settings["tables"]["atable"]
    assert recorded["path"] == str(tmp_path / "a.fits")
    assert len(recorded["sha256"]) == 64


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("kt", "ab"), [(2.0, 0.5), (3.0, 0.1), (1.0, -1.0), (8.0, 1.0), (7.3, 0.99)])
def test_spectra_are_interpolated_in_the_parameters(tmp_path, shuffle, kt, ab):
    model = parse(f"atable{{{write(tmp_path / 'a.fits', shuffle=shuffle)}}}")
    found = model.evaluate([kt, ab, 2.0], ENERGIES)
    assert np.allclose(found, 2.0 * ramp(kt, ab), rtol=2e-6)


def test_photons_are_kept_on_any_grid(tmp_path):
    model = parse(f"atable{{{write(tmp_path / 'a.fits')}}}")
    for edges in (np.linspace(0.1, 12, 57), np.geomspace(0.1, 12, 3000)):
        edges = np.union1d(edges, ENERGIES[[0, -1]])
        assert model.evaluate([3.0, 0.1, 1.0], edges).sum() == pytest.approx(ramp(3.0, 0.1).sum(), rel=1e-6)
    assert model.evaluate([3.0, 0.1, 1.0], [9.5, 10.0, 12.0]).sum() == 0


def test_a_redshift_moves_and_dilutes(tmp_path):
    model = parse(f"atable{{{write(tmp_path / 'a.fits', REDSHIFT=True)}}}")
    assert model.names == ("atable.kT", "atable.ab", "atable.z", "atable.norm")
    found = model.evaluate([3.0, 0.1, 0.25, 1.0], ENERGIES / 1.25)
    assert np.allclose(found, ramp(3.0, 0.1) / 1.25, rtol=2e-6)


def test_a_parameter_may_be_added(tmp_path):
    model = parse(f"atable{{{write(tmp_path / 'a.fits', extra=lambda kt, ab: 3.0)}}}")
    found = model.evaluate([3.0, 0.1, 0.5, 1.0], ENERGIES)
    assert np.allclose(found, ramp(3.0, 0.1) + 1.5, rtol=2e-6)


def test_factors_and_exponents(tmp_path):
    path = write(tmp_path / "m.fits", flat, ADDMODEL=False, LOELIMIT=0.25, HIELIMIT=0.75)
    low, high = EDGES[:-1] < ENERGIES[0], EDGES[:-1] >= ENERGIES[-1]
    inside = ~low & ~high
    factor = parse(f"mtable{{{path}}}").evaluate([3.0, 0.1], EDGES)
    exponent = parse(f"etable{{{path}}}").evaluate([3.0, 0.1], EDGES)
    assert np.allclose(factor[inside], flat(3.0, 0.1), rtol=2e-6)
    assert np.allclose(exponent[inside], np.exp(-flat(3.0, 0.1)), rtol=2e-6)
    for found in (factor, exponent):
        assert (found[low] == 0.25).all()
        assert (found[high] == 0.75).all()


@pytest.mark.parametrize("values", [[0.99, 0.1, 1.0], [3.0, 1.1, 1.0]])
def test_parameters_outside_the_table_are_refused(tmp_path, values):
    with pytest.raises(ModelError, match="outside the table"):
        parse(f"atable{{{write(tmp_path / 'a.fits')}}}").evaluate(values, EDGES)


def test_files_that_are_not_that_are_refused(tmp_path):
    with pytest.raises(InputNotFoundError, match=r"nowhere\.fits"):
        parse("atable{nowhere.fits}")
    (tmp_path / "text.fits").write_text("nothing")
    with pytest.raises(InputFileError, match="92-009"):
        parse(f"atable{{{tmp_path / 'text.fits'}}}")
    with pytest.raises(InputFileError, match="ADDMODEL") as refusal:
        parse(f"mtable{{{write(tmp_path / 'a.fits')}}}")
    assert "atable" in refusal.value.next_step
    with pytest.raises(InputFileError, match="not one for each of 12"):
        parse(f"atable{{{write(tmp_path / 'short.fits', leave_out=1)}}}")
    with pytest.raises(InputFileError, match="NXFLTEXP"):
        parse(f"atable{{{write(tmp_path / 'several.fits', NXFLTEXP=2)}}}")


@pytest.mark.parametrize("redshift", [False, True])
@pytest.mark.parametrize("kind", ["atable", "mtable", "etable"])
def test_against_the_library(tmp_path, xspec, kind, redshift):
    rng = np.random.default_rng(7)
    limits = {} if kind == "atable" else {"LOELIMIT": 0.2, "HIELIMIT": 0.7}
    path = tmp_path / "random.fits"
    write(
        path, lambda *_: rng.uniform(0.2, 1, ENERGIES.size - 1), ADDMODEL=kind == "atable", REDSHIFT=redshift, **limits
    )
    model = parse(f"{kind}{{{path}}}")
    values = np.array([2.9, 0.1, *([0.3] if redshift else [])])
    for edges in (EDGES, np.linspace(1, 48, 25) / 4):
        ours = model.evaluate([*values, 1.0] if kind == "atable" else values, edges)
        theirs = xspec.evaluate(model.leaves[0].component, values, edges, model.model_settings)
        off = np.abs(ours - theirs) / theirs.max()
        assert (off > 1e-5).sum() <= (5 if redshift else 0)  # single precision there, at the edges of the table's bins
        assert off.max() < 1e-4
        assert ours.sum() == pytest.approx(theirs.sum(), rel=1e-6)
