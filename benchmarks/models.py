"""How long a spectral model takes to evaluate, against XSPEC's model library.

    python benchmarks/models.py [--calls 200]

On 5900 bins of 2 eV from 0.2 to 12 keV, a parameter changing with each call as in a fit. Printed: milliseconds of the
first call, which sets up what depends on the bins alone, the median of later ones, and that of the library (in a
process of its own, pipes included) where it is installed. Plasmas need AtomDB's tables, see `xtendsrc models fetch`.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from xtendsrc.errors import TablesMissingError
from xtendsrc.fit import atomdb, library
from xtendsrc.fit.model import Model, parse

EDGES = np.linspace(0.2, 12, 5901)
MODELS = {
    "powerlaw": "PhoIndex",
    "tbabs*powerlaw": "nH",
    "tbabs*(powerlaw + gaussian)": "LineE",
    "tbabs*(diskbb + bbody)": "Tin",
    "tbabs*apec": "kT",
    "tbabs*vapec": "Fe",
    "tbabs*(apec + apec)": "apec.kT",
    "tbabs*bapec": "kT",
}


def times(model: Model, name: str, calls: int, edges: np.ndarray) -> tuple[float, float]:
    """Milliseconds of the first call, and the median of the others."""
    values, place = model.values, model.index(name)
    taken = []
    for step in np.linspace(1.0, 1.02, calls):
        changed = values.copy()
        changed[place] *= step
        start = time.perf_counter()
        model.evaluate(changed, edges)
        taken.append(1e3 * (time.perf_counter() - start))
    return taken[0], float(np.median(taken[1:]))


def by_library(model: Model, name: str, calls: int, there: library.LibraryModels) -> float:
    """Median milliseconds of the components evaluated one by one by the library."""
    values, place = model.values, model.index(name)
    taken = []
    for step in np.linspace(1.0, 1.02, calls):
        changed = values.copy()
        changed[place] *= step
        start, at = time.perf_counter(), 0
        for leaf in model.leaves:
            own = changed[at : at + len(leaf.component.parameters)]
            at += len(own)
            own = own[:-1] if leaf.kind == "add" else own
            there.evaluate(leaf.component, own, EDGES, model.model_settings)
        taken.append(1e3 * (time.perf_counter() - start))
    return float(np.median(taken[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200)
    calls = parser.parse_args().calls
    try:
        start = time.perf_counter()
        atomdb.load()
        print(f"plasma tables {atomdb.version()} loaded in {time.perf_counter() - start:.2f} s")
        root = str(atomdb.find().root)
    except TablesMissingError as missing:
        print(missing.what)
        root = ""
    with library.LibraryModels(atomdb=root) as there:
        print(f"{'model':32s} {'first':>8s} {'later':>8s} {'library':>8s}  ms")
        for number, (text, name) in enumerate(MODELS.items()):
            if "apec" in text and not root:
                continue
            model = parse(text)
            shifted = EDGES * (1 + 1e-9 * (number + 1))  # bins that nothing is known of yet
            first, later = times(model, name, calls, shifted)
            other = f"{by_library(model, name, max(calls // 10, 5), there):8.2f}" if library.installed() else "       -"
            print(f"{text:32s} {first:8.2f} {later:8.2f} {other}")


if __name__ == "__main__":
    main()
