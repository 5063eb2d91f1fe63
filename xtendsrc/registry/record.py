"""What is remembered of a product: the plain data that go into the registry and come out of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from xtendsrc.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = 1
"""Version of the registry's files; see ``docs/registry.md`` for the rule of migration."""

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=dict)

StatusName = Literal["missing", "ready", "stale", "failed"]


@dataclass(frozen=True, kw_only=True)
class Record:
    """What the maker of a product says about it when it hands the file over.

    Attributes
    ----------
    key, state : str
        Hash of the normalised request; hash of everything else that fixes the bytes (`state_of`).
    kind : str
        Kind of product: ``image``, ``lightcurve``, ...
    request : str
        The request as JSON.
    source, obs_id, dataclass : str
        Name of the source (metadata only), ObsID and data class.
    inputs : mapping of str to str
        Name of each thing that entered the state -> its fingerprint (`state_inputs`); lets a stale product say
        which of them changed.
    paths : mapping of str to str
        Name of each input file, as in the ``fingerprints`` of `state_inputs`, -> its absolute path; lets
        `Registry.verify` look at it again.
    needs : mapping of str to str
        Role of each product it depends on, as in the ``needs`` of `state_inputs`, -> that product's key.
    engine : str
        ``native`` or ``heasoft``.
    versions : mapping of str to str
        Software name -> version.
    parameters : mapping of str to JSON-able value
        Parameters as run, defaults resolved.
    calls : tuple of str
        Command lines, or heasoftpy calls, that made the file.
    notes : tuple of str
        Warnings met while it was made.
    log : str
        What the tasks wrote.
    wall_time : float
        Seconds.
    """

    key: str
    state: str
    kind: str
    request: str
    source: str = ""
    obs_id: str = ""
    dataclass: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)
    engine: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    calls: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    log: str = ""
    wall_time: float = 0.0

    def values(self) -> dict[str, Any]:
        """Return all fields of a record by name, the request in canonical form.

        Raises
        ------
        RegistryError
            If the request is not JSON.
        """
        try:
            request = dumps(json.loads(self.request))
        except ValueError as err:
            raise RegistryError(f"The request of product {self.key} is not JSON: {err}.", "give JSON text.") from err
        return {f.name: getattr(self, f.name) for f in fields(Record)} | {"request": request}


@dataclass(frozen=True, kw_only=True)
class Entry(Record):
    """A `Record` with what the registry adds.

    Attributes
    ----------
    status : {"ready", "failed"}
        Whether there is a file, or the memory of a failure.
    created : str
        UTC, ISO 8601; for people, nothing is ever ordered by it.
    path : str
        FITS file relative to the registry's root; empty for a failure.
    size, mtime_ns : int
        Bytes and modification time of the file as committed.
    datasum : str
        DATASUM of each HDU, joined by commas (FITS Standard 4.0, 4.4.2.7).
    reason : str
        Why it failed; empty otherwise.
    """

    status: Literal["ready", "failed"] = "ready"
    created: str = ""
    path: str = ""
    size: int = 0
    mtime_ns: int = 0
    datasum: str = ""
    reason: str = ""
    seq: int = 0

    def to_json(self) -> str:
        """Return the entry as JSON text, the log aside."""
        return dumps({f.name: getattr(self, f.name) for f in fields(self) if f.name != "log"})

    @classmethod
    def from_json(cls, text: str, log: str = "") -> Entry:
        """Read `to_json` back; unknown names (of a later minor version) are ignored."""
        known = {f.name for f in fields(cls)}
        values = {k: v for k, v in json.loads(text).items() if k in known}
        for name in ("calls", "notes"):
            values[name] = tuple(values.get(name, ()))
        return cls(**{**values, "log": log})


class Status(NamedTuple):
    """State of a product on disk, and why.

    Attributes
    ----------
    status : {"missing", "ready", "stale", "failed"}
        ``ready`` means: file there, untouched, and made from what is there now.
    reason : str
        One sentence; empty when ready.
    """

    status: StatusName
    reason: str


def dumps(value: Any) -> str:
    """Return canonical JSON in ASCII without apostrophes, so that it can be a FITS string as it is."""
    return _canonical.encode(value).replace("'", "\\u0027")


def state_inputs(
    fingerprints: Mapping[str, str], needs: Mapping[str, str], schema: int, caldb: str | None = None
) -> dict[str, str]:
    """Return everything that fixes a product's bytes beside its request, as one mapping of name to fingerprint.

    Parameters
    ----------
    fingerprints : mapping
        Name of each input file -> hash of its content.
    needs : mapping
        Role of each product it depends on -> that product's state.
    schema : int
        Number of our algorithm; raised when its results change.
    caldb : str or None
        CALDB version, where calibration enters.
    """
    inputs = {f"file {name}": value for name, value in fingerprints.items()}
    inputs |= {f"product {role}": value for role, value in needs.items()}
    inputs["algorithm"] = str(schema)
    if caldb is not None:
        inputs["CALDB"] = caldb
    return inputs


def state_of(fingerprints: Mapping[str, str], needs: Mapping[str, str], schema: int, caldb: str | None = None) -> str:
    """Hash `state_inputs`: a product is ready when its stored state equals this.

    Returns
    -------
    str
        64 hexadecimal digits (SHA-256).
    """
    return state_of_inputs(state_inputs(fingerprints, needs, schema, caldb))


def state_of_inputs(inputs: Mapping[str, str]) -> str:
    """Hash what `state_inputs` returned, as `state_of` does."""
    return hashlib.sha256(dumps(inputs).encode("ascii")).hexdigest()


def what_changed(stored: Mapping[str, str], now: Mapping[str, str] | None) -> str:
    """Return in words which inputs differ between a stored product and now."""
    if now is None:
        return "its inputs, the algorithm or the calibration changed since it was made"
    changed = sorted(n for n in stored if n in now and stored[n] != now[n])
    parts = [f"{name} changed" for name in changed if name not in ("algorithm", "CALDB")]
    parts += [f"{name} is {now[name]}, was {stored[name]}" for name in changed if name in ("algorithm", "CALDB")]
    parts += [f"{name} is new" for name in sorted(now.keys() - stored.keys())]
    parts += [f"{name} is no longer used" for name in sorted(stored.keys() - now.keys())]
    return "; ".join(parts) or "the way its state is counted changed"
