"""Matrices that are convex or concave in the order X ⪯ Y, which says that Y − X is positive semidefinite."""

from __future__ import annotations

from matgrad.certificates.judge import CONCAVE, CONVEX, Judge, rule
from matgrad.certificates.proof import Proof
from matgrad.certificates.rules.linear import BV
from matgrad.certificates.rules.products import semidefinite_form
from matgrad.certificates.rules.shared import is_apply, matrix_shown, operands_of, shown
from matgrad.tensor.builders import einsum
from matgrad.tensor.facts.mirrors import mirrors
from matgrad.tensor.nodes import Apply, Einsum, Node, Sum


@rule(
    "bent",
    "log-determinant",
    "logdet(U) is concave for concave, positive definite U",
    source=BV + ", 3.1.5",
    examples=(
        ("logdet(S)", "S: spd(n)", "concave"),
        ("logdet(eye + A*diag(w)*A')", "A: matrix(n,m); w: positive vector(m)", "concave"),
    ),
)
def log_determinant(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not is_apply(node, "logdet") or sign != CONCAVE:
        return None
    assert isinstance(node, Apply)
    parts = [judge.matrix_bent(node.arg, CONCAVE), judge.fact(node.arg, "spd")]
    return None if None in parts else shown(node, sign, "logdet is concave on positive definite matrices", parts)


@rule(
    "matrix_bent",
    "sum",
    "sums with weights ≥ 0",
    source=BV + ", 3.6.2",
    examples=(("X'*X + 2*eye", "X: matrix(m,n)", "matrix convex"),),
)
def matrix_sum(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not isinstance(node, Sum):
        return None
    parts = [judge.matrix_bent(term, sign if factor > 0 else -sign) for factor, term in node.terms]
    return None if None in parts else matrix_shown(node, sign, "a sum of such matrices", _told(parts))


@rule(
    "matrix_bent",
    "inverse",
    "inv(S) is convex, for concave and positive definite S",
    source=BV + ", 3.6.2",
    examples=(("inv(S)", "S: spd(n)", "matrix convex"),),
)
def inverse(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not is_apply(node, "inv") or sign != CONVEX:
        return None
    assert isinstance(node, Apply)
    parts = [judge.matrix_bent(node.arg, CONCAVE), judge.fact(node.arg, "spd")]
    said = "the inverse is convex and decreasing on positive definite matrices"
    return None if None in parts else matrix_shown(node, sign, said, parts)


@rule(
    "matrix_bent",
    "Gram form",
    "U'*P*U is convex for affine U and psd P; U'*inv(S)*U jointly in U and S",
    source=BV + ", 3.6.2",
    examples=(
        ("X'*C*X", "X: matrix(m,n); C: psd(m)", "matrix convex"),
        ("X'*inv(S)*X", "X: matrix(m,n); S: spd(m)", "matrix convex"),
    ),
)
def gram(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not isinstance(node, Einsum) or len(set(node.out)) != 2 or (node.coefficient > 0) != (sign == CONVEX):
        return None
    told = semidefinite_form(judge, node, over=True, out=(node.out[0], node.out[1]))
    return None if told is None else matrix_shown(node, sign, "a Gram form of something affine", told)


@rule(
    "matrix_bent",
    "congruence",
    "M*U*M', U .* P and P ⊗ U with psd P keep the order, and so does diag(u)",
    source=BV + ", 3.6.2",
    examples=(
        ("M*inv(S)*M'", "S: spd(n); M: matrix(m,n)", "matrix convex"),
        ("A'*diag(exp(x))*A", "A: matrix(m,n); x: vector(m)", "matrix convex"),
    ),
)
def congruence(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not isinstance(node, Einsum) or len(node.out) != 2:
        return None
    operands = operands_of(node)
    varying = [n for n, _ in operands if judge.varies(n)]
    if len(varying) != 1:
        return None
    (inner,) = varying
    sign_inside = sign if node.coefficient > 0 else -sign
    if node.out == (0, 0):
        entries = einsum(operands, (0,), node.coefficient, dict(enumerate(node.sizes)))
        found = judge.bent(entries, sign)
        return None if found is None else matrix_shown(node, sign, "a diagonal of such entries", [found])
    for mirror in mirrors(
        operands, [(node.out[0], node.out[1])], (), lambda n: n is inner or judge.fact(n, "psd") is not None
    ):
        bridged = any(n is inner for n, _ in mirror.bridges)
        if not bridged and not any(n is inner for n, _ in mirror.fixed):
            continue
        found = judge.matrix_bent(inner, sign_inside) if bridged else judge.bent(inner, sign_inside)
        others = [judge.fact(n, "psd") for n, _ in mirror.bridges if n is not inner]
        others += [judge.fact(n, "nonnegative") for n, _ in mirror.fixed if n is not inner]
        if found is not None and None not in others:
            return matrix_shown(node, sign, "M*U*M' keeps the order", [found, *others])
    return None


def _told(parts: list[Proof | None]) -> list[Proof | None]:
    return [p for p in parts if p is not None and p.claim != "constant"]
