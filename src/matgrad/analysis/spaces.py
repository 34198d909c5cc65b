"""What a declaration says of where a variable may be: its sign, whether it is definite, and a plain point inside."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

Array = Any
LEAST = float(np.finfo(float).tiny)
"""The least positive number that has all its digits: the lower bound of what is declared positive."""
BELOW_ZERO = 1e-12
"""How far below zero, relative to the largest, rounding may put an eigenvalue of a psd matrix."""


def belongs(array: Array, traits: Collection[str]) -> bool:
    """Whether a value is where its declaration allows; the space of symmetric (…) matrices is kept by coordinates.

    >>> belongs(np.array([1.0, 0.0]), {"positive", "nonnegative"}), belongs(np.eye(2), {"spd", "psd", "symmetric"})
    (False, True)
    """
    if not np.all(np.isfinite(array)):
        return False
    if "positive" in traits and not np.all(array > 0):
        return False
    if "nonnegative" in traits and not np.all(array >= 0):
        return False
    if "spd" in traits:
        try:
            np.linalg.cholesky(array)
        except np.linalg.LinAlgError:
            return False
    elif "psd" in traits:
        values = np.linalg.eigvalsh(array)
        return bool(np.all(values >= -BELOW_ZERO * np.max(np.abs(values), initial=0.0)))
    return True


def lower_bound(traits: Collection[str]) -> float:
    """The least value that an entry may have; −∞ where nothing is said.

    >>> lower_bound({"nonnegative"}), lower_bound(set())
    (0.0, -inf)
    """
    if "positive" in traits:
        return LEAST
    return 0.0 if "nonnegative" in traits else -np.inf


def plain(shape: tuple[int, ...], traits: Collection[str]) -> Array:
    """Zeros; ones where a sign is declared, and the identity for a definite matrix.

    >>> plain((2,), {"positive"}).tolist(), plain((2, 2), {"spd", "psd"}).tolist()
    ([1.0, 1.0], [[1.0, 0.0], [0.0, 1.0]])
    """
    if "spd" in traits or "psd" in traits:
        return np.eye(shape[0])
    return np.ones(shape) if "nonnegative" in traits or "positive" in traits else np.zeros(shape)
