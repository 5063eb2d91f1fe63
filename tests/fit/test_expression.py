"""Model strings: what they mean, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtendsrc.errors import ModelError, UnknownComponentError, UnknownParameterError, XtendsrcError
from xtendsrc.fit.model import parse

EDGES = np.linspace(0.5, 10, 96)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("po", "powerlaw"),
        ("TBabs * PowerLaw", "tbabs*powerlaw"),
        ("tbabs(po+ga)", "tbabs*(powerlaw + gaussian)"),
        ("(po + bb)wabs", "(powerlaw + bbody)*wabs"),
        ("const*tbabs*(po+zashift(ga+ga))", "constant*tbabs*(powerlaw + zashift*(gaussian + gaussian))"),
        ("phabs*cflux*edge*po", "phabs*cflux*edge*powerlaw"),
        ("soft:apec + hard:apec", "soft:apec + hard:apec"),
        ("((po))", "powerlaw"),
    ],
)
def test_a_model_string_has_one_canonical_text(text, canonical):
    model = parse(text)
    assert str(model) == canonical
    assert str(parse(canonical)) == canonical


def test_parameters_are_named_after_their_component():
    model = parse("tbabs*(powerlaw + powerlaw + fe:gaussian)")
    assert model.names == (
        "tbabs.nH",
        *("powerlaw.PhoIndex", "powerlaw.norm"),
        *("powerlaw_2.PhoIndex", "powerlaw_2.norm"),
        *("fe.LineE", "fe.Sigma", "fe.norm"),
    )
    assert model.index("powerlaw_2.phoindex") == 3
    assert model.index("nH") == 0


def test_a_parameter_has_the_limits_that_xspec_documents():
    index = parse("powerlaw").parameters[0]
    assert (index.default, index.step, index.frozen) == (1.0, 0.01, False)
    assert (index.hard_min, index.soft_min, index.soft_max, index.hard_max) == (-3.0, -2.0, 9.0, 10.0)
    redshift = parse("zgauss").parameters[2]
    assert (redshift.name, redshift.frozen, redshift.hard_max) == ("zgauss.Redshift", True, 10.0)


PIECES = [
    "po",
    "ga",
    "tbabs",
    "const",
    "cflux",
    "zashift",
    "a:",
    "b:",
    "(",
    ")",
    "*",
    "+",
    " ",
    "{x}",
    "atable",
    "-",
    "é",
]


@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_any_text_is_a_model_with_a_canonical_text_or_an_error_of_the_package(text):
    try:
        model = parse(text)
    except XtendsrcError:
        return
    again = parse(str(model))
    assert str(again) == str(model)
    assert again.names == model.names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("po +", "where a component is expected"),
        ("tbabs*(po", "')' is missing"),
        ("po)", "position 3"),
        ("po ga", "'ga' at position 4"),
        ("po*ga", "cannot be multiplied"),
        ("tbabs + po", "cannot be added"),
        ("po*cflux", "nothing follows"),
        ("a:po + a:ga", "Two components"),
        ("atable", "file of the table model"),
    ],
)
def test_what_is_no_model_is_refused_with_its_place(text, said):
    with pytest.raises(ModelError) as refusal:
        parse(text)
    assert said in str(refusal.value)


@pytest.mark.parametrize(("word", "near"), [("powrlaw", "powerlaw"), ("tbab5", "tbabs"), ("gausian", "gaussian")])
def test_an_unknown_component_gets_the_nearest_name(word, near):
    with pytest.raises(UnknownComponentError) as refusal:
        parse(f"tbabs*{word}")
    assert word in refusal.value.what
    assert near in refusal.value.next_step


def test_an_ambiguous_abbreviation_is_not_guessed():
    with pytest.raises(UnknownComponentError, match="pegpwrlw"):
        parse("p")


def test_a_mistyped_parameter_gets_the_nearest_name():
    model = parse("tbabs*(po + po)")
    with pytest.raises(UnknownParameterError) as refusal:
        model.index("powerlaw.PhoIndx")
    assert "'powerlaw.PhoIndex'" in str(refusal.value)
    with pytest.raises(UnknownParameterError, match=r"powerlaw_2\.PhoIndex"):
        model.index("PhoIndex")


def test_a_power_law_is_its_integral_over_each_bin():
    model = parse("powerlaw")
    low, high = EDGES[:-1], EDGES[1:]
    assert np.allclose(model.evaluate([1.0, 2.0], EDGES), 2 * np.log(high / low), rtol=1e-13)
    assert np.allclose(model.evaluate([2.0, 1.0], EDGES), 1 / low - 1 / high, rtol=1e-13)
    assert np.allclose(model.evaluate([0.0, 3.0], EDGES), 3 * (high - low), rtol=1e-13)


def test_components_add_up_with_their_factors():
    model = parse("constant*tbabs*(powerlaw + constant*powerlaw)")
    values = model.values
    values[[0, 1, 4]] = 0.5, 0.3, 2.0
    parts = model.components(values, EDGES)
    assert list(parts) == ["powerlaw", "powerlaw_2"]
    assert np.allclose(parts["powerlaw_2"], 2 * parts["powerlaw"], rtol=1e-14)
    assert np.allclose(sum(parts.values()), model.evaluate(values, EDGES), rtol=1e-14)


def test_transmissions_multiply():
    once, twice = parse("tbabs"), parse("tbabs*tbabs")
    assert np.allclose(twice.evaluate([0.1, 0.2], EDGES), once.evaluate([0.3], EDGES), rtol=1e-13)


@pytest.mark.parametrize("values", [[1.0], [1.0, np.nan], [1.0, np.inf]])
def test_values_that_do_not_fit_are_refused(values):
    with pytest.raises(ModelError):
        parse("powerlaw").evaluate(values, EDGES)


@pytest.mark.parametrize("edges", [[1.0], [1.0, 1.0], [2.0, 1.0], [0.0, 1.0], [0.5, np.nan, 2.0]])
def test_edges_that_make_no_bins_are_refused(edges):
    with pytest.raises(ModelError):
        parse("powerlaw").evaluate([1.0, 1.0], edges)


@pytest.mark.parametrize(("setting", "near"), [({"abund": "wilms"}, "'wilm'"), ({"xsect": "verner"}, "'vern'")])
def test_a_mistyped_setting_gets_the_nearest_name(setting, near):
    with pytest.raises(ModelError) as refusal:
        parse("po", **setting)
    assert near in refusal.value.next_step


def test_settings_are_recorded():
    assert parse("tbabs*powerlaw", abund="angr").settings == {
        "abund": "angr",
        "xsect": "vern",
        "hubble": 70.0,
        "deceleration": 0.0,
        "dark_energy": 0.73,
    }
