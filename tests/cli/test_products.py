"""``xtendsrc products``: every option reaches the product it is meant for."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import xtendsrc as xs
from xtendsrc.cli import main


@pytest.fixture
def call(archive, position, tmp_path, capsys):
    """Run the command for the star and give its code, the files it names, and what it complains of."""

    def run(*words, target=None):
        where = ["--archive", str(archive), "--output", str(tmp_path / "out"), "--engine", "native"]
        target = [str(position.ra.deg), str(position.dec.deg), "--name", "star"] if target is None else target
        code = main(["products", *target, *where, *words])
        told = capsys.readouterr()
        return code, [line for line in told.out.splitlines() if line.startswith(str(tmp_path))], told.err

    return run


def test_one_observation_and_data_class_in_two_binnings_with_pictures(call, tmp_path):
    pictures = tmp_path / "pictures"
    words = ["--obs-id", "900001010", "--dataclass", "300000A0", "--binning", "4", "--binning", "8"]
    code, made, _ = call("--kind", "images", "--kind", "expmaps", *words, "--picture", str(pictures))
    assert code == 0
    maps, drawn = [m for m in made if m.endswith(".fits")], [m for m in made if m.endswith(".png")]
    assert [fits.getheader(m)["CDELT1P"] for m in maps] == [4, 8, 4, 8]
    assert [p.read_bytes()[:4] for p in sorted(pictures.iterdir())] == [b"\x89PNG"] * 4
    assert sorted(drawn) == sorted(map(str, pictures.iterdir()))
    code, (rates,), _ = call("--kind", "ratemaps", "--energy", "0.5 2", "--binning", "8", *words[:4])
    assert code == 0
    assert fits.getheader(rates)["BUNIT"] == "count/s"
    code, _, error = call("--obs-id", "900009990")
    assert code == 1
    assert "900009990" in error


def test_region_interlopers_good_time_and_bins(call, archive, position, tmp_path):
    """Counts in the file are those of the events in the region, in the good time, outside the interloper."""
    region, others, gti = tmp_path / "src.reg", tmp_path / "others.csv", tmp_path / "gti.fits"
    region.write_text(f"fk5\ncircle({position.ra.deg},{position.dec.deg},1.2')\n")
    beside = position.directional_offset_by(0 * u.deg, 1.4 * u.arcmin)
    Table({"ra": [beside.ra.deg], "dec": [beside.dec.deg]}).write(others)
    dc = xs.Observation(archive / "900001010", output=tmp_path / "x").dataclasses["300000a0"]
    start = float(dc.gti.start[0])
    Table({"START": [start + 500.0], "STOP": [start + 1500.0]}).write(gti, format="fits")
    with fits.open(gti, mode="update") as hdus:
        hdus[1].name = "GTI"
        hdus[1].header.update({key: dc.header[key] for key in ("MJDREFI", "MJDREFF", "TIMESYS", "TIMEZERO", "TELESCOP")
                               if key in dc.header})  # fmt: skip
    words = ["--region", str(region), "--interlopers", str(others), "--interloper-radius", "0.5 arcmin"]
    words += ["--gti", str(gti), "--obs-id", "900001010", "--background", "none"]
    code, (spectrum,), error = call("--kind", "spectra", "--response", "none", *words)
    assert code == 0, error
    events = dc.events
    time, x, y = events["TIME"], events["X"], events["Y"]
    sky = dc.geometry.sky_to_icrs(x, y)
    inside = (sky.separation(position) < 1.2 * u.arcmin) & (sky.separation(beside) > 0.5 * u.arcmin)
    good = (time >= start + 500) & (time < start + 1500) & (events["PI"] >= 0)
    truth = np.count_nonzero(inside & good)
    assert truth > 100
    assert abs(fits.getdata(spectrum, "SPECTRUM")["COUNTS"].sum() - truth) <= 2  # the circle's edge on the pixel grid
    code, curves, error = call("--kind", "lightcurves", "--bin", "100 s", "--bin", "500 s", *words)
    assert code == 0, error
    assert [round(fits.getheader(c, "RATE")["TIMEDEL"]) for c in curves] == [100, 500]


def test_backgrounds_and_grouping(call, tmp_path):
    one = ["--kind", "spectra", "--obs-id", "900001010"]
    code, (made,), _ = call(*one, "--response", "nominal", "--grouping", "min 5", "--background", "1.5 3")
    assert code == 0
    table = fits.getdata(made, "SPECTRUM")
    starts = np.flatnonzero(table["GROUPING"] == 1)
    good = np.add.reduceat(table["COUNTS"], starts)[table["QUALITY"][starts] == 0]
    assert good.size > 20
    assert good.min() >= 5
    assert fits.getheader(made, "SPECTRUM")["BACKFILE"] != "none"
    for bad in (["--background", "far away"], ["--background", "3 1"], ["--grouping", "min5"]):
        code, _, error = call(*one, *bad)
        assert code == 1
        assert "Next step" in error


def test_a_table_of_sources(call, position, tmp_path):
    east = position.directional_offset_by(90 * u.deg, 3 * u.arcmin)
    table = tmp_path / "sample.csv"
    Table({"name": ["a", "b"], "ra": [position.ra.deg, east.ra.deg], "dec": [position.dec.deg, east.dec.deg]}).write(
        table
    )
    words = ["--kind", "lightcurves", "--obs-id", "900001010", "--mutual", "--bin", "1000 s"]
    code, made, error = call("--sample", str(table), *words, target=[])
    assert (code, len(made)) == (0, 2), error
    assert xs.Registry(tmp_path / "out").table(kind="netcurve", source="b")["status"].tolist() == ["ready"]
    for target, extra in ([], []), (["M31"], ["--sample", str(table)]), ([], ["--sample", str(table), "--name", "x"]):
        code, _, error = call(*extra, target=target)
        assert code == 1
        assert "Next step" in error


def test_bands_are_written_as_people_write_them():
    from xtendsrc.cli.products import _pair

    for text in ("0.6 2", "0.6-2", "0.6, 2", "0.6 - 2.0", "6e-1 2"):
        assert _pair(text, "energy", "") == (0.6, 2.0)
