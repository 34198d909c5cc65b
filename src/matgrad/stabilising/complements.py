"""Tests that were multiplied out: y - step(z)*y is (1 - step(z))*y, since y may be infinite where both are."""

from __future__ import annotations

from matgrad.stabilising.masked import may_fail
from matgrad.stabilising.rule import LAST
from matgrad.tensor.builders import add, einsum, number, scaled, subtract
from matgrad.tensor.laws.shared import is_map
from matgrad.tensor.nodes import Einsum, Node, Sum


@LAST.add(
    "complement of a test",
    "y - step(z)*y = (1 - step(z))*y",
    because="where step(z) is 1 this is 0, though y may be infinite",
    on=(Sum,),
    examples=(
        ("exp(3*x).*y - step(x).*exp(3*x).*y", "x: vector(n); y: vector(n)"),
        ("2*exp(c)/a - 2*step(c)*exp(c)/a + c", "c: scalar; a: scalar"),
    ),
)
def complement_of_a_test(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    known = {term: factor for factor, term in node.terms}
    for factor, term in node.terms:
        for i, test in enumerate(term.operands if isinstance(term, Einsum) else ()):
            if not isinstance(term, Einsum) or not is_map(test, "step") or len(term.operands) < 2:
                continue
            pairs = list(zip(term.operands, term.subscripts, strict=True))
            sizes = dict(enumerate(term.sizes))
            labels = pairs.pop(i)[1]
            whole = einsum(pairs, term.out, term.coefficient, sizes)
            if known.get(whole) == -factor and may_fail(whole, False):
                other = subtract(test, number(1, test.shape))
                made = einsum([*pairs, (other, labels)], term.out, term.coefficient, sizes)
                rest = [scaled(x, count) for count, x in node.terms if x not in (term, whole)]
                return add([*rest, scaled(made, factor)])
    return None
