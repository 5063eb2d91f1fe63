"""Counts spectra on all channels, with the weighted map of their events in detector coordinates.

The weighted map (WMAP) is the primary HDU: counts on the DET grid in bins of 8 x 8 pixels, cut out around the
region, and -1 in bins whose centre lies outside it. Response generators weight the detector with it. The region
is given on the sky; its place on the detector is found as HEASoft's ``extractor`` finds it: by the rotation and
shift between SKY and DET that fit the positions of the region's events best (all of them, whatever their time).
With fewer than two distinct positions to fit, the geometry of the header is used instead. Events in bins marked
-1 are in the spectrum but not in the map. For a region in detector coordinates no bin with counts is marked. Without a
region the map is cut out around its counts, and empty bins are 0.

``BACKSCAL`` is geometric: pixel centres in the region over the pixels of the SKY (or DET) grid. ``EXPOSURE`` is
the good time multiplied with the live fraction.

Deliberately other than extractor: a region wholly outside the grid is an error (extractor: no counts, BACKSCAL 1);
a spectrum takes no energy cut, since its channels must be those of the response; a PI column without TLMIN and
TLMAX is refused (extractor numbers the channels from 1); a region so small that it holds no centre of a map bin
marks the bins of its events (extractor leaves the map out).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.events.cards import (
    axis_cards,
    column_axes,
    content_cards,
    physical_cards,
    write,
)
from xtendsrc.events.fitsblocks import Column, table_bytes
from xtendsrc.measure.grid import COLUMNS, Grid, count_blocks, flat_index
from xtendsrc.measure.weightedmap import (
    Rotation,
    WeightedMap,
    fit_rotation_blocks,
    histogram,
    weighted_map,
    whole_map,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xtendsrc.engines.native.batch import Batch
    from xtendsrc.engines.protocol import Job, Made
    from xtendsrc.events.eventlist import EventList
    from xtendsrc.events.fitsblocks import CardValues
    from xtendsrc.measure.selection import EventMasks, PlacedRegion, SelectedEvents

WMAP_BINNING = 8


def make_spectrum(job: Job, batch: Batch) -> Made:
    """Make the FITS file of one `SpectrumRequest`: WMAP, SPECTRUM, GTI and, with a region, REG00101."""
    request: Any = job.request
    events = batch.events(job)
    region = events.region(request.region, request.exclude_calibration)
    selected = events.select(request.selection)
    limits = events.list.limits("PI")
    counts = np.zeros(limits[1] - limits[0] + 1, np.int32)
    number = 0
    for (pi,) in selected.columns(["PI"], region):
        counts += histogram(pi, limits)
        number += pi.size
    wmap, rotation = _map(selected, region)
    channels = np.arange(limits[0], limits[1] + 1)
    columns = [Column("CHANNEL", "J", "", channels), Column("COUNTS", "J", "count", counts)]
    spectrum = table_bytes("SPECTRUM", columns, _spectrum_cards(selected, region, limits, number))
    path = batch.path(job)
    cards = _map_cards(selected, region, wmap, rotation, number)
    write(path, wmap.data, cards, [spectrum, selected.gti_table, *selected.region_tables(region)])
    return batch.made(path, events)


def _map(selected: SelectedEvents, region: PlacedRegion) -> tuple[WeightedMap, Rotation | None]:
    """The weighted map of the selected events, and how the region was brought onto the detector."""
    events = selected.events
    grid = Grid(events.list.limits("DETX"), events.list.limits("DETY"), WMAP_BINNING)
    places = selected.columns(COLUMNS["DET"], region)
    counts = count_blocks((flat_index(detx, dety, grid) for detx, dety in places), grid.shape)
    if region.pixel_region is None:
        return whole_map(counts), None
    ny, nx = grid.shape
    half = (WMAP_BINNING - 1) / 2
    u = grid.x[0] + WMAP_BINNING * np.arange(nx) + half
    v = grid.y[0] + WMAP_BINNING * np.arange(ny) + half
    u, v = (a.ravel() for a in np.meshgrid(u, v))
    rotation = None
    if region.frame == "SKY":
        rotation = _rotation(events, region, grid)
        u, v = rotation.to_sky(u, v)
    inside = region.pixel_region.mask(u, v).reshape(grid.shape)
    if region.frame == "DET":
        inside |= counts > 0
    if not inside.any():
        inside = _touched(events, region, grid, rotation)
    return weighted_map(counts, inside), rotation


def _rotation(events: EventMasks, region: PlacedRegion, grid: Grid) -> Rotation:
    def positions() -> Iterator[list[np.ndarray]]:
        for columns in events.columns((*COLUMNS["SKY"], *COLUMNS["DET"]), region):
            detx, dety = columns[2:]
            placed = (detx >= grid.x[0]) & (detx <= grid.x[1]) & (dety >= grid.y[0]) & (dety <= grid.y[1])
            yield [column[placed] for column in columns]

    centre = (sum(grid.x) / 2, sum(grid.y) / 2)
    fitted = fit_rotation_blocks(positions, centre)
    if fitted is not None:
        return fitted
    geometry = events.geometry
    x, y = geometry.det_to_sky(*centre)
    along_x, along_y = geometry.det_to_sky(centre[0] + 100, centre[1])
    return Rotation((float(x), float(y)), centre, float(np.arctan2(y - along_y, along_x - x)))


def _touched(events: EventMasks, region: PlacedRegion, grid: Grid, rotation: Rotation | None) -> np.ndarray:
    """Map bins of a region too small to hold the centre of one: those its events are in, else that of its middle."""
    places = events.columns(COLUMNS["DET"], region)
    marked = count_blocks((flat_index(detx, dety, grid) for detx, dety in places), grid.shape) > 0
    if marked.any():
        return marked
    if region.pixel_region is None:
        raise AssertionError("the whole field touches every bin")
    x, y = region.pixel_region.centre
    if rotation is not None:
        back = Rotation(rotation.det, rotation.sky, -rotation.angle)
        x, y = (float(a) for a in back.to_sky(np.asarray(x), np.asarray(y)))
    column = np.clip((round(x) - grid.x[0]) // grid.binning, 0, grid.shape[1] - 1)
    row = np.clip((round(y) - grid.y[0]) // grid.binning, 0, grid.shape[0] - 1)
    marked[row, column] = True
    return marked


def _spectrum_cards(
    selected: SelectedEvents, region: PlacedRegion, limits: tuple[int, int], number: int
) -> list[CardValues]:
    """Keywords of the SPECTRUM extension (OGIP/92-007); GROUPING and QUALITY stand for columns that are not there."""
    return [
        *selected.cards,
        ("HDUCLASS", "OGIP", "format conforms to OGIP standard"),
        ("HDUCLAS1", "SPECTRUM", "PHA dataset (OGIP memo OGIP-92-007)"),
        ("HDUCLAS2", "TOTAL", "source and background"),
        ("HDUCLAS3", "COUNT", "counts, not count rates"),
        ("HDUVERS", "1.2.0", "version of format"),
        ("HDUVERS1", "1.2.0", "obsolete, for old readers"),
        ("TLMIN1", limits[0], "lowest legal channel"),
        ("TLMAX1", limits[1], "highest legal channel"),
        ("FILTER", selected.events.list.header.get("FILTER", "NONE"), "filter in use"),
        ("AREASCAL", 1.0, "area scaling factor"),
        ("BACKFILE", "none", "background spectrum"),
        ("BACKSCAL", region.backscal, "region over the whole grid, in pixels"),
        ("CORRFILE", "none", "correction file"),
        ("CORRSCAL", 1.0, "scaling of the correction file"),
        ("RESPFILE", "none", "redistribution matrix"),
        ("ANCRFILE", "none", "effective area"),
        ("PHAVERSN", "1992a", "obsolete, for old readers"),
        ("DETCHANS", limits[1] - limits[0] + 1, "number of channels"),
        ("CHANTYPE", "PI", "type of channel"),
        ("POISSERR", True, "errors are Poissonian"),
        ("STAT_ERR", 0, "no statistical errors given"),
        ("SYS_ERR", 0, "no systematic errors given"),
        ("GROUPING", 0, "channels are not grouped"),
        ("QUALITY", 0, "all channels are good"),
        ("TOTCTS", number, "events selected, of any PI"),
        ("SPECDELT", 1, "binning of channels"),
        ("SPECPIX", 0, "channel of SPECVAL"),
        ("SPECVAL", 0.0, "original channel of SPECPIX"),
        *region.descriptor_cards,
    ]


def _map_cards(
    selected: SelectedEvents, region: PlacedRegion, wmap: WeightedMap, rotation: Rotation | None, number: int
) -> list[CardValues]:
    """Keywords of the weighted map (OGIP/96-001)."""
    events = selected.events.list
    corner = [
        events.limits(name)[0] + WMAP_BINNING * (i - 1) for name, i in zip(COLUMNS["DET"], wmap.first, strict=True)
    ]
    cards: list[CardValues] = [
        *selected.cards,
        *content_cards("SPECTRUM"),
        ("HDUCLAS2", "WMAP", "extension contains a weighted map"),
        ("HDUVERS", "2.0.0", "version of format (OGIP memo OGIP-96-001)"),
        ("HDUNAME", "WMAP", ""),
        ("AXLEN1", wmap.data.shape[1], "length of axis 1"),
        ("AXLEN2", wmap.data.shape[0], "length of axis 2"),
        ("WMREBIN", WMAP_BINNING, "DET pixels a side of a map bin"),
        ("OBS-MODE", -10, "observing mode, not known"),
        ("NPIXSOU", float(region.pixels), "pixels in the region"),
        ("SKYBIN", 1, "image binning of NPIXSOU"),
        ("PIXSIZE", abs(float(events.wcs("SKY").wcs.cdelt[1])), "[deg] size of these pixels"),
        ("WMAPFIX", region.pixel_region is not None, "bins outside the region are -1"),
        *region.descriptor_cards,
    ]
    for n, (axis, start) in enumerate(zip(column_axes(events, "DET", COLUMNS["DET"]), corner, strict=True), 1):
        cards += axis_cards(n, axis, start, WMAP_BINNING)
    cards += physical_cards(COLUMNS["DET"], (corner[0], corner[1]), WMAP_BINNING)
    cards += [
        ("OPTIC1", -999.0, "optical axis, not known"),
        ("OPTIC2", -999.0, "optical axis, not known"),
        ("BBOX1", wmap.first[0], "first bin of the whole map in x"),
        ("BBOX2", wmap.first[1], "first bin of the whole map in y"),
        ("HBBOX1", events.limits("DETX")[0], "first DETX of the whole map"),
        ("HBBOX2", events.limits("DETY")[0], "first DETY of the whole map"),
        ("X-OFFSET", wmap.first[0], "first bin of the whole map in x"),
        ("Y-OFFSET", wmap.first[1], "first bin of the whole map in y"),
        ("TOTCTS", number, "events selected"),
    ]
    return cards + _rotation_cards(rotation) + _reference_cards(events, region.frame)


def _rotation_cards(rotation: Rotation | None) -> list[CardValues]:
    """How SKY follows from DET."""
    if rotation is None:
        return []
    return [
        ("EXTXF0", rotation.sky[0], "X of the middle of DET"),
        ("EXTYF0", rotation.sky[1], "Y of the middle of DET"),
        ("EXTXH0", rotation.det[0], "DETX of the middle of DET"),
        ("EXTYH0", rotation.det[1], "DETY of the middle of DET"),
        ("EXTXSIGN", 1.0, "orientation in x"),
        ("EXTYSIGN", 1.0, "orientation in y"),
        ("EXTTHETA", rotation.angle, "[rad] rotation"),
    ]


def _reference_cards(events: EventList, frame: str) -> list[CardValues]:
    """The grid the region was given on."""
    return [
        card
        for letter, axis in zip("XY", column_axes(events, frame, COLUMNS[frame]), strict=True)
        for card in (
            (f"REF{letter}CTYP", axis.ctype, "projection or name of the region's grid"),
            (f"REF{letter}CRPX", axis.crpix, "its reference pixel"),
            (f"REF{letter}CRVL", axis.crval, "coordinate of the reference pixel"),
            (f"REF{letter}CDLT", axis.cdelt, "its pixel size"),
        )
    ]
