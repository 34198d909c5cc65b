"""Arrays of order 3 and 4 as matrices on vec: Kronecker products, with columns stacked.

The derivative of F in X is the linear map dX ↦ dF, and its matrix K has vec(dF) = K·vec(dX). The map is first read as
a formula in dX, as a person would write it; then each operation on the way from dX to the whole gives one factor of K:

    A·L·B        kron(B', A)                       L'        commutation(m, n), for L of size m × n
    H.*L         diag(vec(H))                      tr(A·L)   vec(A')'
    diag(v)·B    diag(vec(B))·kron(1, eye)         diag(A·L) kron(1', eye)·diag(vec(A)), of L'
    kron(A, L)   kron(eye, kron(commutation(n, p), eye))·kron(vec(A), eye), for A with p rows, L with n columns

(Magnus and Neudecker 2019, ch. 2, 3 and 9). Factors that meet are joined, kron(A, B)·kron(C, D) = kron(A·C, B·D).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from matgrad.dims import ONE, Dim
from matgrad.formula.sizes import size_of
from matgrad.formula.syntax import AT, MATRIX, RANGE, ROW, SCALAR, SCALAR_TYPE, VECTOR, Expr, Type, walk
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node, Symbol, topological
from matgrad.translate.algebra import (
    addition,
    call,
    number,
    product,
    symmetric_upright,
    times,
    transposed,
    turned_product,
)
from matgrad.translate.operands import block_range, sliced
from matgrad.translate.vec_factors import (
    Factor,
    Term,
    Terms,
    after,
    count,
    diag,
    eye,
    is_diagonal,
    ones,
    scaled,
    sides,
    split,
    vec,
)

Print = Callable[[Node], Expr]
SizeOf = Callable[[Dim], Expr]

DIRECTION = "\N{MIDDLE DOT}d"
"""The name of the direction: one that no user can type."""


def kronecker(node: Node, outputs: int, formula: Print, size: SizeOf) -> Expr | None:
    """The matrix ∂vec(F)/∂vec(X)' of a derivative with ``outputs`` axes of F, or None where there is none."""
    axes = tuple(range(len(node.shape)))
    if outputs > 2 or len(node.shape) - outputs > 2:
        return None
    direction = b.symbol(DIRECTION, node.shape[outputs:])
    action = formula(b.einsum([(node, axes), (direction, axes[outputs:])], axes[:outputs]))
    type_ = Type(MATRIX, (count(node.shape[:outputs]), count(node.shape[outputs:])))
    if not _varies(action):
        return call("matrix", number(0), type=type_)
    try:
        terms = Vectorised(size).of(action)
    except NoKronecker:
        return None
    symmetric = {n.name for n in topological(node) if isinstance(n, Symbol) and b.is_symmetric(n)}
    return addition([symmetric_upright(term.expr(type_), symmetric) for term in terms])


class NoKronecker(Exception):
    """An operation that has no matrix on vec."""


def _varies(expr: Expr) -> bool:
    return any(node.op == "name" and node.value == DIRECTION for node in walk(expr))


class Vectorised:
    """vec of a formula that is linear in dX: one rule per operation."""

    def __init__(self, size: SizeOf) -> None:
        self.size = size

    def of(self, expr: Expr) -> Terms:
        """The terms of K, with vec(expr) = K·vec(dX); a row counts as the column of its entries."""
        rule = getattr(self, "_" + expr.op, None)
        if rule is None:
            raise NoKronecker
        found: Terms = rule(expr)
        return found

    def _name(self, _: Expr) -> Terms:
        return [Term(Fraction(1), (), (), ())]

    def _neg(self, expr: Expr) -> Terms:
        return [replace(t, coefficient=-t.coefficient) for t in self.of(expr.args[0])]

    def _add(self, expr: Expr) -> Terms:
        if not all(map(_varies, expr.args)):
            raise NoKronecker
        type_ = expr.type or SCALAR_TYPE
        return [term for arg in expr.args for term in self._broadcast(self.of(arg), arg, type_)]

    def _broadcast(self, terms: Terms, arg: Expr, type_: Type) -> Terms:
        if arg.kind == SCALAR and type_.kind != SCALAR:
            return after(terms, None, ones(count(type_.dims)))
        return terms

    def _transpose(self, expr: Expr) -> Terms:
        (inner,) = expr.args
        if inner.kind != MATRIX:
            return self.of(inner)
        if inner.op in ("add", "neg") or (inner.op == "product" and set(inner.value) <= {".*", "./"}):
            return self.of(inner.replace(args=tuple(map(transposed, inner.args)), type=expr.type))
        if inner.op == "product" and set(inner.value) == {"*"}:
            return self.of(times(*(transposed(a) for a in reversed(inner.args))))
        rows, cols = inner.dims
        exchange = call("commutation", self.size(rows), self.size(cols), type=Type(MATRIX, (rows * cols,) * 2))
        return after(self.of(inner), None, exchange)

    def _product(self, expr: Expr) -> Terms:
        """The factors left of the linear one, then those right of it."""
        pairs = list(zip(("*", *expr.value), expr.args, strict=True))
        place = next(k for k, (_, arg) in enumerate(pairs) if _varies(arg))
        if any(_varies(arg) for _, arg in pairs[place + 1 :]):
            raise NoKronecker
        linear, rest = pairs[place][1], pairs[place + 1 :]
        if is_diagonal(linear) and rest and rest[0][0] == "*" and rest[0][1].kind in (MATRIX, VECTOR):
            terms, linear, rest = self._scaled_rows(linear, rest[0][1]), times(linear, rest[0][1]), rest[1:]
        elif is_diagonal(linear) and place and pairs[place][0] == "*" and pairs[place - 1][1].kind == MATRIX:
            last = pairs[place - 1][1]
            terms, linear = self._scaled_columns(last, linear), times(last, linear)
            pairs, place = [*pairs[: place - 1], (pairs[place - 1][0], linear)], place - 1
        else:
            terms = self.of(linear)
        if place:
            left, operator = product(pairs[:place]), pairs[place][0]
            terms = self._from_left(left, operator, linear, terms)
            linear = product([("*", left), (operator, linear)])
        for operator, factor in rest:
            terms = self._from_right(linear, operator, factor, terms)
            linear = product([("*", linear), (operator, factor)])
        return terms

    def _from_left(self, left: Expr, operator: str, linear: Expr, terms: Terms) -> Terms:
        if operator in ("/", "./"):
            raise NoKronecker
        if operator == "⊗":
            return self._kron(left, linear, terms)
        scalars, left = split(left)
        terms = scaled(terms, scalars)
        if left.kind == SCALAR:
            return scaled(terms, [left])
        if linear.kind == SCALAR:
            return after(terms, None, vec(left))
        if operator == ".*":
            return after(terms, None, diag(vec(left)))
        if linear.kind == MATRIX:
            return after(terms, eye(linear.dims[1]), left)
        return after(terms, None, left) if linear.kind == VECTOR else after(terms, eye(linear.dims[0]), left)

    def _from_right(self, linear: Expr, operator: str, factor: Expr, terms: Terms) -> Terms:
        if operator == "⊗":
            return self._kron(linear, factor, terms)
        if factor.kind == SCALAR:
            if operator in ("/", "./"):
                return [replace(t, below=(*t.below, factor)) for t in terms]
            return scaled(terms, [factor])
        scalars, factor = split(factor)
        if operator != "./":
            terms = scaled(terms, scalars)
        elif scalars:
            factor = times(*scalars, factor)
        if operator == "./":
            factor = product([("*", number(1)), ("./", factor)])
        if linear.kind == SCALAR:
            return after(terms, None, vec(factor))
        if operator in (".*", "./"):
            return after(terms, None, diag(vec(factor)))
        if linear.kind == MATRIX:
            return after(terms, transposed(factor), eye(linear.dims[0]))
        if linear.kind == ROW:
            return after(terms, None, transposed(factor))
        return after(terms, transposed(factor), eye(linear.dims[0]))

    def _scaled_rows(self, scaling: Expr, factor: Expr) -> Terms:
        """diag(v)*B = B.*(v*1')"""
        terms = self.of(scaling.args[0])
        if factor.kind == MATRIX:
            terms = after(terms, ones(factor.dims[1]), eye(factor.dims[0]))
        return after(terms, None, diag(vec(factor)))

    def _scaled_columns(self, factor: Expr, scaling: Expr) -> Terms:
        """A*diag(v) = A.*(1*v')"""
        terms = after(self.of(scaling.args[0]), eye(factor.dims[1]), ones(factor.dims[0]))
        return after(terms, None, diag(vec(factor)))

    def _index(self, expr: Expr) -> Terms:
        """L[rows, cols] = E'·L·F with E and F parts of the identity."""
        inner = expr.args[0]
        parts = []
        places = iter(expr.args[1:])
        for item, dim in zip(expr.value, inner.dims, strict=True):
            taken = {AT: 1, RANGE: 2}.get(item, 0) if isinstance(item, str) else 0
            rows = _rows_of_eye(dim, self.size, item, [next(places) for _ in range(taken)])
            parts.append(rows)
        terms = self.of(inner)
        return after(terms, *parts[::-1]) if len(parts) == 2 else after(terms, None, parts[0])

    def _stack(self, expr: Expr) -> Terms:
        """Each block is E·L·F' with E and F parts of the identity; the blocks are added."""
        found: Terms = []
        tall, wide = sides(expr)
        entries = iter(expr.args)
        at = Dim({})
        for length in expr.value:
            across, height = Dim({}), ONE
            for _ in range(length):
                entry = next(entries)
                height, width = sides(entry)
                if _varies(entry):
                    rows, cols = (_place(self.size, *where) for where in ((tall, at, height), (wide, across, width)))
                    found += after(self.of(entry), cols, rows)
                across = across + width
            at = at + height
        return found

    # -- functions

    def _call(self, expr: Expr) -> Terms:
        rule = _CALLS.get(expr.value.name)
        if rule is None:
            raise NoKronecker
        return rule(self, expr)

    def _of_diag(self, expr: Expr) -> Terms:
        (inner,) = expr.args
        if inner.kind != MATRIX:
            return self._scaled_rows(expr, eye(inner.dims[0]))
        n = inner.dims[0]
        if _is_chain(inner):
            place = next(k for k, a in enumerate(inner.args) if _varies(a))
            if place == 0:  # diag(L*Q) = (L.*Q')*1
                linear, other = inner.args[0], transposed(times(*inner.args[1:]))
            else:  # diag(P*L) = (1'*(P'.*L))'
                linear, other = times(*inner.args[place:]), transposed(times(*inner.args[:place]))
            by_rows = place == 0
            if _is_turned(linear):
                linear, other, by_rows = transposed(linear), transposed(other), not by_rows
            terms = after(self.of(linear), None, diag(vec(other)))
            if other.kind != MATRIX:
                return terms
            row = transposed(ones(other.dims[1 if by_rows else 0]))
            return after(terms, *((row, eye(n)) if by_rows else (eye(n), row)))
        terms = after(self.of(inner), None, diag(vec(eye(n))))
        return after(terms, transposed(ones(n)), eye(n))

    def _of_trace(self, expr: Expr) -> Terms:
        (inner,) = expr.args
        if _is_chain(inner):
            place = next(k for k, a in enumerate(inner.args) if _varies(a))
            linear, around = inner.args[place], times(*inner.args[place + 1 :], *inner.args[:place])
            if linear.kind == MATRIX:  # tr(P*L*Q) = vec((Q*P)')'*vec(L), and tr(M*L') = vec(M)'*vec(L)
                turned = linear.op == "transpose"
                other = around if turned else turned_product(around)
                return after(self.of(linear.args[0] if turned else linear), None, transposed(vec(other)))
        if inner.kind != MATRIX:
            return self.of(inner)
        return after(self.of(inner), None, transposed(vec(eye(inner.dims[0]))))

    def _of_sum(self, expr: Expr) -> Terms:
        (inner,) = expr.args
        below: tuple[Expr, ...] = ()
        if expr.value.name == "mean":
            gone = inner.dims if expr.value.dim is None else (inner.dims[expr.value.dim - 1],)
            below = (self.size(count(gone)),)
        terms = [replace(t, below=(*t.below, *below)) for t in self.of(inner)]
        if inner.kind == SCALAR:
            return terms
        if inner.kind != MATRIX:
            return after(terms, None, transposed(ones(inner.dims[0])))
        m, n = inner.dims
        if expr.value.dim is None:
            return after(terms, transposed(ones(n)), transposed(ones(m)))
        rows = expr.value.dim == 1
        return after(terms, *((eye(n), transposed(ones(m))) if rows else (transposed(ones(n)), eye(m))))

    def _of_mask(self, expr: Expr) -> Terms:
        ones = call("matrix", number(1), type=expr.type or SCALAR_TYPE)
        mask = expr.replace(args=(ones, *expr.args[1:]))
        return after(self.of(expr.args[0]), None, diag(vec(mask)))

    def _of_kron(self, expr: Expr) -> Terms:
        left, right = expr.args
        if _varies(left) and _varies(right):
            raise NoKronecker
        return self._kron(left, right, self.of(left if _varies(left) else right))

    def _kron(self, left: Expr, right: Expr, terms: Terms) -> Terms:
        """vec(A⊗B) = (I ⊗ K ⊗ I)·(vec(A) ⊗ vec(B)); K exchanges the rows of A and the columns of B."""
        (p, q), (m, n) = sides(left), sides(right)
        factors = (eye(p * q), vec(right)) if _varies(left) else (vec(left), eye(m * n))
        terms = after(terms, *factors)
        if ONE in (n, p):
            return terms
        exchange = call("commutation", self.size(n), self.size(p), type=Type(MATRIX, (n * p, n * p)))
        inner = Factor(exchange, eye(m)).expr() if m != ONE else exchange
        return after(terms, eye(q) if q != ONE else None, inner)

    def _of_vec(self, expr: Expr) -> Terms:
        return self.of(expr.args[0])


def _rows_of_eye(dim: Dim, size: SizeOf, item: Any, places: Sequence[Expr]) -> Expr:
    """The rows of the identity that an index takes."""
    if item is None:
        return eye(dim)
    whole = call("eye", size(dim), type=Type(MATRIX, (dim, dim)))
    if isinstance(item, int) or item == AT:
        return Expr("index", (whole, *places), (item, None), type=Type(ROW, (dim,)))
    ends = item if isinstance(item, tuple) else [size_of(place, lambda part: part.dims) or ONE for place in places]
    first, last = (Dim.of(end) if isinstance(end, int) else end for end in ends)
    return Expr("index", (whole, *places), (item, None), type=Type(MATRIX, (last - first + ONE, dim)))


def _place(size: SizeOf, whole: Dim, offset: Dim, length: Dim) -> Expr | None:
    """The columns of the identity that put a block where it stands; None for the number 1."""
    if whole == length:
        return None if whole == ONE else eye(whole)
    base = call("eye", size(whole), type=Type(MATRIX, (whole, whole)))
    if length == ONE:
        first = (offset + ONE).number or size(offset + ONE)
        return sliced(base, (None, first), Type(VECTOR, (whole,)))
    return sliced(base, (None, block_range(offset, length, size)), Type(MATRIX, (whole, length)))


def _is_chain(expr: Expr) -> bool:
    """A matrix product, without scalars."""
    return expr.op == "product" and set(expr.value) == {"*"} and all(a.kind != SCALAR for a in expr.args)


def _is_turned(linear: Expr) -> bool:
    """Whether dX stands transposed in it."""
    while linear.op != "name":
        if linear.op == "transpose":
            return linear.kind == MATRIX
        linear = next(a for a in linear.args if _varies(a))
    return False


_CALLS: dict[str, Callable[[Vectorised, Expr], Terms]] = {
    "diag": Vectorised._of_diag,
    "tr": Vectorised._of_trace,
    "sum": Vectorised._of_sum,
    "mean": Vectorised._of_sum,
    "tril": Vectorised._of_mask,
    "triu": Vectorised._of_mask,
    "kron": Vectorised._of_kron,
    "vec": Vectorised._of_vec,
}
