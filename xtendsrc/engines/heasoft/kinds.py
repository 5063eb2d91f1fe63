"""Which products this engine makes, and which tasks each of them needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xtendsrc.engines.heasoft.discovery import Installation

TASKS: dict[str, tuple[str, ...]] = {
    "image": ("extractor",),
    "lightcurve": ("extractor",),
    "spectrum": ("extractor",),
    "expmap": ("xaexpmap",),
    "netcurve": ("lcmath",),
    "sourcespectrum": ("ahbackscal",),
    "rmf": ("xtdrmf",),
    "raytrace": ("xaarfgen",),
    "arf": ("xaarfgen",),
}
"""Tasks needed by each kind of product."""

OTHER_TASKS: dict[str, tuple[str, ...]] = {
    "processing (xtdpipeline)": ("xtdpipeline",),
    "binned exposure maps": ("fimgbin",),
    "grouping by HEASoft": ("ftgrouppha", "grppha"),
    "calibration-source regions by HEASoft": ("coordpnt",),
    "flickering-pixel search": ("searchflickpix",),
    "barycentric correction": ("barycen",),
    "non-X-ray background": ("xtdnxbgen",),
}
"""Further tasks that users call through this engine; of several, one is enough."""

SUPPORTED_KINDS = frozenset(TASKS)

NEEDS_CALDB = frozenset({"expmap", "rmf", "raytrace", "arf"})
_NEEDS_ARF_RELEASE = frozenset({"raytrace", "arf"})


def refusal(kind: str, installed: Installation) -> str:
    """Why this installation cannot make products of a kind; empty when it can."""
    if kind not in TASKS:
        return f"this engine makes no products of kind {kind!r}"
    if missing := installed.missing(*TASKS[kind]):
        return f"the HEASoft task {', '.join(missing)} is not installed"
    if kind in _NEEDS_ARF_RELEASE and (problem := installed.arf_problem()):
        return problem
    if kind in NEEDS_CALDB and not installed.caldb.usable:
        return f"the calibration database cannot be used: {installed.caldb.problem}"
    return ""
