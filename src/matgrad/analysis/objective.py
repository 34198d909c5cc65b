"""A formula as the functions of one vector that SciPy's optimisers take: value, gradient, Hessian, its products."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from matgrad.analysis.coordinates import Coordinates
from matgrad.analysis.inputs import Inputs, inputs
from matgrad.analysis.spaces import belongs, lower_bound, plain
from matgrad.answer.compiled import Compiled
from matgrad.answer.derivative import Derivative
from matgrad.answer.deriving import derivative_of
from matgrad.errors import DataError, NotScalar, NotSupported
from matgrad.formula.declarations import Where
from matgrad.objects.asking import Name, Text

Array = Any
MOST = 100_000_000
"""Entries of a Hessian or Jacobian up to which it is made."""
_KEPT = 2
"""Points whose values are remembered: where a method is, and where it looks."""
_STEEP = 1e150
"""A slope whose square overflows, as at the least positive number: methods cannot use it."""


class Objective:
    """A formula as functions of one vector z, the free entries of the variables that vary.

    ``fun``, ``jac``, ``hess`` and ``hessp`` are those of a scalar formula, as ``scipy.optimize.minimize`` takes them;
    ``residuals`` and ``jacobian`` those of any formula, as ``least_squares`` does. Derivatives are in closed form, and
    calls at one point share their work. Outside of the domain the value is ∞, and derivatives are those at the last
    point inside, since methods look at them before they go back; nan before there was one. Made by
    :func:`matgrad.objective`.
    """

    def __init__(self, given: Inputs) -> None:
        self.given = given
        self.formula = given.formula
        self.over = given.over
        self.data = given.data
        self._sizes = given.sizes
        self._traits = {name: self.formula.typed.variables[name].traits for name in self.over}
        self._start = given.start
        self.shapes = given.shapes
        self.coordinates = Coordinates(self.formula, self.over, given.shapes)
        self._known: dict[bytes, dict[str, Any]] = {}
        self._near: Array | None = None
        """The last point inside of the domain."""
        self._left = False
        """Whether the value that was asked for last is ∞."""
        self._taken: dict[Compiled, tuple[tuple[str, ...], dict[str, int]]] = {}

    # -- the vector

    @property
    def size(self) -> int:
        """The length of z."""
        return self.coordinates.size

    @property
    def labels(self) -> tuple[str, ...]:
        """What each entry of z is called: x[1], S[2,1], c."""
        return self.coordinates.labels

    @cached_property
    def x0(self) -> Array:
        """Where to start: what was given, else zeros, ones where a sign is declared, the identity where spd is."""
        given = {name: plain(self.shapes[name], self._traits[name]) for name in self.over}
        return self.coordinates.flat({**given, **self._start})

    def pack(self, arrays: Mapping[str, Any] | None = None, /, **more: Any) -> Array:
        """The vector of arrays by name. Raises DataError where one is missing or does not fit."""
        given = {**(arrays or {}), **more}
        unknown, missing = [n for n in given if n not in self.over], [n for n in self.over if n not in given]
        if unknown or missing:
            what = f"there is no {unknown[0]}" if unknown else f"no value is given for {missing[0]}"
            raise DataError(f"{what}: what varies is {', '.join(self.over)}")
        checked = {name: _real(name, given[name], self.shapes[name]) for name in self.over}
        packed = self.coordinates.flat(checked)
        for name, array in self.coordinates.arrays(packed).items():
            if not np.allclose(array, checked[name], rtol=1e-8, atol=0):
                raise DataError(f"{name} does not have the structure that is declared")
        return packed

    def unpack(self, z: Array) -> dict[str, Array]:
        """The arrays by name of a vector."""
        return self.coordinates.arrays(self._vector(z, "the point"))

    @cached_property
    def bounds(self) -> Any:
        """``scipy.optimize.Bounds`` from declarations such as ``positive``; None where there are none."""
        from scipy.optimize import Bounds

        least = {name: np.full(self.shapes[name], lower_bound(self._traits[name])) for name in self.over}
        lower = self.coordinates.flat(least)
        return Bounds(lower, np.full(self.size, np.inf)) if np.any(np.isfinite(lower)) else None

    # -- a scalar formula

    def fun(self, z: Array) -> float:
        """The value at z; ∞ outside of the domain. SciPy's L-BFGS-B takes ``walled`` instead."""
        value = float(self._value_and_gradient(z)[0])
        self._left = not np.isfinite(value)
        return value

    def jac(self, z: Array) -> Array:
        """The gradient at z, one entry for each of z."""
        return self._value_and_gradient(self._inside(z))[1].copy()

    def hess(self, z: Array) -> Array:
        """The Hessian at z. Raises NotSupported where it would be huge: ``hessp`` acts without it."""
        return self._at(self._inside(z), "Hessian", self._hessian).copy()

    def hessp(self, z: Array, v: Array) -> Array:
        """The Hessian at z times v, in closed form; the Hessian is not formed."""
        z, along = self._inside(z), self._vector(v, "the direction")
        if not self._actions:
            return self.hess(z) @ along
        directions = self.coordinates.arrays(along)
        named = {self._hessians[self.over[0], name].matvec.direction: directions[name] for name in self.over}
        found = self._values(z, self._multiply, named) if self._is_inside(z) else None
        if found is None:
            return np.full(self.size, np.nan)
        return self._packed({a: sum(found[a, b] for b in self.over) for a in self.over})

    def walled(self, z: Array) -> tuple[float, Array]:
        """Value and gradient, for ``minimize(o.walled, o.x0, jac=True, method="L-BFGS-B")``.

        Outside of the domain they are those of a wall, f + |g's| with the gradient ±g, where f and g are value and
        gradient at the last point inside, and s is the step from there: SciPy's L-BFGS-B interpolates, and takes ∞ for
        a step of length 0, after which it says that it has converged.
        """
        value, gradient = self._value_and_gradient(z)
        self._left = not np.isfinite(value)
        if self._near is None or (not self._left and np.all(np.abs(gradient) < _STEEP)):
            return value, gradient.copy()
        inside, slope = self._value_and_gradient(self._near)
        along = float(slope @ (self._vector(z, "the point") - self._near))
        rise = abs(along)
        return (inside + rise, np.copysign(1.0, along) * slope) if rise < np.inf else (np.inf, slope.copy())

    # -- a formula of any shape

    def residuals(self, z: Array) -> Array:
        """The entries of the formula's value at z, rows first; nan outside of the domain."""
        return self._at(z, "residuals", self._entries).copy()

    def jacobian(self, z: Array) -> Array:
        """The Jacobian at z: a row for each entry of the value, a column for each of z."""
        return self._at(z, "Jacobian", self._rows).copy()

    @property
    def outputs(self) -> tuple[int, ...]:
        """The shape of the formula's value."""
        return tuple(dim.evaluate(self._all_sizes) for dim in self.formula.type.dims)

    # -- how they are computed

    @cached_property
    def gradients(self) -> dict[str, Derivative]:
        """The first derivative in each variable that varies."""
        return dict(zip(self.over, derivative_of(self.formula, self.over), strict=True))

    @cached_property
    def _hessians(self) -> dict[tuple[str, str], Derivative]:
        self._require_scalar()
        return {(a, b): self.gradients[a].derive(b) for a in self.over for b in self.over}

    @cached_property
    def _both(self) -> Compiled:
        self._require_scalar()
        return Compiled([self.formula, *self.gradients.values()])

    @cached_property
    def _upper(self) -> Compiled:
        return Compiled({pair: self._hessians[pair] for pair in combinations_with_replacement(self.over, 2)})

    @cached_property
    def _actions(self) -> bool:
        """Whether every block of the Hessian has an action in closed form."""
        return all(block.matvec.available for block in self._hessians.values())

    @cached_property
    def _multiply(self) -> Compiled:
        return Compiled({pair: block.matvec for pair, block in self._hessians.items()})

    @cached_property
    def _all(self) -> Compiled:
        return Compiled(self.formula)

    @cached_property
    def _slopes(self) -> Compiled:
        return Compiled(dict(self.gradients))

    def _value_and_gradient(self, z: Array) -> tuple[float, Array]:
        found: tuple[float, Array] = self._at(z, "value", self._both_at)
        return found

    def _both_at(self, z: Array) -> tuple[float, Array]:
        found = self._values(z, self._both)
        if found is None or not np.isfinite(found[0]):
            below = found is not None and found[0] == -np.inf
            return -np.inf if below else np.inf, np.full(self.size, np.nan)
        gradient = self._packed(dict(zip(self.over, found[1:], strict=True)))
        if np.all(np.abs(gradient) < _STEEP):
            self._near = z
        return float(found[0]), gradient

    def _inside(self, z: Array) -> Array:
        """The point, or the last one inside of the domain where this one is not."""
        z = self._vector(z, "the point")
        return z if self._near is None or self._is_inside(z) else self._near

    def _is_inside(self, z: Array) -> bool:
        """Whether the formula has a value at z: its derivatives may have one where it has none, as log's do."""
        return bool(np.isfinite(self._value_and_gradient(z)[0]))

    def _hessian(self, z: Array) -> Array:
        return self.matrix(z, self._upper)

    def matrix(self, z: Array, blocks: Compiled) -> Array:
        """The symmetric matrix in coordinates whose blocks, by pairs of variables, a compiled function gives."""
        self._require_small(self.size, "the Hessian", "hessp, which multiplies by it")
        found = self._values(z, blocks) if self._is_inside(z) else None
        full = np.full((self.size, self.size), np.nan)
        if found is None:
            return full
        spans = self.coordinates.spans()
        for a, b in combinations_with_replacement(self.over, 2):
            part = self.coordinates.columns(b, found[a, b], first=len(self.shapes[a]))
            part = self.coordinates.columns(a, part, first=0)
            full[spans[a], spans[b]] = part
            full[spans[b], spans[a]] = part.T
        return full

    def _entries(self, z: Array) -> Array:
        found = self._values(z, self._all)
        self._left = found is None or not np.all(np.isfinite(found))
        return np.full(self.outputs, np.nan).reshape(-1) if found is None else np.asarray(found, float).reshape(-1)

    def _rows(self, z: Array) -> Array:
        count = int(np.prod(self.outputs))
        self._require_small(count, "the Jacobian", "a part of the data")
        found = self._values(z, self._slopes)
        if found is None:
            return np.full((count, self.size), np.nan)
        axes = len(self.outputs)
        parts = [self.coordinates.columns(name, found[name], first=axes).reshape(count, -1) for name in self.over]
        return np.concatenate(parts, axis=1)

    def _packed(self, arrays: Mapping[str, Array]) -> Array:
        """A gradient in coordinates: where an entry has a mirror image, both move with it."""
        return np.concatenate([self.coordinates.columns(n, arrays[n], first=0).reshape(-1) for n in self.over])

    def _at(self, z: Array, what: str, compute: Callable[[Array], Any]) -> Any:
        """What was computed at this point before, or is now."""
        z = self._vector(z, "the point")
        key = z.tobytes()
        known = self._known.pop(key, {})
        self._known[key] = known
        while len(self._known) > _KEPT:
            self._known.pop(next(iter(self._known)))
        if what not in known:
            known[what] = compute(z)
        return known[what]

    def _values(self, z: Array, compiled: Compiled, directions: Mapping[str, Array] | None = None) -> Any:
        """What compiled code gives at z; None outside of the domain."""
        varying = self.coordinates.arrays(z)
        if not all(belongs(array, self._traits[name]) for name, array in varying.items()):
            return None
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            try:
                return self._call(compiled, {**self.data, **varying, **(directions or {})})
            except UserWarning:
                return None  # what is positive definite for certain is not, to the digits that there are
            except (DataError, np.linalg.LinAlgError):
                if self._is_defined(varying):
                    raise
                return None  # a matrix is singular here, say

    def _call(self, compiled: Compiled, arrays: Mapping[str, Array]) -> Any:
        """Compiled code at what it takes of the arrays, with sizes that none of these shows."""
        if compiled not in self._taken:
            sizes = {name: self._sizes[name] for name in compiled.dimensions if name in self._sizes}
            self._taken[compiled] = compiled.parameters, sizes
        names, sizes = self._taken[compiled]
        return compiled(**{name: arrays[name] for name in names}, **sizes)

    def _is_defined(self, varying: Mapping[str, Array]) -> bool:
        """Whether the formula itself has a value: what then fails is no matter of the domain."""
        try:
            return bool(np.all(np.isfinite(self._call(self._all, {**self.data, **varying}))))
        except (DataError, UserWarning, np.linalg.LinAlgError):
            return False

    @cached_property
    def _all_sizes(self) -> dict[str, int]:
        variables = self.formula.typed.variables
        shapes = {**{name: array.shape for name, array in self.data.items()}, **self.shapes}
        known = dict(self._sizes)
        for name, variable in variables.items():
            for dim, size in zip(variable.type.dims, shapes[name], strict=True):
                if dim.names == {str(dim)}:
                    known[str(dim)] = size
        return known

    def _vector(self, z: Array, what: str) -> Array:
        """Entries as a vector of numbers. Raises DataError where it has another length, or holds nan.

        A method may step to nan from ∞; it is then told ∞ again.
        """
        given = _real(what, z, (self.size,))
        if np.isnan(given).any() and not self._left:
            raise DataError(f"{what} holds nan, at {self.labels[int(np.argmax(np.isnan(given)))]}")
        return given

    def _require_scalar(self) -> None:
        if self.formula.node.shape:
            shape = ", ".join(self.formula.shape)
            raise NotScalar(
                f"what is minimised is a scalar, but the formula is a {self.formula.kind} of shape ({shape})",
                hint=f"residuals and jacobian, for least_squares, or norm2({self.formula.text})^2",
            )

    def _require_small(self, rows: int, what: str, instead: str) -> None:
        if rows * self.size > MOST:
            raise NotSupported(f"{what} would have {rows} × {self.size} entries", hint=instead)


def objective(
    formula: Text,
    over: Name | Sequence[Name],
    data: object = None,
    *,
    start: Mapping[str, Any] | Array | None = None,
    where: Where = None,
) -> Objective:
    """A formula as functions of one vector, for SciPy: ``fun``, ``jac``, ``hess``, ``hessp``, ``x0``, ``bounds``.

    The variables in ``over`` vary and are packed into the vector, rows first, symmetric and triangular ones by their
    free entries; ``data`` holds arrays for all others (a mapping, or the name of a file). ``start`` says where to
    start, and the sizes that the data do not. Raises MatgradError where something is missing or does not fit.

    >>> import numpy as np
    >>> from scipy.optimize import minimize
    >>> o = objective("norm2(A*x - b)^2", "x", {"A": np.array([[1.0, 2], [3, 4], [5, 6]]), "b": np.ones(3)})
    >>> found = minimize(o.fun, o.x0, jac=o.jac, hess=o.hess, method="trust-exact")
    >>> print(np.round(o.unpack(found.x)["x"], 6))
    [-1.  1.]
    """
    return Objective(inputs(formula, over, data, start, where))


def _real(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DataError(f"{name} is not an array: its rows differ in length") from error
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name} must hold real numbers, and has the dtype {array.dtype}")
    if array.shape != shape:
        raise DataError(f"{name} has shape {array.shape}, not {shape}")
    return array.astype(float)
