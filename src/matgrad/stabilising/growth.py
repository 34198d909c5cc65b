"""What grows, and what may underflow: the factors whose products and quotients are formed by their logarithms."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from matgrad.tensor import builders as b
from matgrad.tensor.builders import Operand, einsum
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.facts.signs import selects
from matgrad.tensor.laws.shared import is_apply, is_map, power_of
from matgrad.tensor.nodes import Einsum, Map, Named, Node, Sum

NESTED = 6
"""Nesting of sums and products in which exponentials are looked for."""


def pairs_of(node: Node) -> list[Operand]:
    assert isinstance(node, Einsum)
    return list(zip(node.operands, node.subscripts, strict=True))


def exchanged(node: Node, gone: set[int], new: list[Operand], coefficient: Fraction | int = 1) -> Node:
    """The contraction with some operands exchanged for others."""
    assert isinstance(node, Einsum)
    left = [pair for place, pair in enumerate(pairs_of(node)) if place not in gone]
    return einsum([*left, *new], node.out, node.coefficient * coefficient, dict(enumerate(node.sizes)))


def multiple(node: Node, of: Node) -> Fraction | None:
    """c, where the node is c·of."""
    mine, other = b.linear_terms(node), b.linear_terms(of)
    if not mine or mine.keys() != other.keys():
        return None
    factors = {mine[term] / other[term] for term in mine}
    return factors.pop() if len(factors) == 1 else None


_GROWING = frozenset(("exp", "cosh", "sinh", "normpdf", "normcdf"))


def grows(node: Node, deep: int = NESTED) -> bool:
    """Whether a factor is made of exponentials that may overflow, or underflow together with what divides it."""
    if isinstance(node, Map):
        return node.function in _GROWING or (node.function == "pow" and positive(node.args[0]) is Fact.YES)
    if not isinstance(node, Sum | Einsum | Named) or not deep:
        return False
    key = f"grows {deep}"
    if key not in node.memo:
        node.memo[key] = any(grows(child, deep - 1) for child in node.children)
    return node.memo[key]  # type: ignore[no-any-return]


def divides(node: Node) -> bool:
    """Whether a product, or a term of a sum, is divided by what grows or may vanish."""
    return any(_falls(factor) for factor in factors_of(node))


def factors_of(node: Node) -> Iterator[Node]:
    """The factors of a node, or of the terms of a sum."""
    for term in node.children if isinstance(node, Sum) else (node,):
        yield from term.operands if isinstance(term, Einsum) else (term,)


def _falls(node: Node) -> bool:
    """Whether a factor divides by exponentials, or by what may underflow, or is exp(x - exp(x))."""
    base, count = power_of(node)
    if isinstance(base, Map) and base.function == "exp":
        return any(factor < 0 and grows(term) for term, factor in b.linear_terms(base.args[0]).items())
    return count < 0 and (grows(base) or vanishes(base))


def vanishes(node: Node) -> bool:
    return vanishing(node) is not None


def vanishing(node: Node) -> Node | None:
    """The softmax or sigmoid that a node is, or entries of which it is, or the first of several in a sum."""
    if isinstance(node, Sum):
        found = [vanishing(term) for term in node.children]
        return None if None in found else found[0]
    if isinstance(node, Einsum) and selects(node):
        return next((operand for operand in node.operands if vanishes(operand)), None)
    return node if is_apply(node, "softmax") or is_map(node, "sigmoid") else None


def restores(node: Node, beside: set[Node]) -> bool:
    """Whether a sum has factors that cancel with what is beside it: softmax(x) with 1/softmax(x)[1]."""
    inside = set(factors_of(node))
    own = {vanishing(base) for base, count in map(power_of, inside) if count > 0}
    return bool(divided_by(beside) & own or divided_by(inside) & beside)


def divided_by(factors: set[Node]) -> set[Node]:
    """What may underflow and is divided by, or an entry of which."""
    found = {vanishing(base) for base, count in map(power_of, factors) if count < 0}
    return {node for node in found if node is not None}
