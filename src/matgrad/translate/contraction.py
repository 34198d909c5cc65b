"""A contraction network read as matrix notation: chains, traces, Hadamard products, diagonals, outer products.

Each operand is a piece: a chain of factors with one leg (a column) or two (a matrix). Pieces are joined
until every label is used up; what then is left over has no matrix form, and ``NoMatrixForm`` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

from matgrad.dims import Dim
from matgrad.formula.syntax import MATRIX, SCALAR_TYPE, VECTOR, Expr, Type
from matgrad.translate.algebra import call, cost, number, power, times, transposed
from matgrad.translate.entrywise import sum_over
from matgrad.translate.hadamard import TRIANGLES, elementwise
from matgrad.translate.terms import Ordering, chained


class NoMatrixForm(Exception):
    """The network has no form in matrix notation: index notation is what remains."""


class Factor(NamedTuple):
    """A vector or matrix and its transpose, each as it is best written."""

    straight: Expr
    turned: Expr

    def flip(self) -> Factor:
        return Factor(self.turned, self.straight)


class Piece(NamedTuple):
    factors: tuple[Factor, ...]
    legs: tuple[int, ...]

    def flip(self) -> Piece:
        """A matrix with its legs exchanged; for a column, the row."""
        return Piece(tuple(f.flip() for f in reversed(self.factors)), self.legs[::-1])

    def expr(self) -> Expr:
        return chained([f.straight for f in self.factors])


def self_transposed(expr: Expr) -> Factor:
    return Factor(expr, expr)


class Contraction:
    """The reading of one network; ``run`` gives the scalars and the chain of its value."""

    def __init__(
        self, pieces: Sequence[Piece], out: tuple[int, ...], sizes: Callable[[int], Dim], order: Ordering
    ) -> None:
        self.pieces = list(pieces)
        self.out = out
        self.sizes = sizes
        self.order = order
        self.scalars: list[Expr] = []
        self._on: dict[int, list[Piece]] | None = None

    def run(self) -> tuple[list[Expr], tuple[Expr, ...]]:
        joined = True
        while joined and not self._is_read():
            joined = False
            for step in _STEPS:
                if step(self):
                    joined = True
                    break
        chain = self._finish()
        return self.scalars, tuple(f.straight for f in chain)

    # -- bookkeeping

    def _is_read(self) -> bool:
        """Whether nothing is left to join: no pieces, or one on the axes of the result."""
        if len(self.pieces) != 1:
            return not self.pieces
        return self.pieces[0].legs == self.out and len(set(self.out)) == len(self.out)

    def count(self, label: int) -> int:
        return sum([p.legs.count(label) for p in self.at(label)]) + self.out.count(label)

    def at(self, label: int) -> list[Piece]:
        """The pieces with a leg of this label."""
        return self.by_label().get(label, [])

    def by_label(self) -> dict[int, list[Piece]]:
        """All labels of the pieces, each with the pieces on it."""
        if self._on is None:
            self._on = {}
            for piece in self.pieces:
                for x in dict.fromkeys(piece.legs):
                    self._on.setdefault(x, []).append(piece)
        return self._on

    def replace(self, old: Sequence[Piece], *new: Piece) -> None:
        for piece in old:
            self.pieces.remove(piece)
        self.pieces += new
        self._on = None

    # -- the end

    def _finish(self) -> tuple[Factor, ...]:
        if len(self.out) == 2 and self.out[0] == self.out[1]:
            return (self._diagonal(),)
        left = list(self.pieces)
        if not self.out:
            if left:
                raise NoMatrixForm
            return ()
        if len(self.out) == 1:
            if not left:
                return ()
            if len(left) == 1 and left[0].legs == self.out:
                return left[0].factors
            raise NoMatrixForm
        row, col = self.out
        if len(left) == 1 and len(left[0].legs) == 2 and set(left[0].legs) == {row, col}:
            return (left[0] if left[0].legs == (row, col) else left[0].flip()).factors
        if any(len(p.legs) != 1 for p in left) or len({p.legs for p in left}) != len(left):
            raise NoMatrixForm
        if not left:
            return ()
        columns = {p.legs[0]: p for p in left}
        if not set(columns) <= {row, col}:
            raise NoMatrixForm
        first = columns.get(row) or self._ones(row)
        second = columns.get(col) or self._ones(col)
        return first.factors + tuple(f.flip() for f in reversed(second.factors))

    def _ones(self, label: int) -> Piece:
        type_ = Type(VECTOR, (self.sizes(label),))
        ones = call("vector", number(1), type=type_)
        return Piece((Factor(ones, transposed(ones)),), (label,))

    def _diagonal(self) -> Factor:
        label = self.out[0]
        type_ = Type(MATRIX, (self.sizes(label),) * 2)
        if not self.pieces:
            return self_transposed(call("eye", type=type_))
        if len(self.pieces) != 1 or self.pieces[0].legs != (label,):
            raise NoMatrixForm
        return self_transposed(call("diag", self.pieces[0].expr(), type=type_))


# -- steps: each tries one way of joining pieces, and says whether it did ---------------------------


def _trace(c: Contraction) -> bool:
    """A chain that closes on itself is a trace; with another leg on the label, the diagonal."""
    for piece in c.pieces:
        if len(piece.legs) == 2 and piece.legs[0] == piece.legs[1]:
            label = piece.legs[0]
            if c.count(label) == 2:
                c.replace([piece])
                c.scalars.append(_best_trace(piece, c.order))
            else:
                type_ = Type(VECTOR, (c.sizes(label),))
                candidates = [p.expr() for p in (piece, piece.flip())]
                vector = call("diag", c.order.best(candidates), type=type_)
                c.replace([piece], Piece((Factor(vector, transposed(vector)),), (label,)))
            return True
    return False


def _best_trace(piece: Piece, order: Ordering) -> Expr:
    candidates = []
    for loop in (piece.factors, piece.flip().factors):
        for k in range(len(loop) if len(loop) <= 12 else 1):
            turned = loop[k:] + loop[:k]
            candidates.append(call("tr", chained([f.straight for f in turned]), type=SCALAR_TYPE))
    return order.best(candidates)


def _inner(c: Contraction) -> bool:
    """Two columns on a label that nothing else has: an inner product."""
    for label, found in c.by_label().items():
        if len(found) == 2 and label not in c.out and all(len(p.legs) == 1 for p in found):
            first, second = found
            c.replace(found)
            candidates = [
                chained([f.straight for f in (*a.flip().factors, *b.factors)])
                for a, b in ((first, second), (second, first))
            ]
            columns = [(first.expr(), second.expr()), (second.expr(), first.expr())]
            sums = [e for above, below in columns if (e := sum_over(above, below)) is not None]
            c.scalars.append(c.order.best([*sums, *candidates]))
            return True
    return False


def _absorb(c: Contraction) -> bool:
    """A matrix times a column, on a label that nothing else has."""
    for piece in c.pieces:
        if len(piece.legs) == 1:
            (label,) = piece.legs
            if label in c.out or c.count(label) != 2:
                continue
            (matrix,) = [p for p in c.at(label) if p is not piece] or [None]  # type: ignore[list-item]
            if matrix is None or len(matrix.legs) != 2:
                continue
            straight = matrix if matrix.legs[1] == label else matrix.flip()
            c.replace([piece, matrix], Piece(straight.factors + piece.factors, straight.legs[:1]))
            return True
    return False


def _chain(c: Contraction) -> bool:
    """A matrix times a matrix, on a label that nothing else has."""
    for label, found in c.by_label().items():
        if len(found) != 2 or label in c.out or c.count(label) != 2 or any(len(p.legs) != 2 for p in found):
            continue
        first, second = found
        if set(first.legs) == set(second.legs) and any(c.count(x) > 2 for x in first.legs):
            continue  # a Hadamard product or a diagonal: decided by the steps that know them
        left = first if first.legs[1] == label else first.flip()
        right = second if second.legs[0] == label else second.flip()
        c.replace(found, Piece(left.factors + right.factors, (left.legs[0], right.legs[1])))
        return True
    return False


def _hadamard_columns(c: Contraction) -> bool:
    """Several columns on one label: their elementwise product; one is kept for the inner product at the end."""
    joined = False
    for label, found in list(c.by_label().items()):
        columns = [p for p in found if len(p.legs) == 1]
        if len(columns) < 2:
            continue
        others = c.count(label) - len(columns)
        if not others:
            columns = sorted(columns, key=lambda p: c.order.rank(p.expr()))[:-1]
        if len(columns) > 1:
            c.replace(columns, hadamard(columns, (label,), c.order))
            joined = True
    return joined


def _hadamard_matrices(c: Contraction) -> bool:
    """Several matrices on the same two labels: their elementwise product."""
    for piece in c.pieces:
        if len(piece.legs) == 2 and piece.legs[0] != piece.legs[1]:
            same = [p for p in c.pieces if set(p.legs) == set(piece.legs) and len(p.legs) == 2]
            if len(same) > 1:
                legs = piece.legs
                if (
                    len(same) == 2
                    and any(x not in c.out and c.count(x) == 2 for x in legs)
                    and not _scales(c, legs, same)
                    and not _summed_entries(c, same)
                ):
                    return _contract_pair(c, same)
                turned = [p if p.legs == legs else p.flip() for p in same]
                c.replace(same, hadamard(turned, legs, c.order))
                return True
    return False


def _scales(c: Contraction, legs: tuple[int, ...], same: Sequence[Piece]) -> bool:
    """Whether the sum over one leg scales a matrix on the other: diag(sum(A.*B, dim=2))*C, not diag(diag(A*B'))*C."""
    return any(len(p.legs) == 2 for x in legs for p in c.at(x) if p not in same)


def _summed_entries(c: Contraction, same: Sequence[Piece]) -> bool:
    """Whether a vector of the result is sum(A.*B, dim=2) rather than diag(A*B'): the same axis first, no product."""
    first, second = same
    legs = {*first.legs}
    kept = legs & {*c.out}
    if len(kept) != 1 or c.count(*kept) != 3 or c.count(*(legs - kept)) != 2 or first.legs != second.legs:
        return False
    factors = [f for piece in same for f in piece.factors]
    return len(factors) == 2 and all(f.straight.op != "transpose" and f.straight != f.turned for f in factors)


def _contract_pair(c: Contraction, same: Sequence[Piece]) -> bool:
    """A_ij B_ij with i used up here: the diagonal of A'B."""
    first, second = same
    label = next(x for x in first.legs if x not in c.out and c.count(x) == 2)
    left = first if first.legs[1] == label else first.flip()
    right = second if second.legs[0] == label else second.flip()
    c.replace(same, Piece(left.factors + right.factors, (left.legs[0], right.legs[1])))
    return True


def hadamard(pieces: Sequence[Piece], legs: tuple[int, ...], order: Ordering) -> Piece:
    """The elementwise product of pieces with the same legs; divisions come last, masks take their argument."""
    straight = elementwise([p.expr() for p in pieces], order)
    turned = transposed(straight)
    if len(legs) == 1:
        return Piece((Factor(straight, turned),), legs)
    inside = elementwise([p.flip().expr() for p in pieces], order)
    masked = inside.op == "call" and inside.value.name in TRIANGLES
    if not masked or cost(inside) + 1 < cost(turned):  # triu(A*B, 1), but tril(A)'
        turned = order.best([inside, turned])
    return Piece((Factor(straight, turned),), legs)


def _summed(c: Contraction) -> bool:
    """A label that only one piece has is summed over."""
    for label, found in c.by_label().items():
        if label in c.out or c.count(label) != 1:
            continue
        (piece,) = found
        if len(piece.legs) == 1:
            c.replace([piece])
            c.scalars.append(c.order.best([call("sum", piece.expr(), type=SCALAR_TYPE), *_norms(piece.expr())]))
            return True
        row, col = piece.legs
        if c.count(row) == 1 and c.count(col) == 1 and row not in c.out and col not in c.out:
            c.replace([piece])
            candidates = [call("sum", p.expr(), type=SCALAR_TYPE) for p in (piece, piece.flip())]
            candidates += _norms(piece.expr())
            c.scalars.append(c.order.best(candidates))
            return True
        kept = row if label == col else col
        across = piece if label == col else piece.flip()
        ones = call("vector", number(1), type=Type(VECTOR, (c.sizes(label),)))
        candidates = [
            call("sum", across.expr(), type=Type(VECTOR, (c.sizes(kept),)), dim=2),
            times(*(f.straight for f in across.factors), ones),
            transposed(call("sum", across.flip().expr(), type=Type("row", (c.sizes(kept),)), dim=1)),
        ]
        if across.expr().op == "transpose":  # sum(X.^2, dim=1)', not sum((X.^2)', dim=2)
            candidates = candidates[::-1]
        *before, last = across.factors
        if before and last.straight.kind == MATRIX:  # A*sum(B, dim=2), not sum(A*B, dim=2)
            inner = call("sum", last.straight, type=Type(VECTOR, last.straight.dims[:1]), dim=2)
            candidates = [chained([*(f.straight for f in before), inner]), *candidates]
        straight, turned = c.order.best(candidates), c.order.best([transposed(e) for e in candidates])
        c.replace([piece], Piece((Factor(straight, turned),), (kept,)))
        return True
    return False


def _norms(expr: Expr) -> list[Expr]:
    """sum(abs(x)) and sum(x.^2) in other words: norm1(x), norm2(x)^2, and x'*x for a column."""
    if expr.op == "call" and expr.value.name == "abs":
        return [call("norm1", expr.args[0], type=SCALAR_TYPE)]
    if expr.op != "power" or expr.args[1].op != "number" or expr.args[1].value % 2:
        return []
    base = power(expr.args[0], expr.args[1].value / 2)
    found = [power(call("norm2", base, type=SCALAR_TYPE), Fraction(2))]
    chain = base.op == "product" and "*" in base.value  # norm2(A*x)^2, not (A*x)'*A*x
    return [*found, times(transposed(base), base)] if base.kind == VECTOR and not chain else found


def _scale(c: Contraction) -> bool:
    """A column on a label of a matrix that has still another use: the rows or columns are scaled.

    A matrix that is summed along its other label is so first: x.*sum(A, dim=2).
    """
    for piece in c.pieces:
        if len(piece.legs) != 1:
            continue
        (label,) = piece.legs
        matrices = [p for p in c.at(label) if len(p.legs) == 2 and not any(c.count(x) == 1 for x in p.legs)]
        if not matrices or c.count(label) > 3:
            continue
        matrix = matrices[0]
        straight = matrix if matrix.legs[1] == label else matrix.flip()
        type_ = Type(MATRIX, (c.sizes(label),) * 2)
        scaling = self_transposed(call("diag", piece.expr(), type=type_))
        c.replace([piece, matrix], Piece((*straight.factors, scaling), straight.legs))
        return True
    return False


_STEPS = (_trace, _inner, _absorb, _hadamard_columns, _chain, _hadamard_matrices, _scale, _summed)
