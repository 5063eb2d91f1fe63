"""Fits of the spectra of a source, and of all sources of a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from xtendsrc.errors import NoObservationsError, RegionError
from xtendsrc.source.scienceproducts import SourceProducts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xtendsrc.fit.keywords import FitKeywords
    from xtendsrc.products.fit.collection import Fits
    from xtendsrc.products.fit.product import Fit


class SourceFits(SourceProducts):
    """Methods of a source that fit the spectra of all its data classes together."""

    def fit(
        self,
        model: str,
        *,
        obs_id: str | None = None,
        dataclass: str | None = None,
        response: str | None = "auto",
        spectra: Mapping[str, Any] | None = None,
        **options: Unpack[FitKeywords],
    ) -> Fit:
        """Declare the fit of a model to the spectra of all data classes together.

        Parameters
        ----------
        model : str
            In XSPEC's syntax.
        obs_id, dataclass : str, optional
            Keep one observation, or one data class.
        response : "auto", "calibrated", "nominal" or None
            As for `spectra`.
        spectra : mapping, optional
            Further options of `spectra`, such as ``{"background": (3, 5) * u.arcmin}``.
        **options
            Options of the fit: see `xtendsrc.fit.keywords.statement`.

        Returns
        -------
        Fit
            Made when a value is asked for, with a free factor for each spectrum after the first.
        """
        from xtendsrc.products.fit.product import fit_spectra

        declared = self.spectra(obs_id=obs_id, dataclass=dataclass, response=response, **(spectra or {}))
        return fit_spectra(declared, model, **options)


class SampleFits:
    """Methods of a sample that fit the spectra of each of its sources."""

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[Any]:
            """Yield the sources; a sample has it."""

    def fit(
        self,
        model: str,
        *,
        obs_id: str | None = None,
        dataclass: str | None = None,
        response: str | None = "auto",
        spectra: Mapping[str, Any] | None = None,
        **options: Unpack[FitKeywords],
    ) -> Fits:
        """Declare a fit for every source; ``fit(...).table()`` makes all in one batch. See `Source.fit`.

        Returns
        -------
        Fits
            One a source; sources of which none can be declared are rows of its table, with the reason.
        """
        from xtendsrc.products.fit.collection import Fits

        made, failures = [], {}
        chosen = {"obs_id": obs_id, "dataclass": dataclass, "response": response, "spectra": spectra}
        for source in self:
            try:
                made.append(source.fit(model, **chosen, **options))
            except (NoObservationsError, RegionError) as error:
                failures[source.name] = str(error)
        return Fits(made, failures)
