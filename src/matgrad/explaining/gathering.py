"""Terms that end in one differential, gathered to g'*dx, tr(M*dX) or a*dt: two laws, one line each."""

from __future__ import annotations

from typing import NamedTuple

from matgrad.explaining.arrangement import same
from matgrad.explaining.lines import Law
from matgrad.explaining.terms import Parts, chain_of, parts_of, turned, turned_chain
from matgrad.explaining.trees import factors_of, terms_of, tidied
from matgrad.formula.syntax import MATRIX, SCALAR, SCALAR_TYPE, VECTOR, Expr, Type
from matgrad.translate.algebra import addition, call, negative, number, product, times, transposed

ADJOINT = Law("move a matrix across", "u'*U*v = (U'*u)'*v", "both are sums of the same products")
GATHER = Law("collect the terms", "u'*v + w'*v = (u + w)'*v", "the inner product is linear")
GATHER_TRACES = Law("collect the terms", "tr(U*W) + tr(V*W) = tr((U + V)*W)", "the trace is linear")
GATHER_NUMBERS = Law("collect the terms", "a*c + b*c = (a + b)*c", "numbers")
TURN = Law("the transpose of a product", "U'*V' = (V*U)'", "rows of U' meet columns of V'")


class Linear(NamedTuple):
    """Scalars times ``chain*d``, or times a trace of it: a term that ends in the differential d."""

    parts: Parts
    chain: tuple[Expr, ...]
    trace: bool
    d: Expr

    @property
    def coefficient(self) -> Expr:
        """u of u'*d, M of tr(M*d), a of a*d."""
        if self.d.kind == SCALAR:
            return self.parts.times(None)
        if self.trace:
            inner = times(*self.chain) if self.chain else call("eye", type=_square(self.d))
        else:
            inner = turned_chain(self.chain)
        return self.parts.around(inner)


def _square(d: Expr) -> Type:
    return Type(MATRIX, (d.dims[1], d.dims[1]))


def linear(term: Expr, differential: str) -> Linear | None:
    """The term, if its differential stands last."""
    parts = parts_of(term, [differential])
    if parts is None:
        return None
    core = parts.core
    if core.op == "call" and core.value.name == "tr":
        chain = chain_of(core.args[0])
        if chain and _is(chain[-1], differential):
            return Linear(parts, tuple(chain[:-1]), True, chain[-1])
        return None
    chain = chain_of(core)
    if not chain or not _is(chain[-1], differential) or chain[-1].kind == MATRIX:
        return None
    if chain[-1].kind == SCALAR and len(chain) > 1:
        return None
    return Linear(parts, tuple(chain[:-1]), False, chain[-1])


def _is(expr: Expr, name: str) -> bool:
    return expr.op == "name" and expr.value == name


class Gathered(NamedTuple):
    """Lines that lead from terms to one form, and the coefficient in that form."""

    steps: list[tuple[Law, Expr]]
    coefficient: Expr


def gathered(total: Expr, differential: str, tidy: Expr | None, *, final: bool) -> Gathered | None:
    """The lines from a sum of terms to one form. ``tidy`` is its coefficient in normal form; ``final`` asks for g'*dx
    with nothing but the gradient before the differential."""
    terms = [linear(term, differential) for term in terms_of(total)]
    if any(t is None for t in terms):
        return None
    found = [t for t in terms if t is not None]
    coefficient = addition([t.coefficient for t in found])
    if tidy is not None and same(coefficient, tidy):
        coefficient = tidy
    first = found[0]
    steps: list[tuple[Law, Expr]] = []
    if first.d.kind == SCALAR:
        if len(found) > 1:
            steps.append((GATHER_NUMBERS, form(coefficient, first.d)))
    elif first.trace:
        if len(found) > 1:
            steps.append((GATHER_TRACES, form(coefficient, first.d)))
    elif len(found) == 1:
        if len(first.chain) > 1 and final:
            steps.append((ADJOINT, times(transposed(coefficient), first.d)))
    else:
        if any(len(t.chain) > 1 for t in found):
            steps.append((ADJOINT, tidied(addition([_upright(t) for t in found]))))
        steps.append((GATHER, form(coefficient, first.d)))
    return Gathered(steps, coefficient)


def _upright(term: Linear) -> Expr:
    return term.parts.around(times(transposed(turned_chain(term.chain)), term.d))


def form(coefficient: Expr, d: Expr) -> Expr:
    """g'*d, tr(M*d) or a*d, with the sign and a leading number outside."""
    if coefficient.op == "neg":
        return negative(form(coefficient.args[0], d))
    if d.kind == SCALAR:
        return d if coefficient == number(1) else times(coefficient, d)
    if coefficient.op == "product" and coefficient.args[0].op == "number" and set(coefficient.value) == {"*"}:
        inner = times(*coefficient.args[1:])
        if inner.op == "add":
            return tidied(times(coefficient.args[0], form(inner, d)))
    if d.kind == VECTOR:
        return times(transposed(coefficient), d)
    scalars, inner = without_scalars(coefficient)
    return around(scalars, call("tr", times(inner, d), type=SCALAR_TYPE))


def around(scalars: list[tuple[str, Expr]], inner: Expr) -> Expr:
    """A formula with the scalars that multiply it in front, and those that divide it behind."""
    above, below = ([pair for pair in scalars if pair[0] == operator] for operator in ("*", "/"))
    return tidied(product([*above, ("*", inner), *below]))


def without_scalars(coefficient: Expr) -> tuple[list[tuple[str, Expr]], Expr]:
    """The scalar factors of a matrix, each with * or /, and what they multiply."""
    pairs = factors_of(coefficient)
    if any(o not in ("*", "/") for o, _ in pairs):
        return [], coefficient
    scalars = [pair for pair in pairs if pair[1].kind == SCALAR]
    return scalars, times(*(f for _, f in pairs if f.kind != SCALAR))


def needs_turning(matrix: Expr, gradient: Expr) -> bool:
    """Whether tr(M*d) has to be written as tr(G'*d), so that G = M' can be read off."""
    inner = matrix.args[0] if matrix.op == "neg" else matrix
    return inner.op not in ("name", "transpose", "call") and turned(matrix) != matrix and transposed(gradient) != matrix
