"""What every product has in common: a request, where it is kept, its status, its file, its provenance.

Nothing here draws: `Product.view` looks up the drawing function for its kind in `xtendsrc.view` when it is called.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Self

from xtendsrc.errors import InputFileError, InputNotFoundError, ProductError
from xtendsrc.products.kinds import kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from astropy.io import fits

    from xtendsrc.products.request import Request
    from xtendsrc.regions import RegionSet
    from xtendsrc.registry import Registry


@dataclass(frozen=True)
class Target:
    """Where a product's inputs are and where it is kept: plain data and the registry's address.

    Parameters
    ----------
    files : mapping of str to tuple of str
        Input files of one data class by role (see `xtendsrc.engines.protocol.Job`).
    registry : Registry
        The registry of the output directory.
    source : str
        Name of the source that asked, for tables; no part of a product's identity.
    engine : {"auto", "heasoft", "native"}
        Which engine is asked for; no part of a product's identity either.
    region : RegionSet, optional
        The source's region, for views.
    remarks : tuple of str
        What the user should know of the choices made when the product was declared; kept with its warnings.
    """

    files: Mapping[str, tuple[str, ...]]
    registry: Registry
    source: str = ""
    engine: str = "auto"
    region: RegionSet | None = None
    remarks: tuple[str, ...] = ()


TRUSTED_SECONDS = 1.0
"""How long a product that was found up to date is taken to be so without looking again."""


class Product:
    """A product that may or may not exist yet.

    Asking for ``data``, ``path`` or ``view()`` makes what is missing; ``repr`` and ``status`` never do.

    Parameters
    ----------
    request : Request
        The statement of the product.
    target : Target
        Its inputs and its registry.
    """

    kind: str = ""
    _trusted_until: float = 0.0

    def __init__(self, request: Request, target: Target) -> None:
        self.kind = request.kind
        self._request: Request | None = request
        self._target: Target | None = target
        self._file: Path | None = None
        self._content: tuple[tuple[Any, ...], dict[str, Any]] | None = None

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Open a file of this kind that xtendsrc need not have made.

        Raises
        ------
        InputNotFoundError
            If there is no such file.
        """
        file = Path(path)
        if not file.is_file():
            raise InputNotFoundError(f"There is no file {file}.", "check the path.")
        product = cls.__new__(cls)
        product._request, product._target = None, None
        product._file, product._content = file, None
        return product

    # --- identity -----------------------------------------------------------------------------------------------

    @property
    def request(self) -> Request:
        """The frozen statement of this product.

        Raises
        ------
        ProductError
            If the product was read from a file and has no request.
        """
        if self._request is None:
            raise ProductError(f"{self._file} was read from disk and has no request.", "use its data and header.")
        return self._request

    @property
    def target(self) -> Target:
        """The inputs and the registry of this product."""
        if self._target is None:
            raise ProductError(f"{self._file} was read from disk and belongs to no registry.", "use its data.")
        return self._target

    @property
    def key(self) -> str:
        """Thirty-two hexadecimal digits that identify the product."""
        return self.request.key

    @property
    def obs_id(self) -> str:
        """The ObsID."""
        return self.request.obs_id if self._request else str(self.header.get("OBS_ID", ""))

    @property
    def dataclass(self) -> str:
        """The data class."""
        return self.request.dataclass if self._request else str(self.header.get("DATACLAS", ""))

    @property
    def source(self) -> str:
        """Name of the source that asked for the product, or an empty string."""
        return self._target.source if self._target else ""

    @property
    def source_region(self) -> RegionSet | None:
        """The region of the source that asked for the product, if one did."""
        return self._target.region if self._target else None

    @property
    def title(self) -> str:
        """One line for a heading: source, what it is, ObsID and data class."""
        if self._request is None:
            return self._file.name if self._file else kind(self.kind).title
        words = self._request.words
        what = f"{self.source}: {words}" if self.source else f"{words[0].upper()}{words[1:]}"
        return f"{what}   ({self.obs_id}, {self.dataclass})"

    @property
    def short_title(self) -> str:
        """A few words for a legend: source and ObsID, or the name of the file."""
        if self._request is None:
            return self._file.name if self._file else ""
        return " ".join(part for part in (self.source, self.obs_id) if part)

    @property
    def engine(self) -> str:
        """The engine asked for: ``auto``, ``heasoft`` or ``native``; `provenance` says which one made it."""
        return self._target.engine if self._target else "auto"

    def __eq__(self, other: object) -> bool:
        """Products are equal if they are the same statement, kept in the same directory, or the same file."""
        if not isinstance(other, Product):
            return NotImplemented
        return self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[Any, ...]:
        if self._request is None or self._target is None:
            return type(self), self._file if self._file is not None else id(self)
        return type(self), self._request.key, str(self._target.registry.root)

    # --- state --------------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """``missing``, ``ready``, ``stale`` or ``failed``; looking never makes anything."""
        return self._status()[0]

    @property
    def status_reason(self) -> str:
        """Why the product has its status, in words; empty when it is ready."""
        return self._status()[1]

    def _status(self) -> tuple[str, str]:
        if self._request is None:
            return "ready", ""
        from xtendsrc.generate.plan import status

        return status(self.request, self.target)

    def compute(self, **options: Any) -> Self:
        """Make the product and whatever it needs, unless it is ready.

        Parameters
        ----------
        **options
            As for `xtendsrc.compute`.

        Raises
        ------
        ProductError
            If it, or a product it needs, cannot be made.
        """
        self._trusted_until = 0.0
        if self._request is not None:
            from xtendsrc.generate import compute

            compute(self, quiet=True, **options).raise_for(self.key)
        return self

    # --- content ------------------------------------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """The FITS file; made first if missing or stale.

        Raises
        ------
        ProductError
            If it cannot be made, or failed before and nothing has changed since.
        """
        if self._file is not None:
            return self._file
        from xtendsrc.generate import ensure

        ensure(self)
        return self.target.registry.path(self.key)

    @property
    def header(self) -> fits.Header:
        """The FITS header that describes the data."""
        header: fits.Header = self.content["header"]
        return header

    @property
    def content(self) -> dict[str, Any]:
        """Everything read from the product, made first if it must be, and read again when it has changed.

        For `TRUSTED_SECONDS` after a look at its inputs and its file a product trusts what it has; `status` and
        `compute` always look.
        """
        now = time.monotonic()
        if self._content is not None and self._target is not None and now < self._trusted_until:
            return self._content[1]
        if self._target is None:
            stamp: tuple[Any, ...] = (self.path.stat().st_mtime_ns, self.path.stat().st_size)
        else:
            from xtendsrc.generate import ensure

            ensure(self)
            stamp = self._target.registry.stamp(self.key)
        if self._content is None or self._content[0] != stamp:
            self._content = (stamp, self._cached() or self._load(self.path))
        self._trusted_until = now + TRUSTED_SECONDS
        return self._content[1]

    def _cached(self) -> dict[str, Any] | None:
        """Return the content from the copy that the registry keeps, for kinds that can do with it."""
        return None

    def _load(self, path: Path) -> dict[str, Any]:
        raise NotImplementedError

    def _check_kind(self, hdus: Sequence[Any]) -> None:
        """Refuse a file that xtendsrc made as something else; files of others do not say what they are."""
        found = hdus[0].header.get("XTSKIND", self.kind)
        if found != self.kind and not issubclass(kind(found).product_class, type(self)):
            raise InputFileError(
                f"{self.path} holds a product of kind {found!r}, not {self.kind!r}.",
                f"open it as {found}, or check the path.",
            )

    def unload(self) -> None:
        """Forget the data in memory; they are read again when asked for."""
        self._content, self._trusted_until = None, 0.0

    @property
    def provenance(self) -> dict[str, Any]:
        """Provenance of the product: engine, versions, calls, parameters, inputs, times.

        Raises
        ------
        ProductError
            If it has not been made yet.
        """
        entry = self.target.registry.entry(self.key)
        if entry is None:
            raise ProductError(f"{self!r} has not been made yet.", "call its compute().")
        return asdict(entry)

    @property
    def log(self) -> str:
        """Output of the tasks that made (or failed to make) the product; empty for the native engine."""
        entry = self.target.registry.entry(self.key)
        return entry.log if entry is not None else ""

    def view(self, ax: Any = None, **options: Any) -> Any:
        """Draw the product and return the axes; see `xtendsrc.view` for the options of each kind."""
        return resolve_name("xtendsrc.view.figure:draw")(self._drawer(), self, ax=ax, **options)

    def save_view(self, save_path: str | Path, **options: Any) -> Path:
        """Draw the product into an image file and return its path; no figure stays open."""
        return Path(resolve_name("xtendsrc.view.figure:save")(self._drawer(), self, Path(save_path), **options))

    def _drawer(self) -> Any:
        what = kind(self.kind)
        if not what.drawer:
            raise ProductError(f"There is no picture of a {what.title}.", "use its path.")
        return resolve_name(what.drawer)

    # --- looks --------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        if self._request is None:
            return f"<{type(self).__name__} of {self._file}>"
        return f"<{type(self).__name__} {self.obs_id} {self.dataclass} {self.request.label} {self.key[:8]}>"

    def _summary(self) -> dict[str, str]:
        status, reason = self._status()
        rows = {"status": f"{status}: {reason}" if reason else status}
        if self._request is None:
            return {**rows, "file": str(self._file)}
        return {
            **({"source": self.source} if self.source else {}),
            "ObsID": self.obs_id,
            "data class": self.dataclass,
            "product": self.request.label,
            "key": self.key,
            **rows,
        }

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in self._summary().items()
        )
        return f"<table><caption>{escape(type(self).__name__)}</caption>{rows}</table>"

    def __reduce__(self) -> Any:
        if self._request is None:
            return type(self).read, (self._file,)
        return type(self), (self._request, self._target)
