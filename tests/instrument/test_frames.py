"""Read-out timing against exposures published for real Xtend data, and against the period of the frames."""

import pytest

from xtendsrc.instrument import DataClassCode
from xtendsrc.instrument.frames import TIMINGS, TRANSFER, timing_of


@pytest.mark.parametrize(
    ("exposure", "seconds", "intervals", "tolerance"),
    [
        (49.557632, 50, 12, 1e-6),
        (57929.19559, 58468, 14616, 2e-4),
        (184122.0721, 185834, 46439, 7e-4),
        (223864.1418, 225946, 56474, 7e-4),
    ],
)
def test_published_full_window_exposures_lack_whole_dead_intervals(exposure, seconds, intervals, tolerance):
    assert seconds - intervals * TRANSFER == pytest.approx(exposure, abs=tolerance)
    assert intervals == pytest.approx(seconds / 4, rel=0.05)


@pytest.mark.parametrize(
    ("code", "share"), [("300000a0", 0.99078), ("31100010", 0.926272), ("31300010", 0.1212), ("31200010", 0.0151)]
)
def test_live_shares(code, share):
    """That of the 1/8 window divides nine of twelve published exposures into whole seconds."""
    assert DataClassCode.parse(code).live_fraction == pytest.approx(share, abs=5e-5)


@pytest.mark.parametrize("timing", TIMINGS, ids=lambda t: t.datamode)
def test_integration_and_dead_times_fill_the_period(timing):
    extra = timing.last - timing.integration if timing.last else 0.0
    assert timing.frames * timing.step + extra == pytest.approx(4.0, abs=2e-4)


def test_window_frames_fill_four_seconds_exactly():
    window = next(t for t in TIMINGS if t.datamode == "WINDOW2")
    assert 7 * window.step + TRANSFER + window.last == pytest.approx(4.0, abs=1e-9)


@pytest.mark.parametrize(
    ("header", "mode"),
    [
        ({"DATAMODE": "WINDOW1", "TIMEDEL": 4.0}, "WINDOW1"),
        ({"DATACLAS": "31300010"}, "WINDOW2BURST"),
        ({"DATAMODE": "WINDOW1BURST", "TIMEDEL": 0.0605952}, "WINDOW1BURST2"),
        ({"DATAMODE": "WINDOW1BURST", "TIMEDEL": 1.9395648}, "WINDOW1BURST"),
        ({"DATAMODE": "WINDOW1BURST", "TIMEDEL": 4.0}, None),
        ({"DATAMODE": "SOMETHING"}, None),
    ],
)
def test_mode_of_a_header(header, mode):
    found = timing_of(header)
    assert (found.datamode if found else None) == mode
