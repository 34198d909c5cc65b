"""Covariances as they are given: by variable, by pairs of variables, or as one matrix; checked to be ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from matgrad.analysis.coordinates import Block, Coordinates
from matgrad.errors import DataError

Array = Any
TOLERANCE = 1e-9
"""How far a correlation matrix may be from symmetric and semidefinite by rounding."""


def joint(given: Any, coordinates: Coordinates) -> Array:
    """The covariance of all coordinates, from what was given.

    A mapping has, by name, a variance (of every entry alike), an array of variances in the variable's shape, or the
    covariance of a vector as a matrix, of a matrix as an array with its shape twice; by a pair of names, the
    covariances between the two. Else one matrix over all coordinates. Raises DataError for what is no covariance.
    """
    if not isinstance(given, Mapping):
        found = _numbers(given, "the covariance")
        size = coordinates.size
        if found.shape in ((), (1,)) and size == 1:
            found = found.reshape(1, 1)
        if found.shape != (size, size):
            raise DataError(
                f"the covariance has the shape {found.shape}, not {(size, size)}",
                details=f"its rows and columns are {_listed(coordinates.labels)}",
                hint='{"x": …, "c": …}, one covariance for each variable',
            )
        return checked(found, coordinates.labels)
    blocks, spans = {block.name: block for block in coordinates.blocks}, coordinates.spans()
    found = np.zeros((coordinates.size, coordinates.size))
    for key, value in given.items():
        names = key if isinstance(key, tuple) else (key,)
        unknown = [name for name in names if name not in blocks]
        if unknown or len(names) > 2:
            known = ", ".join(blocks)
            raise DataError(f"there is no covariance of {key!r}: the variables with a mean are {known}")
        if len(names) == 1 or names[0] == names[1]:
            found[spans[names[0]], spans[names[0]]] = _own(blocks[names[0]], value)
        else:
            a, b = names
            between = _cross(blocks[a], blocks[b], value)
            found[spans[a], spans[b]], found[spans[b], spans[a]] = between, between.T
    return checked(found, coordinates.labels)


def _own(block: Block, value: Any) -> Array:
    """The covariance of one variable's coordinates."""
    array = _numbers(value, f"the covariance of {block.name}")
    if array.shape == ():
        return float(array) * np.eye(block.size)
    if array.shape == block.shape:
        return np.diag(np.atleast_1d(array[block.places]))
    if array.shape == block.shape * 2:
        return array[tuple(i[:, None] for i in block.places) + tuple(j[None, :] for j in block.places)]
    wanted = f"a number, {block.shape} for variances, or {block.shape * 2}" if block.shape else "a number"
    raise DataError(f"the covariance of {block.name} has the shape {array.shape}, not {wanted}")


def _cross(first: Block, second: Block, value: Any) -> Array:
    array = _numbers(value, f"the covariance of {first.name} and {second.name}")
    if array.shape != first.shape + second.shape:
        raise DataError(
            f"the covariance of {first.name} and {second.name} has the shape {array.shape}, "
            f"not {first.shape + second.shape}"
        )
    rows, cols = first.places, second.places
    index = tuple(i[:, None] for i in rows) + tuple(j[None, :] for j in cols)
    return np.asarray(array[index] if index else array).reshape(first.size, second.size)


def _numbers(value: Any, what: str) -> Array:
    try:
        found = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} is not an array of numbers") from error
    if not np.all(np.isfinite(found)):
        raise DataError(f"{what} holds nan or an infinite number", hint="finite numbers")
    return found


def checked(covariance: Array, labels: tuple[str, ...]) -> Array:
    """The matrix, if it is symmetric and positive semidefinite, whatever the units of its rows."""
    variances = np.diag(covariance)
    negative = np.flatnonzero(variances < 0)
    if len(negative):
        label = labels[negative[0]]
        raise DataError(
            f"the variance of {label} is {variances[negative[0]]:g}: a variance is not negative",
            hint="squares of standard deviations",
        )
    scale = np.sqrt(variances)
    bound = np.outer(scale, scale)
    off = np.abs(covariance - covariance.T) > TOLERANCE * np.maximum(bound, np.abs(covariance))
    if off.any():
        i, j = np.argwhere(off)[0]
        raise DataError(
            f"the covariance is not symmetric: {labels[i]}, {labels[j]} is {covariance[i, j]:g}, "
            f"and {labels[j]}, {labels[i]} is {covariance[j, i]:g}",
            hint="(S + S.T)/2, if the difference is of rounding",
        )
    beyond = np.abs(covariance) > bound * (1 + TOLERANCE)
    if beyond.any():
        i, j = np.argwhere(beyond)[0]
        raise DataError(
            "the covariance is not positive semidefinite: "
            f"that of {labels[i]} and {labels[j]} is {covariance[i, j]:g}, more than the product of their standard "
            f"deviations, {bound[i, j]:g}",
            hint="variances on the diagonal, not standard deviations; covariances, not correlations, beside it",
        )
    if not _diagonal(covariance):
        _semidefinite(covariance, scale)
    return (covariance + covariance.T) / 2


def _semidefinite(covariance: Array, scale: Array) -> None:
    units = np.where(scale > 0, scale, 1.0)
    correlation = covariance / np.outer(units, units)
    least = float(np.linalg.eigvalsh((correlation + correlation.T) / 2).min(initial=0))
    if least < -TOLERANCE * len(covariance):
        raise DataError(
            f"the covariance is not positive semidefinite: its correlation matrix has the eigenvalue {least:.3g}, "
            "so that some combination of the inputs would have a negative variance",
            hint="one estimated from complete rows of data, or the nearest one: w, V = np.linalg.eigh(S); "
            "S = V @ np.diag(np.maximum(w, 0)) @ V.T",
        )


def root(covariance: Array) -> Array:
    """L with L L' = covariance, also where that is singular; scaled, so that small units do not drown."""
    scale = np.sqrt(np.diag(covariance))
    if _diagonal(covariance):
        return np.diag(scale)
    units = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(units, units))
    return units[:, None] * vectors * np.sqrt(np.maximum(values, 0))


def _diagonal(covariance: Array) -> bool:
    return bool(np.count_nonzero(covariance) == np.count_nonzero(np.diag(covariance)))


def _listed(labels: tuple[str, ...]) -> str:
    return ", ".join(labels) if len(labels) <= 8 else f"{', '.join(labels[:8])}, …"
