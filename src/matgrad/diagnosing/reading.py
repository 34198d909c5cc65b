"""An answer as a person gives it: read in the names of the formula, and typed as what it may have been meant to be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from matgrad.answer.derivative import Derivative
from matgrad.answer.deriving import derivative_of
from matgrad.answer.layout import LAYOUTS
from matgrad.diagnosing.testing import Bench
from matgrad.errors import FormulaError, MatgradError, ShapeError, UnknownName
from matgrad.formula.infer import infer
from matgrad.formula.parser import parse_program
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr, Program, Type, walk
from matgrad.formula.text import to_text
from matgrad.latex_input.reading import read_latex


class Answer(NamedTuple):
    """An answer: its text, its tree, and the same with types, or why it has none."""

    text: str
    tree: Expr
    typed: Expr | None
    problem: ShapeError | None


class Layout(NamedTuple):
    """Another way to arrange the truth: what it is called, and what it is there."""

    name: str
    expr: Expr


def read_answer(text: str, derivative: Derivative) -> Answer:
    """The answer, with the types of the truth where it can have them, else with its own.

    Raises MatgradError for what is no formula, and for names that the formula does not have.
    """
    source, tree = _parsed(text, derivative)
    _known_names(source, tree, derivative)
    expected = derivative.expr.type
    problem: ShapeError | None = None
    for expect in (expected, None, *_turned(expected)):
        try:
            found = infer(Program((), tree), {}, source, context=derivative.formula.typed, expect=expect)
        except ShapeError as error:
            problem = error if problem is None or expect is None else problem
            continue
        return Answer(source, tree, found.program.body, None)
    return Answer(source, tree, None, problem)


def _parsed(text: str, derivative: Derivative) -> tuple[str, Expr]:
    if not isinstance(text, str):
        raise FormulaError(f"an answer is text, not {type(text).__name__}", hint='"2*A\'*(A*x - b)"')
    try:
        program = parse_program(text)
    except MatgradError:
        formula = derivative.formula
        spelled = formula.reading.spelled if formula.reading is not None else {}
        try:
            text = read_latex(text, context=formula.typed, spelled=spelled).text
        except MatgradError:
            if "\\" in text:
                raise
        program = parse_program(text)
    return text, Bench.inlining(program, derivative.formula.typed)(program.body)


def _known_names(source: str, tree: Expr, derivative: Derivative) -> None:
    typed = derivative.formula.typed
    known = {*typed.variables, *typed.intermediates, *typed.sizes, *typed.functions, "I"}
    for node in walk(tree):
        if node.op == "name" and node.value not in known:
            names = ", ".join([*typed.variables, *typed.intermediates])
            raise UnknownName(
                f"{node.value} does not occur in the formula", source=source, span=node.span, details=f"it has {names}"
            )


def _turned(type_: Type | None) -> Iterator[Type]:
    """The types of transposes, for constants that are sized by what stands around them."""
    if type_ is None:
        return
    if type_.kind == MATRIX and type_.dims[0] != type_.dims[1]:
        yield Type(MATRIX, type_.dims[::-1])
    if type_.kind in (VECTOR, ROW):
        yield Type(ROW if type_.kind == VECTOR else VECTOR, type_.dims)


def other_layouts(derivative: Derivative) -> Iterator[Layout]:
    """The truth in every other arrangement that has a name, and transposed."""
    formula = derivative.formula
    truth = derivative.expr
    for layout in LAYOUTS:
        if layout != derivative.layout:
            try:
                yield Layout(f"the {layout} layout", derivative.in_layout(layout).expr)
            except MatgradError:
                continue
    if truth.type is not None and truth.kind in (MATRIX, VECTOR, ROW):
        yield Layout("transposed", _transpose(truth))
    if derivative.symmetric == "projected" and derivative.order == 1 and not formula.node.shape:
        for symmetric in ("entries", "ignore"):
            try:
                expr = derivative_of(formula, derivative.wrt, symmetric=symmetric)[0].expr
            except MatgradError:
                continue
            if to_text(expr) != to_text(truth):
                yield Layout(f'symmetric="{symmetric}"', expr)


def _transpose(expr: Expr) -> Expr:
    assert expr.type is not None
    kind, dims = expr.type
    turned = Type({VECTOR: ROW, ROW: VECTOR}.get(kind, kind), dims[::-1] if kind == MATRIX else dims)
    return Expr("transpose", (expr,), None, expr.span, turned)


def same_type(left: Expr, right: Expr) -> bool:
    """Whether two typed formulas are of one kind and of the same sizes; scalars always are."""
    assert left.type is not None and right.type is not None
    return left.kind == right.kind and (left.kind == SCALAR or left.dims == right.dims)
