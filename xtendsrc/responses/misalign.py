"""How the foils of a telescope are turned and shifted from where they were designed to stand.

The order of the steps is that of the telescope description: tilt about an axis parallel to the lower edge of the foil,
twist about an axis parallel to the optical axis, shifts of sector, segment and housing, rotations of the segment about
x, y and z. Tilt and twist are in arcsec, rotations of segments in arcmin, shifts in mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from xtendsrc.errors import CalibrationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xtendsrc.responses.calfile import CalibrationTable
    from xtendsrc.responses.mirror import Foils

ARCSEC = np.deg2rad(1 / 3600)
ARCMIN = np.deg2rad(1 / 60)
PIVOT_KEYWORDS = ("TLTPVPCL", "TLTPVPRI", "TLTPVSEC")
HOUSING_KEYWORDS = ("PC", "PR", "SR")


@dataclass(frozen=True, eq=False)
class Alignment:
    """Where foils stand: a point p of the design is at ``turn @ p + shift``.

    Attributes
    ----------
    turn : ndarray, shape (3, 3, foils)
        Rotation matrices.
    shift : ndarray, shape (3, foils)
        Shifts, mm.
    """

    turn: NDArray[np.float64]
    shift: NDArray[np.float64]

    def to_foil(
        self, foil: NDArray[np.int64], position: NDArray[np.float64], direction: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return positions and directions, both (3, n), in the frames of the foils' designs."""
        turn = self.turn[:, :, foil]
        return (
            np.einsum("jin,jn->in", turn, position - self.shift[:, foil]),
            np.einsum("jin,jn->in", turn, direction),
        )

    def to_telescope(self, foil: NDArray[np.int64], direction: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return directions given in the frames of foils, (3, n), in the frame of the telescope."""
        return np.asarray(np.einsum("ijn,jn->in", self.turn[:, :, foil], direction))


def foil_alignment(
    foils: Foils,
    middle: NDArray[np.float64],
    columns: dict[str, NDArray[np.float64]],
    tables: list[CalibrationTable],
    segments: CalibrationTable,
) -> Alignment | None:
    """Alignment of every foil, None if all stand as designed.

    Parameters
    ----------
    foils : Foils
        The foils as designed.
    middle : ndarray
        Azimuth of the middle of each foil, radian.
    columns : dict
        SECTORSHIFT (mm), SYSTILT and SYSTWIST (arcsec) of each foil.
    tables : list of CalibrationTable
        COLLIMATOR (if there is one) and MIRROR, whose keywords give pivots and shifts of the housings.
    segments : CalibrationTable
        SEGMENT.
    """
    moved, turned = _segment_motion(foils, segments)
    housing = housing_shifts(tables)[:, foils.layer]
    if not any(np.any(a) for a in (*columns.values(), moved, turned, housing)):
        return None
    pivot = _pivot(foils, middle, tables)
    around = Rotation.from_rotvec(np.outer(middle, [0, 0, 1]))
    tilt = Rotation.from_rotvec(-np.outer(columns["SYSTILT"] * ARCSEC, [0, 1, 0]))
    twist = Rotation.from_rotvec(-np.outer(columns["SYSTWIST"] * ARCSEC, [0, 0, 1]))
    own = around * twist * tilt * around.inv()
    segment = Rotation.from_euler("xyz", turned.T)
    shift = pivot - own.apply(pivot)
    shift += columns["SECTORSHIFT"][:, None] * np.stack([np.cos(middle), np.sin(middle), 0 * middle], axis=1)
    shift += moved.T
    shift[:, :2] += housing.T
    centre = np.array([0.0, 0.0, float(tables[-1].keyword("FOCALLEN"))])
    shift = segment.apply(shift - centre) + centre
    return Alignment(np.moveaxis((segment * own).as_matrix(), 0, -1), shift.T)


def _pivot(foils: Foils, middle: NDArray[np.float64], tables: list[CalibrationTable]) -> NDArray[np.float64]:
    """Point of each foil through which the axes of tilt and twist go, (foils, 3)."""
    by_name = {t.name: t for t in tables}
    fractions = np.zeros(3)
    for number, keyword in enumerate(PIVOT_KEYWORDS):
        table = by_name.get("COLLIMATOR" if number == 0 else "MIRROR")
        if table is not None:
            fractions[number] = float(table.keyword(keyword))
    height = fractions[foils.layer] * (foils.top - foils.bottom)
    radius = foils.radius.mean(axis=0) + foils.slope[1] * height
    return np.stack([radius * np.cos(middle), radius * np.sin(middle), foils.bottom + height], axis=1)


def housing_shifts(tables: list[CalibrationTable]) -> NDArray[np.float64]:
    """Shifts in x and y (mm) of the housings of collimator, primary and secondary against the first of them, (2, 3)."""
    by_name = {t.name: t for t in tables}
    shifts = np.zeros((2, 3))
    for number, code in enumerate(HOUSING_KEYWORDS):
        table = by_name.get("COLLIMATOR" if number == 0 else "MIRROR")
        if table is not None:
            shifts[:, number] = [float(table.keyword(f"H{axis}{code}SHFT")) for axis in "XY"]
    first = 0 if "COLLIMATOR" in by_name else 1
    shifts -= shifts[:, [first]]
    if first:
        shifts[:, 0] = 0.0
    return shifts


def _segment_motion(foils: Foils, segments: CalibrationTable) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shifts (mm) and rotations (radian) of the segment of each foil, both (3, foils)."""
    component = segments.columns["COMPONENT"].astype(np.int64) - 1
    number = segments.columns["SEGMENT"].astype(np.int64)
    values = np.stack([segments.floats(f"DELTA{axis}") for axis in ("X", "Y", "Z", "TX", "TY", "TZ")])
    table = {(int(c), int(n)): values[:, i] for i, (c, n) in enumerate(zip(component, number, strict=True))}
    missing = {(int(c), int(n)) for c, n in zip(foils.layer, foils.segment, strict=True)} - set(table)
    if missing:
        layer, segment = min(missing)
        raise CalibrationError(
            f"{segments.path}: SEGMENT has no row for segment {segment} of component {layer + 1}.",
            "take the telescope description from the calibration database again (`xtendsrc caldb fetch`).",
        )
    motion = np.stack([table[int(c), int(n)] for c, n in zip(foils.layer, foils.segment, strict=True)], axis=1)
    return motion[:3], motion[3:] * ARCMIN
