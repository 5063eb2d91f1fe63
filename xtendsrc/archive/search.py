"""Which observations there are: HEASARC's master table, cut around a position."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from xtendsrc.archive.endpoints import Endpoints
from xtendsrc.archive.mastertable import master_table
from xtendsrc.archive.observation_table import ObservationTable
from xtendsrc.archive.resolve import resolve
from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.units import Quantity

RADIUS = 35.0
"""arcmin; half the diagonal of the field (27') and the 8' of the optical axis from its centre."""


def search(
    target: str | SkyCoord | None = None,
    radius: Quantity | None = None,
    *,
    public: bool | None = True,
    offline: bool = False,
    max_age: Quantity | None = None,
    endpoints: Endpoints | None = None,
) -> ObservationTable:
    """Find XRISM observations near a target, or all of them.

    The whole master table of HEASARC is asked for at once and kept on disk, so that many targets cost one query;
    the cut around a target is made here.

    Parameters
    ----------
    target : str or SkyCoord, optional
        A name that a resolver knows, or one position; every observation if not given.
    radius : Quantity, optional
        Largest angle between the target and a pointing; 35 arcmin if not given.
    public : bool or None
        True for public observations only, False for those that are not public yet, None for both.
    offline : bool
        Ask nothing of the network: use the table and the names that are kept on disk, whatever their age.
    max_age : Quantity, optional
        Age up to which the table kept on disk is used; one day if not given, 0 to ask anew.
    endpoints : Endpoints, optional
        Where the archive is, if not at HEASARC.

    Returns
    -------
    ObservationTable
        In the order of the angle from the target; empty if nothing is near.

    Raises
    ------
    ArchiveError
        If the name cannot be resolved, or HEASARC cannot be reached and no table is kept.
    UnitsError
        If the radius has no unit of angle.

    Examples
    --------
    >>> import astropy.units as u
    >>> table = xs.archive.search("LMC N132D", radius=20 * u.arcmin)  # doctest: +SKIP
    >>> table.filter(exposure=50 * u.ks, dataclass="311*")  # doctest: +SKIP
    """
    from astropy.coordinates import SkyCoord

    from xtendsrc.events.quantities import arcminutes

    limit = RADIUS if radius is None else arcminutes(radius)
    if not limit > 0:
        raise RequestError(f"The search radius {radius} is not positive.", "give for example 35 * u.arcmin.")
    position = resolve(target, offline=offline) if isinstance(target, str) else target
    if position is not None and not isinstance(position, SkyCoord):
        raise RequestError(f"{target!r} is neither a name nor a SkyCoord.", 'give SkyCoord(ra, dec, unit="deg").')
    if position is not None and not position.isscalar:
        raise RequestError("The target is a list of positions.", "search for one position at a time, or for none.")
    rows = master_table(endpoints or Endpoints.default(), offline=offline, max_age=_span(max_age))
    table = ObservationTable(rows)
    if position is not None:
        table = table.around(position, limit)
    return table if public is None else table.filter(public=public)


def _span(max_age: Quantity | None) -> timedelta:
    import astropy.units as u

    if max_age is None:
        return timedelta(days=1)
    try:
        seconds = float(u.Quantity(max_age).to_value(u.s)) if max_age != 0 else 0.0
    except (u.UnitConversionError, TypeError, ValueError) as error:
        raise RequestError(f"max_age={max_age} is not a time.", "give for example 1 * u.day.") from error
    return timedelta(seconds=seconds)
