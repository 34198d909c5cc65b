"""Values without rounding: zeros that are zeros, and all facts of a matrix of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from matgrad.checking.sampling import Point
from matgrad.deciding.exact import exact_value
from matgrad.deciding.fields import Fractions, NotRational, Unlucky
from matgrad.deciding.reductions import eliminated
from matgrad.errors import MatgradError
from matgrad.formula.syntax import Program

Array = Any
_LARGEST = 30
"""Rows up to which a matrix of numbers is eliminated in fractions."""


def value_in_fractions(program: Program, point: Point) -> Array | None:
    """The value of a program at a point, or None where it is not known to be rational."""
    lifted = np.frompyfunc(lambda x: Fraction(float(x)), 1, 1)
    known: dict[str, Array] = {name: lifted(np.asarray(value)) for name, value in point.arrays.items()}
    try:
        for name, definition in program.definitions:
            known[name] = exact_value(definition, known, point.sizes, Fractions())
        return np.asarray(exact_value(program.body, known, point.sizes, Fractions()), dtype=object)
    except (NotRational, Unlucky, MatgradError, IndexError, ValueError, OverflowError):
        return None


def of_numbers(matrix: Array) -> Mapping[str, bool]:
    """Which facts hold of an array of fractions.

    >>> numbers = np.array([[Fraction(2), Fraction(1)], [Fraction(1), Fraction(2)]])
    >>> [name for name, holds in of_numbers(numbers).items() if holds]
    ['positive', 'nonnegative', 'symmetric', 'psd', 'spd', 'invertible']
    """
    found = {"positive": bool(np.all(matrix > 0)), "nonnegative": bool(np.all(matrix >= 0))}
    if matrix.ndim != 2 or not 0 < len(matrix) == len(matrix.T) <= _LARGEST:
        return found
    symmetric = bool(np.all(matrix == matrix.T))
    rank = _rank_of_semidefinite(matrix) if symmetric else None
    return {
        **found,
        "symmetric": symmetric,
        "psd": rank is not None,
        "spd": rank == len(matrix),
        "invertible": _has_inverse(matrix),
        "orthogonal": bool(np.all(np.dot(matrix.T, matrix) == np.eye(len(matrix), dtype=int))),
    }


def _has_inverse(matrix: Array) -> bool:
    try:
        eliminated(Fractions(), matrix)
    except Unlucky:
        return False
    return True


def _rank_of_semidefinite(matrix: Array) -> int | None:
    """The number of positive pivots of a symmetric matrix; None where it is not semidefinite.

    What is left after each is semidefinite again, and a semidefinite matrix with a diagonal of zeros is zero.
    """
    rest, rank = matrix, 0
    while len(rest):
        diagonal = np.diagonal(rest)
        if np.any(diagonal < 0):
            return None
        if not np.any(diagonal):
            return None if np.any(rest) else rank
        k = int(np.argmax(diagonal != 0))
        others = np.delete(np.arange(len(rest)), k)
        column = rest[others, k]
        rest = rest[np.ix_(others, others)] - np.multiply.outer(column, column) / rest[k, k]
        rank += 1
    return rank
