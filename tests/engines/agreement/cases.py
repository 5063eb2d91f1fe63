"""Made-up event files of every kind the archive may hold, a few thousand events each, from a seed."""

from dataclasses import dataclass, field

import numpy as np
from astropy.io import fits

MISSION = 150_541_417.0
PIXEL = 4.91106681541e-4
CCDS = ((259, 913), (259, 259), (913, 913), (913, 259))
STRIPS = ((694, 913), (694, 259))  # one-eighth window of CCD1 and CCD2
PI_EDGES = (-999, -32768, -1, 0, 82, 83, 84, 99, 100, 333, 334, 1000, 1001, 1665, 1666, 1667, 4094, 4095, 4096)

MODES = {  # data class: frame time, live fraction, footprints
    "300000a0": (4.0, 1.0, CCDS),
    "31100010": (0.5, 1.0, STRIPS),
    "31200010": (4.0, 0.0152, CCDS[:2]),
    "31300010": (0.5, 0.1203, STRIPS),
    "32000010": (4.0, 0.9987, CCDS[2:]),
}


@dataclass
class Case:
    """What an event file is made from; `draw` chooses all of it."""

    seed: int
    dataclass: str = "300000a0"
    nominal: tuple[float, float, float] = (81.259, -69.644, 264.638)
    timezero: float = 0.0
    timepixr: float | None = 0.5
    live: str | None = "DEADC"
    floats: bool = False
    number: int = 3000
    gti: list[tuple[float, float]] = field(default_factory=list)
    tlmin: int = 1

    @property
    def frame(self):
        return MODES[self.dataclass][0]

    @property
    def deadc(self):
        return MODES[self.dataclass][1] if self.live else 1.0

    @property
    def shift(self):
        """From the column TIME to the middle of a frame."""
        return self.timezero - ((self.timepixr or 0.0) - 0.5) * self.frame


def draw(seed):
    """Choose a case from its seed."""
    rng = np.random.default_rng(seed)
    case = Case(seed, dataclass=str(rng.choice(list(MODES))))
    case.nominal = (
        float(rng.choice([0.001, 81.259, 180.0, 359.9995])),
        float(rng.choice([-69.0, -30.25, 0.0, 12.5, 85.0])),
        float(rng.choice([0.0, 45.0, 90.0, 137.9, 264.638, 359.9])),
    )
    case.timezero = float(rng.choice([0.0, 0.0, 1234.5, -7.25]))
    case.timepixr = [0.5, 0.0, 1.0, None][rng.integers(4)]
    case.live = [None, "DEADC", "DTCOR"][rng.integers(3)]
    case.floats = bool(rng.integers(4) == 0)
    case.tlmin = int(rng.choice([1, 1, 101]))
    case.gti = good_time(rng)
    return case


def good_time(rng):
    """Orbits with gaps, and among them shards, touching and overlapping intervals, not in order."""
    start, found = MISSION, []
    for _ in range(rng.integers(1, 6)):
        stop = start + float(rng.choice([2048.0, 3000.25, 2.5, 517.125, 2500.0 / 3]))
        found.append((start, stop))
        if rng.integers(4) == 0:
            found.append((stop, stop + 100.5))
        if rng.integers(4) == 0:
            found.append((start + (stop - start) / 2, stop + 250.75))
        if rng.integers(4) == 0:
            found.append((start + (stop - start) / 4, start + (stop - start) / 2))
        start = stop + float(rng.choice([300.0, 2156.5, 7.0]))
    return [found[i] for i in rng.permutation(len(found))]


def to_sky(case, detx, dety):
    """SKY position of DET positions at the nominal pointing."""
    u, v, phi = detx - 733.0, dety - 731.0, np.radians(case.nominal[2])
    return 1215.5 + u * np.cos(phi) - v * np.sin(phi), 1215.5 + u * np.sin(phi) + v * np.cos(phi)


def columns_of(case):
    """Columns of the events: half of them around a source, times on frames and on the very ends of good time."""
    rng, n = np.random.default_rng([case.seed, 1]), case.number
    width = 80 if case.dataclass[2] in "13" else 640
    corner = np.array(MODES[case.dataclass][2])[rng.integers(len(MODES[case.dataclass][2]), size=n)]
    detx, dety = corner[:, 0] + rng.integers(width, size=n), corner[:, 1] + rng.integers(640, size=n)
    near = rng.random(n) < 0.5
    middle = np.add(MODES[case.dataclass][2][-1], (width / 2, 320))
    detx[near] = np.clip(rng.normal(middle[0], 25, near.sum()), 1, 1810).astype(int)
    dety[near] = np.clip(rng.normal(middle[1], 25, near.sum()), 1, 1810).astype(int)
    x, y = to_sky(case, detx, dety)
    low, high = case.gti[0][0], max(stop for _, stop in case.gti)
    low = min(start for start, _ in case.gti)
    middles = low - 200 + np.floor(rng.random(n) * (high - low + 400) / case.frame) * case.frame + case.frame / 2
    edges = np.array([edge for pair in case.gti for edge in pair])
    middles[: 4 * len(edges)] = np.concatenate([edges, edges, edges + 1e-6, edges - 1e-6])
    pi = np.where(rng.random(n) < 0.3, rng.choice(PI_EDGES, n), rng.integers(0, 4096, n))
    found = {"TIME": middles + case.timezero - case.shift, "DETX": detx, "DETY": dety}
    found |= {"X": x, "Y": y, "PI": pi, "GRADE": rng.integers(0, 8, n), "CCD_ID": rng.integers(0, 4, n)}
    order = np.argsort(found["TIME"], kind="stable") if case.seed % 2 else rng.permutation(n)
    return {name: values[order] for name, values in found.items()}


def header_of(case):
    """Keywords of EVENTS and GTI."""
    ra, dec, roll = case.nominal
    header = fits.Header(
        {
            "TELESCOP": "XRISM", "INSTRUME": "XTEND", "DETNAM": "CCD", "DATAMODE": "WINDOW1", "OBS_ID": "900001010",
            "DATACLAS": case.dataclass, "OBJECT": "SIMULATED", "RA_OBJ": ra, "DEC_OBJ": dec, "RA_NOM": ra,
            "DEC_NOM": dec, "RA_PNT": ra, "DEC_PNT": dec, "PA_NOM": roll, "EQUINOX": 2000.0, "RADECSYS": "FK5",
            "TIMESYS": "TT", "TIMEUNIT": "s", "TIMEREF": "LOCAL", "MJDREFI": 58484, "MJDREFF": 8.0074074074e-4,
            "TIMEZERO": case.timezero, "TIMEDEL": case.frame, "DATE-OBS": "2023-10-09T09:03:37",
            "DATE-END": "2023-10-10T09:03:37", "TSTART": MISSION, "TSTOP": MISSION + 5e4,
        }
    )  # fmt: skip
    if case.timepixr is not None:
        header["TIMEPIXR"] = case.timepixr
    if case.live:
        header[case.live] = MODES[case.dataclass][1]
    return header


def write_events(case, path):
    """Write the event file of a case: EVENTS and GTI, the latter with the same TIMEZERO."""
    values, header = columns_of(case), header_of(case)
    position = "1E" if case.floats else "1I"
    forms = {"TIME": "1D", "X": position, "Y": position, "PI": "1J"}
    found = {n: np.rint(v) if n in "XY" and not case.floats else v for n, v in values.items()}
    columns = [fits.Column(name, forms.get(name, "1I"), array=array) for name, array in found.items()]
    table = fits.BinTableHDU.from_columns(columns, header=header, name="EVENTS")
    top = {"X": 2430, "Y": 2430, "DETX": 1810, "DETY": 1810, "PI": 4095}
    for number, name in enumerate(found, 1):
        if name in top:
            low = {"PI": 0, "X": case.tlmin, "Y": 1}.get(name, 1)
            table.header[f"TLMIN{number}"], table.header[f"TLMAX{number}"] = low, top[name]
        if name in ("X", "Y"):
            sign, axis = (-1, "RA---TAN") if name == "X" else (1, "DEC--TAN")
            wcs = {"TCTYP": axis, "TCRPX": 1215.5, "TCRVL": case.nominal[name == "Y"], "TCDLT": sign * PIXEL}
            table.header.update({f"{key}{number}": value for key, value in wcs.items()})
            table.header[f"TCUNI{number}"] = "deg"
    write_gti(path, case.gti, header, [fits.PrimaryHDU(), table])


def write_gti(path, pairs, header, before=None):
    """Write good time intervals, absolute in ``pairs``, less the TIMEZERO of the header in the file."""
    zero = header.get("TIMEZERO", 0.0)
    ends = np.array(pairs) - zero
    columns = [fits.Column(name, "1D", "s", array=ends[:, i]) for i, name in enumerate(("START", "STOP"))]
    table = fits.BinTableHDU.from_columns(columns, header=header, name="GTI")
    fits.HDUList([*(before or [fits.PrimaryHDU()]), table]).writeto(path, overwrite=True)


def regions_of(case):
    """Region files by name, around the source of the case."""
    width = 80 if case.dataclass[2] in "13" else 640
    corner = MODES[case.dataclass][2][-1]
    x, y = (float(np.round(v, 3)) for v in to_sky(case, corner[0] + width / 2, corner[1] + 320.0))
    return {
        "circle": f"physical\ncircle({x},{y},60)\n",
        "annulus": f"physical\nannulus({round(x)},{round(y)},15,55)\n",
        "ellipse": f"physical\nellipse({x},{y},70,30,33.3)\n",
        "box": f"physical\nbox({round(x)},{round(y)},90,41,0)\n",
        "rotated": f"physical\nbox({x},{y},120.5,40.25,17.5)\n",
        "polygon": f"physical\npolygon({x - 50},{y - 40},{x + 60},{y - 30},{x + 20},{y + 70},{x - 30},{y + 10})\n",
        "several": f"physical\ncircle({x},{y},30)\ncircle({x + 40},{y},35)\nbox({x},{y + 60},30,30,10)\n"
        f"-circle({x + 20},{y},12)\n-ellipse({x},{y + 60},9,4,45)\n",
        "excludes": f"physical\n-circle({x},{y},45)\n",
        "edge": "physical\nbox(2400,1215,160,2430,0)\n",
        "detector": f"physical\ncircle({corner[0] + width / 2},{corner[1] + 320},50)\n",
    }
