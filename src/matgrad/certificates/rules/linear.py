"""Affine nodes, sums with weights, and what is linear in one varying factor."""

from __future__ import annotations

from matgrad.certificates.judge import Judge, rule
from matgrad.certificates.proof import Proof
from matgrad.certificates.rules.shared import operands_of, shown, summed, weight
from matgrad.tensor.builders import einsum, scaled
from matgrad.tensor.nodes import Einsum, Node, Symbol

BV = "Boyd & Vandenberghe 2004"


@rule("affine", "variable", "x is affine in x", source=BV + ", 2.3.2", examples=(("x", "x: vector(n)", "affine"),))
def variable(judge: Judge, node: Node) -> Proof | None:
    return Proof("affine", node, "the variable") if isinstance(node, Symbol) else None


@rule(
    "affine",
    "sum",
    "a sum of affine terms is affine",
    source=BV + ", 2.3.2",
    examples=(("x + y - 3", "x: vector(n); y: vector(n)", "affine"),),
)
def affine_sum(judge: Judge, node: Node) -> Proof | None:
    terms = summed(node)
    if terms is None:
        return None
    parts = [judge.affine(term) for term in terms]
    if any(part is None for part in parts):
        return None
    return Proof("affine", node, "a sum of affine terms", _varying(parts))


@rule(
    "affine",
    "linear map",
    "a linear map of something affine is affine: A*x, tr(A*X), X[1,:], x' …",
    source=BV + ", 2.3.2",
    examples=(("A*x", "A: matrix(m,n); x: vector(n)", "affine"),),
)
def linear_map(judge: Judge, node: Node) -> Proof | None:
    if not isinstance(node, Einsum):
        return None
    varying = [operand for operand in node.operands if judge.varies(operand)]
    if len(varying) != 1:
        return None
    (inner,) = varying
    found = judge.affine(inner)
    said = inner.name if isinstance(inner, Symbol) else "something affine"
    return None if found is None else Proof("affine", node, f"linear in {said}", _varying([found]))


def _varying(parts: list[Proof | None]) -> tuple[Proof, ...]:
    """Premises worth telling: the variable itself, and constants, are affine without saying so."""
    return tuple(p for p in parts if p is not None and p.claim != "constant" and p.premises)


@rule(
    "bent",
    "sum",
    "a sum of convex terms with weights ≥ 0 is convex; a weight < 0 turns convex into concave",
    source=BV + ", 3.2.1",
    examples=(("exp(c) - 2*log(c)", "c: positive", "convex"),),
)
def weighted_sum(judge: Judge, node: Node, sign: int) -> Proof | None:
    terms = summed(node)
    if terms is None:
        return None
    parts: list[Proof] = []
    for term, factor in terms.items():
        found = judge.bent(term, sign if factor > 0 else -sign)
        if found is None:
            return None
        parts.append(found)
    pairs = list(zip(terms.values(), (p.claim for p in parts), strict=True))
    added = [claim for factor, claim in pairs if factor > 0 or claim == "affine"]
    taken = [claim for factor, claim in pairs if factor < 0 and claim != "affine"]
    plus, minus = (" and ".join(sorted({*claims} - {"constant"}, reverse=True)) for claims in (added, taken))
    said = f"a sum of {plus} terms" if plus else "a sum of constants"
    said += f", minus {minus} ones" if minus else ""
    return shown(node, sign, said, [p for p in parts if p.claim != "constant"])


@rule(
    "bent",
    "nonnegative weights",
    "Σ wᵢ uᵢ with constants w ≥ 0 is convex where u is; w ≤ 0 turns it into concave",
    source=BV + ", 3.2.1",
    examples=(("w'*exp(x)", "w: nonnegative vector(n); x: vector(n)", "convex"),),
)
def one_factor(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not isinstance(node, Einsum):
        return None
    varying = [operand for operand in operands_of(node) if judge.varies(operand[0])]
    constants = [operand for operand in operands_of(node) if not judge.varies(operand[0])]
    if len(varying) != 1:
        return None
    (inner, labels) = varying[0]
    if not any(judge.bent(inner, s) for s in (1, -1)):
        return None
    found = weight(judge, node, constants, labels)
    if found is None:
        return None
    turned, told = found
    bent = judge.bent(inner, sign * turned)
    if bent is None:
        return None
    what = f"a sum of {bent.claim} entries" if labels else f"something {bent.claim}"
    if constants:
        said = f"{what}, times constants {'≥' if turned > 0 else '≤'} 0"
    else:
        said = {1: what, -1: f"minus {what}"}.get(int(node.coefficient) if node.coefficient.denominator == 1 else 0, "")
        said = said or f"{what}, times a {'positive' if turned > 0 else 'negative'} number"
    return shown(node, sign, said, [bent, *told])


@rule(
    "bent",
    "trace with a semidefinite matrix",
    "tr(C*U) is convex where U is convex in the matrix order and C is psd",
    source=BV + ", 3.6.2",
    examples=(("a'*inv(S)*a", "a: vector(n); S: spd(n)", "convex"),),
)
def trace(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not isinstance(node, Einsum):
        return None
    varying = [operand for operand in operands_of(node) if judge.varies(operand[0])]
    constants = [operand for operand in operands_of(node) if not judge.varies(operand[0])]
    if len(varying) != 1 or len(varying[0][1]) != 2:
        return None
    (inner, labels) = varying[0]
    if not any(judge.matrix_bent(inner, s) for s in (1, -1)):
        return None
    if labels[0] == labels[1] and node.out == (labels[0],):
        found = weight(judge, node, constants, labels)
        if found is None:
            return None
        bent = judge.matrix_bent(inner, sign * found[0])
        return None if bent is None else shown(node, sign, "diagonal entries of such a matrix", [bent, *found[1]])
    if node.out:
        return None
    around = einsum(constants, labels, node.coefficient, dict(enumerate(node.sizes)))
    for turned in (1, -1):
        told = judge.fact(scaled(around, turned), "psd")
        bent = judge.matrix_bent(inner, sign * turned) if told is not None else None
        if bent is not None:
            return shown(node, sign, "the trace of its product with a semidefinite matrix", [bent, told])
    return None
