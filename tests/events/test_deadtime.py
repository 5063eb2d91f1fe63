"""Live time of a file from what it says of its frames: Hitomi's timing, and extractor's order of keywords."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io.fits import Header

from xtendsrc.errors import DeadTimeError
from xtendsrc.events.deadtime import elapsed, frame_period, live_share
from xtendsrc.events.gti import GTI

STEP = {"WINDOW1": 4.0, "WINDOW2": 0.5, "WINDOW1BURST": 4.0, "WINDOW2BURST": 0.5}
COARSE = GTI([1.5e8, 1.5e8 + 6000], [1.5e8 + 3000, 1.5e8 + 7000])


def frames(mode, integration, number=1000):
    start = 1.5e8 + STEP[mode] * np.arange(number)
    return GTI(start, start + integration)


@pytest.mark.parametrize(
    ("mode", "integration", "share"),
    [
        ("WINDOW1", 3.963136, 0.9908),
        ("WINDOW2", 0.4631184, 0.9263),
        ("WINDOW1BURST", 1.9395648, 0.4849),
        ("WINDOW1BURST", 0.0605952, 0.0151),
        ("WINDOW2BURST", 0.0605952, 0.1212),
    ],
)
def test_frame_by_frame_is_live_time_and_burst_is_corrected(mode, integration, share):
    header = Header({"DATAMODE": mode, "TIMEDEL": integration})
    fine = live_share(header, frames(mode, integration), "a.evt")
    assert (fine.value, fine.warning, fine.corrected) == (1.0, "", False)
    rough = live_share(header, COARSE, "a.evt")
    assert rough.warning
    assert rough.value == (pytest.approx(share, abs=1e-4) if "BURST" in mode else 1.0)
    assert rough.corrected == ("BURST" in mode)
    assert frame_period(header) == STEP[mode]
    whole = elapsed(frames(mode, integration), header)
    assert (len(whole), whole.total) == (1, pytest.approx(1000 * STEP[mode], abs=2e-3))
    assert elapsed(COARSE, header) == COARSE


def test_a_burst_whose_mode_stays_open_is_refused_unless_its_good_time_tells():
    header = Header({"DATAMODE": "WINDOW1BURST", "TIMEDEL": 4.0})
    with pytest.raises(DeadTimeError, match=r"a\.evt.*leave the mode open"):
        live_share(header, COARSE, "a.evt")
    assert live_share(header, frames("WINDOW1BURST", 0.0605952), "a.evt").value == 1.0


def test_keywords_come_first_and_a_double_correction_is_told():
    header = Header({"DATAMODE": "WINDOW2BURST", "TIMEDEL": 0.0605952, "DEADC": 0.12})
    assert live_share(header, COARSE, "a.evt").warning == ""
    fine = live_share(header, frames("WINDOW2BURST", 0.0605952), "a.evt")
    assert fine.value == 0.12
    assert "may be too short" in fine.warning
    assert not fine.corrected


def test_unknown_modes_are_taken_as_the_file_says():
    header = Header({"DATAMODE": "PX_NORMAL", "TIMEDEL": 2.0})
    assert live_share(header, COARSE, "a.evt").value == 1.0
    assert frame_period(header) == 2.0
    assert frame_period(Header()) is None
