"""The machine check of a backward table: each signal against the formulas that use its value, then all at once.

Local: ⟨∂L/∂v, d⟩ is the sum over the formulas c that use v of ⟨∂L/∂c, dc⟩, with dc a complex step of c alone along a
random d. Signals come last first, so by induction all of them are right. Global: L is stepped along random directions
in all parameters together. Both are linear in the depth of the program.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import Any

import numpy as np

from matgrad.checking.magnitude import magnitude
from matgrad.checking.sampling import Point, Subject
from matgrad.explaining.backward import Backward, signals
from matgrad.explaining.lines import Line
from matgrad.explaining.truth import STEP, TOLERANCE, WrongLine, random_direction
from matgrad.formula.reference import evaluate
from matgrad.formula.syntax import Expr, Program
from matgrad.tensor.nodes import Symbol

Array = Any


class Forward:
    """The values of a program at a point, and of the signals as the lines give them."""

    def __init__(self, table: Backward, point: Point) -> None:
        self.table, self.point = table, point
        self.values: dict[str, Any] = dict(point.arrays)
        for name, value in table.program.definitions:
            self.values[name] = self.evaluated(value, self.values)
        self.values[table.function] = self.evaluated(table.program.body, self.values)

    def evaluated(self, expr: Expr, values: Mapping[str, Any]) -> Array:
        return evaluate(expr, values, self.point.sizes)

    def subject(self, name: str) -> Subject:
        """What varies: a value that is known to be symmetric varies among the symmetric ones."""
        variable = self.table.formula.typed.variables.get(name)
        symbol = self.table.coefficients.symbols[name]
        traits = variable.traits if variable else symbol.traits if isinstance(symbol, Symbol) else frozenset()
        return Subject(name, self.table.types[name], frozenset(traits))

    def direction(self, name: str, seed: int, *, free: bool = False) -> Array:
        """A random change of a value; a ``free`` one of all entries of a symmetric or triangular matrix."""
        subject = self.subject(name)
        subject = Subject(name, subject.type, frozenset()) if free else subject
        return random_direction(subject, self.point.sizes, seed)


def check_table(table: Backward, lines: list[Line], point: Point, seed: int = 0) -> float:
    """The largest relative error at one point; raises WrongLine."""
    forward = Forward(table, point)
    worst = 0.0
    for k, line in enumerate(signals(lines)):
        found = np.asarray(forward.evaluated(line.right, forward.values))
        forward.values[line.left.value] = found
        free = line.left.value in table.free
        name = table.free[line.left.value] if free else table.owners[line.left.value]
        error = _local_error(forward, name, found, line.right, seed + k, free=free)
        if not error <= TOLERANCE or found.shape != np.shape(forward.values[name]):
            raise WrongLine(f"the signal of {name} failed its check (relative error {error:.0e}): {line.law.rule}")
        worst = max(worst, error)
    error = _global_error(forward, seed)
    if not error <= TOLERANCE:
        raise WrongLine(f"the table as a whole failed its check (relative error {error:.0e})")
    return max(worst, error)


def _local_error(forward: Forward, name: str, signal: Array, expr: Expr, seed: int, *, free: bool = False) -> float:
    """What the line's left side is by definition: the sum over all uses of ⟨signal, change of the formula⟩."""
    table = forward.table
    direction = forward.direction(name, seed, free=free)
    stepped = ChainMap({name: forward.values[name] + 1j * STEP * direction}, forward.values)
    truth = 0.0
    for use in table.uses.get(name, []):
        slope = np.imag(forward.evaluated(use.value, stepped)) / STEP
        weight = 1.0 if use.owner is None else forward.values[table.signal_name(use.owner)]
        truth += float(np.sum(weight * slope))
    ours = float(np.sum(signal * direction))
    size = magnitude(Program((), expr), forward.values, forward.point.sizes) * float(np.sum(np.abs(direction)))
    return abs(truth - ours) / (max(abs(truth), size) or 1.0)


def _global_error(forward: Forward, seed: int) -> float:
    table = forward.table
    names = [n for n in table.wrt if n in table.uses and n in forward.point.arrays]
    directions = {name: forward.direction(name, 1000 + seed + k) for k, name in enumerate(names)}
    known: dict[str, Any] = dict(forward.point.arrays)
    known |= {name: known[name] + 1j * STEP * directions[name] for name in names}
    for name, value in table.program.definitions:
        known[name] = forward.evaluated(value, known)
    truth = float(np.imag(forward.evaluated(table.program.body, known)) / STEP)
    terms = [forward.values[table.signal_name(n)] * directions[n] for n in names]
    ours = sum(float(np.sum(t)) for t in terms)
    size = sum(float(np.sum(np.abs(t))) for t in terms)
    floor = 1e-5 * magnitude(table.program, forward.point.arrays, forward.point.sizes)
    return abs(truth - ours) / (max(abs(truth), size, floor) or 1.0)
