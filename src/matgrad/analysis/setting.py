"""A formula at a point: its value and its derivatives there, as arrays over the outputs and the inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from matgrad.analysis.coordinates import Coordinates, entry_labels
from matgrad.analysis.spaces import belongs
from matgrad.answer.compiled import Compiled
from matgrad.answer.derivative import Derivative
from matgrad.answer.deriving import derivative_of
from matgrad.answer.differentiation import variable_of
from matgrad.answer.evaluation import kinks_at
from matgrad.answer.formula import Formula
from matgrad.api import parse
from matgrad.errors import DataError, MatgradError, NotScalar, NotSupported
from matgrad.formula.binding import bind
from matgrad.formula.declarations import Where, parse_declarations
from matgrad.objects.asking import Name, Text, names
from matgrad.translate.algebra import KINDS

Array = Any
MOST_ENTRIES = 20_000_000
"""Of a Jacobian, or of all second derivatives, as an array."""


class Setting:
    """A formula, the variables in which it is looked at, and the point.

    >>> s = Setting("[x[1]^2 + x[2]; x[1]*x[2]]", {"x": [1, 2]})
    >>> s.value, s.jacobian.tolist(), s.inputs, s.outputs
    (array([3., 2.]), [[2.0, 1.0], [2.0, 1.0]], ('x[1]', 'x[2]'), ('F[1]', 'F[2]'))
    """

    def __init__(
        self, formula: Text, at: Mapping[str, Any], wrt: Name | Sequence[Name] | None = None, where: Where = None
    ) -> None:
        self.formula = formula_at(formula, at, where)
        self.wrt = tuple(self._differentiable() if wrt is None else names(wrt))
        for name in self.wrt:
            variable_of(self.formula, name)
        self.arrays, self.sizes = bound_at(self.formula, at)
        shapes = {name: np.shape(self.arrays[name]) for name in self.wrt if name in self.arrays}
        self.coordinates = Coordinates(self.formula, self.wrt, {**dict.fromkeys(self.wrt, ()), **shapes})
        self.point = self.coordinates.flat(self.arrays)

    def _differentiable(self) -> list[str]:
        typed = self.formula.typed
        found = [name for name in typed.variables if name not in typed.functions]
        if not found:
            raise MatgradError("the formula has no variables", hint="a formula such as sin(A*x)")
        return found

    # -- what the axes are

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the coordinates."""
        return self.coordinates.labels

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the entries of the value."""
        return entry_labels("f" if not self.shape else "F", self.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return tuple(dim.evaluate(self.sizes) for dim in self.formula.type.dims)

    # -- values

    @cached_property
    def value(self) -> Array:
        """The value at the point, rows first on one axis; an error where it is not defined."""
        found = self.value_at(self.point)
        if not np.all(np.isfinite(found)):
            said = next((d.conditions for d in self.derivatives.values() if d.conditions), ())
            raise DataError(
                "the formula is not defined at this point",
                details="\n".join(said) or None,
                hint="a point inside its domain",
            )
        return found

    def value_at(self, flat: Array) -> Array:
        """The value at other coordinates, rows first on one axis; nan where it is not defined, or a variable is not
        what it is declared: a closed form may rest on that."""
        moved, variables = self.coordinates.arrays(flat), self.formula.typed.variables
        if not all(belongs(array, variables[name].traits) for name, array in moved.items()):
            return np.full(int(np.prod(self.shape)), np.nan)
        given = {**self.arrays, **moved}
        with np.errstate(all="ignore"):
            try:
                found = self._function(**given)
            except (DataError, np.linalg.LinAlgError):  # a matrix that is singular, or no longer definite, there
                return np.full(int(np.prod(self.shape)), np.nan)
        return np.asarray(found, dtype=float).reshape(-1)

    @cached_property
    def _function(self) -> Evaluator:
        return Evaluator(self.formula)

    @cached_property
    def derivatives(self) -> dict[str, Derivative]:
        """The first derivative in each variable, in closed form."""
        found = derivative_of(self.formula, self.wrt)
        return dict(zip(self.wrt, found, strict=True))

    @cached_property
    def jacobian(self) -> Array:
        """∂F/∂x as a matrix: outputs by inputs; an error where the value is not defined."""
        assert self.value.size == len(self.outputs)
        return self.jacobian_at(self.point)

    def jacobian_at(self, flat: Array) -> Array:
        self.require_small(len(self.outputs) * self.coordinates.size, "the Jacobian")
        given = {**self.arrays, **self.coordinates.arrays(flat)}
        parts = [self._columns(name, d(**given)) for name, d in self.derivatives.items()]
        return self.finite(np.concatenate(parts, axis=1), "the Jacobian")

    def _columns(self, name: str, array: Array) -> Array:
        return self.coordinates.columns(name, array, first=len(self.shape)).reshape(len(self.outputs), -1)

    @cached_property
    def hessians(self) -> Array:
        """The second derivatives at the point: outputs by inputs by inputs."""
        size = self.coordinates.size
        self.require_small(len(self.outputs) * size**2, "the array of second derivatives")
        found = np.zeros((len(self.outputs), size, size))
        spans = self.coordinates.spans()
        for row, d in self.derivatives.items():
            for col in self.wrt:
                array = np.asarray(d.derive(col)(**self.arrays))
                array = self.coordinates.columns(col, array, first=array.ndim - np.ndim(self.arrays[col]))
                array = self.coordinates.columns(row, array, first=len(self.shape))
                found[:, spans[row], spans[col]] = array.reshape(
                    len(self.outputs), spans[row].stop - spans[row].start, -1
                )
        return self.finite(found, "a second derivative")

    # -- what is asked of them

    def require_scalar(self, what: str) -> None:
        if self.formula.node.shape:
            kind, shape = self.formula.kind, ", ".join(self.formula.shape)
            hint = "a scalar made of it, such as norm2(...)^2 or one entry, (...)[1]"
            raise NotScalar(f"{what} is of a scalar, but the formula is a {kind} of shape ({shape})", hint=hint)

    def require_small(self, entries: int, what: str) -> None:
        if entries > MOST_ENTRIES:
            raise NotSupported(
                f"{what} has {entries:,} entries here, more than {MOST_ENTRIES:,}",
                hint="fewer variables in wrt; matgrad.analysis.pushforward and pullback act without it",
            )

    def finite(self, array: Array, what: str) -> Array:
        if not np.all(np.isfinite(array)):
            said = [c for d in self.derivatives.values() for c in d.conditions]
            raise DataError(
                f"{what} is not finite at this point",
                details="\n".join(dict.fromkeys(said)) or None,
                hint="a point at which the formula is differentiable",
            )
        return array

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What the derivatives use at kinks that are met at the point."""
        return kinks_at(self.formula, self.wrt, self.arrays)


def formula_at(formula: Text, at: Mapping[str, Any], where: Where = None) -> Formula:
    """The formula; where a value does not fit the kind that a name was read as, undeclared names are what values are.

    >>> formula_at("x*exp(-y)", {"x": 2.0, "y": 1.0}).variables
    {'x': 'scalar', 'y': 'scalar'}
    """
    if isinstance(formula, Formula) and where is None:
        return formula
    found = parse(formula, where=where)
    if not isinstance(formula, str) or not isinstance(at, Mapping):
        return found
    declared = parse_declarations(where)
    axes = {name: _axes(at[name]) for name in found.typed.variables if name in at and name not in declared}
    kinds = {name: KINDS[count] for name, count in axes.items() if count < len(KINDS)}
    if all(len(found.typed.variables[name].type.dims) == count for name, count in axes.items()):
        return found
    try:
        return parse(formula, where={**kinds, **declared})
    except MatgradError:
        return found  # the values do not fit the formula in any case: what binds them says how


def _axes(value: Any) -> int:
    try:
        return np.ndim(value)
    except ValueError:  # rows that differ in length: bind says so
        return len(KINDS)


class Evaluator:
    """A formula as a compiled function of named arrays, which may be more than it needs."""

    def __init__(self, formula: Formula) -> None:
        typed = formula.typed
        self._wanted = {*typed.variables, *typed.functions, *formula.sizes_needed()}
        self._formula = formula
        self._run: Callable[..., Any] = Compiled(formula)

    def __call__(self, **arrays: Any) -> Any:
        given = {name: array for name, array in arrays.items() if name in self._wanted}
        try:
            return self._run(**given)
        except NotSupported:  # what has no code is evaluated as it stands
            self._run = self._formula
            return self._run(**given)


def bound_at(formula: Formula, at: Mapping[str, Any]) -> tuple[dict[str, Array], dict[str, int]]:
    """The arrays of a point, checked against the formula, and the sizes. Raises DataError, naming the argument."""
    if not isinstance(at, Mapping):
        names_ = list(formula.typed.variables)
        if len(names_) != 1:
            raise DataError(
                f"a point is a mapping of names to values, not {type(at).__name__}",
                details=f"the variables are {', '.join(names_)}",
                hint='{"x": [1, 2]}',
            )
        at = {names_[0]: at}
    typed = formula.typed
    found = bind(typed.variables.values(), at, functions=typed.functions, dimensions=formula.sizes_needed())
    for name, array in found.arrays.items():
        if name not in typed.functions and not np.all(np.isfinite(array)):
            raise DataError(f"{name} holds an infinite number", hint="finite values")
    given_sizes = {name: value for name, value in at.items() if name not in found.arrays}
    return {**found.arrays, **given_sizes}, found.sizes
