"""Rates of a source net of background, on identical bins."""

from __future__ import annotations

import numpy as np
from astropy.io import fits

from xtendsrc.errors import DeadTimeError, GridMismatchError
from xtendsrc.measure.poisson import poisson_errors

Curve = dict[str, np.ndarray]


def subtract(source: Curve, background: Curve | None, scale: float, deadc: float = 1.0) -> Curve:
    """Net rates.

    Parameters
    ----------
    source, background : dict of str to ndarray
        ``RATE``, ``ERROR``, ``ERROR_LO``, ``ERROR_HI`` in count/s, and ``TIME`` and ``FRACEXP``, on the same bins.
    scale : float
        Background region to source region, area times exposure.
    deadc : float
        Live fraction by which all rates are divided.

    Returns
    -------
    dict of str to ndarray
        ``TIME``, ``RATE``, ``ERROR``, ``FRACEXP``, ``ERROR_LO``, ``ERROR_HI``; ``SRC_RATE``, ``SRC_ERR``,
        ``BKG_RATE``, ``BKG_ERR``, the background's scaled to the source's area.

    Raises
    ------
    GridMismatchError
        If the bins of source and background differ.
    DeadTimeError
        If the live fraction is not within (0, 1].
    """
    if not 0 < deadc <= 1:
        raise DeadTimeError(f"A live fraction of {deadc} makes no sense.", "check DEADC of the event file.")
    live = {name: np.asarray(source[name], dtype=np.float64) / deadc for name in _RATES}
    factor = scale / deadc
    if background is None:
        other = {name: np.zeros_like(live["RATE"]) for name in _RATES}
    else:
        _same_bins(source, background)
        other = {name: np.asarray(background[name], dtype=np.float64) * factor for name in _RATES}
    return {
        "TIME": np.asarray(source["TIME"], dtype=np.float64),
        "RATE": live["RATE"] - other["RATE"],
        "ERROR": np.hypot(live["ERROR"], other["ERROR"]),
        "FRACEXP": np.asarray(source["FRACEXP"], dtype=np.float64),
        "ERROR_LO": np.hypot(live["ERROR_LO"], other["ERROR_HI"]),
        "ERROR_HI": np.hypot(live["ERROR_HI"], other["ERROR_LO"]),
        "SRC_RATE": live["RATE"],
        "SRC_ERR": live["ERROR"],
        "BKG_RATE": other["RATE"],
        "BKG_ERR": other["ERROR"],
    }


_RATES = ("RATE", "ERROR", "ERROR_LO", "ERROR_HI")


def _same_bins(source: Curve, background: Curve) -> None:
    same = len(source["TIME"]) == len(background["TIME"])
    if not same or not np.allclose(source["TIME"], background["TIME"], rtol=0, atol=1e-6):
        raise GridMismatchError("Source and background curves have different bins.", "make both with the same bins.")
    if not np.allclose(source["FRACEXP"], background["FRACEXP"], rtol=0, atol=1e-5):
        raise GridMismatchError(
            "Source and background curves have different exposures.", "make both from the same good time."
        )


def read_curve(path: str) -> tuple[Curve, fits.Header]:
    """Columns of the extension RATE, ``TIME`` as absolute mission seconds, and its header.

    Without Poisson intervals in the file they are derived from the counts, ``RATE x FRACEXP x TIMEDEL``.
    """
    with fits.open(path, memmap=False) as hdus:
        table, header = hdus["RATE"].data, hdus["RATE"].header.copy()
        curve = {name: np.array(table[name], dtype=np.float64) for name in ("TIME", "RATE", "ERROR", "FRACEXP")}
        curve["TIME"] += float(header.get("TIMEZERO", 0.0))
        if "ERROR_LO" in table.names:
            curve |= {name: np.array(table[name], dtype=np.float64) for name in ("ERROR_LO", "ERROR_HI")}
            return curve, header
    seconds = curve["FRACEXP"] * float(header["TIMEDEL"])
    lower, upper = poisson_errors(np.rint(curve["RATE"] * seconds).astype(np.int64))
    curve["ERROR_LO"], curve["ERROR_HI"] = lower / seconds, upper / seconds
    return curve, header
