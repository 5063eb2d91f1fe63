"""The contract between engines and the rest: what an engine is given, what it gives back, what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from xtendsrc.products.request import Request


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one engine makes one kind of product.

    Parameters
    ----------
    maker : str
        Import path, ``package.module:function``, of the function that makes one product; it is imported when the first
        job comes, and is called with the job and what the engine shares among its jobs.
    tasks : tuple of str
        HEASoft tasks it needs.
    calibration : bool
        Whether it reads the calibration database.
    refusal : str
        Import path of a function that says why a request cannot be made this way (an empty text where it can).
    """

    maker: str
    tasks: tuple[str, ...] = ()
    calibration: bool = False
    refusal: str = ""


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
        Name of the engine.
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


@runtime_checkable
class Engine(Protocol):
    """A way to turn requests into files. Engines know files and numbers, and nothing of sources or registries.

    Attributes
    ----------
    name : str
        What users call it.
    shares_reading : bool
        Whether jobs of one data class gain from being made in one call, because they share what is read.
    in_threads : bool
        Whether its work runs in child processes of its own, so that threads are enough to drive it.
    recipes : mapping of str to Recipe
        How it makes kinds of products whose descriptors do not name it.
    """

    name: str
    shares_reading: bool
    in_threads: bool
    recipes: Mapping[str, Recipe]

    def refusal(self, recipe: Recipe) -> str:
        """Return why products cannot be made by a recipe on this machine; an empty text if they can."""

    def make(self, jobs: Sequence[Job], scratch: Path) -> Iterator[Made | Exception]:
        """Yield, in the order of the jobs, each finished file or why it could not be made."""

    def versions(self) -> Mapping[str, str]:
        """Return the versions of what makes products, by name."""

    def calibration(self) -> str | None:
        """Return the release of the calibration that enters calibrated products; None without one."""

    def cancel(self) -> None:
        """Stop what is running."""
