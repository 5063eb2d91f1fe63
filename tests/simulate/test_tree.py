"""The tree: names, formats, repeatability, pieces, and what is refused."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from itertools import pairwise

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from tests.simulate.conftest import CENTRE, make, quiet, read
from xtendsrc import simulate
from xtendsrc.cli import main
from xtendsrc.errors import RequestError, UnitsError

GOLDEN_KEYWORDS = [
    "TELESCOP",
    "INSTRUME",
    "DETNAM",
    "DATAMODE",
    "DATACLAS",
    "OBS_ID",
    "OBS_MODE",
    "OBJECT",
    "RA_OBJ",
    "DEC_OBJ",
    "RA_NOM",
    "DEC_NOM",
    "RA_PNT",
    "DEC_PNT",
    "PA_NOM",
    "EQUINOX",
    "RADECSYS",
    "TIMESYS",
    "TIMEUNIT",
    "TIMEREF",
    "TASSIGN",
    "MJDREFI",
    "MJDREFF",
    "TIMEPIXR",
    "TIMEDEL",
    "TSTART",
    "TSTOP",
    "TELAPSE",
    "DATE-OBS",
    "DATE-END",
    "ONTIME",
    "EXPOSURE",
    "CIPERIOD",
    "CIFIRST",
    "CIOFFSET",
    "HDUCLASS",
    "HDUCLAS1",
]


def digests(root):
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in root.rglob("*")
        if p.is_file()
    }


def test_names_are_the_archive_s(typical):
    names = {p.relative_to(typical.path).as_posix() for p in typical.path.rglob("*") if p.is_file()}
    assert names == {
        "auxil/xa900001010.att.gz",
        "auxil/xa900001010.ehk.gz",
        "auxil/xa900001010.mkf.gz",
        "auxil/xa900001010.orb.gz",
        "auxil/xa900001010_gen.gti.gz",
        "log/xa900001010_truth.json",
        "xtend/event_cl/xa900001010xtd_p0300000a0_cl.evt.gz",
        "xtend/event_uf/xa900001010xtd_a0300000a0.fpix.gz",
        "xtend/event_uf/xa900001010xtd_p0300000a0.bimg.gz",
        "xtend/event_uf/xa900001010xtd_p0300000a0_uf.evt.gz",
        "xtend/hk/xa900001010xtd_a0.hk.gz",
        "xtend/hk/xa900001010xtd_mode.gti.gz",
        "xtend/hk/xa900001010xtd_tel.gti.gz",
    }
    assert (typical.path / "xtend" / "products").is_dir()


def test_every_file_is_valid_fits(typical, pair):
    for tree in (typical, pair):
        for path in tree.path.rglob("xa*"):
            if path.suffix != ".json":
                with fits.open(path) as hdus:
                    hdus.verify("exception")
                    assert all(h.header["OBS_ID"] == "900001010" for h in hdus)


def test_event_header_has_what_real_ones_have(typical):
    columns, header = typical.clean("300000a0")
    assert [k for k in GOLDEN_KEYWORDS if k not in header] == []
    assert [k for k in ("TIMEZERO", "LIVETIME", "DEADC", "DTCOR") if k in header] == []
    timing = {name: header[name] for name in ("TIMEDEL", "TIMEPIXR", "TIMTRANB", "NOMEXPO")}
    assert timing == {"TIMEDEL": 3.963136, "TIMEPIXR": 0.0, "TIMTRANB": 0.036864, "NOMEXPO": 4.0}
    assert "TSTART" not in fits.getheader(typical.file("*_cl.evt*"))
    assert header["DATE-OBS"] == "2023-10-09T09:03:37"  # 2019-01-01 + 1742 d + 32617 s, no leap second between
    n = list(columns).index("X") + 1
    assert (header[f"TCTYP{n}"], header[f"TCRPX{n}"]) == ("RA---TAN", 1215.5)
    assert header[f"TCDLT{n}"] == -4.911067e-4  # seven digits, as the coordinate tasks write them
    assert header[f"TNULL{n}"] == -1
    for column in ("ACTX", "ACTY"):  # without these searchflickpix fails
        n = list(columns).index(column) + 1
        keys = ("TCTYP", "TCUNI", "TCRPX", "TCRVL", "TCDLT", "TNULL", "TLMIN", "TLMAX")
        assert [key for key in keys if f"{key}{n}" not in header] == []
    assert columns["STATUS"].shape[1] == 48
    limits = {n: (header[f"TLMIN{i}"], header[f"TLMAX{i}"]) for i, n in enumerate(columns, 1) if f"TLMIN{i}" in header}
    assert limits["PI"] == (0, 4095)
    assert limits["X"] == limits["Y"] == (1, 2430)
    assert limits["DETX"] == limits["DETY"] == (1, 1810)


def test_gen_gti_has_the_pipeline_s_extensions(typical):
    with fits.open(typical.file("*_gen.gti.gz")) as hdus:
        assert [h.name for h in hdus] == ["PRIMARY", "GTIPOINT", "GTISLEW", "GTIATT", "GTIOBS"]


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    star = simulate.Source(CENTRE, rate=1 * u.ct / u.s)
    kwargs = {"sources": [star], "exposure": 1 * u.ks, "files": simulate.Files(compress=True)}
    first, again = (make(tmp_path / name, seed=4, **kwargs) for name in ("first", "again"))
    other = make(tmp_path / "other", seed=5, **kwargs)
    assert digests(first.path) == digests(again.path)
    events = "xtend/event_cl/xa900001010xtd_p0300000a0_cl.evt.gz"
    assert digests(first.path)[events] != digests(other.path)[events]
    pixels = "xtend/event_uf/xa900001010xtd_p0300000a0.bimg.gz"
    assert digests(first.path)[pixels] == digests(other.path)[pixels]


def test_pieces_add_up_to_the_whole(tmp_path):
    kwargs = {"exposure": 5 * u.ks, "seed": 4}
    whole = make(tmp_path / "whole", **kwargs)
    pieces = make(tmp_path / "pieces", files=simulate.Files(compress=False, split=3), **kwargs)
    for folder, kind in (("event_cl", "cl"), ("event_uf", "uf")):
        paths = sorted((pieces.path / "xtend" / folder).glob(f"*_{kind}.evt"))
        assert [re.search(r"_p(\d)", p.name).group(1) for p in paths] == ["1", "2", "3"]
        parts = [read(p) for p in paths]
        joined = {n: np.concatenate([c[n] for c, _ in parts]) for n in parts[0][0]}
        expected, header = read(whole.file(f"*_{kind}.evt"))
        assert all(np.array_equal(joined[n], expected[n]) for n in expected)
        assert sum(h["ONTIME"] for _, h in parts) == pytest.approx(header["ONTIME"], abs=1e-6)
        gtis = [read(p, "GTI")[0] for p in paths]
        for (columns, _), gti in zip(parts, gtis, strict=True):
            assert columns["TIME"].min() >= gti["START"][0]
            assert columns["TIME"].max() < gti["STOP"][-1]
        assert all(a["STOP"][-1] <= b["START"][0] for a, b in pairwise(gtis))


def tree_gti(tree):
    return read(tree.file("*_p?300000a0_cl.evt*"), "GTI")


def test_timezero_and_timepixr_move_time_but_not_the_moments(tmp_path):
    files = simulate.Files(compress=False, good_time="coarse")
    plain = make(tmp_path / "plain", exposure=1 * u.ks, seed=4, files=files)
    conditions = simulate.Conditions(timezero=100.0, timepixr=0.0)
    moved = make(tmp_path / "moved", exposure=1 * u.ks, seed=4, conditions=conditions, files=files)
    (a, _), (b, header) = plain.clean("300000a0"), moved.clean("300000a0")
    absolute = b["TIME"] + header["TIMEZERO"] - (header["TIMEPIXR"] - 0.5) * header["TIMEDEL"]
    assert np.array_equal(a["TIME"], absolute)
    assert b["TIME"][0] == a["TIME"][0] - 102.0
    (good, _), (shifted, intervals) = (tree_gti(tree) for tree in (plain, moved))
    assert np.array_equal(good["START"], shifted["START"] + intervals["TIMEZERO"])
    assert np.array_equal(good["STOP"], shifted["STOP"] + intervals["TIMEZERO"])


def test_coarse_good_time_holds_the_same_events_under_another_exposure(tmp_path):
    kwargs = {"exposure": 1 * u.ks, "seed": 4, "dataclasses": "31300010"}
    frames = make(tmp_path / "frames", **kwargs)
    coarse = make(tmp_path / "coarse", files=simulate.Files(compress=False, good_time="coarse"), **kwargs)
    (a, fine), (b, rough) = frames.clean("31300010"), coarse.clean("31300010")
    assert np.array_equal(a["PI"], b["PI"])
    assert np.all(np.abs(a["TIME"] - b["TIME"]) < 0.5)
    assert (fine["TIMEDEL"], rough["TIMEDEL"]) == (0.0605952, 0.5)
    assert rough["LIVETIME"] == rough["EXPOSURE"] == pytest.approx(fine["EXPOSURE"], rel=1e-6)
    assert (len(frames.gti("31300010")[0]), len(coarse.gti("31300010")[0])) == (2000, 1)


def test_an_obsid_whose_mode_changes_has_more_than_two_data_classes(tmp_path):
    codes = ("30000010", "31100010", "32000010", "31300010")
    tree = make(tmp_path, exposure=[52, 2000, 400] * u.s, dataclasses=codes, conditions=quiet())
    ends = {code: tree.gti(code) for code in codes}
    elapsed = {code: header["EXPOSURE"] for code in codes for header in [tree.clean(code)[1]]}
    expected = {"30000010": 52 * 0.990784, "31100010": 2000 * 0.926272, "32000010": 2000 * 0.990784}
    expected["31300010"] = 400 * 0.1211904
    assert elapsed == pytest.approx(expected, rel=1e-6)
    assert ends["30000010"][1][-1] <= ends["31100010"][0][0]
    assert max(ends["31100010"][1][-1], ends["32000010"][1][-1]) <= ends["31300010"][0][0]


def test_a_name_points_at_the_first_source(tmp_path):
    star = simulate.Source(CENTRE, rate=0.1 * u.ct / u.s)
    tree = simulate.observation(tmp_path, "900001010", "N 132D", [star], exposure=100 * u.s)
    header = fits.getheader(next(tree.rglob("*_cl.evt.gz")), "EVENTS")
    assert header["OBJECT"] == "N 132D"
    assert (header["RA_NOM"], header["DEC_NOM"]) == (81.259, -69.644)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"obs_id": "12345"}, RequestError, "nine digits"),
        ({"exposure": 1000}, UnitsError, "exposure"),
        ({"exposure": 1 * u.deg}, UnitsError, "exposure"),
        ({"exposure": 0 * u.s}, RequestError, "exposure"),
        ({"roll": 30}, UnitsError, "roll"),
        ({"seed": -1}, RequestError, "seed"),
        ({"dataclasses": ()}, RequestError, "300000a0"),
        ({"dataclasses": ("300000a0", "300000a0")}, RequestError, "twice"),
        ({"exposure": [1, 2, 3] * u.ks}, RequestError, "3 exposures for 1 configurations"),
        ({"dataclasses": "999"}, RequestError, "999"),
        ({"target": "nowhere"}, RequestError, "SkyCoord"),
        ({"target": (81.259, -69.644)}, RequestError, "SkyCoord"),
        ({"target": SkyCoord([81.0, 82.0], [-69.0, -69.0], unit="deg")}, RequestError, "SkyCoord"),
        ({"obs_id": 900001010}, RequestError, "nine digits"),
        ({"seed": 1.5}, RequestError, "whole number"),
        ({"sources": simulate.Source(CENTRE)}, RequestError, "list of sources"),
    ],
)
def test_senseless_requests_say_why_and_leave_nothing(tmp_path, change, error, words):
    arguments = {"obs_id": "900001010", "target": CENTRE, "exposure": 100 * u.s} | change
    with pytest.raises(error, match=words) as caught:
        simulate.observation(tmp_path, **arguments)
    assert caught.value.next_step
    assert list(tmp_path.iterdir()) == []


def test_an_existing_tree_is_kept_unless_told_otherwise(tmp_path):
    make(tmp_path, exposure=100 * u.s)
    with pytest.raises(RequestError, match="exists"):
        make(tmp_path, exposure=100 * u.s)
    tree = make(tmp_path, exposure=200 * u.s, files=simulate.Files(compress=False, overwrite=True))
    assert tree.clean("300000a0")[1]["EXPOSURE"] == pytest.approx(200.0 * 0.990784)
    assert [p.name for p in tmp_path.iterdir()] == ["900001010"]


@pytest.mark.parametrize(
    ("make_source", "error"),
    [
        (lambda: simulate.Source(CENTRE, rate=1.0), UnitsError),
        (lambda: simulate.Source(CENTRE, rate=1 * u.ct / u.s, flux=1 * u.erg / u.cm**2 / u.s), RequestError),
        (lambda: simulate.Source(CENTRE, rate=-1 * u.ct / u.s), RequestError),
        (lambda: simulate.Source(CENTRE, lambda e: -e).photons(), RequestError),
        (lambda: simulate.Disc(2.0).sample(np.random.default_rng(0), 1), UnitsError),
        (lambda: simulate.Beta(1 * u.arcmin, beta=0.4), RequestError),
        (lambda: simulate.Files(split=10), RequestError),
        (lambda: simulate.Files(split=2.5), RequestError),
        (lambda: simulate.Source((81.259, -69.644)), RequestError),
        (lambda: simulate.Source(CENTRE, flux=1e-12 * u.erg / u.cm**2 / u.s, band=(0.5, 10.0)), UnitsError),
        (lambda: simulate.Beta(1 * u.arcmin, cut=-1), RequestError),
        (lambda: simulate.Background(cxb_norm=-1e-7), RequestError),
        (lambda: simulate.Background(gradient=3), RequestError),
        (lambda: simulate.Conditions(grades=()), RequestError),
        (lambda: simulate.Conditions(timepixr=3.0), RequestError),
    ],
)
def test_senseless_sources(make_source, error):
    with pytest.raises(error):
        make_source()


def test_a_negative_light_curve_is_refused(tmp_path):
    dimming = simulate.Source(CENTRE, lightcurve=lambda t: 1 - t / 50, name="dimming")
    with pytest.raises(RequestError, match="dimming"):
        make(tmp_path, sources=[dimming], exposure=100 * u.s)
    assert list(tmp_path.iterdir()) == []  # nothing half-written


def test_the_command_writes_a_tree(tmp_path):
    command = [
        sys.executable,
        "-c",
        "import sys; from argparse import ArgumentParser; from xtendsrc.cli import simulate",
    ]
    command[-1] += (
        "; p = ArgumentParser(); simulate.add_parser(p.add_subparsers()); a = p.parse_args(); sys.exit(a.run(a))"
    )
    options = ["--exposure", "100 s", "--dataclass", "31100010", "--source", "81.259 -69.644 3 2.0", "--plain"]
    done = subprocess.run(
        [*command, "simulate", str(tmp_path), "900001010", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "900001010")
    assert (tmp_path / "900001010/xtend/event_cl/xa900001010xtd_p031100010_cl.evt").is_file()


def test_a_target_beyond_the_pole_is_refused(tmp_path, capsys):
    assert main(["simulate", str(tmp_path), "900001010", "--target", "81 -95"]) == 1
    assert "not on the sky" in capsys.readouterr().err


def test_another_frame_of_coordinates_gives_the_same_pointing(tmp_path):
    galactic = SkyCoord(CENTRE.galactic)
    tree = simulate.observation(tmp_path, "900001010", galactic, exposure=100 * u.s)
    header = fits.getheader(next(tree.rglob("*_cl.evt.gz")), "EVENTS")
    assert header["RA_NOM"] == pytest.approx(81.259, abs=2e-6)
