"""The table of a sample: one row a source, with the columns that are asked for."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import RequestError, XtendsrcError
from xtendsrc.measure.blocks import constancy
from xtendsrc.measure.variability import hardness_ratio
from xtendsrc.source.photometry import DETECTED, combined, sample_photometry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from astropy.table import QTable, Table

    from xtendsrc.source.source import Source

log = logging.getLogger(__name__)

PLAIN = ("name", "ra", "dec", "observations", "dataclasses", "ready", "failed", "problem")
"""Columns of a table when none are asked for."""

MEASURED = (
    "counts",
    "background",
    "exposure",
    "rate",
    "rate_lo",
    "rate_hi",
    "upper_limit",
    "significance",
    "detected",
    "constant",
)
"""Columns that need photometry: all data classes of a source together; ``constant`` is the probability of rates
as different as these, nominal vignetting allowed for, from a constant source."""

COLOURS = ("hardness", "hardness_lo", "hardness_hi")
"""Columns that need photometry in two bands: (H - S) / (H + S) of net counts with its 68.27 % interval."""

SOFT_KEV, HARD_KEV = (0.5, 2.0), (2.0, 7.0)
"""The bands of hardness ratios where none are given."""

FITTED = ("flux", "flux_error", "response_kind")
"""Columns that need a fit of a model to the spectra: its flux as observed, and what the response is worth."""

FLUX_KEV = (0.5, 10.0)
"""The band of fluxes where none is given."""

COLUMNS = (*PLAIN, "radius", "redshift", "kind", *MEASURED, *COLOURS, *FITTED)
"""Every column there is."""


@dataclass(frozen=True, kw_only=True)
class Bands:
    """What columns of a table are for, besides the photometry.

    Parameters
    ----------
    soft, hard : Quantity, optional
        Bands of hardness ratios.
    flux : Quantity, optional
        Band of fluxes.
    model : str, optional
        Fitted to the spectra for the flux, in XSPEC's syntax.
    response : str or None
        As for `Source.spectra`.
    """

    soft: Any = None
    hard: Any = None
    flux: Any = None
    model: str | None = None
    response: str | None = "auto"


def table_of(
    sources: Sequence[Source], columns: Sequence[str] | None = None, bands: Bands | None = None, **options: Any
) -> Table:
    """See `xtendsrc.source.sample.Sample.table`."""
    from astropy.table import QTable, Table

    wanted, bands = list(PLAIN if columns is None else columns), bands or Bands()
    for name in wanted:
        if name not in COLUMNS:
            near = get_close_matches(name, COLUMNS, 1)
            raise RequestError(
                f"A sample has no column {name!r}.",
                f"did you mean {near[0]!r}?" if near else f"choose among {', '.join(COLUMNS)}.",
            )
    if columns is None:
        rows = _plain(sources)
        return Table(rows=rows, names=PLAIN) if rows else Table(names=PLAIN)
    made = QTable()
    plain = _plain(sources) if {*wanted} & {*PLAIN[3:]} else []
    measured = _measured(sources, **options) if {*wanted} & {*MEASURED} else {}
    if {*wanted} & {*COLOURS}:
        measured.update(_colours(sources, bands, {k: v for k, v in options.items() if k != "energy"}))
    if {*wanted} & {*FITTED}:
        measured.update(_fitted(sources, bands))
    for name in wanted:
        made[name] = _column(name, sources, plain, measured)
    return made


def _column(name: str, sources: Sequence[Source], plain: list[tuple[Any, ...]], measured: dict[str, Any]) -> Any:
    import astropy.units as u

    if name in measured:
        return measured[name]
    simple: dict[str, Callable[[Source], Any]] = {
        "name": lambda s: s.name,
        "kind": lambda s: "point" if s.source_type == "POINT" else "extended",
        "redshift": lambda s: np.nan if s.redshift is None else s.redshift,
    }
    angles: dict[str, Callable[[Source], Any]] = {
        "ra": lambda s: s.position.ra.deg,
        "dec": lambda s: s.position.dec.deg,
        "radius": lambda s: s.radius.to_value(u.deg),
    }
    if name in angles:
        values = u.Quantity([angles[name](s) for s in sources], u.deg)
        return values.to(u.arcmin) if name == "radius" else values
    if name in simple:
        return [simple[name](s) for s in sources]
    return [row[PLAIN.index(name)] for row in plain]


def _plain(sources: Sequence[Source]) -> list[tuple[Any, ...]]:
    """Rows of the plain columns; each registry is read once."""
    kept: dict[int, Counter[tuple[str, str]]] = {}
    rows = []
    for source in sources:
        registry = source.registry
        if id(registry) not in kept:
            kept[id(registry)] = _products(registry.table(), {s.name for s in sources})
        counts = kept[id(registry)]
        rows.append(_row(source, counts[source.name, "ready"], counts[source.name, "failed"]))
    return rows


def _products(table: Table, names: set[str]) -> Counter[tuple[str, str]]:
    """Products by source and status; a shared one counts for each source that asked for it."""
    counts: Counter[tuple[str, str]] = Counter()
    if not len(table):
        return counts
    for asked, status in zip(map(str, table["source"]), map(str, table["status"]), strict=True):
        for name in [asked] if asked in names else asked.split(", "):
            counts[name, status] += 1
    return counts


def _row(source: Source, ready: int, failed: int) -> tuple[Any, ...]:
    ra, dec = float(source.position.ra.deg), float(source.position.dec.deg)
    try:
        observations = source.observations
        classes = source.dataclasses()
    except XtendsrcError as error:
        return source.name, ra, dec, 0, 0, ready, failed, str(error)
    return source.name, ra, dec, len(observations), len(classes), ready, failed, ""


def _measured(sources: Sequence[Source], **options: Any) -> dict[str, Any]:
    """Photometry of all data classes of each source, put together."""
    import astropy.units as u

    joined = [None if rows is None else _together(rows) for rows in _rows_of(sources, **options)]
    units = {"exposure": u.s, **dict.fromkeys(("rate", "rate_lo", "rate_hi", "upper_limit"), u.ct / u.s)}
    nothing = dict.fromkeys(MEASURED, np.nan) | {"counts": 0, "detected": False}
    columns = {n: np.array([(nothing if j is None else j)[n] for j in joined]) for n in MEASURED}
    return {n: values * units[n] if n in units else values for n, values in columns.items()}


def _rows_of(sources: Sequence[Source], **options: Any) -> list[QTable | None]:
    """Photometry of each source, without what could not be measured; None where nothing could."""
    rows = sample_photometry(sources, **options)
    if not len(rows):
        return [None] * len(sources)
    rows = rows[np.asarray(rows["problem"], dtype=str) == ""]
    names = np.asarray(rows["source"], dtype=str)
    order = np.argsort(names, kind="stable")
    parts = dict(zip(*_split(names[order], order), strict=True)) if len(names) else {}
    return [rows[parts[s.name]] if s.name in parts else None for s in sources]


def _fitted(sources: Sequence[Source], bands: Bands) -> dict[str, Any]:
    """Flux of the model fitted to the spectra of each source; NaN where it cannot be fitted.

    Raises
    ------
    RequestError
        If no model is given.
    """
    import astropy.units as u

    from xtendsrc.products.fit.collection import Fits

    if bands.model is None:
        raise RequestError("The flux of a source needs a model.", 'give one, such as model="tbabs*powerlaw".')
    fits: dict[str, Any] = {}
    for source in sources:
        try:
            fits[source.name] = source.fit(bands.model, response=bands.response)
        except XtendsrcError as error:
            log.warning("%s has no flux: %s", source.name, error)
    if fits:
        Fits(fits.values()).compute(quiet=True)
    low, high = FLUX_KEV * u.keV if bands.flux is None else bands.flux
    unit = u.erg / u.s / u.cm**2
    found = [_flux(fits[s.name], low, high, unit) if s.name in fits else (np.nan, np.nan, "none") for s in sources]
    values, errors, kinds = zip(*found, strict=True) if found else ((), (), ())
    return {"flux": values * unit, "flux_error": errors * unit, "response_kind": list(kinds)}


def _flux(fit: Any, low: Any, high: Any, unit: Any) -> tuple[float, float, str]:
    try:
        flux = fit.flux(low, high)
        return float(flux.to_value(unit)), float(flux.error.to_value(unit)), fit.response_kind
    except XtendsrcError as error:
        log.warning("%s has no flux: %s", fit.source, error)
        return np.nan, np.nan, "none"


def _colours(sources: Sequence[Source], chosen: Bands, options: dict[str, Any]) -> dict[str, np.ndarray]:
    """Hardness ratios of all data classes of each source, put together."""
    import astropy.units as u

    soft = SOFT_KEV * u.keV if chosen.soft is None else chosen.soft
    bands = (soft, HARD_KEV * u.keV if chosen.hard is None else chosen.hard)
    two = [_rows_of(sources, energy=band, **options) for band in bands]
    found = [_colour(low, high) for low, high in zip(*two, strict=True)]
    columns = np.array(found, dtype=np.float64).reshape(-1, 3)
    return {name: columns[:, number] for number, name in enumerate(COLOURS)}


def _colour(low: QTable | None, high: QTable | None) -> tuple[float, float, float]:
    """Hardness ratio and its interval from photometry in two bands.

    One scale of source to background region serves all data classes: that of the sum of their backgrounds.
    """
    if low is None or high is None:
        return np.nan, np.nan, np.nan
    background = [float(np.sum(band["background"])) for band in (low, high)]
    variance = sum(float(np.sum(np.square(band["background_error"]))) for band in (low, high))
    scale = variance / sum(background) if sum(background) > 0 else 0.0
    on = [int(np.sum(band["counts"])) for band in (low, high)]
    off = [round(value / scale) if scale > 0 else 0 for value in background]
    ratio = hardness_ratio((on[0], off[0]), (on[1], off[1]), scale)
    return ratio.value, ratio.low, ratio.high


def _split(names: np.ndarray, order: np.ndarray) -> tuple[list[str], list[np.ndarray]]:
    """Different names of a sorted list, and the numbers of the rows of each."""
    different, first = np.unique(names, return_index=True)
    return different.tolist(), np.split(order, first[1:])


def _together(rows: QTable) -> dict[str, Any]:
    """Counts of one source in all its data classes, as one measurement."""
    total = combined(rows)
    effective = rows["effective"].to_value("s")
    several = np.count_nonzero(effective > 0) > 1
    test = (
        constancy(rows["counts"], effective * rows["vignetting"], rows["background"]).probability if several else np.nan
    )
    names = ("counts", "background", "rate", "rate_lo", "rate_hi", "upper_limit", "significance")
    numbers = {name: getattr(total, name)[0] for name in names}
    exposure = float(rows["exposure"].to_value("s").sum())
    return {**numbers, "exposure": exposure, "detected": bool(total.chance[0] <= DETECTED), "constant": test}
