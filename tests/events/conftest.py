"""Small Xtend event files, written with astropy, each in the state a test needs."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.instrument import Geometry, act_to_det

if TYPE_CHECKING:
    from pathlib import Path

HEADER = {
    "TELESCOP": "XRISM",
    "INSTRUME": "XTEND",
    "DETNAM": "CCD",
    "DATAMODE": "WINDOW1",
    "DATACLAS": "300000a0",
    "OBS_ID": "900001010",
    "OBJECT": "TEST",
    "RA_NOM": 81.259,
    "DEC_NOM": -69.644,
    "PA_NOM": 31.25,
    "EQUINOX": 2000.0,
    "RADECSYS": "FK5",
    "TIMESYS": "TT",
    "TIMEUNIT": "s",
    "MJDREFI": 58484,
    "MJDREFF": 8.00740740741e-4,
    "TIMEZERO": 0.0,
    "TIMEPIXR": 0.5,
    "TIMEDEL": 4.0,
    "DEADC": 1.0,
    "OPTDETX": 733.0,
    "OPTDETY": 731.0,
    "DATE-OBS": "2023-10-09T09:23:37",
    "DATE-END": "2023-10-09T10:23:37",
    "CIPERIOD": 80,
    "CIFIRST": 35,
    "CIOFFSET": 0,
    "HDUCLAS1": "EVENTS",
}
LIMITS = {"X": (1, 2430), "Y": (1, 2430), "DETX": (1, 1810), "DETY": (1, 1810), "PI": (0, 4095)}
GTIS = ((1000.0, 3000.0), (5000.0, 6000.0))


def columns(n: int = 2000, gti=GTIS, seed: int = 1) -> dict[str, np.ndarray]:
    """Events spread over the four CCDs, off the charge-injection rows, in 4 s frames inside the GTIs."""
    rng = np.random.default_rng(seed)
    ccd, actx = rng.integers(0, 4, n), rng.integers(1, 641, n)
    rows = np.setdiff1d(np.arange(1, 641), np.arange(35, 641, 80))
    acty = rng.choice(rows, n)
    detx, dety = act_to_det(ccd, actx, acty)
    geometry = Geometry(HEADER["RA_NOM"], HEADER["DEC_NOM"], HEADER["PA_NOM"])
    x, y = geometry.det_to_sky(detx, dety)
    frames = np.concatenate([np.arange(a + 2, b, 4.0) for a, b in gti])
    return {
        "TIME": np.sort(rng.choice(frames, n)),
        "CCD_ID": ccd.astype("u1"),
        "ACTX": actx.astype("i2"),
        "ACTY": acty.astype("i2"),
        "DETX": detx.astype("i2"),
        "DETY": dety.astype("i2"),
        "X": np.rint(x).astype("i2"),
        "Y": np.rint(y).astype("i2"),
        "PI": rng.integers(0, 4096, n).astype("i4"),
        "GRADE": rng.choice([0, 2, 3, 4, 6], n).astype("i2"),
        "STATUS": np.zeros((n, 48), dtype=bool),
    }


FORMATS = {"TIME": "1D", "CCD_ID": "1B", "PI": "1J", "STATUS": "48X"}


def event_hdu(data: dict[str, np.ndarray], formats: dict[str, str], limits) -> fits.BinTableHDU:
    kinds = FORMATS | formats
    cols = [fits.Column(n, kinds.get(n, "1I"), unit="s" if n == "TIME" else None, array=v) for n, v in data.items()]
    hdu = fits.BinTableHDU.from_columns(cols, name="EVENTS")
    for i, name in enumerate(data, 1):
        if name in limits:
            hdu.header[f"TLMIN{i}"], hdu.header[f"TLMAX{i}"] = limits[name]
        if name in ("X", "Y"):
            first = name == "X"
            hdu.header[f"TCTYP{i}"] = "RA---TAN" if first else "DEC--TAN"
            hdu.header[f"TCRPX{i}"] = 1215.5
            hdu.header[f"TCRVL{i}"] = HEADER["RA_NOM"] if first else HEADER["DEC_NOM"]
            hdu.header[f"TCDLT{i}"] = -4.91106681541e-4 if first else 4.91106681541e-4
    return hdu


def gti_hdu(pairs, name: str = "GTI", **header) -> fits.BinTableHDU:
    cols = [fits.Column(n, "1D", unit="s", array=[p[k] for p in pairs]) for k, n in enumerate(("START", "STOP"))]
    hdu = fits.BinTableHDU.from_columns(cols, name=name)
    hdu.header.update(header)
    return hdu


def write(
    path: Path,
    data=None,
    *,
    header=None,
    drop=(),
    formats=None,
    limits=LIMITS,
    gti=GTIS,
    gti_name="GTI",
    gti_header=None,
) -> Path:
    """Write an event file; ``drop`` names keywords and columns to leave out, ``gti=None`` leaves out the GTIs."""
    data = {k: v for k, v in (columns() if data is None else data).items() if k not in drop}
    hdu = event_hdu(data, formats or {}, limits)
    for key, value in (HEADER | (header or {})).items():
        if key not in drop:
            hdu.header[key] = value
    for key in drop:
        hdu.header.remove(key, ignore_missing=True)
    hdus = [fits.PrimaryHDU(), hdu]
    if gti is not None:
        hdus.append(gti_hdu(gti, gti_name, **(gti_header or {})))
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    fits.HDUList(hdus).writeto(plain)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(plain.read_bytes(), 1))
        plain.unlink()
    return path


class Files:
    """The builders above, as one object for a fixture."""

    HEADER, GTIS = HEADER, GTIS
    columns, write, gti_hdu = staticmethod(columns), staticmethod(write), staticmethod(gti_hdu)

    @staticmethod
    def bimg(path: Path, image=None, **header) -> Path:
        """Write a bad-pixel image, good everywhere unless given."""
        hdu = fits.PrimaryHDU(np.zeros((1810, 1810), "i2") if image is None else image)
        hdu.header.update({"DATACLAS": "300000a0"} | header)
        path.parent.mkdir(parents=True, exist_ok=True)
        hdu.writeto(path)
        return path

    @staticmethod
    def ehk(path: Path, start=900.0, stop=6100.0, roll=HEADER["PA_NOM"]) -> Path:
        """Write an extended housekeeping file with a steady pointing."""
        time = np.arange(start, stop)
        values = {"TIME": time, "RA": HEADER["RA_NOM"], "DEC": HEADER["DEC_NOM"], "ROLL": roll}
        values |= {"XTD_RA_PNT": HEADER["RA_NOM"], "XTD_DEC_PNT": HEADER["DEC_NOM"]}
        cols = [fits.Column(n, "1D", array=np.broadcast_to(v, time.shape)) for n, v in values.items()]
        path.parent.mkdir(parents=True, exist_ok=True)
        fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(cols, name="EHK")]).writeto(path)
        return path

    @classmethod
    def observation(cls, root: Path, obs_id: str = "900001010", code: str = "300000a0", **events) -> Path:
        """Write an ObsID's tree with everything in it."""
        top, stem = root / obs_id, f"xa{obs_id}"
        for role in ("att", "orb", "mkf"):
            (top / "auxil").mkdir(parents=True, exist_ok=True)
            (top / "auxil" / f"{stem}.{role}.gz").touch()
        (top / "auxil" / f"{stem}_gen.gti.gz").touch()
        (top / "xtend/hk").mkdir(parents=True)
        (top / "xtend/hk" / f"{stem}xtd_a0.hk.gz").touch()
        cls.ehk(top / "auxil" / f"{stem}.ehk")
        cls.bimg(top / "xtend/event_uf" / f"{stem}xtd_p0{code}.bimg", DATACLAS=code)
        cls.write(top / "xtend/event_uf" / f"{stem}xtd_p0{code}_uf.evt.gz", **events)
        cls.write(top / "xtend/event_cl" / f"{stem}xtd_p0{code}_cl.evt.gz", **events)
        return top


@pytest.fixture(scope="session")
def files() -> type[Files]:
    return Files
