"""The matrix on vec under construction: terms, each a product of factors kron(left, right)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from matgrad.dims import ONE, Dim
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr, Type, product_kind
from matgrad.translate.algebra import call, negative, number, product, times, transposed


def count(dims: Sequence[Dim]) -> Dim:
    total = ONE
    for dim in dims:
        total = total * dim
    return total


@dataclass(frozen=True)
class Factor:
    """kron(left, right); None is the number 1, as a matrix of one entry."""

    left: Expr | None
    right: Expr | None

    def expr(self) -> Expr:
        if self.left is None or self.right is None:
            found = self.right if self.left is None else self.left
            assert found is not None
            return found
        (a, c), (d, e) = sides(self.left), sides(self.right)
        rows, cols = a * d, c * e
        if _is_eye(self.left) and _is_eye(self.right):
            return eye(rows)
        kinds = {self.left.kind, self.right.kind}
        type_ = Type(kinds.pop(), (rows,) if rows != ONE else (cols,)) if len(kinds) == 1 else None
        matrix = Type(MATRIX, (rows, cols))
        return call("kron", self.left, self.right, type=type_ if type_ and type_.kind != MATRIX else matrix)

    def after(self, first: Factor) -> Factor | None:
        """The product self·first as one factor, by the mixed product rule; None where it does not apply."""
        left, right = _joined(self.left, first.left), _joined(self.right, first.right)
        return None if left is _CLASH or right is _CLASH else Factor(left, right)


_CLASH = Expr("name", value="clash")


def _joined(later: Expr | None, first: Expr | None) -> Expr | None:
    """later·first, with None for 1; ``_CLASH`` where the sizes do not fit."""
    if sides(later)[1] != sides(first)[0]:
        return _CLASH
    if later is None or first is None:
        return first if later is None else later
    if _is_eye(later) or _is_eye(first):
        return first if _is_eye(later) else later
    if product_kind(later.kind, "*", first.kind) in (None, SCALAR):
        return _CLASH
    if is_diagonal(later) and is_diagonal(first):
        return diag(_hadamard(later.args[0], first.args[0]))
    if later.op == "call" and later.value.name == "vector" and later == transposed(first):
        return call("matrix", *later.args, type=Type(MATRIX, (later.dims[0], first.dims[0])))
    return times(later, first)


def _hadamard(u: Expr, v: Expr) -> Expr:
    """u.*v, with vec(A).*vec(B) = vec(A.*B)."""
    if all(e.op == "call" and e.value.name == "vec" for e in (u, v)):
        return vec(_hadamard(u.args[0], v.args[0]))
    return product([("*", u), (".*", v)])


def sides(expr: Expr | None) -> tuple[Dim, Dim]:
    """Rows and columns."""
    if expr is None or expr.kind == SCALAR:
        return ONE, ONE
    if expr.kind == MATRIX:
        return expr.dims[0], expr.dims[1]
    return (expr.dims[0], ONE) if expr.kind == VECTOR else (ONE, expr.dims[0])


def eye(dim: Dim) -> Expr:
    return call("eye", type=Type(MATRIX, (dim, dim)))


def _is_exchange(factor: Factor) -> bool:
    right = factor.right
    return factor.left is None and right is not None and right.op == "call" and right.value.name == "commutation"


def _is_eye(expr: Expr) -> bool:
    return expr.op == "call" and expr.value.name == "eye"


def ones(dim: Dim) -> Expr:
    return call("vector", number(1), type=Type(VECTOR, (dim,)))


def vec(expr: Expr) -> Expr:
    """The column of all entries."""
    if expr.kind == MATRIX:
        return call("vec", expr, type=Type(VECTOR, (expr.dims[0] * expr.dims[1],)))
    return transposed(expr) if expr.kind == ROW else expr


def diag(column: Expr) -> Expr:
    return call("diag", column, type=Type(MATRIX, column.dims * 2))


@dataclass(frozen=True)
class Term:
    """coefficient · scalars / below · product of factors, the last of which is applied to vec(dX) first."""

    coefficient: Fraction
    scalars: tuple[Expr, ...]
    below: tuple[Expr, ...]
    factors: tuple[Factor, ...]

    def then(self, factor: Factor) -> Term:
        """One more factor, on the left."""
        if factor.left is None and factor.right is not None and _is_eye(factor.right):
            return self
        if self.factors and _is_exchange(self.factors[0]) and ONE in (sides(factor.left)[0], sides(factor.right)[0]):
            if factor.left is not None and factor.right is not None:  # a row: vec(A*X'*b) = vec(b'*X*A')
                return replace(self, factors=(Factor(factor.right, factor.left), *self.factors[1:]))
        joined = factor.after(self.factors[0]) if self.factors else None
        rest = self.factors[1:] if joined is not None else self.factors
        return replace(self, factors=(joined or factor, *rest))

    def expr(self, type_: Type) -> Expr:
        """The term as a formula."""
        size = abs(self.coefficient)
        front = [number(size)] if size != 1 else []
        factors = [f.expr() for f in self.factors]
        chain = [f for f in factors if not _is_eye(f)] or factors[:1] or [eye(type_.dims[0])]
        whole = times(*front, *self.scalars, *chain)
        if self.below:
            whole = product([("*", whole), ("/", times(*self.below))])
        return negative(whole) if self.coefficient < 0 else whole


def is_diagonal(expr: Expr) -> bool:
    return expr.op == "call" and expr.value.name == "diag" and expr.kind == MATRIX and expr.args[0].kind != MATRIX


Terms = list[Term]


def split(expr: Expr) -> tuple[list[Expr], Expr]:
    """The leading scalars of a product, and the rest."""
    if expr.op != "product" or set(expr.value) != {"*"}:
        return [], expr
    place = next((k for k, a in enumerate(expr.args) if a.kind != SCALAR), len(expr.args))
    return list(expr.args[:place]), times(*expr.args[place:]) if place < len(expr.args) else number(1)


def scaled(terms: Terms, scalars: Sequence[Expr]) -> Terms:
    """The terms times scalars; numbers are gathered."""
    for scalar in scalars:
        if scalar.op == "number" and scalar.value:
            terms = [replace(t, coefficient=t.coefficient * scalar.value) for t in terms]
        else:
            terms = [replace(t, scalars=(scalar, *t.scalars)) for t in terms]
    return terms


def after(terms: Terms, left: Expr | None, right: Expr | None) -> Terms:
    return [term.then(Factor(left, right)) for term in terms]
