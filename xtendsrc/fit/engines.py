"""Which engine runs a fit: the first that knows every component of its models."""

from __future__ import annotations

import importlib.util
import shutil
from typing import TYPE_CHECKING, Any

from xtendsrc.errors import EngineUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xtendsrc.fit.model import Model
    from xtendsrc.fit.parameters import SpectralModel

LIBRARY = "xspectrampoline"
HOW_TO_BRING = {
    "native": "run 'xtendsrc models fetch', or set xs.settings.atomdb",
    "xspec-library": f"install the extra xtendsrc[xspec-library] ({LIBRARY})",
    "xspec": "install HEASoft, so that PyXspec can be imported or the program xspec is found",
}


def missing(model: SpectralModel, engine: str) -> list[str]:
    """Return the components of a model that an engine does not know."""
    return [leaf.label for leaf in getattr(model, "leaves", ()) if engine not in known_to(leaf.component)]


def tables_lacking(model: SpectralModel, engine: str) -> list[str]:
    """Return the components of a model for which AtomDB's tables are needed here and not found."""
    from xtendsrc.fit import atomdb
    from xtendsrc.fit.components import PLASMA
    from xtendsrc.fit.library import needing_tables

    needing = {"native": frozenset(PLASMA), "xspec-library": needing_tables()}.get(engine, frozenset())
    needed = [leaf.label for leaf in getattr(model, "leaves", ()) if leaf.component.name in needing]
    return needed if needed and not atomdb.root() else []


def known_to(component: Any) -> tuple[str, ...]:
    """Return the engines that know a component."""
    engines: tuple[str, ...] = tuple(component.engines)
    return engines


def available(engine: str) -> str:
    """Return why an engine cannot run here; empty text if it can."""
    if engine == "native":
        return ""
    if engine == "xspec-library":
        return "" if importlib.util.find_spec(LIBRARY) else f"{LIBRARY} is not installed"
    if importlib.util.find_spec("xspec") or shutil.which("xspec"):
        return ""
    return "neither PyXspec nor the program xspec is found"


def choose(models: Sequence[SpectralModel], wanted: str = "auto") -> str:
    """Return the engine that runs a fit.

    Parameters
    ----------
    models : sequence of SpectralModel
        Every model of the fit.
    wanted : str
        An engine, or ``auto`` for the first of native, xspec-library and xspec that knows every component.

    Raises
    ------
    EngineUnavailableError
        If there is none; it names the components that are missing and what would bring them.
    """
    order = ("native", "xspec-library", "xspec") if wanted == "auto" else (wanted,)
    reasons: dict[str, str] = {}
    for engine in order:
        reason = _refusal(models, engine)
        if not reason:
            return engine
        reasons[engine] = reason
    said = "; ".join(f"{engine}: {reason}" for engine, reason in reasons.items())
    raise EngineUnavailableError(f"No engine can make this fit here ({said}).", _how(reasons))


def _refusal(models: Sequence[SpectralModel], engine: str) -> str:
    """Return why an engine cannot run models here; empty text if it can."""
    if lacking := sorted({name for model in models for name in missing(model, engine)}):
        return f"it does not know {', '.join(lacking)}"
    if without := sorted({name for model in models for name in tables_lacking(model, engine)}):
        return f"AtomDB's tables, which {', '.join(without)} needs, were not found"
    return available(engine)


def prepared(model: Model, engine: str) -> Model:
    """Return a model that can be evaluated: its components without native code by XSPEC's library, where that is."""
    if engine != "xspec-library" or not missing(model, "native"):
        return model
    from xtendsrc.fit.library import LibraryModels

    return model.using(LibraryModels())


def _how(reasons: Mapping[str, str]) -> str:
    ways = [way for engine, way in HOW_TO_BRING.items() if engine in reasons and "know" not in reasons[engine]]
    return (" or ".join(ways) if ways else "use components that are listed by xtendsrc.models()") + "."
