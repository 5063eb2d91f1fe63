"""The work with good time grows in proportion to its intervals: bounds on calls and memory, not on seconds.

An algorithm that goes through intervals one by one makes more calls for more intervals; one that compares all intervals
with all bins or rows needs memory for their product. Both are caught here, whatever the speed of the machine.
"""

from __future__ import annotations

import sys
import tracemalloc

import numpy as np
import pytest

from xtendsrc.events.deadtime import elapsed, frame_by_frame
from xtendsrc.events.gti import GTI
from xtendsrc.events.selection import Selection
from xtendsrc.instrument.frames import timing_of
from xtendsrc.measure.attitude import Attitude, attitude_bins
from xtendsrc.measure.detector import Flickering
from xtendsrc.measure.lightcurve import bins_over, rates
from xtendsrc.products.arf.request import ARFRequest
from xtendsrc.products.expmap.request import ExpMapRequest
from xtendsrc.products.lightcurve.request import LightCurveRequest
from xtendsrc.products.netcurve.request import NetCurveRequest
from xtendsrc.products.rmf.request import RMFRequest
from xtendsrc.products.sourcespectrum.request import SourceSpectrumRequest
from xtendsrc.products.spectrum.request import SpectrumRequest
from xtendsrc.regions import RegionSet, Shape

FEW, MANY = 2_000, 50_000
HEADER = {"DATAMODE": "WINDOW2", "TIMEDEL": 0.4631184, "NOMEXPO": 4.0}
ABOUT = {"obs_id": "900001010", "dataclass": "31100010"}


def frames(number):
    """Good time of the 1/8 window, frame by frame."""
    start = 1.5e8 + 0.5 * np.arange(number) + 0.036864
    return GTI(start, start + 0.4631184)


def attitude(gti):
    time = np.arange(gti.start[0] - 5, gti.stop[-1] + 5)
    wander = 0.02 * np.sin(time / 300.0)
    return Attitude(time, 81 + wander, -69 + wander, 30 + wander, 81 + wander, -69 + wander, (81, -69, 30), (81, -69))


def curve(gti):
    bins = bins_over(gti, float(gti.start[0]), 200.0)
    times = gti.start[::7] + 0.2
    return rates(times, gti, bins, 0.5, elapsed(gti, HEADER))


def flickering(gti):
    pixel, zero = np.arange(100, 164), np.zeros(64)
    return Flickering(pixel, pixel, zero + gti.start[0] + pixel, zero + gti.stop[-1]).lost(gti, (1810, 1810))


def requests(gti):
    """Every kind of request that holds good time, nested as a source's spectrum and net curve hold them."""
    region = RegionSet("icrs", (Shape("circle", (81.0, -69.0, 0.03)),))
    expmap = ExpMapRequest(**ABOUT, gti=gti)
    spectrum = SpectrumRequest(**ABOUT, selection=Selection(gti=gti), region=region)
    rmf = RMFRequest(**ABOUT, spectrum=spectrum)
    arf = ARFRequest(**ABOUT, region=region, raytrace=None, position=(81.0, -69.0), expmap=expmap, rmf=rmf)
    background = SourceSpectrumRequest(**ABOUT, spectrum=spectrum, expmap=expmap)
    whole = SourceSpectrumRequest(**ABOUT, spectrum=spectrum, expmap=expmap, background=background, rmf=rmf, arf=arf)
    one = LightCurveRequest(**ABOUT, selection=Selection(gti=gti), region=region, bin=200.0)
    net = NetCurveRequest(**ABOUT, source=one, background=one, expmap=expmap)
    return [request.key for top in (whole, net) for request in top.walk()]


WORK = {
    "overlap": lambda gti: gti.overlap(gti.start[::9] - 20, gti.start[::9] + 400),
    "and": lambda gti: gti & GTI(gti.start + 0.1, gti.stop + 0.1),
    "contains": lambda gti: gti.contains(gti.start + 0.2),
    "elapsed": lambda gti: elapsed(gti, HEADER),
    "curve": curve,
    "flickering pixels": flickering,
    "attitude": lambda gti: attitude_bins(attitude(gti), gti, 20.0, 1),
    "keys of requests": requests,
}


def calls(function, gti):
    """How many Python and C functions are called."""
    count = 0

    def seen(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        function(gti)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("name", WORK)
def test_calls_do_not_grow_with_the_intervals(name):
    few, many = frames(FEW), frames(MANY)
    WORK[name](few)  # imports
    assert calls(WORK[name], many) <= calls(WORK[name], few) + 50


@pytest.mark.parametrize("name", WORK)
def test_memory_grows_in_proportion_at_most(name):
    """Five hundred bytes an interval hold thirty-odd arrays of it, and no product with bins, rows or pixels."""
    gti = frames(MANY)
    rest = 1810**2 * 8 if name == "flickering pixels" else 0
    tracemalloc.start()
    try:
        WORK[name](gti)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 500 * MANY + 3 * rest


def test_many_intervals_make_a_short_statement_that_tells_them_apart():
    many = frames(MANY)
    other = GTI(many.start[1:], many.stop[1:])
    keys = {ExpMapRequest(**ABOUT, gti=gti).key for gti in (many, other, None)}
    assert len(keys) == 3
    assert len(ExpMapRequest(**ABOUT, gti=many).to_json()) < 500
    assert ExpMapRequest(**ABOUT, gti=many).key == ExpMapRequest(**ABOUT, gti=many.pairs).key


def test_good_time_frame_by_frame_is_known_as_such():
    gti, timing = frames(100), timing_of(HEADER)
    assert frame_by_frame(gti, timing)
    assert not frame_by_frame(GTI([gti.start[0]], [gti.stop[-1]]), timing)
    whole = elapsed(gti, HEADER)
    assert (len(whole), whole.total) == (1, pytest.approx(50.0, abs=1e-6))
