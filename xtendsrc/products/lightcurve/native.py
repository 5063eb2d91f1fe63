"""Light curves: count rates in equal bins, corrected for the good time of each bin.

As HEASoft's ``extractor`` measures it: bins start at the first good time of the event file (or at ``start``), a bin
holds the events with ``floor((t - origin) / bin)`` equal to its number, ``RATE`` is counts over the seconds of the
bin inside the good time intervals, ``ERROR`` the square root of the counts over those seconds, ``FRACEXP`` the
exposed part of the bin. A bin is kept if it has exposure and ``FRACEXP >= min_fraction``; for a curve of a source,
``min_fraction`` is instead of the live time that the bin could have reached (`events.deadtime.elapsed`), so that burst
modes, whose FRACEXP is 0.12 at most, have curves. ``TIME`` is the middle of the bin in mission seconds and
``TIMEZERO`` 0, since many readers take no notice of TIMEZERO. Rates are *not* divided by the live fraction: ``DEADC``
is in the header, with ``DEADAPP = F``.

Added after extractor's four columns: ``ERROR_LO`` and ``ERROR_HI``, one-sigma errors that also hold for few and for no
counts (Gehrels 1986, ApJ 303, 336).

Deliberately other than extractor: with ``start``, good time before it is left out (extractor truncates towards zero and
puts the events of up to one bin before it into the first bin); times are the middles of bins, also of partly exposed
ones (with ``lctzero=no`` extractor writes ``start + exposed / 2``); a bin shorter than the frame time is refused, since
its rates would beat with the read-out, and one that is not a multiple of it gives a warning; good time that leaves no
bin is an error instead of an empty table.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import GTIError
from xtendsrc.events.cards import band_cards, write
from xtendsrc.events.deadtime import elapsed, frame_period
from xtendsrc.events.fitsblocks import Column, table_bytes
from xtendsrc.events.gti import GTI
from xtendsrc.measure.lightcurve import bins_over, check_bin, count, count_rates

if TYPE_CHECKING:
    from xtendsrc.engines.native.batch import Batch
    from xtendsrc.engines.protocol import Job, Made
    from xtendsrc.events.eventlist import EventList
    from xtendsrc.events.fitsblocks import CardValues
    from xtendsrc.events.selection import Selection
    from xtendsrc.measure.selection import PlacedRegion, SelectedEvents


def curve_selection(request: Any, events: EventList) -> Selection:
    """Return the selection of a curve: that of its request, its good time clipped to what follows ``start``.

    Without clipping, extractor counts events up to one bin before the start into the first bin (it truncates towards
    zero), and ONTIME would hold time that no bin covers.
    """
    chosen: Selection = request.selection
    own = events.gti if chosen.gti is None else chosen.gti
    if request.start is None or not len(own) or own.start[0] >= request.start:
        return chosen
    after = own & GTI([request.start], [max(float(own.stop[-1]), request.start)])
    if not len(after):
        raise GTIError(
            f"The light curve starts at {request.start} s, after the last good time ({own.stop[-1]} s).",
            "give an earlier start, or none.",
        )
    return replace(chosen, gti=after)


def reachable_time(request: Any, gti: GTI, header: Any) -> GTI | None:
    """Return the good time that ``min_fraction`` of a curve is a part of; None if it is that of the bin (FRACEXP)."""
    return elapsed(gti, header) if request.fraction_of == "reachable" else None


def make_lightcurve(job: Job, batch: Batch) -> Made:
    """Make the FITS file of one `LightCurveRequest`: an empty primary, RATE, GTI and, with a region, REG00101."""
    request: Any = job.request
    events = batch.events(job)
    warnings = check_bin(request.bin, frame_period(events.list.header))
    region = events.region(request.region, request.exclude_calibration)
    selected = events.select(curve_selection(request, events.list))
    origin = float(events.list.gti.start[0]) if request.start is None else request.start
    bins = bins_over(selected.gti, origin, request.bin)
    reachable = reachable_time(request, selected.gti, events.list.header)
    counts = np.sum([count(times, bins) for times in selected.times(region)], axis=0)
    columns = count_rates(counts, selected.gti, bins, request.min_fraction, reachable)
    if not len(columns["TIME"]):
        raise no_bin(request, selected.gti, events.list.paths[0])
    primary = [*selected.short_cards, ("TIMEDEL", request.bin, "[s] bin width")]
    path = batch.path(job)
    columns["TIME"] = columns["TIME"] + (origin + request.bin / 2)
    rate = table_bytes("RATE", _table(columns), _cards(request, selected, region))
    write(path, None, primary, [rate, selected.gti_table, *selected.region_tables(region)])
    return batch.made(path, events, warnings)


def least_share(request: Any) -> list[CardValues]:
    """Keywords for the least exposed part of a bin: MINFREXP of the bin, or MINREACH of its reachable live time."""
    if request.fraction_of == "bin":
        return [("MINFREXP", request.min_fraction, "least FRACEXP of a bin that is kept")]
    return [
        ("MINFREXP", 0.0, "least FRACEXP of a bin that is kept"),
        ("MINREACH", request.min_fraction, "least exposed part of the reachable live time"),
    ]


def no_bin(request: Any, gti: GTI, path: str) -> GTIError:
    """Return the error for a curve none of whose bins is exposed enough."""
    what = "of its reachable live time" if request.fraction_of == "reachable" else "of its length"
    return GTIError(
        f"No bin of {request.bin:g} s of {path} is exposed for {request.min_fraction:g} {what} or more; its "
        f"{gti.total:.1f} s of good time lie in {len(gti)} intervals.",
        "lower min_fraction, or take shorter bins.",
    )


def _table(columns: dict[str, np.ndarray]) -> list[Column]:
    units = {"TIME": "s", "FRACEXP": ""}
    return [
        Column(name, "D" if name == "TIME" else "E", units.get(name, "count/s"), values)
        for name, values in columns.items()
    ]


def timing_cards(header: Any) -> list[CardValues]:
    """Keywords of the OGIP timing standard (OGIP/93-003): its version, units and the precision of the clock.

    Precisions that the event file does not give are those of the mission's requirements.
    """
    return [
        ("HDUVERS", "1.1.0", "version of the format of this extension"),
        ("TIMVERSN", "OGIP/93-003", "OGIP memo of the timing keywords"),
        ("EUNIT", "keV", "unit of E_MIN and E_MAX"),
        ("TIERRELA", header.get("TIERRELA", 1e-8), "[s/s] stability of the clock"),
        ("TIERABSO", header.get("TIERABSO", 1e-3), "[s] precision of absolute times"),
    ]


def _cards(request: Any, selected: SelectedEvents, region: PlacedRegion) -> list[CardValues]:
    return [
        *selected.cards,
        ("HDUCLASS", "OGIP", "format conforms to OGIP standard"),
        ("HDUCLAS1", "LIGHTCURVE", "extension contains a light curve"),
        ("HDUCLAS2", "TOTAL", "source and background"),
        ("HDUCLAS3", "RATE", "count rates"),
        *timing_cards(selected.events.list.header),
        ("TIMEZERO", 0.0, "[s] TIME is absolute, the middle of the bin"),
        ("TIMEDEL", request.bin, "[s] bin width"),
        ("TIMEPIXR", 0.5, "times are the middle of the bin"),
        ("DEADAPP", False, "rates are not corrected for dead time"),
        ("BACKAPP", False, "background is not subtracted"),
        *band_cards(request.selection.channels, "PHALCUT", "PHAHCUT", selected.events.channel_limits),
        ("NPIXSOU", float(region.pixels), "pixels in the region"),
        *least_share(request),
        *region.descriptor_cards,
    ]
