"""xtdrmf: a nominal, Gaussian redistribution matrix on the grids of the real task."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import fitsfile
from .fitsfile import HDU, FitsError, Header
from .parfile import ParameterError
from .runtime import say

if TYPE_CHECKING:
    from .parfile import Parameters

CREATOR = "xtdrmf stand-in, nominal"
REACH = 6.0


def xtdrmf(pars: Parameters) -> int:
    """Run the task; the spectrum must carry a detector map, which the nominal matrix does not use further."""
    out = pars.text("outfile")
    if Path(out.lstrip("!")).exists() and not pars.flag("clobber") and not out.startswith("!"):
        raise ParameterError(1, f"output file {out} exists; use clobber=yes")
    hdus = fitsfile.read(fitsfile.split_name(pars.text("infile"))[0])
    if hdus[0].data is None or hdus[0].header.get("HDUCLAS2") != "WMAP":
        raise FitsError(107, f"no weighted map in the primary extension of {pars.text('infile')}")
    if not (hdus[0].data > 0).any():
        raise ParameterError(1, "the weighted map is empty")
    edges = input_grid(pars)
    first, step, count = pars.number("eminout"), pars.number("deout"), pars.integer("nchanout")
    starts, rows = matrix_rows(edges, (first, step, count), pars.number("rmfthresh"))
    header = Header()
    for key in ("TELESCOP", "INSTRUME", "DETNAM", "DATACLAS", "OBS_ID", "DATE-OBS"):
        if key in hdus[0].header:
            header.set(key, hdus[0].header.get(key))
    header.set("FILTER", "NONE")
    header.set("CREATOR", CREATOR)
    header.note("COMMENT", "Nominal response of a stand-in: not for science.")
    primary = fitsfile.image(None, header)
    fitsfile.write(out, [primary, _matrix(edges, starts, rows, header, pars), _bounds(first, step, count, header)])
    say(f"xtdrmf: {len(rows)} energies, {count} channels")
    return 0


def input_grid(pars: Parameters) -> np.ndarray:
    """Return the edges of the energy grid in eV: stretches of equal steps."""
    steps = [float(word) for word in pars.text("dein").replace(",", " ").split()]
    counts = [int(word) for word in pars.text("nchanin").replace(",", " ").split()]
    if len(steps) != len(counts):
        raise ParameterError(1, "dein and nchanin differ in length")
    edges = [pars.number("eminin")]
    for step, count in zip(steps, counts, strict=True):
        start = edges[-1]
        edges += [start + step * (number + 1) for number in range(count)]
    return np.array(edges)


def sigma(energy: float) -> float:
    """Return the Gaussian width in eV: read noise, Fano noise and a term in proportion to energy."""
    noise = 2.355 * 3.65 * 6
    fano = 2.355**2 * 0.12 * 3.65 * energy
    return math.sqrt(noise**2 + fano + (0.0185 * energy) ** 2) / 2.355


def matrix_rows(
    edges: np.ndarray, output: tuple[float, float, int], threshold: float
) -> tuple[list[int], list[np.ndarray]]:
    """Return the first channel and the probabilities of each energy."""
    first, step, count = output
    starts, rows = [], []
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        energy = (low + high) / 2
        width = sigma(energy)
        begin = max(0, int((energy - REACH * width - first) / step))
        end = min(count, int((energy + REACH * width - first) / step) + 1)
        scale = 1 / (width * math.sqrt(2))
        steps = [math.erf((first + step * k - energy) * scale) for k in range(begin, max(end, begin) + 1)]
        row = np.diff(steps) / 2
        kept = np.nonzero(row >= threshold)[0]
        if len(kept) == 0:
            starts.append(0)
            rows.append(np.zeros(0))
            continue
        starts.append(begin + int(kept[0]))
        rows.append(row[kept[0] : kept[-1] + 1])
    return starts, rows


def _matrix(edges: np.ndarray, starts: list[int], rows: list[np.ndarray], header: Header, pars: Parameters) -> HDU:
    groups = [1 if len(row) else 0 for row in rows]
    table = fitsfile.table(
        "MATRIX",
        [
            ("ENERG_LO", "E", "keV", edges[:-1] / 1000),
            ("ENERG_HI", "E", "keV", edges[1:] / 1000),
            ("N_GRP", "I", "", groups),
            ("F_CHAN", "PI(1)", "", [np.array([start] * group) for start, group in zip(starts, groups, strict=True)]),
            ("N_CHAN", "PI(1)", "", [np.array([len(row)] * group) for row, group in zip(rows, groups, strict=True)]),
            ("MATRIX", f"PE({max(len(row) for row in rows)})", "", rows),
        ],
        header,
    )
    values = {
        "TLMIN4": 0,
        "TLMAX4": pars.integer("nchanout") - 1,
        "HDUCLASS": "OGIP",
        "HDUCLAS1": "RESPONSE",
        "HDUCLAS2": "RSP_MATRIX",
        "HDUCLAS3": "REDIST",
        "HDUVERS": "1.3.0",
        "RMFVERSN": "1992a",
        "CHANTYPE": "PI",
        "DETCHANS": pars.integer("nchanout"),
        "LO_THRES": pars.number("rmfthresh"),
        "NUMGRP": sum(groups),
        "NUMELT": sum(len(row) for row in rows),
    }
    for key, value in values.items():
        table.header.set(key, value)
    return table


def _bounds(first: float, step: float, count: int, header: Header) -> HDU:
    channels = np.arange(count)
    table = fitsfile.table(
        "EBOUNDS",
        [
            ("CHANNEL", "I", "", channels),
            ("E_MIN", "E", "keV", (first + step * channels) / 1000),
            ("E_MAX", "E", "keV", (first + step * (channels + 1)) / 1000),
        ],
        header,
    )
    values = {
        "TLMIN1": 0,
        "TLMAX1": count - 1,
        "HDUCLASS": "OGIP",
        "HDUCLAS1": "RESPONSE",
        "HDUCLAS2": "EBOUNDS",
        "HDUVERS": "1.2.0",
        "CHANTYPE": "PI",
        "DETCHANS": count,
    }
    for key, value in values.items():
        table.header.set(key, value)
    return table
