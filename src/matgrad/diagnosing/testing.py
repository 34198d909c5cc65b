"""Values of candidate answers at a few random points: most candidates are ruled out there, and quickly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from matgrad.checking.sampling import Point, Subject, points
from matgrad.deciding.equality import equal
from matgrad.errors import MatgradError
from matgrad.formula.infer import infer
from matgrad.formula.reference import evaluate
from matgrad.formula.syntax import Expr, Program, Type, fold
from matgrad.formula.typed import Typed

Values = list[Any]
POINTS = 3
_CLOSE = 1e-8
_TINY, _MOST_SPARE = 1e-100, 8


class Bench:
    """The truth at some points, and the means to test other formulas against it."""

    def __init__(self, typed: Typed, truth: Expr, subjects: Sequence[Subject], *, seed: int = 5) -> None:
        self.typed = typed
        self.truth = truth
        self.subjects = list(subjects)
        self.functions = sorted(typed.functions)
        drawn = points(typed.program, subjects, self.functions, seed)
        self.points: list[Point] = []
        self.target: Values = []
        spare: list[tuple[Point, Any]] = []  # where the truth vanishes, little can be told apart
        for point in drawn:
            value = self._at(truth, point)
            if value is None:
                continue
            if np.max(np.abs(value), initial=0) < _TINY and len(spare) < _MOST_SPARE:
                spare.append((point, value))
                continue
            self.points.append(point)
            self.target.append(value)
            if len(self.points) == POINTS:
                break
        for point, value in spare[: POINTS - len(self.points)]:
            self.points.append(point)
            self.target.append(value)

    def constrained(self, traits: Mapping[str, frozenset[str]]) -> Bench:
        """The same with further facts about some variables."""
        subjects = [
            s if s.name not in traits else Subject(s.name, s.type, s.traits | traits[s.name]) for s in self.subjects
        ]
        return Bench(self.typed, self.truth, subjects)

    @staticmethod
    def inlining(program: Program, typed: Typed) -> Callable[[Expr], Expr]:
        """What replaces named intermediates, those of the answer and those of the formula, by their values."""
        definitions = {**dict(typed.program.definitions), **dict(program.definitions)}

        def inlined(expr: Expr) -> Expr:
            def visit(node: Expr, args: list[Expr]) -> Expr:
                if node.op == "name" and node.value in definitions:
                    return inlined(_untyped(definitions[node.value]))
                return node.replace(args=tuple(args), type=None) if args else node

            found: Expr = fold(expr, visit)
            return found

        return inlined if definitions else lambda expr: expr

    def typed_as(self, expr: Expr, expect: Type | None = None) -> Expr | None:
        """The formula with types, or None where it has none."""
        try:
            found = infer(Program((), _untyped(expr)), {}, "", context=self.typed, expect=expect)
        except (MatgradError, AssertionError):
            return None
        if set(found.variables) - set(self.typed.variables):
            return None
        return found.program.body

    def values(self, expr: Expr) -> Values | None:
        """The values of a typed formula at the points, or None where it has none."""
        found = [self._at(expr, point) for point in self.points]
        return None if any(value is None for value in found) else found

    def values_of(self, expr: Expr, expect: Type | None = None) -> Values | None:
        """The values of a formula without types, or None."""
        typed = self.typed_as(expr, expect)
        return None if typed is None else self.values(typed)

    def _at(self, expr: Expr, point: Point) -> Any:
        try:
            value = np.asarray(evaluate(expr, point.arrays, point.sizes), dtype=float)
        except (MatgradError, ValueError, TypeError, ArithmeticError, IndexError, np.linalg.LinAlgError):
            return None
        return value if np.all(np.isfinite(value)) else None

    def matches(self, values: Values | None, target: Values | None = None) -> bool:
        """Whether these values are those of the truth, or of another target."""
        target = self.target if target is None else target
        return values is not None and bool(target) and all(map(close, values, target))

    def equals(self, expr: Expr) -> bool | None:
        """Whether a typed formula is the truth: tested at the points, then decided exactly."""
        values = self.values(expr)
        if self.points and values is not None and not self.matches(values):
            return False
        return equal(self.truth, expr, self.subjects, self.functions)


def close(value: Any, target: Any, tolerance: float = _CLOSE) -> bool:
    if np.shape(value) != np.shape(target):
        return False
    scale = max(float(np.max(np.abs(target), initial=0)), float(np.max(np.abs(value), initial=0)))
    return bool(np.max(np.abs(value - target), initial=0) <= tolerance * scale)


def _untyped(expr: Expr) -> Expr:
    """Without types, and with a place for every part, as inference wants it."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        return Expr(node.op, tuple(args), node.value, node.span or (0, 0))

    found: Expr = fold(expr, visit)
    return found
