"""Data classes as the ABC guide and the observatory guide describe them."""

from __future__ import annotations

import pytest

from xtendsrc.errors import RequestError
from xtendsrc.instrument import DataClassCode


@pytest.mark.parametrize(
    ("code", "ccds", "window", "burst", "frame", "live", "mode", "detnam"),
    [
        ("300000a0", (1, 2, 3, 4), "full", False, 4.0, 3.963136, "WINDOW1", "CCD"),
        ("30000010", (1, 2, 3, 4), "full", False, 4.0, 3.963136, "WINDOW1", "CCD"),
        ("31100010", (1, 2), "1/8", False, 0.5, 0.4631184, "WINDOW2", "CCD12"),
        ("31200010", (1, 2), "full", True, 4.0, 0.0605952, "WINDOW1BURST", "CCD12"),
        ("31300010", (1, 2), "1/8", True, 0.5, 0.0605952, "WINDOW2BURST", "CCD12"),
        ("32000010", (3, 4), "full", False, 4.0, 3.963136, "WINDOW1", "CCD34"),
    ],
)
def test_documented_classes(code, ccds, window, burst, frame, live, mode, detnam):
    parsed = DataClassCode.parse(code)
    assert (parsed.ccds, parsed.window, parsed.burst) == (ccds, window, burst)
    assert (parsed.frame_time, parsed.live_time) == (frame, live)
    assert (parsed.datamode, parsed.detnam) == (mode, detnam)
    assert parsed.documented
    assert str(parsed) == code


def test_ccd_id_is_one_less_than_the_number():
    assert DataClassCode.parse("32000010").ccd_ids == (2, 3)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("3000000", "eight"),
        ("300000g0", "eight"),
        ("400000a0", "digit 1"),
        ("330000a0", "digit 2"),
        ("30500010", "digit 3"),
    ],
)
def test_what_is_no_data_class_names_the_digit(code, reason):
    with pytest.raises(RequestError, match=reason) as caught:
        DataClassCode.parse(code)
    assert code in str(caught.value)


def test_a_combination_nobody_described_is_read_but_marked():
    assert not DataClassCode.parse("32100010").documented
