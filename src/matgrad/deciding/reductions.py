"""Reductions and elimination, over the numbers of a field."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from matgrad.deciding.fields import PRIME, Field, NotRational, Residue, Residues, Unlucky

Array = Any


def inverse(matrix: Array) -> Array:
    """The inverse of an array of residues."""
    return eliminated(Residues(), matrix)[0]


def eliminated(field: Field, matrix: Array) -> tuple[Array, Any]:
    """The inverse and the determinant, by Gauss–Jordan elimination."""
    size = len(matrix)
    left = matrix.copy()
    right = np.frompyfunc(lambda x: field.number(Fraction(int(x))), 1, 1)(np.eye(size))
    determinant = field.number(Fraction(1))
    for col in range(size):
        pivot = max(range(col, size), key=lambda row: field.size(left[row, col]))
        if left[pivot, col] == 0:
            raise Unlucky
        if pivot != col:
            left[[col, pivot]], right[[col, pivot]] = left[[pivot, col]], right[[pivot, col]]
            determinant = -determinant
        lead = left[col, col]
        determinant = determinant * lead
        left[col], right[col] = left[col] / lead, right[col] / lead
        for row in range(size):
            if row != col:
                factor = left[row, col]
                left[row] = left[row] - factor * left[col]
                right[row] = right[row] - factor * right[col]
    return right, determinant


def _softmax(field: Field, lane: Array) -> Array:
    exponentials = np.frompyfunc(field.function("exp"), 1, 1)(lane)
    return exponentials / np.sum(exponentials)


def _logsumexp(field: Field, lane: Array) -> Any:
    return field.function("log")(np.sum(np.frompyfunc(field.function("exp"), 1, 1)(lane)))


def _extreme(sign: int, mask: bool) -> Callable[[Field, Array], Any]:
    def reduce(field: Field, lane: Array) -> Any:
        best = lane[0]
        for value in lane[1:]:
            best = value if field.positive(sign * (value - best)) else best
        if not mask:
            return best
        ties = [field.number(Fraction(int(value == best))) for value in lane]
        return np.array([*ties, None], dtype=object)[:-1] / sum(ties[1:], ties[0])

    return reduce


REDUCTIONS: dict[str, Callable[[Field, Array], Any]] = {
    "sum": lambda field, lane: np.sum(lane),
    "mean": lambda field, lane: np.sum(lane) / field.number(Fraction(len(lane))),
    "prod": lambda field, lane: np.prod(lane),
    "norm1": lambda field, lane: np.sum(np.frompyfunc(field.function("abs"), 1, 1)(lane)),
    "norm2": lambda field, lane: field.function("sqrt")(np.sum(lane * lane)),
    "normF": lambda field, lane: field.function("sqrt")(np.sum(lane * lane)),
    "logsumexp": _logsumexp,
    "softmax": _softmax,
    "max": _extreme(1, mask=False),
    "min": _extreme(-1, mask=False),
    "argmax": _extreme(1, mask=True),
    "argmin": _extreme(-1, mask=True),
}


def plain_number(value: Any) -> Any:
    return value.value if isinstance(value, Residue) else value


def whole_number(exponent: Any, *, required: bool = True) -> int | None:
    """An exponent as an integer, if it is one of a modest size."""
    value = plain_number(exponent)
    if isinstance(exponent, Residue) and value > PRIME // 2:
        value -= PRIME
    count = int(value)
    if count == value and abs(count) <= 10_000:
        return count
    if required and isinstance(exponent, Residue):
        raise NotRational
    return None
