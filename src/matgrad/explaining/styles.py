"""From a formula to its derivation: choose the style, work the lines out, check them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from matgrad.answer.derivative import Derivative
from matgrad.answer.deriving import derivative_of
from matgrad.answer.evaluation import bound
from matgrad.answer.formula import Formula
from matgrad.checking.sampling import Point
from matgrad.errors import MatgradError, NotSupported
from matgrad.explaining.backward_style import backward
from matgrad.explaining.component_style import components
from matgrad.explaining.derivation import UNDECIDED, Derivation
from matgrad.explaining.differential import lines_of
from matgrad.explaining.lines import Line
from matgrad.explaining.loops import folded, layer_words
from matgrad.explaining.pointwise import at_point
from matgrad.explaining.second import next_lines, next_setting
from matgrad.explaining.setting import Setting
from matgrad.explaining.truth import WrongLine, check, disagreement, on_space
from matgrad.explaining.words import Word, Words, spelled_words
from matgrad.formula.declarations import SPACES
from matgrad.formula.syntax import SCALAR, walk
from matgrad.formula.unicode import to_unicode

STYLES = ("differential", "backward", "components")
READABLE = 24
"""Named intermediates up to which a differential is worked out line by line."""


def explained(
    source: str | Formula, wrt: Sequence[str], where: Any = None, order: int = 1, style: str = "differential",
    at: Mapping[str, Any] | None = None,
) -> Derivation:  # fmt: skip
    """The checked derivation of a derivative, in a style."""
    if style not in STYLES:
        raise MatgradError(f"unknown style {style!r}", hint=", ".join(f'style="{known}"' for known in STYLES))
    if not isinstance(order, int) or isinstance(order, bool) or order not in (1, 2, 3, 4):
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


def differential(source: str | Formula, wrt: str, where: Any, order: int, at: Mapping[str, Any] | None) -> Derivation:
    """The differential style; a Hessian is a second pass over the gradient."""
    answer = derivative_of(source, [wrt], where)[0]
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
    words = Words(spelled_words(setting.formula.spelled))
    for name, differential in setting.of.items():
        words.differential(differential, setting.name(name))
    words.differential("d" + setting.function, setting.f)
    if setting.first is not None:
        order, f = setting.answer.order, setting.origin.function
        words.words["d2" + f] = Word(f"d²{f}", rf"\mathrm{{d}}^{{2}}{f}")
        t = words.latex(setting.name(setting.wrt))
        sign = r"\mathrm{d}" if setting.gradient_name.startswith("d") else r"\partial "
        latex = rf"\frac{{{sign}^{{{order}}}{f}}}{{{sign}{t}^{{{order}}}}}"
        if setting.gradient_name.startswith("∇"):
            latex = rf"\nabla^{{{order}}}{f}"
        words.words[setting.gradient_name] = Word(setting.gradient_name, latex, True)
        words.words[setting.vec_name] = Word(setting.vec_name, rf"\mathrm{{D}}{words.latex(setting.f)}")
        if order == 2 and setting.first.body.kind == SCALAR:
            words.words[setting.vec_name] = Word(f"D²{f}", rf"\mathrm{{D}}^{{2}}{f}")
        return words
    words.words[setting.vec_name] = Word(setting.vec_name, rf"\mathrm{{D}}{words.latex(setting.f)}")
    words.gradient(setting.gradient_name, setting.f, setting.name(setting.wrt))
    return words


def checked(setting: Setting, lines: list[Line], style: str, at: Mapping[str, Any] | None) -> Derivation:
    """The derivation, if every line holds and the last one is what ``derive`` gives."""
    words = words_of(setting)
    error, worlds = check(lines, setting.worlds(), words.unicode)
    final = _same_as(setting.answer, lines[-1], worlds)
    notes: tuple[str, ...] = () if worlds else (UNDECIDED,)
    if at is not None:
        point = at
        lines, met = at_point(lambda: with_numbers(setting, lines, point), setting.answer, point)
        notes += met
    return Derivation(
        setting.formula.text, setting.answer.wrt, setting.answer.order, style, tuple(lines), words,
        len(worlds), max(error, final), notes,
    )  # fmt: skip


def _same_as(answer: Derivative, line: Line, worlds: Sequence[Any]) -> float:
    """How far the last line is from what ``derive`` gives."""
    error = max((disagreement(world, line.right, answer.short_expr) for world in worlds), default=0.0)
    if not error <= 1e-9:
        raise WrongLine(f"the derivation and the derivative differ by {error:.0e}", details=answer.text)
    return error


def with_numbers(setting: Setting, lines: list[Line], at: Mapping[str, Any]) -> list[Line]:
    """Each line with its value at a point; the differential is that of all entries stepping by one."""
    found = bound(setting.formula, at)
    point = Point(dict(found.arrays), dict(found.sizes))
    shape = tuple(d.evaluate(found.sizes) for d in setting.type_of(setting.wrt).dims)
    world = setting.world(point, 0, on_space(np.ones(shape), setting.subject().traits))
    numbered = [line._replace(numbers=world.value(line.right)) for line in lines]
    return _with_direction(setting, numbered)


def _with_direction(setting: Setting, lines: list[Line]) -> list[Line]:
    """What dx is in the numbers, said in the first line."""
    names = set(setting.of.values())
    if not any(n.op == "name" and n.value in names for line in lines for n in walk(line.right)):
        return lines
    d = setting.differential_of(setting.wrt)
    entries = "1" if d.kind == SCALAR else "all ones"
    if setting.subject().traits & SPACES:
        entries += ", in its space"
    said = f"in the numbers d{to_unicode(setting.name(setting.wrt))} is {entries}"
    remark = "; ".join(filter(None, (lines[0].remark, said)))
    return [lines[0]._replace(remark=remark), *lines[1:]]
