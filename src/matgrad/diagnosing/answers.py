"""Checking an answer: is it the derivative, and if not, what went wrong?

>>> from matgrad.answer.formula import Formula
>>> asked = Derivative(Formula("norm2(A*x - b)^2"), ("x",))
>>> verdict = verdict_on(asked, "A'*(A*x - b)")
>>> verdict.correct, verdict.kind, verdict.value
(False, 'constant-factor', '2')
"""

from __future__ import annotations

from dataclasses import replace

from matgrad.answer.derivative import Derivative
from matgrad.answer.formula import Formula
from matgrad.checking.sampling import Subject
from matgrad.deciding.equality import equal, folds
from matgrad.diagnosing import trees
from matgrad.diagnosing.faults import Allowance, Fault, Wrong
from matgrad.diagnosing.lessons import Lesson
from matgrad.diagnosing.reading import Answer, other_layouts, read_answer, same_type
from matgrad.diagnosing.repairs import DIAGNOSES
from matgrad.diagnosing.teaching import lesson
from matgrad.diagnosing.testing import Bench
from matgrad.diagnosing.transposing import only_under_a_sign
from matgrad.diagnosing.verdict import KINDS, Verdict
from matgrad.errors import MatgradError
from matgrad.formula.declarations import parse_declarations
from matgrad.formula.syntax import MATRIX, SCALAR, VECTOR, Expr

MOST_OTHERS = 2


def verdict_on(derivative: Derivative, answer: str) -> Verdict:
    """What is to be said of an answer, given the derivative."""
    subjects = [Subject(v.name, v.type, frozenset(v.traits)) for v in derivative.formula.typed.variables.values()]
    bench = Bench(derivative.formula.typed, derivative.expr, subjects)
    given = read_answer(answer, derivative)
    verdict = _judged(derivative, bench, given)
    if verdict.kind == "shape-mismatch" and _is_right_for_a_scalar(derivative, answer):
        name = derivative.wrt[-1]
        said = (
            f"For a scalar {name} your answer is right. Here {name} is assumed to be a vector: declare {name}: scalar."
        )
        return replace(verdict, condition=f"{name} is a scalar", message=f"{verdict.message}\n{said}")
    return verdict


def _is_right_for_a_scalar(derivative: Derivative, answer: str) -> bool:
    """Whether the answer is right where the variable, which nobody declared, is a number: sinh(x) for cosh(x)."""
    formula, name = derivative.formula, derivative.wrt[-1]
    variable = formula.typed.variables.get(name)
    if variable is None or variable.declared or variable.type.kind != VECTOR or set(derivative.wrt) != {name}:
        return False
    if not formula.node.shape:  # a number, as people write it of a vector
        return False
    try:
        where = {**parse_declarations(formula.where), **parse_declarations({name: SCALAR})}
        asked = Derivative(Formula(formula.source, where), derivative.wrt)
        return not asked.formula.node.shape and verdict_on(asked, answer).correct is True
    except MatgradError:
        return False


def _judged(derivative: Derivative, bench: Bench, given: Answer) -> Verdict:
    truth = derivative.expr
    if given.typed is not None and same_type(given.typed, truth):
        same = _same_form(derivative, bench, given.typed) or bench.equals(given.typed)
        if same:
            return _right(derivative, bench, given)
        if same is None:
            return Verdict(None, None, lesson(Lesson(derivative, bench, given, None)), derivative.text)
        symmetrised = _symmetrised(derivative, bench, given.typed)
        if symmetrised is not None:
            return symmetrised
    wrong = _wrong(derivative, bench, given)
    faults = _faults(derivative, wrong, given)
    chosen = faults[0] if faults else Fault("unknown")
    if chosen.unit and chosen.part is not None:
        chosen = chosen._replace(condition=f"{derivative.formula.print(chosen.part)} = 1")
    typed = given.typed
    if not chosen.condition and typed is not None and same_type(typed, truth) and (folds(truth) or folds(typed)):
        condition = only_under_a_sign(wrong)
        chosen = chosen._replace(condition=condition)
    also = tuple(dict.fromkeys(f.kind for f in faults[1:] if f.kind != chosen.kind))[:MOST_OTHERS]
    if chosen.repaired is not None:
        chosen = chosen._replace(repaired=trees.tidy(chosen.repaired))
    if chosen.part is not None:
        chosen = chosen._replace(part=trees.tidy(chosen.part))
    correction = _correction(derivative, bench, chosen)
    return Verdict(
        False, chosen.kind, lesson(Lesson(derivative, bench, given, chosen)), correction, also, chosen.condition,
        "" if chosen.value is None else str(chosen.value),
    )  # fmt: skip


def _same_form(derivative: Derivative, bench: Bench, typed: Expr) -> bool:
    """Whether the answer has the normal form of the derivative, and its values at some points."""
    try:
        one = derivative.formula.node_of(typed) is derivative.formula.node_of(derivative.expr)
    except MatgradError:
        return False
    return one and bool(bench.points) and bench.matches(bench.values(typed))


def _correction(derivative: Derivative, bench: Bench, chosen: Fault) -> str:
    """The repaired answer; the derivative as it prints, where a factor or a part of a term makes the repair clumsy."""
    typed = None if chosen.repaired is None else bench.typed_as(chosen.repaired, derivative.expr.type)
    if typed is None:
        return derivative.text
    near = derivative.formula.print(typed)
    clumsy = chosen.kind == "forgot-chain-rule-factor" or (chosen.kind == "missing-term" and chosen.value is not None)
    return derivative.text if clumsy and len(derivative.text) <= len(near) else near


def _right(derivative: Derivative, bench: Bench, given: Answer) -> Verdict:
    assert given.typed is not None
    forms = {derivative.text, derivative.short}
    printed = derivative.formula.print(given.typed) in forms or given.text.replace(" ", "") in {
        f.replace(" ", "") for f in forms
    }
    kind = None if printed else "unusual-form"
    return Verdict(True, kind, lesson(Lesson(derivative, bench, given, None, right=True)), derivative.text)


def _symmetrised(derivative: Derivative, bench: Bench, typed: Expr) -> Verdict | None:
    """In a symmetric variable, an answer whose symmetric part is right counts as right."""
    variable = derivative.formula.typed.variables.get(derivative.wrt[-1])
    if variable is None or "symmetric" not in variable.traits or derivative.symmetric != "projected":
        return None
    if derivative.order > 1 or typed.kind != MATRIX or typed.dims[0] != typed.dims[1]:
        return None
    half = trees.times(trees.number(1), trees.total([typed, trees.transposed(typed)]))
    doubled = trees.times(trees.number(2), derivative.expr)
    left, right = bench.typed_as(half, derivative.expr.type), bench.typed_as(doubled, derivative.expr.type)
    if left is None or right is None or equal(left, right, bench.subjects, bench.functions) is not True:
        return None
    message = (
        f"Right, as the symmetric part of your answer is the derivative: {variable.name} is symmetric, so only the "
        f"symmetric part of a gradient G in tr(G'*d{variable.name}) counts. Symmetrised, (G + G')/2, it reads\n"
        f"    {derivative.text}"
    )
    return Verdict(True, "unusual-form", message, derivative.text)


def _wrong(derivative: Derivative, bench: Bench, given: Answer) -> Wrong:
    values = None if given.typed is None else bench.values(given.typed)
    scalar = not derivative.formula.node.shape
    truth = derivative.expr
    square = scalar and truth.kind == MATRIX and truth.dims[0] == truth.dims[1] and derivative.order == 1
    return Wrong(bench, given.tree, given.typed, values, square, Allowance(), derivative.wrt[-1])


def _faults(derivative: Derivative, wrong: Wrong, given: Answer) -> list[Fault]:
    """The first kinds of mistakes that explain the answer, in the order of ``KINDS``."""
    found: list[Fault] = []
    layout = _layout(derivative, wrong)
    if layout is not None:
        found.append(layout)
    elif given.typed is None or not same_type(given.typed, derivative.expr):
        found.append(Fault("shape-mismatch"))
    for diagnose in DIAGNOSES:
        fault = diagnose(wrong)
        if fault is not None:
            found.append(fault)
        if len(found) > MOST_OTHERS:
            break
    return sorted(found, key=lambda fault: KINDS.index(fault.kind))


def _layout(derivative: Derivative, wrong: Wrong) -> Fault | None:
    if wrong.typed is None:
        return None
    for layout in other_layouts(derivative):
        if layout.name == "transposed" and wrong.square_gradient:
            continue  # a missing transpose
        if same_type(layout.expr, wrong.typed) and equal(layout.expr, wrong.typed, wrong.bench.subjects):
            return Fault("wrong-layout", layout=layout.name)
    return None
