"""Components against closed forms, integrals done otherwise, and published numbers."""

import itertools
from pathlib import Path

import astropy.constants as const
import astropy.units as u
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from astropy.io import fits
from scipy.integrate import quad

from xtendsrc.errors import ModelError
from xtendsrc.fit import native
from xtendsrc.fit.components import NATIVE, PLASMA
from xtendsrc.fit.data import read_dataset
from xtendsrc.fit.model import parse
from xtendsrc.fit.options import FitOptions
from xtendsrc.fit.parameters import Choices, Term

FINE = np.linspace(0.1, 12, 5951)


def density(text, values, energy):
    """The model per keV at one energy, from a very narrow bin."""
    step = 1e-6 * energy
    return parse(text).evaluate(values, [energy - step, energy + step])[0] / (2 * step)


@pytest.mark.parametrize(
    ("text", "values", "function"),
    [
        ("powerlaw", [1.7, 2.0], lambda e: 2 * e**-1.7),
        ("zpowerlw", [1.7, 0.3, 1.0], lambda e: (1.3 * e) ** -1.7),
        ("cutoffpl", [0.8, 4.0, 1.0], lambda e: e**-0.8 * np.exp(-e / 4)),
        ("bknpower", [1.0, 3.0, 2.5, 1.0], lambda e: e**-1.0 if e < 3 else 3.0**1.5 * e**-2.5),
        ("expdec", [0.6, 1.0], lambda e: np.exp(-0.6 * e)),
        ("gaussian", [2.0, 0.3, 5.0], lambda e: 5 / 0.3 / np.sqrt(2 * np.pi) * np.exp(-0.5 * ((e - 2) / 0.3) ** 2)),
    ],
)
def test_wide_bins_hold_the_integral(text, values, function):
    edges = [0.4, 0.9, 2.1, 2.9, 3.4, 9.0]
    expected = [quad(function, *pair, epsabs=0, epsrel=1e-12, points=[3.0])[0] for pair in itertools.pairwise(edges)]
    assert np.allclose(parse(text).evaluate(values, edges), expected, rtol=2e-7)


def test_lines_hold_their_norm():
    edges = np.linspace(1e-6, 40, 40001)
    assert parse("gaussian").evaluate([6.4, 0.2, 3.0], edges).sum() == pytest.approx(3.0, rel=1e-12)
    assert parse("zgauss").evaluate([6.4, 0.2, 1.0, 3.0], edges).sum() == pytest.approx(1.5, rel=1e-12)
    assert parse("gaussian").evaluate([6.4, 0.0, 3.0], edges).sum() == 3.0
    lorentz = parse("lorentz").evaluate([6.4, 0.2, 3.0], edges)
    far = 3.0 * 0.1 / np.pi / (40 - 6.4)
    assert lorentz.sum() == pytest.approx(3.0 - far, rel=1e-5)
    half = lorentz[np.searchsorted(edges, 6.5) - 1] / lorentz[np.searchsorted(edges, 6.4) - 1]
    assert half == pytest.approx(0.5, rel=2e-2)


def test_a_gaussian_keeps_its_digits_far_from_the_centre():
    above = parse("gaussian").evaluate([2.0, 0.1, 1.0], [2.95, 3.05])[0]
    below = parse("gaussian").evaluate([4.0, 0.1, 1.0], [2.95, 3.05])[0]
    assert above == pytest.approx(below, rel=1e-9)
    assert 0 < above < 1e-20


def test_a_black_body_has_the_luminosity_and_the_radius_it_says():
    edges = np.geomspace(1e-3, 60, 60001)
    centre = 0.5 * (edges[1:] + edges[:-1])
    sphere = 4 * np.pi * (10 * u.kpc) ** 2
    flux = (parse("bbody").evaluate([0.7, 1.0], edges) * centre).sum() * u.keV / u.cm**2 / u.s
    assert (flux * sphere).to_value("erg / s") == pytest.approx(1e39, rel=4e-3)
    flux = (parse("bbodyrad").evaluate([0.7, 1.0], edges) * centre).sum() * u.keV / u.cm**2 / u.s
    temperature = (0.7 * u.keV / const.k_B).to(u.K)
    surface = 4 * np.pi * (1 * u.km) ** 2
    assert (flux * sphere).to_value("erg / s") == pytest.approx(
        (surface * const.sigma_sb * temperature**4).to_value("erg / s"), rel=4e-3
    )


def test_a_disc_is_the_integral_of_its_rings():
    def rings(energy, inner):
        def ring(temperature):
            return (temperature / inner) ** (-11 / 3) / np.expm1(energy / temperature)

        return energy**2 / inner * quad(ring, min(energy / 500, inner / 2), inner, epsrel=1e-10)[0]

    constant = 16 * np.pi / 3 * (1 * u.km / (10 * u.kpc)) ** 2 / (const.h * const.c) ** 3 * const.c
    scale = constant.to_value("1 / (keV3 cm2 s)")
    for energy in (0.3, 1.0, 4.0, 9.0):
        assert density("diskbb", [1.1, 1.0], energy) == pytest.approx(scale * rings(energy, 1.1), rel=2e-3)


def test_hot_bremsstrahlung_follows_the_born_approximation():
    from scipy.special import kn

    kt = 40.0
    for energy in (0.5, 2.0, 8.0):
        gaunt = np.sqrt(3) / np.pi * np.exp(0.5 * energy / kt) * kn(0, 0.5 * energy / kt)
        expected = (1 + 4 * 0.085) * gaunt * np.exp(-energy / kt) / energy / np.sqrt(kt)
        assert density("bremss", [kt, 1.0], energy) == pytest.approx(expected, rel=2e-2)


def test_an_edge_and_its_smeared_form():
    energy = 0.5 * (FINE[1:] + FINE[:-1])
    above = energy > 7.2
    edge = parse("edge").evaluate([7.1, 0.8], FINE)
    assert (edge[energy < 7.0] == 1).all()
    assert np.allclose(edge[above], np.exp(-0.8 * (energy[above] / 7.1) ** -3), rtol=1e-6)
    smeared = parse("smedge").evaluate([7.1, 0.8, -2.67, 2.0], FINE)
    depth = 0.8 * (energy[above] / 7.1) ** -2.67 * (1 - np.exp((7.1 - energy[above]) / 2))
    assert np.allclose(smeared[above], np.exp(-depth), rtol=1e-6)
    assert parse("edge").evaluate([0.0, 0.8], FINE).min() == 1


def test_an_edge_within_a_bin_counts_with_the_part_behind_it():
    whole, part = (
        parse("edge").evaluate([2.0, 0.01], [2.0, 2.002])[0],
        parse("edge").evaluate([2.0, 0.01], [1.998, 2.002])[0],
    )
    assert 1 - part == pytest.approx(0.5 * (1 - whole), rel=1e-9)


def test_an_absorption_line_takes_away_its_strength():
    lost = (1 - parse("gabs").evaluate([3.0, 0.05, 1e-4], FINE)) * np.diff(FINE)
    assert lost.sum() == pytest.approx(1e-4, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "values"),
    [("tbabs", [0.5]), ("phabs", [0.5]), ("wabs", [0.5]), ("ztbabs", [0.5, 0.1]), ("zphabs", [0.5, 0.1])],
)
def test_absorption_is_between_nothing_and_all_and_least_at_high_energies(text, values):
    transmission = parse(text).evaluate(values, FINE)
    assert (transmission >= 0).all()
    assert (transmission < 1).all()
    assert transmission[-1] > 0.99


def test_published_cross_sections():
    """Wilms et al. 2000 and Morrison & McCammon 1983, at energies between edges."""

    def sigma(text, energy):
        return -np.log(parse(text).evaluate([1.0], [energy * (1 - 1e-6), energy * (1 + 1e-6)])[0])

    # table 2 of Morrison & McCammon: (c0 + c1 E + c2 E^2) / E^3 in 1e-24 cm2
    assert sigma("wabs", 1.0) == pytest.approx((120.6 + 169.3 - 47.7) * 1e-2, rel=1e-5)
    assert sigma("wabs", 5.0) == pytest.approx((433.9 - 2.4 * 5 + 0.75 * 25) / 125 * 1e-2, rel=1e-5)
    # the abundances of Wilms et al. are about two thirds of those of Anders & Grevesse
    assert 0.6 < sigma("tbabs", 1.0) / sigma("wabs", 1.0) < 0.8


def test_tbabs_is_the_table_that_sherpa_was_given(truth):
    """The table of astromodels, by which the spectrum was simulated, and the W that sherpa found with it."""
    table = fits.getdata(Path(__file__).parents[1] / "data" / "spectral" / "xsect_tbabs_wilm.fits.gz")
    energy, sigma = (np.asarray(table[name], dtype=float) for name in ("ENERGY", "SIGMA"))
    edges = np.linspace(0.5, 8, 3751)
    expected = np.exp(np.interp(np.log(0.5 * (edges[1:] + edges[:-1])), np.log(energy), np.log(sigma)))
    found = -np.log(parse("tbabs").evaluate([1.0], edges))
    off = np.abs(found / expected - 1)
    assert np.median(off) < 1e-5
    assert (off > 1e-3).sum() <= 15  # bins with an edge in them
    data = read_dataset(next(truth.glob("src.pi*")))
    options = FitOptions(band=(0.5, 10.0), group="min 1", choices=Choices())
    result = native.fit([data], [Term(parse("tbabs*powerlaw"))], options)
    assert result.statistic == pytest.approx(1343.0556525, abs=1e-3)
    assert result.parameter("nH").value == pytest.approx(0.29044670, abs=0.01 * 0.0088)
    assert result.parameter("PhoIndex").value == pytest.approx(1.8029519, abs=0.01 * 0.018)


def test_a_redshifted_absorber_is_the_local_one_at_higher_energies():
    edges = np.linspace(0.3, 5, 900)
    here = parse("phabs").evaluate([0.4], edges * 1.25)
    there = parse("zphabs").evaluate([0.4, 0.25], edges)
    assert np.allclose(here, there, rtol=1e-12)


def test_abundances_change_the_absorption():
    solar = {table: parse("tbabs", abund=table).evaluate([0.5], [1.0, 1.002])[0] for table in ("wilm", "angr", "aspl")}
    assert solar["angr"] < solar["aspl"] < solar["wilm"]


@pytest.mark.parametrize("band", [(0.5, 10.0), (0.5013, 9.9987), (2.0, 3.0)])
def test_cflux_sets_the_flux_of_its_band(band):
    model = parse("cflux*powerlaw")
    values = model.values
    values[model.index("Emin")], values[model.index("Emax")] = band
    values[model.index("lg10Flux")] = -11.5
    values[model.index("PhoIndex")] = 1.9
    values[model.index("norm")] = 1.0
    total = model.evaluate(values, FINE)
    norm = total[1000] / (FINE[1000] ** -0.9 - FINE[1001] ** -0.9) * 0.9
    flux = norm * quad(lambda e: e**-0.9, *band)[0] * u.keV.to(u.erg)
    assert np.log10(flux) == pytest.approx(-11.5, abs=2e-6)


def test_cflux_scales_every_component_alike():
    model = parse("tbabs*cflux*(powerlaw + gaussian)")
    values = model.values
    parts = model.components(values, FINE)
    assert np.allclose(sum(parts.values()), model.evaluate(values, FINE), rtol=1e-12)
    plain = parse("tbabs*(powerlaw + gaussian)").components(values[[0, 4, 5, 6, 7, 8]], FINE)
    ratio = parts["gaussian"].sum() / plain["gaussian"].sum()
    assert np.allclose(parts["powerlaw"], ratio * plain["powerlaw"], rtol=1e-12)


def test_a_flux_band_outside_the_energies_is_refused():
    model = parse("cflux*powerlaw")
    values = model.values
    values[:2] = 20.0, 30.0
    with pytest.raises(ModelError, match="20-30 keV"):
        model.evaluate(values, FINE)


@pytest.mark.parametrize("redshift", [0.05, 0.5])
def test_clumin_sets_the_luminosity(redshift):
    model = parse("clumin*powerlaw", cosmology=(70, 0, 0.73))
    values = model.values
    for name, value in {"Emin": 2.0, "Emax": 10.0, "Redshift": redshift, "lg10Lum": 44.0, "PhoIndex": 1.8}.items():
        values[model.index(name)] = value
    photons = model.evaluate(values, FINE)
    inside = (FINE[:-1] >= 2 / (1 + redshift)) & (FINE[1:] <= 10 / (1 + redshift))
    flux = (photons * 0.5 * (FINE[1:] + FINE[:-1]))[inside].sum() * u.keV / u.cm**2 / u.s
    distance = FlatLambdaCDM(70, 0.27).luminosity_distance(redshift)
    luminosity = (flux * 4 * np.pi * distance**2).to_value("erg / s")
    assert luminosity == pytest.approx(1e44, rel=1.5e-2)


def test_zashift_moves_the_photons():
    redshift = 0.3
    line = parse("zashift*gaussian").evaluate([redshift, 4.0, 0.1, 1.0], FINE)
    centre = 0.5 * (FINE[1:] + FINE[:-1])
    assert line.sum() == pytest.approx(1 / (1 + redshift), rel=1e-9)
    assert (line * centre).sum() / line.sum() == pytest.approx(4.0 / (1 + redshift), rel=1e-6)


def within_limits(parameters, rng):
    """Values within the hard limits, every second one at a limit."""
    values = []
    for parameter in parameters:
        low, high = parameter.hard_min, min(parameter.hard_max, 1e10)
        far = min(high, max(10 * abs(parameter.default), low + 1))
        values.append(rng.choice([low, high, rng.uniform(low, far), rng.uniform(low, far)]))
    return values


@pytest.mark.parametrize("name", sorted(set(NATIVE) - PLASMA))
def test_nothing_but_finite_numbers_within_the_limits(name):
    model = parse(name)
    rng = np.random.default_rng(1)
    for edges in (np.linspace(0.2, 12, 100), np.geomspace(0.07, 300, 100), np.geomspace(1e-3, 0.2, 50)):
        for _ in range(40):
            values = within_limits(model.parameters, rng)
            if model.kind == "add":
                values[-1] = 1.0
            result = model.evaluate(values, edges)
            assert np.isfinite(result).all(), values
            assert (result >= 0).all(), values
