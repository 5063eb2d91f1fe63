"""Requests: identity, normal form, refusal of nonsense."""

import json
import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtendsrc.errors import RequestError
from xtendsrc.events.selection import Selection
from xtendsrc.products.expmap.request import ExpMapRequest
from xtendsrc.products.image.request import ImageRequest
from xtendsrc.products.lightcurve.request import LightCurveRequest
from xtendsrc.products.netcurve.request import NetCurveRequest
from xtendsrc.products.request import Request
from xtendsrc.products.spectrum.request import SpectrumRequest
from xtendsrc.regions import RegionSet, Shape

WHERE = {"obs_id": "900001010", "dataclass": "300000a0"}
CIRCLE = RegionSet("icrs", (Shape("circle", (81.25, -69.64, 0.03)),))
SOURCE = LightCurveRequest(**WHERE, selection=Selection(channels=(100, 1666)), region=CIRCLE, bin=200)
NET = NetCurveRequest(**WHERE, source=SOURCE, background=None, expmap=ExpMapRequest(**WHERE))


@pytest.mark.parametrize("request_", [SOURCE, NET, SpectrumRequest(**WHERE, selection=Selection(), region=CIRCLE)])
def test_json_and_pickle_bring_back_the_same_request(request_):
    again = Request.from_dict(json.loads(request_.to_json()))
    assert again == request_
    assert again.key == request_.key
    assert pickle.loads(pickle.dumps(request_)) == request_


def test_the_key_is_the_same_in_another_process():
    script = (
        "from xtendsrc.events.selection import Selection\n"
        "from xtendsrc.products import ImageRequest\n"
        "print(ImageRequest(obs_id='900001010', dataclass='300000a0', selection=Selection(channels=(83, 1666))).key)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ImageRequest(**WHERE, selection=Selection(channels=(83, 1666))).key


def test_numbers_that_mean_the_same_make_the_same_key():
    first = LightCurveRequest(**WHERE, selection=Selection(grades=(6, 0, 0)), bin=200)
    second = LightCurveRequest(**WHERE, selection=Selection(grades=(0, 6)), bin=200.0)
    assert first.key == second.key


@given(
    st.tuples(st.integers(0, 4095), st.integers(0, 4095)).map(sorted),
    st.integers(1, 16),
    st.sampled_from(["SKY", "DET"]),
)
def test_different_parameters_make_different_keys(channels, binning, frame):
    base = ImageRequest(**WHERE, selection=Selection(channels=(83, 1666)))
    other = ImageRequest(**WHERE, selection=Selection(channels=tuple(channels)), binning=binning, frame=frame)
    assert (base == other) == (base.key == other.key)


def test_needs_come_before_what_needs_them():
    order = [r.kind for r in NET.walk()]
    assert order == ["lightcurve", "expmap", "netcurve"]


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Selection(channels=(200, 100)), "200..100"),
        (lambda: Selection(channels=(0, 4096)), "4096"),
        (lambda: ImageRequest(**WHERE, selection=Selection(), binning=0), "binning=0"),
        (lambda: ImageRequest(**WHERE, selection=Selection(), frame="FOC"), "FOC"),
        (lambda: LightCurveRequest(**WHERE, selection=Selection(), bin=0), "bin"),
        (lambda: LightCurveRequest(**WHERE, selection=Selection(), bin=float("nan")), "bin"),
        (lambda: LightCurveRequest(**WHERE, selection=Selection(), bin=1, min_fraction=2), "min_fraction"),
        (lambda: SpectrumRequest(**WHERE, selection=Selection(channels=(1, 2))), "4096"),
        (lambda: ExpMapRequest(**WHERE, delta=0.0), "delta"),
        (lambda: ExpMapRequest(**WHERE, numphi=0), "numphi"),
        (lambda: Request.from_dict({"kind": "pie"}), "pie"),
    ],
)
def test_nonsense_is_refused_with_a_next_step(make, word):
    with pytest.raises(RequestError, match=word) as caught:
        make()
    assert caught.value.next_step
