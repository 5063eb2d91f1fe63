"""What an engine is given and what it gives back: plain data that any worker can carry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xtendsrc.products.request import Request


@dataclass(frozen=True, kw_only=True)
class Job:
    """One product to make.

    Parameters
    ----------
    request : Request
        What to make.
    files : mapping of str to tuple of str
        Input files by role, absolute: ``events`` (the pieces of a split file in order), ``uf_events``, ``bimg``,
        ``ehk``, ``fpix``, ``att``, ``orb``, ``mkf``, ``gen_gti``, ``hk``. Roles the observation lacks are absent.
    needs : mapping of str to str
        Path of each FITS product this one is made from, by the name of the request's field.
    """

    request: Request
    files: Mapping[str, tuple[str, ...]]
    needs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Made:
    """One product that was made, still in the scratch directory.

    Parameters
    ----------
    path : str
        The complete FITS file.
    engine : str
        ``native`` or ``heasoft``.
    versions : mapping of str to str
        Versions of whatever made it, by name.
    calls : tuple of str
        Command lines and heasoftpy calls that a user can paste; empty for the native engine.
    warnings : tuple of str
        What the user should know about this product.
    log : str
        Everything the tasks printed.
    """

    path: str
    engine: str
    versions: Mapping[str, str] = field(default_factory=dict)
    calls: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    log: str = ""
