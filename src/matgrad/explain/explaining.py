"""From a formula to its derivation: choose the style, work the lines out, check them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matgrad.answer.derivative import Derivative, derivative_of
from matgrad.errors import MatgradError, NotSupported
from matgrad.explain.derivation import Derivation
from matgrad.explain.differential import lines_of
from matgrad.explain.lines import Line
from matgrad.explain.setting import Setting
from matgrad.explain.truth import WrongLine, check, disagreement
from matgrad.explain.words import Words

STYLES = ("differential", "backward", "components")
_UNDECIDED = "not checked: no random point was found at which the formula is finite"


def explained(
    source: str, wrt: Sequence[str], where: Any = None, order: int = 1, style: str = "differential",
    at: Mapping[str, Any] | None = None,
) -> Derivation:  # fmt: skip
    """The checked derivation of a derivative, in a style."""
    if style not in STYLES:
        raise MatgradError(f"unknown style {style!r}", hint=", ".join(STYLES))
    if order not in (1, 2):
        raise NotSupported(f"a derivation is of order 1 or 2, not {order!r}", hint="derive, which gives all orders to 4")
    if style != "backward" and len(wrt) > 1:
        raise NotSupported(f"the {style} style is of one variable", hint='style="backward", which shares one table')
    return differential(source, wrt[0], where, at)


def differential(source: str, wrt: str, where: Any, at: Mapping[str, Any] | None) -> Derivation:
    answer = derivative_of(source, [wrt], where, 1, "mixed", "projected")[0]
    setting = Setting(answer)
    lines = lines_of(setting)
    return checked(setting, lines, "differential", at)


def words_of(setting: Setting) -> Words:
    """How the special names of a setting are written."""
    words = Words()
    for name, differential in setting.of.items():
        words.differential(differential, setting.name(name))
    words.differential("d" + setting.function, setting.f)
    words.gradient(setting.gradient_name, setting.function, setting.name(setting.wrt))
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
    from matgrad.explain.truth import on_space

    world = setting.world(point, 0, on_space(np.ones(shape), setting.subject().traits))
    return [line._replace(numbers=world.value(line.right)) for line in lines]
