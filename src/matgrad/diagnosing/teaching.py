"""What a teacher would say: what is right so far, what is off, at which rule, and how to see it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from matgrad.answer.derivative import Derivative
from matgrad.diagnosing.reading import Answer
from matgrad.diagnosing.repairs import Fault
from matgrad.diagnosing.testing import Bench
from matgrad.errors import MatgradError
from matgrad.explaining.derivation import Derivation
from matgrad.explaining.lines import STEP, Line
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr, walk
from matgrad.formula.text import to_text


class Lesson(NamedTuple):
    """What is known of an answer when it is explained."""

    derivative: Derivative
    bench: Bench
    given: Answer
    fault: Fault | None
    right: bool = False


def lesson(about: Lesson) -> str:
    """The message."""
    derivative = about.derivative
    if about.right:
        return _right(about)
    if about.fault is None:
        return (
            "Undecided: no point was found at which your answer could be compared with the derivative.\n"
            f"    {derivative.text}"
        )
    parts = [_WHAT[about.fault.kind](about), _condition(about), _rule(about), _worked(about)]
    return "\n".join(part for part in parts if part)


def _right(about: Lesson) -> str:
    derivative = about.derivative
    printed = derivative.formula.print(about.given.typed) if about.given.typed is not None else ""
    if printed in (derivative.text, derivative.short):
        return "Right."
    return f"Right: it equals {derivative.text}, in another form."


# -- what is off, for each kind


def _show(about: Lesson, expr: Expr | None) -> str:
    if expr is None:
        return ""
    typed = about.bench.typed_as(expr)
    return about.derivative.formula.print(typed) if typed is not None else to_text(expr)


def _sign(about: Lesson) -> str:
    return "All is right but the sign: the derivative is the negative of your answer."


def _constant(about: Lesson) -> str:
    assert about.fault is not None
    value = about.fault.value
    text = f"{value}" if not isinstance(value, Fraction) or value.denominator == 1 else f"({value})"
    return f"Right up to a constant: the derivative is {text} times your answer."


def _layout(about: Lesson) -> str:
    assert about.fault is not None
    name = about.fault.layout
    wanted = _shape(about.derivative.expr)
    if name == "transposed":
        return (
            f"The entries are right, but arranged the other way round: here the derivative is {wanted}, "
            "and yours is its transpose."
        )
    if name.startswith("symmetric="):
        how = "counts each free entry once" if "entries" in name else "takes the variable as unconstrained"
        return f"Right in another convention, {name}, which {how}; here the answer is the symmetric representative."
    return f"Right in {name}; in {about.derivative.layout} layout, which was asked for, it is arranged as {wanted}."


def _shapes(about: Lesson) -> str:
    wanted = _shape(about.derivative.expr)
    of = f"the derivative of a {about.derivative.formula.kind} in {about.derivative.wrt[-1]} is {wanted}"
    if about.given.typed is not None:
        return f"The shape is off: your answer is {_shape(about.given.typed)}, but {of}."
    problem = about.given.problem
    return f"The shapes do not fit: {problem.message if problem else 'your answer has no shape'}. Here {of}."


def _shape(expr: Expr) -> str:
    dims = " × ".join(map(str, expr.dims))
    return {SCALAR: "a scalar", VECTOR: f"a column of length {dims}", ROW: f"a row of length {dims}"}.get(
        expr.kind, f"a matrix of size {dims}" if expr.kind == MATRIX else f"an array of shape {dims}"
    )


def _inverse(about: Lesson) -> str:
    return f"All is right but one inverse: {_change(about)}."


def _transpose(about: Lesson) -> str:
    return f"A transpose is off: {_change(about)}."


def _change(about: Lesson) -> str:
    """Which transpose to add or to remove, and what it is then."""
    assert about.fault is not None
    part, repaired = about.fault.part, about.fault.repaired
    if part is None or repaired is None:
        return about.derivative.text
    before = sum(node.op == "transpose" and node.args[0] == part for node in walk(about.given.tree))
    after = sum(node.op == "transpose" and node.args[0] == part for node in walk(repaired))
    what = "must not be transposed" if after < before else "has to be transposed"
    return f"{_show(about, part)} {what}, as in {_turned(about)}"


def _turned(about: Lesson) -> str:
    assert about.fault is not None
    return _show(about, about.fault.repaired) if about.fault.repaired is not None else about.derivative.text


def _symmetric(about: Lesson) -> str:
    assert about.fault is not None
    return f"Right only where {about.fault.condition}: in general it is not."


def _mirror(about: Lesson) -> str:
    assert about.fault is not None
    other = _show(about, about.fault.part)
    return f"Half of it is there: the variable occurs on both sides of a product, and the other side gives {other}."


def _order(about: Lesson) -> str:
    return f"The factors are right, but not in this order (matrices do not commute): {_turned(about)}."


def _elementwise(about: Lesson) -> str:
    return f"A product entry by entry (.*) and a product of matrices (*) are mixed up: {_turned(about)}."


def _factor(about: Lesson) -> str:
    assert about.fault is not None
    return f"A factor of the chain rule is missing: {_show(about, about.fault.part)}."


def _missing(about: Lesson) -> str:
    assert about.fault is not None
    return f"What is there is right, but a term is missing: {_show(about, about.fault.part)}."


def _extra(about: Lesson) -> str:
    assert about.fault is not None
    return f"There is a term too much: {_show(about, about.fault.part)}."


def _unknown(about: Lesson) -> str:
    return "This is not the derivative, and no single mistake explains it."


def _condition(about: Lesson) -> str:
    assert about.fault is not None
    if not about.fault.condition or about.fault.kind == "only-valid-if-symmetric":
        return ""
    return f"It is right where {about.fault.condition}."


_WHAT: dict[str, Any] = {
    "sign": _sign, "constant-factor": _constant, "wrong-layout": _layout, "shape-mismatch": _shapes,
    "inverse-not-transposed": _inverse, "missing-transpose": _transpose, "only-valid-if-symmetric": _symmetric,
    "missing-symmetric-term": _mirror, "wrong-order-of-matrix-product": _order,
    "elementwise-vs-matrix-product": _elementwise, "forgot-chain-rule-factor": _factor, "missing-term": _missing,
    "extra-term": _extra, "unknown": _unknown,
}  # fmt: skip


# -- at which rule


def _rule(about: Lesson) -> str:
    """The line of the derivation after which the answer can no longer be reached."""
    from matgrad.explaining.styles import explained

    derivative, formula = about.derivative, about.derivative.formula
    if derivative.order > 2 or len(set(derivative.wrt)) > 1 or derivative.layout != "mixed":
        return ""
    try:
        found = explained(formula, [derivative.wrt[-1]], None, derivative.order)
    except MatgradError:
        return ""
    line = _line(about, found)
    if line is None:
        return ""
    left, right = found.words.unicode(line.left), found.words.unicode(line.right)
    return f"Compare this line of the derivation ({line.law.rule}):\n    {left} = {right}"


def _line(about: Lesson, derivation: Derivation) -> Line | None:
    assert about.fault is not None
    steps = [line for line in derivation.lines if line.part == STEP]
    if not steps:
        return None
    kind, part = about.fault.kind, about.fault.part
    if kind in ("wrong-layout", "shape-mismatch"):
        return derivation.lines[-1]
    for mark in _marks(kind, part, about):
        for line in steps:
            if any(mark(node) for node in walk(line.right)):
                return line
    if kind in ("missing-symmetric-term", "missing-term", "only-valid-if-symmetric"):
        return next((line for line in steps if "product rule" in line.law.rule or line.right.op == "add"), None)
    return None


def _marks(kind: str, part: Expr | None, about: Lesson) -> Iterator[Any]:
    if kind == "sign":
        yield lambda node: node.op == "neg"
    if kind == "constant-factor" and about.fault is not None and isinstance(about.fault.value, Fraction):
        value = about.fault.value
        yield lambda node: node.op == "number" and node.value in (value.numerator, value)
    if part is not None and kind in ("missing-transpose", "inverse-not-transposed"):
        yield lambda node: node.op == "transpose" and node.args[0] == part
    if part is not None and kind == "forgot-chain-rule-factor":
        yield lambda node: node == part


# -- how to see it


def _worked(about: Lesson) -> str:
    """One number, where your answer and the slope of the function differ."""
    derivative, bench = about.derivative, about.bench
    if about.given.typed is None or derivative.order != 1:
        return ""
    values = bench.values(about.given.typed)
    if values is None or not bench.points:
        return ""
    value, target = values[0], bench.target[0]
    if np.shape(value) != np.shape(target):
        return ""
    place = np.unravel_index(int(np.argmax(np.abs(value - target))), np.shape(target)) if np.ndim(target) else ()
    where = f"[{','.join(str(k + 1) for k in place)}]" if place else ""
    return (
        f"At a random point, entry {where or 'd'} of the derivative is {target[place]:.4g} (so is the slope of the "
        f"function there), and yours is {value[place]:.4g}."
    )
