"""Maxima and minima that the normal form writes by relu: y + relu(x - y) would round what is left of x."""

from __future__ import annotations

from fractions import Fraction

from matgrad.stabilising.rule import LAST
from matgrad.tensor import builders as b
from matgrad.tensor.builders import map_, scaled
from matgrad.tensor.laws.shared import is_map
from matgrad.tensor.nodes import Node, Sum


@LAST.add(
    "relu beside what it is compared with",
    "y + relu(x - y) = max(x, y), y - relu(y - x) = min(x, y)",
    because="y cancels in one of the two cases, and may be large beside x",
    on=(Sum,),
    examples=(
        ("max(x, y)", "x: vector(n); y: vector(n)"),
        ("max(min(x, c), -c)", "x: vector(n); c: positive"),
        ("3*c - 2*relu(c - a) + b", "a: scalar; b: scalar; c: scalar"),
        ("x - max(min(x, 1), -1)", "x: vector(n)"),
    ),
)
def relu_beside_its_terms(node: Node) -> Node | None:
    """f·t + f·relu(w) = f·max(t + w, t) for f > 0, and -f·t + f·relu(w) = -f·min(t - w, t) for f < 0, where t are the
    terms of the sum that cancel in it, as far as they do."""
    assert isinstance(node, Sum)
    known = {term: factor for factor, term in node.terms}
    for factor, relu in node.terms:
        if not is_map(relu, "relu"):
            continue
        (inner,) = relu.children
        taken: dict[Node, Fraction] = {}
        for term, own in b.linear_terms(inner).items():
            share = -own * factor
            if term is not inner and known.get(term, Fraction(0)) * share > 0:
                taken[term] = min(known[term], share, key=abs)
        if taken:
            size = abs(factor)
            beside = b.add([scaled(term, count / size) for term, count in taken.items()])
            other = b.add([beside, scaled(inner, factor / size)])
            rest = [(term, count - taken.get(term, Fraction(0))) for term, count in known.items() if term is not relu]
            extreme = map_("larger" if factor > 0 else "smaller", (other, beside))
            return b.add([scaled(extreme, size), *(scaled(term, count) for term, count in rest if count)])
    return None
