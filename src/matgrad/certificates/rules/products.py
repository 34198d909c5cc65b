"""Products of varying factors: semidefinite forms, monomials, entropies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from matgrad.certificates.judge import CONCAVE, CONVEX, Judge, rule
from matgrad.certificates.proof import Proof
from matgrad.certificates.rules.linear import BV
from matgrad.certificates.rules.shared import (
    Operand,
    exponents,
    is_apply,
    is_map,
    operands_of,
    shown,
    spread,
    varying_labels,
    weight,
)
from matgrad.tensor.builders import is_symmetric
from matgrad.tensor.facts.mirrors import Mirror, mirrors
from matgrad.tensor.nodes import Apply, Einsum, Map, Node


@rule(
    "bent",
    "semidefinite form",
    "u'*P*u is convex for affine u and psd P; so are tr(U'*P*U*Q), u'*P*u/t with concave t > 0, and u'*inv(S)*u with "
    "S affine and positive definite, jointly in u and t or S",
    source=BV + ", 3.1.5, 3.1.7, 3.2.6",
    examples=(
        ("x'*P*x", "P: psd(n); x: vector(n)", "convex"),
        ("x'*A'*A*x/c", "A: matrix(m,n); x: vector(n); c: positive", "convex"),
        ("x'*inv(S)*x", "S: spd(n); x: vector(n)", "convex"),
    ),
)
def quadratic(judge: Judge, node: Node, sign: int) -> Proof | None:
    if not isinstance(node, Einsum) or (node.coefficient > 0) != (sign == CONVEX):
        return None
    told = semidefinite_form(judge, node, over=True)
    return None if told is None else shown(node, sign, "a semidefinite quadratic form of something affine", told)


def semidefinite_form(
    judge: Judge, node: Einsum, over: bool = False, out: tuple[int, ...] | None = None
) -> list[Proof] | None:
    """Proofs that the node, but for the sign of its coefficient, is u'·P·u with u affine and P psd.

    With ``over``, P may be divided by one concave t > 0, or hold the inverse of one concave positive definite matrix.
    ``out`` are two labels that mirror each other in place of two equal ones: then the node is the matrix U'·P·U.
    """
    varying = [o for o in operands_of(node) if judge.varies(o[0])]
    twins = [(i, j) for i in range(len(varying)) for j in range(i) if varying[i][0] is varying[j][0]]
    for i, j in twins:
        affine = judge.affine(varying[i][0])
        rest = [o for k, o in enumerate(varying) if k not in (i, j)]
        if affine is None or len(rest) > over:
            continue
        below = _denominator(judge, rest)
        if below is None:
            continue
        proofs = _around(judge, node, (varying[i], varying[j]), rest, out)
        if proofs is not None:
            return [affine, *below, *proofs]
    return None


def _around(
    judge: Judge, node: Einsum, twins: tuple[Operand, Operand], rest: list[Operand], out: tuple[int, ...] | None
) -> list[Proof] | None:
    """Proofs that all but the twins u makes a psd P."""
    fixed = node.out if out is None else ()
    allowed = {n for n, _ in rest}
    for exchanged in _exchanges(*twins, out):
        for found in mirrors(
            operands_of(node), exchanged, fixed, lambda n: n in allowed or judge.fact(n, "psd") is not None
        ):
            proofs = _sides(judge, found, twins[0][0], rest)
            if proofs is not None:
                return proofs
    return None


def _exchanges(one: Operand, other: Operand, out: tuple[int, ...] | None) -> Iterable[list[tuple[int, int]]]:
    """Which labels are exchanged: those of ``out``, or those of the twins, either way round where u is symmetric."""
    if out is not None:
        return [[(out[0], out[1])]]
    turns = [one[1], one[1][::-1]] if is_symmetric(one[0]) else [one[1]]
    return [list(zip(turn, other[1], strict=True)) for turn in turns]


def _denominator(judge: Judge, rest: list[Operand]) -> list[Proof] | None:
    """Proofs that what remains is nothing, 1/t^p with 0 < p ≤ 1 and concave t > 0, or inv(S) with a concave S."""
    told: list[Proof] = []
    for node, _ in rest:
        if isinstance(node, Map) and node.function == "power" and -1 <= node.parameter < 0:
            parts = [judge.bent(node.args[0], CONCAVE), judge.fact(node.args[0], "positive")]
        elif is_apply(node, "inv"):
            assert isinstance(node, Apply)
            parts = [judge.matrix_bent(node.arg, CONCAVE), judge.fact(node.arg, "spd")]
        else:
            return None
        if any(part is None for part in parts):
            return None
        told += [part for part in parts if part is not None]
    return told


def _sides(judge: Judge, found: Mirror, affine: Node, rest: list[Operand]) -> list[Proof] | None:
    """Proofs for the parts of a mirror: one u on each side, psd bridges, weights ≥ 0."""
    if [n for n, _ in found.side if judge.varies(n)] != [affine]:
        return None
    told: list[Proof | None] = []
    below = [n for n, _ in rest]
    for node, _ in found.bridges:
        if node in below:
            if not is_apply(node, "inv"):
                return None
        elif judge.varies(node):
            return None
        else:
            told.append(judge.fact(node, "psd"))
    for node, _ in found.fixed:
        if node in below:
            if not is_map(node, "power"):
                return None
        elif judge.varies(node):
            return None
        else:
            told.append(judge.fact(node, "nonnegative"))
    return None if any(t is None for t in told) else [t for t in dict.fromkeys(told) if t is not None]


@rule(
    "bent",
    "monomial",
    "Π uᵢ^aᵢ of positive concave u is convex where all aᵢ < 0, or where one is positive, that u is convex and ≥ 0 (or "
    "affine, with an even power), and Σ aᵢ ≥ 1; it is concave where all aᵢ > 0 and Σ aᵢ ≤ 1",
    source=BV + ", exercise 3.50 (monomials), 3.2.6",
    examples=(
        ("c^2/d", "c: scalar; d: positive", "convex"),
        ("1/(c*d)", "c: positive; d: positive", "convex"),
        ("sqrt(c*d)", "c: positive; d: positive", "concave"),
        ("sum(x.^2)/d", "x: vector(n); d: positive", "convex"),
    ),
)
def monomial(judge: Judge, node: Node, sign: int) -> Proof | None:
    split = _powers(judge, node)
    if split is None:
        return None
    constants, powers = split
    found = weight(judge, node, constants, varying_labels(judge, node)) if isinstance(node, Einsum) else (1, [])
    if found is None or len(powers) < 2:
        return None
    told = _concave_powers(judge, powers) if sign * found[0] == CONCAVE else _convex_powers(judge, powers)
    if told is None:
        return None
    return shown(node, sign, "a monomial in powers of concave and convex factors", [*told, *found[1]])


def _powers(judge: Judge, node: Node) -> tuple[list[Operand], list[tuple[Node, Fraction]]] | None:
    """Constant factors, and the varying ones as pairs of a base and an exponent."""
    if isinstance(node, Map) and node.function == "power":
        return [], exponents(node) or []
    if not isinstance(node, Einsum):
        return None
    constants, powers = [], []
    for operand in operands_of(node):
        if judge.varies(operand[0]):
            powers += exponents(operand[0]) or []
        else:
            constants.append(operand)
    return constants, powers


def _concave_powers(judge: Judge, powers: list[tuple[Node, Fraction]]) -> list[Proof] | None:
    """All exponents > 0 and at most 1 together, of concave bases ≥ 0."""
    if any(a <= 0 for _, a in powers) or sum(a for _, a in powers) > 1:
        return None
    return _all([p for base, _ in powers for p in (judge.bent(base, CONCAVE), judge.fact(base, "nonnegative"))])


def _convex_powers(judge: Judge, powers: list[tuple[Node, Fraction]]) -> list[Proof] | None:
    """Exponents < 0 of concave bases > 0, and at most one > 0."""
    above = [(base, a) for base, a in powers if a > 0]
    below = [(base, a) for base, a in powers if a < 0]
    told = _all([p for base, _ in below for p in (judge.bent(base, CONCAVE), judge.fact(base, "positive"))])
    if told is None or len(above) > 1 or (above and sum(a for _, a in powers) < 1):
        return None
    for base, a in above:
        even = a.denominator == 1 and a.numerator % 2 == 0
        affine = judge.affine(base) if even else None
        parts: list[Proof | None] = (
            [affine] if affine is not None else [judge.bent(base, CONVEX), judge.fact(base, "nonnegative")]
        )
        more = _all(parts)
        if more is None:
            return None
        told += more
    return told


def _all(parts: list[Proof | None]) -> list[Proof] | None:
    return None if any(p is None for p in parts) else [p for p in dict.fromkeys(parts) if p is not None]


@rule(
    "bent",
    "entropy",
    "u*log(u) is convex for affine u > 0, and u*log(u/t) jointly convex for affine u > 0 and concave t > 0",
    source=BV + ", 3.2.6",
    examples=(("x'*log(x)", "x: positive vector(n)", "convex"), ("c*log(c/d)", "c: positive; d: positive", "convex")),
)
def entropy(judge: Judge, node: Node, sign: int) -> Proof | None:
    parts = logarithmic(judge, node)
    if parts is None:
        return None
    factor, inner, constants = parts
    assert isinstance(node, Einsum)
    found = weight(judge, node, constants, varying_labels(judge, node))
    if found is None:
        return None
    powers: dict[Node, Fraction] = {}
    for base, a in log_powers(judge, inner):
        powers[base] = powers.get(base, Fraction(0)) + a
    told = relative_entropy(judge, factor, {b: a * sign * found[0] for b, a in powers.items()})
    return None if told is None else shown(node, sign, "an entropy, u*log(u/t)", [*told, *found[1]])


def logarithmic(judge: Judge, node: Node) -> tuple[Node, Node, list[Operand]] | None:
    """u, w and the constant factors of Σ c·u·log(w)."""
    if not isinstance(node, Einsum):
        return None
    varying = [o for o in operands_of(node) if judge.varies(o[0])]
    logs = [o for o in varying if is_map(o[0], "log")]
    others = [o for o in varying if not is_map(o[0], "log")]
    if len(logs) != 1 or len(others) != 1 or logs[0][1] != others[0][1]:
        return None
    assert isinstance(logs[0][0], Map)
    return others[0][0], logs[0][0].args[0], [o for o in operands_of(node) if not judge.varies(o[0])]


def log_powers(judge: Judge, inner: Node) -> list[tuple[Node, Fraction]]:
    """The powers of which w is a product, without positive constants: their logarithms are constants."""
    pairs = exponents(inner) or []
    scaled = isinstance(inner, Einsum) and inner.coefficient > 0 and inner.subscripts == (inner.out,)
    if scaled and isinstance(inner, Einsum):
        pairs = exponents(inner.operands[0]) or []
    kept = [(b, a) for b, a in pairs if judge.varies(b)]
    split = all(judge.fact(b, "positive") is not None for b, _ in pairs)
    return kept if split or [a for _, a in pairs] == [1] else [(inner, Fraction(1))]


def relative_entropy(judge: Judge, factor: Node, powers: Mapping[Node, Fraction]) -> list[Proof] | None:
    """Proofs that Σ a·factor·log(base) is convex.

    It is a·u·log(u) − Σ bₖ·u·log(tₖ) with a ≥ Σ bₖ, for affine u > 0 and concave tₖ > 0.
    """
    own = powers.get(factor, Fraction(0))
    others = {base: a for base, a in powers.items() if base is not factor and a}
    if any(a > 0 for a in others.values()) or own + sum(others.values()) < 0:
        return None
    parts = [judge.affine(factor), *(judge.bent(base, CONCAVE) for base in others)]
    alone = not others and own > 0  # log(u) itself says that u > 0
    parts += [] if alone else [judge.fact(b, "positive") for b in (factor, *others)]
    return _all(parts)


@rule(
    "bent",
    "product of log-convex factors",
    "what has a convex logarithm is convex",
    source=BV + ", 3.5.1",
    examples=(("exp(c^2)/d", "c: scalar; d: positive", "convex"), ("1/sigmoid(c)", "c: scalar", "convex")),
)
def log_convex_product(judge: Judge, node: Node, sign: int) -> Proof | None:
    if sign != CONVEX or not (isinstance(node, Einsum) or is_map(node, "power")):
        return None
    found = judge.log_bent(node, CONVEX)
    return None if found is None else shown(node, sign, "it is log-convex, so convex", [found])


@rule(
    "bent",
    "product of sums",
    "a product with its sums multiplied out",
    source="the distributive law",
    examples=(("x'*(x + b)", "x: vector(n); b: vector(n)", "convex"),),
)
def distributed(judge: Judge, node: Node, sign: int) -> Proof | None:
    new = spread(node)
    found = None if new is node else judge.bent(new, sign)
    return None if found is None else shown(node, sign, "multiplied out", [found])
