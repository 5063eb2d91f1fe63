"""The registry: what was made, from what, and whether it still holds.

The FITS files are the products; the rename that gives a file its name is the commit. Everything here is an index and
a cache of them, and can be made again from them. Layout and rules are in ``docs/registry.md``.
"""

from __future__ import annotations

from xtendsrc.registry.fingerprint import Fingerprint
from xtendsrc.registry.locks import lock_kind_for
from xtendsrc.registry.record import Entry, Record, Status, state_inputs, state_of, state_of_inputs
from xtendsrc.registry.registry import Registry

__all__ = [
    "Entry",
    "Fingerprint",
    "Record",
    "Registry",
    "Status",
    "lock_kind_for",
    "state_inputs",
    "state_of",
    "state_of_inputs",
]
