"""Laws of inverse and determinant.

A law is applied only where it holds on the whole domain of the formula as typed: what it needs beyond that
(x ≠ 0 in x/x) was already needed to write the formula, and its conditions are collected from there.
"""

from __future__ import annotations

from typing import Any

from matgrad.tensor import builders as b
from matgrad.tensor.builders import einsum, number, power, scaled
from matgrad.tensor.facts import Fact, invertible
from matgrad.tensor.nodes import Apply, Einsum, Node


@b.APPLY_LAWS.add(
    "matrix functions",
    "inv(inv(X)) = X, det(inv(X)) = 1/det(X), inv(c*X) = inv(X)/c, inv(diag(d)) = diag(1./d)",
    because="the definitions of inverse and determinant",
    examples=(
        ("inv(inv(X))*x", "X: matrix(n,n); x: vector(n)"),
        ("det(inv(X))", "X: matrix(n,n)"),
        ("logdet(inv(X))", "X: matrix(n,n)"),
        ("inv(2*c*X)", "X: matrix(n,n); c: positive"),
        ("inv(diag(d))", "d: positive vector(n)"),
    ),
)
def matrix_functions(function: str, arg: Node, parameter: Any) -> Node | None:
    """inv(inv(X)) = X, inv(c·X) = inv(X)/c, inv(diag(d)) = diag(1/d), det(inv(X)) = 1/det(X), det(eye) = 1 …"""
    if parameter is not None:
        return None
    if isinstance(arg, Apply) and arg.function == "inv":
        if function == "inv":
            return arg.arg
        if function == "det":
            return power(b.apply("det", arg.arg), -1)
        if function == "logdet":
            return scaled(b.apply("logdet", arg.arg), -1)
    if not isinstance(arg, Einsum) or arg.coefficient == 0:
        return None
    operands = list(zip(arg.operands, arg.subscripts, strict=True))
    if arg.out == (0, 0) and not operands and function != "inv":
        found = {"det": number(1), "logdet": number(0), "adj": arg} if arg.coefficient == 1 else {}
        return found.get(function)
    if function != "inv":
        return None
    if arg.out == (0, 0) and all(set(s) <= {0} for _, s in operands):
        powers_ = [(power(node, -1), s) for node, s in operands]
        return einsum(powers_, arg.out, 1 / arg.coefficient, dict(enumerate(arg.sizes)))
    scalars = [node for node, s in operands if not s]
    if scalars or arg.coefficient != 1:
        rest = einsum([(n, s) for n, s in operands if s], arg.out, 1, dict(enumerate(arg.sizes)))
        outer: list[tuple[Node, tuple[int, ...]]] = [(power(node, -1), ()) for node in scalars]
        return einsum([*outer, (b.apply("inv", rest), (0, 1))], (0, 1), 1 / arg.coefficient)
    return None


@b.APPLY_LAWS.add(
    "products of square matrices",
    "inv(A*B) = inv(B)*inv(A), det(A*B) = det(A)*det(B), where one factor is known to be invertible",
    because="both factors are square",
    examples=(
        ("inv(S*A)", "S: spd(n); A: matrix(n,n)"),
        ("inv(A'*S)", "S: spd(n); A: matrix(n,n)"),
        ("det(A*S*B)", "S: spd(n); A: matrix(n,n); B: matrix(n,n)"),
        ("logdet(inv(S)*A)", "S: spd(n); A: matrix(n,n)"),
        ("det(tr(A*B)*S)", "S: spd(n); A: matrix(n,n); B: matrix(n,n)"),
        ("inv(tr(A*B)*S)", "S: spd(n); A: matrix(n,n); B: matrix(n,n)"),
    ),
)
def of_products(function: str, arg: Node, parameter: Any) -> Node | None:
    """inv(A*B) = inv(B)*inv(A), det(A*B) = det(A)*det(B) for square factors, where one has a known inverse."""
    if parameter is not None or function not in ("inv", "det", "logdet") or not isinstance(arg, Einsum):
        return None
    chain = _square_chain(arg)
    if chain is None or not any(invertible(node) is Fact.YES for node, _ in chain):
        return None
    if function == "inv":
        operands = [(b.apply("inv", node), s) for node, s in chain]
        # the axes of an inverse are those of the matrix, exchanged: inv(X)[j, i] goes with X[i, j]
        return einsum([(node, s[::-1]) for node, s in operands], arg.out[::-1], 1 / arg.coefficient)
    parts = [b.apply(function, node) for node, _ in chain]
    if function == "logdet":
        return b.add(parts) if arg.coefficient == 1 else None
    return einsum([(part, ()) for part in parts], ()) if arg.coefficient == 1 else None


def _square_chain(arg: Einsum) -> list[tuple[Node, tuple[int, ...]]] | None:
    """The factors of a product of square matrices of one size, walked from one axis to the other, or None."""
    pairs = list(zip(arg.operands, arg.subscripts, strict=True))
    if len(pairs) < 2 or arg.out != (0, 1) or len(set(arg.sizes)) != 1:
        return None
    chain: list[tuple[Node, tuple[int, ...]]] = []
    at = 0
    while pairs:
        here = [pair for pair in pairs if at in pair[1]]
        if len(here) != 1 or len(set(here[0][1])) != 2:
            return None
        chain += here
        pairs.remove(here[0])
        (at,) = set(here[0][1]) - {at}
    return chain if at == 1 else None
