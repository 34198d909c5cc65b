"""Derivatives of prod(x), which are prod(x)/x where no entry is 0: products of all other entries, right everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from matgrad.stabilising.expansions import Terms
from matgrad.stabilising.removable import multiplied_out
from matgrad.stabilising.rule import BEFORE, RULES
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Operand, apply, einsum, power, scaled
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.laws.shared import power_of
from matgrad.tensor.nodes import Apply, Einsum, Node, Sum

Labels = tuple[int, ...]


class _Quotient(NamedTuple):
    """A product that is divided by one of its factors: the places of both, and the labels of the product's argument.

    ``beside``: what that entry of the argument is the factor's multiple by.
    """

    product: int
    factor: int
    arg: Node
    axes: int
    labels: Labels
    beside: list[Operand]

    @property
    def kept(self) -> Labels:
        return self.labels[: len(self.labels) - self.axes]


def _pairs(node: Einsum) -> list[Operand]:
    return list(zip(node.operands, node.subscripts, strict=True))


def _quotients(node: Einsum) -> Iterator[_Quotient]:
    pairs = _pairs(node)
    for i, (above, kept) in enumerate(pairs):
        whole, times = power_of(above)
        if not isinstance(whole, Apply) or whole.function != "prod" or times < 1 or times.denominator > 1:
            continue
        arg, axes = whole.arg, whole.parameter
        for j, (below, labels) in enumerate(pairs if positive(arg) is not Fact.YES else ()):
            base, count = power_of(below)
            found = _entry(arg, base, labels) if count <= -1 and count.denominator == 1 else None
            if found is not None and len(set(found[0])) == len(found[0]) == len(kept) + axes:
                if found[0][: len(kept)] == kept:
                    yield _Quotient(i, j, arg, axes, *found)


def _entry(arg: Node, base: Node, labels: Labels) -> tuple[Labels, list[Operand]] | None:
    """The labels of the argument if ``base`` is it, or a factor of its entries; and the other factors of these."""
    if arg is base:
        return labels, []
    if not isinstance(arg, Einsum) or base not in arg.operands or len(arg.sizes) > len(set(arg.out)):
        return None
    place = arg.operands.index(base)
    if sorted(arg.subscripts[place]) != sorted(arg.out):
        return None
    table = dict(zip(arg.subscripts[place], labels, strict=True))
    others = [(n, tuple(table[x] for x in s)) for k, (n, s) in enumerate(_pairs(arg)) if k != place]
    return tuple(table[x] for x in arg.out), [*others, (b.number(arg.coefficient), ())]


def _divided(node: Einsum, places: dict[int, int], new: list[Operand], coefficient: Fraction | int = 1) -> Node:
    """The contraction with some operands multiplied by powers of their bases, and with others beside."""
    pairs = _pairs(node)
    for place, more in places.items():
        base, count = power_of(pairs[place][0])
        pairs[place] = power(base, count + more), pairs[place][1]
    return einsum([*pairs, *new], node.out, node.coefficient * coefficient, dict(enumerate(node.sizes)))


@BEFORE.add(
    "product of all but two entries",
    "prod(x)/(x*x') - diag(prod(x)./x.^2) = the products of all entries but two, 0 on the diagonal",
    because="right where entries are 0",
    on=(Sum,),
    examples=(
        ("prod(x)*(1./x)*(1./x)' - prod(x)*diag(1./x.^2)", "x: vector(n)"),
        ("2*prod(x)^2*(1./x)*(1./x)' - prod(x)^2*diag(1./x.^2)", "x: vector(n)"),
    ),
)
def product_of_others_twice(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    found = _without_pair(node.terms)
    if found is None and any("prod" in part.heads for term in node.children for part in term.children):
        found = _without_pair(multiplied_out(node))
    return found


def _without_pair(terms: Terms) -> Node | None:
    """The sum with the first two terms put together that are what the rule says."""
    factors = {term: factor for factor, term in terms}
    for factor, term in terms:
        found = list(_quotients(term)) if isinstance(term, Einsum) else []
        for first in found:
            for second in found:
                alike = first.arg is second.arg and first.product == second.product and first.kept == second.kept
                if first.factor == second.factor or not alike:
                    continue
                diagonal = b.linear_terms(_on_diagonal(term, first, second))
                ratios = {-factors.get(other, Fraction(0)) / size for other, size in diagonal.items()}
                share = ratios.pop() if len(ratios) == 1 else Fraction(0)
                if 0 < share / factor <= 1 and term not in diagonal:
                    rest = {**factors, term: factor - share} | dict.fromkeys(diagonal, Fraction(0))
                    new = scaled(_twice(term, first, second), share)
                    return b.add([*[scaled(n, c) for n, c in rest.items()], new])
    return None


def _on_diagonal(term: Node, first: _Quotient, second: _Quotient) -> Node:
    """The term with the labels of the second factor made those of the first."""
    assert isinstance(term, Einsum)
    table = dict(zip(second.labels, first.labels, strict=True))
    pairs = [(n, tuple(table.get(x, x) for x in s)) for n, s in _pairs(term)]
    out = tuple(table.get(x, x) for x in term.out)
    sizes = {table.get(x, x): size for x, size in enumerate(term.sizes)}
    if len(set(out)) == len(out):
        return einsum(pairs, out, term.coefficient, sizes)
    inner = tuple(dict.fromkeys(out))  # an array on a diagonal
    return einsum([(einsum(pairs, inner, term.coefficient, sizes), inner)], out)


def _twice(term: Node, first: _Quotient, second: _Quotient) -> Node:
    """The term with the products of all entries but two: those of a row in which one entry is made 1."""
    assert isinstance(term, Einsum)
    kept, axes = len(first.kept), first.axes
    common, rows, columns = (tuple(range(start, start + length))
                             for start, length in ((0, kept), (kept, axes), (kept + axes, axes)))  # fmt: skip
    sizes = dict(zip(common + rows, first.arg.shape, strict=True))
    wide = sizes | dict(zip(columns, first.arg.shape[kept:], strict=True))
    entries = einsum([(first.arg, common + columns)], common + rows + columns, 1, wide)
    own = einsum([(first.arg, common + rows)], common + rows + rows, 1, sizes)
    ones = einsum([], common + rows + rows, 1, sizes)
    others = apply("prod_others", b.add([entries, scaled(own, -1), ones]), axes)
    at_own = einsum([(others, common + rows + rows)], common + rows + rows)
    both = b.subtract(others, at_own)
    labels = first.labels + second.labels[kept:]
    new = [(both, labels), *first.beside, *second.beside]
    return _divided(term, {first.product: -1, first.factor: 1, second.factor: 1}, new)


@RULES.add(
    "product of all other entries",
    "prod(x)./x = the products of all other entries",
    because="right where entries are 0",
    on=(Einsum,),
    examples=(
        ("prod(x)./x + prod(2*y)^2./y", "x: vector(n); y: vector(n)"),
        ("diag(prod(X, dim=2))*(1./X)", "X: matrix(m, n)"),
        ("(1./X)*diag(prod(X, dim=1)')", "X: matrix(m, n)"),
    ),
)
def product_of_others(node: Node) -> Node | None:
    assert isinstance(node, Einsum)
    for found in _quotients(node):
        new = [(apply("prod_others", found.arg, found.axes), found.labels), *found.beside]
        return _divided(node, {found.product: -1, found.factor: 1}, new)
    return None
