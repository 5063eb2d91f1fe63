"""The index of all products: one compound dataset, kept as an array, with what came later in dictionaries."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import h5py
import numpy as np

from xtendsrc.registry import store
from xtendsrc.registry.fingerprint import Fingerprint
from xtendsrc.registry.layout import relative_product
from xtendsrc.registry.record import SCHEMA, Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from xtendsrc.registry.journal import Operation

_REASON = 200
_ABOUT = (
    "Index of the products below this directory. 'index' has one row a product or failure; 'products' leads to the "
    "HDF5 file of each; 'fingerprints' remembers input files. The products themselves are the FITS files."
)
_ABOUT_INDEX = (
    "key: hash of what was asked for; state: hash of what the product was made from; path: its FITS file below this "
    "directory, size and mtime_ns (since 1970) as it was committed, datasum the sums of its extensions; source: who "
    "asked, a line each; engine: what made it; created, wall_time: when, and how long it took; reason: why it failed; "
    "seq: number of the commit."
)
_ABOUT_FINGERPRINTS = (
    "Input files: size, time of the last change of the content (mtime_ns, since 1970) and of the file (ctime_ns) when "
    "their content had this SHA-256."
)
_UNITS = {"size": "byte", "mtime_ns": "ns", "ctime_ns": "ns", "wall_time": "s"}


class Row(NamedTuple):
    """What the index knows of a product; the rest is in its own HDF5 file."""

    key: str
    state: str
    status: str
    kind: str
    source: str
    obs_id: str
    dataclass: str
    engine: str
    path: str
    created: str
    reason: str
    datasum: str
    size: int
    mtime_ns: int
    wall_time: float
    seq: int

    @classmethod
    def of(cls, entry: Entry) -> Row:
        """Return the row of an entry."""
        row = cls(*(getattr(entry, name) for name in cls._fields))
        return row._replace(reason=row.reason[:_REASON])

    def entry(self) -> Entry:
        """Return the part of an entry that a row holds; its request is unknown."""
        return Entry(**self._asdict(), request="{}")


SEVERAL = "\n"
"""Between the names of several sources that asked for one product."""


def joined_sources(*names: str) -> str:
    """Return the names of sources, each once, in the order given."""
    return SEVERAL.join(dict.fromkeys(name for text in names for name in text.split(SEVERAL) if name))


_NUMBERS = {"size": "<i8", "mtime_ns": "<i8", "wall_time": "<f8", "seq": "<i8"}
_TEXTS = tuple(name for name in Row._fields if name not in _NUMBERS)


def _to_array(rows: list[Row]) -> np.ndarray:
    columns = {name: [getattr(row, name) for row in rows] for name in Row._fields}
    arrays: dict[str, np.ndarray] = {}
    for name, values in columns.items():
        if name in _NUMBERS:
            arrays[name] = np.array(values, dtype=_NUMBERS[name])
        else:
            arrays[name] = np.array([v.encode("utf-8") for v in values], dtype=bytes)
    out = np.empty(len(rows), [(name, arrays[name].dtype) for name in Row._fields])
    for name, array in arrays.items():
        out[name] = array
    return out


def _joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    types = [(name, np.promote_types(first.dtype[name], second.dtype[name])) for name in Row._fields]
    out = np.empty(len(first) + len(second), types)
    for name in Row._fields:
        out[name][: len(first)] = first[name]
        out[name][len(first) :] = second[name]
    return out


def _on_disk(array: np.ndarray) -> np.ndarray:
    """The same bytes, with text declared as UTF-8 for HDF5."""
    types = [
        (name, h5py.string_dtype("utf-8", max(dt.itemsize, 1)) if dt.kind == "S" else dt)
        for name in array.dtype.names or ()
        for dt in [array.dtype[name]]
    ]
    out = np.empty(len(array), types)
    for name in array.dtype.names or ():
        out[name] = array[name]
    return out


class Index:
    """All rows, and the fingerprints of input files, as of the last fold, with later operations applied.

    A key may have two rows: its product, and the failure of a later attempt.
    """

    def __init__(self) -> None:
        self._base = _to_array([])
        self._at: dict[str, dict[str, int]] = {"ready": {}, "failed": {}}
        self._read: dict[int, Row] = {}
        self._later: dict[str, dict[str, Row | None]] = {"ready": {}, "failed": {}}
        self._fingerprints: dict[str, Fingerprint] = {}
        self._image: bytes | None = None
        self._asked: dict[str, str] = {}
        self.intents: dict[str, Operation] = {}
        self.seq = 0

    # --- reading -------------------------------------------------------------------------------------------------

    @classmethod
    def read(cls, path: Path) -> Index:
        """Read ``registry.h5``; empty if it is not there.

        Raises
        ------
        DamagedError
            If it cannot be trusted.
        """
        new = cls()
        try:
            sealed = store.unseal(path, "index")
        except FileNotFoundError:
            return new
        with store.reading(sealed.image) as image:
            f = h5py.File(image)
            new._base = f["index"][()]
            seen = f["fingerprints"][()]
        new._image = sealed.image
        status = new._base["status"]
        for name, positions in new._at.items():
            where = np.flatnonzero(status == name.encode())
            positions.update(zip(_text(new._base["key"][where]), where.tolist(), strict=True))
        new.seq = int(new._base["seq"].max(initial=0))
        changed = seen["ctime_ns"].tolist() if "ctime_ns" in (seen.dtype.names or ()) else [0] * len(seen)
        values = zip(seen["size"].tolist(), seen["mtime_ns"].tolist(), _text(seen["sha256"]), changed, strict=True)
        new._fingerprints = {p: Fingerprint(*v) for p, v in zip(_text(seen["path"]), values, strict=True)}
        return new

    def row(self, key: str, status: str = "ready") -> Row | None:
        """Return the row of a key's product (or failure); None if there is none."""
        later = self._later[status]
        if key in later:
            return later[key]
        if (at := self._at[status].get(key)) is None:
            return None
        if at not in self._read:
            values = [v.decode("utf-8") if isinstance(v, bytes) else v for v in self._base[at].item()]
            self._read[at] = Row._make(values)
        return self._read[at]

    def keys(self) -> Iterator[str]:
        """All keys that have a product or a failure."""
        known = {key for status in self._at for key in self._at[status].keys() | self._later[status].keys()}
        return (key for key in known if self.row(key) is not None or self.row(key, "failed") is not None)

    def array(self) -> np.ndarray:
        """All rows as one structured array of bytes and numbers."""
        touched = np.ones(len(self._base), dtype=bool)
        for status, later in self._later.items():
            gone = [self._at[status][key] for key in later if key in self._at[status]]
            touched[gone] = False
        touched[[self._at["ready"][key] for key in self._at["failed"] if key in self._at["ready"]]] = True
        rows = [row for later in self._later.values() for row in later.values() if row is not None]
        return _joined(self._base[touched], _to_array(rows)) if rows else self._base[touched]

    def fingerprint(self, path: str) -> Fingerprint | None:
        """Return the remembered fingerprint of an input file."""
        return self._fingerprints.get(path)

    # --- changing ------------------------------------------------------------------------------------------------

    def apply(self, operation: Operation) -> None:
        """Apply one line of a journal; applying it twice changes nothing."""
        kind = operation["op"]
        if kind == "put":
            self._put(Row(*operation["row"]))
        elif kind == "drop":
            self._drop(operation["key"], operation["seq"])
        elif kind == "begin":
            self.intents[operation["key"]] = operation
        elif kind == "ask":
            self._ask(operation["key"], operation["source"])
        elif kind == "input":
            self._fingerprints[operation["path"]] = Fingerprint(*operation["fingerprint"])
        self.seq = max(self.seq, operation.get("seq", 0))

    def expect(self, row: Row) -> None:
        """Take in a product that was announced, and is there, before its maker confirms it."""
        intent, old = self.intents[row.key], self.row(row.key)
        self._put(row if old is None else row._replace(seq=max(row.seq, old.seq)))
        self.intents[row.key] = intent

    def inherit(self, other: Index) -> None:
        """Take over what another index remembers beside the products: input files, and who asked for what."""
        self._fingerprints = dict(other._fingerprints)
        known = list(other.keys())
        for key in known:
            for row in (other.row(key), other.row(key, "failed")):
                if row is not None and SEVERAL in row.source:
                    self._ask(key, row.source)

    def asks(self, asked: Mapping[str, Iterable[str]]) -> list[Operation]:
        """Return the operations that note sources that asked for products, as far as they are not known to have."""
        operations: list[Operation] = []
        for key, sources in asked.items():
            row = self.row(key) or self.row(key, "failed")
            known = row.source.split(SEVERAL) if row is not None else []
            operations += [{"op": "ask", "key": key, "source": s} for s in sources if s and s not in known]
        return operations

    def _ask(self, key: str, source: str) -> None:
        """Note that a source asked for a product, whether it is known already or not."""
        self._asked[key] = joined_sources(self._asked.get(key, ""), source)
        for status, later in self._later.items():
            if (row := self.row(key, status)) is not None:
                later[key] = row._replace(source=joined_sources(row.source, source))

    def _put(self, row: Row) -> None:
        known = (self.row(row.key), self.row(row.key, "failed"))
        sources = [row.source, *(old.source for old in known if old is not None), self._asked.get(row.key, "")]
        row = row._replace(source=joined_sources(*sources))
        ready, failed = self.row(row.key), self.row(row.key, "failed")
        old = ready if row.status == "ready" else max(ready, failed, key=lambda r: r.seq if r else -1)
        if old is None or row.seq >= old.seq:
            self._later[row.status][row.key] = row
            if row.status == "ready" and failed is not None and failed.seq <= row.seq:
                self._later["failed"][row.key] = None
        self.seq = max(self.seq, row.seq)
        intent = self.intents.get(row.key)
        if intent is not None and intent["seq"] <= row.seq:
            del self.intents[row.key]

    def _drop(self, key: str, seq: int) -> None:
        for status, later in self._later.items():
            old = self.row(key, status)
            if old is not None and old.seq <= seq:
                later[key] = None

    # --- writing -------------------------------------------------------------------------------------------------

    def sealed_bytes(self) -> bytes:
        """Return the sealed ``registry.h5``."""
        rows = self.array()
        seen = list(self._fingerprints.items())
        inputs = {
            "path": np.array([p.encode("utf-8") for p, _ in seen], dtype=bytes),
            "size": np.array([f.size for _, f in seen], dtype="<i8"),
            "mtime_ns": np.array([f.mtime_ns for _, f in seen], dtype="<i8"),
            "sha256": np.array([f.sha256.encode("ascii") for _, f in seen], dtype=bytes),
            "ctime_ns": np.array([f.ctime_ns for _, f in seen], dtype="<i8"),
        }
        table = np.empty(len(seen), [(name, a.dtype) for name, a in inputs.items()])
        for name, array in inputs.items():
            table[name] = array
        with store.building() as new:
            f = h5py.File(new)
            f.attrs["schema"] = SCHEMA
            f.attrs["about"] = _ABOUT
            _describe(f.create_dataset("index", data=_on_disk(rows)), _ABOUT_INDEX)
            _describe(f.create_dataset("fingerprints", data=_on_disk(table)), _ABOUT_FINGERPRINTS)
            self._links(f, rows)
            image = store.image_of(new)
        return store.seal(image, "index", "registry")

    def _links(self, f: h5py.File, rows: np.ndarray) -> None:
        """Write an external link for each product, taking over those of the last index in one step."""
        wanted = set(_text(rows["key"][rows["status"] == b"ready"]))
        linked: set[str] = set()
        if self._image is not None:
            with store.reading(self._image) as old:
                h5py.File(old).copy("products", f, expand_external=False)
            linked = set(self._at["ready"])
        products = f.require_group("products")
        for key in linked - wanted:
            del products[f"{key[:2]}/{key}"]
        for key in wanted - linked:
            products[f"{key[:2]}/{key}"] = h5py.ExternalLink(relative_product(key), "/")


def _describe(dataset: h5py.Dataset, about: str) -> None:
    """Say what a table is, and the unit of each column."""
    dataset.attrs["about"] = about
    dataset.attrs["units"] = [_UNITS.get(name, "") for name in dataset.dtype.names]


def _text(values: np.ndarray) -> list[str]:
    found: list[str] = np.char.decode(values, "utf-8").tolist() if len(values) else []
    return found
