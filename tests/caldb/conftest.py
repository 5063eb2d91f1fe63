"""A calibration database with made-up content, on disk and served on loopback."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time

import xtendsrc as xs
from tests.archive.conftest import Archive
from xtendsrc.archive import Policy

DATA = Path(__file__).parents[1] / "data"
SERVER = Path(__file__).parents[1] / "archive" / "server.py"
WHERE = "data/xrism/xtend/bcf"
MODES = ('DATAMODE("WINDOW1")', "CISTATUS(1)")
FORMATS = {
    **dict.fromkeys(("TELESCOP", "INSTRUME", "FILTER", "CAL_VSD"), "10A"),
    "DETNAM": "20A",
    "CAL_DEV": "20A",
    "CAL_DIR": "70A",
    "CAL_FILE": "40A",
    "CAL_CLAS": "3A",
    "CAL_DTYP": "4A",
    "CAL_CNAM": "20A",
    "CAL_CBD": "630A70",
    "CAL_XNO": "I",
    "CAL_VST": "8A",
    "REF_TIME": "D",
    "CAL_QUAL": "I",
    "CAL_DATE": "8A",
    "CAL_DESC": "70A",
}


def row(codename, file, start="2019-01-01", bounds=(), **other):
    """One data set of an index."""
    values = {
        "TELESCOP": "XRISM",
        "INSTRUME": "XTEND",
        "DETNAM": "NONE",
        "FILTER": "NONE",
        "CAL_DEV": "ONLINE",
        "CAL_DIR": WHERE,
        "CAL_FILE": file,
        "CAL_CLAS": "BCF",
        "CAL_DTYP": "DATA",
        "CAL_CNAM": codename,
        "CAL_XNO": 1,
        "CAL_VSD": start,
        "CAL_VST": "00:00:00",
        "REF_TIME": Time(start).mjd,
        "CAL_QUAL": 0,
        "CAL_DATE": "01/01/24",
        "CAL_DESC": codename.lower(),
    }
    padded = (*bounds, *["NONE"] * (9 - len(bounds)))
    return {**values, "CAL_CBD": "".join(text.ljust(70) for text in padded), **other}


def write_index(path, rows):
    """Write rows as an index, with the formats that HEASARC's have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [fits.Column(name, form, array=np.array([r[name] for r in rows])) for name, form in FORMATS.items()]
    table = fits.BinTableHDU.from_columns(columns, name="CIF")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path, overwrite=True)


CONTENT = {
    "rmfparam.fits": "rmf/full_src_coarse/rmfparam.fits.gz",
    "qe.fits": "arf/qe.fits.gz",
    "contam.fits": "arf/contam.fits.gz",
    "areas.fits": "arf/ea_fine.fits.gz",
    "coarse.fits": "arf/ea_coarse.fits.gz",
    "teldef.fits": "arf/xtd.teldef.gz",
}
ROWS = [
    row("RMF_PARAMETERS", "rmfparam.fits", bounds=MODES),
    row("RMF_PARAMETERS", "rmfparam2.fits", bounds=('DATAMODE("WINDOW2")', "CISTATUS(1)")),
    row("QE_OBL", "qe.fits"),
    row("COLUMN_DENSITY", "contam.fits", start="2023-09-01"),
    row("COLUMN_DENSITY", "contam2.fits", start="2027-01-01"),
    row("EFFAREAFNE", "areas.fits"),
    row("EFFAREACRS", "coarse.fits"),
    row("TELDEF", "teldef.fits"),
]


MIRROR = {
    "mirror.fits": "arf/tel20.fits.gz",
    "reflect.fits": "arf/ref.fits.gz",
    "scatter.fits": "arf/scat10.fits.gz",
}
MIRROR_ROWS = [
    row("MIRROR", "mirror.fits"),
    row("OBSTRUCT", "mirror.fits"),
    row("REFLECT-TRANS", "reflect.fits"),
    row("BACKSIDE-REFLECT", "reflect.fits"),
    row("COLLIMATOR-REFLECT", "reflect.fits"),
    row("SEGMENT1-SCATTERING", "scatter.fits"),
]


def make_tree(root, content, rows):
    """Lay out a database: files by name, and the index that names them."""
    folder = root / WHERE
    folder.mkdir(parents=True)
    for name, source in content.items():
        with fits.open(DATA / source, memmap=False) as hdus:
            hdus.writeto(folder / name)
    write_index(root / "data/xrism/xtend/caldb.indx", rows)
    config = root / "software/tools/caldb.config"
    config.parent.mkdir(parents=True)
    config.write_text("# mission\nXRISM XTEND CALDB data/xrism/xtend caldb.indx CALDB data/xrism/xtend\n")
    return root


@pytest.fixture
def tree(tmp_path):
    """A database with the files of a matrix and an area, but none of the mirror."""
    return make_tree(tmp_path / "caldb", CONTENT, ROWS)


@pytest.fixture
def installed(tree):
    """The database as a directory of the user."""
    with xs.settings(caldb=tree):
        yield tree


@pytest.fixture(scope="session")
def _caldb_server(tmp_path_factory):
    root = tmp_path_factory.mktemp("caldb_served")
    process = subprocess.Popen([sys.executable, str(SERVER), str(root)], stdout=subprocess.PIPE, text=True)
    yield Archive(root, int(process.stdout.readline()))
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture
def served(_caldb_server, tree, monkeypatch):
    """The server with the database below ``/FTP/caldb``; the cache of the test is empty."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "CALDB"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XTENDSRC_HEASARC_URL", _caldb_server.url)
    _caldb_server.reset()
    place = _caldb_server.root / "FTP" / "caldb"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(tree, place)
    _caldb_server.caldb = place
    return _caldb_server


@pytest.fixture
def hasty():
    """As patient as ever, with hardly any pause."""
    return Policy(pause=0.01, longest=0.05, timeout=5.0)
