"""The machine check of a derivation: every name has a value at a random point, every differential its true one.

The true differential of a part is its derivative along a random dx, by a complex step through the reference
evaluator; nothing is shared with what made the lines. Both sides of a line must agree to 1e-9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from matgrad.checking.magnitude import magnitude, peak_slope
from matgrad.checking.sampling import Point, Subject, draw
from matgrad.errors import MatgradError
from matgrad.explaining.lines import Line
from matgrad.explaining.trees import is_pending, named
from matgrad.formula.declarations import SPACES
from matgrad.formula.reference import evaluate
from matgrad.formula.syntax import Expr, Program, fold, walk
from matgrad.functions import card

TOLERANCE = 1e-9
LAYERED = 4
"""Definitions above which a program may be a network, whose checks need points that do not saturate it."""
DEEP = 24
"""Definitions above which a program is a deep network."""
STEP = 1e-30
Array = Any


class WrongLine(MatgradError):
    """A line of a derivation whose sides do not agree: a bug in matgrad, never shown as a derivation."""


@dataclass
class World:
    """Values for the names of a program at a point, and the differentials along one direction of ``wrt``."""

    program: Program
    wrt: Subject
    point: Point
    direction: Array
    values: dict[str, Any] = field(default_factory=dict)
    stepped: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = dict(self.point.arrays)
        self.stepped = dict(self.point.arrays)
        self._step(self.wrt.name)
        for name, value in self.program.definitions:
            self.values[name] = self.evaluated(value, self.values)
            self.stepped[name] = self.evaluated(value, self.stepped)
            self._step(name)

    def _step(self, name: str) -> None:
        if name == self.wrt.name and name in self.values:
            self.stepped[name] = self.values[name] + 1j * STEP * self.direction

    def evaluated(self, expr: Expr, values: Mapping[str, Any]) -> Array:
        return evaluate(expr, values, self.point.sizes)

    def differential(self, expr: Expr) -> Array:
        """The derivative of a part along the direction."""
        return np.imag(self.evaluated(expr, self.stepped)) / STEP

    def value(self, expr: Expr) -> Array:
        """The value of one side of a line; a differential not yet worked out has its true value."""
        filled, extra = self._filled(expr)
        return self.evaluated(filled, {**self.values, **extra})

    def size(self, expr: Expr) -> float:
        """How large the terms are that a side adds up: what rounding errors are relative to."""
        filled, extra = self._filled(expr)
        return magnitude(Program((), filled), {**self.values, **extra}, self.point.sizes)

    @cached_property
    def floor(self) -> float:
        """What a differential that vanishes by cancellation is relative to: the slopes of the parts that cancel."""
        return 1e-5 * peak_slope(self.program, self.stepped, self.point.sizes, self.wrt.name, STEP)

    def _filled(self, expr: Expr) -> tuple[Expr, dict[str, Any]]:
        extra: dict[str, Any] = {}

        def visit(node: Expr, args: list[Expr]) -> Expr:
            if not is_pending(node):
                return node.replace(args=tuple(args)) if args else node
            name = f"<{len(extra)}>"
            extra[name] = self.differential(node.args[0])
            return named(name, node.type)

        return fold(expr, visit), extra

    def at_kink(self, expr: Expr) -> bool:
        """Whether a function with a kink or a jump is taken where its argument is nothing but rounding."""
        for node in walk(self._filled(expr)[0]):
            entry = card(node.value.name) if node.op == "call" and not node.value.primes else None
            if entry is None or not entry.kink or is_pending(node):
                continue
            value = np.abs(np.asarray(self.value(node.args[0])))
            if np.any(value <= TOLERANCE * self.size(node.args[0])):
                return True
        return False

    def gradient(self, expr: Expr) -> Array:
        """All partial derivatives of a part: axes of the part first, then those of the variable."""
        at = np.asarray(self.values[self.wrt.name], dtype=float)
        columns = []
        for index in np.ndindex(*at.shape):
            direction = np.zeros(at.shape)
            direction[index] = 1
            columns.append(World(self.program, self.wrt, self.point, direction).differential(expr))
        return on_space(np.moveaxis(np.array(columns), 0, -1).reshape((*columns[0].shape, *at.shape)), self.wrt.traits)


def on_space(array: Array, traits: Iterable[str]) -> Array:
    """A derivative on the space of the variable: symmetric, diagonal or triangular matrices."""
    traits = set(traits)
    if array.ndim < 2 or not traits & SPACES:
        return array
    if "diagonal" in traits:
        return array * np.eye(array.shape[-1])
    if "symmetric" in traits:
        return (array + np.swapaxes(array, -1, -2)) / 2
    return np.tril(array) if "lower" in traits else np.triu(array)


def gentle(point: Point, subjects: Sequence[Subject], program: Program) -> Point:
    """The point with arrays of norm 1, where the program is defined there: larger ones saturate many layers."""
    arrays = dict(point.arrays)
    for subject in subjects:
        if subject.type.dims and not subject.traits:
            arrays[subject.name] = arrays[subject.name] / np.linalg.norm(arrays[subject.name], 2)
    value = np.asarray(evaluate(program, arrays, point.sizes))
    return Point(arrays, point.sizes) if np.all(np.isfinite(value)) else point


def random_direction(wrt: Subject, sizes: Mapping[str, int], seed: int) -> Array:
    """A random dx in the space of the variable."""
    traits = wrt.traits & SPACES
    rng = np.random.default_rng(seed)
    style: Callable[..., Array] = lambda generator, shape: generator.standard_normal(shape)  # noqa: E731
    return draw(Subject(wrt.name, wrt.type, traits), sizes, rng, style)


def check(lines: Sequence[Line], worlds: Sequence[World], shown: Callable[[Expr], str]) -> tuple[float, list[World]]:
    """Raise WrongLine where the sides of a line differ at a point; else the largest relative error, and the points.

    A point where terms cancel to rounding under a kink or a jump says nothing: it is left out.
    """
    worst, used = 0.0, []
    for world in worlds:
        errors = [_error(world, line) for line in lines]
        wrong = next((k for k, error in enumerate(errors) if not error <= TOLERANCE), None)
        if wrong is None:
            worst = max([worst, *errors])
            used.append(world)
        elif not any(world.at_kink(part) for line in lines for part in (line.before, line.right) if part is not None):
            raise WrongLine(
                f"a line of the derivation failed its check (relative error {errors[wrong]:.0e}): "
                f"{lines[wrong].law.rule}",
                details=f"{shown(lines[wrong].left)} = {shown(lines[wrong].right)}",
                hint="please report it; derive gives the answer, checked by itself",
            )
    return worst, used


def _error(world: World, line: Line) -> float:
    """How far the sides of a line are from each other, before and after its law."""
    terms = world.size(line.before) if line.before is not None else 0.0
    error = disagreement(world, line.left, line.right, terms)
    if line.before is not None and line.before is not line.right:
        error = float(np.maximum(error, disagreement(world, line.left, line.before, terms)))
    return error


def disagreement(world: World, left: Expr, right: Expr, terms: float = 0.0) -> float:
    """The relative difference of two sides: relative to their terms, since the whole may vanish by cancellation."""
    a, b = np.asarray(world.value(left)), np.asarray(world.value(right))
    if a.shape != b.shape:
        return float("inf")
    scale = max(float(np.max(np.abs(a), initial=0)), world.size(right), terms, world.floor) or 1.0
    return float(np.max(np.abs(a - b), initial=0)) / scale
