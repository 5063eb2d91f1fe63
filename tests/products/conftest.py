"""The simulated spectrum of known truth with its responses, and small responses of odd shapes."""

import shutil

import numpy as np
import pytest

from tests.products.ogip import DATA, SHARED, write_rmf


@pytest.fixture(scope="session")
def truth(tmp_path_factory):
    """A directory with src.pi, bkg.pi, nom.rmf and nom.arf, linked to each other by keywords.

    The matrix is that of the golden files where they are, else the package's own, which the test of nominal responses
    finds equal to it.
    """
    folder = tmp_path_factory.mktemp("truth")
    for name in ("src.pi.gz", "bkg.pi.gz", "nom.arf.gz"):
        shutil.copy(DATA / "spectral" / name, folder / name)
    golden = SHARED / "golden" / "spectral" / "nom.rmf.gz"
    if golden.is_file():
        shutil.copy(golden, folder / golden.name)
    else:
        from xtendsrc.responses import nominal

        made = nominal.redistribution()
        matrix = np.zeros((len(made.first), 4096), np.float32)
        for row, (start, values) in enumerate(zip(made.first, made.matrix, strict=True)):
            matrix[row, start : start + len(values)] = values[: 4096 - start]
        e_min = np.arange(4096) * 0.006
        write_rmf(folder / "nom.rmf", matrix, made.energy_lo, made.energy_hi, e_min, e_min + 0.006)
    return folder


@pytest.fixture
def small():
    """A matrix of 40 energies and 50 channels with rows of none, one and two groups of channels."""
    rng = np.random.default_rng(3)
    matrix = np.zeros((40, 50), np.float32)
    for row in range(1, 40):
        matrix[row, row - 1 : row + 2] = rng.random(3)
        if row % 3 == 0:
            matrix[row, 44:47] = 0.01
    low = 0.5 + 0.1 * np.arange(40)
    e_min = 0.4 + 0.09 * np.arange(50)
    return matrix, low, low + 0.1, e_min, e_min + 0.09
