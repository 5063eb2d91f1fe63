"""ftselect, ftcopy, fthedit, ftkeypar and ftstat."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from . import evfile, fitsfile, regfile, wcs
from .fitsfile import HDU, FitsError
from .parfile import ParameterError
from .runtime import say

if TYPE_CHECKING:
    from .parfile import Parameters


def _open(name: str) -> tuple[list[HDU], HDU]:
    """Read a file and find the HDU its name points at: a name, a number, or the first with data."""
    path, parts = fitsfile.split_name(name)
    hdus = fitsfile.read(path)
    if parts and re.fullmatch(r"\d+", parts[0]):
        if int(parts[0]) >= len(hdus):
            raise FitsError(301, f"no extension {parts[0]} in {path}")
        return hdus, hdus[int(parts[0])]
    if parts:
        found = fitsfile.extension(hdus, parts[0])
        if found is None:
            raise FitsError(301, f"no extension {parts[0]} in {path}")
        return hdus, found
    return hdus, next((hdu for hdu in hdus if hdu.data is not None), hdus[0])


def ftselect(pars: Parameters) -> int:
    """Keep the rows for which an expression is true; good times and exposures are left as they were."""
    hdus, table = _open(pars.text("infile"))
    keep = evaluate(pars.text("expression"), table, hdus)
    chosen = fitsfile.select(table, keep)
    chosen.header.drop("CHECKSUM", "DATASUM")
    chosen.header.note("HISTORY", f"ftselect {pars.text('expression')}")
    out = [chosen if hdu is table else hdu for hdu in hdus]
    if not pars.flag("copyall"):
        out = [fitsfile.image(None), chosen]
    fitsfile.write(pars.text("outfile"), out, pars.flag("clobber"))
    return 0


def evaluate(expression: str, table: HDU, hdus: list[HDU]) -> np.ndarray:
    """Evaluate a row expression: columns, numbers, comparisons, && || !, bits (``b0``), regfilter, gtifilter."""
    text = re.sub(r"\bb([01]+)\b", lambda match: str(int(match.group(1), 2)), expression)
    text = text.replace("&&", " and ").replace("||", " or ")
    text = re.sub(r"!(?!=)", " not ", text)
    text = re.sub(r"(?i)\.(and|or|not)\.", r" \1 ", text)
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise ParameterError(1, f"cannot parse the expression {expression!r}") from error
    value = np.asarray(_Evaluator(table, hdus).value(tree.body))
    return np.broadcast_to(value, (len(table.rows()),)).astype(bool)


_BINARY: dict[type, Any] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Mod: np.mod,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}


class _Evaluator:
    """Walk the tree of an expression."""

    def __init__(self, table: HDU, hdus: list[HDU]) -> None:
        self.table = table
        self.hdus = hdus

    def value(self, node: ast.AST) -> Any:
        """Return the value of a node."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self.table.column(node.id)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            return self._element(node.value.id, int(self.value(node.slice)))
        if isinstance(node, (ast.BoolOp, ast.UnaryOp)):
            return self._logical(node)
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return _BINARY[type(node.op)](self.value(node.left), self.value(node.right))
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _BINARY:
            return _BINARY[type(node.ops[0])](self.value(node.left), self.value(node.comparators[0]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._call(node.func.id.lower(), [self.value(argument) for argument in node.args])
        raise ParameterError(1, f"expression not understood: {ast.dump(node)}")

    def _logical(self, node: ast.BoolOp | ast.UnaryOp) -> Any:
        if isinstance(node, ast.BoolOp):
            parts = [np.asarray(self.value(part), bool) for part in node.values]
            reduce = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return reduce.reduce(np.broadcast_arrays(*parts))
        operand = self.value(node.operand)
        return np.logical_not(operand) if isinstance(node.op, ast.Not) else -np.asarray(operand)

    def _element(self, name: str, index: int) -> np.ndarray:
        """Return element ``index`` (from 1) of a vector or bit column."""
        values = self.table.column(name)
        form = str(self.table.header.get(f"TFORM{self.table.column_number(name)}", ""))
        if form.strip().endswith("X"):
            return (values[:, (index - 1) // 8] >> (7 - (index - 1) % 8)) & 1
        return np.asarray(values[:, index - 1])

    def _call(self, name: str, arguments: list[Any]) -> np.ndarray:
        if name == "regfilter":
            xcol, ycol = arguments[1:3] if len(arguments) > 2 else ("X", "Y")
            names = [column if isinstance(column, str) else "XY"[n] for n, column in enumerate((xcol, ycol))]
            try:
                region = regfile.read(str(arguments[0]), wcs.of_columns(self.table, *names))
            except regfile.RegionRejectedError as error:
                raise ParameterError(1, str(error)) from error
            return region.inside(*(self.table.column(column).astype(float) for column in names))
        if name == "gtifilter":
            gti = evfile.read_gti_files(str(arguments[0]), "GTI") if arguments and arguments[0] else None
            own = gti if gti is not None else evfile.find_gti(self.hdus, "GTI", self.table.header)[0]
            return evfile.in_intervals(self.table.column("TIME"), own)
        functions = {"abs": np.abs, "sqrt": np.sqrt, "floor": np.floor, "ceil": np.ceil}
        if name in functions:
            return np.asarray(functions[name](arguments[0]))
        raise ParameterError(1, f"function {name} is not known")


def ftcopy(pars: Parameters) -> int:
    """Copy a file; cuts in its name are applied to the table."""
    path, parts = fitsfile.split_name(pars.text("infile"))
    hdus = fitsfile.read(path)
    extension, filters = evfile.parse_filters(parts)
    if filters:
        table = fitsfile.extension(hdus, extension or "EVENTS")
        if table is None:
            raise FitsError(301, f"no extension {extension or 'EVENTS'} in {path}")
        keep, _ = evfile.apply_filters(table, filters)
        chosen = fitsfile.select(table, keep)
        chosen.header.drop("CHECKSUM", "DATASUM")
        hdus = [chosen if hdu is table else hdu for hdu in hdus]
    fitsfile.write(pars.text("outfile"), hdus, pars.flag("clobber"))
    return 0


def fthedit(pars: Parameters) -> int:
    """Add, replace or delete a keyword in place."""
    hdus, hdu = _open(pars.text("infile"))
    key, operation = pars.text("keyword").upper(), pars.text("operation").lower()
    hdu.header.drop("CHECKSUM", "DATASUM")
    if operation in ("delete", "deleteall"):
        if key not in hdu.header:
            say(f"Warning: keyword {key} not found")
        hdu.header.drop(key)
    else:
        text = pars.text("value")
        value = fitsfile.parse_value(f"{key:8s}= {text}") if re.fullmatch(r"[-+.\deE]+|T|F", text) else text
        comment = pars.text("comment")
        hdu.header.set(key, value, "" if comment == "-" else comment)
    fitsfile.write(fitsfile.split_name(pars.text("infile"))[0], hdus)
    return 0


def ftkeypar(pars: Parameters) -> int:
    """Put the value of a keyword into the parameter file."""
    _, hdu = _open(pars.text("infile"))
    key = pars.text("keyword").upper()
    found = key in hdu.header
    pars.put("exist", found)
    if not found:
        raise FitsError(202, f"keyword {key} not found")
    pars.put("value", hdu.header.get(key))
    pars.put("strval", hdu.header.get(key))
    return 0


def ftstat(pars: Parameters) -> int:
    """Return statistics of an image, to the screen and to the parameter file."""
    _, hdu = _open(pars.text("infile"))
    if hdu.data is None or hdu.is_table:
        raise FitsError(213, "not an image")
    values = hdu.data.astype(float).ravel()
    results = {"sum": values.sum(), "mean": values.mean(), "sigma": values.std(ddof=1)}
    results |= {"min": values.min(), "max": values.max()}
    for name, value in results.items():
        say(f"{name:>6s}: {value:.15g}")
        pars.put(name, f"{value:.15g}")
    return 0
