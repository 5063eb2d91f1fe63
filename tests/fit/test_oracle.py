"""Every native component against XSPEC's own library."""

import numpy as np
import pytest

from xtendsrc.fit.catalogue import components
from xtendsrc.fit.components import CONVOLUTIONS, NATIVE, PLASMA
from xtendsrc.fit.components.absorption import RESONANCES
from xtendsrc.fit.model import parse

EDGES = np.linspace(103, 6144, 6042) / 512
"""0.2-12 keV in bins of 1.95 eV; exact in single precision, which half of the library computes in."""

CASES = {
    "constant": [[2.0]],
    "phabs": [[0.05], [0.3]],
    "zphabs": [[0.3, 0.2]],
    "wabs": [[0.05], [0.3]],
    "powerlaw": [[1.7], [1.0], [-0.5]],
    "zpowerlw": [[1.7, 0.3]],
    "cutoffpl": [[1.2, 5.0], [-1.0, 3.0]],
    "bknpower": [[1.2, 3.3, 2.4]],
    "expdec": [[0.7]],
    "gaussian": [[6.4, 0.05], [6.4, 0.0], [1.0, 1e-4]],
    "zgauss": [[6.4, 0.1, 0.2]],
    "lorentz": [[6.4, 0.1]],
    "gabs": [[3.0, 0.05, 0.1]],
    "edge": [[7.1, 0.8]],
    "smedge": [[7.1, 1.0, -2.67, 2.0]],
    "bbody": [[0.1], [0.5], [3.0]],
    "bbodyrad": [[0.7]],
    "diskbb": [[0.2], [1.1]],
    "bremss": [[0.1], [0.3], [5.0], [20.0]],
}
CONVOLVED = {
    "zashift": [[0.1], [0.0]],
    "cflux": [[0.5, 10.0, -11.0], [0.5003, 9.9991, -11.0], [0.1, 20.0, -11.0]],
    "clumin": [[0.5, 10.0, 0.1, 43.0], [2.0, 10.0, 0.5, 44.0]],
}
LOOSER = {
    # bins in which the components below change too steeply, and by how much the two differ there at most
    "phabs": (2e-5, 10),
    "zphabs": (2e-5, 10),
    "edge": (2e-4, 1),  # the bin of the edge, in single precision there
    "expdec": (4e-4, EDGES.size),  # differences of exponentials, in single precision there
}


def compare(ours, theirs, worst=1e-5, bins=0, total=1e-5):
    """Expect 1e-5 wherever the library gives a thousandth of its largest value or more, but for some bins."""
    seen = theirs > 1e-3 * theirs.max()
    off = np.abs(ours[seen] / theirs[seen] - 1)
    assert (off > 1e-5).sum() <= bins
    assert off.max() < worst
    assert ours.sum() == pytest.approx(theirs.sum(), rel=total)


def test_every_native_component_has_a_case():
    assert set(NATIVE) - PLASMA == {*CASES, "tbabs", "ztbabs"}
    assert set(CONVOLUTIONS) == set(CONVOLVED)


@pytest.mark.parametrize(("name", "values"), [(name, values) for name, many in CASES.items() for values in many])
def test_components(xspec, name, values):
    model = parse(name)
    ours = model.evaluate([*values, 1.0] if model.kind == "add" else values, EDGES)
    theirs = xspec.evaluate(components()[name], np.array(values), EDGES, model.model_settings)
    compare(ours, theirs, *LOOSER.get(name, ()))


@pytest.mark.parametrize(("name", "values"), [(name, values) for name, many in CONVOLVED.items() for values in many])
def test_convolutions(xspec, name, values):
    model = parse(f"{name}*powerlaw")
    photons = parse("powerlaw").evaluate([1.7, 1e-3], EDGES)
    ours = model.evaluate([*values, 1.7, 1e-3], EDGES)
    theirs = xspec.evaluate(components()[name], np.array(values), EDGES, model.model_settings, photons)
    compare(ours, theirs, *LOOSER.get(name, ()))


@pytest.mark.parametrize("abund", ["wilm", "angr", "aspl", "felc", "lodd"])
@pytest.mark.parametrize(
    ("name", "values"), [("tbabs", [0.05]), ("tbabs", [0.3]), ("tbabs", [3.0]), ("ztbabs", [0.3, 0.1])]
)
def test_absorption_with_resonances(xspec, name, values, abund):
    """Lines of oxygen, iron and neon are averaged over narrow bins here, and hit or missed by the library."""
    model = parse(name, abund=abund)
    ours = model.evaluate(values, EDGES)
    theirs = xspec.evaluate(components()[name], np.array(values), EDGES, model.model_settings)
    energy = 0.5 * (EDGES[1:] + EDGES[:-1]) * (1.1 if name == "ztbabs" else 1.0)
    lines = np.any([(low < energy) & (energy < high) for low, high in RESONANCES], axis=0)
    seen = theirs > 1e-3
    off = np.abs(ours[seen] / theirs[seen] - 1)
    assert off[~lines[seen]].max() < 2e-5
    assert (off[~lines[seen]] > 1e-5).sum() <= 2
    assert (off > 1e-3).sum() <= 50
    assert ours.sum() == pytest.approx(theirs.sum(), rel=3e-4)


@pytest.mark.parametrize("abund", ["angr", "aspl", "felc", "lodd"])
def test_abundances(xspec, abund):
    model = parse("phabs", abund=abund)
    theirs = xspec.evaluate(components()["phabs"], np.array([0.2]), EDGES, model.model_settings)
    compare(model.evaluate([0.2], EDGES), theirs, *LOOSER["phabs"])


@pytest.mark.parametrize(("xsect", "bins"), [("bcmc", 30), ("obcm", 90)])
def test_cross_sections(xspec, xsect, bins):
    """In a bin with an absorption edge the library weighs both sides, and we take the centre: 35 % at oxygen's."""
    model = parse("phabs", xsect=xsect)
    theirs = xspec.evaluate(components()["phabs"], np.array([0.2]), EDGES, model.model_settings)
    compare(model.evaluate([0.2], EDGES), theirs, worst=0.4, bins=bins, total=2e-5)


@pytest.mark.parametrize("cosmology", [(70, 0, 0.73), (50, 0.5, 0), (70, 0, 0)])
def test_cosmologies(xspec, cosmology):
    model = parse("clumin*powerlaw", cosmology=cosmology)
    photons = parse("powerlaw").evaluate([1.7, 1e-3], EDGES)
    values = [2.0, 10.0, 0.3, 44.0]
    theirs = xspec.evaluate(components()["clumin"], np.array(values), EDGES, model.model_settings, photons)
    compare(model.evaluate([*values, 1.7, 1e-3], EDGES), theirs)
