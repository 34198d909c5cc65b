"""Laws of products with a sum: distributivity, one way or the other, where less is left."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from matgrad.tensor import builders as b
from matgrad.tensor.builders import Network, einsum, number, power, scaled
from matgrad.tensor.laws.shared import power_of, weight
from matgrad.tensor.nodes import Einsum, Map, Node, Sum


@b.NETWORK_LAWS.add(
    "common factor of a sum",
    "(u*s + v*s)/s^2 = (u + v)/s",
    on=(Sum,),
    because="distributivity",
    examples=(
        ("(x.*(x + y) + y.*(x + y)./x)./(x + y).^2", "x: vector(n); y: vector(n)"),
        ("(c*(c + 1) + 2*(c + 1)^2)/(c + 1)^3*x", "c: scalar; x: vector(n)"),
    ),
)
def common_factor_of_a_sum(net: Network) -> Network | None:
    """(u·s + v·s)·s^(-k) = (u + v)·s^(1-k), on the same axes."""
    sums = [(i, node, labels) for i, (node, labels) in enumerate(net.operands) if isinstance(node, Sum)]
    if not sums:
        return None
    for j, (other, others) in enumerate(net.operands):
        if not isinstance(other, Map) or other.function != "power" or other.parameter.numerator >= 0:
            continue
        base, exponent = other.args[0], other.parameter
        for i, node, labels in sums:
            if others == labels and len(node.terms) <= FACTORED:
                whole = tuple(range(len(labels)))
                rests = [_without_factor(term, base, whole) for _, term in node.terms]
                if all(rest is not None for rest in rests):
                    left = [scaled(r, f) for (f, _), r in zip(node.terms, rests, strict=True) if r is not None]
                    return net.replaced([i, j], [(b.add(left), labels), (power(base, exponent + 1), others)])
    return None


FACTORED = 8
"""Terms of a sum up to which it is asked for a factor that all of them have."""


def _without_factor(term: Node, base: Node, labels: tuple[int, ...]) -> Node | None:
    """The term over the base, where it has that as a factor."""
    if not isinstance(term, Einsum) or term.out != labels:
        return number(1, base.shape) if term is base else None
    for k, (node, own) in enumerate(zip(term.operands, term.subscripts, strict=True)):
        found, count = power_of(node)
        if found is base and own == labels and count >= 1:
            rest = [o for i, o in enumerate(zip(term.operands, term.subscripts, strict=True)) if i != k]
            sizes = dict(enumerate(term.sizes))
            return einsum([*rest, (power(base, count - 1), labels)], term.out, term.coefficient, sizes)
    return None


@b.NETWORK_LAWS.add(
    "total of a sum",
    "Σ (u + v) = Σ u + Σ v, diag(U + V) = diag(U) + diag(V), where that leaves fewer terms",
    on=(Sum,),
    because="linearity; Σ (x - mean(x)) = 0",
    examples=(
        ("diag(A - diag(diag(A)))", "A: matrix(n,n)"),
        ("sum(x - mean(x)) + c", "x: vector(n); c: scalar"),
        ("sum((x - mean(x))*y', dim=1)", "x: vector(n); y: vector(m)"),
    ),
)
def total_of_sum(net: Network) -> Node | None:
    """Σ (u + v) = Σu + Σv, where that leaves fewer terms: Σ (x - mean(x)) = 0. The same on a diagonal."""
    for i, (node, labels) in enumerate(net.operands):
        if not isinstance(node, Sum):
            continue
        lonely = [x for x in labels if net.count(x) == labels.count(x)]
        kept = tuple(x for x in dict.fromkeys(labels) if x not in lonely)
        if len(kept) == len(labels):
            continue
        rest = [operand for j, operand in enumerate(net.operands) if j != i]
        own = {x: net.sizes[x] for x in labels}
        total = b.add([scaled(einsum([(term, labels)], kept, 1, own), factor) for factor, term in node.terms])
        if len(b.linear_terms(total)) < len(node.terms):
            others = {x: dim for x, dim in net.sizes.items() if x not in lonely}
            return einsum([*rest, (total, kept)], net.out, net.coefficient, others)
    return None


@b.NETWORK_LAWS.add(
    "sum of diagonal matrices",
    "(diag(u) + diag(v))*diag(w) = diag((u + v).*w)",
    on=(Sum,),
    because="distributivity; nothing but a vector is left",
    examples=(
        ("(eye + diag(x))*diag(y)", "x: vector(n); y: vector(n)"),
        ("y'*(2*eye - diag(x))*y", "x: vector(n); y: vector(n)"),
    ),
)
def sum_of_diagonals(net: Network) -> Network | None:
    """(diag(u) + diag(v))*diag(w) = diag((u + v).*w), where all other factors are vectors."""
    for i, (node, labels) in enumerate(net.operands):
        if not isinstance(node, Sum) or len(labels) != 2 or labels[0] == labels[1] or len(net.operands) < 2:
            continue
        if any(not isinstance(term, Einsum) or len(set(term.out)) > 1 for _, term in node.terms):
            continue
        if all(len(own) < 2 for j, (_, own) in enumerate(net.operands) if j != i):
            axis = labels[:1]
            parts = [scaled(einsum([(term, (0, 0))], (0,)), factor) for factor, term in node.terms]
            return net.replaced([i], [(b.add(parts), axis)], merge=labels)
    return None


@b.READING_LAWS.add(
    "multiplied out where terms cancel",
    "x - (x'*(x - y))*x/(x'*x) = (x'*y)*x/(x'*x)",
    because="distributivity",
    examples=(
        ("x - (x'*(x - y))*x/(x'*x)", "x: vector(n); y: vector(n)"),
        ("A*(B + X) - A*B + X", "A: matrix(n,n); B: matrix(n,n); X: matrix(n,n)"),
        ("c*(a - (k - 1)/c) + k", "a: scalar; c: positive; k: scalar"),
    ),
)
def multiplied_out_where_terms_cancel(terms: dict[Node, Fraction]) -> Node | None:
    """The terms that have a sum among their factors multiplied out, where others cancel and less is left to write."""
    if not 1 < len(terms) <= FACTORED:
        return None
    for once, cancels in _multiplied_out(terms):
        plain = not cancels and all(not term.shape for term in once)  # numbers: (k - 1)*l/l - k, too
        for after, cancelled in [(once, cancels), *(_multiplied_out(once) if plain else ())]:
            if cancelled and len(after) <= len(terms) and sum(map(weight, after)) < sum(map(weight, terms)):
                return b.add([scaled(other, count) for other, count in after.items()])
    return None


def _multiplied_out(terms: dict[Node, Fraction]) -> Iterator[tuple[dict[Node, Fraction], bool]]:
    """The terms for each sum that is a factor of some, with that multiplied out, and whether any cancel."""
    factors = [node for term in terms if isinstance(term, Einsum) for node in term.operands]
    for total in dict.fromkeys(node for node in factors if isinstance(node, Sum) and len(node.terms) <= FACTORED):
        after: dict[Node, Fraction] = {}
        seen = set[Node]()
        for term, times in terms.items():
            for part, factor in _term_by_term(term, total).items():
                seen.update(b.linear_terms(part))
                b.collect(after, part, times * factor)
        yield after, len(after) < len(seen)


def _term_by_term(term: Node, total: Sum) -> dict[Node, Fraction]:
    """The term with a sum among its factors multiplied out; as it is where it has no such factor."""
    if not isinstance(term, Einsum) or total not in term.operands:
        return {term: Fraction(1)}
    pairs = list(zip(term.operands, term.subscripts, strict=True))
    (_, labels), sizes = pairs.pop(term.operands.index(total)), dict(enumerate(term.sizes))
    found: dict[Node, Fraction] = {}
    for factor, part in total.terms:
        b.collect(found, einsum([(part, labels), *pairs], term.out, term.coefficient, sizes), factor)
    return found
