"""From a formula to its backward table: the lines, their checks, their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from matgrad.answer.derivative import Derivative
from matgrad.answer.deriving import derivative_of
from matgrad.answer.evaluation import bound
from matgrad.answer.formula import Formula, formula_of
from matgrad.checking.magnitude import magnitude
from matgrad.checking.sampling import Point, Subject, points
from matgrad.errors import NotSupported
from matgrad.explaining.backward import Backward, signals
from matgrad.explaining.backward_check import Forward, check_table
from matgrad.explaining.derivation import UNDECIDED, Derivation
from matgrad.explaining.lines import Line
from matgrad.explaining.pointwise import at_point
from matgrad.explaining.trees import named
from matgrad.explaining.truth import DEEP, LAYERED, WrongLine, gentle
from matgrad.explaining.words import Words, spelled_words
from matgrad.formula.syntax import SCALAR_TYPE, Program


def backward(
    source: str | Formula, wrt: Sequence[str], where: Any, order: int, at: Mapping[str, Any] | None
) -> Derivation:
    """The table of signals, from the loss to the parameters."""
    if order != 1:
        raise NotSupported("the backward style is of first derivatives", hint='style="differential"')
    formula = formula_of(source, where)
    known = [*formula.symbols, *formula.intermediates]
    for name in wrt:
        if name not in known:
            derivative_of(formula, [name])  # raises the error that derive raises
    if formula.node.shape:
        raise NotSupported(
            f"the backward style is of a scalar, but the formula is a {formula.kind}",
            hint='style="differential", or a scalar such as sum(…)',
        )
    table = Backward(formula, wrt)
    lines = table.lines()
    typed = formula.typed
    subjects = [Subject(n, v.type, frozenset(v.traits)) for n, v in typed.variables.items()]
    found: Iterator[Point] = islice(points(formula.program, subjects, sorted(typed.functions), 0), 2)
    if len(table.program.definitions) > LAYERED:
        found = (gentle(point, subjects, formula.program) for point in found)
    errors = [_checked(table, lines, point, subjects, k) for k, point in enumerate(found)]
    if len(table.program.definitions) <= DEEP:
        errors.append(_compared(table, lines, formula))
    words = Words(spelled_words(formula.spelled))
    for name in table.varying:
        words.gradient(table.signal_name(name), named(table.function, SCALAR_TYPE), named(name, table.types[name]))
    notes: tuple[str, ...] = () if len(errors) > (len(table.program.definitions) <= DEEP) else (UNDECIDED,)
    if at is not None:
        point = at
        last = next((name for name in wrt if table.signal_name(name) == lines[-1].left.value), wrt[0])
        answer = Derivative(formula, (last,))
        lines, met = at_point(lambda: _with_numbers(table, lines, point), answer, point)
        notes += met
    return Derivation(formula.text, tuple(wrt), 1, "backward", tuple(lines), words, 2, max(errors, default=0.0), notes)


def _with_numbers(table: Backward, lines: Sequence[Line], at: Mapping[str, Any]) -> list[Line]:
    """Each line with its value at a point."""
    found = bound(table.formula, at)
    forward = Forward(table, Point(dict(found.arrays), dict(found.sizes)))
    out = []
    for line in lines:
        value = forward.values[line.left.value] = forward.evaluated(line.right, forward.values)
        out.append(line._replace(numbers=value))
    return out


def _checked(table: Backward, lines: list[Line], point: Point, subjects: Sequence[Subject], seed: int) -> float:
    """The error at a point; at a gentler one where rounding is too large there: a wrong line is wrong at both."""
    try:
        return check_table(table, lines, point, seed)
    except WrongLine:
        return check_table(table, lines, gentle(point, subjects, table.formula.program), seed)


def _compared(table: Backward, lines: list[Line], formula: Formula) -> float:
    """How far the table's answers are from those of ``derive``."""
    answers = [Derivative(formula, (name,)) for name in table.wrt]
    typed = formula.typed
    subjects = [Subject(n, v.type, frozenset(v.traits)) for n, v in typed.variables.items()]
    worst = 0.0
    for point in islice(points(formula.program, subjects, sorted(typed.functions), 1), 1):
        forward = Forward(table, point)
        for line in signals(lines):
            forward.values[line.left.value] = forward.evaluated(line.right, forward.values)
        for answer in answers:
            ours = np.asarray(forward.values[table.signal_name(answer.wrt[0])])
            theirs = np.asarray(forward.evaluated(answer.short_expr, forward.values))
            size = magnitude(Program((), answer.short_expr), forward.values, point.sizes)
            error = float(np.max(np.abs(ours - theirs), initial=0)) / (size or 1.0)
            if not error <= 1e-9:
                raise WrongLine(f"the table and the derivative in {answer.wrt[0]} differ by {error:.0e}")
            worst = max(worst, error)
    return worst
