"""Tasks without golden files: their contract of files, grids and refusals."""

import gzip
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

DATA = Path(__file__).parents[1] / "data"
STEADY = DATA / "expmap/steady"


def unpack(path, target):
    Path(target).write_bytes(gzip.decompress(path.read_bytes()))


@pytest.fixture
def rmf(here, work):
    unpack(STEADY / "src.pha.gz", "src.pha")
    assert here("xtdrmf", infile="src.pha", outfile="a.rmf") == 0
    return "a.rmf"


def test_rmf_has_the_documented_grids(rmf):
    with fits.open(rmf) as hdus:
        matrix, bounds = hdus["MATRIX"], hdus["EBOUNDS"]
        assert len(matrix.data) == 6400
        assert matrix.data["ENERG_LO"][0] == pytest.approx(0.2)
        assert matrix.data["ENERG_HI"][5899] == pytest.approx(12.0, rel=1e-6)
        assert matrix.data["ENERG_HI"][-1] == pytest.approx(24.0, rel=1e-6)
        assert len(bounds.data) == 4096
        assert bounds.data["E_MAX"][-1] == pytest.approx(24.576, rel=1e-6)
        row = int(np.argmin(np.abs(matrix.data["ENERG_LO"] - 5.9)))
        values = np.asarray(matrix.data["MATRIX"][row])
        assert values.sum() == pytest.approx(1, abs=1e-4)
        channels = np.asarray(matrix.data["F_CHAN"][row])[0] + np.arange(len(values))
        energies = 0.003 + 0.006 * channels
        mean = (values * energies).sum() / values.sum()
        width = np.sqrt((values * (energies - mean) ** 2).sum() / values.sum())
        assert mean == pytest.approx(5.901, abs=1e-3)
        assert 2.3548 * width == pytest.approx(0.170, abs=0.002)
        assert "stand-in" in matrix.header["CREATOR"]


def test_rmf_needs_a_weighted_map(here, work):
    assert here("extractor", phafile="a.pha", wtmapb="no") == 0
    assert here("xtdrmf", infile="a.pha", outfile="a.rmf") != 0
    assert not Path("a.rmf").exists()


def arf(here, **parameters):
    common = {
        "xrtevtfile": "ray.fits",
        "source_ra": 81.259,
        "source_dec": -69.644,
        "telescop": "XRISM",
        "instrume": "XTEND",
        "emapfile": "map.fits",
        "rmffile": "a.rmf",
        "erange": "0.3 15.0 0 0",
        "outfile": "a.arf",
        "regmode": "RADEC",
        "regionfile": "src.reg",
        "sourcetype": "POINT",
        "imgfile": "NONE",
        "logfile": "NONE",
        "clobber": "yes",
    }
    return here("xaarfgen", **{**common, **parameters})


def test_arf_contract(here, work, rmf, monkeypatch):
    unpack(STEADY / "exp_SKY_cal0.fits.gz", "map.fits")
    Path("src.reg").write_text('fk5\ncircle(81.259,-69.644,120")\n-circle(81.259,-69.644,10")\n')
    assert arf(here) == 0
    with fits.open("a.arf") as hdus, fits.open(rmf) as response:
        table = hdus["SPECRESP"].data
        np.testing.assert_array_equal(table["ENERG_LO"], response["MATRIX"].data["ENERG_LO"])
        band = (table["ENERG_LO"] > 0.5) & (table["ENERG_HI"] < 10)
        assert (table["SPECRESP"][band] > 30).all()
        assert (table["SPECRESP"][table["ENERG_HI"] < 0.29] == 0).all()
        point = table["SPECRESP"].copy()
    assert Path("xaarfgen_region.lis").exists()  # left behind without cleanup
    made = Path("ray.fits").stat().st_mtime_ns
    Path("src.reg").write_text('fk5\ncircle(81.5,-69.644,120")\n')
    assert arf(here, source_ra=81.5, cleanup="yes") == 0
    assert Path("ray.fits").stat().st_mtime_ns == made  # reused for another position, silently
    assert not Path("xaarfgen_region.lis").exists()
    assert fits.getdata("a.arf")["SPECRESP"].max() < 0.1 * point.max()
    assert arf(here, regmode="radec") != 0
    monkeypatch.setattr("sys.stdin", io.StringIO(""))  # an image is asked for, query or not
    assert arf(here, sourcetype="IMAGE", imgfile="NONE") != 0


def observation(events):
    root = Path("obs")
    uf = root / "xtend/event_uf"
    uf.mkdir(parents=True)
    shutil.copy(events, uf / "xa900001010xtd_p0300000a0_uf.evt")
    for name in ("x.att", "x.orb", "x_gen.gti", "x.hk"):
        fits.PrimaryHDU().writeto(root / name)
    names = {"attitude": "x.att", "orbit": "x.orb", "obsgti": "x_gen.gti", "housekeeping": "x.hk"}
    return {name: f"obs/{value}" for name, value in names.items()}


def test_pipeline(here, child, work, events):
    common = {"indir": "obs/xtend/event_uf", "steminputs": "xa900001010", "entry_stage": 1, **observation(events)}
    assert here("xtdpipeline", outdir="out", **common) == 0
    assert child("pget", "xtdpipeline", "numerrs").stdout.strip() == "0"
    with fits.open("out/xa900001010xtd_p0300000a0_cl.evt") as hdus:
        assert set(np.unique(hdus["EVENTS"].data["GRADE"])) <= {0, 2, 3, 4, 6}
        assert not hdus["EVENTS"].data["STATUS"][:, 0].any()
        assert hdus["EVENTS"].header["EXPOSURE"] == pytest.approx(24661.676)
    assert Path("out/xa900001010xtd_p0300000a0.bimg").exists()
    assert Path("out/xa900001010xtd_a0300000a0.fpix").exists()
    assert here("xtdpipeline", outdir="obs/xtend/event_uf/out", **common) != 0  # below the input tree
    Path("obs/xtend/event_uf/xa900001010xtd_p0300000a0_uf.evt").write_bytes(b"broken")
    assert here("xtdpipeline", outdir="out2", **common) == 0  # ends with 0 though the file was skipped
    assert child("pget", "xtdpipeline", "numerrs").stdout.strip() == "1"


def test_ftselect_and_friends(here, child, work):
    assert (
        here("ftselect", infile="ev.fits[EVENTS]", outfile="a.evt", expression="STATUS[2]==b0 && PI>=83 && !(PI>1666)")
        == 0
    )
    with fits.open("a.evt") as made, fits.open("ev.fits") as source:
        data = source[1].data
        assert len(made[1].data) == (~data["STATUS"][:, 1] & (data["PI"] >= 83) & (data["PI"] <= 1666)).sum()
        assert made[1].header["EXPOSURE"] == source[1].header["EXPOSURE"]
    assert here("fthedit", infile="a.evt[EVENTS]", keyword="OBSERVER", operation="add", value="nobody") == 0
    assert here("ftkeypar", infile="a.evt[EVENTS]", keyword="OBSERVER") == 0
    assert child("pget", "ftkeypar", "value").stdout.strip() == "nobody"
    assert here("ftcopy", infile="ev.fits[PI=83:1666]", outfile="b.evt") == 0
    assert here("ftselect", infile="ev.fits", outfile="a.evt", expression="PI>0") == 105  # no clobber


def test_barycen_moves_events_and_good_times_alike(here, work):
    where = {"infile": "ev.fits", "outfile": "b.evt", "ra": 81.259, "dec": -69.644}
    for name in ("ORBIT", "PAR_ORBIT"):
        orbit = fits.BinTableHDU.from_columns([fits.Column("TIME", "D", array=[0.0])], name=name)
        fits.HDUList([fits.PrimaryHDU(), orbit]).writeto(f"{name}.orb")
    assert here("barycen", orbfile="ORBIT.orb", **where) != 0  # its default is another extension
    assert here("barycen", orbfile="PAR_ORBIT.orb", **where) == 0
    with fits.open("b.evt") as made, fits.open("ev.fits") as source:
        shift = made["EVENTS"].data["TIME"] - source["EVENTS"].data["TIME"]
        assert np.abs(shift).max() < 510
        starts = made["GTI"].data["START"] - source["GTI"].data["START"]
        assert starts[0] == pytest.approx(shift[0], abs=0.1)
        assert made["EVENTS"].header["TIMESYS"] == "TDB"


def test_optimal_grouping_follows_the_resolution(here, work, rmf):
    assert here("ftgrouppha", infile="src.pha", outfile="g.pha", grouptype="optmin", groupscale=1, respfile=rmf) == 0
    table = fits.getdata("g.pha", "SPECTRUM")
    starts = np.nonzero(table["GROUPING"] == 1)[0]
    sums = np.add.reduceat(table["COUNTS"], starts)
    assert (sums[table["QUALITY"][starts] == 0] >= 1).all()
    assert 60 < ((starts > 83) & (starts < 1666)).sum() < 600


def test_flickering_pixels_by_a_plain_cut(here, work):
    given = {"outfile": "f.evt", "cellsize": 0, "bthresh": 3, "cleanimg": "yes"}
    assert here("searchflickpix", infile="ev.fits", **given) == 1  # ACTX and ACTY have no coordinates there
    with fits.open("ev.fits") as hdus:
        header = hdus["EVENTS"].header
        for number in (hdus["EVENTS"].columns.names.index(name) + 1 for name in ("ACTX", "ACTY")):
            about = {"TCRPX": 320.5, "TCRVL": 0.0, "TCDLT": 0.048, "TCTYP": "ACT", "TCUNI": "mm", "TNULL": -999}
            for key, value in {**about, "TLMIN": 1, "TLMAX": 640}.items():
                header[f"{key}{number}"] = value
        hdus.writeto("whole.fits")
    assert here("searchflickpix", infile="whole.fits", **given) == 0
    with fits.open("f.evt") as made, fits.open("ev.fits") as source:
        data = source[1].data
        good = np.isin(data["GRADE"], [0, 2, 3, 4, 6])
        keys = np.array([data["CCD_ID"], data["ACTX"], data["ACTY"]]).T
        _, counts = np.unique(keys[good], axis=0, return_counts=True)
        assert len(made["PIXELS"].data) == (counts > 3).sum()
        assert "GTI" not in made
