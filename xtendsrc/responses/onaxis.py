"""The area on the optical axis, and how the area elsewhere is carried over to its fine energies by a polynomial."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import Chebyshev

from xtendsrc.errors import CalibrationError, RequestError
from xtendsrc.responses.calfile import check_instrument, find_extension, open_calibration, read_table

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MAX_DEGREE = 10
"""The highest degree that is tried where none is given."""


def on_axis_area(path: str | Path, name: str, instrument: str) -> tuple[Floats, Floats]:
    """Read an on-axis effective area.

    Parameters
    ----------
    path : path
        The file, with an extension in brackets or not.
    name : str
        The extension, if the path names none.
    instrument : str
        INSTRUME that the file must be for.

    Returns
    -------
    energy, area : ndarray
        keV and cm2.

    Raises
    ------
    CalibrationError
        If the file is damaged or of another instrument, or an area is not positive.
    """
    with open_calibration(path) as hdus:
        table = read_table(hdus, find_extension(hdus, path, name), ("ENERGY", "EFFAREA"), path, least_rows=2)
    check_instrument(table.header, path, instrument)
    area = table.floats("EFFAREA")
    if area.min() < 0:
        raise CalibrationError(f"{path}: an effective area of {table.name} is negative.", "give an undamaged file.")
    return table.kev("ENERGY"), area


def fitted_ratio(energy: Floats, ratio: Floats, fine: Floats, degree: int | None) -> tuple[Floats, int]:
    """Fit a polynomial to a ratio of areas and evaluate it at other energies.

    Parameters
    ----------
    energy, ratio : ndarray
        keV, and the ratio of the area to that on axis.
    fine : ndarray
        keV.
    degree : int or None
        Degree, at most one less than there are energies; None takes the one, up to 10, that deviates least (sum of
        squares) from linear interpolation, as the task does.

    Returns
    -------
    values : ndarray
        At `fine`.
    degree : int
        The degree that was used.

    Raises
    ------
    RequestError
        If there are fewer than two energies, or the degree is negative.
    """
    if len(energy) < 2:
        raise RequestError("One photon energy makes no effective area.", "trace rays at two energies or more.")
    if degree is not None and degree < 0:
        raise RequestError(f"A polynomial cannot have degree {degree}.", "give 0 or more, or None.")
    highest = len(energy) - 1
    if degree is None:
        degree = _best_degree(energy, ratio, fine, min(highest, MAX_DEGREE))
    degree = min(degree, highest)
    return _fit(energy, ratio, fine, degree), degree


def _best_degree(energy: Floats, ratio: Floats, fine: Floats, highest: int) -> int:
    """The degree whose polynomial has the smallest sum of squared deviations from linear interpolation."""
    inside = fine[(fine >= energy[0]) & (fine <= energy[-1])]
    linear = np.interp(inside, energy, ratio)
    sums = [float(((_fit(energy, ratio, inside, n) - linear) ** 2).sum()) for n in range(1, highest + 1)]
    return int(np.argmin(sums)) + 1


def _fit(energy: Floats, ratio: Floats, fine: Floats, degree: int) -> Floats:
    """Least squares in Chebyshev form: powers of the energy, as the task has them, lose five digits at degree 10."""
    return np.asarray(Chebyshev.fit(energy, ratio, degree)(fine))
