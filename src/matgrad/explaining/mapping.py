"""Vectors and matrices: dF as a linear map, brought to J*dx, or to a matrix times vec(dX)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple, Protocol

from matgrad.errors import NotSupported
from matgrad.explaining.answering import answers, read_law
from matgrad.explaining.bookkeeping import on_term, rules_for
from matgrad.explaining.lines import ANSWER, STEP, Law, Line, Path
from matgrad.explaining.patterns import diagonal_of_product, diagonal_times, rows_of_product, rows_with_diagonal
from matgrad.explaining.setting import Setting
from matgrad.explaining.terms import chain_of, parts_of, turned
from matgrad.explaining.trees import expanded, factors_of, named, rebuilt, terms_of, tidied, varies
from matgrad.explaining.vectorising import VecTerm, identity, vec
from matgrad.explaining.working import Step
from matgrad.formula.declarations import SPACES
from matgrad.formula.syntax import MATRIX, SCALAR, VECTOR, Expr, Type, fold
from matgrad.formula.unicode import to_unicode
from matgrad.translate.algebra import addition, call, negative, number, product, times
from matgrad.translate.recover import has_closed_form

_THEOREM = "first identification theorem, Magnus & Neudecker 2019, ch. 5"
_SOURCE = "Magnus & Neudecker 2019, ch. 2"
PLACE = Law("write the linear map as one matrix", "L(v) = U*v", "linearity: a column is the image of a unit vector")
DIAGONAL = Law("an entrywise factor is a diagonal matrix", "u.*v = diag(u)*v", "entry by entry")
BEHIND = Law("a number moves behind a vector", "(u'*v)*w = w*u'*v", "numbers commute with everything")
TO_END = Law("a number moves to the end", "a*v = v*a", "numbers commute with everything")
GATHER = Law("collect the terms", "U*v + V*v = (U + V)*v", "the product is linear")
GATHER_NUMBERS = Law("collect the terms", "u*a + v*a = (u + v)*a", "the product is linear")
READ_VEC = Law("read off the Jacobian of vec", "vec(d(F)) = J*vec(d(X))", f"for every dX: J is DF ({_THEOREM})")
ENTRIES = Law("the same numbers, entry by entry", "", "the entry [i,j,k,l] is that of F[i,j] in X[k,l]")
READ_ENTRIES = Law("read off entry by entry", "", "the entry [i,j,…] multiplies that entry of the differential")
VEC = Law("vec of both sides", "vec(U + V) = vec(U) + vec(V)", "vec stacks the columns: it is linear")
_VEC_PRODUCT = Law("vec of a product", "vec(U*W*V) = kron(V', U)*vec(W)", _SOURCE)
_VEC_TURNED = Law("vec of a transpose", "vec(W') = K*vec(W)", "K is the commutation matrix")
_VEC_ENTRYWISE = Law("vec of an entrywise product", "vec(U.*V) = diag(vec(U))*vec(V)", "entry by entry")
_TURN = Law("the transpose of a product", "(U*V)' = V'*U'", "rows become columns")
_VEC_GATHER = Law("collect the terms", "U*w + V*w = (U + V)*w", "the product is linear")


class _Rule(NamedTuple):
    law: Law
    apply: Callable[[Expr, Collection[str]], Expr | None]


def _jacobian_letter(s: Setting) -> str:
    return "J" if "J" not in s.formula.typed.variables else "M"


def _vec_of(s: Setting) -> str:
    return f"d({s.wrt})" if s.type_of(s.wrt).kind == VECTOR else f"vec(d({s.wrt}))"


class Course(Protocol):
    """What a pass from df to the derivative offers."""

    s: Setting
    lines: list[Line]
    current: Expr
    matrix: Expr | None

    def put(self, left: Expr, right: Expr, law: Law, before: Expr | None = None,
            where: Iterable[Path] = (), part: str = STEP, *, main: bool = True) -> None: ...  # fmt: skip

    def step(self, left: Expr, step: Step) -> None: ...

    def derivative_name(self) -> Expr: ...


class LinearMap:
    """The last part of a pass over a formula that is a vector or a matrix."""

    def __init__(self, over: Course) -> None:
        self.over = over
        self.s = over.s
        self.d = self.s.of[self.s.wrt]
        self.dx = self.s.differential_of(self.s.wrt)

    def run(self) -> None:
        s, over = self.s, self.over
        node = s.coefficients.coefficient(over.current, self.d, projected=True)
        left = over.derivative_name()
        self._inner_products()
        if len(node.shape) <= 2:
            if self.dx.kind == SCALAR:
                matrix, law = self._to_number(), read_law(s, SCALAR)
            else:
                matrix, law = self._to_vector(), read_law(s, "jacobian")
            over.matrix = matrix
            if matrix is None or s.coefficients.plain:
                over.lines.append(Line(ANSWER, left, s.answer.short_expr, law))
            else:
                over.lines += answers(s, left, matrix, law, over.current)
            return
        free = not s.subject().traits & SPACES
        jacobian = self._to_vec() if free else None
        if jacobian is None:
            over.lines.append(Line(ANSWER, left, s.answer.short_expr, READ_ENTRIES))
            return
        over.matrix = jacobian
        name = named(s.vec_name, jacobian.type)
        if s.first is None or s.answer.order != 2 or s.first.body.kind != SCALAR:
            law = READ_VEC._replace(law=f"vec(d({s.function})) = {_jacobian_letter(s)}*{_vec_of(s)}", instance=True)
            over.lines.append(Line(ANSWER, name, jacobian, law))
        over.lines.append(Line(ANSWER, left, s.answer.short_expr, ENTRIES))

    # -- small steps

    def _inner_products(self) -> None:
        """Scalars inside of the map, such as sum(u.*dx), as u'*dx."""
        s, over = self.s, self.over

        for _ in range(4):
            for rule in rules_for(s.simplifier):

                def visit(node: Expr, args: list[Expr], rule: object = rule) -> Expr:
                    new = rebuilt(node, args) if node.args else node
                    if new.kind != SCALAR or new.op not in ("call", "product") or not varies(new, [self.d]):
                        return new
                    found = on_term(new, [self.d], rule.apply)  # type: ignore[attr-defined]
                    return new if found is None or self.dx.kind != VECTOR else found

                after = tidied(fold(over.current, visit))
                if after != over.current:
                    over.put(s.df, after, rule.law, over.current, ((),), main=False)
                    break
            else:
                return

    def _to_number(self) -> Expr | None:
        """u of dF = u*dt."""
        over = self.over
        found = [_number_last(t, self.d) for t in terms_of(expanded(over.current, [self.d]))]
        values = [f for f in found if f is not None]
        if len(values) < len(found):
            return self._placed()
        if any(not _ends_with(t, self.d) for t in terms_of(over.current)):
            shown = addition([_times(v, self.dx) for v in values])
            if to_unicode(shown) != to_unicode(over.current):
                over.put(self.s.df, shown, TO_END, over.current, ((),), main=False)
        matrix = self.s.in_order(addition(values), self.d, over.current)
        if len(values) > 1:
            over.put(self.s.df, times(matrix, self.dx), GATHER_NUMBERS, over.current, ((),), main=False)
        return matrix

    def _to_vector(self) -> Expr | None:
        """J of dF = J*dx."""
        over, s = self.over, self.s
        current = expanded(over.current, [self.d])
        for _ in range(12):
            terms = terms_of(current)
            for rule in _RULES:
                new = [rule.apply(term, [self.d]) for term in terms]
                if any(t is not None for t in new):
                    after = addition([old if t is None else t for old, t in zip(terms, new, strict=True)])
                    after = expanded(after, [self.d])
                    if rule.law is not TO_END:
                        over.put(s.df, after, rule.law, over.current, ((),), main=False)
                    current = after
                    break
            else:
                break
        found = [_vector_last(t, self.d) for t in terms_of(current)]
        values = [f for f in found if f is not None]
        if len(values) < len(found):
            return self._placed()
        matrix = values[0] if len(values) == 1 else s.in_order(addition(values), self.d, over.current)
        if len(values) > 1:
            over.put(s.df, times(matrix, self.dx), GATHER, over.current, ((),), main=False)
        return matrix

    def _placed(self) -> Expr | None:
        """The matrix from the normal form, where the rules lead to none."""
        s, over = self.s, self.over
        try:
            matrix = s.coefficients.formula(s.coefficients.coefficient(over.current, self.d, projected=True))
        except NotSupported:
            return None
        shown = times(matrix, self.dx)
        if shown.kind == s.body.kind and to_unicode(shown) != to_unicode(over.current):
            law = TO_END if self.dx.kind == SCALAR else PLACE
            over.put(s.df, shown, law, over.current, ((),), main=False)
        return matrix

    # -- vec

    def _to_vec(self) -> Expr | None:
        """J of vec(dF) = J*vec(dX), by laws of vec; from the normal form where they do not fit."""
        s, over = self.s, self.over
        left = vec(s.df)
        self._turn_products()
        found = self._by_laws(left)
        if found is not None:
            return found
        node = s.coefficients.coefficient(over.current, self.d, projected=True)
        matrix = s.coefficients.kronecker(node, len(s.body.dims))
        if matrix is None or not has_closed_form(matrix):
            return None
        over.lines.append(Line(STEP, left, times(matrix, vec(self.dx)), PLACE, vec(over.current), ((),)))
        return matrix

    def _turn_products(self) -> None:
        """(A*dX*B)' as B'*dX'*A'."""
        s, over = self.s, self.over

        def visit(node: Expr, args: list[Expr]) -> Expr:
            new = rebuilt(node, args) if node.args else node
            product_ = new.op == "transpose" and new.args[0].op in ("product", "neg")
            return turned(new.args[0]) if product_ and varies(new, [self.d]) else new

        after = tidied(fold(over.current, visit))
        if after != over.current:
            step = s.simplifier.absorbed(Step(_TURN, over.current, ((),), after))
            over.step(s.df, step)

    def _by_laws(self, left: Expr) -> Expr | None:
        s, over = self.s, self.over
        terms = terms_of(expanded(over.current, [self.d]))
        values = [VecTerm.of(term, self.d) for term in terms]
        if any(v is None for v in values):
            return None
        steps: list[tuple[Law, list[VecTerm]]] = []
        current = [v for v in values if v is not None]
        rounds: tuple[tuple[Law, Callable[[VecTerm], VecTerm]], ...] = (
            (_VEC_ENTRYWISE, lambda v: v.entrywise(self.d)), (_VEC_PRODUCT, lambda v: v.multiplied(self.d)),
            (_VEC_ENTRYWISE, lambda v: v.entrywise(self.d)), (_VEC_PRODUCT, lambda v: v.multiplied(self.d)),
            (_VEC_TURNED, lambda v: v.transposed(s.size)),
        )  # fmt: skip
        for law, apply in rounds:
            new = [apply(v) for v in current]
            if new != current:
                steps.append((law, new))
                current = new
        if any(not v.done(self.d) for v in current):
            return None
        lines: list[Line] = []
        before = addition([v.shown for v in values if v is not None])
        if (len(terms) > 1 or before.op != "call") and left != s.df:
            lines.append(Line(STEP, left, before, VEC, vec(over.current), ((),)))
        for law, new in steps:
            after = addition([v.shown for v in new])
            lines.append(Line(STEP, left, after, law, before, ((),), bool(lines), main=False))
            before = after
        matrices = [v.matrix for v in current]
        jacobian = addition([m if m is not None else identity(before) for m in matrices])
        if len(matrices) > 1:
            after = times(jacobian, vec(self.dx))
            lines.append(Line(STEP, left, after, _VEC_GATHER, before, ((),), bool(lines), main=False))
        over.lines += lines
        return jacobian


# -- terms of a vector


def _ends_with(term: Expr, d: str) -> bool:
    term = term.args[0] if term.op == "neg" else term
    last = term.args[-1] if term.op == "product" else term
    return last.op == "name" and last.value == d


def _times(value: Expr, d: Expr) -> Expr:
    if value.op == "neg":
        return negative(_times(value.args[0], d))
    return times(value, d)


def _number_last(term: Expr, d: str) -> Expr | None:
    """u where the term is u*dt."""
    if term.op == "neg":
        inner = _number_last(term.args[0], d)
        return None if inner is None else negative(inner)
    pairs = factors_of(term)
    places = [k for k, (o, f) in enumerate(pairs) if f.op == "name" and f.value == d and o not in ("/", "./")]
    if len(places) != 1 or any(varies(f, [d]) for k, (_, f) in enumerate(pairs) if k != places[0]):
        return None
    rest = [pair for k, pair in enumerate(pairs) if k != places[0]]
    if not rest:
        return number(1)
    if rest[0][0] in ("/", "./"):
        rest = [("*", number(1)), *rest]
    rest[0] = ("*", rest[0][1])
    found = tidied(product(rest))
    return found if found.kind == term.kind else None


def _vector_last(term: Expr, d: str) -> Expr | None:
    """J where the term is J*dx."""
    parts = parts_of(term, [d])
    chain = chain_of(parts.core) if parts is not None else None
    if parts is None or not chain or chain[-1].op != "name" or chain[-1].value != d:
        return None
    if any(varies(f, [d]) for f in chain[:-1]):
        return None
    matrix = times(*chain[:-1]) if len(chain) > 1 else call("eye", type=Type(MATRIX, chain[-1].dims * 2))
    return parts.times(matrix) if matrix.kind == MATRIX else None


def _diagonal(term: Expr, names: Collection[str]) -> Expr | None:
    """u.*dv = diag(u)*dv, also at the end of a chain A*(u.*dv)."""
    parts = parts_of(term, names)
    if parts is None:
        return None
    chain = chain_of(parts.core) or [parts.core]
    last = chain[-1]
    if last.op != "product" or last.kind != VECTOR or set(last.value) == {"*"}:
        return None
    pairs = factors_of(last)
    place = next((k for k, (_, f) in enumerate(pairs) if varies(f, names)), None)
    if place is None or pairs[place][0] in ("/", "./") or "⊗" in last.value:
        return None
    if any(o == "*" for o, f in pairs[1:] if f.kind != SCALAR):
        return None
    rest = pairs[:place] + pairs[place + 1 :]
    if any(varies(f, names) for _, f in rest) or pairs[place][1].kind != VECTOR:
        return None
    if rest[0][0] in ("/", "./"):
        rest = [("*", number(1)), *rest]
    rest[0] = ("*", rest[0][1])
    others = product(rest)
    if others.kind != VECTOR:
        return None
    diagonal = call("diag", others, type=Type(MATRIX, others.dims * 2))
    return parts.around(times(*chain[:-1], diagonal, pairs[place][1]))


def _behind(term: Expr, names: Collection[str]) -> Expr | None:
    """(v'*dx)*w = w*v'*dx, and a*dx'*v of a scalar by its transpose."""
    if term.op == "neg":
        inner = _behind(term.args[0], names)
        return None if inner is None else negative(inner)
    pairs = factors_of(term)
    if len(pairs) < 2 or any(o not in ("*", "/") for o, _ in pairs[1:]):
        return None
    place = next((k for k, (o, f) in enumerate(pairs) if f.kind == SCALAR and varies(f, names) and o == "*"), None)
    arrays = [f for _, f in pairs if f.kind != SCALAR]
    if place is None or not arrays or any(varies(f, names) for f in arrays) or term.kind != VECTOR:
        return None
    found = parts_of(pairs[place][1], names)
    if found is None:
        return None
    scalars = [(o, f) for k, (o, f) in enumerate(pairs) if f.kind == SCALAR and k != place]
    above = [f for o, f in scalars if o == "*"]
    below = [f for o, f in scalars if o == "/"]
    whole = found._replace(above=(*above, *found.above), below=(*below, *found.below))
    return whole.around(times(*arrays, *(chain_of(found.core) or [found.core])))


_RULES = (
    _Rule(BEHIND, _behind),
    _Rule(Law("the diagonal of a product", "diag(U*diag(v)*W) = (U.*W')*v", "both add up U[i,k]*v[k]*W[k,i]"),
          diagonal_of_product),
    _Rule(Law("sums of rows with a diagonal matrix", "sum(U.*(V*diag(v)), dim=2) = (U.*V)*v",
              "both add up U[i,j]*V[i,j]*v[j]"), rows_with_diagonal),
    _Rule(Law("sums of the rows of a product", "sum(U*V, dim=2) = U*sum(V, dim=2)", "both are U*V times ones"),
          rows_of_product),
    _Rule(Law("a diagonal matrix times a vector", "diag(v)*w = diag(w)*v", "both are v.*w"), diagonal_times),
    _Rule(DIAGONAL, _diagonal),
)  # fmt: skip
