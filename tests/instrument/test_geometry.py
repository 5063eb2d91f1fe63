"""DET, FOC, SKY and ICRS against HEASoft's ``coordpnt`` and closed forms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtendsrc.errors import InputFileError, MissingKeywordError
from xtendsrc.instrument import PIXEL_ARCSEC, Geometry, det_to_foc

COORDPNT = Path(__file__).parents[1] / "data" / "expmap" / "coordpnt.json"
NOMINAL = (81.259, -69.644)


@pytest.fixture(scope="module")
def points():
    return json.loads(COORDPNT.read_text())


def nominal(points, system):
    return [p for p in points if (p["ra"], p["dec"]) == NOMINAL and p["stopsys"] == system]


def test_det_to_sky_is_that_of_coordpnt(points):
    chosen = nominal(points, "SKY")
    assert len(chosen) > 200
    assert len({p["roll"] for p in chosen}) == 5
    for p in chosen:
        geometry = Geometry(*NOMINAL, p["roll"])
        assert np.allclose(geometry.det_to_sky(p["detx"], p["dety"]), p["out"], rtol=0, atol=1e-6)
        assert np.allclose(geometry.sky_to_det(*p["out"]), (p["detx"], p["dety"]), rtol=0, atol=1e-6)


def test_det_to_celestial_is_that_of_coordpnt(points):
    chosen = nominal(points, "RADEC")
    assert len(chosen) > 200
    for p in chosen:
        position = Geometry(*NOMINAL, p["roll"]).det_to_icrs(p["detx"], p["dety"]).fk5
        ra, dec = p["out"]
        assert position.dec.deg == pytest.approx(dec, abs=1e-9)
        assert position.ra.deg == pytest.approx(ra, abs=1e-9)


def test_pointings_off_the_nominal_one_agree_with_coordpnt(points):
    # coordpnt turns and shifts one plane; the exact way differs by curvature, here 0.02 deg from nominal
    chosen = [p for p in points if (p["ra"], p["dec"]) != NOMINAL and p["stopsys"] == "SKY"]
    assert len(chosen) > 50
    geometry = Geometry(*NOMINAL, 0.0)
    for p in chosen:
        foc = det_to_foc(p["detx"], p["dety"])
        sky = geometry.pointed_to_sky(*foc, p["ra"], p["dec"], p["roll"])
        assert np.allclose(sky, p["out"], rtol=0, atol=0.01)


@given(
    st.floats(0, 359.99),
    st.floats(-89.5, 89.5),
    st.floats(0, 360),
    st.floats(1, 1810),
    st.floats(1, 1810),
)
def test_there_and_back(ra, dec, roll, detx, dety):
    geometry = Geometry(ra, dec, roll)
    x, y = geometry.det_to_sky(detx, dety)
    assert np.allclose(geometry.sky_to_det(x, y), (detx, dety), rtol=0, atol=1e-8)
    assert np.allclose(geometry.icrs_to_sky(geometry.sky_to_icrs(x, y)), (x, y), rtol=0, atol=1e-5)
    pointing = (ra + 0.01, min(dec + 0.01, 89.9), roll)
    foc = geometry.sky_to_pointed(x, y, *pointing)
    assert np.allclose(geometry.pointed_to_sky(*foc, *pointing), (x, y), rtol=0, atol=1e-6)


def test_the_nominal_pointing_is_the_centre_of_the_sky_grid():
    geometry = Geometry(*NOMINAL, 77.0)
    foc = det_to_foc(np.array([300.0, 1500.0]), np.array([1200.0, 400.0]))
    assert np.allclose(
        geometry.pointed_to_sky(*foc, *NOMINAL, 77.0), geometry.det_to_sky([300.0, 1500.0], [1200.0, 400.0])
    )


def test_a_pixel_is_1_768_arcsec_and_x_runs_west():
    geometry = Geometry(10.0, 0.0, 0.0)
    centre, west = geometry.sky_to_icrs([1215.5, 1216.5], [1215.5, 1215.5])
    assert centre.separation(west).arcsec == pytest.approx(1.767984, abs=1e-5)
    assert west.ra < centre.ra
    assert np.isclose(PIXEL_ARCSEC, np.degrees(0.048 / 5600) * 3600, rtol=1e-11, atol=0)  # 48 um at 5.6 m


def test_offsets_follow_the_header_where_it_has_the_axis_in_both_grids():
    header = {"RA_NOM": 1.0, "DEC_NOM": 2.0, "PA_NOM": 3.0}
    assert Geometry.from_header(header).foc_offset == (-172.5, -174.5)
    header |= {"OPTDETX": 745.0, "OPTDETY": 722.0, "OPTFOCX": 1220.0, "OPTFOCY": 1210.0}
    geometry = Geometry.from_header(header)
    assert np.allclose(det_to_foc(745.0, 722.0, geometry.foc_offset), (1220.0, 1210.0))
    assert geometry.optical_axis == (745.0, 722.0)


@pytest.mark.parametrize("name", ["RA_NOM", "DEC_NOM", "PA_NOM"])
def test_missing_or_senseless_keywords_are_named(name):
    header = {"RA_NOM": 1.0, "DEC_NOM": 2.0, "PA_NOM": 3.0}
    with pytest.raises(InputFileError, match=name):
        Geometry.from_header(header | {name: "north"})
    del header[name]
    with pytest.raises(MissingKeywordError, match=name):
        Geometry.from_header(header)


def test_positions_behind_the_telescope_have_no_place():
    geometry = Geometry(10.0, 20.0, 0.0)
    from astropy.coordinates import SkyCoord

    x, y = geometry.icrs_to_sky(SkyCoord(190.0, -20.0, unit="deg"))
    assert np.isnan(x)
    assert np.isnan(y)
