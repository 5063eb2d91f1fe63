"""Surface brightness of a source: radial profiles over all its observations, models, centre and peak."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.events.quantities import arcminutes
from xtendsrc.measure import profile as measure
from xtendsrc.measure.surface import ProfileFit, fit_profile
from xtendsrc.source.fielddata import PIXEL_ARCMIN, FieldData, nominal_psf
from xtendsrc.source.photometry import RegionCounts

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.table import QTable
    from astropy.units import Quantity

    from xtendsrc.source.source import Source

WIDTHS = 15
"""Annuli of a profile for which none are asked."""

UNITS = {"brightness": "ct / (s arcmin2)", "core": "arcmin", "beta": "", "constant": "ct / (s arcmin2)"}


@dataclass(frozen=True)
class SurfaceProfile:
    """Surface brightness around a centre, all observations together.

    Attributes
    ----------
    source : str
        Name of the source.
    centre : SkyCoord
        Middle of the annuli.
    data : xtendsrc.measure.profile.RadialProfile
        Counts, background, exposure and area of each annulus, in plain numbers.
    kpc_per_arcmin : float or None
        Scale at the source's redshift, where that is known.
    """

    source: str
    centre: SkyCoord
    data: measure.RadialProfile
    kpc_per_arcmin: float | None = None

    @property
    def edges(self) -> Quantity:
        """Radii of the annuli, arcmin."""
        return _quantity(self.data.edges, "arcmin")

    @property
    def radius(self) -> Quantity:
        """Radii that halve the area of the annuli, arcmin."""
        return _quantity(self.data.radius, "arcmin")

    @property
    def brightness(self) -> Quantity:
        """Net surface brightness, counts/s/arcmin2, not corrected for vignetting."""
        return _quantity(self.data.brightness, "ct / (s arcmin2)")

    @property
    def error(self) -> Quantity:
        """Its standard deviation."""
        return _quantity(self.data.error, "ct / (s arcmin2)")

    @property
    def growth(self) -> tuple[np.ndarray, np.ndarray]:
        """Net counts within the outer radius of each annulus, gaps filled, and their errors."""
        return self.data.growth

    @cached_property
    def table(self) -> QTable:
        """Table with one row for each annulus."""
        from astropy.table import QTable

        table = QTable()
        table["inner"], table["outer"] = self.edges[:-1], self.edges[1:]
        table["radius"] = self.radius
        if self.kpc_per_arcmin is not None:
            table["radius_kpc"] = _quantity(self.data.radius * self.kpc_per_arcmin, "kpc")
        table["counts"], table["background"] = self.data.counts.astype(np.int64), self.data.background
        table["brightness"], table["error"] = self.brightness, self.error
        table["growth"], table["growth_error"] = self.growth
        return table

    def fit(self, model: str = "beta", *, psf: str | None = "nominal", constant: bool = True) -> SurfaceFit:
        """Fit a model of the surface brightness by Poisson likelihood.

        Parameters
        ----------
        model : {"beta", "double_beta"}
            What to fit.
        psf : "nominal" or None
            The PSF that is folded in.
        constant : bool
            Whether an even brightness is fitted too, as what is left of the background.

        Raises
        ------
        RequestError
            If the model or the PSF is unknown, or there are too few annuli or counts.
        """
        if psf not in ("nominal", None):
            raise RequestError(f"psf={psf!r} is unknown.", 'choose "nominal" or None.')
        found = fit_profile(self.data, model, None if psf is None else nominal_psf(), constant)
        return SurfaceFit(self, found)

    def view(self, ax: Any = None, fit: SurfaceFit | None = None) -> Any:
        """Draw the profile, with a fit if one is given, and return the axes."""
        from xtendsrc.view.profile import view_profile

        return view_profile(self, ax, fit)

    def __repr__(self) -> str:
        number = len(self.data.counts)
        return f"<SurfaceProfile of {self.source}: {number} annuli out to {self.data.edges[-1]:g}'>"


@dataclass(frozen=True)
class SurfaceFit:
    """A model fitted to a surface-brightness profile.

    Attributes
    ----------
    profile : SurfaceProfile
        What was fitted.
    result : xtendsrc.measure.surface.ProfileFit
        Plain numbers, with covariance and expected counts.
    """

    profile: SurfaceProfile
    result: ProfileFit

    @property
    def values(self) -> dict[str, Quantity]:
        """Parameters with units: ``brightness`` in the middle, ``core`` radius, ``beta``, ``constant``."""
        return {n: _quantity(v, UNITS[n.rstrip("2")]) for n, v in self.result.values.items()}

    @property
    def errors(self) -> dict[str, Quantity]:
        """Their standard deviations."""
        return {n: _quantity(v, UNITS[n.rstrip("2")]) for n, v in self.result.errors.items()}

    @property
    def statistic(self) -> float:
        """Cash statistic less that of a perfect model."""
        return self.result.statistic

    @property
    def dof(self) -> int:
        """Degrees of freedom."""
        return self.result.dof

    @property
    def table(self) -> QTable:
        """Table with one row for each parameter."""
        from astropy.table import QTable

        names = list(self.result.values)
        rows = [(n, self.result.values[n], self.result.errors[n], UNITS[n.rstrip("2")]) for n in names]
        table = QTable(rows=rows, names=("parameter", "value", "error", "unit"))
        table.meta.update(model=self.result.model, statistic=self.statistic, dof=self.dof, psf="nominal")
        return table

    def brightness(self, radius: Quantity) -> Quantity:
        """Surface brightness of the model before the PSF, without the constant."""
        return _quantity(self.result.brightness(radius.to_value("arcmin")), "ct / (s arcmin2)")

    def view(self, ax: Any = None) -> Any:
        """Draw the profile with the model and return the axes."""
        return self.profile.view(ax, self)

    def __repr__(self) -> str:
        parts = ", ".join(f"{n}={v:.4g}+-{self.result.errors[n]:.2g}" for n, v in self.result.values.items())
        return f"<SurfaceFit {self.result.model}: {parts}; C={self.statistic:.1f} for {self.dof} dof>"


def _quantity(values: Any, unit: str) -> Any:
    import astropy.units as u

    return u.Quantity(values, unit)


# --- making them ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ProfileOptions:
    """Options of a profile.

    Parameters
    ----------
    bins : Quantity, str, int or None
        Radii (angles, or lengths at the source's redshift); ``"equal 8"`` for eight annuli of equal counts;
        ``"sn 5"`` for annuli with that signal-to-noise ratio; a number of annuli of one width out to the source's
        radius, 15 if None.
    background : region, (inner, outer), "auto" or "none"
        As for products of a source; its brightness is taken to be that of the whole field.
    centre : SkyCoord, "peak", "centroid" or None
        Middle of the annuli; the source's position if None.
    """

    bins: Any = None
    background: Any = "none"
    centre: Any = None


def radial_profile(source: Source, options: ProfileOptions, **selected: Any) -> SurfaceProfile:
    """Measure the profile of a source in all its observations; see `xtendsrc.source.source.Source.radial_profile`."""
    fields = [
        FieldData.of(dc, **{k: v for k, v in selected.items() if k not in ("obs_id", "dataclass")})
        for dc in source.dataclasses(selected.get("obs_id"), selected.get("dataclass"))
    ]
    centre = _centre(source, options.centre, fields)
    scale = source.kpc_per_arcmin
    radii = None if isinstance(options.bins, str) else _radii(source, options.bins)
    outer = arcminutes(source.radius) if radii is None else float(radii[-1])
    cutouts = [_Cutout.of(source, field, centre, outer, options.background) for field in fields]
    if radii is None:
        fine = np.arange(0.0, outer + PIXEL_ARCMIN, PIXEL_ARCMIN)
        radii = _chosen(options.bins, measure.joined([c.profile(fine) for c in cutouts]))
    return SurfaceProfile(source.name, centre, measure.joined([c.profile(radii) for c in cutouts]), scale)


def _radii(source: Source, bins: Any) -> np.ndarray:
    """Radii in arcmin."""
    if bins is None or isinstance(bins, int):
        number = WIDTHS if bins is None else bins
        if number < 1:
            raise RequestError(f"bins={bins} is no number of annuli.", "give 1 or more.")
        return np.linspace(0.0, arcminutes(source.radius), number + 1)
    return measure.checked_edges(source.angles(bins).to_value("arcmin"))


def _chosen(bins: str, rings: measure.RadialProfile) -> np.ndarray:
    kind, _, number = bins.partition(" ")
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if kind == "equal" and value >= 1 and value.is_integer():
        return measure.edges_of_equal_counts(rings, int(value))
    if kind == "sn" and value > 0:
        return measure.edges_of_signal(rings, value)
    raise RequestError(f"bins={bins!r} is not understood.", 'give radii, "equal 8", or "sn 5".')


@dataclass(frozen=True)
class _Cutout:
    """The surroundings of a source in one data class, other sources masked."""

    picture: measure.Picture
    x: float
    y: float

    @classmethod
    def of(cls, source: Source, field: FieldData, centre: SkyCoord, outer: float, background: Any) -> _Cutout:
        x, y = (float(v) for v in field.pixels(centre))
        ny, nx = field.live.shape
        reach = outer / PIXEL_ARCMIN + 2
        x0, x1 = max(int(x - reach), 0), min(int(x + reach) + 2, nx)
        y0, y1 = max(int(y - reach), 0), min(int(y + reach) + 2, ny)
        if x0 >= x1 or y0 >= y1:
            raise RequestError(f"{source.name} is off the field of {field.dc.obs_id}.", "leave it out with obs_id=.")
        live = field.live[y0:y1, x0:x1].astype(np.float64)
        live[_masked(source, field, (x0, x1, y0, y1))] = 0
        near = (field.x >= x0) & (field.x < x1) & (field.y >= y0) & (field.y < y1)
        width = x1 - x0
        flat = (field.y[near] - y0) * width + field.x[near] - x0
        counts = np.bincount(flat, minlength=live.size).reshape(live.shape)
        region = source.background_region(field.dc, background)
        other = None if region is None else RegionCounts(field, region)
        rate = other.counts / other.live if other is not None and other.live > 0 else 0.0
        return cls(measure.Picture(counts, live, rate * live, PIXEL_ARCMIN), x - x0, y - y0)

    def profile(self, edges: np.ndarray) -> measure.RadialProfile:
        return measure.radial_profile(self.picture, (self.x, self.y), edges)


def _masked(source: Source, field: FieldData, box: tuple[int, int, int, int]) -> np.ndarray:
    """Pixels of a box that other sources cover."""
    x0, x1, y0, y1 = box
    shape = (y1 - y0, x1 - x0)
    if source.interlopers is None:
        return np.zeros(shape, dtype=bool)
    pixels = source.interlopers.to_pixels(field.dc.geometry.wcs)
    rows, columns = np.indices(shape)
    mask: np.ndarray = pixels.mask(columns.ravel() + x0 + 1, rows.ravel() + y0 + 1).reshape(shape)
    return mask


def _centre(source: Source, given: Any, fields: list[FieldData]) -> SkyCoord:
    from astropy.coordinates import SkyCoord

    if given is None:
        return source.position
    if isinstance(given, SkyCoord):
        return given.icrs
    if given not in ("peak", "centroid"):
        raise RequestError(f"centre={given!r} is not understood.", 'give a SkyCoord, "peak" or "centroid".')
    field = max(fields, key=lambda f: f.longest)
    cutout = _Cutout.of(source, field, source.position, arcminutes(source.radius), "none")
    if given == "peak":
        near = cutout.picture.distances((cutout.x, cutout.y)) <= arcminutes(source.radius)
        x, y = measure.peak(cutout.picture, nominal_psf().scaled(1 / PIXEL_ARCMIN), near)
    else:
        found = measure.centroid(cutout.picture, (cutout.x, cutout.y), arcminutes(source.radius))
        x, y = found.x, found.y
    corner_x, corner_y = (float(v) for v in field.pixels(source.position))
    return field.dc.geometry.sky_to_icrs(corner_x - cutout.x + x + 1, corner_y - cutout.y + y + 1)
