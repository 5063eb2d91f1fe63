"""Spectral fits: how long they take, and whether their intervals hold the truth as often as they say.

    python benchmarks/fitting.py [simulations]

Spectra are simulated on the nominal response (6400 energies, 4096 channels, about a million elements) with a background
of 0.01 counts/s, known from a region of four times the area, and fitted in 0.5-10 keV with the default grouping. The
first table has times, the second, for each family of models and number of source counts, the part of the simulations
whose 68.3 % interval of the profile likelihood holds the truth, and mean and standard deviation of the pulls
(fit - truth) / error. With 200 simulations (the default) the three-sigma range of the part is 0.58 to 0.78, and the
errors of mean and standard deviation are 0.07 and 0.05. Plasmas need AtomDB's tables (``xtendsrc models fetch``).
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import binom

from xtendsrc.fit import atomdb, native
from xtendsrc.fit.background import BackgroundModel, with_backgrounds
from xtendsrc.fit.bootstrap import expected_counts, simulate_counts
from xtendsrc.fit.data import Counts
from xtendsrc.fit.model import parse
from xtendsrc.fit.ogipfile import write_matrix
from xtendsrc.fit.options import FitOptions
from xtendsrc.fit.parameters import Choices, Term
from xtendsrc.fit.response import Response
from xtendsrc.responses import nominal
from xtendsrc.responses.file import read_rmf

if TYPE_CHECKING:
    from collections.abc import Callable

BAND = (0.5, 10.0)
EXPOSURE = 50_000.0
COUNTS = (300, 2000, 20_000)
FAMILIES: dict[str, dict[str, Any]] = {
    "power law": {
        "model": "tbabs*powerlaw",
        "truth": (0.3, 1.8, 1e-3),
        "freeze": ("tbabs.nH",),
    },
    "apec": {
        "model": "tbabs*apec",
        "truth": (0.1, 3.0, 0.4, 0.05, 1e-3),
        "freeze": ("tbabs.nH", "apec.Abundanc"),
    },
    "two components": {
        "model": "tbabs*(powerlaw + bbody)",
        "truth": (0.2, 1.8, 1e-3, 0.3, 1e-5),
        "freeze": ("tbabs.nH", "bbody.kT"),
    },
    "with a background model": {
        "model": "tbabs*powerlaw",
        "truth": (0.3, 1.8, 1e-3),
        "freeze": ("tbabs.nH",),
        "background": True,
    },
}


def nominal_response() -> Response:
    """Return the nominal response on the axis."""
    made = nominal.redistribution()
    rows, width = made.matrix.shape
    columns = made.first[:, None] + np.arange(width)
    inside = (columns < 4096) & (made.matrix > 1e-6)
    row = np.broadcast_to(np.arange(rows)[:, None], columns.shape)[inside]
    matrix = csr_array((made.matrix[inside], (row, columns[inside])), shape=(rows, 4096))
    edges = np.append(made.energy_lo, made.energy_hi[-1])
    channels = np.arange(4096)
    area = nominal.effective_area((made.energy_lo + made.energy_hi) / 2)
    return Response(edges, matrix, channels, channels * 0.006, (channels + 1) * 0.006, area, "nominal", "nominal")


def background(response: Response) -> Counts:
    """Return the expectation of a flat background: 0.01 counts/s in the source region, seen in four times its area."""
    first, last = 83, 1667
    level = np.zeros(response.channels.size)
    level[first:last] = 4 * 0.01 * EXPOSURE / (last - first)
    return Counts.of(level, EXPOSURE, 4.0)


def timed(what: str, function: Callable[[], Any], repeats: int = 5) -> None:
    """Print the median time of a call, after one that warms up."""
    function()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    print(f"  {what:58s} {np.median(seconds):7.3f} s", flush=True)


def times(response: Response) -> None:
    """Print how long reading and fitting take."""
    print("times (medians)")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nominal.rmf"
        write_matrix(response, path, {"TELESCOP": "XRISM", "INSTRUME": "XTEND"})
        timed(f"reading a matrix of {response.matrix.nnz} elements", lambda: read_rmf(path))
    for family in ("power law", "apec"):
        if family == "apec" and not atomdb.root():
            continue
        model = parse(FAMILIES[family]["model"])
        truth = np.array(FAMILIES[family]["truth"])
        data = simulate_counts(model, truth, response, EXPOSURE, background(response), 1.0, 1)
        counts = int(data.source.counts[83:1667].sum())
        for group in ("min 1", "fwhm/3"):
            for errors in ("covariance", "profile"):
                choices = Choices(dict(zip(model.names, truth.tolist(), strict=True)))
                options = FitOptions(BAND, group, errors=errors, choices=choices)
                what = f"{model}, {counts} counts, {group}, {errors}"
                timed(what, lambda d=data, m=model, o=options: native.fit([d], [Term(m)], o), 3)


def pulls(response: Response, family: dict[str, Any], counts: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return whether the intervals of the free parameters hold the truth, and the pulls, (simulation, parameter)."""
    model, truth = parse(family["model"]), np.array(family["truth"])
    expected = expected_counts(model, truth, response, EXPOSURE).source.counts[83:1667].sum()
    for place, parameter in enumerate(model.parameters):
        if parameter.name.endswith(".norm"):
            truth[place] *= counts / expected
    names = dict(zip(model.names, truth.tolist(), strict=True))
    under = background(response)
    held, pull = [], []
    for seed in range(number):
        data = simulate_counts(model, truth, response, EXPOSURE, under, 1.0, 1000 * counts + seed)
        start, freeze, modelled = dict(names), tuple(family["freeze"]), bool(family.get("background"))
        sets, terms = [data], [Term(model)]
        if modelled:
            sets, terms = with_backgrounds(sets, terms[0], {"nxb": BackgroundModel(parse("powerlaw"))})
            start["nxb:powerlaw.PhoIndex"] = 0.0
            freeze = (*freeze, "nxb:powerlaw.PhoIndex")
        choices = Choices(start, freeze)
        result = native.fit(sets, terms, FitOptions(BAND, errors="profile", choices=choices), modelled)
        own = [result.parameters[n] for n in names if result.parameters[n].free]
        held.append([p.low <= names[p.name] <= p.high for p in own])
        pull.append([_pull(p.value, names[p.name], *p.errors) for p in own])
    return np.array(held), np.array(pull)


def _pull(value: float, truth: float, down: float, up: float) -> float:
    """Return the distance in units of the error on the side of the truth."""
    return (value - truth) / (down if truth < value else up)


def coverage(response: Response, number: int) -> None:
    """Print the second table."""
    low, high = binom.ppf([0.00135, 0.99865], number, 0.6827) / number
    print(f"part of {number} simulations whose interval holds the truth ({low:.2f} to {high:.2f} is right), pulls")
    for name, family in FAMILIES.items():
        if "apec" in family["model"] and not atomdb.root():
            print(f"  {name}: left out, there are no tables of AtomDB")
            continue
        free = [n for n in parse(family["model"]).names if n not in family["freeze"] and "Redshift" not in n]
        for counts in COUNTS:
            held, pull = pulls(response, family, counts, number)
            for place, parameter in enumerate(free):
                numbers = f"{held[:, place].mean():.2f}  {pull[:, place].mean():+.2f} {pull[:, place].std(ddof=1):.2f}"
                print(f"  {name:24s} {counts:6d} counts  {parameter:18s} {numbers}", flush=True)


def main() -> None:
    """Print both tables."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    response = nominal_response()
    times(response)
    coverage(response, number)


if __name__ == "__main__":
    main()
