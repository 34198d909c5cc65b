"""Logarithms of sums of two exponentials that are left once all else is stable: by the larger of the two."""

from __future__ import annotations

from fractions import Fraction

from matgrad.stabilising.differences import parts_of, without
from matgrad.stabilising.rule import LAST
from matgrad.tensor import builders as b
from matgrad.tensor.builders import map_, scaled
from matgrad.tensor.nodes import Constant, Einsum, Map, Node, Sum, topological


@LAST.add(
    "logarithm of two exponentials",
    "u + softplus(v - u) = logaddexp(u, v)",
    because="where u is far below v, adding v - u to u leaves nothing of v",
    on=(Sum,),
    examples=(
        ("log(exp(a) + exp(c)) + a", "a: scalar; c: scalar"),
        ("y.*log(w.*exp(-x.^2) + exp(c - x)) - y", "x: vector(n); y: vector(n); w: positive vector(n); c: scalar"),
    ),
)
def logarithm_of_two(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    factors = {term: factor for factor, term in node.terms}
    for factor, part in parts_of(node, {"softplus"}):
        if part.count != 1:
            continue
        inside = b.linear_terms(part.factor.children[0])
        beside = {term: b.linear_terms(part.times(term)) for term in inside}
        shared = {term for term, own in beside.items() if own and all(
            factors.get(t, Fraction(0)) / (-factor * inside[term] * size) >= 1 for t, size in own.items())}  # fmt: skip
        if len(shared) < len(inside) and any(_varies(term) for term in shared):
            first, second = (b.add([scaled(t, sign * inside[t]) for t in inside if (t in shared) is (sign < 0)])
                             for sign in (-1, 1))  # fmt: skip
            left = [scaled(t, factors[t] + factor * inside[term] * size) for term in shared
                    for t, size in beside[term].items()]  # fmt: skip
            new = part.times(map_("log_add", (first, second)))
            return without(node, {part.term, *(t for term in shared for t in beside[term])},
                           b.add([scaled(new, factor), *left]))  # fmt: skip
    return None


def _varies(term: Node) -> bool:
    """Whether it is more than a number, such as log(3)."""
    return any(not isinstance(node, Constant | Einsum | Map | Sum) for node in topological(term))
