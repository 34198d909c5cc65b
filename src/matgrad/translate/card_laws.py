"""The laws on the cards, read into the tensor graph: derivatives of elementwise functions, differentials of others.

The text of a law is parsed once, on first use, and built anew for each argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from matgrad.errors import NotSupported
from matgrad.formula.parser import parse_expression
from matgrad.formula.syntax import Expr, fold
from matgrad.functions import card_in_code
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node, Shape


@lru_cache(maxsize=512)
def law_tree(text: str) -> Expr:
    """The tree of a law, untyped."""
    return parse_expression(text)


def elementwise(text: str, arg: Node) -> Node:
    """A scalar law in ``x``, applied to every entry of ``arg``."""
    return along(text, {"x": arg}, 0)


def along(text: str, names: Mapping[str, Node], reduced: int) -> Node:
    """A law in arrays whose last ``reduced`` axes are the ones that ``sum``, ``length`` and the like run over.

    Every product is elementwise, and what was reduced is broadcast against what was not.
    """
    whole = max((node.shape for node in names.values()), key=len)
    kept = len(whole) - reduced

    def visit(expr: Expr, args: list[Node]) -> Node:
        if expr.op == "name":
            return names[expr.value]
        if expr.op in ("number", "constant"):
            return b.number(expr.value) if expr.op == "number" else b.constant("pi")
        if expr.op == "neg":
            return b.scaled(args[0], -1)
        if expr.op == "add":
            shape = max((node.shape for node in args), key=len)
            return b.add([widened(node, shape) for node in args])
        if expr.op == "product":
            operators = ("*", *expr.value)
            factors = [b.power(a, -1) if o in ("/", "./") else a for a, o in zip(args, operators, strict=True)]
            shape = max((node.shape for node in factors), key=len)
            labels = tuple(range(len(shape)))
            return b.einsum([(f, labels[: len(f.shape)]) for f in factors], labels)
        if expr.op == "power":
            exponent = b.as_number(args[1])
            assert exponent is not None
            return b.power(args[0], exponent)
        if expr.op == "call" and expr.value.name == "sum":
            return b.einsum([(args[0], tuple(range(len(args[0].shape))))], tuple(range(kept)))
        if expr.op == "call" and expr.value.name == "length":
            return b.einsum([(b.size(dim), ()) for dim in whole[kept:]], ())
        if expr.op == "call":
            known = card_in_code(expr.value.name)
            assert known is not None
            if known.family == "reduction":
                return b.apply(known.name, args[0], reduced)
            shape = max((node.shape for node in args), key=len)
            return b.map_(known.name, [widened(node, shape) for node in args])
        raise NotSupported(f"{expr.op} in the law of a card: {text}")

    found: Node = fold(law_tree(text), visit)
    return found


def widened(node: Node, shape: Shape) -> Node:
    """An array of the first axes of ``shape``, or of all, repeated along the others."""
    if node.shape == shape:
        return node
    labels = tuple(range(len(shape)))
    return b.einsum([(node, labels[: len(node.shape)])], labels, 1, dict(zip(labels, shape, strict=True)))


def of_matrices(text: str, names: Mapping[str, Node]) -> Node:
    """A law in square matrices and scalars, with ``*`` the matrix product."""

    def visit(expr: Expr, args: list[Node]) -> Node:
        if expr.op == "name":
            return names[expr.value]
        if expr.op == "number":
            return b.number(expr.value)
        if expr.op == "neg":
            return b.scaled(args[0], -1)
        if expr.op == "add":
            return b.add(args)
        if expr.op == "transpose":
            return b.transpose(args[0])
        if expr.op == "product" and set(expr.value) == {"*"}:
            return _chain(args)
        if expr.op == "call" and expr.value.name == "tr":
            return b.einsum([(args[0], (0, 0))], ())
        if expr.op == "call":
            return b.apply(expr.value.name, args[0])
        raise NotSupported(f"{expr.op} in the law of a card: {text}")

    found: Node = fold(law_tree(text), visit)
    return found


def _chain(factors: list[Node]) -> Node:
    operands = []
    label = 0
    for factor in factors:
        operands.append((factor, (label, label + 1) if factor.shape else ()))
        label += 1 if factor.shape else 0
    return b.einsum(operands, (0, label) if label else ())
