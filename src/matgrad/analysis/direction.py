"""What the gradient of a scalar is for: slopes along directions, the steepest one, and the step that descends.

The slope along u is uᵀ∇f, and by Cauchy–Schwarz |uᵀ∇f| ≤ ‖u‖ ‖∇f‖, with equality along ∇f only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from matgrad.analysis.closed import fresh, shortest
from matgrad.analysis.maps import Pushforward
from matgrad.analysis.plane import hessian_product
from matgrad.analysis.report import array, labelled, number
from matgrad.analysis.setting import Setting
from matgrad.differentiate.conditions import kinks
from matgrad.differentiate.tangent import tangent
from matgrad.errors import DataError
from matgrad.formula.declarations import Declaration, Where
from matgrad.formula.syntax import MATRIX, SCALAR_TYPE, VECTOR, Expr
from matgrad.objects.asking import Name, Text
from matgrad.tensor.nodes import topological
from matgrad.tensor.rebuild import rebuild
from matgrad.translate.algebra import addition, call, of_order, times, transposed

Array = Any
SHRINKS = 60
FARTHEST = 2.0**40
"""How far a convex function is followed downhill, in units of the first step."""


def directional(
    formula: Text,
    at: Mapping[str, Any],
    direction: Any,
    wrt: Name | Sequence[Name] | None = None,
    *,
    where: Where = None,
) -> Directional:
    """The derivative of a scalar along a direction, as it is given (not normalised), with the Cauchy–Schwarz bound.

    ``direction`` is an array in the variable's shape, or a mapping of them by name.

    >>> d = directional("x'*A*x", {"A": [[1, 2], [0, 3]], "x": [1, 1]}, [1.0, -1.0], "x")
    >>> d.text, d.value, round(d.bound, 4)
    ("u'*(A + A')*x", -4.0, 12.6491)
    """
    setting = _scalar(formula, at, wrt, where, "a directional derivative")
    return Directional(setting, _coordinates(setting, direction))


def steepest(
    formula: Text, at: Mapping[str, Any], wrt: Name | Sequence[Name] | None = None, *, where: Where = None
) -> Directional:
    """The direction of length 1 along which a scalar grows fastest, ∇f/‖∇f‖; its slope is ‖∇f‖.

    Raises DataError at a stationary point, where every direction is level.

    >>> s = steepest("x[1]^2 + 2*x[2]", {"x": [1.5, 0.0]})
    >>> s.direction["x"].round(6), round(s.value, 6)
    (array([0.83205, 0.5547 ]), 3.605551)
    """
    setting = _scalar(formula, at, wrt, where, "a steepest direction")
    return Directional(setting, _unit_gradient(setting))


def descent_step(
    formula: Text,
    at: Mapping[str, Any],
    wrt: Name | Sequence[Name] | None = None,
    *,
    step: float | None = None,
    where: Where = None,
) -> DescentStep:
    """The step x − η∇f: what f is before and after, and for which η it is sure to decrease.

    For a quadratic f it decreases for 0 < η < 2 ∇fᵀ∇f / ∇fᵀH∇f, from every start if η < 2/λmax; for a concave f for
    every η; for a convex f up to the largest η at which it is lower. Elsewhere the quadratic model is described.
    Without ``step``, the η that is best for the model, halved until f decreases.

    >>> s = descent_step("x[1]^2 + 2*x[1]*x[2] + 3*x[2]^2", {"x": [1.0, 1.0]})
    >>> s.before, round(s.after, 6), round(s.limit, 6), s.guaranteed
    (6.0, 0.117647, 0.294118, True)
    """
    setting = _scalar(formula, at, wrt, where, "a descent step")
    if step is not None and not (isinstance(step, int | float) and np.isfinite(step) and step > 0):
        raise DataError(f"the step is a number above 0, not {step!r}", hint="step=0.1")
    return DescentStep(setting, step)


class Directional:
    """The slope of a scalar along a direction."""

    def __init__(self, setting: Setting, flat: Array) -> None:
        self.setting = setting
        self._flat = flat
        self.gradient = _gradient(setting)

    @property
    def direction(self) -> dict[str, Array]:
        return self.setting.coordinates.arrays(self._flat)

    @cached_property
    def text(self) -> str:
        """uᵀ∇f in closed form; of several variables the sum, with directions u_x, u_y."""
        formula = self.setting.formula
        terms, more = [], {}
        for name, d in self.setting.derivatives.items():
            type_ = of_order(d.expr.dims)
            letter = "U" if type_.kind == MATRIX else "u"
            u = fresh(letter if len(self.setting.wrt) == 1 else f"{letter}_{name}", formula)
            more[u] = Declaration(type_.kind, type_.dims)
            terms.append(_along(Expr("name", value=u, type=type_), d.expr))
        return shortest(formula, addition(terms), more).text

    @property
    def value(self) -> float:
        return _inner(self.gradient, self.direction)

    @property
    def bound(self) -> float:
        """‖u‖ ‖∇f‖: no direction of this length has a larger slope."""
        return _norm(self.direction) * _norm(self.gradient)

    @property
    def cosine(self) -> float:
        """Of the angle between u and ∇f: 1 along the gradient, 0 along the level line."""
        return self.value / self.bound if self.bound else float("nan")

    def __str__(self) -> str:
        lines = [
            ("formula", self.setting.formula.text),
            *_gradients(self.setting),
            ("slope", f"u'*∇f = {self.text}"),
            *(("direction " + name, array(value)) for name, value in self.direction.items()),
            ("here", number(self.value)),
            ("bound", f"|u'*∇f| ≤ ‖u‖ ‖∇f‖ = {number(self.bound)} (Cauchy–Schwarz), cosine {number(self.cosine, 4)}"),
        ]
        return "\n".join([labelled(lines), *self.setting.notes])

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain data for JSON."""
        return {
            "formula": self.setting.formula.text,
            "text": self.text,
            "gradient": {name: value.tolist() for name, value in self.gradient.items()},
            "direction": {name: value.tolist() for name, value in self.direction.items()},
            "value": self.value,
            "bound": self.bound,
            "cosine": self.cosine,
        }


class DescentStep:
    """x − η∇f: before and after. Made by :func:`descent_step`."""

    def __init__(self, setting: Setting, step: float | None) -> None:
        self.setting = setting
        self.gradient = _gradient(setting)
        self._squares = _inner(self.gradient, self.gradient)
        if not self._squares:
            raise DataError("the point is stationary: the gradient is 0, so that there is no descent", hint=_STATIONARY)
        self.before = float(setting.value[0])
        self.step = self._best() if step is None else float(step)
        self.after = self._value_after(self.step)

    def _flat_after(self, step: float) -> Array:
        return self.setting.point - step * self.setting.coordinates.flat(self.gradient)

    def _value_after(self, step: float) -> float:
        return float(self.setting.value_at(self._flat_after(step))[0])

    def _best(self) -> float:
        """The best η for the quadratic model, or of length 1 where it has none; halved until f decreases."""
        step = self.limit / 2 if np.isfinite(self.limit) else 1 / _norm(self.gradient)
        for _ in range(SHRINKS):
            if self._lower(step):
                return step
            step /= 2
        raise DataError(
            "no step along −∇f decreases f here: the gradient is as small as rounding, or f is not smooth",
            hint=_STATIONARY,
        )

    @cached_property
    def curvature(self) -> float:
        """∇fᵀH∇f / ∇fᵀ∇f, the curvature along the gradient."""
        g = self.setting.coordinates.flat(self.gradient)
        return float(g @ hessian_product(self.setting)(g)) / self._squares

    @property
    def limit(self) -> float:
        """The η below which the quadratic model decreases: 2/curvature, inf where it curves down."""
        return 2 / self.curvature if self.curvature > 0 else float("inf")

    @cached_property
    def quadratic(self) -> bool:
        """Whether f is quadratic in what moves: its second derivatives do not depend on it, and limits are exact.

        One with kinks is none, though the second derivatives of |x| are 0 beside them.
        """
        formula = self.setting.formula
        if kinks(formula.program, self.setting.wrt, formula.node_of):
            return False
        forward = Pushforward(self.setting.formula, self.setting.wrt)
        second = tangent(forward.differential, forward.directions)
        return forward.directions.keys().isdisjoint(topological(rebuild(second, {}, expand=True)))

    @cached_property
    def global_limit(self) -> float | None:
        """2/λmax, below which steps decrease a quadratic from every point; None where f is not quadratic."""
        if not self.quadratic:
            return None
        scale = np.sqrt(self.setting.coordinates.weights)
        largest = float(np.linalg.eigvalsh(self.setting.hessians[0] / np.outer(scale, scale))[-1])
        return 2 / largest if largest > 0 else float("inf")

    @cached_property
    def concave(self) -> bool:
        """Whether f is certainly concave in what moves: then every step along −∇f decreases it."""
        return self._certain("concave")

    def _certain(self, fact: str) -> bool:
        return str(self.setting.formula.facts(list(self.setting.wrt))[fact].holds.value) == "yes"

    @cached_property
    def convex_limit(self) -> float | None:
        """The largest η found at which f is lower, if f is certainly convex: it is then lower for every smaller η.

        A convex function of η that is lower at η* than at 0 lies below the chord between them.
        """
        if not self._certain("convex"):
            return None
        low = min(self.limit, 1 / _norm(self.gradient))
        while low > 0 and not self._lower(low):
            low /= 2
        high = 2 * low
        while self._lower(high) and high < FARTHEST * low:
            high *= 2
        if self._lower(high):
            return high
        for _ in range(SHRINKS):
            middle = (low + high) / 2
            low, high = (middle, high) if self._lower(middle) else (low, middle)
        return low

    def _lower(self, step: float) -> bool:
        return -np.inf < self._value_after(step) < self.before

    @property
    def guaranteed(self) -> bool:
        """Whether it is certain that f decreases, and for every smaller step as well."""
        if not np.isfinite(self.after):
            return False
        if self.concave or (self.quadratic and self.step < self.limit):
            return True
        return not self.quadratic and self.convex_limit is not None and self.step <= self.convex_limit

    @property
    def predicted(self) -> float:
        """The change to first order, −η‖∇f‖²."""
        return -self.step * self._squares

    @property
    def point(self) -> dict[str, Array]:
        """Where the step leads."""
        return self.setting.coordinates.arrays(self._flat_after(self.step))

    def __str__(self) -> str:
        verdict = "decreases" if self.after < self.before else "does not decrease"
        verdict = verdict if np.isfinite(self.after) else "is not defined there"
        lines = [
            ("formula", self.setting.formula.text),
            *_gradients(self.setting),
            ("step", f"η = {number(self.step)}, to {self._point()}"),
            ("f", f"{number(self.before)} → {number(self.after)}: it {verdict}"),
            ("first order", f"−η‖∇f‖² = {number(self.predicted)}"),
            (
                "second",
                f"{number(self.predicted + self.step**2 * self.curvature * self._squares / 2)}, with ½η² ∇fᵀH∇f",
            ),
            ("limit", self._limit()),
        ]
        return "\n".join([labelled(lines), *self.setting.notes])

    def _point(self) -> str:
        return ", ".join(f"{name} = {array(value)}".replace("\n", " ") for name, value in self.point.items())

    def _limit(self) -> str:
        if self.concave:
            return "f is concave: every η > 0 decreases it, as long as the step stays in the domain"
        if self.quadratic:
            limit = self.global_limit
            assert limit is not None
            everywhere = f"; from every point for η < 2/λmax = {number(limit)}" if np.isfinite(limit) else ""
            return f"f is quadratic: it decreases exactly for 0 < η < {number(self.limit)}{everywhere}"
        if self.convex_limit is not None:
            return f"f is convex: it decreases for every 0 < η ≤ {number(self.convex_limit)}, being lower there"
        known = f"for η up to about {number(self.limit)}" if np.isfinite(self.limit) else "for every η"
        return (
            f"the quadratic model decreases {known} (curvature {number(self.curvature)} along ∇f); f is not quadratic"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain data for JSON."""
        return {
            "formula": self.setting.formula.text,
            "step": self.step,
            "before": self.before,
            "after": self.after,
            "predicted": self.predicted,
            "curvature": self.curvature,
            "limit": self.limit,
            "global_limit": self.global_limit,
            "quadratic": self.quadratic,
            "convex_limit": None if self.quadratic else self.convex_limit,
            "guaranteed": self.guaranteed,
            "point": {name: value.tolist() for name, value in self.point.items()},
        }


_STATIONARY = "another point, or the curvature there"


def _scalar(formula: Text, at: Mapping[str, Any], wrt: Any, where: Where, what: str) -> Setting:
    setting = Setting(formula, at, wrt, where)
    setting.require_scalar(what)
    assert setting.value.size == 1  # an error where it is not defined
    return setting


def _coordinates(setting: Setting, direction: Any) -> Array:
    """The coordinates of a direction, in the shapes of the variables."""
    given = direction if isinstance(direction, Mapping) else {setting.wrt[0]: direction}
    if set(given) != set(setting.wrt):
        raise DataError(
            f"the direction is given for {', '.join(map(str, given))}, and the variables are {', '.join(setting.wrt)}",
            hint="{" + ", ".join(f'"{name}": …' for name in setting.wrt) + "}, or wrt=…",
        )
    for name in setting.wrt:
        try:
            array_ = np.asarray(given[name], dtype=float)
        except (TypeError, ValueError) as error:
            raise DataError(f"the direction in {name} is not an array of numbers") from error
        if array_.shape != np.shape(setting.arrays[name]):
            raise DataError(
                f"the direction in {name} has the shape {array_.shape}, not {np.shape(setting.arrays[name])}"
            )
        if not np.all(np.isfinite(array_)):
            raise DataError(f"the direction in {name} holds nan or an infinite number")
    flat = setting.coordinates.flat(given)
    back = setting.coordinates.arrays(flat)
    for name in setting.wrt:
        if not np.allclose(back[name], given[name]):
            kind = setting.formula.variables[name]
            raise DataError(f"the direction in {name} leaves the space of {name}: {kind}", hint="one of that structure")
    return flat


def _gradients(setting: Setting) -> list[tuple[str, str]]:
    """∇f in closed form, by variable."""
    several = len(setting.wrt) > 1
    return [(f"∂f/∂{name}" if several else "∇f", d.text) for name, d in setting.derivatives.items()]


def _along(u: Expr, gradient: Expr) -> Expr:
    """⟨u, ∇f⟩: u*g of numbers, u'*g of vectors, tr(u'*G) of matrices."""
    if not u.dims:
        return times(u, gradient)
    turned = times(transposed(u), gradient)
    return turned if u.kind == VECTOR else call("tr", turned, type=SCALAR_TYPE)


def _gradient(setting: Setting) -> dict[str, Array]:
    """∇f by variable, in its shape: the steepest direction in the Euclidean (Frobenius) norm."""
    found = {name: np.asarray(d(**setting.arrays), dtype=float) for name, d in setting.derivatives.items()}
    for array_ in found.values():
        setting.finite(array_, "the gradient")
    return found


def _inner(first: Mapping[str, Array], second: Mapping[str, Array]) -> float:
    return float(sum(np.sum(first[name] * second[name]) for name in first))


def _norm(arrays: Mapping[str, Array]) -> float:
    return float(np.sqrt(_inner(arrays, arrays)))


def _unit_gradient(setting: Setting) -> Array:
    gradient = _gradient(setting)
    size = _norm(gradient)
    if not size:
        raise DataError("the point is stationary: the gradient is 0, and no direction is steepest", hint=_STATIONARY)
    return setting.coordinates.flat(gradient) / size
