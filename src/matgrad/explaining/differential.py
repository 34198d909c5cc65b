"""The differential style: take df, one law a line, bring dx to the end, read the derivative off."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

from matgrad.errors import NotSupported
from matgrad.explaining.answering import answers, read_law
from matgrad.explaining.bookkeeping import bookkept
from matgrad.explaining.gathering import TURN, around, form, gathered, linear, needs_turning, without_scalars
from matgrad.explaining.lettering import fitted
from matgrad.explaining.lines import ANSWER, GIVEN, LET, STEP, Law, Line, Path
from matgrad.explaining.mapping import LinearMap
from matgrad.explaining.setting import Setting
from matgrad.explaining.terms import turned
from matgrad.explaining.trees import expanded, mentions, named, places_of, replaced, terms_of, tidied, varies, widened
from matgrad.explaining.working import Step, worked_out
from matgrad.formula.syntax import MATRIX, SCALAR, SCALAR_TYPE, VECTOR, Expr, Type
from matgrad.formula.unicode import to_unicode
from matgrad.tensor import builders as b
from matgrad.translate.algebra import addition, call, cost, negative, number, of_order, times, transposed

LONG = 26
"""The cost of printing above which the coefficient of an intermediate's differential gets a name."""
NOTHING = Law("as given")
ABBREVIATE = Law("abbreviation", "", "a part that is long, or stands in several places")
IN_NAMES = Law("in these names", "", "each name is put for its value")
CONSTANT = Law("the formula does not depend on it", "d(c) = 0", "c is constant")
COLLECT = Law("collect the terms in the differential", "L(v) = g'*v", "a linear form has one such g: linearity")
DELTA = Law("abbreviation", "", "what multiplies the differential in the line above")
HALVES = Law(
    "the differential is symmetric", "tr(U*W) = tr((U + U')*W)/2", "tr(U*W) = tr(W'*U') = tr(U'*W) for a symmetric W"
)


def lines_of(setting: Setting) -> list[Line]:
    """The whole derivation of a first derivative."""
    return in_own_letters(setting, [*opening(setting), *Pass(setting).run()])


def in_own_letters(setting: Setting, lines: list[Line]) -> list[Line]:
    """The lines with laws whose letters are not names of the formula."""
    taken = {*setting.formula.typed.variables, *setting.formula.typed.functions, setting.function}
    taken |= {name for name, _ in setting.program.definitions}
    return [line._replace(law=fitted(line.law, taken)) for line in lines]


def opening(setting: Setting) -> list[Line]:
    """The formula as typed, the names used for its parts, and the formula in those names if they are several."""
    typed = {name for name, _ in setting.formula.program.definitions}
    known = dict(setting.first.program.definitions) if setting.first else {}
    lines = [Line(GIVEN, setting.f, setting.typed_body, NOTHING)]
    for name, value in setting.program.definitions:
        if known.get(name) != value:
            law = NOTHING if name in typed else ABBREVIATE
            lines.append(Line(LET, named(name, value.type), value, law))
    invented = [line for line in lines[1:] if line.law is ABBREVIATE]
    if len(invented) > 1 and setting.body != setting.typed_body and setting.first is None:
        lines.append(Line(STEP, setting.f, setting.body, IN_NAMES, setting.typed_body, ((),), main=False))
    return lines


def _half_trace(matrix: Expr, d: Expr) -> Expr:
    return tidied(times(number(Fraction(1, 2)), form(matrix, d)))


def _part_in(space: str, gradient: Expr) -> Expr:
    """The part of a gradient that meets a triangular or diagonal differential; scalars stay outside."""
    if gradient.op == "neg":
        return negative(_part_in(space, gradient.args[0]))
    scalars, inner = without_scalars(gradient)
    if space == "diagonal":
        inner = call("diag", inner, type=Type(VECTOR, gradient.dims[:1]))
    name = {"diagonal": "diag", "lower": "tril", "upper": "triu"}[space]
    return around(scalars, call(name, inner, type=gradient.type or SCALAR_TYPE))


class Pass:
    """From df to the derivative."""

    def __init__(self, setting: Setting) -> None:
        self.s = setting
        self.lines: list[Line] = []
        self.current = setting.body
        self.matrix: Expr | None = None
        """What multiplies the differential in the end, or its vec."""

    def run(self) -> list[Line]:
        s = self.s
        if not varies(s.body, s.of):
            self.put(s.df, widened(number(0), s.body.type), CONSTANT)
            self.lines.append(Line(ANSWER, self.derivative_name(), s.answer.short_expr, CONSTANT))
            return self.lines
        self._work(s.df, s.body)
        scalar = s.body.kind == SCALAR
        for name in reversed(s.varying):
            differential = s.of[name]
            if not mentions(self.current, differential):
                continue
            if scalar:
                self._bookkeep(differential, final=False)
            outer = self.current
            if outer == s.differential_of(name):  # df = dp: the line goes on
                self._work(s.df, s.varying[name])
                continue
            self._work(s.differential_of(name), s.varying[name])
            value, self.current = self.current, outer
            self._substitute(differential, value)
        if scalar:
            self._bookkeep(s.of[s.wrt], final=True)
            self._read_gradient()
        else:
            LinearMap(self).run()
        return self.lines

    # -- putting lines

    def put(self, left: Expr, right: Expr, law: Law, before: Expr | None = None,
            where: Iterable[Path] = (), part: str = STEP, *, main: bool = True) -> None:  # fmt: skip
        continues = bool(self.lines) and self.lines[-1].left == left and self.lines[-1].part == part
        self.lines.append(Line(part, left, right, law, before, tuple(where), continues, main))
        self.current = right

    def step(self, left: Expr, step: Step, whole: Callable[[Expr], Expr] = lambda e: e, *, main: bool = False) -> None:
        self.put(left, whole(step.after), step.law, whole(step.before), step.where, main=main)

    def _work(self, left: Expr, value: Expr) -> None:
        """The differential of one part, law by law."""
        for step in worked_out(value, self.s.of, self.s.in_names):
            self.step(left, step, main=True)
        if value.kind == SCALAR and left != self.s.df:
            for step in bookkept(self.current, list(self.s.of.values()), self.s.simplifier):
                self.step(left, step)

    def _substitute(self, differential: str, value: Expr) -> None:
        of = next(name for name, found in self.s.of.items() if found == differential)
        law = Law(f"substitute d{to_unicode(self.s.name(of))}", "", "the differential just found")
        new = tidied(replaced(self.current, {differential: value}))
        new = expanded(new, [differential, *self.s.of.values()]) if self.s.body.kind == SCALAR else new
        self.put(self.s.df, new, law, self.current, places_of(self.current, differential), main=False)

    # -- scalars: every term to the form g'*dx

    def _bookkeep(self, differential: str, *, final: bool) -> None:
        """Each term that holds the differential into the form g'*dx, and terms collected."""
        s = self.s
        terms = terms_of(expanded(self.current, s.of.values()))
        places = [k for k, term in enumerate(terms) if varies(term, [differential])]
        if not places:
            return
        above = list(terms[: places[0]])
        below = [t for k, t in enumerate(terms[places[0] :], places[0]) if k not in places]

        def whole(middle: Expr) -> Expr:
            return addition([*above, *terms_of(middle), *below])

        held = addition([terms[k] for k in places])
        for step in bookkept(held, [differential], s.simplifier):
            self.step(s.df, step, whole)
            held = step.after
        held = self._gather(held, differential, whole, final=final)
        if not final:
            self._shorten(held, differential, whole)

    def _gather(self, held: Expr, differential: str, whole: Callable[[Expr], Expr], *, final: bool) -> Expr:
        s = self.s
        try:
            node = s.coefficients.coefficient(held, differential)
            matrix = len(node.shape) == 2
            tidy = s.coefficients.formula(b.transpose(node) if matrix else node)
        except NotSupported:
            tidy = None
        found = gathered(held, differential, tidy, final=final)
        if found is not None:
            while found is not None and found.steps:
                law, after = found.steps[0]
                step = s.simplifier.absorbed(Step(law, held, ((),), after), calls=False)
                self.step(s.df, step, whole)
                held = step.after
                found = gathered(held, differential, tidy, final=final) if len(found.steps) > 1 else None
            while (more := s.simplifier.step(held)) is not None:
                self.step(s.df, more, whole)
                held = more.after
            return held
        if tidy is None:
            return held
        after = form(tidy, named(differential, s.coefficients.type_of(differential)))
        if to_unicode(after) != to_unicode(held):
            self.put(s.df, whole(after), COLLECT, whole(held), ((),), main=False)
        return after

    def _shorten(self, held: Expr, differential: str, whole: Callable[[Expr], Expr]) -> None:
        """A long coefficient of an intermediate's differential gets a name, δ, so that lines do not grow."""
        s = self.s
        if cost(held) <= LONG or held.op == "add":
            return
        found = linear(held, differential)
        if found is None or found.d.kind == SCALAR or not found.chain:
            return
        row = times(*found.chain)
        if row.op != "product" and row.op != "transpose" and row.op != "add":
            return
        upright = found.trace and row.op != "transpose" and cost(row) <= cost(turned(row))
        value = row if upright else turned(row)
        if cost(value) <= LONG // 2:
            return
        if found.trace and not upright and row.op != "transpose":
            turned_ = call("tr", times(transposed(value), found.d), type=SCALAR_TYPE)
            self.put(s.df, whole(found.parts.around(turned_)), TURN, self.current, ((),), main=False)
        name = s.name_coefficient(value)
        self.lines.append(Line(LET, name, value, DELTA, main=False))
        before = self.current
        short = times(name, found.d) if upright else times(transposed(name), found.d)
        if found.trace:
            short = call("tr", short, type=SCALAR_TYPE)
        after = whole(found.parts.around(short))
        law = Law(f"with {to_unicode(name)}", "", DELTA.reason)
        self.put(s.df, after, law, before, ((),), main=False)

    # -- reading off

    def derivative_name(self) -> Expr:
        s = self.s
        shape = (*s.body.dims, *s.type_of(s.wrt).dims)
        return named(s.gradient_name, of_order(shape))

    def _read_gradient(self) -> None:
        s = self.s
        left, d = self.derivative_name(), s.differential_of(s.wrt)
        found = linear(self.current, s.of[s.wrt])
        law = read_law(s, left.kind)
        self.matrix = found.coefficient if found is not None else None
        if found is None or s.coefficients.plain:
            self._answer(left, s.answer.short_expr, read_law(s, left.kind, self._space()))
            return
        gradient = found.coefficient
        space = self._space()
        if left.kind != MATRIX:
            pass
        elif space == "symmetric":
            gradient = self._symmetric(gradient, d)
            law = read_law(s, MATRIX, space)
        else:
            if space != "diagonal":  # whose transpose has the same diagonal
                matrix, gradient = gradient, s.in_order(turned(gradient), s.of[s.wrt], self.current)
                gradient = self._turn(matrix, gradient, d)
            if space is not None:
                gradient, law = _part_in(space, gradient), read_law(s, MATRIX, space)
        self._answer(left, gradient, law)

    def _turn(self, matrix: Expr, gradient: Expr, d: Expr) -> Expr:
        """From tr(M*dX) to tr(G'*dX), with what is symmetric in G; the gradient G."""
        s = self.s
        if not needs_turning(matrix, gradient):
            return gradient

        def whole(e: Expr) -> Expr:
            return call("tr", times(transposed(e), d), type=SCALAR_TYPE)

        step = s.simplifier.absorbed(Step(TURN, turned(gradient), ((),), gradient), calls=False)
        self.put(s.df, whole(step.after), step.law, self.current, ((),), main=False)
        gradient = step.after
        while (more := s.simplifier.step(gradient)) is not None:
            self.step(s.df, more, whole)
            gradient = more.after
        return gradient

    def _space(self) -> str | None:
        traits = self.s.subject().traits
        return next((t for t in ("diagonal", "symmetric", "lower", "upper") if t in traits), None)

    def _symmetric(self, matrix: Expr, d: Expr) -> Expr:
        """The symmetric part of the coefficient of a symmetric differential."""
        s = self.s
        if b.is_symmetric(s.coefficients.node(matrix)):
            return matrix
        both = addition([matrix, turned(matrix)])
        self.put(s.df, _half_trace(both, d), HALVES, self.current, ((),), main=False)
        while (step := s.simplifier.step(both)) is not None:
            self.step(s.df, step, lambda e: _half_trace(e, d))
            both = step.after
        return tidied(times(number(Fraction(1, 2)), both))

    def _answer(self, left: Expr, found: Expr, law: Law) -> None:
        before = self.current
        self.lines += answers(self.s, left, found, law, self.current)
        self.current = before
