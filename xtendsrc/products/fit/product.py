"""Fits of spectra: declared at once, made when a value is asked for."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Self, Unpack

from xtendsrc.errors import RequestError
from xtendsrc.fit.keywords import FitKeywords, statement
from xtendsrc.fit.resultfile import read_result, write_result
from xtendsrc.products.base import Product
from xtendsrc.products.fit.data import as_dataset
from xtendsrc.products.fit.request import FitRequest
from xtendsrc.products.kinds import kind
from xtendsrc.products.sourcespectrum.request import SourceSpectrumRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from astropy.table import Table

    from xtendsrc.fit.bootstrap import Goodness
    from xtendsrc.fit.data import Dataset
    from xtendsrc.fit.measured import FittedParameter, Measured
    from xtendsrc.fit.result import FitResult
    from xtendsrc.fit.statement import FitStatement
    from xtendsrc.fit.xspec import XspecPlan
    from xtendsrc.products.spectrum.product import Spectrum


VIEWS = "xtendsrc.products.fit.view"


class Fit(Product):
    """A fit of one spectrum, or of several together.

    Nothing is computed before a value is asked for; what the spectra need is made first. `FitResult` holds what was
    found; its values are here, too.
    """

    kind: str = "fit"
    _spectra: tuple[Spectrum, ...] = ()
    _statement: FitStatement | None = None
    _backgrounds: Mapping[str, Spectrum] = {}
    _found: tuple[Any, FitResult] | None = None

    @classmethod
    def of(
        cls,
        spectra: Sequence[Spectrum],
        fit: FitStatement,
        backgrounds: Mapping[str, Spectrum] | None = None,
    ) -> Self:
        """Declare a fit of spectra.

        Parameters
        ----------
        spectra : sequence of Spectrum
            The data.
        fit : FitStatement
            Model and options.
        backgrounds : mapping of str to Spectrum, optional
            Spectra of single backgrounds, by the label of the background model that they are fitted with.
        """
        product = cls.__new__(cls)
        product._request, product._target = None, None
        product._file, product._content = None, None
        product._spectra, product._statement = tuple(spectra), fit
        product._backgrounds = dict(backgrounds or {})
        return product

    @property
    def statement(self) -> FitStatement:
        """Model and options.

        Raises
        ------
        ProductError
            If the fit was read from a file.
        """
        if self._statement is not None:
            return self._statement
        request: Any = self.request
        found: FitStatement = request.statement
        return found

    @property
    def spectra(self) -> tuple[Spectrum, ...]:
        """The spectra fitted, where the fit was not read from a file."""
        if self._request is None or self._spectra:
            return self._spectra
        request: Any = self._request
        self._spectra = (kind("spectrum").product_class(request.spectrum, self.target),)
        return self._spectra

    @property
    def parts(self) -> tuple[Spectrum, ...] | None:
        """What a batch makes for a fit that the registry does not keep: its spectra, but for those read from files.

        None for a fit that the registry keeps, which the batch makes itself.
        """
        return None if self._statement is None else tuple(s for s in self._inputs if s._request is not None)

    @property
    def _inputs(self) -> tuple[Spectrum, ...]:
        return (*self._spectra, *self._backgrounds.values())

    @property
    def result(self) -> FitResult:
        """Everything that was found; fitted first if it must be, and again when a spectrum has changed.

        Raises
        ------
        FitError, RequestError, ModelError
            If the fit cannot be made.
        """
        if self._statement is None:
            found: FitResult = self.content["result"]
            return found
        stamps = tuple(id(s.content) for s in self._inputs)
        if self._found is None or self._found[0] != stamps:
            self._found = stamps, self._statement.run(*self._datasets())
        return self._found[1]

    def with_data(self) -> FitResult:
        """Return the result with its data, to go on from: contours, goodness, simulations."""
        result = self.result
        if not result.has_data:
            result = result.attached(self.statement.problem(*self._datasets()))
        return result

    def _datasets(self) -> tuple[list[Dataset], dict[str, Dataset]]:
        own = {label: as_dataset(spectrum) for label, spectrum in self._backgrounds.items()}
        return [as_dataset(spectrum) for spectrum in self.spectra], own

    def plan(self) -> XspecPlan:
        """Return the fit as XSPEC would be told of it: ``pyxspec`` and ``xcm`` are texts, ``write(folder)`` saves all.

        Raises
        ------
        ProductError
            If the fit was read from a file.
        """
        return self.statement.plan(*self._datasets())

    # --- what was found ------------------------------------------------------------------------------------------

    @property
    def parameters(self) -> Mapping[str, FittedParameter]:
        """Every parameter by name, with ``value``, ``unit``, ``error``, ``frozen``, ``tied``, ``at_limit``."""
        return self.result.parameters

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the free parameters, in the order of `free_names`."""
        return self.result.covariance

    @property
    def free_names(self) -> tuple[str, ...]:
        """Names of the parameters that were fitted."""
        return self.result.free_names

    @property
    def statistic(self) -> float:
        """The fit statistic."""
        return self.result.statistic

    @property
    def statistic_name(self) -> str:
        """Name of the statistic."""
        return self.result.statistic_name

    @property
    def dof(self) -> int:
        """Degrees of freedom."""
        return self.result.dof

    @property
    def converged(self) -> bool:
        """Whether the minimum was reached."""
        return self.result.converged

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings to heed before using the numbers: no convergence, parameters at limits, a nominal response."""
        return self.result.warnings

    @property
    def engine(self) -> str:
        """The engine that made the fit."""
        return self.result.engine

    @property
    def response_kind(self) -> str:
        """``calibrated``, or ``nominal`` if a response is."""
        return self.result.response_kind

    @property
    def model(self) -> str:
        """The source's model, in XSPEC's syntax."""
        asked = self._statement is not None or self._request is not None
        return self.statement.model if asked else self.result.model

    def flux(
        self, low: Any, high: Any, *, absorbed: bool = True, photons: bool = False, data: int = 1, term: int = 0
    ) -> Measured:
        """Return the flux in a band as observed, with its ``error``; see `xtendsrc.fit.derived.flux`."""
        return self.result.flux(low, high, absorbed=absorbed, photons=photons, data=data, term=term)

    def luminosity(
        self,
        low: Any,
        high: Any,
        *,
        redshift: float | None = None,
        distance: Any = None,
        absorbed: bool = False,
        data: int = 1,
    ) -> Measured:
        """Return the luminosity in a band of the source's frame; see `xtendsrc.fit.derived.luminosity`."""
        return self.result.luminosity(low, high, redshift=redshift, distance=distance, absorbed=absorbed, data=data)

    def equivalent_width(self, component: str, *, data: int = 1) -> Measured:
        """Return the equivalent width of a component; see `xtendsrc.fit.derived.equivalent_width`."""
        return self.result.equivalent_width(component, data=data)

    def interval(self, name: str, confidence: float = 0.9) -> tuple[float, float]:
        """Return the interval of one parameter, from the profile likelihood, that holds its true value so often."""
        return self.with_data().interval(name, confidence)

    def goodness(self, number: int = 100, seed: int = 0) -> Goodness:
        """Return the parametric-bootstrap goodness; see `xtendsrc.fit.bootstrap.goodness`."""
        return self.with_data().goodness(number, seed)

    def simulate(self, seed: int = 0) -> list[Dataset]:
        """Return data sets drawn from the best model; see `xtendsrc.fit.bootstrap.simulate_fit`."""
        return self.with_data().simulate(seed)

    def table(self) -> Table:
        """Return a table with a row for each parameter; its ``meta`` holds statistic, engine and warnings."""
        return self.result.table()

    def to_json(self, indent: int | None = None) -> str:
        """Return the result as JSON text, which `xtendsrc.fit.result.FitResult.from_json` reads back."""
        return self.result.to_json(indent)

    def save(self, path: str | Path) -> Path:
        """Write the result into a new FITS file, which `Fit.read` opens, and return its path."""
        write_result(self.result, Path(path))
        return Path(path)

    # --- pictures ------------------------------------------------------------------------------------------------

    def view_corner(self, **options: Any) -> Any:
        """Draw the joint distributions of all pairs of free parameters; returns the array of axes."""
        return resolve_name(f"{VIEWS}:view_corner")(self, **options)

    def view_contours(self, first: str, second: str, **options: Any) -> Any:
        """Draw contours of the statistic over two parameters, the others fitted at each point; returns the axes."""
        return resolve_name(f"{VIEWS}:view_contours")(self, first, second, **options)

    # --- inside --------------------------------------------------------------------------------------------------

    def compute(self, **options: Any) -> Self:
        """Make the fit, and what it needs, now; options are those of `xtendsrc.compute`."""
        if self._statement is None:
            return super().compute(**options)
        for spectrum in self.parts or ():
            spectrum.compute(**options)
        _ = self.result
        return self

    @property
    def source(self) -> str:
        """Name of the source that asked for the spectra, or an empty string."""
        return self._spectra[0].source if self._statement is not None else super().source

    def _status(self) -> tuple[str, str]:
        if self._statement is None:
            return super()._status()
        return ("ready", "") if self._found else ("missing", "it has not been fitted yet")

    def _summary(self) -> dict[str, str]:
        if self._statement is None:
            return super()._summary()
        rows = {"status": ": ".join(filter(None, self._status())), "model": self.model}
        rows["spectra"] = ", ".join(spectrum.title for spectrum in self._spectra)
        if self._found is not None:
            result = self._found[1]
            rows[result.statistic_name] = f"{result.statistic:.2f} for {result.dof} degrees of freedom"
            rows |= {name: str(p).partition(" = ")[2] for name, p in result.parameters.items()}
        return rows

    @property
    def title(self) -> str:
        """One line for a heading: the spectra and the model."""
        if self._statement is None:
            return super().title
        names = self._spectra[0].title if len(self._spectra) == 1 else f"{len(self._spectra)} spectra"
        return f"{names}  {self._statement.model}"

    def _load(self, path: Path) -> dict[str, Any]:
        result, header = read_result(path)
        return {"result": result, "header": header}

    def __reduce__(self) -> Any:
        if self._statement is None:
            return super().__reduce__()
        return type(self).of, (self._spectra, self._statement, dict(self._backgrounds))

    def __repr__(self) -> str:
        if self._statement is None:
            return super().__repr__()
        state = "fitted" if self._found else "not fitted yet"
        return f"<Fit of {self._statement.model} to {len(self._spectra)} spectra: {state}>"

    def __str__(self) -> str:
        return str(self.result)


def fit_spectra(
    spectra: Spectrum | Iterable[Spectrum],
    model: str,
    *,
    background_spectra: Mapping[str, Spectrum] | None = None,
    **options: Unpack[FitKeywords],
) -> Fit:
    """Declare a joint fit of spectra, with a free constant factor for each after the first.

    Parameters
    ----------
    spectra : Spectrum, or iterable of Spectrum
        The data, of any missions.
    model : str
        In XSPEC's syntax.
    background_spectra : mapping of str to Spectrum, optional
        A spectrum of a background alone, by the label of the background model that it is fitted with.
    **options
        See `xtendsrc.fit.keywords.statement`.

    Returns
    -------
    Fit
        Not computed before a value is asked for.
    """
    several = [spectra] if isinstance(spectra, Product) else list(spectra)
    if not several:
        raise RequestError("There is no spectrum to fit.", "give one or more.")
    for one in several:
        if not isinstance(one, kind("spectrum").product_class):
            raise RequestError(f"{one!r} is no spectrum.", "give spectra, such as those of src.spectra().")
    asked = statement(model, **options)
    if len(several) == 1 and not background_spectra and isinstance(several[0]._request, SourceSpectrumRequest):
        return kept_fit(several[0], asked)
    return Fit.of(several, asked, background_spectra)


def kept_fit(spectrum: Spectrum, asked: FitStatement) -> Fit:
    """Declare the fit of a source spectrum that its registry keeps beside it."""
    own: Any = spectrum.request
    request = FitRequest(obs_id=own.obs_id, dataclass=own.dataclass, spectrum=own, fit=asked.to_json())
    fit = Fit(request, spectrum.target)
    fit._spectra = (spectrum,)
    return fit
