"""vec(dF) term by term: Kronecker products, diagonals and commutation matrices times vec(dX)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from matgrad.dims import Dim
from matgrad.explaining.terms import chain_of, parts_of, turned
from matgrad.explaining.trees import factors_of, tidied, varies
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr, Type
from matgrad.translate.algebra import call, negative, number, product, times, transposed


def identity(like: Expr) -> Expr:
    """The identity of the size of a vector."""
    return call("eye", type=Type(MATRIX, like.dims * 2))


def vec(expr: Expr) -> Expr:
    if expr.kind != MATRIX:
        return expr
    return call("vec", expr, type=Type(VECTOR, (expr.dims[0] * expr.dims[1],)))


class VecTerm(NamedTuple):
    """``scale * matrix * vec(inside)``, of which only what is inside varies."""

    scale: tuple[Expr, ...]
    negative: bool
    below: tuple[Expr, ...]
    factor: Expr | None
    inside: Expr

    @staticmethod
    def of(term: Expr, d: str) -> VecTerm | None:
        parts = parts_of(term, [d])
        if parts is None or parts.core.kind not in (MATRIX, VECTOR):
            return None
        return VecTerm(parts.above, parts.sign < 0, parts.below, None, parts.core)

    def _scaled(self, whole: Expr) -> Expr:
        pairs = [*(("*", f) for f in self.scale), ("*", whole), *(("/", f) for f in self.below)]
        found = tidied(product(pairs))
        return negative(found) if self.negative else found

    @property
    def shown(self) -> Expr:
        inner = vec(self.inside)
        return self._scaled(inner if self.factor is None else times(self.factor, inner))

    @property
    def matrix(self) -> Expr | None:
        if self.factor is None:
            if not self.scale and not self.below:
                return negative(identity(vec(self.inside))) if self.negative else None
            return self._scaled(identity(vec(self.inside)))
        return self._scaled(self.factor)

    def done(self, d: str) -> bool:
        return self.inside.op == "name" and self.inside.value == d

    def _with(self, factor: Expr, inside: Expr) -> VecTerm:
        return self._replace(factor=factor if self.factor is None else times(self.factor, factor), inside=inside)

    def entrywise(self, d: str) -> VecTerm:
        """vec(U.*V) = diag(vec(U))*vec(V)."""
        inside = self.inside
        if inside.op != "product" or inside.kind != MATRIX:
            return self
        pairs = factors_of(inside)
        if any(o not in (".*", "./") for o, _ in pairs[1:]):
            return self
        place = next((k for k, (_, f) in enumerate(pairs) if varies(f, [d])), None)
        if place is None or pairs[place][0] == "./":
            return self
        rest = pairs[:place] + pairs[place + 1 :]
        if any(varies(f, [d]) for _, f in rest):
            return self
        if rest[0][0] == "./":
            rest = [("*", number(1)), *rest]
        others = vec(product(rest))
        if others.kind != VECTOR:
            return self
        return self._with(call("diag", others, type=Type(MATRIX, others.dims * 2)), pairs[place][1])

    def multiplied(self, d: str) -> VecTerm:
        """vec(A*X*B) = kron(B', A)*vec(X)."""
        chain = chain_of(self.inside)
        if chain is None or len(chain) < 2:
            return self
        places = [k for k, f in enumerate(chain) if varies(f, [d])]
        if len(places) != 1 or chain[places[0]].kind == SCALAR or any(f.kind == SCALAR for f in chain):
            return self
        (place,) = places
        inside, before, after = chain[place], chain[:place], chain[place + 1 :]
        left = times(*before) if before else call("eye", type=Type(MATRIX, inside.dims[:1] * 2))
        right = turned(times(*after)) if after else None
        if inside.kind == ROW:
            inside = transposed(inside)
            if not before or before[-1].kind == ROW:
                return self
            if right is None:
                right = call("eye", type=Type(MATRIX, inside.dims * 2))
        elif inside.kind == VECTOR:
            if right is None:
                return self._with(left, inside)
        elif right is None:
            right = call("eye", type=Type(MATRIX, inside.dims[1:] * 2))
        assert right is not None
        if left.kind == ROW or right.kind == SCALAR:
            return self
        return self._with(_kron(right, left), inside)

    def transposed(self, size: Callable[[Dim], Expr]) -> VecTerm:
        """vec(X') = K*vec(X)."""
        if self.inside.op != "transpose" or self.inside.kind != MATRIX:
            return self
        inside = self.inside.args[0]
        rows, cols = (size(dim) for dim in inside.dims)
        big = inside.dims[0] * inside.dims[1]
        commutation = call("commutation", rows, cols, type=Type(MATRIX, (big, big)))
        return self._with(commutation, inside)


def _kron(left: Expr, right: Expr) -> Expr:
    rows = left.dims[0] * right.dims[0]
    cols = left.dims[1] if left.kind == MATRIX else None
    more = right.dims[1] if right.kind == MATRIX else None
    if left.kind == ROW:
        rows, cols = right.dims[0], left.dims[0]
    wide = [c for c in (cols, more) if c is not None]
    if not wide:
        return call("kron", left, right, type=Type(VECTOR, (rows,)))
    whole = wide[0] if len(wide) == 1 else wide[0] * wide[1]
    return call("kron", left, right, type=Type(MATRIX, (rows, whole)))
