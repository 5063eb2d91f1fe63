"""What may import what, and what an import may cost."""

import ast
import json
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import xtendsrc

ROOT = Path(xtendsrc.__file__).parent
ONLY_PLACE = {"subprocess": ("engines/heasoft/", "fit/"), "h5py": ("registry/",), "matplotlib": ("view/", "/view.py")}
PURE = {"engines", "registry", "products", "generate", "view", "source", "cli"}
"""Rooms that hold numbers, files and geometry import none of these."""
FORBIDDEN = {
    **dict.fromkeys(("errors", "settings"), PURE | {"events", "regions", "measure", "responses", "fit", "archive"}),
    **dict.fromkeys(("events", "instrument", "regions", "measure", "responses", "fit", "archive", "caldb"), PURE),
    "engines": {"registry", "products", "generate", "view", "source", "cli"},
    "registry": {"engines", "products", "generate", "view", "source", "cli", "events", "regions", "measure"},
    "products": {"source", "simulate", "archive", "cli"},
    "generate": {"view", "simulate", "source", "cli"},
    "view": {"engines", "generate", "registry", "source", "cli"},
    "simulate": {"engines", "registry", "products", "generate", "view", "source", "cli"},
    "source": {"cli", "simulate"},
}


def modules():
    return sorted(ROOT.rglob("*.py"))


def imported(path: Path, typing_too: bool = False):
    """Yield the dotted names a module imports, leaving out those for type checking only."""
    tree = ast.parse(path.read_text())
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING" and not typing_too:
            skipped.update(id(child) for child in ast.walk(node))
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("library", ONLY_PLACE)
def test_a_library_is_imported_in_its_own_place_only(library):
    users = {p.relative_to(ROOT).as_posix() for p in modules() if any(n.split(".")[0] == library for n in imported(p))}
    assert users
    places = ONLY_PLACE[library]
    wrong = {
        user for user in users if not any(user.startswith(p) or (p[0] == "/" and user.endswith(p)) for p in places)
    }
    assert not wrong


def test_arrows_do_not_point_back():
    wrong = []
    for path in modules():
        part = path.relative_to(ROOT).parts[0].removesuffix(".py")
        for name in imported(path):
            pieces = name.split(".")
            if pieces[0] == "xtendsrc" and len(pieces) > 1 and pieces[1] in FORBIDDEN.get(part, ()):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_the_stand_in_heasoft_uses_nothing_else_of_the_package():
    for path in (ROOT / "testing" / "heasoft").rglob("*.py"):
        for name in imported(path, typing_too=True):
            assert not name.startswith("xtendsrc.") or name.startswith("xtendsrc.testing.heasoft"), (path, name)


def test_import_has_no_side_effects(tmp_path):
    script = """
import json, os, sys, threading, warnings
before = (list(warnings.filters), threading.active_count(), sorted(os.listdir(".")))
import xtendsrc
after = (list(warnings.filters), threading.active_count(), sorted(os.listdir(".")))
heavy = [m for m in ("matplotlib", "h5py", "scipy", "astroquery", "xga", "astropy", "numpy") if m in sys.modules]
print(json.dumps({"same": before == after, "heavy": heavy}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"HOME": str(tmp_path)},
    )
    assert json.loads(done.stdout) == {"same": True, "heavy": []}
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_every_public_name_exists():
    for name in xtendsrc.__all__:
        assert getattr(xtendsrc, name) is not None


def test_no_module_needs_itself():
    """Neither when it is imported nor later: cycles hide behind imports within functions."""
    names = {}
    for path in modules():
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    graph = {}
    for name, path in names.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        wanted = set(imported(path)) | {f"{package}.{relative}" for relative in from_the_same(path)}
        found = {full if full in names else full.rpartition(".")[0] for full in wanted}
        graph[name] = {module for module in found if module in names and module != name}
    assert len(graph) > 100
    TopologicalSorter(graph).prepare()  # it names the cycle, if there is one


def from_the_same(path: Path):
    """Yield what a module imports from its own package by a dot, leaving out what is for type checking only."""
    tree = ast.parse(path.read_text())
    checked = [n for n in ast.walk(tree) if isinstance(n, ast.If) and getattr(n.test, "id", "") == "TYPE_CHECKING"]
    skipped = {id(child) for node in checked for child in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and id(node) not in skipped:
            yield from ([node.module] if node.module else [alias.name for alias in node.names])
