"""A long event list needs no more memory than a short one, and its products are those of the list read as a whole."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.engines import native
from xtendsrc.engines.protocol import Job
from xtendsrc.events.eventlist import EventList
from xtendsrc.events.selection import Selection
from xtendsrc.measure import eventblocks
from xtendsrc.measure.eventblocks import EventBlocks
from xtendsrc.products.image.request import ImageRequest
from xtendsrc.products.lightcurve.request import LightCurveRequest
from xtendsrc.products.spectrum.request import SpectrumRequest
from xtendsrc.regions import RegionSet, Shape

GOLDEN = Path(__file__).parents[1] / "data" / "full_window" / "events.fits.gz"
ABOUT = {"obs_id": "900001010", "dataclass": "300000a0"}
CIRCLE = RegionSet("SKY", (Shape("circle", (1215.5, 1215.5, 90.0)),))
SOFT, HARD = (Selection(channels=channels) for channels in ((83, 333), (334, 1666)))
REQUESTS = [
    ImageRequest(**ABOUT, selection=SOFT, binning=8),
    ImageRequest(**ABOUT, selection=HARD, binning=9),
    ImageRequest(**ABOUT, selection=Selection(grades=(0, 2)), binning=10, frame="DET"),
    LightCurveRequest(**ABOUT, selection=SOFT, region=CIRCLE, bin=200.0),
    LightCurveRequest(**ABOUT, selection=HARD, bin=200.0),
    SpectrumRequest(**ABOUT, selection=Selection(), region=CIRCLE),
    SpectrumRequest(**ABOUT, selection=Selection()),
]


def repeated(path, rows):
    """The golden events over and over, in a plain file of so many rows."""
    with fits.open(GOLDEN) as hdus:
        events = hdus["EVENTS"]
        table = fits.BinTableHDU(np.resize(np.asarray(events.data), rows), name="EVENTS")
        for card in events.header.cards:  # BinTableHDU(data, header) would drop the limits and axes of the columns
            if card.keyword not in ("NAXIS2", "COMMENT", "HISTORY", ""):
                table.header[card.keyword] = card.value
        fits.HDUList([hdus[0], table, hdus["GTI"]]).writeto(path)
    return path


def made(path, scratch):
    """Products of an event file: name and everything but the date and the sums of each extension."""
    scratch.mkdir()
    jobs = [Job(request=request, files={"events": (str(path),)}) for request in REQUESTS]
    found = []
    for product in native.make(jobs, scratch):
        if isinstance(product, Exception):
            raise product
        with fits.open(product.path) as hdus:
            found += [
                ([c for c in h.header.items() if c[0] not in ("DATE", "CHECKSUM", "DATASUM")], h.data) for h in hdus
            ]
    return found


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 1000 rows, of which next to nothing is kept."""
    monkeypatch.setattr(eventblocks, "ROWS", 1000)
    monkeypatch.setattr(eventblocks, "KEPT_BYTES", 10_000)


def peak(path, scratch):
    """Most bytes that Python and NumPy hold at once while an image, two curves and a spectrum are made."""
    scratch.mkdir()
    jobs = [Job(request=REQUESTS[n], files={"events": (str(path),)}) for n in (0, 3, 4, 5)]
    assert not [r for r in native.make(jobs, scratch) if isinstance(r, Exception)]  # imports count once, not here
    tracemalloc.start()
    try:
        list(native.make(jobs, scratch))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_four_times_the_events_need_the_same_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(eventblocks, "ROWS", 20_000)
    monkeypatch.setattr(eventblocks, "KEPT_BYTES", 10_000)
    few, many = 200_000, 800_000
    least, most = (peak(repeated(tmp_path / f"{n}.evt", n), tmp_path / str(n)) for n in (few, many))
    assert most - least < (many - few) * 0.5  # not even one bool an event


def test_products_of_blocks_are_those_of_the_whole(tmp_path, monkeypatch):
    path = repeated(tmp_path / "events.evt", 20_011)
    whole = made(path, tmp_path / "whole")
    for rows, kept in ((1000, 10_000), (3001, 300_000)):
        monkeypatch.setattr(eventblocks, "ROWS", rows)
        monkeypatch.setattr(eventblocks, "KEPT_BYTES", kept)
        for (mine, data), (expected, values) in zip(made(path, tmp_path / str(rows)), whole, strict=True):
            assert [name for name, _ in mine] == [name for name, _ in expected]
            for (name, value), (_, other) in zip(mine, expected, strict=True):
                # the sums of the fitted rotation are rounded in another order
                assert value == (pytest.approx(other, rel=1e-9) if name in ("EXTTHETA", "EXTXF0", "EXTYF0") else other)
            np.testing.assert_array_equal(data, values)


def test_an_impossible_time_is_found_in_whichever_block(tmp_path, small_blocks):
    path = repeated(tmp_path / "events.evt", 5000)
    with fits.open(path, mode="update") as hdus:
        hdus["EVENTS"].data["TIME"][[2499, 4321]] = 1e12, -1e12
    (_, *_, curve, _, _, _) = native.make([Job(request=r, files={"events": (str(path),)}) for r in REQUESTS], tmp_path)
    assert "2 of 5000 events have a TIME that cannot be; that of row 2500 is 1e+12 s" in str(curve)


def test_what_is_kept_stays_within_its_bytes_and_the_latest_stays(tmp_path):
    events = EventList.read(repeated(tmp_path / "events.evt", 4000))
    blocks = EventBlocks(events, rows=1000, kept_bytes=10_000)
    first = next(iter(blocks))
    calls = []

    def value(name, size):
        return blocks.kept(name, first, lambda: calls.append(name) or np.zeros(size, np.uint8))

    for name in "abcab":
        value(name, 4000)  # two of them fit
    assert calls == list("abcab")
    value("b", 4000)
    value("a", 4000)
    assert calls == list("abcab")
    assert value("large", 20_000).size == 20_000
    value("large", 20_000)
    assert calls == [*"abcab", "large", "large"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the kernel of Linux for the memory of a mapping")
def test_rows_that_were_read_do_not_stay_in_memory(tmp_path):
    path = repeated(tmp_path / "events.evt", 200_000)
    events = EventList.read(path)
    blocks = EventBlocks(events, rows=10_000, kept_bytes=0)
    total = sum(blocks.column("PI", block).sum(dtype=np.int64) for block in blocks)
    lines = iter(Path("/proc/self/smaps").read_text().splitlines())
    resident = sum(
        int(next(line for line in lines if line.startswith("Rss:")).split()[1]) << 10
        for line in lines
        if line.endswith(str(path))
    )
    assert resident < path.stat().st_size / 4
    assert total == events["PI"].sum(dtype=np.int64)
