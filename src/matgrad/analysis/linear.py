"""Taylor models of first and second order at a point, and how good they are over a ball around it.

F(x + dx) ≈ F(x) + dF(x)[dx] + ½ d²F(x)[dx, dx]: closed forms in x and dx, from forward passes, without J or H.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from matgrad.analysis.maps import Forward
from matgrad.analysis.report import array, labelled, number, table
from matgrad.analysis.setting import Setting
from matgrad.differentiate.tangent import tangent
from matgrad.errors import DataError
from matgrad.formula.declarations import Where
from matgrad.formula.syntax import Expr
from matgrad.objects.asking import Name, Text
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node
from matgrad.translate.algebra import addition

Array = Any
HALVINGS = 4
"""Radii at which the error is measured: r, r/2, r/4, r/8."""


def linearize(
    formula: Text,
    at: Mapping[str, Any],
    wrt: Name | Sequence[Name] | None = None,
    *,
    where: Where = None,
    radius: float | None = None,
    samples: int = 200,
    seed: int = 0,
) -> Linearization:
    """The Taylor models of first and second order at a point, with their errors over the ball ‖dx‖ ≤ ``radius``.

    ``wrt`` are the variables that move (all, if none are named); the others keep the values of ``at``. The radius is
    in the Euclidean norm of all coordinates that move, a tenth of that of the point if it is not given.

    >>> near = linearize("[x[1]^2 + x[2]; x[1]*x[2]]", {"x": [1.0, 2.0]})
    >>> print(near.first)
    dx ↦ [x[1]^2 + x[2]; x[1]*x[2]] + [dx[2] + 2*x[1]*dx[1]; x[2]*dx[1] + x[1]*dx[2]]
    >>> near.first(x=[1.1, 2.0]), near.second(x=[1.1, 2.0])
    (array([3.2, 2.2]), array([3.21, 2.2 ]))
    >>> round(near.orders[0], 6), near.exact[1]
    (2.0, True)
    """
    return Linearization(Setting(formula, at, wrt, where), radius, samples, seed)


class TaylorModel(Forward):
    """F + dF[dx], and + ½ d²F[dx, dx] for order 2, as a formula in the point x and the change dx.

    Called with values of the variables that move, it gives the model's value there.
    """

    def __init__(self, setting: Setting, order: int) -> None:
        super().__init__(setting.formula, setting.wrt)
        self.setting = setting
        self.order = order

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.setting, self.order))

    @cached_property
    def parts(self) -> list[Node]:
        """F, dF[dx] and d²F[dx, dx]."""
        first = self.differential
        second = [tangent(first, self.directions)] if self.order > 1 else []
        return [self.formula.node, first, *second]

    @cached_property
    def _nodes(self) -> list[Node]:
        value, first, *second = self.parts
        return [b.add([value, first, *(b.scaled(node, _HALF) for node in second)])]

    def _summed(self, expand: bool) -> list[Expr]:
        """The terms in the order of their degrees, not merged into one another."""
        value, first, *second = self.parts
        terms = [value, first, *(b.scaled(node, _HALF) for node in second)]
        shown = [self._worded(node, expand=expand) for node in terms if node is value or not b.is_zero(node)]
        return [addition(shown)]

    @cached_property
    def exprs(self) -> list[Expr]:
        return self._summed(expand=True)

    @cached_property
    def short_exprs(self) -> list[Expr]:
        return self._summed(expand=False)

    def __call__(self, /, **values: Any) -> Any:
        """The model's value where the variables have these values; those that are not given stay where they are."""
        unknown = [name for name in values if name not in self.wrt]
        if unknown:
            known = ", ".join(self.wrt)
            raise DataError(f"the model is in {known}, not in {unknown[0]}", hint=f"{self.wrt[0]}=…")
        moved = {name: np.asarray(value, dtype=float) - self.setting.arrays[name] for name, value in values.items()}
        still = {name: np.zeros(np.shape(self.setting.arrays[name])) for name in self.wrt}
        return self.after({**still, **moved})

    def after(self, moves: Mapping[str, Any]) -> Any:
        """The model's value after the variables have changed by ``moves``."""
        return self.along(moves, self.setting.arrays, self.setting.sizes)


class SecondDifferential(Forward):
    """dx ↦ d²F[dx, dx], in closed form: no Hessian is formed."""

    @cached_property
    def _nodes(self) -> list[Node]:
        return [tangent(self.differential, self.directions)]


class Errors(NamedTuple):
    """The largest and the mean error over the ball of a radius, for each order."""

    radius: float
    largest: tuple[float, ...]
    mean: tuple[float, ...]
    undefined: int
    """Points of the ball at which the formula is not defined: these do not count."""


class Linearization:
    """Both models, and their errors over balls. Made by :func:`linearize`."""

    def __init__(self, setting: Setting, radius: float | None, samples: int, seed: int) -> None:
        size = float(np.linalg.norm(setting.point))
        self.radius = 0.1 * (size or 1.0) if radius is None else _positive(radius)
        if not isinstance(samples, int) or samples < 1:
            raise DataError(f"the number of samples is a whole number above 0, not {samples!r}", hint="samples=200")
        self.setting, self.samples, self.seed = setting, samples, seed
        self.value = setting.value.reshape(setting.shape)
        self.first, self.second = TaylorModel(setting, 1), TaylorModel(setting, 2)
        for model in (self.first, self.second):
            if not np.all(np.isfinite(model())):
                raise DataError(
                    f"the formula has no Taylor model of order {model.order} at this point",
                    details="\n".join(setting.notes) or None,
                    hint="a point at which it is smooth",
                )

    @cached_property
    def errors(self) -> list[Errors]:
        """At the radius r, r/2, r/4 and r/8, along the same random directions."""
        ball = _ball(self.samples, self.setting.coordinates.size, self.seed)
        return [self._measured(self.radius / 2**k, ball) for k in range(HALVINGS)]

    def _measured(self, radius: float, ball: Array) -> Errors:
        found = np.array([self.errors_after(radius * move) for move in ball])
        known = found[np.all(np.isfinite(found), axis=1)]
        if not len(known):
            return Errors(radius, (np.nan, np.nan), (np.nan, np.nan), len(found))
        return Errors(radius, tuple(known.max(0)), tuple(known.mean(0)), len(found) - len(known))

    def errors_after(self, move: Array) -> tuple[float, float]:
        """‖F − model‖ for both models after a change of the coordinates; nan where F is not defined."""
        truth = self.setting.value_at(self.setting.point + move)
        moves = self.setting.coordinates.arrays(move)
        first, second = (np.reshape(model.after(moves), -1) for model in (self.first, self.second))
        return float(np.linalg.norm(truth - first)), float(np.linalg.norm(truth - second))

    @property
    def rounding(self) -> float:
        """Errors below this are of rounding: the model is exact as far as can be seen."""
        scale = float(np.linalg.norm(self.value)) + float(np.linalg.norm(self.setting.jacobian)) * self.radius
        return 1e3 * float(np.finfo(float).eps) * scale

    @property
    def exact(self) -> tuple[bool, bool]:
        """Whether each model has no error but that of rounding."""
        largest = self.errors[0].largest
        return bool(largest[0] <= self.rounding), bool(largest[1] <= self.rounding)

    @property
    def orders(self) -> tuple[float, float]:
        """How fast the largest errors fall with the radius: 2 and 3 for a smooth formula; nan where exact."""
        return self._order(0), self._order(1)

    def _order(self, k: int) -> float:
        known = [(e.radius, e.largest[k]) for e in self.errors if e.largest[k] > 100 * self.rounding]
        if len(known) < 2:
            return float("nan")
        (r, most), (s, less) = known[-2:]
        return float(np.log(most / less) / np.log(r / s))

    def __str__(self) -> str:
        point = [(name, array(self.setting.arrays[name])) for name in self.setting.wrt]
        lines = [
            (f"F({', '.join(self.setting.wrt)})", self.setting.formula.text),
            *point,
            ("value", array(self.value)),
            ("Jacobian", array(self.setting.jacobian)),
            ("order 1", str(self.first)),
            ("order 2", str(self.second)),
        ]
        return "\n".join([labelled(lines), "", self._table(), *self._said()])

    def _table(self) -> str:
        rows = [["radius", "order 1: largest", "mean", "order 2: largest", "mean"]]
        for e in self.errors:
            pairs = [number(x, 3) for k in range(2) for x in (e.largest[k], e.mean[k])]
            rows.append([number(e.radius, 4), *pairs])
        title = f"error over the ball ‖dx‖ ≤ radius, {self.samples} random points (seed {self.seed})"
        return "\n".join([title, *("  " + row for row in table(rows))])

    def _said(self) -> list[str]:
        said = []
        for k, (order, exact) in enumerate(zip(self.orders, self.exact, strict=True)):
            seen = "no error but rounding" if exact else f"observed order of convergence {number(order, 3)}"
            said.append(f"order {k + 1}: {seen}" + ("" if exact else f" (a smooth formula has {k + 2})"))
        undefined = self.errors[0].undefined
        if undefined:
            said.append(f"the formula is not defined at {undefined} of {self.samples} points of the largest ball")
        return [*said, *self.setting.notes]

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain data for JSON."""
        return {
            "formula": self.setting.formula.text,
            "wrt": list(self.setting.wrt),
            "value": self.value.tolist(),
            "inputs": list(self.setting.inputs),
            "outputs": list(self.setting.outputs),
            "jacobian": self.setting.jacobian.tolist(),
            "first": {"text": self.first.text, "latex": self.first.latex},
            "second": {"text": self.second.text, "latex": self.second.latex},
            "errors": [e._asdict() for e in self.errors],
            "orders": list(self.orders),
            "exact": list(self.exact),
        }


_HALF = Fraction(1, 2)


def _ball(samples: int, size: int, seed: int) -> Array:
    """Points that are uniform in the unit ball: a random direction, and a radius whose n-th power is uniform."""
    rng = np.random.default_rng(seed)
    found = rng.standard_normal((samples, size))
    return found / np.linalg.norm(found, axis=1, keepdims=True) * rng.random((samples, 1)) ** (1 / size)


def _positive(radius: Any) -> float:
    try:
        found = float(radius)
    except (TypeError, ValueError):
        found = float("nan")
    if not (np.isfinite(found) and found > 0):
        raise DataError(f"the radius is a number above 0, not {radius!r}", hint="radius=0.1")
    return found
