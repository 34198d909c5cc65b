"""Positive nodes whose logarithm is convex or concave, and logarithms of them."""

from __future__ import annotations

from matgrad.certificates.judge import CONCAVE, CONVEX, Judge, rule
from matgrad.certificates.proof import Proof
from matgrad.certificates.rules.elementwise import INSIDE
from matgrad.certificates.rules.linear import BV
from matgrad.certificates.rules.shared import is_apply, is_map, shown
from matgrad.functions import card
from matgrad.tensor.nodes import Apply, Einsum, Map, Node, Sum


def log_shown(node: Node, sign: int, reason: str, premises: list[Proof | None]) -> Proof:
    property = "log-convex" if sign == CONVEX else "log-concave"
    return Proof(property, node, reason, tuple(p for p in premises if p is not None))


@rule(
    "bent",
    "logarithm",
    "log(u) is convex where u is log-convex, concave where u is log-concave",
    source=BV + ", 3.5",
    examples=(("log(sigmoid(x))", "x: vector(n)", "concave"), ("log(sum(exp(x)) + 1)", "x: vector(n)", "convex")),
)
def logarithm(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not is_map(node, "log"):
        return None
    assert isinstance(node, Map)
    found = judge.log_bent(node.args[0], sign)
    return None if found is None else shown(node, sign, f"the logarithm of something {found.claim}", [found])


@rule(
    "log_bent",
    "exponential",
    "exp(u) is log-convex where u is convex, log-concave where u is concave",
    source=BV + ", 3.5.1",
    examples=(("exp(x'*x)", "x: vector(n)", "log-convex"),),
)
def exponential(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not is_map(node, "exp"):
        return None
    assert isinstance(node, Map)
    found = judge.bent(node.args[0], sign)
    return None if found is None else log_shown(node, sign, "its logarithm is the exponent", [found])


@rule(
    "log_bent",
    "power",
    "u^p for log-convex or log-concave u > 0: the logarithm is p*log(u)",
    source=BV + ", 3.5.2",
    examples=(("1/sigmoid(c)", "c: scalar", "log-convex"),),
)
def power(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not is_map(node, "power"):
        return None
    assert isinstance(node, Map)
    found = judge.log_bent(node.args[0], sign if node.parameter > 0 else -sign)
    return (
        None
        if found is None
        else log_shown(node, sign, f"the power {node.parameter} of something {found.claim}", [found])
    )


@rule(
    "log_bent",
    "log-concave function",
    "sigmoid, normcdf, normpdf of something affine; of something concave, where increasing",
    source=BV + ", 3.5.1",
    examples=(("sigmoid(A*x)", "A: matrix(m,n); x: vector(n)", "log-concave"),),
)
def of_card(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not isinstance(node, Map) or sign != CONCAVE or len(node.args) != 1:
        return None
    known = card(node.function)
    if known is None or known.facts.get("log-concave on") != "all":
        return None
    growing = known.facts.get("increasing on") in INSIDE["all"]
    found = judge.bent(node.args[0], CONCAVE) if growing else judge.affine(node.args[0])
    return None if found is None else log_shown(node, sign, f"{node.function} is log-concave", [found])


@rule(
    "log_bent",
    "softmax",
    "softmax of something affine: its logarithm is z - logsumexp(z)",
    source=BV + ", 3.1.5",
    examples=(("softmax(A*x)", "A: matrix(m,n); x: vector(n)", "log-concave"),),
)
def softmax(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not is_apply(node, "softmax") or sign != CONCAVE:
        return None
    assert isinstance(node, Apply)
    found = judge.affine(node.arg)
    said = "log(softmax(z)) = z - logsumexp(z) is concave in z"
    return None if found is None else log_shown(node, sign, said, [found])


@rule(
    "log_bent",
    "determinant",
    "det(S) is log-concave on positive definite S",
    source=BV + ", 3.5.1",
    examples=(("det(S)", "S: spd(n)", "log-concave"),),
)
def determinant(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not is_apply(node, "det") or sign != CONCAVE:
        return None
    assert isinstance(node, Apply)
    parts = [judge.matrix_bent(node.arg, CONCAVE), judge.fact(node.arg, "spd")]
    return None if None in parts else log_shown(node, sign, "a determinant of positive definite matrices", parts)


@rule(
    "log_bent",
    "product",
    "products of log-convex factors are log-convex, and so are sums of them; products of log-concave "
    "factors are log-concave",
    source=BV + ", 3.5.2",
    examples=(("exp(x)'*exp(A*x)", "A: matrix(n,n); x: vector(n)", "log-convex"),),
)
def product(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not isinstance(node, Einsum) or node.coefficient <= 0 or len(set(node.out)) != len(node.out):
        return None
    summed = {x for s in node.subscripts for x in s} - set(node.out)
    if summed and sign == CONCAVE:
        return None
    parts: list[Proof | None] = []
    for operand in dict.fromkeys(node.operands):
        found = judge.log_bent(operand, sign)
        if found is None:
            return None
        parts.append(found)
    said = "log-convex" if sign == CONVEX else "log-concave"
    return log_shown(node, sign, f"a {'sum of products' if summed else 'product'} of {said} factors", parts)


@rule(
    "log_bent",
    "sum",
    "a sum of log-convex terms with weights > 0 is log-convex",
    source=BV + ", 3.5.2",
    examples=(("1 + exp(c) + exp(c^2)", "c: scalar", "log-convex"),),
)
def total(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not isinstance(node, Sum) or sign != CONVEX or any(factor < 0 for factor, _ in node.terms):
        return None
    parts = [judge.log_bent(term, sign) for _, term in node.terms]
    return None if None in parts else log_shown(node, sign, "a sum of log-convex terms", parts)


@rule(
    "log_bent",
    "positive concave",
    "what is concave and positive is log-concave",
    source=BV + ", 3.5.1",
    examples=(("1 + sqrt(c)", "c: positive", "log-concave"),),
)
def positive_concave(judge: Judge, node: Node, sign: int) -> Proof | None:
    positive = judge.fact(node, "positive") if sign == CONCAVE else None
    found = judge.bent(node, CONCAVE) if positive is not None else None
    return None if found is None else log_shown(node, sign, "concave and positive", [found, positive])
