"""From a formula to its derivation in components: the lines, their checks, their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matgrad.answer.deriving import derivative_of
from matgrad.answer.evaluation import bound
from matgrad.answer.formula import Formula
from matgrad.checking.sampling import Point, Subject
from matgrad.errors import NotSupported
from matgrad.explaining.component_check import Entries, check_components
from matgrad.explaining.components import Components
from matgrad.explaining.derivation import UNDECIDED, Derivation
from matgrad.explaining.index_words import IndexWords
from matgrad.explaining.lines import Line
from matgrad.explaining.pointwise import at_point
from matgrad.explaining.setting import Setting
from matgrad.explaining.truth import WrongLine, gentle
from matgrad.explaining.words import spelled_words


def components(source: str | Formula, wrt: str, where: Any, order: int, at: Mapping[str, Any] | None) -> Derivation:
    """The style of components."""
    if order != 1:
        raise NotSupported("the style of components is of first derivatives", hint='style="differential"')
    setting = Setting(derivative_of(source, [wrt], where)[0])
    table = Components(setting)
    lines = table.lines()
    words = IndexWords(spelled_words(setting.formula.spelled), table.indices.letters, wrt, table.at)
    words.gradient(setting.gradient_name, setting.f, setting.name(wrt))
    worlds = setting.worlds()
    try:
        error, count = check_components(table, lines, worlds)
    except WrongLine:  # at gentler points, where rounding is smaller: a wrong line is wrong there too
        typed = setting.formula.typed
        subjects = [Subject(name, v.type, frozenset(v.traits)) for name, v in typed.variables.items()]
        worlds = [setting.world(gentle(w.point, subjects, setting.program), k) for k, w in enumerate(worlds)]
        error, count = check_components(table, lines, worlds)
    notes: tuple[str, ...] = () if count else (UNDECIDED,)
    if at is not None:
        point = at
        lines, met = at_point(lambda: _with_numbers(table, lines, point), setting.answer, point)
        notes += met
    return Derivation(
        setting.formula.text, setting.answer.wrt, 1, "components", tuple(lines), words, count, error, notes,
    )  # fmt: skip


def _with_numbers(table: Components, lines: list[Line], at: Mapping[str, Any]) -> list[Line]:
    """Each line with its values at a point, those of all its entries."""
    found = bound(table.s.formula, at)
    world = table.s.world(Point(dict(found.arrays), dict(found.sizes)))
    entries = Entries(table, world)
    out = []
    for line in lines:
        left = line.left
        if left.op == "partial":
            numbers = entries.value(line.right, (*left.value[1], *table.at))
        elif left.op == "entry":
            numbers = entries.values[left.args[0].value]
        else:
            numbers = world.value(line.right)
        out.append(line._replace(numbers=numbers))
    return out
