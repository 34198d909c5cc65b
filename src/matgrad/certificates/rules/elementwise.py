"""Compositions f(u) with a function of one number, powers and norms."""

from __future__ import annotations

from fractions import Fraction

from matgrad.certificates.judge import CONVEX, Judge, rule
from matgrad.certificates.proof import Proof
from matgrad.certificates.rules.linear import BV
from matgrad.certificates.rules.products import semidefinite_form
from matgrad.certificates.rules.shared import is_map, operands_of, shown, weight
from matgrad.functions import card
from matgrad.tensor.builders import linear_terms, scaled
from matgrad.tensor.facts import facts_of
from matgrad.tensor.nodes import Apply, Einsum, Map, Node

INSIDE = {
    "all": ("all",),
    "nonnegative": ("nonnegative", "all"),
    "positive": ("positive", "nonnegative", "all"),
    "nonpositive": ("nonpositive", "all"),
    "negative": ("negative", "nonpositive", "all"),
}
"""The regions that contain each region, itself first."""
_DOMAINS = {"x > 0": "positive", "x >= 0": "nonnegative"}


@rule(
    "bent",
    "composition",
    "f(u) is convex where f is convex and nondecreasing and u convex, or f convex and nonincreasing and u concave, or "
    "f convex and u affine",
    source=BV + ", 3.2.4",
    examples=(
        ("exp(x'*x)", "x: vector(n)", "convex"),
        ("log(c) + sqrt(c)", "c: positive", "concave"),
        ("softplus(A*x)", "A: matrix(m,n); x: vector(n)", "convex"),
    ),
)
def composition(judge: Judge, node: Node, sign: int) -> Proof | None:
    inner = _argument(node)
    if inner is None or not isinstance(node, Map):
        return None
    known, domain = _shape(node)
    bend = known.get("convex on" if sign == CONVEX else "concave on", frozenset())
    if not bend:
        return None
    affine = judge.affine(inner)
    for region, above in INSIDE.items():
        if bend.isdisjoint(above):
            continue
        growing = next(
            (
                s
                for s, key in ((1, "increasing on"), (-1, "decreasing on"))
                if not known.get(key, frozenset()).isdisjoint(above)
            ),
            0,
        )
        bent = affine or (judge.bent(inner, sign * growing) if growing else None)
        if bent is None:
            continue
        there = [] if domain in INSIDE and region in INSIDE[domain] else _inside(judge, inner, region)
        if there is not None:
            return shown(node, sign, _said(node, sign, region, 0 if affine else growing), [bent, *there])
    return None


def _argument(node: Node) -> Node | None:
    """The x of f(x), and of polygamma(k, x): what a function of one number, once its whole number is given, is of."""
    if not isinstance(node, Map):
        return None
    known = card(node.function)
    whole = None if known is None or known.whole is None else known.arguments.index(known.whole.name)
    found = [arg for place, arg in enumerate(node.args) if place != whole]
    return found[0] if len(found) == 1 else None


def _said(node: Map, sign: int, region: str, growing: int) -> str:
    name = f"the power {node.parameter}" if node.function == "power" else node.function
    words = ["convex" if sign == CONVEX else "concave"]
    if growing:
        words.append("nondecreasing" if growing > 0 else "nonincreasing")
    where = {"all": "", "nonnegative": " for arguments ≥ 0", "positive": " for arguments > 0",
             "nonpositive": " for arguments ≤ 0", "negative": " for arguments < 0"}[region]  # fmt: skip
    return f"{name} is {' and '.join(words)}{where}"


def _inside(judge: Judge, node: Node, region: str) -> list[Proof] | None:
    if region == "all":
        return []
    turned = scaled(node, -1) if region in ("nonpositive", "negative") else node
    found = judge.fact(turned, "positive" if region in ("positive", "negative") else "nonnegative")
    return None if found is None else [found]


def _shape(node: Map) -> tuple[dict[str, frozenset[str]], str]:
    """Where the function is convex, concave, increasing, decreasing; and the region in which its domain lies."""
    if node.function == "power":
        return _power(node.parameter), "nonnegative" if node.parameter.denominator != 1 else "all"
    known = card(node.function)
    if known is None:
        return {}, "all"
    facts = {key: frozenset({said}) for key, said in facts_of(node).items() if key.endswith(" on")}
    return facts, _DOMAINS.get(known.needs, "all")


def _power(exponent: Fraction) -> dict[str, frozenset[str]]:
    """The shape of x^p. A fractional power is defined for x ≥ 0 only."""
    whole, even = exponent.denominator == 1, exponent.numerator % 2 == 0
    up: set[str] = set()
    down: set[str] = set()
    convex: set[str] = set()
    concave: set[str] = set()
    right, left = ("nonnegative", "nonpositive") if exponent > 0 else ("positive", "negative")
    (up if exponent > 0 else down).add(right)
    (concave if 0 < exponent < 1 else convex).add(right)
    if whole:
        (convex if even else concave).add(left)
        (up if even == (exponent < 0) else down).add(left)
        if even and exponent > 0:
            convex.add("all")
    if not whole and exponent < 0:
        convex.add("nonnegative")  # where it is defined, x > 0
        down.add("nonnegative")
    return {"convex on": frozenset(convex), "concave on": frozenset(concave),
            "increasing on": frozenset(up), "decreasing on": frozenset(down)}  # fmt: skip


@rule(
    "bent",
    "power with a variable exponent",
    "c^u is convex for c > 0 and affine u",
    source="c^u = exp(u*log(c))",
    examples=(("c^x[1]", "c: positive; x: vector(n)", "convex"),),
)
def exponential(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not is_map(node, "pow") or sign != CONVEX:
        return None
    assert isinstance(node, Map)
    base, exponent = node.args
    affine = None if judge.varies(base) else judge.affine(exponent)
    return None if affine is None else shown(node, sign, "an exponential of something affine", [affine])


@rule(
    "bent",
    "norm",
    "(Σ |uᵢ|^p)^(1/p), and its powers above 1, are convex for p ≥ 1 and affine u; sqrt(u'*P*u) for psd P",
    source=BV + ", 3.1.5",
    examples=(
        ("norm2(A*x - b)", "A: matrix(m,n); x: vector(n); b: vector(m)", "convex"),
        ("sqrt(1 + x'*x)", "x: vector(n)", "convex"),
        ("sum(x.^4)^(1/4)", "x: vector(n)", "convex"),
        ("sqrt(x'*P*x)", "x: vector(n); P: psd(n)", "convex"),
    ),
)
def norm(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not isinstance(node, Map) or node.function != "power" or sign != CONVEX or not 0 < node.parameter < 1:
        return None
    degrees: set[Fraction] = set()
    told: list[Proof] = []
    for term, factor in linear_terms(node.args[0]).items():
        found = _power_sum(judge, scaled(term, factor))
        if found is None:
            return None
        degrees |= found[0]
        told += found[1]
    if len(degrees) != 1 or min(degrees) < 1 or min(degrees) * node.parameter < 1:
        return None
    (degree,) = degrees
    return shown(node, sign, "a norm of something affine" if degree == 2 else f"a {degree}-norm", told)


def _power_sum(judge: Judge, node: Node) -> tuple[set[Fraction], list[Proof]] | None:
    """The degree p of a term Σ wᵢ |uᵢ|^p with weights w ≥ 0, where |u| is convex, with proofs; none for a constant."""
    if not judge.varies(node):
        found = judge.fact(node, "nonnegative")
        return None if found is None else (set(), [found])
    told: list[Proof] = []
    inner = node
    if isinstance(node, Einsum):
        form = semidefinite_form(judge, node)
        if form is not None:
            return {Fraction(2)}, form
        varying = [o for o in operands_of(node) if judge.varies(o[0])]
        constants = [o for o in operands_of(node) if not judge.varies(o[0])]
        if len(varying) != 1:
            return None
        weighted = weight(judge, node, constants, varying[0][1])
        if weighted is None or weighted[0] < 0:
            return None
        inner, told = varying[0][0], weighted[1]
    if not isinstance(inner, Map) or inner.function != "power":
        return None
    base, degree = inner.args[0], inner.parameter
    even = degree.denominator == 1 and degree.numerator % 2 == 0
    affine = judge.affine(base) if even else None
    if affine is not None:
        return {degree}, [*told, affine]
    convex, sign = judge.bent(base, CONVEX), judge.fact(base, "nonnegative")
    return None if convex is None or sign is None else ({degree}, [*told, convex, sign])


@rule(
    "bent",
    "reduction",
    "logsumexp and max are convex and nondecreasing, min is concave and nondecreasing",
    source=BV + ", 3.1.5",
    examples=(("logsumexp(A*x)", "A: matrix(m,n); x: vector(n)", "convex"), ("max(x.^2)", "x: vector(n)", "convex")),
)
def reduction(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not isinstance(node, Apply) or node.parameter is None:
        return None
    known = card(node.function)
    if known is None or known.facts.get("convex on" if sign == CONVEX else "concave on") != "all":
        return None
    if known.facts.get("increasing on") != "all":
        return None
    bent = judge.bent(node.arg, sign)
    words = "convex" if sign == CONVEX else "concave"
    return None if bent is None else shown(node, sign, f"{node.function} is {words} and nondecreasing", [bent])
