"""The CCD layout against event lists and bad-pixel images made elsewhere, and against published areas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.errors import InputFileError, MissingKeywordError
from xtendsrc.instrument import (
    CCDS,
    PIXEL_ARCSEC,
    act_to_det,
    active_area,
    ccd_id_at,
    charge_injection_rows,
    contained,
    det_to_act,
    flagged_rows,
    in_calibration_source,
)

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def events():
    with fits.open(DATA / "full_window" / "events.fits.gz") as hdus:
        return hdus["EVENTS"].header, {
            n: hdus["EVENTS"].data[n].astype(int) for n in ("CCD_ID", "ACTX", "ACTY", "DETX", "DETY")
        }


@pytest.fixture(scope="module")
def bad_pixels():
    return fits.getdata(DATA / "expmap" / "steady" / "bimg.fits.gz")


def test_events_lie_where_their_ccd_puts_them(events):
    _, e = events
    assert np.array_equal(ccd_id_at(e["DETX"], e["DETY"]), e["CCD_ID"])
    assert np.array_equal(act_to_det(e["CCD_ID"], e["ACTX"], e["ACTY"]), (e["DETX"], e["DETY"]))
    assert np.array_equal(det_to_act(e["CCD_ID"], e["DETX"], e["DETY"]), (e["ACTX"], e["ACTY"]))


def test_the_active_area_is_what_the_bad_pixel_image_leaves(events, bad_pixels):
    header, _ = events
    y, x = np.indices(bad_pixels.shape) + 1
    assert np.array_equal(contained(active_area(header), x, y), bad_pixels >= 0)


def test_calibration_circles_are_those_of_the_bad_pixel_image(bad_pixels):
    y, x = np.indices(bad_pixels.shape) + 1
    assert np.array_equal(in_calibration_source(x, y) & np.isin(bad_pixels, (0, 1)), bad_pixels == 1)


def test_rows_near_charge_injection_are_bad(events, bad_pixels):
    rows = flagged_rows(events[0])
    assert charge_injection_rows(events[0])[:3].tolist() == [35, 115, 195]
    for ccd in CCDS:
        part = bad_pixels[ccd.dety[0] - 1 : ccd.dety[1], ccd.detx_of_row(rows) - 1]
        assert np.all(part == 2)


def test_the_field_has_the_published_size():
    # XRISM NXB page: 1081 arcmin2 between DETY 360 and 1440 with |RAWY - 80 k| <= 3 taken out
    y, x = np.indices((1810, 1810)) + 1
    chip = ccd_id_at(x, y)
    acty = det_to_act(np.maximum(chip, 0), x, y)[1]
    near = np.min([np.abs(acty - 1 - 80 * k) for k in range(8)], axis=0) <= 3
    kept = (chip >= 0) & ~near & (y > 360) & (y < 1440)
    assert kept.sum() * (PIXEL_ARCSEC / 60) ** 2 == pytest.approx(1081, rel=0.006)


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ({"CISTATUS": 0}, []),
        ({"CIPERIOD": 80, "CIFIRST": 1, "CIOFFSET": 0}, list(range(1, 641, 80))),
        ({"CIPERIOD": 320, "CIFIRST": 30, "CIOFFSET": 5, "CISTATUS": 1}, [35, 355]),
        ({"CIPERIOD": 320, "CIFIRST": -10, "CIOFFSET": 0}, [310, 630]),
    ],
)
def test_injection_rows_from_keywords(header, rows):
    assert charge_injection_rows(header).tolist() == rows


def test_rows_at_the_edge_have_no_neighbours_outside():
    assert flagged_rows({"CIPERIOD": 639, "CIFIRST": 1, "CIOFFSET": 0}).tolist() == [1, 2, 3, 639, 640]


@pytest.mark.parametrize("name", ["CIPERIOD", "CIFIRST", "CIOFFSET"])
def test_a_missing_injection_keyword_is_named(name):
    header = {"CIPERIOD": 80, "CIFIRST": 35, "CIOFFSET": 0}
    del header[name]
    with pytest.raises(MissingKeywordError, match=name):
        charge_injection_rows(header)


def test_the_window_is_a_strip_of_80_rows_on_two_ccds():
    strip = active_area({"DATACLAS": "31100010", "WIN_ST": 401, "WIN_SIZE": 80})
    assert [(r.ccd_id, r.detx, r.dety) for r in strip] == [(0, (659, 738), (913, 1552)), (1, (659, 738), (259, 898))]
    assert [r.detx for r in active_area("31100010")] == [(694, 773), (694, 773)]
    companion = active_area("32000010")
    assert [(r.ccd_id, r.detx) for r in companion] == [(2, (913, 1552)), (3, (913, 1552))]


def test_a_window_off_the_ccd_is_refused():
    with pytest.raises(InputFileError, match="WIN_ST=600"):
        active_area({"DATACLAS": "31100010", "WIN_ST": 600, "WIN_SIZE": 80})
    with pytest.raises(MissingKeywordError, match="DATACLAS"):
        active_area({})
