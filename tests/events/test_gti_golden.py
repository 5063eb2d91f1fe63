"""AND and OR of good time intervals against HEASoft's mgtime, frame by frame and with each disorder of files."""

from functools import reduce
from operator import and_, or_
from pathlib import Path

import numpy as np
import pytest

from xtendsrc.events.gti import GTI

MGTIME = Path(__file__).parents[1] / "data" / "mgtime"
CASES = {
    "ab": "a b",
    "abc": "a b c",
    "over": "over c",
    "unsorted": "unsorted b",
    "tz": "a tz",
    "frames": "frames saa_elv",
}


@pytest.mark.parametrize("mode", [and_, or_], ids=["and", "or"])
@pytest.mark.parametrize("case", CASES)
def test_combined_intervals_are_those_of_mgtime(case, mode):
    """Overlaps within a file, any order, TIMEZERO, and 1600 frames that must stay apart."""
    made = reduce(mode, (GTI.read(MGTIME / f"{name}.gti.gz") for name in CASES[case].split()))
    golden = GTI.read(MGTIME / f"{mode.__name__.strip('_')}_{case}.gti.gz")
    assert len(made) == len(golden) > 0
    np.testing.assert_allclose(made.pairs, golden.pairs, rtol=0, atol=1e-6)
