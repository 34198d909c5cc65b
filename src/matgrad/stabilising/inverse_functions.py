"""Inverse functions near the point where they have an infinite slope, and those typed as logarithms."""

from __future__ import annotations

from fractions import Fraction

from matgrad.stabilising.rule import AHEAD
from matgrad.tensor import builders as b
from matgrad.tensor.builders import map_, number, power, scaled
from matgrad.tensor.nodes import Map, Named, Node, Sum

HALF = Fraction(1, 2)


@AHEAD.add(
    "inverse hyperbolic function as a logarithm",
    "log(x + sqrt(x^2 + c)) = arcsinh(x/sqrt(c)) + log(c)/2, log(x + sqrt(x^2 - c)) = arccosh(x/sqrt(c)) + log(c)/2",
    because="for x < 0 the terms cancel, and so do those of the derivatives; x^2 may overflow",
    on=(Map,),
    examples=(
        ("log(x + sqrt(x.^2 + 1)) + log(sqrt(4*x.^2 + 9) - 2*x)", "x: vector(n)"),
        ("s = sqrt((1 + a)^2 - 1); log(1 + a + s)", "a: positive"),
    ),
)
def inverse_hyperbolic(node: Node) -> Node | None:
    assert isinstance(node, Map)
    inner = node.args[0]
    if node.function != "log" or not isinstance(inner, Sum):
        return None
    for factor, term in inner.terms:
        root = term
        while isinstance(root, Named):
            root = root.value
        if factor != 1 or not isinstance(root, Map) or root.function != "power" or root.parameter != HALF:
            continue
        rest = b.subtract(inner, term)
        value = b.as_number(b.subtract(root.args[0], power(rest, 2)))
        if value is None or value == 0 or b.as_number(rest) is not None:
            continue
        scale = b.broadcast(power(number(abs(value)), -HALF), rest.shape)
        found = map_("arcsinh" if value > 0 else "arccosh", (b.multiply(rest, scale),))
        return b.add([found, scaled(map_("log", (number(abs(value), rest.shape),)), HALF)])
    return None


@AHEAD.add(
    "angle or distance near 0",
    "arccos(1 - u) = 2*arctan(sqrt(u/(2 - u))), arccosh(1 + u) = 2*arcsinh(sqrt(u/2))",
    because="1 ± u has few digits of a small u",
    on=(Map,),
    examples=(
        ("arccos(1 - a^2/9)", "a: scalar"),
        ("arccosh(1 + 2*norm2(x - y)^2/(1 + norm2(x)^2))", "x: vector(n); y: vector(n)"),
    ),
)
def near_zero_angle(node: Node) -> Node | None:
    assert isinstance(node, Map)
    signs = {"arccos": -1, "arccosh": 1}
    if node.function not in signs:
        return None
    gap = scaled(b.subtract(node.args[0], number(1, node.shape)), signs[node.function])
    if any(b.as_number(term) is not None for term in b.linear_terms(gap)):
        return None
    if node.function == "arccosh":
        return scaled(map_("arcsinh", (power(scaled(gap, HALF), HALF),)), 2)
    rest = b.subtract(number(2, node.shape), gap)  # exact where it is small
    return scaled(map_("arctan", (power(b.multiply(gap, power(rest, -1)), HALF),)), 2)
