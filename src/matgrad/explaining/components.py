"""The style of components: entry by entry in index notation, with the Kronecker delta ∂xᵢ/∂xⱼ = δᵢⱼ.

The formula and the values named in it are written as sums over indices (``indices``), differentiated by the rules for
numbers (``component_steps``), and what the deltas pick is the derivative. Every line is evaluated at random points.
For small formulas only: long ones are better read in another style.
"""

from __future__ import annotations

from typing import NamedTuple

from matgrad.errors import NotSupported
from matgrad.explaining.component_steps import SUM, Slopes, inserted, picked, picks
from matgrad.explaining.index_trees import Index, entry, scalar
from matgrad.explaining.indices import Indices
from matgrad.explaining.lines import ANSWER, GIVEN, LET, STEP, Law, Line, Path
from matgrad.explaining.setting import Setting
from matgrad.explaining.trees import named, paths_to, sizes_by_name, varies
from matgrad.formula.signatures import SIZES_OF
from matgrad.formula.syntax import SCALAR_TYPE, Expr, walk
from matgrad.formula.unicode import to_unicode
from matgrad.translate.algebra import number, of_order

MOST_AXES, MOST_DEFINITIONS = 4, 8
_GIVEN = Law("in components", "", "a matrix product is a sum over the index in the middle")
_NAME = Law("abbreviation")
_DELTA = "∂x[i]/∂x[k] is 1 where i = k, else 0: the Kronecker delta δ[i,k]"
_PICK = Law(
    "the Kronecker delta picks one term",
    "",
    "Σ a[i]*δ[i,k] over i is a[k]: in a sum over i the term with i = k is left",
)
_INSERT = Law("chain rule: insert the inner derivatives", "", "they are in the lines above")
_BACK = Law("back to matrix notation", "", "a sum over an index in the middle is a matrix product")
_ZERO = Law("the derivative of a constant", "", "it does not contain the variable")


class Value(NamedTuple):
    """A named value: its indices, the formula of its entries, and whether it varies."""

    name: str
    indices: tuple[Index, ...]
    entries: Expr
    varies: bool


class Components:
    """The lines of one derivation, and what they are about."""

    def __init__(self, setting: Setting) -> None:
        self.s = setting
        self.variable = setting.type_of(setting.wrt)
        body = setting.body
        if len(body.dims) + len(self.variable.dims) > MOST_AXES or len(setting.program.definitions) > MOST_DEFINITIONS:
            raise unfit("the style of components is for small formulas: this one is too long", setting)
        traits = set(setting.subject().traits)
        if traits & {"lower", "upper"}:
            raise unfit("the style of components has no rule for triangular variables", setting)
        self.traits = traits
        parts = [*(value for _, value in setting.program.definitions), body]
        sized = any(n.op == "call" and n.value.name in ("mean", *SIZES_OF) for part in parts for n in walk(part))
        names = {n for n, _ in setting.program.definitions} | set(setting.formula.typed.variables)
        names |= set(setting.formula.typed.sizes) if sized else set()
        self.indices = Indices({setting.wrt, *setting.varying}, {*names, setting.function})
        self.at = tuple(self.indices.new(dim) for dim in self.variable.dims)
        self.out = tuple(self.indices.new(dim) for dim in body.dims)
        for index, letter in zip((*self.out, *self.at), ("ijmn"[: len(self.out)] + "kl"[: len(self.at)]), strict=True):
            self.indices.write(index, letter)
        try:
            self.values = self._values()
        except NotSupported as error:
            raise unfit(error.message, setting) from None

    def _values(self) -> list[Value]:
        """The program entry by entry, each value after those that it uses; the formula itself is the last."""
        found: list[Value] = []
        for name, value in [*self.s.program.definitions, (self.s.function, self.s.body)]:
            last = value is self.s.body
            if name == self.s.wrt or not (last or varies(value, self.indices.varying)):
                continue
            mark = len(self.indices.definitions)
            at = self.out if last else tuple(self.indices.new(dim) for dim in value.dims)
            entries = self.indices.at(value, at)
            for inner, free, formula in self.indices.definitions[mark:]:
                moves = inner in self.indices.varying
                found.append(Value(inner, free, formula, moves))
            found.append(Value(name, at, entries, True))
        return found

    def lines(self) -> list[Line]:
        """The formula, the values named in it, their derivatives, and the answer as a matrix."""
        *inner, whole = self.values
        for value in self.values:  # free indices first, then those of sums in reading order
            self.indices.write_all(entry(self._array(value), value.indices), self.at)
            self.indices.write_all(value.entries, (*value.indices, *self.at))
        lines = [Line(GIVEN, entry(self._array(whole), whole.indices), whole.entries, _GIVEN)]
        for name, formula in self.s.program.definitions:
            if name == self.s.wrt or not varies(formula, self.indices.varying):
                lines.append(Line(LET, named(name, formula.type), formula, _NAME))
        lines += [Line(LET, entry(self._array(v), v.indices), v.entries, _NAME) for v in inner]
        slopes: dict[str, tuple[tuple[Index, ...], Expr]] = {}
        try:
            for value in self.values:
                if value.varies:
                    steps = self._derivative(value, slopes)
                    slopes[value.name] = (value.indices, steps[-1].right)
                    lines += steps
        except NotSupported as error:
            raise unfit(error.message, self.s) from None
        return self._answered(lines)

    def _derivative(self, value: Value, slopes: dict[str, tuple[tuple[Index, ...], Expr]]) -> list[Line]:
        left = scalar("partial", (), (value.name, value.indices))
        rules = Slopes(self.indices, self.s.wrt, self.at, self.traits, {self.s.wrt, *slopes})
        before = scalar("slope", (value.entries,))
        if not rules.moves(value.entries):
            return [Line(STEP, left, number(0), _ZERO, before, ((),))]
        found = rules.of(value.entries)
        law = _joined(list(rules.rules)) if rules.rules else SUM
        direct = any(node.op == "delta" for node in walk(found))
        law = law._replace(reason="; ".join(part for part in (law.reason, _DELTA if direct else "") if part))
        remark = self._delta_remark() if direct else ""
        lines = [Line(STEP, left, found, law, before, ((0,),), remark=remark)]
        kept = {*value.indices, *self.at}

        def then(after: Expr, law: Law, op: str) -> None:
            last = lines[-1].right
            if after != last:
                where: tuple[Path, ...] = tuple(paths_to(last, lambda node: node.op == op))
                lines.append(Line(STEP, left, after, law, last, where, continues=True))

        if picks(found):
            then(picked(found, kept), _PICK, "delta")
        if any(node.op == "partial" for node in walk(found)):
            then(inserted(lines[-1].right, slopes, self.indices), _INSERT, "partial")
            if picks(lines[-1].right):
                then(picked(lines[-1].right, kept), _PICK, "delta")
        for line in lines:
            self.indices.write_all(line.right, (*value.indices, *self.at))
        return lines

    def _array(self, value: Value) -> Expr:
        return named(value.name, of_order(tuple(self.indices.sizes[i] for i in value.indices)))

    def _delta_remark(self) -> str:
        """What the derivative of an entry in an entry is."""
        x = to_unicode(named(self.s.wrt, SCALAR_TYPE))
        x = x if x.isalpha() else f"[{x}]"
        if len(self.at) == 1:
            return f"with ∂{x}ᵢ/∂{x}ₖ = δᵢₖ"
        found = "δᵢₖ δⱼₗ"
        if "diagonal" in self.traits:
            found = "δᵢₖ δⱼₗ δₖₗ"
        elif "symmetric" in self.traits:
            found = "½ (δᵢₖ δⱼₗ + δᵢₗ δⱼₖ)"
        return f"with ∂{x}ᵢⱼ/∂{x}ₖₗ = {found}"

    def _answered(self, lines: list[Line]) -> list[Line]:
        """The last line is the answer: in matrix notation, where there is one."""
        answer = sizes_by_name(self.s.answer.short_expr, self.s.formula.typed.variables)
        axes = len(self.out) + len(self.at)
        if not axes or axes > 2 or any(node.op == "einsum" for node in walk(answer)):
            return [*lines[:-1], lines[-1]._replace(part=ANSWER)]
        left = named(self.s.gradient_name, answer.type)
        return [*lines, Line(ANSWER, left, answer, _BACK, lines[-1].right, ((),))]


def _joined(rules: list[Law]) -> Law:
    """One law, or several that act in one line, each named."""
    if len(rules) == 1:
        return rules[0]
    reasons = dict.fromkeys(rule.reason for rule in rules)
    return Law(" and ".join(rule.rule for rule in rules), " and ".join(rule.law for rule in rules), "; ".join(reasons))


def unfit(message: str, setting: Setting) -> NotSupported:
    """Why the style does not fit, with the one that does."""
    deep = len(setting.program.definitions) > MOST_DEFINITIONS and not setting.body.dims
    return NotSupported(message, hint=f'style="{"backward" if deep else "differential"}"')
