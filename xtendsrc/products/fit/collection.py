"""Fits of many sources: made in one batch, with one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from xtendsrc.errors import XtendsrcError

if TYPE_CHECKING:
    from astropy.table import Table

    from xtendsrc.generate import Report
    from xtendsrc.products.fit.product import Fit


class Fits(Sequence["Fit"]):
    """A frozen sequence of fits.

    Parameters
    ----------
    fits : iterable of Fit
        The fits.
    failures : mapping of str to str, optional
        Sources of which no fit could be declared, with the reason; they are rows of `table`.
    """

    def __init__(self, fits: Iterable[Fit], failures: Mapping[str, str] | None = None) -> None:
        self._fits = tuple(fits)
        self.failures = dict(failures or {})

    @overload
    def __getitem__(self, index: int) -> Fit: ...
    @overload
    def __getitem__(self, index: slice) -> Fits: ...
    def __getitem__(self, index: int | slice) -> Fit | Fits:
        return Fits(self._fits[index]) if isinstance(index, slice) else self._fits[index]

    def __len__(self) -> int:
        return len(self._fits)

    def compute(self, **options: Any) -> Report:
        """Make the spectra of all fits, and the fits that are kept, in one batch; see `xtendsrc.compute`."""
        from xtendsrc.generate import compute

        return compute(self._fits, **options)

    def table(self, **options: Any) -> Table:
        """Return a table with a row for each source; what is missing is made first, in one batch.

        Parameters
        ----------
        **options
            For the batch, as for `xtendsrc.compute`.

        Returns
        -------
        Table
            ``source``, ``spectra`` (how many), ``model``, two columns for each parameter (its value under its name, its
            error under ``name_error``), ``statistic``, ``dof``, ``converged``, ``response_kind``, and ``problem``: what
            the result warns of, or why there is none.
        """
        from astropy.table import Table

        if self._fits:
            self.compute(**{"quiet": True, **options})
        rows = [_row(fit) for fit in self._fits]
        rows += [{"source": name, "problem": reason} for name, reason in self.failures.items()]
        names = list(dict.fromkeys(["source", *(name for row in rows for name in row if name != "problem"), "problem"]))
        missing: dict[str, Any] = dict.fromkeys(("source", "model", "response_kind", "problem"), "")
        missing |= {"spectra": 0, "dof": -1, "converged": False}
        table = Table({name: [row.get(name, missing.get(name, np.nan)) for row in rows] for name in names})
        units = {name: p.unit for fit in self._fits for name, p in _parameters(fit).items() if p.unit}
        table.meta["units"] = units
        return table

    def __repr__(self) -> str:
        lines = [f"  {i}: {fit!r}" for i, fit in enumerate(self._fits[:20])]
        more = [f"  ... and {len(self) - 20} more"] if len(self) > 20 else []
        return "\n".join([f"<{len(self)} fits>", *lines, *more])


def _parameters(fit: Fit) -> Mapping[str, Any]:
    try:
        return fit.parameters
    except XtendsrcError:
        return {}


def _row(fit: Fit) -> dict[str, Any]:
    """Return the columns of one fit; of one that failed, its reason."""
    row: dict[str, Any] = {"source": fit.source, "spectra": len(fit.spectra), "model": fit.model}
    try:
        result = fit.result
    except XtendsrcError as error:
        return row | {"problem": str(error)}
    for name, parameter in result.parameters.items():
        row[name] = parameter.value
        row[f"{name}_error"] = parameter.error
    return row | {
        "statistic": result.statistic,
        "dof": result.dof,
        "converged": result.converged,
        "response_kind": result.response_kind,
        "problem": " ".join(result.warnings),
    }
