"""extractor: select events by time, region and column cuts; make images, spectra and light curves.

Behaviour as documented for extractor 5.31 and measured with it, exit statuses and silent faults included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import evfile, extractor_images, extractor_tables, fitsfile
from .extractor_events import CREATOR, event_list, select
from .fitsfile import HDU, FitsError
from .runtime import say

if TYPE_CHECKING:
    from .parfile import Parameters


def extractor(pars: Parameters) -> int:
    """Run the task."""
    if pars.flag("exitnow"):
        return 0
    say(f"{CREATOR}    stand-in")
    _check_outputs(pars)
    selected = select(pars)
    clobber = pars.flag("clobber")
    made: list[tuple[str, list[HDU], str]] = []
    if name := pars.file("imgfile"):
        made.append((name, extractor_images.image(selected, pars), "Image   "))
    if name := pars.file("phafile"):
        made.append((name, extractor_tables.spectrum(selected, pars), "Spectrum"))
    if name := pars.file("fitsbinlc"):
        made.append((name, extractor_tables.light_curve(selected, pars), "Fits light curve"))
    if name := pars.file("eventsout"):
        made.append((name, event_list(selected, pars), "Events  "))
    seconds = evfile.total(selected.gti)
    for name, hdus, title in made:
        fitsfile.write(name, hdus, clobber)
        rate = selected.count / seconds if seconds else 0.0
        say(f" {title} has {selected.count:9d} counts for {rate:8.4g} counts/sec")
    return 1 if selected.missing_filter else 0


def _check_outputs(pars: Parameters) -> None:
    for name in ("imgfile", "phafile", "fitsbinlc", "eventsout"):
        path = pars.file(name)
        if path and len(path) > 255:
            raise FitsError(105, f"could not create {path}")
