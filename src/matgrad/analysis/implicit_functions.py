"""The implicit function theorem: where F(x, y) = 0 defines y as a function of x, dy/dx = −(∂F/∂y)⁻¹ ∂F/∂x."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from matgrad.analysis.closed import shortest, square
from matgrad.analysis.report import array, labelled, number
from matgrad.analysis.setting import Setting, formula_at
from matgrad.analysis.solving import solved
from matgrad.answer.derivative import Derivative
from matgrad.answer.deriving import derivative_of
from matgrad.answer.differentiation import variable_of
from matgrad.answer.formula import Formula
from matgrad.dims import Dim
from matgrad.errors import DataError, MatgradError, NotSupported, ShapeError
from matgrad.formula.declarations import SPACES, Where
from matgrad.formula.syntax import MATRIX, SCALAR, Expr, Type
from matgrad.objects.asking import Name, Text, names
from matgrad.tensor.nodes import Symbol
from matgrad.translate.algebra import call, coefficient, negative, product, times

Array = Any
DOUBT = 1e-4
"""A relative error of the check from which something is wrong with the point."""
SINGULAR = 1e-12
"""∂F/∂y counts as singular where its smallest singular value is below this part of the largest."""


def implicit(
    formula: Text,
    unknown: Name | Sequence[Name],
    wrt: Name | Sequence[Name],
    *,
    at: Mapping[str, Any] | None = None,
    where: Where = None,
) -> Implicit:
    """dy/dx for the y that solves F(x, y) = 0, in closed form with its condition; with ``at``, its value as well.

    ``at`` has values of all variables; that of ``unknown`` may be a guess, from which F = 0 is solved first. The value
    is checked by solving again at nearby values of ``wrt``. Raises DataError where ∂F/∂y is singular.

    >>> i = implicit("A*y - tanh(x)", "y", "x")
    >>> print(i.text, "|", i.condition)
    inv(A)*diag(1 - tanh(x).^2) | det(A) ≠ 0
    >>> circle = implicit("x^2 + y^2 - 25", "y", "x", at={"x": 3.0, "y": 4.0}, where="x: scalar; y: scalar")
    >>> circle.text, circle.value
    ('-x/y', array(-0.75))
    """
    typed = formula_at(formula, {} if at is None else at, where)
    return Implicit(typed, tuple(names(unknown)), tuple(names(wrt)), at)


class Implicit:
    """The derivative of an implicit function. Made by :func:`implicit`."""

    def __init__(
        self, formula: Formula, unknown: tuple[str, ...], wrt: tuple[str, ...], at: Mapping[str, Any] | None
    ) -> None:
        self.unknown, self.wrt = unknown, wrt
        both = [name for name in wrt if name in unknown]
        if both:
            raise MatgradError(f"{both[0]} cannot be both unknown and given", hint="unknown='y', wrt='x'")
        self.formula = square(formula, unknown)
        self._require_square()
        self.at = at
        self.by_unknown = dict(zip(unknown, derivative_of(formula, unknown, layout="vec"), strict=True))
        self.by_given = dict(zip(wrt, derivative_of(formula, wrt, layout="vec"), strict=True))
        self._forms: dict[str, Formula | None] = {}
        if at is not None:
            self._require_regular()

    def _require_square(self) -> None:
        """As many equations as unknowns, as far as the sizes are known."""
        for name in (*self.unknown, *self.wrt):
            node = variable_of(self.formula, name)
            if not isinstance(node, Symbol):
                raise DataError(f"{name} is an intermediate: its value follows from the variables")
            if name in self.unknown and node.traits & SPACES:
                raise NotSupported(
                    f"{name} is declared with a structure, so that there are fewer unknowns than equations",
                    hint=f"{name}: matrix(n,n); the solution has the structure by itself",
                )
        shapes = [variable_of(self.formula, name).shape for name in self.unknown]
        equations = self.formula.node.shape
        if len(shapes) > 1 and any(len(shape) > 1 for shape in (*shapes, equations)):
            raise NotSupported("several unknowns are scalars and vectors", hint="one unknown matrix")
        if len(shapes) == 1 and shapes[0] != equations:
            said = [f"({', '.join(map(str, shape))})" for shape in (equations, shapes[0])]
            raise ShapeError(
                f"F has the shape {said[0]}, and {self.unknown[0]} the shape {said[1]}: "
                "there must be as many equations as unknowns",
                hint="equations stacked as [f; g], for an unknown vector of two",
            )

    # -- in closed form

    @cached_property
    def slope(self) -> Expr:
        """∂F/∂y, as a scalar or a square matrix; of several unknowns, side by side."""
        blocks = [d.expr for d in self.by_unknown.values()]
        if len(blocks) == 1:
            return blocks[0]
        width = Dim.of(0)
        for block in blocks:
            width = width + (block.dims[1] if block.kind == MATRIX else Dim.of(1))
        type_ = Type(MATRIX, (self.formula.node.shape[0], width))
        if all(block.op == "stack" and set(block.value) == {1} for block in blocks):  # columns entry by entry
            rows = list(zip(*(block.args for block in blocks), strict=True))
            return Expr("stack", tuple(e for row in rows for e in row), (len(blocks),) * len(rows), type=type_)
        return Expr("stack", tuple(blocks), (len(blocks),), type=type_)

    def form(self, name: str) -> Formula | None:
        """dy/dx in closed form; None where ∂F/∂y or ∂F/∂x has none in matrix notation."""
        if name not in self._forms:
            self._forms[name] = self._form(self.by_given[name])
        return self._forms[name]

    def _form(self, given: Derivative) -> Formula | None:
        """As it stands in the theorem, or simplified: whichever is shorter."""
        if not (given.closed_form and all(d.closed_form for d in self.by_unknown.values())):
            return None
        if self.slope.kind == SCALAR:
            return shortest(self.formula, negative(product([("*", given.expr), ("/", self.slope)])))
        inverse = call("inv", self.slope, type=self.slope.type or Type(MATRIX, ()))
        return shortest(self.formula, negative(times(inverse, given.expr)))

    @property
    def text(self) -> str:
        """dy/dx in matgrad's notation, of several variables one a line: of a matrix, on vec."""
        if len(self.wrt) == 1:
            return self._text(self.wrt[0])
        return "\n".join(f"{name}: {self._text(name)}" for name in self.wrt)

    def _text(self, name: str) -> str:
        form = self.form(name)
        if form is not None:
            return form.text
        slope = ", ".join(d.text for d in self.by_unknown.values())
        return f"-inv({slope})*({self.by_given[name].text}), as arrays: it has no form in matrix notation"

    @property
    def latex(self) -> str:
        forms = [self.form(name) for name in self.wrt]
        if any(form is None for form in forms):
            raise NotSupported("the derivative has no form in matrix notation", hint="the value, with at=…")
        return r",\quad ".join(form.latex for form in forms if form is not None)

    @property
    def condition(self) -> str:
        """Under which y is a function of x, locally: ∂F/∂y is invertible."""
        if not all(d.closed_form for d in self.by_unknown.values()):
            return "∂F/∂y is invertible"
        form = shortest(self.formula, self.slope)
        _, rest = coefficient(form.program.body)  # a number in front changes nothing
        text = form.text if rest.op == "number" else self.formula.print(rest)
        return f"{text} ≠ 0" if self.slope.kind == SCALAR else f"det({text}) ≠ 0"

    # -- at a point

    @cached_property
    def setting(self) -> Setting:
        """F at the solution that is nearest to what was given, in the unknowns."""
        if self.at is None:
            raise DataError("no point was given", hint="at={…}, with a guess of the unknown")
        missing = [name for name in self.unknown if name not in self.at]
        if missing:
            raise DataError(
                f"no value is given for {missing[0]}", hint=f"a guess of it, from which F = 0 is solved: {missing[0]}=…"
            )
        start = Setting(self.formula, self.at, self.unknown)
        if len(start.outputs) != start.coordinates.size:
            raise ShapeError(
                f"there are {len(start.outputs)} equations and {start.coordinates.size} unknowns here",
                hint="as many equations as unknowns",
            )
        point = solved(start, start.point)
        return Setting(self.formula, {**start.arrays, **start.coordinates.arrays(point)}, self.unknown)

    @property
    def solution(self) -> dict[str, Array]:
        """The unknowns at the point."""
        return {name: self.setting.arrays[name] for name in self.unknown}

    @property
    def condition_number(self) -> float:
        """Of ∂F/∂y at the solution."""
        return float(np.linalg.cond(self.setting.jacobian))

    def _require_regular(self) -> None:
        _, values, right = np.linalg.svd(self.setting.jacobian)
        if values[-1] > SINGULAR * values[0]:
            return
        y = ", ".join(self.unknown)
        said = "is 0" if len(values) == 1 else "is singular"
        spread = f" (singular values from {number(values[0], 3)} to {number(values[-1], 3)})" if len(values) > 1 else ""
        direction = ", ".join(f"{x:.3g}" for x in right[-1])
        raise DataError(
            f"∂F/∂{y} {said} at this point{spread}, so that F = 0 does not make {y} a smooth function there",
            details=f"to first order F does not change along ({direction}) in {y}",
            hint="another point, or another choice of the unknown",
        )

    @cached_property
    def values(self) -> dict[str, Array]:
        """dy/dx at the solution: the axes of y, then those of x. Of several unknowns, one axis for all of them."""
        rows = self.setting.jacobian
        one = len(self.unknown) == 1
        found = {}
        for name, d in self.by_given.items():
            mixed = np.asarray(d.in_layout("mixed")(**self.setting.arrays))
            shape = np.shape(self.setting.arrays[name])
            slope = -np.linalg.solve(rows, mixed.reshape(len(rows), -1))
            lead = np.shape(self.setting.arrays[self.unknown[0]]) if one else (len(rows),)
            found[name] = slope.reshape(lead + shape)
        return found

    @property
    def value(self) -> Array:
        """dy/dx at the solution, where there is one variable in ``wrt``."""
        if len(self.wrt) > 1:
            raise MatgradError("there are several variables in wrt", hint="values, a mapping by name")
        return self.values[self.wrt[0]]

    @cached_property
    def error(self) -> float:
        """The relative difference to slopes of y found by solving F = 0 again at nearby x, along random directions.

        nan where no solution was found there.
        """
        rng = np.random.default_rng(0)
        given = Setting(self.formula, self.setting.arrays, self.wrt)
        worst = 0.0
        for _ in range(3):
            direction = rng.standard_normal(given.coordinates.size)
            direction *= (float(np.linalg.norm(given.point)) or 1.0) / np.linalg.norm(direction)
            moves = given.coordinates.arrays(direction)
            slope = sum(
                np.tensordot(self.values[name], moves[name], axes=np.ndim(moves[name])).reshape(-1) for name in self.wrt
            )
            try:
                far, near = (self._slope(given, direction, step) for step in (2e-3, 1e-3))
            except DataError:
                return float("nan")
            numeric = (4 * near - far) / 3  # Richardson: of fourth order
            size = max(float(np.linalg.norm(slope)), float(np.linalg.norm(self.setting.point)) * 1e-6, 1e-300)
            worst = max(worst, float(np.linalg.norm(numeric - slope)) / size)
        return worst

    def _slope(self, given: Setting, direction: Array, step: float) -> Array:
        ends = []
        for sign in (1, -1):
            moved = given.coordinates.arrays(given.point + sign * step * direction)
            near = Setting(self.formula, {**self.setting.arrays, **moved}, self.unknown)
            ends.append(solved(near, near.point))
        return (ends[0] - ends[1]) / (2 * step)

    def __str__(self) -> str:
        y = ", ".join(self.unknown)
        dy = f"d{y}" if len(self.unknown) == 1 else f"d({y})"
        lines = [("equation", f"{self.formula.text} = 0, solved for {y}")]
        lines += [(f"∂F/∂{name}", d.text) for name, d in {**self.by_unknown, **self.by_given}.items()]
        lines += [(f"{dy}/d{name}", self._text(name) + self._on_vec(name)) for name in self.wrt]
        lines.append(("where", self.condition))
        if self.at is None:
            return labelled(lines)
        lines += [(name, array(value)) for name, value in self.solution.items()]
        lines += [(f"{dy}/d{name} here", array(value)) for name, value in self.values.items()]
        if len(self.setting.outputs) > 1:
            lines.append(("condition", f"{number(self.condition_number, 3)}, of ∂F/∂{y if len(dy) < 4 else f'({y})'}"))
        return labelled([*lines, ("check", self._checked())])

    def _on_vec(self, name: str) -> str:
        matrices = [n for n in (*self.unknown, name) if len(variable_of(self.formula, n).shape) > 1]
        return "  (on vec: columns stacked)" if matrices and self.slope.kind != SCALAR else ""

    def _checked(self) -> str:
        nearby = ", ".join(self.wrt)
        if np.isnan(self.error):
            return f"undecided: no solution was found at nearby {nearby}; ∂F/∂{self.unknown[0]} may be near singular"
        doubt = "" if self.error < DOUBT else ": ∂F/∂y is near singular, or F not smooth, here"
        return f"relative error {self.error:.0e} against solving at nearby {nearby}{doubt}"

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain data for JSON."""
        found: dict[str, Any] = {
            "formula": self.formula.text,
            "unknown": list(self.unknown),
            "wrt": list(self.wrt),
            "text": {name: self._text(name) for name in self.wrt},
            "condition": self.condition,
        }
        if self.at is not None:
            found["solution"] = {name: value.tolist() for name, value in self.solution.items()}
            found["value"] = {name: value.tolist() for name, value in self.values.items()}
            found["condition_number"], found["error"] = self.condition_number, self.error
        return found
