"""Model strings in XSPEC's syntax, read into a tree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xtendsrc.errors import ModelError
from xtendsrc.fit.catalogue import TABLE_MODELS, find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xtendsrc.fit.catalogue import Component, Kind

_TOKEN = re.compile(r"\s*(?:(?P<word>[A-Za-z_]\w*)|(?P<table>\{[^{}]*\})|(?P<sign>[-+*/^():])|(?P<other>\S))")


@dataclass(frozen=True)
class Leaf:
    """One component of a model; ``label`` begins the names of its parameters."""

    component: Component
    label: str

    @property
    def kind(self) -> Kind:
        """Additive, multiplicative or convolution."""
        return self.component.kind

    def __str__(self) -> str:
        text = self.component.name + (f"{{{self.component.table}}}" if self.component.table else "")
        return text if re.fullmatch(rf"{self.component.name}(_\d+)?", self.label) else f"{self.label}:{text}"


@dataclass(frozen=True)
class Sum:
    """A sum of terms, all additive or all multiplicative."""

    terms: tuple[Node, ...]

    @property
    def kind(self) -> Kind:
        """Kind of the terms."""
        return self.terms[0].kind

    def __str__(self) -> str:
        return " + ".join(str(term) for term in self.terms)


@dataclass(frozen=True)
class Product:
    """A product of factors, of which at most one is additive."""

    factors: tuple[Node, ...]

    @property
    def kind(self) -> Kind:
        """``add`` if a factor is, else ``mul``."""
        return "add" if any(factor.kind == "add" for factor in self.factors) else "mul"

    def __str__(self) -> str:
        return "*".join(_in_brackets(factor) for factor in self.factors)


@dataclass(frozen=True)
class Convolved:
    """A convolution component applied to everything right of it in its product."""

    by: Leaf
    inner: Node

    @property
    def kind(self) -> Kind:
        """Kind of what is convolved."""
        return self.inner.kind

    def __str__(self) -> str:
        return f"{self.by}*{_in_brackets(self.inner)}"


Node = Leaf | Sum | Product | Convolved


def _in_brackets(node: Node) -> str:
    return f"({node})" if isinstance(node, Sum) else str(node)


def leaves(node: Node) -> Iterator[Leaf]:
    """Yield the components of a tree in the order of the text."""
    if isinstance(node, Leaf):
        yield node
    elif isinstance(node, Convolved):
        yield node.by
        yield from leaves(node.inner)
    else:
        for part in node.terms if isinstance(node, Sum) else node.factors:
            yield from leaves(part)


def read(text: str, table_component: Callable[[str, str], Component]) -> Node:
    """Return the tree of a model string.

    Parameters
    ----------
    text : str
        Such as ``"tbabs*(powerlaw + line:gaussian)"``. ``*`` may be left out next to a bracket. A convolution component
        acts on everything right of it in its product. ``name:`` before a component names it, and its parameters.
    table_component : callable
        Returns the component of a table model, given ``atable``, ``mtable`` or ``etable`` and the path.

    Raises
    ------
    ModelError
        If the text does not follow the syntax, with the place.
    UnknownComponentError
        If it names a component that does not exist.
    """
    return _Reader(text, table_component).model()


class _Reader:
    """A recursive-descent reader: sums of products of components and brackets."""

    def __init__(self, text: str, table_component: Callable[[str, str], Component]) -> None:
        self.text = text
        self.table_component = table_component
        self.tokens = [m for m in _TOKEN.finditer(text) if m.lastgroup]
        self.at = 0
        self.labels: set[str] = set()

    def model(self) -> Node:
        if not self.tokens:
            raise ModelError("The model string is empty.", "write one, such as 'tbabs*powerlaw'.")
        node = self.sum()
        if self.at < len(self.tokens):
            raise self.wrong("is not expected here")
        if node.kind == "con":
            raise ModelError(f"{self.text!r} is a convolution of nothing.", "write what it acts on right of it.")
        return node

    def sum(self) -> Node:
        terms = [self.product()]
        while self.peek() == "+":
            self.at += 1
            terms.append(self.product())
        if len({term.kind for term in terms}) > 1:
            raise ModelError(
                f"{' + '.join(str(t) for t in terms)}: additive and multiplicative components cannot be added.",
                "multiply, or put brackets round the additive ones.",
            )
        return terms[0] if len(terms) == 1 else Sum(tuple(terms))

    def product(self) -> Node:
        factors = [self.factor()]
        while (sign := self.peek()) == "*" or sign == "(" or (self.after_bracket() and sign and sign not in "+)*"):
            self.at += sign == "*"
            factors.append(self.factor())
        return self.joined(factors)

    def joined(self, factors: list[Node]) -> Node:
        """Return the product of factors, its convolutions applied to what follows them."""
        for place, factor in enumerate(factors):
            if isinstance(factor, Leaf) and factor.kind == "con":
                if place + 1 == len(factors):
                    raise ModelError(
                        f"{self.text!r}: nothing follows the convolution {factor.label}.",
                        "write what it acts on right of it.",
                    )
                return self.joined([*factors[:place], Convolved(factor, self.joined(factors[place + 1 :]))])
        if sum(factor.kind == "add" for factor in factors) > 1:
            raise ModelError(
                f"{'*'.join(_in_brackets(f) for f in factors)}: additive components cannot be multiplied.", "add them."
            )
        return factors[0] if len(factors) == 1 else Product(tuple(factors))

    def factor(self) -> Node:
        if self.peek() == "(":
            self.at += 1
            node = self.sum()
            if self.peek() != ")":
                raise self.wrong("is where ')' is missing")
            self.at += 1
            return node
        return self.component()

    def component(self) -> Leaf:
        word = self.word()
        label = ""
        if self.peek() == ":":
            self.at += 1
            label, word = word, self.word()
        component = self.table_component(word.lower(), self.path()) if word.lower() in TABLE_MODELS else find(word)
        return Leaf(component, self.free_label(label or component.name, named=bool(label)))

    def free_label(self, wanted: str, *, named: bool) -> str:
        """Return the name of a component: the user's, or its kind with a number from the second of a kind on."""
        label = wanted
        count = 1
        while label in self.labels:
            if named:
                raise ModelError(f"Two components are named {wanted!r}.", "give each another name.")
            count += 1
            label = f"{wanted}_{count}"
        self.labels.add(label)
        return label

    def word(self) -> str:
        if self.at >= len(self.tokens) or self.tokens[self.at].lastgroup != "word":
            raise self.wrong("is where a component is expected")
        self.at += 1
        return self.tokens[self.at - 1]["word"]

    def path(self) -> str:
        if self.at >= len(self.tokens) or self.tokens[self.at].lastgroup != "table":
            raise self.wrong("is where the file of the table model is expected, as in atable{file.fits}")
        self.at += 1
        return self.tokens[self.at - 1]["table"][1:-1].strip()

    def peek(self) -> str:
        return self.tokens[self.at][0].strip() if self.at < len(self.tokens) else ""

    def after_bracket(self) -> bool:
        return self.tokens[self.at - 1][0].strip() == ")"

    def wrong(self, why: str) -> ModelError:
        if self.at >= len(self.tokens):
            return ModelError(f"{self.text!r}: the end of the text {why}.", "complete the model string.")
        token = self.tokens[self.at]
        place = token.end() - len(token[0].strip())
        return ModelError(
            f"{self.text!r}: {token[0].strip()!r} at position {place + 1} {why}.", "correct the model string."
        )
