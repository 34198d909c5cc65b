"""Which kinds each operation takes and gives, as relations for the solver."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from matgrad.formula.network import Relation
from matgrad.formula.signatures import KINDS_BY_ORDER, Side, alternatives, constructed, is_sized
from matgrad.formula.subscripts import split
from matgrad.formula.syntax import AT, MATRIX, ROW, SCALAR, TENSOR, VECTOR, product_kind
from matgrad.functions import Card

KINDS = (SCALAR, VECTOR, ROW, MATRIX, TENSOR)
SAME = Relation((k, k) for k in KINDS)
TRANSPOSED = Relation([(SCALAR, SCALAR), (VECTOR, ROW), (ROW, VECTOR), (MATRIX, MATRIX)])
BROADCAST = Relation(
    [(k, k, k) for k in KINDS] + [(SCALAR, k, k) for k in KINDS[1:]] + [(k, SCALAR, k) for k in KINDS[1:]]
)
SCALAR_POWER = Relation([(SCALAR, SCALAR, SCALAR)])
ANY_POWER = Relation([(SCALAR, SCALAR, SCALAR), (MATRIX, SCALAR, MATRIX)])
IS_SCALAR = Relation([(SCALAR,)])
_BESIDE = {(SCALAR, SCALAR): ROW, (SCALAR, ROW): ROW, (ROW, SCALAR): ROW, (ROW, ROW): ROW} | {
    (left, right): MATRIX for left in (VECTOR, MATRIX) for right in (VECTOR, MATRIX)
}
_BELOW = {(SCALAR, SCALAR): VECTOR, (SCALAR, VECTOR): VECTOR, (VECTOR, SCALAR): VECTOR, (VECTOR, VECTOR): VECTOR} | {
    (above, below): MATRIX for above in (ROW, MATRIX) for below in (ROW, MATRIX)
}
BESIDE = Relation((a, b, out) for (a, b), out in _BESIDE.items())
BELOW = Relation((a, b, out) for (a, b), out in _BELOW.items())


@lru_cache(maxsize=16)
def multiplied(operator: str) -> Relation:
    """left, right, result of a product."""
    found = [(a, b, product_kind(a, operator, b)) for a in KINDS for b in KINDS]
    return Relation((a, b, c) for a, b, c in found if c is not None)


@lru_cache(maxsize=64)
def indexed(items: tuple[bool, ...]) -> Relation:
    """What is indexed, and the result; ``items`` says of each index whether it picks one position."""
    if len(items) == 1:
        return Relation([(VECTOR, SCALAR if items[0] else VECTOR), (ROW, SCALAR if items[0] else ROW)])
    first, second = items
    if first and second:
        return Relation([(MATRIX, SCALAR)])
    return Relation([(MATRIX, ROW if first else VECTOR if second else MATRIX)])


def picks(items: tuple[Any, ...]) -> tuple[bool, ...]:
    """Of each index, whether it is one position."""
    return tuple(isinstance(item, int) or item == AT for item in items)


@lru_cache(maxsize=1024)
def of_order(order: int) -> tuple[str, ...]:
    """The kinds with so many axes."""
    return (VECTOR, ROW) if order == 1 else (KINDS_BY_ORDER[order] if order < 3 else TENSOR,)


@lru_cache(maxsize=1024)
def contracted(subscripts: str) -> tuple[tuple[tuple[str, ...], ...], str]:
    """For an einsum, the kinds that each operand may have, and that of the result."""
    operands, result = split(subscripts)
    return tuple(of_order(len(axes)) for axes in operands), of_order(len(result))[0]


@lru_cache(maxsize=1024)
def one_of(kinds: tuple[str, ...]) -> Relation:
    return Relation((kind,) for kind in kinds)


@lru_cache(maxsize=1024)
def called(name: str, dim: int | None, count: int) -> Relation:
    """Arguments, then the result, of a known function."""
    from matgrad.functions import card

    known = card(name)
    assert known is not None
    if known.family == "constructor" and (is_sized(known) or name in ("vector", "matrix", "unit")):
        return Relation((*[SCALAR] * count, side.kind) for side in constructed(known, count))
    tuples: list[tuple[str, ...]] = []
    for entry in alternatives(known, dim, count):
        if count == 2 and all(side.any for side in entry.args):
            tuples += [("", "", "")]
            continue
        tuples += _expanded(entry.args, entry.result)
    if ("", "", "") in tuples:
        return BROADCAST
    return Relation(tuples)


def _expanded(args: tuple[Side, ...], result: Side) -> list[tuple[str, ...]]:
    if any(side.any for side in args):
        return [(*[k] * len(args), k if result.any else result.kind) for k in KINDS]
    exact = [(*(side.kind for side in args), result.kind)]
    if len(args) == 1 and args[0].kind == VECTOR:
        exact.append((ROW, result.kind))  # a row has order 1 too
    return exact


def scalar_is_exceptional(known: Card, dim: int | None) -> bool:
    """Whether the function is meant for vectors or matrices, and takes a scalar only by courtesy."""
    entries = alternatives(known, dim, 1)
    return bool(entries) and known.family != "constructor" and not any(e.result.any for e in entries)


def takes_square(known: Card, dim: int | None) -> bool:
    """Whether the function is one of a square matrix, and else of a scalar (tr, det, inv)."""
    kinds = {side.kind for entry in alternatives(known, dim, 1) for side in entry.args if not side.any}
    return kinds == {MATRIX, SCALAR}
