"""Damaged event files: whatever the damage, an error of ours or the product that another reader's numbers give.

Every case is a seed: it damages a copy of a small event file, makes an image, a spectrum and a light curve from it, and
compares them with histograms of what astropy reads from the same damaged file. Where astropy cannot read it either, a
product must be that of the whole file, the damage having hit nothing that matters.
"""

from __future__ import annotations

import gzip
import re
import shutil
import signal
import warnings
import zlib
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest
from astropy.io import fits

import xtendsrc as xs
from xtendsrc.errors import XtendsrcError

BLOCK, CARD = 2880, 80
CHANNELS, BINNING = (83, 1666), 10
SECONDS = 30
"""No case may take longer; the longest takes two."""
VALUES = (
    *("'abc'", "''", "T", "F", "-1", "0", "1", "1E400", "1E30", "-1E30", "NaN", "2147483648", "99999999999999999999"),
    *("1.0 x", "'1D'", "'2D'", "'1PD(3)'", "'1C'", "'3X'", "'999999999D'", "'s'", "'d'", "'TT'", "'UTC'", "58484"),
)
DOUBLES = (np.nan, np.inf, -np.inf, 1e300, -1e300, 0.0, -1.0, 1.5e8, 1e12)
SLICE = range(40)
WHOLE = range(500)
AUXILIARY_SLICE = range(9)
AUXILIARY_WHOLE = range(150)
UNREADABLE = (
    OSError,
    EOFError,
    AttributeError,
    AssertionError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    zlib.error,
    fits.VerifyError,
)
"""What astropy raises for files that it cannot read."""
FOREIGN = r"[A-Za-z.]*(Error|Exception|Warning|Exit|Iteration): "
"""How the report of a batch begins the reason of an error that is not ours."""


@dataclass
class Layout:
    """Where the headers and the tables of a plain FITS file are, in bytes."""

    headers: list[tuple[int, int]]
    tables: list[tuple[int, int, int]]

    @classmethod
    def of(cls, path):
        headers, tables = [], []
        with fits.open(path) as hdus:
            for hdu in hdus:
                start, data = hdu._header_offset, hdu._data_offset
                headers.append((start, data))
                if data and hdu.header.get("NAXIS", 0) == 2:
                    tables.append((data, hdu.header["NAXIS1"], hdu.header["NAXIS2"]))
        return cls(headers, tables)


def _bits_of_a_header(rng, data, layout):
    start, stop = layout.headers[rng.integers(len(layout.headers))]
    for _ in range(rng.integers(1, 5)):
        data[rng.integers(start, stop)] ^= 1 << rng.integers(8)


def _card(rng, data, layout):
    start, stop = layout.headers[rng.integers(len(layout.headers) > 1, len(layout.headers))]
    cards = [p for p in range(start, stop, CARD) if data[p + 8 : p + 10] == b"= "]
    return cards[rng.integers(len(cards))]


def _value_of_a_card(rng, data, layout):
    at = _card(rng, data, layout)
    data[at + 10 : at + CARD] = VALUES[rng.integers(len(VALUES))].rjust(20).ljust(CARD - 10).encode()


def _no_card(rng, data, layout):
    at = _card(rng, data, layout)
    data[at : at + CARD] = b" " * CARD


def _two_cards_swapped(rng, data, layout):
    one, other = (_card(rng, data, layout) for _ in range(2))
    data[one : one + CARD], data[other : other + CARD] = data[other : other + CARD], data[one : one + CARD]


def _bits_of_a_table(rng, data, layout):
    start, width, rows = layout.tables[rng.integers(len(layout.tables))]
    for _ in range(rng.integers(1, 200)):
        data[start + rng.integers(width * rows)] ^= 1 << rng.integers(8)


def _doubles_of_a_table(rng, data, layout):
    start, width, rows = layout.tables[rng.integers(len(layout.tables))]
    for row in rng.integers(0, rows, rng.integers(1, 4)):
        value = np.array(DOUBLES[rng.integers(len(DOUBLES))], ">f8").tobytes()
        data[start + row * width : start + row * width + 8] = value


def _cut(rng, data, layout):
    del data[rng.integers(1, len(data)) :]


def _block(rng, data, layout):
    one, other = BLOCK * rng.integers(0, len(data) // BLOCK, 2)
    data[one : one + BLOCK] = bytes(BLOCK) if rng.random() < 0.5 else data[other : other + BLOCK]


def _blocks_more(rng, data, layout):
    at = BLOCK * int(rng.integers(0, len(data) // BLOCK))
    data[at:at] = data[at : at + BLOCK] if rng.random() < 0.5 else rng.bytes(BLOCK)


DAMAGES = (
    *(_bits_of_a_header, _bits_of_a_header, _value_of_a_card, _value_of_a_card, _value_of_a_card, _no_card),
    *(_two_cards_swapped, _bits_of_a_table, _doubles_of_a_table, _doubles_of_a_table, _cut, _block, _blocks_more),
)


def damaged(data: bytes, layout: Layout, seed: int) -> bytes:
    """A copy with the damage of a seed; one of ten is gzipped and damaged then."""
    rng = np.random.default_rng([seed, 20261125])
    copy = bytearray(data)
    if seed % 10 == 9:
        copy = bytearray(gzip.compress(data, 1, mtime=0))
        (_cut if rng.random() < 0.3 else _bits_of_a_table)(rng, copy, Layout([], [(0, len(copy), 1)]))
    else:
        DAMAGES[rng.integers(len(DAMAGES))](rng, copy, layout)
    return bytes(copy)


# --- another reader -------------------------------------------------------------------------------------------------


def histograms(path):
    """Image, spectrum and good seconds of an event file, by astropy and NumPy alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path, memmap=False) as hdus:
            events = hdus["EVENTS"]
            good_time = hdus["GTI"] if "GTI" in hdus else hdus["STDGTI"]
            header, numbers = events.header, {n.upper(): i + 1 for i, n in enumerate(events.columns.names)}
            time, pi, x, y = (np.asarray(events.data[n], float) for n in ("TIME", "PI", "X", "Y"))
            limits = {n: [int(header[f"{k}{numbers[n]}"]) for k in ("TLMIN", "TLMAX")] for n in ("X", "Y", "PI")}
            zero = [float(h.header.get("TIMEZERO", 0)) for h in (events, good_time)]
            start, stop = (np.asarray(good_time.data[n], float) + zero[1] for n in ("START", "STOP"))
            pixel, frame = float(header.get("TIMEPIXR", 0)), float(header.get("TIMEDEL", 0))
    time = time + zero[0] - (pixel - 0.5) * frame
    order = np.argsort(start)
    start, reach = start[order], np.maximum.accumulate(stop[order])
    at = np.searchsorted(start, time, side="right") - 1
    good = (at >= 0) & (time <= reach[np.maximum(at, 0)])
    gaps = np.maximum(start[1:] - reach[:-1], 0).sum()
    spectrum = np.histogram(pi[good], np.arange(limits["PI"][0], limits["PI"][1] + 2))[0]
    band = good & (pi >= CHANNELS[0]) & (pi <= CHANNELS[1])
    pixels = [np.floor((np.trunc(v + np.copysign(0.5, v)) - limits[n][0]) / BINNING) for n, v in (("Y", y), ("X", x))]
    shape = [(limits[n][1] - limits[n][0] + 1) // BINNING for n in ("Y", "X")]
    edges = [np.arange(size + 1) - 0.5 for size in shape]
    image = np.histogram2d(pixels[0][band], pixels[1][band], edges)[0]
    return image, spectrum, float(reach[-1] - start[0] - gaps)


@contextmanager
def limited(seconds):
    def late(*_):
        raise TimeoutError(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Bench:
    """A small observation whose event file is replaced by a damaged one, case after case."""

    def __init__(self, archive, directory):
        self.tree = directory / "900002010"
        shutil.copytree(archive / "900002010", self.tree)
        packed = next(self.tree.rglob("*p031100010_cl.evt.gz"))
        self.path = packed.with_suffix("")
        self.whole = gzip.decompress(packed.read_bytes())
        packed.unlink()
        self.path.write_bytes(self.whole)
        self.layout = Layout.of(self.path)
        self.truth = histograms(self.path)
        self.directory = directory

    def products(self, seed):
        """What is made of the file as it is now, by name; the errors of what is not."""
        output = self.directory / f"out{seed}"
        try:
            dc = xs.Observation(self.tree, output=output).dataclasses["31100010"]
            wanted = {
                "image": dc.image(channels=CHANNELS, binning=BINNING, engine="native"),
                "spectrum": dc.spectrum(engine="native"),
                "lightcurve": dc.lightcurve(channels=CHANNELS, engine="native"),
            }
            report = xs.compute(*wanted.values(), executor="serial", quiet=True)
            failed = {outcome.key: outcome.reason for outcome in report.failed}
            made = {name: p for name, p in wanted.items() if p.key not in failed}
            found = {name: self._numbers(name, product) for name, product in made.items()}
        finally:
            shutil.rmtree(output, ignore_errors=True)
        return found, list(failed.values())

    @staticmethod
    def _numbers(name, product):
        if name == "image":
            return np.array(product.data)
        if name == "spectrum":
            return product.counts, float(product.header["ONTIME"])
        return float((product.rate.value * product.exposed.value).sum())

    def check(self, seed):
        """Nothing if all is well, else what is not."""
        self.path.write_bytes(damaged(self.whole, self.layout, seed))
        try:
            with limited(SECONDS):
                found, errors = self.products(seed)
        except XtendsrcError as error:
            return "" if str(self.path.name) in str(error) else f"an error without the file: {error}"
        for reason in errors:
            if re.match(FOREIGN, reason):
                return f"a foreign {reason}"
            if self.path.name not in reason:
                return f"an error without the file: {reason}"
        try:
            expected = histograms(self.path)
        except UNREADABLE:
            expected = self.truth  # astropy cannot read it
        return self._difference(found, expected)

    @staticmethod
    def _difference(found, expected):
        image, spectrum, seconds = expected
        if "image" in found and not np.array_equal(found["image"], image):
            return f"an image of {found['image'].sum()} counts, not {image.sum()}"
        if "spectrum" in found and not np.array_equal(found["spectrum"][0], spectrum):
            return f"a spectrum of {found['spectrum'][0].sum()} counts, not {spectrum.sum()}"
        if "spectrum" in found and abs(found["spectrum"][1] - seconds) > 1e-3:
            return f"an ONTIME of {found['spectrum'][1]} s, not {seconds}"
        band = spectrum[CHANNELS[0] : CHANNELS[1] + 1].sum()
        if "lightcurve" in found and abs(found["lightcurve"] - band) > 0.01 + 1e-4 * band:
            return f"a light curve of {found['lightcurve']} counts, not {band}"
        return ""


class AuxiliaryBench:
    """The files that an exposure map needs, one of them damaged.

    The truth is the map of the whole files where astropy finds in the damaged one what it finds in the whole one; else
    a map is at least one of the good time, which no pixel exceeds and no pixel falls below zero.
    """

    ROLES = ("ehk", "bimg", "fpix")

    def __init__(self, archive, directory):
        self.tree, self.directory = directory / "900002010", directory
        shutil.copytree(archive / "900002010", self.tree)
        self.whole, self.paths, self.numbers = {}, {}, {}
        for role in self.ROLES:
            packed = next(p for p in sorted(self.tree.rglob(f"*.{role}.gz")) if role == "ehk" or "31100010" in p.name)
            self.paths[role] = packed.with_suffix("")
            self.whole[role] = gzip.decompress(packed.read_bytes())
            packed.unlink()
            self.paths[role].write_bytes(self.whole[role])
            self.numbers[role] = contents(self.paths[role])
        self.reference = self.map("whole")[0]

    def map(self, seed):
        """The exposure map of the files as they are now, or the reason why there is none."""
        output = self.directory / f"out{seed}"
        try:
            dc = xs.Observation(self.tree, output=output).dataclasses["31100010"]
            product = dc.expmap(binning=10, delta=20.0, numphi=1, engine="native")
            report = xs.compute(product, executor="serial", quiet=True)
            self.ontime = dc.events.ontime
            return (None, report.failed[0].reason) if report.failed else (np.array(product.data), "")
        finally:
            shutil.rmtree(output, ignore_errors=True)

    def check(self, seed):
        """Nothing if all is well, else what is not."""
        role = self.ROLES[seed % 3]
        path, whole = self.paths[role], self.whole[role]
        path.write_bytes(whole)
        path.write_bytes(damaged(whole, Layout.of(path), seed))
        try:
            with limited(SECONDS):
                found, reason = self.map(seed)
            same = self._same(role)
        finally:
            path.write_bytes(whole)
        if found is None:
            if re.match(FOREIGN, reason):
                return f"a foreign {reason}"
            return "" if path.name in reason or "good time" in reason else f"an error without the file: {reason}"
        if not (np.isfinite(found).all() and found.min() >= 0 and found.max() <= self.ontime * (1 + 1e-6)):
            return f"a map of {found.min()} to {found.max()} s of {self.ontime}"
        if same and not np.allclose(found, self.reference, atol=1e-3):
            return f"a map of {found.sum()} s, not {self.reference.sum()}"
        return ""

    def _same(self, role):
        try:
            return contents(self.paths[role]) == self.numbers[role]
        except UNREADABLE:
            return True  # astropy cannot read it


def contents(path):
    """Every number of a file and the keywords that give them a meaning, by astropy."""
    keys = ("RA_NOM", "DEC_NOM", "PA_NOM", "RA_OBJ", "DEC_OBJ", "TIMEZERO", "EXTNAME", "DATACLAS", "OBS_ID", "MJDREFI")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path, memmap=False) as hdus:
            tables = [hdu for hdu in hdus if hdu.data is not None]
            names = [getattr(getattr(hdu, "columns", None), "names", None) for hdu in tables]
            headers = [[hdu.header.get(key) for key in keys] for hdu in hdus]
            return [np.asarray(hdu.data).tobytes() for hdu in tables], names, headers


@pytest.fixture(scope="module")
def bench(archive, tmp_path_factory):
    return Bench(archive, tmp_path_factory.mktemp("fuzz"))


@pytest.fixture(scope="module")
def auxiliary(archive, tmp_path_factory):
    return AuxiliaryBench(archive, tmp_path_factory.mktemp("fuzz"))


def test_the_whole_file_gives_what_the_other_reader_finds(bench):
    bench.path.write_bytes(bench.whole)
    found, errors = bench.products("whole")
    assert (sorted(found), errors) == (["image", "lightcurve", "spectrum"], [])
    assert bench._difference(found, bench.truth) == ""
    assert bench.truth[1].sum() > 500


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", SLICE)
def test_a_damaged_event_file_is_an_error_or_the_right_product(bench, seed):
    assert bench.check(seed) == ""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", AUXILIARY_SLICE)
def test_a_damaged_file_of_an_exposure_map_is_an_error_or_the_right_map(auxiliary, seed):
    assert auxiliary.check(seed) == ""


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
def test_every_damaged_event_file_is_an_error_or_the_right_product(bench):
    assert {seed: fault for seed in WHOLE if (fault := bench.check(seed))} == {}


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
def test_every_damaged_file_of_an_exposure_map_is_an_error_or_the_right_map(auxiliary):
    assert {seed: fault for seed in AUXILIARY_WHOLE if (fault := auxiliary.check(seed))} == {}
