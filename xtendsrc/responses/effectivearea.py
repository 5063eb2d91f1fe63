"""The effective area of a region, assembled from traced rays as HEASoft's ``xaxmaarfgen`` (``ahsxtarfgen``) does."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

from xtendsrc.errors import CalibrationError, InputFileError, RegionError, RequestError, UnitsError
from xtendsrc.responses.arffile import AreaFile, response_grid, write_area
from xtendsrc.responses.calfile import check_instrument, check_mode, open_calibration
from xtendsrc.responses.detectorregion import detector_regions, source_places
from xtendsrc.responses.exposuremap import ExposureBins, read_exposure_map
from xtendsrc.responses.onaxis import fitted_ratio, on_axis_area
from xtendsrc.responses.rayfile import open_rays
from xtendsrc.responses.rays import Rays
from xtendsrc.responses.transmission import Transmission, contamination, quantum_efficiency, transparent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from astropy.coordinates import SkyCoord
    from astropy.units import Quantity
    from numpy.typing import NDArray

    from xtendsrc.regions import RegionSet
    from xtendsrc.responses.calfile import Mode

    Floats = NDArray[np.float64]
    Booleans = NDArray[np.bool_]

OFF_AXIS_TOLERANCE = 0.05
"""Rays and source may differ by this angle, arcmin: the task rounds angles to 0.01."""

FEW_RAYS = 100
"""A warning is given below so many rays an energy, as the task's ``minphoton`` has it."""

log = logging.getLogger("xtendsrc.responses")

RIGHT = (
    "mode=right: each ray is inside the region or not by its own place; every",
    "contamination region counts, at the epoch of the observation.",
)
TASK = ("mode=task: as ahsxtarfgen 6.20 computes, with its known faults.",)


@dataclass(frozen=True, eq=False)
class ARFResult:
    """An effective area that was written.

    Attributes
    ----------
    path : Path
        The file.
    energy_low, energy_high, area : ndarray, (bins,)
        Edges of the energy bins, keV, and the effective area, cm2.
    traced_energy, traced_area, traced_error : ndarray, (energies,)
        The energies of the rays, keV; telescope's area times exposure there, cm2, and its statistical error.
    accepted : ndarray, (energies,)
        Rays (their weights) inside the region.
    region_fraction : float
        Share of the doubly reflected rays that lie in the region.
    degree : int
        Degree of the polynomial through the ratio to the on-axis area.
    mode : {"task", "right"}
        How it was computed.
    """

    path: Path
    energy_low: Floats
    energy_high: Floats
    area: Floats
    traced_energy: Floats
    traced_area: Floats
    traced_error: Floats
    accepted: Floats
    region_fraction: float
    degree: int
    mode: Mode

    def __fspath__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class CalibrationFiles:
    """The calibration files of an effective area.

    Attributes
    ----------
    fine_area, coarse_area : path
        On-axis area of the telescope at fine energies, and at those of the rays.
    quantum_efficiency, contamination : path or None
        None for a transmission of one.
    teldef : path or None
        How the detector lies in the focal plane; needed for a region in RA and Dec.
    """

    fine_area: str | Path
    coarse_area: str | Path
    quantum_efficiency: str | Path | None = None
    contamination: str | Path | None = None
    teldef: str | Path | None = None


def arf(
    *,
    rays: str | Path | Rays,
    exposure_map: str | Path,
    region: str | Path | RegionSet,
    rmf: str | Path,
    fine_area: str | Path,
    coarse_area: str | Path,
    out: str | Path,
    quantum_efficiency: str | Path | None = None,
    contamination: str | Path | None = None,
    teldef: str | Path | None = None,
    region_frame: Literal["DET", "RADEC"] = "RADEC",
    source: SkyCoord | None = None,
    energies: Quantity | None = None,
    degree: int | None = None,
    mode: Mode = "right",
) -> ARFResult:
    """Make the effective area of a region from rays that were traced through the telescope.

    Parameters
    ----------
    rays : path or Rays
        Photon history of ``xrtraytrace``, or rays traced here.
    exposure_map : path
        Unbinned exposure map with its attitude bins and partially exposed pixels.
    region : path or RegionSet
        Where photons are taken from.
    rmf : path
        Redistribution matrix, for its energy bins.
    fine_area, coarse_area : path
        On-axis area of the telescope (``EFFAREAFNE``, ``EFFAREACRS``).
    out : path
        The file to write (OGIP CAL/GEN/92-002); replaced if it exists.
    quantum_efficiency, contamination : path, optional
        Files of the camera; without one its transmission is taken as one.
    teldef : path, optional
        Telescope definition, needed for `region_frame` "RADEC".
    region_frame : {"DET", "RADEC"}
        Coordinates of the region: detector pixels, the same in all attitude bins, or the sky.
    source : SkyCoord, optional
        Position that the rays were traced for; ``right`` makes sure that they were.
    energies : Quantity, optional
        Lowest and highest energy that the area is wanted for; ``right`` makes sure that the rays cover them.
    degree : int, optional
        Degree of the polynomial that smooths the ratio to the on-axis area; by default the best up to 10.
    mode : {"task", "right"}
        ``task`` equals ``ahsxtarfgen`` of HEASoft 6.20 with its faults; ``right`` mends them (see the page on
        responses).

    Returns
    -------
    ARFResult
        With the path, the area, and its statistical error at the energies of the rays.

    Raises
    ------
    InputNotFoundError
        If a file is missing.
    CalibrationError
        If a file is damaged, of another instrument, not valid at the time, or the rays do not belong to the map.
    RegionError
        If no ray falls into the region.
    RequestError
        If degree, energies or frame make no sense.
    """
    mode = check_mode(mode)
    if region_frame not in ("DET", "RADEC"):
        raise RequestError(f"region_frame cannot be {region_frame!r}.", 'choose "DET" or "RADEC".')
    files = CalibrationFiles(fine_area, coarse_area, quantum_efficiency, contamination, teldef)
    bins = read_exposure_map(exposure_map, mode)
    grid, reference = on_axis_area(coarse_area, "EFFAREACRS", _instrument(bins))
    traced = rays if isinstance(rays, Rays) else open_rays(rays, grid, bins.repeats, mode)
    _check_instruments(traced, bins, files, rmf)
    _check_rays(traced, bins, files, source, mode)
    _check_energies(traced, grid, energies, mode)
    landed = _landed(traced, bins, files, region, region_frame, mode)
    coarse = _traced_area(landed)
    return _assembled(landed, coarse, np.interp(traced.energy, grid, reference), files, (Path(out), rmf), degree, mode)


@dataclass(frozen=True, eq=False)
class _Landed:
    """Rays on the detector, and which of them the region accepts."""

    rays: Rays
    bins: ExposureBins
    ix: NDArray[np.int64]
    iy: NDArray[np.int64]
    accepted: Booleans
    efficiency: Transmission | None


def _instrument(bins: ExposureBins) -> str:
    return str(bins.header.get("INSTRUME", "XTEND")).strip()


def _landed(
    rays: Rays, bins: ExposureBins, files: CalibrationFiles, region: str | Path | RegionSet, frame: str, mode: Mode
) -> _Landed:
    detx, dety = bins.on_detector(rays)
    ix, iy, usable = bins.pixels(detx, dety)
    fine, _ = on_axis_area(files.fine_area, "EFFAREAFNE", _instrument(bins))
    efficiency = None
    if files.quantum_efficiency is not None:
        efficiency = quantum_efficiency(files.quantum_efficiency, fine, rays.instrument, mode)
        usable &= efficiency.part(ix, iy) >= 0
    inside = np.zeros(len(detx), bool)
    for pointing, shapes in enumerate(detector_regions(region, frame, bins, files.teldef, mode)):
        here = usable & (rays.pointing == pointing)
        inside[here] = shapes.mask(detx[here], dety[here])
    accepted = _once_hit(inside, usable, ix * bins.size + iy) if mode == "task" else inside
    if not accepted.any():
        raise RegionError(
            f"No ray of {rays.name} falls into the region on the detector.",
            "check that region, source and exposure map belong together.",
        )
    return _Landed(rays, bins, ix, iy, accepted, efficiency)


def _once_hit(inside: Booleans, usable: Booleans, pixel: NDArray[np.int64]) -> Booleans:
    """The task's acceptance: all rays in a pixel after the first one that is inside the region."""
    first = np.full(int(pixel.max()) + 1, len(pixel))
    order = np.flatnonzero(inside)[::-1]
    first[pixel[order]] = order
    return usable & (np.arange(len(pixel)) >= first[pixel])


def _traced_area(landed: _Landed) -> tuple[Floats, Floats, Floats]:
    """Area of telescope times exposure at the energies of the rays, its error, and the number of rays in it."""
    rays, bins = landed.rays, landed.bins
    exposure = bins.exposure_of(rays.pointing, landed.ix, landed.iy)
    factor = rays.area * bins.fraction * np.cos(np.radians(rays.off_axis / 60)) / rays.injected
    counts = rays.summed(landed.accepted, np.ones(len(exposure))).sum(axis=1)
    if rays.replicate is not None:
        number = int(rays.replicate.max()) + 1
        masks = [landed.accepted & (rays.replicate == i) for i in range(number)]
        parts = np.stack([(factor * rays.summed(mask, exposure)).sum(axis=1) for mask in masks])
        return parts.sum(axis=0), parts.std(axis=0, ddof=1) * np.sqrt(number), counts
    area = (factor * rays.summed(landed.accepted, exposure)).sum(axis=1)
    squares = rays if rays.weight.ndim == 1 else _squared(rays)
    variance = (factor**2 * squares.summed(landed.accepted, exposure**2)).sum(axis=1)
    return area, np.sqrt(variance), counts


def _squared(rays: Rays) -> Rays:
    return replace(rays, weight=np.asarray(rays.weight, float) ** 2)


def _assembled(
    landed: _Landed,
    coarse: tuple[Floats, Floats, Floats],
    reference: Floats,
    files: CalibrationFiles,
    names: tuple[Path, str | Path],
    degree: int | None,
    mode: Mode,
) -> ARFResult:
    rays = landed.rays
    area, error, counts = coarse
    if (reference <= 0).any():
        raise CalibrationError(f"{files.coarse_area}: the on-axis area is zero at an energy of the rays.", "check it.")
    fine, fine_area = on_axis_area(files.fine_area, "EFFAREAFNE", rays.instrument)
    ratio, degree = fitted_ratio(rays.energy, area / reference, fine, degree)
    total = fine_area * ratio * _mean_transmission(landed, fine, files, mode)
    low, high = response_grid(names[1])
    centre = (low + high) / 2
    inside = (centre >= rays.energy[0]) & (centre <= rays.energy[-1])
    result = ARFResult(
        path=names[0],
        energy_low=low,
        energy_high=high,
        area=np.where(inside, np.interp(centre, fine, total), 0.0),
        traced_energy=rays.energy,
        traced_area=area,
        traced_error=error,
        accepted=counts,
        region_fraction=float(rays.total[landed.accepted].sum() / rays.total.sum()),
        degree=degree,
        mode=mode,
    )
    write_area(_file(result, landed, files))
    if counts.min() < FEW_RAYS:
        log.warning("%s: only %.0f rays of one energy fall into the region.", result.path, counts.min())
    return result


def _mean_transmission(landed: _Landed, fine: Floats, files: CalibrationFiles, mode: Mode) -> Floats:
    """Transmission averaged over the accepted rays: efficiency and filter times contamination."""
    rays, bins = landed.rays, landed.bins
    chosen = landed.accepted
    ix, iy, weight = landed.ix[chosen], landed.iy[chosen], rays.total[chosen]
    efficiency = landed.efficiency or transparent(fine)
    if files.contamination is None:
        return efficiency.mean(ix, iy, weight)
    layer = contamination(files.contamination, fine, rays.instrument, bins.time, mode)
    if (layer.part(ix, iy) < 0).any():
        raise CalibrationError(
            f"{files.contamination} has no region for a detector pixel of the source region.", "give a whole file."
        )
    return efficiency.mean(ix, iy, weight) * layer.mean(ix, iy, weight)


def _check_instruments(rays: Rays, bins: ExposureBins, files: CalibrationFiles, rmf: str | Path) -> None:
    """Rays, matrix and telescope definition are of the instrument of the exposure map, where they name one."""
    instrument = _instrument(bins)
    check_instrument({"INSTRUME": rays.instrument}, rays.name, instrument)
    for path in (rmf, files.teldef):
        if path is None:
            continue
        with open_calibration(path) as hdus:
            headers = [hdu.header for hdu in hdus if "INSTRUME" in hdu.header]
        for header in headers[:1]:
            check_instrument(header, path, instrument)


def _check_rays(rays: Rays, bins: ExposureBins, files: CalibrationFiles, source: SkyCoord | None, mode: Mode) -> None:
    if rays.injected.shape[1] != len(bins.fraction):
        raise InputFileError(
            f"{rays.name} was traced in {rays.injected.shape[1]} attitude bins; {bins.path} has {len(bins.fraction)}.",
            "trace the rays with this exposure map.",
        )
    if mode == "task" or source is None or files.teldef is None:
        return
    angles = bins.off_axis(*source_places(source, bins, files.teldef))
    worst = int(np.abs(angles - rays.off_axis).argmax())
    if abs(angles[worst] - rays.off_axis[worst]) > OFF_AXIS_TOLERANCE:
        raise InputFileError(
            f"{rays.name} was traced {rays.off_axis[worst]:.2f}' off axis; the source is at {angles[worst]:.2f}'.",
            "trace the rays for this source.",
        )


def _check_energies(rays: Rays, grid: Floats, energies: Quantity | Sequence[Quantity] | None, mode: Mode) -> None:
    if energies is None:
        return
    try:
        low, high = (float(e) for e in u.Quantity(energies).to_value(u.keV))
    except (u.UnitConversionError, TypeError, ValueError) as err:
        raise UnitsError(f"energies must be two energies, not {energies!r}.", "such as (0.4, 12) * u.keV.") from err
    if not 0 < low < high:
        raise RequestError(f"energies cannot be {low:g} to {high:g} keV.", "give the lower one first.")
    wanted = grid[(grid >= low) & (grid <= high)]
    if mode == "right" and len(wanted) and (rays.energy[0] > wanted[0] or rays.energy[-1] < wanted[-1]):
        raise RequestError(
            f"{rays.name} covers {rays.energy[0]:g}-{rays.energy[-1]:g} keV, not {low:g}-{high:g} keV.",
            "trace more energies, or ask for fewer.",
        )


def _file(result: ARFResult, landed: _Landed, files: CalibrationFiles) -> AreaFile:
    rays, bins = landed.rays, landed.bins
    used = {
        "qe": files.quantum_efficiency,
        "contamination": files.contamination,
        "fine on-axis area": files.fine_area,
        "coarse on-axis area": files.coarse_area,
    }
    history = [f"{name}: {Path(path).name if path else 'none'}" for name, path in used.items()]
    history.append(f"{result.accepted.min():.0f} to {result.accepted.max():.0f} rays an energy in the region")
    history.append(f"polynomial of degree {result.degree}")
    history.extend(RIGHT if result.mode == "right" else TASK)
    return AreaFile(
        path=result.path,
        energy_low=result.energy_low,
        energy_high=result.energy_high,
        area=result.area,
        telescope=rays.telescope,
        instrument=rays.instrument,
        detector=str(bins.header.get("DETNAM", "")).strip(),
        keywords={
            "GEOMAREA": (rays.area, "[cm2] aperture of the telescope"),
            "OBSTIME": (bins.time, "[s] start of the observation"),
            "EXMAPNAM": (bins.path.name, "exposure map"),
            "RTEVFILE": (rays.name, "traced rays"),
            "PSFFRAC": (result.region_fraction, "doubly reflected rays in the region"),
        },
        history=tuple(history),
    )
