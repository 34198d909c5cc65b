"""What a teacher would say: what is right so far, what is off, at which rule, and how to see it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from matgrad.diagnosing.lessons import Lesson
from matgrad.diagnosing.rules import rule
from matgrad.diagnosing.worked import worked
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr, walk
from matgrad.formula.text import to_text


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
    parts = [_WHAT[about.fault.kind](about), _condition(about), rule(about), worked(about)]
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
    assert about.fault is not None
    if about.fault.part is not None:
        return f"All is right but one sign, that of {_show(about, about.fault.part)}: {_turned(about)}."
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
    if about.fault.part is None:
        return (
            "A scalar factor of the chain rule is missing: the derivative points where your answer points, but its "
            "length is another."
        )
    return f"A factor of the chain rule is missing: {_show(about, about.fault.part)}."


def _missing(about: Lesson) -> str:
    assert about.fault is not None
    if about.fault.part is None:
        return (
            "The diagonal is right, but the entries off the diagonal are missing: each output depends on the other "
            f"inputs too. The derivative is {about.derivative.text}."
        )
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
