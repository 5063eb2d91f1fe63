"""Fluxes, luminosities and equivalent widths of models whose integrals are known."""

import astropy.units as u
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM

from tests.fit.simple import dataset, perfect
from xtendsrc.fit import native
from xtendsrc.fit.bootstrap import simulate_counts
from xtendsrc.fit.model import parse
from xtendsrc.fit.options import FitOptions
from xtendsrc.fit.parameters import Choices, Term

KEV = (1 * u.keV).to_value("erg")


def fitted(text, values, seed=1, **choices):
    model = parse(text)
    data = simulate_counts(model, np.array(values), perfect(200, 0.5, 0.05), 20000.0, seed=seed)
    start = dict(zip(model.names, map(float, values), strict=True))
    return native.fit([data], [Term(model)], FitOptions(None, "none", choices=Choices(start=start, **choices)))


def test_flux_of_a_power_law_is_its_integral():
    result = fitted("powerlaw", (2.5, 0.01))
    index, norm = result.values
    flux = result.flux(2 * u.keV, 10 * u.keV)
    wanted = norm * (10 ** (2 - index) - 2 ** (2 - index)) / (2 - index) * KEV
    assert flux.to_value("erg / (cm2 s)") == pytest.approx(wanted, rel=1e-6)
    photons = result.flux(2 * u.keV, 10 * u.keV, photons=True)
    assert photons.value == pytest.approx(norm * (10 ** (1 - index) - 2 ** (1 - index)) / (1 - index), rel=1e-6)


def test_error_of_a_flux_follows_the_covariance():
    only_norm = fitted("powerlaw", (2.5, 0.01), freeze=("PhoIndex",))
    flux, norm = only_norm.flux(2 * u.keV, 10 * u.keV), only_norm.parameter("norm")
    assert float(flux.error / flux) == pytest.approx(norm.error / norm.value, rel=1e-6)
    both = fitted("powerlaw", (2.5, 0.01))
    value = {seed: fitted("powerlaw", (2.5, 0.01), seed).flux(2 * u.keV, 10 * u.keV).value for seed in range(40)}
    scatter = np.std(list(value.values()), ddof=1)
    assert both.flux(2 * u.keV, 10 * u.keV).error.value == pytest.approx(scatter, rel=0.35)


def test_unabsorbed_is_without_the_absorber():
    result = fitted("tbabs*powerlaw", (0.5, 2.0, 0.02))
    norm, index = result.parameter("norm").value, result.parameter("PhoIndex").value
    bare = result.flux(0.6 * u.keV, 2 * u.keV, absorbed=False)
    wanted = norm * (2 ** (2 - index) - 0.6 ** (2 - index)) / (2 - index) * KEV
    assert bare.value == pytest.approx(wanted, rel=1e-6)
    assert result.flux(0.6 * u.keV, 2 * u.keV) < bare


def test_luminosity_is_the_flux_in_the_source_frame_over_the_sphere():
    result = fitted("powerlaw", (2.0, 0.01))
    z = 0.3
    cosmology = FlatLambdaCDM(70, 0.27)
    flux = result.flux(2 * u.keV / (1 + z), 10 * u.keV / (1 + z))
    wanted = (4 * np.pi * cosmology.luminosity_distance(z) ** 2 * flux).to_value("erg / s")
    found = result.luminosity(2 * u.keV, 10 * u.keV, redshift=z)
    assert found.to_value("erg / s") == pytest.approx(wanted, rel=1e-6)
    assert float(found.error / found) == pytest.approx(float(flux.error / flux), rel=1e-3)
    near = result.luminosity(2 * u.keV, 10 * u.keV, distance=10 * u.kpc)
    at_home = result.flux(2 * u.keV, 10 * u.keV) * 4 * np.pi * (10 * u.kpc) ** 2
    assert near.to_value("erg / s") == pytest.approx(at_home.to_value("erg / s"), rel=1e-6)


def test_equivalent_width_of_a_line_on_a_flat_continuum():
    result = fitted("powerlaw + gaussian", (0.0, 0.01, 6.4, 0.1, 0.002), freeze=("PhoIndex", "LineE", "Sigma"))
    line, level = (result.parameters[name].value for name in ("gaussian.norm", "powerlaw.norm"))
    width = result.equivalent_width("gaussian")
    assert width.to_value("keV") == pytest.approx(line / level, rel=1e-3)
    assert width.error.value > 0


def test_correlation_is_that_of_the_covariance_and_frozen_ones_have_none():
    result = native.fit(
        [dataset(np.random.default_rng(1).poisson(30.0, 50))], [Term(parse("powerlaw"))], FitOptions(None, "none")
    )
    assert 0.5 < result.correlation("PhoIndex", "norm") < 1
    assert result.correlation("norm", "norm") == pytest.approx(1)
