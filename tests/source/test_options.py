"""Options of products: visible where they are given, and refused by name where there are none such."""

import inspect

import astropy.units as u
import pytest

import xtendsrc as xs
from xtendsrc.errors import AmbiguousProductError, NoObservationsError, RequestError

PLURAL = ("images", "expmaps", "ratemaps", "lightcurves", "spectra")
SINGULAR = ("image", "expmap", "ratemap", "lightcurve", "spectrum")


@pytest.mark.parametrize("cls", [xs.Source, xs.Sample, xs.Observation, xs.DataClass])
def test_every_holder_has_the_methods_and_shows_their_options(cls):
    for method in PLURAL + (() if cls is xs.Sample else SINGULAR):
        shown = inspect.signature(getattr(cls, method)).parameters
        assert "engine" in shown
        assert not [p for p in shown.values() if p.kind is inspect.Parameter.VAR_KEYWORD]


def test_defaults_are_shown_as_they_are(source, full):
    assert inspect.signature(source.lightcurves).parameters["min_fraction"].default == 0.5
    assert source.lightcurve(obs_id="900001010").request.source.min_fraction == 0.5
    assert inspect.signature(full.lightcurve).parameters["min_fraction"].default == 0.0
    assert full.lightcurve().request.min_fraction == 0.0


@pytest.mark.parametrize(
    ("call", "right"),
    [
        (lambda s, d: s.images(bining=4), "binning"),
        (lambda s, d: s.lightcurves(min_frac=0.1), "min_fraction"),
        (lambda s, d: s.spectra(backgroud="none"), "background"),
        (lambda s, d: d.expmap(numpi=1), "numphi"),
        (lambda s, d: xs.Sample([s]).images(binnning=4), "binning"),
        (lambda s, d: d.spectrum(exclude_calibrations=True), "exclude_calibration"),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest_right_one(source, full, call, right):
    with pytest.raises(RequestError, match=f"did you mean '{right}'"):
        call(source, full)


def test_senseless_values_are_refused_with_the_nearest_right_one(source, full):
    one = {"obs_id": "900001010"}
    with pytest.raises(RequestError, match="annulus"):
        source.spectra(background="annulus", **one)
    assert source.spectra(background=[2, 4], **one) == source.spectra(background=(2, 4), **one)
    for call, right in (
        (lambda: source.spectra(response="nominl", **one), "nominal"),
        (lambda: full.image(frame="sky"), "SKY"),
        (lambda: full.image(engine="natve"), "native"),
        (lambda: full.images().select(kind="imag"), "image"),
    ):
        with pytest.raises(RequestError, match=f"did you mean '{right}'"):
            call()


def test_one_is_one_and_several_are_several(source, full):
    bands = [(0.6, 2), (2, 10)] * u.keV
    assert [p.request.binning for p in full.images(bands, binning=[4, 8])] == [4, 8, 4, 8]
    assert len(full.ratemaps(bands, binning=8)) == 2
    with pytest.raises(RequestError, match="plural"):
        full.image(bands)
    assert full.image(channels=[83, 1666]) == full.image(channels=(83, 1666))
    with pytest.raises(AmbiguousProductError, match="900002010"):
        source.image()


def test_observations_are_chosen_by_number_and_by_pattern(source):
    assert source.image(obs_id=900001010, binning=8) == source.image(obs_id="900001010", binning=8)
    assert len(source.images(obs_id="90000*")) == len(source.images())
    assert source.image(dataclass="3000*") == source.image(obs_id="900001010")
    with pytest.raises(NoObservationsError, match="choose among"):
        source.image(obs_id="1*")


def test_equal_statements_in_one_place_are_equal_products(source, full):
    assert full.image(binning=4) == full.image(binning=4)
    assert len({full.image(binning=4), full.image(binning=4), full.image(binning=8)}) == 2
    assert full.image() != full.expmap()
