"""Photometry, detection, mosaics and samples of a simulated field, against what was put into it."""

import json

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from scipy.stats import poisson

import xtendsrc as xs
from xtendsrc import simulate
from xtendsrc.errors import RequestError
from xtendsrc.events.eventlist import EventList
from xtendsrc.source import fielddata
from xtendsrc.source.detection import designation

CENTRE = SkyCoord(83.0, -60.0, unit="deg")
BAND = (0.5, 10) * u.keV
PLACES = {"A": (0, 0, 0.05), "B": (5, 4, 0.02), "C": (-6, 9, 0.02), "D": (3, -4, 0.008)}
"""Arcmin to the East and North, and counts/s on axis."""


def place(east, north):
    return CENTRE.directional_offset_by(np.arctan2(east, north) * u.rad, np.hypot(east, north) * u.arcmin)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Two observations of four point sources, 10 ks each, pointed and rolled differently."""
    root = tmp_path_factory.mktemp("field")
    spectrum = simulate.PowerLaw(1.8)
    stars = [simulate.Source(place(e, n), spectrum, rate=r * u.ct / u.s, name=k) for k, (e, n, r) in PLACES.items()]
    for number, (obs_id, roll) in enumerate((("900001010", 20), ("900002010", 140))):
        options = {"exposure": 10 * u.ks, "roll": roll * u.deg, "seed": number, "files": simulate.Files(compress=False)}
        simulate.observation(root / "XRISM", obs_id, place(2 * number, 3 * number), stars, **options)
    return root


@pytest.fixture(scope="module")
def truth(tree):
    """Counts/s of the whole of each source, as if every pixel were good, by ObsID."""
    found = {}
    for path in (tree / "XRISM").glob("*/log/*_truth.json"):
        record = json.loads(path.read_text())
        sources = record["dataclasses"]["300000a0"]["sources"]
        found[record["obs_id"]] = {s["name"]: s["rate"]["0.5-10.0"] / s["live"] for s in sources}
    return found


@pytest.fixture(scope="module")
def dataclass(tree):
    return xs.Observation(tree / "XRISM" / "900001010", output=tree / "out").dataclasses["300000a0"]


@pytest.fixture(scope="module")
def positions():
    return SkyCoord([place(e, n) for e, n, _ in PLACES.values()])


@pytest.mark.parametrize("options", [{}, {"radius": 2 * u.arcmin}, {"fraction": 0.5}, {"together": True}])
def test_rates_of_positions_are_those_of_the_whole_sources(dataclass, positions, truth, options):
    table = dataclass.photometry(positions, energy=BAND, **options)
    wanted = np.array(list(truth["900001010"].values()))
    error = 0.5 * (table["rate_hi"] - table["rate_lo"]).to_value("ct / s")
    pulls = (table["rate"].to_value("ct / s") - wanted) / error
    assert np.abs(pulls).max() < 4
    assert np.all(table["upper_limit"] > table["rate_hi"])
    assert table["detected"][:3].all()
    assert table["exposure"].unit == u.s


def test_counts_are_those_of_the_mask_of_the_region(dataclass, positions):
    table = dataclass.photometry(positions, 90 * u.arcsec, energy=BAND)
    events = dataclass.events
    band = events.good & (events["PI"] >= 83) & (events["PI"] <= 1666)
    x, y = dataclass.geometry.icrs_to_sky(positions)
    for number in range(len(positions)):
        near = np.hypot(events["X"] - x[number], events["Y"] - y[number]) <= 90 / 1.767984
        assert abs(int((near & band).sum()) - table["counts"][number]) <= 3  # on pixels without exposure


def test_off_the_field_there_is_no_rate(dataclass):
    far = SkyCoord([84.9, 263.0], [-60.0, 60.0], unit="deg")
    table = dataclass.photometry(far, energy=BAND)
    assert np.isnan(table["rate"]).all()
    assert (table["covered"] == 0).all()
    assert not table["detected"].any()


def test_empty_places_give_limits_that_hold(dataclass, positions):
    """Forty places without a source: none detected, and zero lies below the limit and mostly within the interval."""
    rng = np.random.default_rng(1)
    places = SkyCoord([place(*rng.uniform(-9, 9, 2)) for _ in range(90)])
    away = places.match_to_catalog_sky(positions)[1] > 4 * u.arcmin
    table = dataclass.photometry(places[away], 0.75 * u.arcmin, energy=BAND)
    assert away.sum() > 25
    assert table["detected"].sum() <= 1
    assert np.abs(table["significance"]).max() < 4


def test_a_source_has_a_row_for_each_data_class(tree, truth):
    for name, (east, north, _) in PLACES.items():
        others = [place(e, n) for other, (e, n, _) in PLACES.items() if other != name]
        table = QTable({"ra": [o.ra for o in others], "dec": [o.dec for o in others], "radius": [2] * 3 * u.arcmin})
        options = {"name": name, "interlopers": table, "archive": tree / "XRISM", "output": tree / "out"}
        table = xs.PointSource(place(east, north), **options).photometry(energy=BAND)
        assert list(table["obs_id"]) == ["900001010", "900002010"]
        for row in table:
            error = 0.5 * (row["rate_hi"] - row["rate_lo"])
            assert abs(row["rate"] - truth[row["obs_id"]][name] * u.ct / u.s) < 4 * error


def test_contradicting_apertures_are_refused(dataclass, positions):
    with pytest.raises(RequestError, match="fraction"):
        dataclass.photometry(positions, 1 * u.arcmin, fraction=0.5)
    with pytest.raises(RequestError, match="annulus"):
        dataclass.photometry(positions, background=(0.5, 2))
    with pytest.raises(RequestError, match="radii"):
        dataclass.photometry(positions, [1, 2] * u.arcmin)


@pytest.fixture(scope="module")
def sample(tree):
    bands = [(0.5, 2), (2, 10)] * u.keV
    return xs.Sample.from_detections(archive=tree / "XRISM", output=tree / "out", energy=bands, trials=20)


def test_detections_are_the_sources(sample, positions):
    table = sample.detections
    number, apart, _ = SkyCoord(table["ra"], table["dec"]).match_to_catalog_sky(positions)
    real = apart < 30 * u.arcsec
    assert set(number[real]) >= {0, 1, 2}
    assert real.sum() == len(set(number[real]))  # each once, though two observations saw it
    assert (~real).sum() <= 7  # two fields with one false alarm each
    pull = apart[real] / table["error"][real]
    assert pull.max() < 4.5
    assert table.meta["false_alarms"] == 1
    assert not table["extended"][:3].any()


def test_a_sample_of_detections_is_measured_and_chosen_from(sample, tmp_path):
    first = sample[0]
    assert isinstance(first, xs.PointSource)
    assert first.interlopers is not None
    table = sample.table(columns=["name", "ra", "counts", "rate", "detected", "constant"], energy=BAND)
    assert len(table) == len(sample)
    assert table["rate"].unit == u.ct / u.s
    assert table["detected"][:2].all()
    assert table["constant"][0] > 1e-4
    bright = sample[np.asarray(table["counts"]) > 100]
    assert 0 < len(bright) <= len(sample)
    assert sample[[0, 1]].names == sample.names[:2]
    assert len(sample.filter(lambda source: source.name == first.name)) == 1
    for name in ("t.ecsv", "t.fits", "t.vot"):
        table.write(tmp_path / name, **({"format": "votable"} if name.endswith("vot") else {}))
        assert len(QTable.read(tmp_path / name)) == len(table)
    with pytest.raises(RequestError, match="did you mean 'counts'"):
        sample.table(columns=["count"])
    with pytest.raises(RequestError, match="did you mean"):
        sample[first.name[:-1]]
    with pytest.raises(RequestError, match="one bool"):
        sample[[True]]


def test_colours_are_those_of_the_counts(sample):
    table = sample[:3].table(columns=["hardness", "hardness_lo", "hardness_hi"])
    assert np.all((table["hardness_lo"] < table["hardness"]) & (table["hardness"] < table["hardness_hi"]))
    rows = [sample[0].photometry(energy=band * u.keV) for band in ((0.5, 2), (2, 7))]
    soft, hard = (float(np.sum(r["counts"] - r["background"])) for r in rows)
    assert table["hardness"][0] == pytest.approx((hard - soft) / (hard + soft), abs=0.02)


def test_a_source_that_cannot_be_measured_is_a_row_with_its_reason(tree, sample):
    lost = xs.PointSource(SkyCoord(10, 10, unit="deg"), name="lost", archive=tree / "XRISM", output=tree / "out")
    both = xs.Sample([sample[0], lost])
    rows = both.photometry(energy=BAND)
    assert "No observation" in rows[-1]["problem"]
    assert np.ma.is_masked(rows[-1]["counts"])
    table = both.table(columns=["name", "rate", "problem"], energy=BAND)
    assert np.isnan(table["rate"][1])
    assert "No observation" in table["problem"][1]


def test_a_mosaic_holds_all_counts(tree):
    source = xs.PointSource(CENTRE, name="A", archive=tree / "XRISM", output=tree / "out")
    images = source.images(energy=BAND, binning=4)
    made = xs.mosaic(images)
    assert made.counts.sum() == pytest.approx(sum(int(i.data.sum()) for i in images), rel=1e-12)
    assert made.outside == 0
    assert made.ratemap.peak(radius=4).separation(CENTRE) < 15 * u.arcsec
    assert np.nanmax(made.exposure) > 1.9e4
    again = source.mosaic(BAND, binning=4)
    np.testing.assert_array_equal(again.counts, made.counts)
    for what in ("rate", "exposure"):
        assert made.view(what).get_title()
    with pytest.raises(RequestError, match="no 'beauty'"):
        made.view("beauty")
    path = made.write(tree / "mosaic.fits")
    with pytest.raises(RequestError, match="exists"):
        made.write(path)
    with pytest.raises(RequestError, match="no image"):
        xs.mosaic([])
    with pytest.raises(RequestError, match="detector grid"):
        xs.mosaic([source.images(energy=BAND, frame="DET")[0]])


def test_designations_are_cut_off():
    assert designation(SkyCoord("05h31m59.99s", "-60d00m59.9s")) == "J053159.9-600059"
    assert designation(SkyCoord("00h00m00s", "+00d00m01s")) == "J000000.0+000001"


def test_the_limiting_rate_is_where_half_of_the_sources_are_detected(dataclass):
    """Poisson counts of aperture and background at the mapped rate reach the threshold every second time."""
    limits = dataclass.sensitivity(BAND, fraction=0.7, chance=1e-3)
    x, y = limits.wcs.world_to_pixel(place(-3, -6))
    limit = limits.data[round(float(y)), round(float(x))]
    found = dataclass.photometry(place(-3, -6), fraction=0.7, energy=BAND)
    background, effective = found["background"][0], found["effective"].to_value("s")[0]
    counts = np.random.default_rng(3).poisson(background + limit * effective, 4000)
    detected = np.mean(poisson.sf(counts - 1, background) <= 1e-3)
    assert detected == pytest.approx(0.5, abs=0.2)  # the background of one annulus of the field is uncertain by 5 %
    assert np.isnan(limits.data[0, 0])
    assert limits.data[round(float(y)), round(float(x))] < np.nanpercentile(limits.data, 90)


def test_a_hardness_map_is_that_of_the_counts(dataclass):
    ratio, error = dataclass.hardness_map((0.5, 2) * u.keV, (2, 7) * u.keV, binning=8)
    x, y = ratio.wcs.world_to_pixel(CENTRE)
    events = dataclass.events
    sky = dataclass.geometry.icrs_to_sky(CENTRE)
    near = events.good & (np.hypot(events["X"] - sky[0], events["Y"] - sky[1]) < 20)
    soft = np.sum(near & (events["PI"] >= 83) & (events["PI"] < 333))
    hard = np.sum(near & (events["PI"] >= 333) & (events["PI"] < 1167))
    expected = (hard - soft) / (hard + soft)
    found = ratio.data[round(float(y)), round(float(x))]
    assert abs(found - expected) < 3 * error.data[round(float(y)), round(float(x))]
    assert np.isnan(ratio.data[0, 0])


def test_samples_from_regions_and_in_pages(tree, tmp_path):
    path = tmp_path / "two.reg"
    path.write_text('icrs\ncircle(83.0,-60.0,60")\ncircle(83.166,-59.933,45")\n')
    two = xs.Sample.from_regions(path, archive=tree / "XRISM", output=tree / "out")
    assert two.names == ["region 1", "region 2"]
    assert two[1].radius.to_value("arcsec") == pytest.approx(45)
    axes = two.view(energy=BAND, per_page=1, page=2)
    assert np.size(axes) == 1
    with pytest.raises(RequestError, match="no page"):
        two.view(page=3, per_page=1)
    path.write_text('icrs\nbox(83.0,-60.0,60",60",0)\n')
    with pytest.raises(RequestError, match="not a circle"):
        xs.Sample.from_regions(path, archive=tree / "XRISM", output=tree / "out")


def test_sources_of_one_field_share_what_is_read(tree, positions, monkeypatch):
    """Twenty sources in two observations: each event file is opened once, each exposure map read once."""
    fielddata._live.cache_clear()
    opened, maps = [], []
    read, live = EventList.read.__func__, fielddata.live_map
    monkeypatch.setattr(EventList, "read", classmethod(lambda cls, *a: opened.append(a) or read(cls, *a)))
    monkeypatch.setattr(fielddata, "live_map", lambda *a: maps.append(a) or live(*a))
    table = QTable({"name": [f"s{n}" for n in range(20)]})
    rng = np.random.default_rng(2)
    sky = SkyCoord([place(*rng.uniform(-6, 6, 2)) for _ in range(20)])
    table["ra"], table["dec"] = sky.ra, sky.dec
    sample = xs.Sample.from_table(table, archive=tree / "XRISM", output=tree / "out")
    rows = sample.photometry(energy=BAND)
    assert len(rows) >= 30
    assert len(opened) == 2
    assert fielddata._live.cache_info().misses == 2


def test_the_plain_table_counts_the_products_of_each_source(tree, tmp_path):
    table = QTable({"name": ["one", "two"], "ra": [83.0, 83.01] * u.deg, "dec": [-60.0, -60.0] * u.deg})
    sample = xs.Sample.from_table(table, archive=tree / "XRISM", output=tmp_path / "out")
    assert list(sample.table()["ready"]) == [0, 0]
    xs.compute(sample.images(energy=BAND, binning=8), progress=False)
    plain = sample.table()
    assert list(plain["observations"]) == [2, 2]
    assert list(plain["ready"]) == [2, 2]  # the images of the two data classes, which both sources asked for
    assert list(plain["failed"]) == [0, 0]


def test_a_table_of_a_sample_has_fluxes_and_says_what_the_response_is_worth(source, position):
    elsewhere = xs.PointSource(
        position.directional_offset_by(0 * u.deg, 5 * u.deg), archive=source._archive, output=source.registry, name="no"
    )
    sample, band = xs.Sample([source, elsewhere]), (2, 10) * u.keV
    columns = ["name", "flux", "flux_error", "response_kind"]
    table = sample.table(columns, model="powerlaw", response="nominal", flux_energy=band)
    assert list(table["response_kind"]) == ["nominal", "none"]
    assert np.isnan(table["flux"][1])
    # the star is a power law of slope 1.8: its photons follow E^-1.8, so that flux and photon rate have a known ratio
    fitted = source.fit("powerlaw", response="nominal")
    edges, slope = band.to_value(u.keV), fitted.parameters["powerlaw.PhoIndex"].value
    norm = fitted.parameters["powerlaw.norm"].value
    energy = norm * (edges[1] ** (2 - slope) - edges[0] ** (2 - slope)) / (2 - slope) * u.keV / u.s / u.cm**2
    assert table["flux"][0].to_value(energy.unit) == pytest.approx(energy.value, rel=1e-3)
    assert 0 < table["flux_error"][0] < 0.1 * table["flux"][0]
    with pytest.raises(RequestError, match="needs a model"):
        sample.table(columns)
