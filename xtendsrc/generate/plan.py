"""The batch before it runs: what is asked for, what that needs, and what the registry already has.

Planning reads file sizes and times and the registry's index; it makes nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from os.path import basename
from pkgutil import resolve_name
from typing import TYPE_CHECKING, cast

from xtendsrc.engines import engine, engine_name, engines
from xtendsrc.errors import (
    CalibrationMissingError,
    EngineUnavailableError,
    InputNotFoundError,
    RequestError,
    XtendsrcError,
)
from xtendsrc.products.kinds import kind
from xtendsrc.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from astropy.table import Table

    from xtendsrc.products.base import Product, Target
    from xtendsrc.products.request import Request
    from xtendsrc.registry import Registry


RECENT_SECONDS = 1.0
"""How long a look at input files is good for reading products; planning and `status` always look."""


@dataclass(frozen=True)
class Step:
    """One product of a batch.

    Parameters
    ----------
    request, target
        What to make, from what, and where to keep it.
    status : str
        ``missing``, ``ready``, ``stale`` or ``failed``, before the batch.
    reason : str
        Why, in words.
    state : str
        Hash of everything the product depends on, as it is now.
    inputs : mapping of str to str
        Fingerprint of each input, by file name or by the field of the product it needs.
    engine : str
        Which engine makes it; empty when it is ready.
    stage : int
        How many changes of engine lie between the files and this product.
    wanted : bool
        Whether the user asked for it, rather than another product that needs it.
    problem : XtendsrcError or None
        Why it cannot be made here at all.
    other_engine : bool
        Whether it is made again only because another engine is asked for.
    needs : mapping of str to Request
        The products it is made from here, by field: without the optional ones that no engine can make.
    role : str
        ``bkg`` for what belongs to a background, for its file name.
    automatic : bool
        Whether no engine was asked for, so that another one may step in.
    """

    request: Request
    target: Target
    status: str
    reason: str
    state: str
    inputs: Mapping[str, str]
    engine: str = ""
    stage: int = 0
    wanted: bool = True
    problem: XtendsrcError | None = None
    other_engine: bool = False
    needs: Mapping[str, Request] = field(default_factory=dict)
    role: str = ""
    automatic: bool = False

    @property
    def ident(self) -> tuple[str, str]:
        """The registry's directory and the key: what makes a step unique in a batch."""
        return str(self.target.registry.root), self.request.key


@dataclass
class Plan:
    """The steps of a batch, each after what it needs, and the sources that asked for them by registry and key."""

    steps: dict[tuple[str, str], Step] = field(default_factory=dict)
    asked: dict[Registry, dict[str, list[str]]] = field(default_factory=dict)

    @property
    def todo(self) -> list[Step]:
        """The steps that have to run, in order."""
        return [s for s in self.steps.values() if s.engine or s.problem]

    def table(self) -> Table:
        """Table with one row for each product that would be made, with the reason."""
        from astropy.table import Table

        rows = [
            (
                s.target.source,
                s.request.obs_id,
                s.request.dataclass,
                s.request.label,
                s.status,
                str(s.problem) if s.problem else s.reason,
                s.engine or "none",
                s.request.key,
            )
            for s in self.todo
        ]
        names = ("source", "obs_id", "dataclass", "product", "status", "reason", "engine", "key")
        return Table(rows=rows, names=names) if rows else Table(names=names, dtype=("U64",) * len(names))


class States:
    """Computes states, remembering the fingerprint of each file and the state of each product met."""

    def __init__(self) -> None:
        self._makeable: dict[tuple[str, str], bool] = {}
        self._files: dict[tuple[str, str], str] = {}
        self._states: dict[tuple[str, str, str], tuple[str, dict[str, str]]] = {}

    def needs(self, request: Request, preferred: str) -> dict[str, Request]:
        """Return what a product is made from here, by field, without the optional ones that no engine can make."""
        optional = request.optional_needs()
        return {r: n for r, n in request.needs().items() if r not in optional or self._can_make(n, preferred)}

    def _can_make(self, request: Request, preferred: str) -> bool:
        ident = (request.key, preferred)
        if ident not in self._makeable:
            try:
                for one in request.walk():
                    choose_engine(one, preferred)
                self._makeable[ident] = True
            except EngineUnavailableError:
                self._makeable[ident] = False
        return self._makeable[ident]

    def walk(self, request: Request, preferred: str) -> Iterator[Request]:
        """Yield a request after everything it is made from here."""
        for need in self.needs(request, preferred).values():
            yield from self.walk(need, preferred)
        yield request

    def of(self, request: Request, target: Target, preferred: str = "auto") -> tuple[str, dict[str, str]]:
        """Return the state of a product and the fingerprints it comes from.

        Raises
        ------
        InputNotFoundError
            If an input file the product needs is not there.
        """
        ident = (str(target.registry.root), request.key, preferred)
        if ident not in self._states:
            self._states[ident] = self._compute(request, target, preferred)
        return self._states[ident]

    def _compute(self, request: Request, target: Target, preferred: str) -> tuple[str, dict[str, str]]:
        from xtendsrc.registry import state_inputs, state_of_inputs

        prints = {name: self._fingerprint(path, target.registry) for name, path in input_paths(request, target).items()}
        needs = {role: self.of(need, target, preferred)[0] for role, need in self.needs(request, preferred).items()}
        caldb = _calibration(request, target.registry)
        inputs = state_inputs(prints, needs, request.schema, caldb)
        return state_of_inputs(inputs), inputs

    def _fingerprint(self, path: str, registry: Registry) -> str:
        ident = (str(registry.root), path)
        if ident not in self._files:
            self._files[ident] = registry.fingerprint(path).sha256
        return self._files[ident]


class _Recent(threading.local):
    """The states of one thread's last look at its inputs."""

    states: States | None = None
    until: float = 0.0


_recent = _Recent()


def recent_states() -> States:
    """Return states that are at most `RECENT_SECONDS` old, shared by all that is read in this thread meanwhile."""
    now = time.monotonic()
    if _recent.states is None or now >= _recent.until:
        _recent.states, _recent.until = States(), now + RECENT_SECONDS
    return _recent.states


def input_paths(request: Request, target: Target) -> dict[str, str]:
    """Return the input files of a product by role and file name, so that moving a directory changes no state.

    Raises
    ------
    InputNotFoundError
        If the observation lacks one.
    """
    found = {}
    for role in (*request.roles, *request.optional_roles):
        paths = target.files.get(role, ())
        if not paths and role in request.roles:
            raise InputNotFoundError(
                f"Observation {request.obs_id} ({request.dataclass}) has no {role} file, "
                f"which its {request.label} needs.",
                "complete the observation directory (`xtendsrc inspect` lists what it holds).",
            )
        found.update({f"{role} {basename(path)}": path for path in paths})  # noqa: PTH119  (asked for every product)
    return found


def _calibration(request: Request, registry: Registry) -> str | None:
    """Return the calibration that enters a calibrated product, or the one it was made with where none is here."""
    if not request.calibrated:
        return None
    for name in engines():
        if request.recipe(name) is not None and (version := engine(name).calibration()) is not None:
            return version
    entry = registry.entry(request.key)
    return entry.versions.get("caldb") if entry is not None else None


def status(request: Request, target: Target, states: States | None = None) -> tuple[str, str]:
    """Return the status of one product and the reason for it.

    Returns
    -------
    status : str
        ``missing``, ``ready``, ``stale`` or ``failed``.
    reason : str
        In words; empty when ready.
    """
    try:
        state, inputs = (states or States()).of(request, target, preference("auto", target))
    except (XtendsrcError, OSError) as error:
        return "missing", str(error)
    found = target.registry.status(request.key, state, inputs)
    return found.status, found.reason


def refusal(request: Request, name: str) -> str:
    """Return why an engine cannot make a request here; an empty text if it can."""
    recipe = request.recipe(name)
    if recipe is None:
        return f"the {name} engine makes no {request.kind}"
    if recipe.refusal and (reason := resolve_name(recipe.refusal)(request)):
        return str(reason)
    return engine(name).refusal(recipe)


def choose_engine(request: Request, wanted: str) -> str:
    """Return the name of the engine that makes a request here: the first that can, or the one wanted.

    Raises
    ------
    EngineUnavailableError
        If the engine wanted, or any, cannot; `CalibrationMissingError` for a calibrated response that none can make.
    """
    derived = kind(request.kind).derived
    reasons = {}
    for name in engines() if wanted == "auto" or derived else (wanted,):
        reason = refusal(request, name)
        if not reason:
            return name
        reasons[name] = reason
    told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    if request.calibrated:
        raise CalibrationMissingError(
            f"The calibrated {request.kind} of {request.obs_id} cannot be made here ({told}).",
            'install HEASoft and CALDB (`xtendsrc doctor` says how), or ask for response="nominal", '
            "which is not calibrated.",
        )
    raise EngineUnavailableError(f"The {request.label} cannot be made here ({told}).", "run `xtendsrc doctor`.")


def build(products: Iterable[Product], wanted_engine: str = "auto", force: bool = False) -> Plan:
    """Plan a batch.

    Parameters
    ----------
    products : iterable of Product
        What is wanted.
    wanted_engine : str
        ``auto`` follows each product's own choice, then `xtendsrc.settings`.
    force : bool
        Whether to make again what is ready (only what was asked for, not what it needs).
    """
    engine_name(wanted_engine)
    plan, states = Plan(), States()
    for product in products:
        preferred = preference(wanted_engine, product.target)
        asked = plan.asked.setdefault(product.target.registry, {})
        background: set[str] | None = None
        for request in states.walk(product.request, preferred):
            ident = (str(product.target.registry.root), request.key)
            asked.setdefault(request.key, []).append(product.target.source)
            wanted = request is product.request or request.key == product.request.key
            if ident not in plan.steps or (wanted and not plan.steps[ident].wanted):
                step = _step(request, product.target, states, preferred, wanted, force and wanted, plan)
                if step.engine:
                    background = _background_keys(product.request) if background is None else background
                    step = replace(step, role="bkg" if request.key in background else "")
                plan.steps[ident] = step
    return plan


def _background_keys(request: Request) -> set[str]:
    """Return the keys of what a product needs for its background alone."""
    own: set[str] = set()
    behind: set[str] = set()

    def visit(one: Request, inside: bool) -> None:
        (behind if inside else own).add(one.key)
        for name, need in one.needs().items():
            visit(need, inside or name == "background")

    visit(request, False)
    return behind - own


def preference(wanted: str, target: Target) -> str:
    """Return the engine asked for: by the call, else by the product, else by the settings."""
    for choice in (wanted, target.engine, settings.engine):
        if choice != "auto":
            return str(choice)
    return "auto"


def _step(
    request: Request, target: Target, states: States, preferred: str, wanted: bool, force: bool, plan: Plan
) -> Step:
    """Decide what one product of the batch needs done."""
    try:
        state, inputs = states.of(request, target, preferred)
    except XtendsrcError as error:
        return Step(request, target, "missing", str(error), "", {}, wanted=wanted, problem=error)
    found = target.registry.status(request.key, state, inputs)
    what, reason = found.status, found.reason
    maker = _other_maker(request, target, preferred) if what == "ready" else ""
    if maker:
        what, reason = "stale", f"it was made by the {maker} engine and {preferred} is asked for"
    if what == "ready" and not force:
        return Step(request, target, what, reason, state, inputs, wanted=wanted)
    try:
        chosen = choose_engine(request, preferred)
    except XtendsrcError as error:
        return Step(request, target, what, reason, state, inputs, wanted=wanted, problem=error)
    needs = states.needs(request, preferred)
    before = [plan.steps[(str(target.registry.root), n.key)] for n in needs.values()]
    stage = max((n.stage + (n.engine != chosen) for n in before if n.engine), default=0)
    reason = "asked for again" if force and what == "ready" else reason
    step = Step(request, target, what, reason, state, inputs, chosen, stage, wanted, None, bool(maker), needs)
    return replace(step, automatic=preferred == "auto")


def _other_maker(request: Request, target: Target, preferred: str) -> str:
    """Return the engine that made a product, if it is not the one asked for by name; empty if nothing is amiss."""
    if preferred == "auto" or kind(request.kind).derived:
        return ""
    entry = target.registry.entry(request.key)
    return entry.engine if entry is not None and entry.engine != preferred else ""


def flatten(things: Iterable[object]) -> list[Product]:
    """Convert products and collections of products, nested or not, into one list.

    What is made from several products when it is asked for, such as a joint fit, is its ``parts``.

    Raises
    ------
    RequestError
        If something else is among them.
    """
    flat: list[Product] = []
    for thing in things:
        if (parts := getattr(thing, "parts", None)) is not None:
            flat.extend(flatten(parts))
        elif hasattr(thing, "request") and hasattr(thing, "target"):
            flat.append(cast("Product", thing))
        elif isinstance(thing, Iterable) and not isinstance(thing, (str, bytes)):
            flat.extend(flatten(thing))
        else:
            raise RequestError(f"{thing!r} is not a product.", "give products, or collections of them.")
    return flat
