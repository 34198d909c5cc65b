"""From a formula to its derivation: choose the style, work the lines out, check them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from matgrad.answer.derivative import Derivative, derivative_of
from matgrad.answer.evaluation import bound
from matgrad.answer.formula import Formula
from matgrad.checking.magnitude import magnitude
from matgrad.checking.sampling import Point, Subject, points
from matgrad.errors import DataError, MatgradError, NotSupported
from matgrad.explaining.backward import Backward, signals
from matgrad.explaining.components import component_lines
from matgrad.explaining.derivation import Derivation
from matgrad.explaining.differential import lines_of
from matgrad.explaining.index_words import IndexWords
from matgrad.explaining.lines import Line
from matgrad.explaining.loops import folded, layer_words
from matgrad.explaining.second import next_lines, next_setting
from matgrad.explaining.setting import Setting
from matgrad.explaining.trees import named
from matgrad.explaining.truth import DEEP, LAYERED, WrongLine, check, disagreement, gentle
from matgrad.explaining.words import Word, Words
from matgrad.formula.latex import to_latex
from matgrad.formula.syntax import SCALAR_TYPE, Program

STYLES = ("differential", "backward", "components")
READABLE = 24
"""Named intermediates up to which a differential is worked out line by line."""
_UNDECIDED = "not checked: no random point was found at which the formula is finite"


def explained(
    source: str, wrt: Sequence[str], where: Any = None, order: int = 1, style: str = "differential",
    at: Mapping[str, Any] | None = None,
) -> Derivation:  # fmt: skip
    """The checked derivation of a derivative, in a style."""
    if style not in STYLES:
        raise MatgradError(f"unknown style {style!r}", hint=", ".join(STYLES))
    if isinstance(order, bool) or order not in (1, 2, 3, 4):
        raise NotSupported(f"a derivation is of order 1 to 4, not {order!r}", hint="2 for the Hessian")
    if style != "backward" and len(wrt) > 1:
        raise NotSupported(f"the {style} style is of one variable", hint='style="backward", which shares one table')
    if style == "backward":
        found = backward(source, wrt, where, order, at)
        lines = folded(found.lines)
        return replace(found, lines=tuple(lines), words=Words({**found.words.words, **layer_words(lines)}))
    if style == "components":
        return components(source, wrt[0], where, order, at)
    return differential(source, wrt[0], where, order, at)


def components(source: str, wrt: str, where: Any, order: int, at: Mapping[str, Any] | None) -> Derivation:
    """The style of components."""
    if order != 1:
        raise NotSupported("the style of components is of first derivatives", hint='style="differential"')
    setting = Setting(derivative_of(source, [wrt], where, 1, "mixed", "projected")[0], short=True)
    if set(setting.subject().traits) & {"symmetric", "diagonal", "lower", "upper"}:
        raise NotSupported(
            "the style of components is for free variables: the entries of this one depend on each other",
            hint='style="differential"',
        )
    found = checked(setting, component_lines(setting), "components", at)
    return replace(found, words=IndexWords(found.words.words, setting))


def backward(source: str, wrt: Sequence[str], where: Any, order: int, at: Mapping[str, Any] | None) -> Derivation:
    """The table of signals, from the loss to the parameters."""
    from matgrad.explaining.backward_check import Forward, check_table

    if order != 1:
        raise NotSupported("the backward style is of first derivatives", hint='style="differential"')
    formula = Formula(source, where)
    known = [*formula.symbols, *formula.intermediates]
    for name in wrt:
        if name not in known:
            derivative_of(source, [name], where, 1, "mixed", "projected")  # raises the error that derive raises
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
    errors = [check_table(table, lines, point, k) for k, point in enumerate(found)]
    if len(table.program.definitions) <= DEEP:
        errors.append(_compared(table, lines, formula))
    words = Words()
    for name in table.varying:
        words.gradient(table.signal_name(name), named(table.function, SCALAR_TYPE), named(name, table.types[name]))
    if at is not None:
        bound_at = bound(formula, at)
        forward = Forward(table, Point(dict(bound_at.arrays), dict(bound_at.sizes)))
        for k, line in enumerate(lines):
            value = forward.evaluated(line.right, forward.values)
            forward.values[line.left.value] = value
            lines[k] = line._replace(numbers=value)
        defined(lines)
    notes = () if len(errors) > (len(table.program.definitions) <= DEEP) else (_UNDECIDED,)
    return Derivation(formula.text, tuple(wrt), 1, "backward", tuple(lines), words, 2, max(errors, default=0.0), notes)


def _compared(table: Backward, lines: list[Line], formula: Formula) -> float:
    """How far the table's answers are from those of ``derive``."""
    from matgrad.explaining.backward_check import Forward

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


def differential(source: str, wrt: str, where: Any, order: int, at: Mapping[str, Any] | None) -> Derivation:
    """The differential style; a Hessian is a second pass over the gradient."""
    answer = derivative_of(source, [wrt], where, 1, "mixed", "projected")[0]
    if len(answer.formula.program.definitions) > READABLE:
        raise NotSupported(
            f"the differential of {len(answer.formula.program.definitions)} named intermediates is too long to read",
            hint='style="backward", one signal a line',
        )
    first = Setting(answer)
    try:
        derivation = checked(first, lines_of(first), "differential", at)
    except WrongLine:  # a coefficient that was gathered wrongly is never shown: the lines without gathering are
        first = Setting(answer)
        first.coefficients.plain = True
        derivation = checked(first, lines_of(first), "differential", at)
    setting = first
    for _ in range(order - 1):
        answer = answer.derive(wrt)
        setting = next_setting(setting, answer)
        more = checked(setting, next_lines(setting), "differential", at)
        words = Words({**derivation.words.words, **more.words.words})
        error = max(derivation.max_relative_error, more.max_relative_error)
        derivation = replace(more, lines=derivation.lines + more.lines, words=words, max_relative_error=error)
    return derivation


def words_of(setting: Setting) -> Words:
    """How the special names of a setting are written."""
    words = Words()
    for name, differential in setting.of.items():
        words.differential(differential, setting.name(name))
    words.differential("d" + setting.function, setting.f)
    if setting.first is not None:
        order, f = setting.answer.order, setting.origin.function
        words.words["d2" + f] = Word(f"d²{f}", rf"\mathrm{{d}}^{{2}}{f}")
        t = to_latex(setting.name(setting.wrt))
        sign = r"\mathrm{d}" if setting.gradient_name.startswith("d") else r"\partial "
        latex = rf"\frac{{{sign}^{{{order}}}{f}}}{{{sign}{t}^{{{order}}}}}"
        if setting.gradient_name.startswith("∇"):
            latex = rf"\nabla^{{{order}}}{f}"
        words.words[setting.gradient_name] = Word(setting.gradient_name, latex, True)
        words.words[setting.vec_name] = Word(setting.vec_name, rf"\mathrm{{D}}{to_latex(setting.f)}")
        return words
    words.words[setting.vec_name] = Word(setting.vec_name, rf"\mathrm{{D}}{to_latex(setting.f)}")
    words.gradient(setting.gradient_name, setting.f, setting.name(setting.wrt))
    return words


def checked(setting: Setting, lines: list[Line], style: str, at: Mapping[str, Any] | None) -> Derivation:
    """The derivation, if every line holds and the last one is what ``derive`` gives."""
    words = words_of(setting)
    worlds = setting.worlds()
    error = check(lines, worlds, words.unicode)
    final = _same_as(setting.answer, lines[-1], worlds)
    if at is not None:
        lines = with_numbers(setting, lines, at)
    return Derivation(
        setting.formula.text, setting.answer.wrt, setting.answer.order, style, tuple(lines), words,
        len(worlds), max(error, final), () if worlds else (_UNDECIDED,),
    )  # fmt: skip


def _same_as(answer: Derivative, line: Line, worlds: Sequence[Any]) -> float:
    """How far the last line is from what ``derive`` gives."""
    error = max((disagreement(world, line.right, answer.short_expr) for world in worlds), default=0.0)
    if not error <= 1e-9:
        raise WrongLine(f"the derivation and the derivative differ by {error:.0e}", details=answer.text)
    return error


def with_numbers(setting: Setting, lines: list[Line], at: Mapping[str, Any]) -> list[Line]:
    """Each line with its value at a point; the differential is that of all entries stepping by one."""
    import numpy as np

    from matgrad.answer.evaluation import bound
    from matgrad.checking.sampling import Point

    found = bound(setting.formula, at)
    point = Point(dict(found.arrays), dict(found.sizes))
    shape = tuple(d.evaluate(found.sizes) for d in setting.type_of(setting.wrt).dims)
    from matgrad.explaining.truth import on_space

    world = setting.world(point, 0, on_space(np.ones(shape), setting.subject().traits))
    return defined([line._replace(numbers=world.value(line.right)) for line in lines])


def defined(lines: list[Line]) -> list[Line]:
    """The lines, if the last of them has a value at the point that was given."""
    if not np.all(np.isfinite(lines[-1].numbers)):
        raise DataError("the derivative is not defined at this point")
    return lines
