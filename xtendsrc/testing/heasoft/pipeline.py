"""xtdpipeline and xtdmodegti, thin: the contract of files and statuses, screening, no recalibration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import evfile, fitsfile, geometry
from .fitsfile import HDU, FitsError, Header
from .parfile import ParameterError
from .runtime import say

if TYPE_CHECKING:
    from .parfile import Parameters

GRADES = (0, 2, 3, 4, 6)


def xtdpipeline(pars: Parameters) -> int:
    """Run stages 1 and 2 on every unfiltered event file; a file that fails is skipped and counted in ``numerrs``."""
    source, target = Path(pars.text("indir")), Path(pars.text("outdir"))
    if not source.is_dir():
        raise ParameterError(1, f"input directory {source} not found")
    if source.resolve() in (target.resolve(), *target.resolve().parents):
        raise ParameterError(1, "duplicate files under the input tree")
    stem = pars.text("steminputs")
    out = stem if pars.text("stemoutputs").upper() in ("DEFAULT", "") else pars.text("stemoutputs")
    for name in ("attitude", "orbit", "obsgti", "housekeeping"):
        if not Path(pars.text(name)).is_file():
            raise ParameterError(1, f"{name} file {pars.text(name)!r} not found")
    target.mkdir(parents=True, exist_ok=True)
    Path(f"xtdpipeline_{pars.text('stemreport') or out}.log").write_text("xtdpipeline stand-in\n")
    errors: list[str] = []
    files = sorted(source.glob(f"{stem}xtd_p*_uf.evt*"))
    if not files:
        errors.append(f"no unfiltered event files {stem}xtd_p*_uf.evt in {source}")
    if not pars.flag("calc_modegti") and not list(source.parent.glob(f"*/{stem}xtd_mode.gti*")):
        errors.append(f"{stem}xtd_mode.gti not found and calc_modegti=no")
    for path in files:
        try:
            _one_file(pars, path, target, stem, out)
        except FitsError as error:
            errors.append(f"{path.name}: {error}")
    if errors:
        say("xtdpipeline had the following errors/warnings:")
        for number, text in enumerate(errors, 1):
            say(f" {number}. {text}")
    say(f"Error Summary: {len(errors)}")
    pars.put("numerrs", len(errors))
    return 0


def _one_file(pars: Parameters, path: Path, target: Path, stem: str, out: str) -> None:
    hdus = fitsfile.read(path)
    events = fitsfile.extension(hdus, "EVENTS")
    if events is None:
        raise FitsError(107, "no EVENTS extension")
    base = path.name.removesuffix(".gz").removesuffix("_uf.evt").replace(stem, out, 1)
    cards = [f"P {p.name} = {p.value}" for p in pars.table.values() if p.name in ("seed", "calc_modegti")]
    for card in cards:
        events.header.note("HISTORY", f"xtdpipeline {card}")
    events.header.drop("CHECKSUM", "DATASUM")
    if pars.integer("entry_stage") == 1:
        fitsfile.write(target / f"{base}_uf.evt", hdus, pars.flag("clobber"))
        _side_files(pars, path, target, base, events)
    if pars.integer("exit_stage") >= 2:
        _screen(pars, path, target / f"{base}_cl.evt", hdus, events)


def _side_files(pars: Parameters, path: Path, target: Path, base: str, events: HDU) -> None:
    """Write the bad pixel image and the (empty) list of flickering pixels of the run."""
    pattern = path.name.removesuffix(".gz").removesuffix("_uf.evt")
    found = sorted(path.parent.glob(f"{pattern}.bimg*"))
    image = fitsfile.read(found[0]) if found else [fitsfile.image(nominal_bad_pixels(), events.header.describing())]
    fitsfile.write(target / f"{base}.bimg", image, pars.flag("clobber"))
    forms = {"CCD_ID": "B", "ACTX": "I", "ACTY": "I", "DETX": "I", "DETY": "I", "START": "D", "STOP": "D"}
    columns = [(column, form, "", np.zeros(0)) for column, form in forms.items()]
    table = fitsfile.table("PIXELS", columns, events.header.describing())
    name = re.sub(r"_p\d", "_a0", base)
    fitsfile.write(target / f"{name}.fpix", [fitsfile.image(None), table], pars.flag("clobber"))


def nominal_bad_pixels() -> np.ndarray:
    """Return the codes of a detector without bad pixels: 0 good, 1 calibration source, -1 outside."""
    good = geometry.footprints(1810)
    codes = np.where(good > 0, 0, -1).astype(np.int16)
    codes[geometry.in_calibration(1810) & (good > 0)] = 1
    return codes


def _good_times(pars: Parameters, hdus: list[HDU], events: HDU, path: Path) -> evfile.Intervals:
    gti, _ = evfile.find_gti(hdus, "GTI", events.header)
    extra = [(Path(pars.text("obsgti")), "GTIPOINT")]
    name = f"GTI_{events.header.get('DATACLAS', '')}"
    extra += [(mode, name) for mode in sorted(path.parent.parent.glob("*/*xtd_mode.gti*"))]
    for source, wanted in extra:
        table = fitsfile.extension(fitsfile.read(source), wanted)
        if table is not None:
            gti = evfile.intersection(gti, evfile.read_gti(table))
    return gti


def _screen(pars: Parameters, path: Path, out: Path, hdus: list[HDU], events: HDU) -> None:
    gti = _good_times(pars, hdus, events, path)
    times = evfile.event_times(events, "TIME", -999)
    good = evfile.in_intervals(times, gti)
    if events.column_number("STATUS"):
        good &= (events.column("STATUS")[:, 0] & 0x80) == 0
    if events.column_number("GRADE"):
        good &= np.isin(events.column("GRADE"), GRADES)
    kept = fitsfile.select(events, good)
    on = evfile.total(gti)
    live = on * evfile.live_fraction(events.header)
    for key, value in (("ONTIME", on), ("LIVETIME", live), ("EXPOSURE", live)):
        kept.header.set(key, value)
    fitsfile.write(out, [hdus[0], kept, gti_table("GTI", gti, kept.header)], pars.flag("clobber"))
    say(f"{out.name}: {int(good.sum())} events, {on:.3f} s")


def gti_table(name: str, gti: evfile.Intervals, source: Header) -> HDU:
    """Make a table of good times."""
    header = source.describing()
    header.set("HDUCLASS", "OGIP")
    header.set("HDUCLAS1", "GTI")
    columns = [("START", "1D", "s", [a for a, _ in gti]), ("STOP", "1D", "s", [b for _, b in gti])]
    return fitsfile.table(name, columns, header)


def xtdmodegti(pars: Parameters) -> int:
    """Make one GTI extension for each data class from the frames of the exposure file."""
    hdus = fitsfile.read(fitsfile.split_name(pars.text("infile"))[0])
    table = next((hdu for hdu in hdus if hdu.is_table and hdu.column_number("TIME")), None)
    if table is None:
        raise FitsError(107, "no frame times in the exposure file")
    times = np.unique(table.column("TIME"))
    directory, stem = Path(pars.text("evtdir")), pars.text("steminputs")
    tables = []
    for path in sorted(directory.glob(f"{stem}*_uf.evt*")):
        events = fitsfile.extension(fitsfile.read(path), "EVENTS")
        if events is None:
            continue
        frame = float(events.header.get("TIMEDEL", 4.0))
        gti = evfile.union([(t, t + frame) for t in times.tolist()])
        tables.append(gti_table(f"GTI_{events.header.get('DATACLAS', '')}", gti, events.header))
    if not tables:
        raise ParameterError(1, "no event files to take data classes from")
    for name in ("outfile", "mergefile"):
        fitsfile.write(pars.text(name), [fitsfile.image(None), *tables], pars.flag("clobber"))
    pars.put("numdclass", len(tables))
    return 0
