"""Several variables as one vector of numbers: the entries that are free to vary, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np

from matgrad.answer.differentiation import variable_of
from matgrad.answer.formula import Formula
from matgrad.errors import DataError
from matgrad.tensor.nodes import Symbol

Array = Any


class Block(NamedTuple):
    """The free entries of one variable: their places, and those of their mirror images where it is symmetric."""

    name: str
    shape: tuple[int, ...]
    places: tuple[Array, ...]
    mirrored: bool

    @property
    def size(self) -> int:
        return len(self.places[0]) if self.places else 1


class Coordinates:
    """The free entries of variables, in the order of their names, rows first.

    Of a symmetric matrix the lower triangle is free, of a diagonal one the diagonal: a change of a coordinate
    stays in the space that was declared.

    >>> z = Coordinates(Formula("tr(S)*c", "S: symmetric(2)"), ["S", "c"], {"S": (2, 2), "c": ()})
    >>> z.labels
    ('S[1,1]', 'S[2,1]', 'S[2,2]', 'c')
    >>> z.arrays(np.array([1.0, 2.0, 3.0, 4.0]))["S"].tolist()
    [[1.0, 2.0], [2.0, 3.0]]
    """

    def __init__(self, formula: Formula, names: Sequence[str], shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.names = tuple(names)
        self.blocks = [_block(formula, name, shapes[name]) for name in names]
        ends = list(accumulate((block.size for block in self.blocks), initial=0))
        self.size = ends[-1]
        self._slices = [slice(start, stop) for start, stop in pairwise(ends)]

    @property
    def labels(self) -> tuple[str, ...]:
        """What each coordinate is called: x[1], S[2,1], c."""
        return tuple(label for block in self.blocks for label in _labels(block))

    def spans(self) -> dict[str, slice]:
        """Which coordinates are those of a variable."""
        return dict(zip(self.names, self._slices, strict=True))

    @property
    def weights(self) -> Array:
        """How many entries a coordinate is, 2 with a mirror image: Σ w z² is the squared norm of the arrays."""
        parts = [
            1.0 + (block.places[0] != block.places[1]) if block.mirrored else np.ones(block.size)
            for block in self.blocks
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def flat(self, arrays: Mapping[str, Array]) -> Array:
        """The coordinates of arrays given by name."""
        parts = [np.asarray(arrays[block.name], dtype=float)[block.places].reshape(-1) for block in self.blocks]
        return np.concatenate(parts) if parts else np.zeros(0)

    def arrays(self, flat: Array) -> dict[str, Array]:
        """The arrays by name that have these coordinates."""
        given, found = np.asarray(flat, dtype=float), {}
        for block, span in zip(self.blocks, self._slices, strict=True):
            part, array = given[span], np.zeros(block.shape)
            array[block.places] = part if block.places else part[0]
            if block.mirrored:
                array[block.places[::-1]] = part
            found[block.name] = array
        return found

    def columns(self, name: str, derivative: Array, *, first: int) -> Array:
        """A derivative in one variable, whose axes begin at ``first``, as one in its coordinates on one axis.

        Where an entry has a mirror image, both move with it.
        """
        block = next(block for block in self.blocks if block.name == name)
        array, lead = np.asarray(derivative, dtype=float), (slice(None),) * first
        if not block.places:
            return np.expand_dims(array, first)
        found = array[(*lead, *block.places)]
        if block.mirrored:
            rows, cols = block.places
            found = found + array[(*lead, cols, rows)] * (rows != cols).reshape((-1,) + (1,) * (found.ndim - first - 1))
        return found


def _block(formula: Formula, name: str, shape: tuple[int, ...]) -> Block:
    variable = variable_of(formula, name)
    if not isinstance(variable, Symbol):
        raise DataError(
            f"{name} is an intermediate: its value follows from the variables", hint=", ".join(formula.symbols)
        )
    traits = variable.traits
    if "orthogonal" in traits:
        raise DataError(
            f"{name} is orthogonal: its entries cannot vary one by one", hint=f"{name} declared as matrix(n,n)"
        )
    if "diagonal" in traits:
        places = (np.arange(shape[0]),) * 2
    elif "symmetric" in traits or "lower" in traits:
        places = np.tril_indices(shape[0])
    elif "upper" in traits:
        places = np.triu_indices(shape[0])
    else:
        places = tuple(axis.reshape(-1) for axis in np.indices(shape))
    return Block(name, shape, places, "symmetric" in traits and "diagonal" not in traits)


def _labels(block: Block) -> list[str]:
    if not block.places:
        return [block.name]
    return [f"{block.name}[{','.join(str(i + 1) for i in place)}]" for place in zip(*block.places, strict=True)]


def entry_labels(name: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """What the entries of an array are called, rows first.

    >>> entry_labels("F", (2, 2)), entry_labels("f", ())
    (('F[1,1]', 'F[1,2]', 'F[2,1]', 'F[2,2]'), ('f',))
    """
    return tuple(f"{name}[{','.join(str(i + 1) for i in place)}]" if place else name for place in np.ndindex(*shape))
