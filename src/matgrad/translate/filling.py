"""Constant matrices in sums: as a bare number, ``X.*(1 - X)``, or with ones, ``eye - ones(n)*ones(n)'/n``.

A number beside an array stands for the array filled with it. Where a matrix is read entry by entry, people write
it so; beside an identity or a matrix product, it would be taken for a number times the identity.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from enum import IntEnum

from matgrad.dims import Dim
from matgrad.formula.syntax import MATRIX, SCALAR, VECTOR, Expr, Type, fold, walk
from matgrad.functions import card
from matgrad.translate.algebra import addition, call, coefficient, negative, number, product, times, transposed

Size = Callable[[Dim], Expr]


class Use(IntEnum):
    """What becomes of a part of a formula; also, what a term of a sum shows of it."""

    ENTRIES = 0
    """It is read entry by entry."""
    ANSWER = 1
    """It is the whole, up to scalars and signs; of a term: it is a matrix product or an inverse."""
    MATRIX = 2
    """It is multiplied as a matrix; of a term: it is an identity or a diagonal matrix."""


_ENTRY_WISE_CALLS = ("tril", "triu", "vec")


def ones_shown(expr: Expr, size: Size, typed: Collection[Expr] = (), *, whole: bool = False) -> Expr:
    """The formula, with ones for the numbers in sums of matrices that are not read entry by entry.

    Sums of the formula as ``typed`` stay as they are. ``whole``: matrices of ones are ones(m, n).
    """
    if not any(_is_broadcast(e) for e in walk(expr) if e.op == "add"):
        return expr

    def visit(node: Expr, forms: list[tuple[Expr, ...]]) -> tuple[Expr, ...]:
        if node in typed:
            return (node,) * len(Use)
        return tuple(
            _written(
                node.replace(args=tuple([f[u] for f, u in zip(forms, _uses(node, use), strict=True)])), use, size, whole
            )
            for use in Use
        )

    forms: tuple[Expr, ...] = fold(expr, visit)
    return forms[Use.ANSWER]


def _is_broadcast(expr: Expr) -> bool:
    return expr.op == "add" and expr.kind == MATRIX and any(a.kind == SCALAR for a in expr.args)


def _uses(node: Expr, use: Use) -> Sequence[Use]:
    """What becomes of each argument, for a node of which this becomes."""
    if node.op in ("add", "neg", "transpose"):
        return [use] * len(node.args)
    if node.op == "product":
        return [_use_of_factor(node, k, use) for k in range(len(node.args))]
    if node.op == "call":
        known = card(node.value.name)
        entries = known is None or known.family in ("elementwise", "reduction") or known.name in _ENTRY_WISE_CALLS
        return [Use.ENTRIES if entries else Use.MATRIX] * len(node.args)
    return [Use.MATRIX if node.op == "power" and node.value == "^" else Use.ENTRIES] * len(node.args)


def _use_of_factor(node: Expr, k: int, use: Use) -> Use:
    """By the operator that joins it with the next array; the product is read from the left."""
    before = [(o, a) for o, a in zip(node.value[:k], node.args[:k], strict=True) if a.kind != SCALAR]
    after = [(o, a) for o, a in zip(node.value[k:], node.args[k + 1 :], strict=True) if a.kind != SCALAR]
    joins = [node.value[k - 1]] if before else [o for o, _ in after[:1]]
    return use if not joins else Use.ENTRIES if joins[0] in (".*", "./") else Use.MATRIX


def _written(node: Expr, use: Use, size: Size, whole: bool) -> Expr:
    """A sum with its numbers as they should be written for this use; any other node as it is."""
    if not _is_broadcast(node):
        return node
    arrays = [a for a in node.args if a.kind != SCALAR]
    shown = max(_shows(a) for a in arrays)
    if use + shown < Use.MATRIX or (shown == Use.ENTRIES and any(map(_is_entrywise, arrays))):
        return node
    assert node.type is not None
    numbers = addition([a for a in node.args if a.kind == SCALAR])
    place = next(k for k, a in enumerate(node.args) if a.kind == SCALAR)
    terms = [*arrays[:place], filled(numbers, node.type, size, whole=whole), *arrays[place:]]
    return _number_in_front(terms) if use == Use.ANSWER else addition(terms)


def _number_in_front(terms: Sequence[Expr]) -> Expr:
    """2*(eye - u*u') for 2*eye - 2*u*u'."""
    factors = [coefficient(term) for term in terms]
    common = abs(factors[0][0])
    if common == 1 or any(abs(factor) != common for factor, _ in factors):
        return addition(terms)
    return times(number(common), addition([rest if factor > 0 else negative(rest) for factor, rest in factors]))


def _is_entrywise(term: Expr) -> bool:
    """Whether a term shows that the sum is read entry by entry: X./Y, X.^2, tanh(X)."""
    if term.op in ("neg", "transpose"):
        return _is_entrywise(term.args[0])
    if term.op == "product":
        arrays = [a for a in term.args if a.kind != SCALAR]
        return bool({".*", "./"} & set(term.value)) if len(arrays) > 1 else _is_entrywise(arrays[0])
    if term.op == "call":
        known = card(term.value.name)
        return known is not None and known.family == "elementwise"
    return term.op == "power" and term.value == ".^"


def _shows(term: Expr) -> Use:
    """Whether a term can only be read as a matrix, or may be, or is read entry by entry."""
    if term.op in ("neg", "transpose"):
        return _shows(term.args[0])
    if term.op == "call":
        known = card(term.value.name)
        if term.value.name in ("eye", "diag"):
            return Use.MATRIX
        return Use.ANSWER if known is not None and known.family == "matrix" else Use.ENTRIES
    if term.op == "power":
        return Use.ANSWER if term.value == "^" else Use.ENTRIES
    if term.op == "product":
        parts = [_shows(a) for a in term.args if a.kind != SCALAR]
        multiplied = len(parts) > 1 and set(term.value) & {"*", "⊗"}
        return max(parts) if len(parts) == 1 else Use.ANSWER if multiplied else Use.ENTRIES
    return Use.ENTRIES


def filled(value: Expr, type_: Type, size: Size, *, whole: bool = False) -> Expr:
    """The matrix all of whose entries are a number: the number times 𝟏𝟏ᵀ, before what it is divided by."""
    if value.op == "neg":
        return negative(filled(value.args[0], type_, size, whole=whole))
    row, col = (_ones(dim, size) for dim in type_.dims)
    ones = [("*", row), ("*", transposed(col))]
    if whole and row.value.name == col.value.name == "ones":
        ones = [("*", call("ones", *row.args, *col.args, type=type_))]
    if value.op != "product" or not set(value.value) <= {"*", "/"}:
        return product([*([] if value == number(1) else [("*", value)]), *ones])
    factors = list(zip(("*", *value.value), value.args, strict=True))
    cut = next((k for k, (o, _) in enumerate(factors) if o == "/"), len(factors))
    above = [] if factors[:cut] == [("*", number(1))] else factors[:cut]
    return product([*above, *ones, *factors[cut:]])


def _ones(dim: Dim, size: Size) -> Expr:
    """ones(n) where the size has a name, vector(1) where it would be length(x)."""
    length, type_ = size(dim), Type(VECTOR, (dim,))
    return call("ones", length, type=type_) if length.op == "name" else call("vector", number(1), type=type_)
