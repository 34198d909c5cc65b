"""The line of the derivation after which a wrong answer can no longer be reached.

Each kind of mistake leaves a mark: the factor, the sign, the transpose that the answer lacks. The line is the first in
which the mark is new; where there is none, the first whose rule makes what the answer got wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from matgrad.diagnosing.lessons import Lesson
from matgrad.errors import MatgradError
from matgrad.explaining.derivation import Derivation
from matgrad.explaining.lines import ANSWER, STEP, Line
from matgrad.formula.syntax import Expr, walk

Mark = Callable[[Expr], bool]
_RULES = {
    "missing-symmetric-term": ("product rule", "quotient rule", "differential of a squared norm"),
    "only-valid-if-symmetric": (
        "a scalar equals its transpose",
        "a trace equals that of the transpose",
        "product rule",
    ),
    "missing-term": ("product rule", "quotient rule", "derivative of"),
    "wrong-order-of-matrix-product": ("differential of inv", "move a matrix across", "cyclic", "product rule"),
    "elementwise-vs-matrix-product": ("move an entrywise factor", "derivative of", "as a matrix"),
    "forgot-chain-rule-factor": ("substitute", "derivative of", "differential of"),
    "missing-transpose": ("the transpose of a product", "move a matrix across", "a scalar equals its transpose"),
    "inverse-not-transposed": ("the transpose of", "move a matrix across", "differential of"),
}
"""For each kind, what the rules are called that decide; the first that occurs is taken."""


def rule(about: Lesson) -> str:
    """The line in words, or nothing where there is no derivation to compare with."""
    from matgrad.explaining.styles import explained

    derivative = about.derivative
    if derivative.order > 2 or len(set(derivative.wrt)) > 1 or derivative.layout != "mixed":
        return ""
    try:
        found = explained(derivative.formula, [derivative.wrt[-1]], None, derivative.order)
    except MatgradError:
        return ""
    line = _line(about, found)
    if line is None:
        return ""
    left, right = found.words.unicode(line.left), found.words.unicode(line.right)
    law = f"{line.law.rule}: " if line.law.rule else ""
    return f"Your answer leaves the derivation at this line:\n    {left} = {right}     {law.rstrip(': ')}".rstrip()


def _line(about: Lesson, derivation: Derivation) -> Line | None:
    assert about.fault is not None
    if about.fault.kind in ("wrong-layout", "shape-mismatch"):
        return derivation.lines[-1]
    for mark in _marks(about):
        line = _first_with(mark, derivation)
        if line is not None:
            return line
    for name in _RULES.get(about.fault.kind, ()):
        for line in derivation.lines:
            if line.part in (STEP, ANSWER) and line.law.rule.startswith(name):
                return line
    return derivation.lines[-1] if about.fault.kind != "unknown" else None


def _first_with(mark: Mark, derivation: Derivation) -> Line | None:
    """The first line in which there are more such parts than in all before."""
    most = 0
    for line in derivation.lines:
        count = sum(mark(node) for node in walk(line.right))
        if count > most and line.part in (STEP, ANSWER):
            return line
        most = max(most, count)
    return None


def _marks(about: Lesson) -> Iterator[Mark]:
    """What to look for in the lines."""
    assert about.fault is not None
    kind, part, value = about.fault.kind, about.fault.part, about.fault.value
    if kind == "sign":
        yield lambda node: node.op == "neg"
    if kind == "constant-factor" and isinstance(value, Fraction):
        numbers = (value.numerator, value)
        yield lambda node: node.op == "product" and any(a.op == "number" and a.value in numbers for a in node.args)
    if part is not None and kind in ("missing-transpose", "inverse-not-transposed"):
        yield lambda node: node.op == "transpose" and node.args[0] == part
    if part is not None and kind in ("forgot-chain-rule-factor", "missing-term", "missing-symmetric-term"):
        inner = part.args[0] if part.op == "neg" else part
        yield lambda node: node == inner
