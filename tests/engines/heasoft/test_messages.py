"""Lines that real tasks print when they return 0 all the same, and lines that only look like it."""

import pytest

from xtendsrc.engines.heasoft.messages import errors, remarks


@pytest.mark.parametrize(
    "line",
    [
        "Warning: No region information read from src.reg",
        "Ignoring region filtering...",
        "Parameter name not found: eventsout",
        "Error copying header",
        "ERROR: the input file does not exist",
        "xaarfgen: ERROR: not enough photons",
        "*** Fatal error: no GTI",
        "FATAL: the output directory lies in the input tree",
        "xtdpipeline: FATAL no event file",
        "Unable to open file evt.fits",
        "could not open the named file",
        "FITSIO Error status = 104",
        "Task ahbackscal 1.0 terminating with status 104",
        "Task fimgbin 2.1 terminating",
        "Segmentation fault (core dumped)",
    ],
)
def test_lines_that_mean_failure(line):
    assert errors(f"fine\n{line}\nfine") == (line,)


@pytest.mark.parametrize(
    "line",
    [
        "Light curves possibly asynchronous",
        "Error handling mode: 2",
        "Error Summary: 0",
        "  Error Summary",
        "0 errors, 0 warnings",
        "numerrs: no errors",
        "Warning: unable to read DATE-OBS",
        " ERROR column is written",
        "Task xaexpmap 1.0 terminating with status 0",
        "** ahbackscal finished, errors: 0",
    ],
)
def test_lines_that_do_not(line):
    assert errors(line) == ()


@pytest.mark.parametrize(
    "line",
    [
        "Light curves possibly asynchronous",
        "Warning: column STAT_ERR not found, Poisson errors assumed",
        "WARNING: Card is too long, comment will be truncated.",
        "Error Summary: 0",
    ],
)
def test_what_tasks_say_of_every_product_is_no_remark(line):
    assert remarks(f"{line}\nWARNING: the pointing wanders\n") == ("WARNING: the pointing wanders",)
