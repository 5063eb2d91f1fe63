"""Profiles, annuli, joined curves and places of a simulated extended source, against what was put into it."""

import shutil

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.cosmology import FlatLambdaCDM
from astropy.table import Table
from astropy.time import Time

import xtendsrc as xs
from xtendsrc import simulate
from xtendsrc.errors import InputNotFoundError, NoObservationsError, RequestError

CENTRE = SkyCoord(150.0, 30.0, unit="deg")
BAND = (0.5, 7) * u.keV
CORE, BETA, RATE = 1.2, 0.75, 0.6


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Two observations of a beta model, 8 ks each, 60 days apart in mission time."""
    root = tmp_path_factory.mktemp("cluster")
    shape = simulate.Beta(CORE * u.arcmin, BETA)
    cluster = simulate.Source(CENTRE, simulate.PowerLaw(1.8), rate=RATE * u.ct / u.s, shape=shape, name="cluster")
    for number, obs_id in enumerate(("900003010", "900004010")):
        start = simulate.Conditions().start + 60 * 86400.0 * number
        options = {"roll": (30 + 100 * number) * u.deg, "seed": number, "files": simulate.Files(compress=False)}
        conditions = simulate.Conditions(start=start)
        simulate.observation(
            root / "XRISM", obs_id, CENTRE, [cluster], exposure=8 * u.ks, conditions=conditions, **options
        )
    return root


@pytest.fixture
def cluster(tree):
    options = {"name": "cluster", "redshift": 0.1, "archive": tree / "XRISM", "output": tree / "out"}
    return xs.ExtendedSource(CENTRE, 8 * u.arcmin, **options)


def test_the_beta_model_is_given_back(cluster):
    profile = cluster.radial_profile(BAND, np.linspace(0, 8, 25) * u.arcmin)
    fit = profile.fit("beta")
    assert abs(fit.values["core"].to_value("arcmin") - CORE) < 4 * fit.errors["core"].to_value("arcmin")
    assert abs(fit.values["beta"].value - BETA) < 4 * fit.errors["beta"].value
    assert fit.errors["core"] < 0.3 * u.arcmin
    assert fit.statistic < 2.5 * fit.dof
    assert set(fit.table["parameter"]) == {"brightness", "core", "beta", "constant"}
    row = profile.table[0]
    assert (row["radius_kpc"] / row["radius"]).value == pytest.approx(profile.kpc_per_arcmin)
    with pytest.raises(RequestError, match="no model"):
        profile.fit("king")


def test_annuli_are_chosen_from_the_counts(cluster):
    equal = cluster.radial_profile(BAND, "equal 6")
    assert len(equal.data.counts) == 6
    assert np.ptp(equal.data.counts) < 0.1 * equal.data.counts.mean()
    strong = cluster.radial_profile(BAND, "sn 12", background=(2, 2.4))
    assert np.all(strong.data.signal_to_noise >= 12)
    lengths = cluster.radial_profile(BAND, [0, 100, 300] * u.kpc)
    assert lengths.edges[1].value == pytest.approx(100 / lengths.kpc_per_arcmin)
    assert len(cluster.radial_profile(BAND, 4).data.counts) == 4
    for bins in ("equal", "equal 2.5", "ring 4"):
        with pytest.raises(RequestError, match="not understood"):
            cluster.radial_profile(BAND, bins)


def test_the_middle_is_found(tree):
    off = xs.ExtendedSource(
        CENTRE.directional_offset_by(70 * u.deg, 50 * u.arcsec), 3 * u.arcmin, name="off", archive=tree / "XRISM",
        output=tree / "out",
    )  # fmt: skip
    for centre, near in (("peak", 30), ("centroid", 25)):
        profile = off.radial_profile(BAND, centre=centre)
        assert profile.centre.separation(CENTRE) < near * u.arcsec


def test_spectra_of_annuli_hold_the_counts_of_their_annuli(cluster, tmp_path):
    radii = [0, 1.5, 3, 6] * u.arcmin
    assert cluster.region.shapes[0].name == "circle"  # of the source itself, worked out before
    annuli = cluster.annular_spectra(radii, response="nominal", background="none", obs_id="900003010")
    assert len(annuli) == 3
    assert len(annuli.spectra) == 3
    assert not annuli.compute(progress=False).failed
    profile = cluster.radial_profile(channels=(0, 4095), bins=radii, obs_id="900003010")
    counts = [sum(int(s.counts.sum()) for s in ring) for ring in annuli.rings]
    np.testing.assert_allclose(counts, profile.data.counts, rtol=0.02)
    assert np.all(annuli.mixing.sum(axis=1) < 1)
    assert np.all(annuli.mixing > 0)
    script = annuli.write_script(tmp_path / "joint.xcm", "powerlaw").read_text()
    assert script.count("data ") == 3
    assert script.count("arf ") == 9
    assert script.count("newpar ") == 9
    with pytest.raises(RequestError, match="exists"):
        annuli.write_script(tmp_path / "joint.xcm", "powerlaw")


def test_shares_without_a_psf_are_none(cluster, monkeypatch):
    """Where nothing is mixed, each annulus has its own model: the part of the disc that it is, over the part held."""
    from xtendsrc.measure.psf import RadialPSF
    from xtendsrc.source import annuli as module

    sharp = RadialPSF(np.array([0.0, 1e-3]), np.array([0.0, 1.0]))
    monkeypatch.setattr(module, "nominal_psf", lambda: sharp)
    annuli = cluster.annular_spectra([0, 2, 4] * u.arcmin, background="none")
    np.testing.assert_allclose(annuli.shares, np.eye(2), atol=0.03)


def test_annuli_of_a_point_source_are_refused(tree):
    star = xs.PointSource(CENTRE, name="star", archive=tree / "XRISM", output=tree / "out")
    with pytest.raises(RequestError, match="same spectrum"):
        star.annular_spectra([0, 1, 2] * u.arcmin)


def test_curves_are_joined_on_absolute_time(cluster):
    curve = cluster.joined_lightcurve(bin=400 * u.s, energy=BAND, background="none", barycentre=True)
    assert len(curve.chunks) == 2
    between = curve.chunks[1]["time"][0] - curve.chunks[0]["time"][0]
    assert between.to_value("d") == pytest.approx(60, abs=0.2)
    assert 0 < curve.coverage < 0.01
    assert curve.constancy("observation").probability > 1e-4
    assert curve.constancy("bin").probability > 1e-4
    # astropy's own light travel time to the centre of the Earth; a low orbit is 23 ms away from it, the Sun adds 0.1 ms
    own = (curve.table["barycentric"] - curve.table["time"].tdb).to_value("s")
    earth = EarthLocation.from_geocentric(0, 0, 0, unit=u.km)
    expected = curve.table["time"].light_travel_time(CENTRE, "barycentric", location=earth).to_value("s")
    np.testing.assert_allclose(own, expected, atol=0.025)
    assert np.abs(own - expected).max() > 0.002
    curve.view()
    with pytest.raises(RequestError, match="unknown"):
        curve.constancy("day")


def test_info_says_where_the_source_falls(cluster, tree):
    table = cluster.info()
    assert list(table["obs_id"]) == ["900003010", "900004010"]
    np.testing.assert_allclose(table["off_axis"].value, 0, atol=0.05)
    np.testing.assert_allclose(table["detx"], 733, atol=1)
    assert set(table["ccd"]) == {2}
    np.testing.assert_allclose(table["exposure"].value, 8000, rtol=0.01)
    assert np.all((table["covered"] > 0.8) & (table["covered"] <= 1))
    best = cluster.ranking("counts", energy=BAND)
    assert best["counts"][0] >= best["counts"][1]
    assert list(cluster.ranking("off_axis")["off_axis"]) == sorted(table["off_axis"])
    with pytest.raises(RequestError, match="ranked"):
        cluster.ranking("beauty")


def test_an_observation_is_left_out_for_a_reason_and_kept_out(cluster, tree):
    cluster.disassociate("900004010", "a flare")
    again = xs.ExtendedSource(CENTRE, name="cluster", archive=tree / "XRISM", output=tree / "out")
    assert list(again.observations) == ["900003010"]
    assert again.info().meta["disassociated"] == {"900004010": "a flare"}
    again.associate("900004010")
    assert list(again.observations) == ["900003010", "900004010"]
    with pytest.raises(RequestError, match="no observation"):
        again.disassociate("900009010", "wrong")
    with pytest.raises(RequestError, match="reason"):
        again.disassociate("900003010", " ")


def test_what_came_close_is_named(tree):
    options = {"archive": tree / "XRISM", "output": tree / "out"}
    with pytest.raises(NoObservationsError, match=r"900003010 points 6\d\.\d' away"):
        xs.PointSource(CENTRE.directional_offset_by(0 * u.deg, 65 * u.arcmin), **options).observations  # noqa: B018


def test_distances_follow_from_redshift_and_cosmology(tree):
    cosmology = FlatLambdaCDM(H0=70, Om0=0.3)
    options = {"archive": tree / "XRISM", "output": tree / "out", "redshift": 0.1, "cosmology": cosmology}
    source = xs.ExtendedSource((150.0, 30.0), 300 * u.kpc, **options)
    # Wright's cosmology calculator: 1.844 kpc/", 380.3 Mpc and 460.3 Mpc at z = 0.1 for H0 = 70, 0.3, 0.7
    assert source.kpc_per_arcmin == pytest.approx(1.844 * 60, rel=1e-3)
    assert source.angular_diameter_distance.to_value("Mpc") == pytest.approx(380.3, rel=1e-3)
    assert source.luminosity_distance.to_value("Mpc") == pytest.approx(460.3, rel=1e-3)
    assert source.radius.to_value("arcmin") == pytest.approx(300 / (1.844 * 60), rel=1e-3)
    assert source.convert_radius(1 * u.arcmin, "kpc").to_value("kpc") == pytest.approx(1.844 * 60, rel=1e-3)
    near = xs.PointSource((150.0, 30.0), name="near", archive=tree / "XRISM", output=tree / "out")
    with pytest.raises(RequestError, match="no redshift"):
        near.convert_radius(10 * u.kpc, "arcmin")
    with pytest.raises(RequestError, match="neither"):
        near.angles(3 * u.s)


def test_a_source_comes_from_a_row_or_a_moving_star(tree):
    options = {"archive": tree / "XRISM", "output": tree / "out"}
    table = Table({"RA": [10.0, 150.0], "Dec": [5.0, 30.0]}, units={"RA": "hourangle", "Dec": "deg"})
    assert xs.PointSource(table[0], name="row", **options).position.ra.deg == pytest.approx(150)
    barnard = SkyCoord(
        269.4520769 * u.deg, 4.6933650 * u.deg, pm_ra_cosdec=-801.6 * u.mas / u.yr, pm_dec=10362.4 * u.mas / u.yr,
        distance=1.83 * u.pc, obstime=Time("J2016.0"),
    )  # fmt: skip
    moved = xs.PointSource(barnard, name="Barnard", **options).position
    assert (moved.dec - barnard.dec).arcsec == pytest.approx(9 * 10.3624, rel=1e-3)
    with pytest.raises(RequestError, match="no column"):
        xs.PointSource(Table({"ra": [1.0]})[0], name="row", **options)


def test_without_an_orbit_file_there_is_no_barycentre(tree, tmp_path):
    copy = shutil.copytree(tree / "XRISM" / "900003010", tmp_path / "XRISM" / "900003010")
    for path in copy.glob("auxil/*.orb*"):
        path.unlink()
    star = xs.PointSource(CENTRE, name="star", archive=copy.parent, output=tmp_path / "out")
    with pytest.raises(InputNotFoundError, match="orb"):
        star.joined_lightcurve(bin=400 * u.s, background="none", barycentre=True)
