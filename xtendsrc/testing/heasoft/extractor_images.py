"""The image and the weighted map of the extractor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import evfile, fitsfile
from .extractor_events import Selected, base_header, nearest, support

if TYPE_CHECKING:
    from .fitsfile import HDU, Header
    from .parfile import Parameters


def count_pixels(x: np.ndarray, y: np.ndarray, low: tuple[int, int], size: tuple[int, int], binning: int) -> np.ndarray:
    """Count events one by one into an image of ``size`` (nx, ny) pixels; others are dropped."""
    counts = np.zeros((size[1], size[0]), np.int32)
    columns = np.floor((nearest(x) - low[0]) / binning).astype(int).tolist()
    lines = np.floor((nearest(y) - low[1]) / binning).astype(int).tolist()
    for column, line in zip(columns, lines, strict=True):
        if 0 <= column < size[0] and 0 <= line < size[1]:
            counts[line, column] += 1
    return counts


def region_pixels(selected: Selected, xcol: str, ycol: str) -> int:
    """Count the integer pixel centres of the whole plane that are inside the region, line by line."""
    assert selected.region is not None
    (x1, x2), (y1, y2) = evfile.limits(selected.events, xcol), evfile.limits(selected.events, ycol)
    x = np.arange(x1, x2 + 1, dtype=float)
    found = 0
    for start in range(y1, y2 + 1, 64):
        y = np.arange(start, min(start + 64, y2 + 1), dtype=float)[:, None]
        found += int(selected.region.inside(np.broadcast_to(x, (len(y), len(x))), y).sum())
    return found


def image(selected: Selected, pars: Parameters) -> list[HDU]:
    """Make the counts image with its keywords, GTI and region."""
    names = (pars.text("xcolf"), pars.text("ycolf"))
    binning = pars.integer("binf")
    ranges = [evfile.limits(selected.events, name) for name in names]
    low = (ranges[0][0], ranges[1][0])
    size = tuple((high - start + 1) // binning for start, high in ranges)
    counts = count_pixels(selected.columns["x"], selected.columns["y"], low, (size[0], size[1]), binning)
    header = base_header(selected)
    header.set("HDUCLASS", "ogip")
    header.set("HDUCLAS1", "IMAGE")
    header.set("CONTENT", "IMAGE")
    if not pars.flag("fullimage") and selected.region is not None:
        counts, low = _cropped(selected, counts, low, binning)
    header.set("IMGBIN", binning, "Image binning factor")
    add_wcs(header, selected.events, names, low, binning)
    header.set("TOTCTS", selected.count, "Total pixel count")  # also those beside the image
    add_channels(header, selected, pars.text("ecol"), ("CHANMIN", "CHANMAX"))
    if "CHANMIN" in header:
        header.set("CHANTYPE", pars.text("ecol"), "Energy channel name")
    header.note("HISTORY", "stand-in for extractor v5.31")
    return [fitsfile.image(counts, header), *support(selected, pars)]


def _cropped(
    selected: Selected, counts: np.ndarray, low: tuple[int, int], binning: int
) -> tuple[np.ndarray, tuple[int, int]]:
    assert selected.region is not None
    lines, columns = np.indices(counts.shape)
    middle = (binning - 1) / 2
    x = np.asarray(low[0] + columns * binning + middle)
    y = np.asarray(low[1] + lines * binning + middle)
    inside = selected.region.inside(x, y)
    if not inside.any():
        return counts, low
    j, i = np.nonzero(inside)
    cut = counts[j.min() : j.max() + 1, i.min() : i.max() + 1]
    return cut, (int(low[0] + i.min() * binning), int(low[1] + j.min() * binning))


def add_channels(header: Header, selected: Selected, column: str, keys: tuple[str, str]) -> None:
    """Set the channel limits that the name's filter gave; a light curve without one gets the legal channels."""
    ranges = selected.filters.get(column.upper())
    number = selected.events.column_number(column)
    legal = [selected.header.get(f"{key}{number}") for key in ("TLMIN", "TLMAX")]
    if not ranges and keys[0] == "PHALCUT" and None not in legal:
        ranges = [(legal[0], legal[1])]
    if ranges:
        header.set(keys[0], int(min(low for low, _ in ranges)), f"Low {column} channel")
        header.set(keys[1], int(max(high for _, high in ranges)), f"High {column} channel")


def add_wcs(header: Header, events: HDU, names: tuple[str, str], low: tuple[int, int], binning: int) -> None:
    """Set the world coordinates of a binned image and those of its physical pixels."""
    source = events.header
    numbers = [events.column_number(name) for name in names]
    celestial = "TAN" in str(source.get(f"TCTYP{numbers[0]}", ""))
    for axis, (number, name, first) in enumerate(zip(numbers, names, low, strict=True), 1):
        crpix = float(source.get(f"TCRPX{number}", 0) or 0)
        crval = float(source.get(f"TCRVL{number}", 0) or 0)
        cdelt = float(source.get(f"TCDLT{number}", 1) or 1)
        header.set(f"CTYPE{axis}", str(source.get(f"TCTYP{number}", "")))
        shifted = (crpix - (first - 1)) / binning + (binning - 1) / (2 * binning)
        header.set(f"CRPIX{axis}", shifted, "reference pixel")
        header.set(f"DRPIX{axis}", crpix, "original reference pixel")
        header.set(f"CRVAL{axis}", crval, "Coord of ref pixel")
        header.set(f"CDELT{axis}", cdelt * binning, "increment")
        header.set(f"DDELT{axis}", cdelt, "original increment")
        header.set(f"WCSTY{axis}P", "PHYSICAL")
        header.set(f"LTV{axis}", (binning - 1) / (2 * binning) - (first - 1) / binning)
        header.set(f"LTM{axis}_{axis}", 1 / binning)
        header.set(f"CTYPE{axis}P", name)
        header.set(f"CRPIX{axis}P", 1.0)
        header.set(f"CRVAL{axis}P", first + (binning - 1) / 2)
        header.set(f"CDELT{axis}P", float(binning))
        header.set("RA_NOM" if axis == 1 else "DEC_NOM", crval)
    header.set("WCSNAMEP", "PHYSICAL")
    header.set("CROTA2", 0.0, "Sky coord rotation angle")
    header.set("DROLLANG", 0.0 if celestial else -999.0, "Mean roll angle (deci. deg)")


def weighted_map(selected: Selected, pars: Parameters) -> HDU:
    """Make the map of counts on the detector; cells whose centre is outside the region are -1."""
    names = (pars.text("xcolh"), pars.text("ycolh"))
    binning = pars.integer("binh")
    ranges = [evfile.limits(selected.events, name) for name in names]
    size = tuple((high - start + 1) // binning for start, high in ranges)
    low = (ranges[0][0], ranges[1][0])
    counts = count_pixels(selected.columns["wx"], selected.columns["wy"], low, (size[0], size[1]), binning)
    cells = counts.astype(np.float32)
    corner = (0, 0)
    inside = _map_inside(selected, cells.shape, low, binning)
    if inside is not None and names == (pars.text("xcolf"), pars.text("ycolf")):
        inside = inside | (counts > 0)  # of a region in the map's own columns only empty cells are marked
    if inside is not None and inside.any():
        if pars.flag("wtmapfix"):
            cells[~inside] = -1
        j, i = np.nonzero(inside)
        corner = (int(i.min()), int(j.min()))
        cells = cells[j.min() : j.max() + 1, i.min() : i.max() + 1]
    elif inside is None and counts.any():
        j, i = np.nonzero(counts)
        corner = (int(i.min()), int(j.min()))
        cells = cells[j.min() : j.max() + 1, i.min() : i.max() + 1]
    return fitsfile.image(cells, _map_header(selected, pars, names, cells.shape, corner))


def _map_inside(selected: Selected, shape: tuple[int, ...], low: tuple[int, int], binning: int) -> np.ndarray | None:
    """Carry cell centres to the region's columns by the rotation and shift that fit the events best."""
    x, y, wx, wy = (np.concatenate(parts) for parts in zip(*selected.places, strict=True))
    if selected.region is None or not len(x):
        return None
    here, there = wx + 1j * wy, x + 1j * y
    mean_here, mean_there = here.mean(), there.mean()
    turn = ((there - mean_there) * np.conj(here - mean_here)).sum()
    lines, columns = np.indices(shape)
    middle = (binning - 1) / 2
    cells = (low[0] + columns * binning + middle) + 1j * (low[1] + lines * binning + middle) - mean_here
    sky = mean_there + cells * (turn / abs(turn) if turn else 1.0)
    return selected.region.inside(sky.real, sky.imag)


def _map_header(
    selected: Selected, pars: Parameters, names: tuple[str, str], shape: tuple[int, ...], corner: tuple[int, int]
) -> Header:
    binning = pars.integer("binh")
    starts = [evfile.limits(selected.events, name)[0] for name in names]
    low = (starts[0] + corner[0] * binning, starts[1] + corner[1] * binning)
    header = base_header(selected)
    nominal = {key: header.get(key) for key in ("RA_NOM", "DEC_NOM")}
    header.set("HDUCLASS", "ogip")
    header.set("HDUCLAS1", "IMAGE")
    header.set("HDUCLAS2", "WMAP", "Extension contains a weighted map")
    header.set("HDUNAME", "WMAP")
    header.set("CONTENT", "SPECTRUM")
    header.set("AXLEN1", shape[1], "Dim of axis 1")
    header.set("AXLEN2", shape[0], "Dim of axis 2")
    header.set("WMREBIN", binning, "Weighted Map rebinning")
    header.set("WMAPFIX", pars.flag("wtmapfix") and selected.region is not None)
    add_wcs(header, selected.events, names, low, binning)
    header.drop("CROTA2", "DROLLANG")
    for key, value in nominal.items():
        header.set(key, value)
    for axis, column in enumerate(("xcolf", "ycolf")):
        number, letter = selected.events.column_number(pars.text(column)), "XY"[axis]
        for source, key, default in (("TCTYP", "CTYP", ""), ("TCRPX", "CRPX", 0.0), ("TCRVL", "CRVL", 0.0)):
            header.set(f"REF{letter}{key}", selected.header.get(f"{source}{number}", default))
        header.set(f"REF{letter}CDLT", selected.header.get(f"TCDLT{number}", 1.0))
    header.set("SKYBIN", pars.integer("binf"), "Image binning factor")
    header.set("X-OFFSET", corner[0] + 1, "first original X pixel in map")
    header.set("Y-OFFSET", corner[1] + 1, "first original Y pixel in map")
    header.set("TOTCTS", selected.count, "Total pixel count")
    return header
