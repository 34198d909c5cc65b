"""Sums in which no term is convex by itself: what is like a maximum takes the other terms inside."""

from __future__ import annotations

from fractions import Fraction

from matgrad.certificates.judge import CONCAVE, CONVEX, Judge, rule
from matgrad.certificates.proof import Proof
from matgrad.certificates.rules.linear import BV
from matgrad.certificates.rules.products import log_powers, logarithmic, relative_entropy
from matgrad.certificates.rules.shared import LIMIT, is_map, operands_of, shown, spread, summed, varying_labels, weight
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Apply, Einsum, Map, Node


@rule(
    "bent",
    "maximum",
    "relu(w) + r = max(r, r + w) is convex where r and r + w are; so are abs(w) + r = max(r + w, r - w), "
    "softplus(w) + r = logsumexp(r, r + w) and logsumexp(w) + r = logsumexp(w + r)",
    source=BV + ", 3.2.3",
    examples=(("max(c^2, exp(c))", "c: scalar", "convex"), ("min(log(c), sqrt(c))", "c: positive", "concave")),
)
def maximum(judge: Judge, node: Node, sign: int) -> Proof | None:
    total = summed(node)
    if total is None:
        return None
    terms = {term: factor * sign for term, factor in total.items()}
    for term, factor in terms.items():
        inner = _argument(term)
        if inner is None or factor < 0:
            continue
        rest = b.add([b.zeros(node.shape), *(b.scaled(t, f) for t, f in terms.items() if t is not term)])
        cases = _cases(term, rest, b.scaled(inner, factor), factor)
        proofs = []
        for case in cases:
            found = judge.bent(case, CONVEX)
            if found is None:
                break
            proofs.append(found)
        else:
            said = "the larger of its cases" if is_map(term, "relu", "abs") else "logsumexp of its cases"
            return shown(node, sign, f"{'minus ' if sign == CONCAVE else ''}{said}", proofs)
    return None


def _argument(term: Node) -> Node | None:
    if isinstance(term, Map) and term.function in ("relu", "abs", "softplus"):
        return term.args[0]
    if isinstance(term, Apply) and term.function in ("logsumexp", "max") and not term.shape:
        return term.arg
    return None


def _cases(term: Node, rest: Node, inner: Node, factor: Fraction) -> list[Node]:
    """What must be convex: r and r + w and the like, w times the factor of the term."""
    if is_map(term, "abs"):
        return [b.add([rest, inner]), b.subtract(rest, inner)]
    if isinstance(term, Apply):
        return [b.add([b.broadcast(rest, inner.shape), inner])]
    return [rest, b.add([rest, inner])]


@rule(
    "bent",
    "relative entropy",
    "u*log(u) - u*log(t) is jointly convex for affine u > 0 and concave t > 0",
    source=BV + ", 3.2.6",
    examples=(("x'*log(x) - x'*log(y) - sum(x) + sum(y)", "x: positive vector(n); y: positive vector(n)", "convex"),),
)
def relative_entropies(judge: Judge, node: Node, sign: int) -> Proof | None:
    total = summed(node)
    if total is None:
        return None
    groups: dict[tuple[object, ...], list[Einsum]] = {}
    rest: list[Node] = [b.zeros(node.shape)]
    for term, factor in total.items():
        parts = logarithmic(judge, term)
        if parts is None:
            rest.append(b.scaled(term, factor))
            continue
        whole = b.scaled(term, factor)
        assert isinstance(whole, Einsum)
        labels = next(s for n, s in operands_of(whole) if n is parts[0])
        groups.setdefault((parts[0], labels, tuple(parts[2]), whole.out), []).append(whole)
    if not groups or all(len(members) < 2 for members in groups.values()):
        return None
    proofs = [judge.bent(b.add(rest), sign)]
    for members in groups.values():
        proofs += _group(judge, members, sign) or [None]
    return None if None in proofs else shown(node, sign, "relative entropies, u*log(u/t)", _told(proofs))


def _group(judge: Judge, members: list[Einsum], sign: int) -> list[Proof | None] | None:
    """Terms with the same u and the same weights, as one u times a sum of logarithms."""
    powers: dict[Node, Fraction] = {}
    told: list[Proof | None] = []
    for term in members:
        parts = logarithmic(judge, term)
        known = None if parts is None else weight(judge, term, parts[2], varying_labels(judge, term))
        if parts is None or known is None:
            return None
        told += known[1]
        for base, a in log_powers(judge, parts[1]):
            powers[base] = powers.get(base, Fraction(0)) + a * known[0] * abs(term.coefficient) * sign
    found = relative_entropy(judge, parts[0], powers) if parts is not None else None
    return None if found is None else [*found, *told]


@rule(
    "bent",
    "rewritten sum",
    "products multiplied out, log(softmax(z)) = z - logsumexp(z), log(sigmoid(z)) = -softplus(-z), "
    "softplus(-z) = softplus(z) - z",
    source="identities; like terms then meet",
    examples=(("-c*log(sigmoid(x'*y)) - (1 - c)*log(1 - sigmoid(x'*y))", "c: scalar; x: vector(n)", "convex"),),
)
def rewritten(judge: Judge, node: Node, sign: int) -> Proof | None:
    total = summed(node)
    if total is None or len(total) > LIMIT:
        return None
    new = b.add([b.scaled(_unfolded(term), factor) for term, factor in total.items()])
    if new is node or len(b.linear_terms(new)) > 2 * LIMIT:
        return None
    found = judge.bent(new, sign)
    return None if found is None else shown(node, sign, "rewritten", [found])


def _unfolded(node: Node) -> Node:
    """One term with what is a sum in disguise written as one, and multiplied out."""
    if isinstance(node, Map):
        return _as_sum(node) or node
    if not isinstance(node, Einsum):
        return node
    operands = [(_as_sum(n) or n if isinstance(n, Map) else n, s) for n, s in operands_of(node)]
    return spread(b.einsum(operands, node.out, node.coefficient, dict(enumerate(node.sizes))))


def _as_sum(node: Map) -> Node | None:
    inner = node.args[0]
    if node.function == "softplus" and isinstance(inner, Einsum) and inner.coefficient < 0:
        turned = b.scaled(inner, -1)
        return b.subtract(b.map_("softplus", [turned]), turned)
    if node.function != "log":
        return None
    if is_map(inner, "sigmoid"):
        assert isinstance(inner, Map)
        turned = b.scaled(inner.args[0], -1)
        minus = b.map_("softplus", [turned])
        return b.scaled(_as_sum(minus) or minus if isinstance(minus, Map) else minus, -1)
    if isinstance(inner, Apply) and inner.function == "softmax":
        reduced: int = inner.parameter
        order = len(inner.shape)
        total = b.apply("logsumexp", inner.arg, reduced)
        labels = tuple(range(order))
        wide = b.einsum([(total, labels[: order - reduced])], labels, 1, dict(zip(labels, inner.shape, strict=True)))
        return b.subtract(inner.arg, wide)
    return None


def _told(parts: list[Proof | None]) -> list[Proof | None]:
    return [p for p in dict.fromkeys(parts) if p is not None and p.claim != "constant"]
