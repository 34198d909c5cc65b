"""The differential style: take df, one law a line, bring dx to the end, read the derivative off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from matgrad.errors import NotSupported
from matgrad.explaining.bookkeeping import bookkept
from matgrad.explaining.lines import ANSWER, GIVEN, LET, STEP, Law, Line, Path
from matgrad.explaining.setting import Setting
from matgrad.explaining.trees import expanded, named, paths_to, replaced, terms_of, tidied, varies, widened
from matgrad.explaining.working import Step, worked_out
from matgrad.formula.syntax import MATRIX, SCALAR, VECTOR, Expr, Type, walk
from matgrad.formula.unicode import to_unicode
from matgrad.tensor.nodes import Node
from matgrad.translate.algebra import addition, call, cost, number, of_order, times
from matgrad.translate.recover import has_closed_form

LONG = 26
"""The cost of printing above which the coefficient of an intermediate's differential gets a name."""
NOTHING = Law("as given")
ABBREVIATE = Law("abbreviation", "", "a part that is long, or stands in several places")
CONSTANT = Law("the formula does not depend on it", "d(c) = 0", "c is constant")
ADJOINT = Law(
    "a matrix moves to the other side of an inner product", "u'*M*v = (M'*u)'*v", "both are sums of the same products"
)
GATHER = Law("collect the terms", "u'*v + w'*v = (u + w)'*v", "the inner product is linear")
GATHER_TRACES = Law("collect the terms", "tr(A*X) + tr(B*X) = tr((A + B)*X)", "the trace is linear")
FACTOR = Law("collect the factors", "a*(u'*v) = (a*u)'*v", "linearity")
COLLECT = Law("collect the terms in the differential", "L(v) = g'*v", "a linear form has one such g: linearity")
DELTA = Law("abbreviation", "", "all that multiplies the differential so far")
BACK = Law("put the names' values back", "", "so that only the variables are left")
PLACE = Law("write the linear map as one matrix", "L(v) = J*v", "linearity: a column is the image of a unit vector")
TO_END = Law("a scalar factor moves to the end", "a*v = v*a", "numbers commute with everything")
_THEOREM = "first identification theorem, Magnus & Neudecker 2019, ch. 5"
_READ = {
    VECTOR: Law("read off the gradient", "d(f) = g'*d(x)", f"for every dx, so g is the gradient ({_THEOREM})"),
    MATRIX: Law("read off the gradient", "d(f) = tr(G'*d(X))", f"for every dX, so G is the gradient ({_THEOREM})"),
    SCALAR: Law("read off the derivative", "d(f) = a*d(t)", "for every dt, so a is the derivative"),
}
_READ_JACOBIAN = Law("read off the Jacobian", "d(f) = J*d(x)", f"for every dx, so J is the Jacobian ({_THEOREM})")
_READ_ENTRIES = Law("read off entry by entry", "", "the entry [i,j,…] multiplies that entry of the differential")
_VEC = Law("vec of a product", "vec(A*X*B) = kron(B', A)*vec(X)", "Magnus & Neudecker 2019, ch. 2")
_SPACE = {
    "symmetric": ("the differential is symmetric", "tr(G'*S) = tr((G + G')/2*S)", "only the symmetric part counts"),
    "diagonal": ("the differential is diagonal", "", "only the diagonal counts"),
    "lower": ("the differential is lower triangular", "", "only entries on and below the diagonal count"),
    "upper": ("the differential is upper triangular", "", "only entries on and above the diagonal count"),
}  # fmt: skip


def lines_of(setting: Setting) -> list[Line]:
    """The whole derivation of a first derivative."""
    return [*opening(setting), *Pass(setting).run()]


def opening(setting: Setting) -> list[Line]:
    """The formula, and the names used for its parts."""
    lines = [Line(GIVEN, setting.f, setting.body, NOTHING)]
    typed = {name for name, _ in setting.formula.program.definitions}
    known = dict(setting.first.program.definitions) if setting.first else {}
    for name, value in setting.program.definitions:
        law = NOTHING if name in typed else ABBREVIATE
        if known.get(name) == value:
            continue
        lines.append(Line(LET, named(name, value.type), value, law))
    return lines


class Pass:
    """From df to the derivative."""

    def __init__(self, setting: Setting) -> None:
        self.s = setting
        self.lines: list[Line] = []
        self.current = setting.body

    def run(self) -> list[Line]:
        s = self.s
        if not varies(s.body, s.of):
            zero = _zero(s.body.type)
            self._put(s.df, zero, CONSTANT)
            self.lines.append(Line(ANSWER, self._derivative_name(), s.answer.short_expr, CONSTANT))
            return self.lines
        self._work(s.df, s.body)
        scalar = s.body.kind == SCALAR
        for name in reversed(s.varying):
            differential = s.of[name]
            if not _mentions(self.current, differential):
                continue
            if scalar:
                self._bookkeep([differential])
            outer = self.current
            self._work(s.differential_of(name), s.varying[name])
            value, self.current = self.current, outer
            self._substitute(differential, value)
        if scalar:
            self._bookkeep([s.of[s.wrt]])
            self._read_gradient()
        else:
            self._read_map()
        return self.lines

    # -- putting lines

    def _put(self, left: Expr, right: Expr, law: Law, before: Expr | None = None,
             where: Iterable[Path] = (), part: str = STEP, *, main: bool = True) -> None:  # fmt: skip
        continues = bool(self.lines) and self.lines[-1].left == left and self.lines[-1].part == part
        self.lines.append(Line(part, left, right, law, before, tuple(where), continues, main))
        self.current = right

    def _steps(self, left: Expr, steps: list[Step], *, main: bool) -> None:
        for step in steps:
            self._put(left, step.after, step.law, step.before, step.where, main=main)

    def _work(self, left: Expr, value: Expr) -> None:
        """The differential of one part, law by law."""
        steps = worked_out(value, self.s.of)
        self._steps(left, steps, main=True)

    def _substitute(self, differential: str, value: Expr) -> None:
        of = next(name for name, found in self.s.of.items() if found == differential)
        law = Law(f"substitute d{to_unicode(self.s.name(of))}", "", "the differential just found")
        new = tidied(replaced(self.current, {differential: value}))
        new = expanded(new, [differential, *self.s.of.values()]) if self.s.body.kind == SCALAR else new
        where = tuple(_places(self.current, differential))
        self._put(self.s.df, new, law, self.current, where, main=False)

    def _bookkeep(self, differentials: list[str]) -> None:
        """Each term that holds one of these differentials into the form g'*dx, and terms collected."""
        s = self.s
        terms = terms_of(expanded(self.current, s.of.values()))
        places = [k for k, term in enumerate(terms) if varies(term, differentials)]
        if not places:
            return
        held = [terms[k] for k in places]
        above = list(terms[: places[0]])
        below = [t for k, t in enumerate(terms[places[0] :], places[0]) if k not in places]

        def whole(middle: Sequence[Expr]) -> Expr:
            return addition([*above, *middle, *below])

        for step in bookkept(addition(held), differentials):
            before = whole(terms_of(step.before))
            self._put(s.df, whole(terms_of(step.after)), step.law, before, step.where, main=False)
            held = list(terms_of(step.after))
        total = addition(held)
        try:
            gathered = s.coefficients.gathered(total, differentials)
        except NotSupported:
            return
        if to_unicode(gathered) == to_unicode(total) or (len(held) == 1 and _is_form(total, differentials[0])):
            self._shorten(total, differentials[0], whole)
            return
        several = GATHER_TRACES if s.coefficients.symbols[differentials[0]].shape[1:] else GATHER
        law = several if len(held) > 1 else ADJOINT if _is_chain(total) else FACTOR
        law = law if all(_is_linear_form(t, differentials[0]) for t in held) else COLLECT
        self._put(s.df, whole([gathered]), law, whole(held), ((),), main=False)
        self._shorten(gathered, differentials[0], whole)

    def _shorten(self, form: Expr, differential: str, whole: Callable[[Sequence[Expr]], Expr]) -> None:
        """A long coefficient of an intermediate's differential gets a name, δ, so that lines do not grow."""
        s = self.s
        if differential == s.of[s.wrt] or cost(form) <= LONG:
            return
        gradient = s.coefficients.coefficient(form, differential)
        name = s.name_coefficient(s.coefficients.formula(gradient))
        self.lines.append(Line(LET, name, s.program.definitions[-1][1], DELTA, main=False))
        before, after = self.current, whole([s.coefficients.paired(s.coefficients.node(name), differential)])
        law = Law(f"with {to_unicode(name)}", "", DELTA.reason)
        self._put(s.df, after, law, before, ((),), main=False)

    # -- reading off

    def _derivative_name(self) -> Expr:
        s = self.s
        shape = (*s.body.dims, *s.type_of(s.wrt).dims)
        return named(s.gradient_name, of_order(shape))

    def _read_gradient(self) -> None:
        s = self.s
        left, d = self._derivative_name(), s.of[s.wrt]
        law = _READ[left.kind]
        traits = s.subject().traits
        space = next((t for t in ("diagonal", "symmetric", "lower", "upper") if t in traits), None)
        if space is not None and left.kind == MATRIX:
            rule, text, reason = _SPACE[space]
            law = Law(f"read off the gradient: {rule}", text or law.law, f"{reason} ({_THEOREM})")
        gradient = self._in_words(s.coefficients.coefficient(self.current, d, projected=True))
        self._answer(left, gradient, law)

    def _in_words(self, node: Node) -> Expr:
        """A coefficient as a formula; what derive gives, where only the variables themselves have words for it."""
        try:
            return self.s.coefficients.formula(node)
        except NotSupported:
            return self.s.answer.short_expr

    def _answer(self, left: Expr, found: Expr, law: Law) -> None:
        """The derivative in the names of the derivation, then as derive gives it."""
        before = self.current
        self._put(left, found, law, None, part=ANSWER)
        final = self.s.answer.short_expr
        if cost(final) <= 90 and cost(self.s.answer.expr) <= 90:
            final = self.s.answer.expr
        short = cost(final) <= max(110, cost(found))
        if short and to_unicode(final) != to_unicode(found):
            self._put(left, final, BACK, found, ((),), part=ANSWER)
        self.current = before

    def _read_map(self) -> None:
        """For vectors and matrices: dF = J*dx, or the action on dX and its form for vec."""
        s = self.s
        d, variable = s.of[s.wrt], s.differential_of(s.wrt)
        node = s.coefficients.coefficient(self.current, d, projected=True)
        left = self._derivative_name()
        tidy = s.coefficients.tidy(self.current)
        if len(node.shape) <= 2:
            jacobian = self._in_words(node)
            form = times(jacobian, variable) if variable.kind == SCALAR or s.body.kind == VECTOR else self.current
            if form.kind == s.body.kind and to_unicode(form) != to_unicode(self.current):
                law = TO_END if variable.kind == SCALAR else PLACE
                self._put(s.df, form, law, self.current, ((),))
            read = _READ_JACOBIAN if variable.kind == VECTOR else _READ[SCALAR]
            self._answer(left, jacobian, read)
            return
        if to_unicode(tidy) != to_unicode(self.current):
            self._put(s.df, tidy, COLLECT, self.current, ((),))
        self._vec(node)
        self._put(left, s.answer.short_expr, _READ_ENTRIES, None, part=ANSWER)

    def _vec(self, node: Node) -> None:
        s = self.s
        matrix = s.coefficients.kronecker(node, len(s.body.dims))
        if matrix is None or not has_closed_form(matrix):
            return
        variable = s.differential_of(s.wrt)
        right = times(matrix, _vec(variable))
        continues = self.lines[-1].left == _vec(s.df)
        self.lines.append(Line(STEP, _vec(s.df), right, _VEC, _vec(self.current), ((),), continues))


def _vec(expr: Expr) -> Expr:
    if expr.kind != MATRIX:
        return expr
    return call("vec", expr, type=Type(VECTOR, (expr.dims[0] * expr.dims[1],)))


def _zero(type: Type | None) -> Expr:
    return widened(number(0), type)


def _mentions(expr: Expr, name: str) -> bool:
    return any(node.op == "name" and node.value == name for node in walk(expr))


def _places(expr: Expr, name: str) -> list[tuple[int, ...]]:
    return list(paths_to(expr, lambda node: node.op == "name" and node.value == name))


def _is_chain(expr: Expr) -> bool:
    expr = expr.args[0] if expr.op == "neg" else expr
    return expr.op == "product" and sum(1 for a in expr.args if a.kind == MATRIX) > 0


def _is_form(expr: Expr, differential: str) -> bool:
    """Whether one term already is c*u'*dx, a*dt or c*tr(M*dX), with nothing to be gathered."""
    if not _is_linear_form(expr, differential):
        return False
    expr = expr.args[0] if expr.op == "neg" else expr
    factors = expr.args if expr.op == "product" else (expr,)
    if factors[-1].op == "call":
        return all(f.op == "number" for f in factors[:-1])
    return sum(1 for f in factors[:-1] if f.op != "number") <= 1


def _is_linear_form(expr: Expr, differential: str) -> bool:
    """Whether the differential stands last, in a product or in a trace."""
    expr = expr.args[0] if expr.op == "neg" else expr
    last = expr.args[-1] if expr.op == "product" and expr.value[-1] == "*" else expr
    if expr.op == "product" and expr.value[-1] in ("/", "./"):
        last = next((a for a in reversed(expr.args) if _mentions(a, differential)), expr)
    if last.op == "call" and last.value.name == "tr":
        inner = last.args[0]
        last = inner.args[-1] if inner.op == "product" else inner
    return last.op == "name" and last.value == differential
