"""What is simulated is what was asked for: times, places, rates, spectra; by counting and closed forms."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from scipy.stats import chi2, norm

from tests.simulate.conftest import CENTRE, PERFECT, make, quiet, read
from xtendsrc import simulate

PIXEL = 1.76798405 / 60  # arcmin
FIELD = 4 * 640**2 * PIXEL**2  # arcmin2
SCALE = 1.47 / 3.3567  # of the exponential-disc PSF, arcmin


def within_poisson(counts, expected, sigmas=4.5):
    return abs(counts - expected) <= sigmas * np.sqrt(expected)


def sky_wcs(header):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [1215.5, 1215.5]
    wcs.wcs.crval, wcs.wcs.cdelt = [header["RA_NOM"], header["DEC_NOM"]], [-4.91106681541e-4, 4.91106681541e-4]
    wcs.wcs.radesys, wcs.wcs.equinox = "FK5", 2000.0
    return wcs


def soft_to_hard(columns):
    return (columns["PI"] >= 83) & (columns["PI"] <= 1666)


# --- time -------------------------------------------------------------------------------------------------------


def test_good_time_is_the_exposure_asked_for(typical):
    start, stop = typical.gti("300000a0")
    _, header = typical.clean("300000a0")
    dead = 0.036864 * len(start)  # one before each integration
    assert (stop - start).sum() + dead == pytest.approx(12_345.5, abs=1e-3)
    assert header["ONTIME"] == header["EXPOSURE"] == pytest.approx(12_345.5 - dead, abs=1e-3)
    assert np.all(start[1:] > stop[:-1])
    assert (header["TSTART"], header["TSTOP"]) == (start[0], stop[-1])


def test_long_observations_have_one_stretch_an_orbit(tmp_path):
    tree = make(tmp_path, exposure=100 * u.ks, conditions=quiet())
    start, stop = tree.gti("300000a0")
    gaps = np.flatnonzero(start[1:] - stop[:-1] > 1)
    start, stop = start[np.append(0, gaps + 1)], stop[np.append(gaps, len(stop) - 1)]
    assert np.all(np.abs(np.diff(start) - 5756) < 1900)
    assert np.all(stop - start <= 3652)
    assert 0.4 < 100_000 / (stop[-1] - start[0]) < 0.65


def test_clean_events_are_frames_in_good_time(typical, pair):
    for tree, code in ((typical, "300000a0"), (pair, "31100010"), (pair, "32000010")):
        columns, header = tree.clean(code)
        start, stop = tree.gti(code)
        interval = np.searchsorted(start, columns["TIME"], side="right") - 1
        assert interval.min() >= 0
        assert np.all(columns["TIME"] <= stop[interval])
        assert np.all(np.isin(np.round(columns["TIME"], 4), np.round(start, 4)))
        assert np.quantile(stop - start, [0.01, 0.99]) == pytest.approx(header["TIMEDEL"], rel=1e-3)
        assert np.all(np.diff(columns["TIME"]) >= 0)


def test_frames_and_live_time_by_data_class(pair):
    assert [pair.clean(c)[1]["TIMEDEL"] for c in ("31100010", "32000010")] == [0.4631184, 3.963136]
    assert [pair.clean(c)[1]["DATAMODE"] for c in ("31100010", "32000010")] == ["WINDOW2", "WINDOW1"]


def test_burst_modes_collect_for_60_ms_of_a_frame(tmp_path):
    star = simulate.Source(CENTRE, rate=200 * u.ct / u.s)
    tree = make(tmp_path, sources=[star], exposure=2 * u.ks, dataclasses="31200010", conditions=quiet(**PERFECT))
    columns, header = tree.clean("31200010")
    assert "DEADC" not in header
    assert header["EXPOSURE"] == pytest.approx(500 * 0.0605952)
    assert within_poisson(soft_to_hard(columns).sum(), 200 * 500 * 0.0605952)


# --- detector ---------------------------------------------------------------------------------------------------


def test_clean_events_lie_on_good_pixels(typical, pair):
    for tree, code in ((typical, "300000a0"), (pair, "31100010"), (pair, "32000010")):
        columns, _ = tree.clean(code)
        image = tree.bad_pixels(code)
        calibration = {1} if code != "31100010" else set()  # the window misses the calibration sources
        assert set(np.unique(image)) == {-1, 0, 2} | calibration
        code_here = image[columns["DETY"] - 1, columns["DETX"] - 1]
        assert set(np.unique(code_here)) == {0} | calibration
        row = (columns["ACTY"] - 35) % 80
        assert not np.isin(row[columns["ACTY"] >= 34], (79, 0, 1, 2)).any()
        assert set(np.unique(columns["GRADE"])) == {0, 2, 3, 4, 6}
        assert not columns["STATUS"][:, 0].any()


def test_bad_pixel_codes_are_the_status_bits(typical):
    columns, _ = typical.unfiltered("300000a0")
    image = typical.bad_pixels("300000a0")[columns["DETY"] - 1, columns["DETX"] - 1]
    flickering = columns["STATUS"][:, 9]
    assert np.array_equal(columns["STATUS"][:, 0], (image == 2) | flickering)
    inside = [np.hypot(columns["DETX"] - x, columns["DETY"] - y) <= r for x, y, r in ((920, 1530, 92), (919, 271, 91))]
    assert np.array_equal(columns["STATUS"][:, 1], inside[0] | inside[1])
    rows = (columns["ACTY"] - 35) % 80
    assert np.array_equal(columns["STATUS"][:, 5], (rows == 0) & (columns["ACTY"] >= 35))
    assert {1, 5, 7} < set(np.unique(columns["GRADE"]))


def test_flickering_pixels_are_listed_with_their_time(typical):
    pixels, _ = read(typical.file("*.fpix*"), "PIXELS")
    columns, header = typical.unfiltered("300000a0")
    listed = np.zeros(len(columns["TIME"]), dtype=bool)
    for x, y, start, stop in zip(*(pixels[n] for n in ("DETX", "DETY", "START", "STOP")), strict=True):
        here = (columns["DETX"] == x) & (columns["DETY"] == y)
        middle = columns["TIME"] + header["TIMEDEL"] / 2
        listed |= here & (middle >= start) & (middle <= stop)
    assert listed.sum() > 100
    assert np.array_equal(columns["STATUS"][:, 9], listed)


def test_a_window_pair_covers_its_ccds(pair):
    window, header = pair.clean("31100010")
    assert (header["WIN_ST"], header["WIN_SIZE"]) == (436, 80)
    assert set(np.unique(window["CCD_ID"])) == {0, 1}
    assert (window["ACTY"].min() >= 436) & (window["ACTY"].max() <= 515)
    assert (window["DETX"].min() >= 694) & (window["DETX"].max() <= 773)
    companion, _ = pair.clean("32000010")
    assert set(np.unique(companion["CCD_ID"])) == {2, 3}
    assert companion["DETX"].min() >= 913
    assert np.ptp(companion["ACTY"]) > 600


# --- places -----------------------------------------------------------------------------------------------------


def test_sky_positions_follow_the_attitude_files(typical):
    columns, header = typical.clean("300000a0")
    ehk, _ = read(typical.file("*.ehk.gz"), "EHK")
    assert np.ptp(ehk["DEC"]) * 3600 > 30  # it does wander
    ra, dec, roll = (np.interp(columns["TIME"], ehk["TIME"], ehk[n]) for n in ("RA", "DEC", "ROLL"))
    dx, dy = columns["DETX"] - 733.0, columns["DETY"] - 731.0  # FOC_OFF puts the aim there
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    east, north = -(dx * c - dy * s) * PIXEL / 60, (dx * s + dy * c) * PIXEL / 60
    there = SkyCoord(ra, dec, unit="deg", frame="fk5").spherical_offsets_by(east * u.deg, north * u.deg)
    x, y = sky_wcs(header).world_to_pixel(there)
    assert np.abs(x + 1 - columns["X"]).max() < 0.55  # half a pixel, and an arcsecond of sphere over 34 arcmin
    assert np.abs(y + 1 - columns["Y"]).max() < 0.55


def test_the_quaternions_are_the_pointing(typical):
    ehk, _ = read(typical.file("*.ehk.gz"), "EHK")
    att, _ = read(typical.file("*.att.gz"), "ATTITUDE")
    assert np.array_equal(ehk["TIME"], att["TIME"])
    x, y, z, w = att["QPARAM"].T
    boresight = np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])
    assert np.allclose(np.degrees(np.arcsin(boresight[2])), ehk["DEC"], rtol=0, atol=1e-9)
    assert np.allclose(np.degrees(np.arctan2(boresight[1], boresight[0])) % 360, ehk["RA"], rtol=0, atol=1e-8)
    assert np.allclose(att["EULER"], np.stack([ehk["RA"], 90 - ehk["DEC"], (90 - ehk["ROLL"]) % 360], axis=1))


def test_the_identity_quaternion_points_north_with_roll_90():
    from xtendsrc.simulate.auxiliary import _zyz

    _, quaternion = _zyz(np.array([0.0]), np.array([90.0]), np.array([90.0]))
    assert np.allclose(quaternion, [[0, 0, 0, 1]])


def test_a_star_is_found_at_its_place(typical):
    columns, header = typical.clean("300000a0")
    star = typical.truth["300000a0"]["sources"][0]
    expected = SkyCoord(star["ra"], star["dec"], unit="deg")
    x0, y0 = sky_wcs(header).world_to_pixel(expected)
    assert np.allclose((x0 + 1, y0 + 1), (star["x"], star["y"]), atol=1e-3)
    x, y = x0 + 1, y0 + 1
    near = soft_to_hard(columns) & (np.hypot(columns["X"] - x, columns["Y"] - y) < 34)
    error = np.std(columns["X"][near]) / np.sqrt(near.sum())
    assert near.sum() > 10_000
    assert abs(columns["X"][near].mean() - x) < 4 * error + 0.4  # bad columns pull a little
    assert abs(columns["Y"][near].mean() - y) < 4 * error + 0.4


@pytest.mark.parametrize("roll", [0.0, 137.9])
def test_a_star_off_axis_without_faults_has_its_centroid_exactly(tmp_path, roll):
    place = CENTRE.directional_offset_by(20 * u.deg, 3 * u.arcmin)
    star = simulate.Source(place, rate=20 * u.ct / u.s)
    conditions = quiet(**PERFECT)
    tree = make(tmp_path, sources=[star], exposure=2 * u.ks, roll=roll * u.deg, conditions=conditions)
    columns, header = tree.clean("300000a0")
    x, y = (v + 1 for v in sky_wcs(header).world_to_pixel(place))
    near = np.hypot(columns["X"] - x, columns["Y"] - y) < 30
    error = np.std(columns["X"][near]) / np.sqrt(near.sum())
    assert abs(columns["X"][near].mean() - x) < 4.5 * error
    assert abs(columns["Y"][near].mean() - y) < 4.5 * error


def test_the_psf_encloses_what_it_should(tmp_path):
    star = simulate.Source(CENTRE, rate=20 * u.ct / u.s)
    columns, _ = make(tmp_path, sources=[star], exposure=2 * u.ks, conditions=quiet(**PERFECT)).clean("300000a0")
    radius = np.hypot(columns["X"] - 1215.5, columns["Y"] - 1215.5) * PIXEL
    for limit, fraction in ((0.5, 0.32), (1.0, 0.67), (1.5, 0.86), (2.0, 0.94), (3.0, 0.99)):
        assert np.mean(radius <= limit) == pytest.approx(fraction, abs=0.012)  # published to two digits


def offsets(tmp_path, shape, hpd):
    source = simulate.Source(CENTRE, rate=20 * u.ct / u.s, shape=shape)
    # only 1 arcmin and below, where vignetting is flat to 3 %
    columns, _ = make(tmp_path, sources=[source], exposure=1 * u.ks, conditions=quiet(**PERFECT, hpd=hpd)).clean(
        "300000a0"
    )
    return (columns["X"] - 1215.5) * PIXEL, (columns["Y"] - 1215.5) * PIXEL


def test_extended_sources_have_their_shape(tmp_path):
    x, y = offsets(tmp_path / "disc", simulate.Disc(1 * u.arcmin), 1e-3)
    r = np.hypot(x, y)
    assert r.max() < 1 + 2 * PIXEL  # rounded to pixels twice, in DET and in SKY
    assert np.mean(r < 0.5) == pytest.approx(0.25, abs=0.02)
    x, y = offsets(tmp_path / "gauss", simulate.Gaussian(0.7 * u.arcmin), 1.47)
    expected = 0.7**2 + 3 * SCALE**2  # variances add; the exponential disc has 3 a^2 in each direction
    assert np.var(x) == pytest.approx(expected, rel=0.08)
    assert np.var(y) == pytest.approx(expected, rel=0.08)
    x, y = offsets(tmp_path / "beta", simulate.Beta(0.3 * u.arcmin, beta=1.0), 1e-3)
    # beta = 1: fraction within r is 1 - (1 + r^2/c^2)^(-3/2)
    assert np.mean(np.hypot(x, y) < 0.3) == pytest.approx(1 - 2**-1.5, abs=0.02)


# --- brightness -------------------------------------------------------------------------------------------------


def test_the_rate_asked_for_is_counted(tmp_path):
    star = simulate.Source(CENTRE, rate=10 * u.ct / u.s)
    columns, _ = make(tmp_path, sources=[star], exposure=2 * u.ks, conditions=quiet(**PERFECT)).clean("300000a0")
    assert within_poisson(soft_to_hard(columns).sum(), 10 * 2000)


def test_the_flux_asked_for_is_emitted():
    # power law of index 2: flux 1.602e-9 erg/keV x norm x ln(10/2)
    flux = 1.602176634e-9 * 5e-4 * np.log(5) * u.erg / u.cm**2 / u.s
    asked = simulate.Source(CENTRE, simulate.PowerLaw(2.0, 1.0), flux=flux, band=(2, 10) * u.keV)
    given = simulate.Source(CENTRE, simulate.PowerLaw(2.0, 5e-4))
    assert np.allclose(asked.photons(), given.photons(), rtol=1e-4)


def test_the_spectrum_is_the_folded_model(tmp_path):
    star = simulate.Source(CENTRE, simulate.PowerLaw(1.8, 2e-2) + simulate.Line(6.4, 3e-4))
    columns, _ = make(tmp_path, sources=[star], exposure=4 * u.ks, conditions=quiet(**PERFECT), seed=9).clean(
        "300000a0"
    )
    # the same by hand: the table's area, a Gaussian of the published width, 1 eV steps
    table = np.loadtxt(simulate.__path__[0] + "/../data/nominal/xtend_ea_nominal.csv", delimiter=",")
    energy = np.arange(0.3005, 15, 0.001)
    model = 2e-2 * energy**-1.8 + 3e-4 * norm.pdf(energy, 6.4, 0.005)
    photons = model * np.interp(energy, table[:, 0], table[:, 4]) * 0.001 * 4000
    ev = energy * 1000
    width = np.sqrt((2.355 * 3.65 * 6) ** 2 + 2.355**2 * 0.12 * 3.65 * ev + (0.0185 * ev) ** 2) / 2.354820 / 1000
    edges = np.concatenate([np.arange(80, 400, 8), np.arange(400, 1700, 20)])
    share = norm.cdf((edges * 0.006 - energy[:, None]) / width[:, None])
    expected = (photons[:, None] * np.diff(share, axis=1)).sum(axis=0)
    counts = np.histogram(columns["PI"], edges)[0]
    keep = expected > 20
    assert keep.sum() > 60
    statistic = ((counts - expected) ** 2 / expected)[keep].sum()
    assert 1e-4 < chi2.sf(statistic, keep.sum()) < 0.9999
    assert within_poisson(counts.sum(), expected.sum())


def test_vignetting_dims_the_off_axis_star(tmp_path):
    place = CENTRE.directional_offset_by(0 * u.deg, 10 * u.arcmin)
    line = simulate.Line(1.5, norm=0.05, width=0.01)
    star = simulate.Source(place, line)
    columns, _ = make(tmp_path, sources=[star], exposure=1 * u.ks, conditions=quiet(**PERFECT)).clean("300000a0")
    # PA 0: 10 arcmin North is 339 pixels up, DETY 1070, on CCD1; the gap around DETY 905 is 5.6 arcmin away
    assert within_poisson(len(columns["PI"]), 0.05 * 393.282 * 0.4519 * 1000)


def test_light_curves_modulate_the_source(tmp_path):
    on_off = simulate.Source(CENTRE, rate=10 * u.ct / u.s, lightcurve=lambda t: np.where(t % 400 < 100, 2.0, 0.5))
    tree = make(tmp_path, sources=[on_off], exposure=3.2 * u.ks, conditions=quiet(**PERFECT))
    columns, _ = tree.clean("300000a0")
    start, _ = tree.gti("300000a0")
    bright = (columns["TIME"] - start[0]) % 400 < 100
    kept = soft_to_hard(columns)
    assert within_poisson((bright & kept).sum(), 20 * 800)
    assert within_poisson((~bright & kept).sum(), 5 * 2400)
    assert tree.truth["300000a0"]["sources"][0]["brightness"] == pytest.approx(2 * 0.25 + 0.5 * 0.75)


def test_calibration_sources_shine_in_their_circles(typical):
    columns, header = typical.unfiltered("300000a0")
    image = typical.bad_pixels("300000a0")
    y, x = np.indices(image.shape) + 1
    elapsed = header["EXPOSURE"]
    for cx, cy, radius in ((920, 1530, 92), (919, 271, 91)):
        inside = (np.hypot(x - cx, y - cy) <= radius) & (image >= 0)
        here = np.hypot(columns["DETX"] - cx, columns["DETY"] - cy) <= radius
        line = here & (abs(columns["PI"] - 982.5) < 60) & np.isin(columns["GRADE"], (0, 2, 3, 4, 6))
        # 0.15 counts/s in the whole circle, 88 % in the line at 5.895 keV; +-60 channels are 5 sigma of it
        particles = inside.sum() * PIXEL**2 * 3e-5 * 0.72 * elapsed
        beta = 0.12 * 0.0026  # the line at 6.49 keV hardly reaches there
        expected = 0.15 * (0.88 + beta) * elapsed * inside.sum() / (np.pi * radius**2) + particles
        assert within_poisson(line.sum(), expected)
        assert np.median(columns["PI"][line]) == pytest.approx(5895 / 6, abs=2)


def test_backgrounds_have_their_surface_brightness(tmp_path):
    none = simulate.Background.none()
    conditions = simulate.Conditions(
        **PERFECT, background=type(none)(cxb_norm=0, calibration_rate=0, lines=(), null_rate=0)
    )
    columns, header = make(tmp_path / "nxb", exposure=3 * u.ks, conditions=conditions).clean("300000a0")
    assert within_poisson(len(columns["PI"]), 3e-5 * 24.576 * FIELD * header["EXPOSURE"])
    rows = columns["ACTY"]
    assert np.mean(rows > 320) == pytest.approx(0.5 + 0.3 / 8, abs=0.03)
    only_sky = simulate.Conditions(
        **PERFECT, background=type(none)(continuum=0, lines=(), calibration_rate=0, bad_grade_rate=0, null_rate=0)
    )
    columns, _ = make(tmp_path / "cxb", exposure=20 * u.ks, conditions=only_sky).clean("300000a0")
    radius = np.hypot(columns["DETX"] - 733, columns["DETY"] - 731) * PIXEL
    middle = (radius < 4) & (columns["PI"] >= 66) & (columns["PI"] < 2000)
    # 5.9e-4 counts/s/arcmin2 on axis in 0.4-12 keV; 0.86 is the mean vignetting within 4 arcmin
    assert middle.sum() / (20_000 * np.pi * 16) == pytest.approx(5.9e-4 * 0.86, rel=0.12)


def test_null_energies_are_marked(typical):
    columns, header = typical.unfiltered("300000a0")
    null = columns["PI"] < 0
    assert set(np.unique(columns["PI"][null])) == {-999}
    assert within_poisson(null.sum(), 2e-3 * header["EXPOSURE"])


@pytest.mark.parametrize("dataclass", ["300000a0", "31100010"])
def test_the_recorded_truth_is_what_is_counted(tmp_path, dataclass):
    blob = simulate.Source(
        CENTRE.directional_offset_by(200 * u.deg, 3 * u.arcmin),
        rate=10 * u.ct / u.s,
        shape=simulate.Gaussian(1 * u.arcmin),
        lightcurve=lambda t: 1 + t / 4000,
    )
    conditions = quiet(bad_columns=40, hot_pixels=2000, flickering_pixels=0)
    tree = make(tmp_path, sources=[blob], exposure=2 * u.ks, dataclasses=dataclass, conditions=conditions)
    columns, header = tree.clean(dataclass)
    truth = tree.truth[dataclass]["sources"][0]
    assert truth["live"] < 0.93
    assert truth["onaxis_rate"]["0.5-10.0"] == pytest.approx(10)
    for band, (lo, hi) in {"0.5-10.0": (83, 1666), "0.6-2.0": (100, 332), "2.0-6.0": (333, 999)}.items():
        counts = np.count_nonzero((columns["PI"] >= lo) & (columns["PI"] <= hi))
        assert within_poisson(counts, truth["counts"][band], 5)
        assert truth["counts"][band] == pytest.approx(truth["rate"][band] * header["EXPOSURE"])


def test_the_record_counts_the_events(typical):
    truth = typical.truth["300000a0"]
    assert truth["events"] == len(typical.clean("300000a0")[0]["PI"])
    assert truth["unfiltered_events"] == len(typical.unfiltered("300000a0")[0]["PI"])


def test_adding_a_source_leaves_the_rest_as_it_was(tmp_path):
    star = simulate.Source(CENTRE, rate=0.5 * u.ct / u.s)
    alone = make(tmp_path / "alone", exposure=1 * u.ks, seed=2).unfiltered("300000a0")[0]
    both = make(tmp_path / "both", sources=[star], exposure=1 * u.ks, seed=2).unfiltered("300000a0")[0]
    before = set(zip(*(alone[n].tolist() for n in ("TIME", "DETX", "DETY", "PI")), strict=True))
    after = set(zip(*(both[n].tolist() for n in ("TIME", "DETX", "DETY", "PI")), strict=True))
    assert before <= after
    assert within_poisson(len(after) - len(before), 500, 6)


def test_ehk_columns_and_axis(typical):
    with fits.open(typical.file("*.ehk.gz")) as hdus:
        data, header = hdus["EHK"].data, hdus["EHK"].header
        assert {"TIME", "RA", "DEC", "ROLL", "SXI_RA_PNT", "SXI_DEC_PNT", "SAA_SXI", "T_SAA_SXI"} <= set(data.names)
        assert np.allclose(np.diff(data["TIME"]), 1.0)
        assert data["TIME"][0] < header["TSTART"] + 1
        assert np.allclose(data["SXI_DEC_PNT"], data["DEC"], atol=1e-6)  # the optical axis is the centre of FOC here
