"""Norms read off the graph, where they are roots of sums of squares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TypeGuard

from matgrad.formula.syntax import MATRIX, SCALAR_TYPE, VECTOR, Expr, Type
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Einsum, Map, Node
from matgrad.translate.algebra import call, cost, number, power, times, transposed, turned_kron

Signed = Callable[[Node], tuple[int, Expr]]


def norm(node: Node, signed: Signed) -> Expr | None:
    """norm2(x), where the node is the sum of the squares of all entries of x."""
    if not is_total(node) or node.coefficient != 1:
        return None
    squares, labels = node.operands[0], node.subscripts[0]
    if not isinstance(squares, Map) or squares.function != "power" or len(set(labels)) != len(labels):
        return None
    exponent = squares.parameter / 2
    if exponent.denominator != 1 or exponent < 1:
        return None
    _, inside = signed(b.power(squares.args[0], exponent))
    if inside.op == "transpose":
        inside = inside.args[0]
    if inside.op == "call":
        inside = min(inside, turned_kron(inside), key=cost)
    return call("norm2", inside, type=SCALAR_TYPE)


def is_total(node: Node) -> TypeGuard[Einsum]:
    """Whether it is the sum of the entries of something, perhaps times a number."""
    return isinstance(node, Einsum) and not node.out and len(node.operands) == 1


def norm_of_rows(node: Node, signed: Signed) -> Expr | None:
    """norm2(X, dim=2), where the node is the sum of squares along each row; norm2(X, dim=1)' for columns."""
    if not isinstance(node, Einsum) or len(node.operands) != 1 or node.coefficient != 1:
        return None
    squares, labels = node.operands[0], node.subscripts[0]
    if not (isinstance(squares, Map) and squares.function == "power" and squares.parameter == 2):
        return None
    if len(set(labels)) != 2 or len(node.out) != 1:
        return None
    _, inside = signed(squares.args[0])
    by_column = labels[1] == node.out[0]
    if inside.op == "transpose":
        inside, by_column = inside.args[0], not by_column
    kind = "row" if by_column else VECTOR
    found = call("norm2", inside, type=Type(kind, node.shape), dim=1 if by_column else 2)
    return transposed(found) if by_column else found


def _of_symmetric(node: Node) -> bool:
    """Whether the squares are those of the entries of a symmetric matrix, whose sum is tr(S^2)."""
    squares = node.operands[0] if isinstance(node, Einsum) else node
    return isinstance(squares, Map) and squares.parameter == 2 and b.is_symmetric(squares.args[0])


def squared(node: Node, root: Expr, written: Mapping[Node, Expr]) -> Expr:
    """The square of a norm: norm2(x)^2 or x'*x, in the words of the formula; else the shorter."""
    square = power(root, Fraction(2))
    (inside,) = root.args
    typed = written.get(node)
    if typed is not None and typed.op == "call" and inside.op == "power":
        return typed
    if b.power(node, Fraction(1, 2)) in written:
        return square
    if inside.op == "power" and inside.value == ".^" and inside.args[1].op == "number":  # sum(x.^4), not norm2(x.^2)^2
        return call("sum", power(inside.args[0], 2 * inside.args[1].value), type=SCALAR_TYPE)
    if inside.kind == MATRIX and _of_symmetric(node):
        return call("tr", Expr("power", (inside, number(2)), "^", type=inside.type), type=SCALAR_TYPE)
    if inside.kind != VECTOR:
        return square
    inner = times(transposed(inside), inside)
    return inner if written.get(node) == inner or cost(inner) <= cost(square) else square
