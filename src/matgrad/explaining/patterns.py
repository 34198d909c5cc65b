"""Linear maps of a vector through diag(dv) and sums along rows: diagonals of products, entrywise products with rows.

A rule looks at one term without its sign and scalars, and gives what it makes of it, or None.
"""

from __future__ import annotations

from collections.abc import Collection

from matgrad.explaining.terms import chain_of, parts_of
from matgrad.explaining.trees import factors_of, varies
from matgrad.formula.syntax import MATRIX, SCALAR_TYPE, VECTOR, Expr, Type
from matgrad.translate.algebra import call, product, times, transposed

Names = Collection[str]


def _is_varying_diagonal(expr: Expr, names: Names) -> bool:
    square = expr.op == "call" and expr.value.name == "diag" and expr.kind == MATRIX
    return square and expr.args[0].kind == VECTOR and varies(expr, names)


def _around_diagonal(factors: list[Expr], names: Names) -> tuple[list[Expr], Expr, list[Expr]] | None:
    """U, dv and W of U*diag(dv)*W, where only dv varies."""
    places = [k for k, f in enumerate(factors) if varies(f, names)]
    if len(places) != 1 or not _is_varying_diagonal(factors[places[0]], names):
        return None
    (place,) = places
    return factors[:place], factors[place].args[0], factors[place + 1 :]


def diagonal_of_product(term: Expr, names: Names) -> Expr | None:
    """diag(U*diag(dv)*W) = (U.*W')*dv."""
    parts = parts_of(term, names)
    if parts is None or parts.core.op != "call" or parts.core.value.name != "diag" or parts.core.kind != VECTOR:
        return None
    found = _around_diagonal(chain_of(parts.core.args[0]) or [], names)
    if found is None or not found[0] or not found[2]:
        return None
    left, dv, right = found
    return parts.around(times(product([("*", times(*left)), (".*", transposed(times(*right)))]), dv))


def rows_with_diagonal(term: Expr, names: Names) -> Expr | None:
    """sum(U.*(V*diag(dv)), dim=2) = (U.*V)*dv."""
    parts = parts_of(term, names)
    inner = _row_sum(parts.core) if parts is not None else None
    if parts is None or inner is None or inner.op != "product" or len(inner.args) != 2 or inner.value != (".*",):
        return None
    first, second = (f for _, f in factors_of(inner))
    for fixed, moving in ((first, second), (second, first)):
        found = _around_diagonal(chain_of(moving) or [], names)
        if not varies(fixed, names) and found is not None and found[0] and not found[2]:
            return parts.around(times(product([("*", fixed), (".*", times(*found[0]))]), found[1]))
    return None


def rows_of_product(term: Expr, names: Names) -> Expr | None:
    """sum(U*W, dim=2) = U*sum(W, dim=2), where W does not vary."""
    parts = parts_of(term, names)
    inner = _row_sum(parts.core) if parts is not None else None
    factors = chain_of(inner) if inner is not None else None
    if parts is None or not factors or len(factors) < 2 or factors[-1].kind != MATRIX or varies(factors[-1], names):
        return None
    total = call("sum", factors[-1], type=Type(VECTOR, factors[-1].dims[:1]), dim=2)
    return parts.around(times(*factors[:-1], total))


def diagonal_times(term: Expr, names: Names) -> Expr | None:
    """U*diag(dv)*w = U*diag(w)*dv."""
    parts = parts_of(term, names)
    found = _around_diagonal(chain_of(parts.core) or [], names) if parts is not None else None
    if parts is None or found is None or not found[2]:
        return None
    left, dv, right = found
    weights = times(*right)
    if weights.kind != VECTOR:
        return None
    diagonal = call("diag", weights, type=Type(MATRIX, weights.dims * 2))
    return parts.around(times(*left, diagonal, dv))


def _row_sum(core: Expr) -> Expr | None:
    """U of sum(U, dim=2)."""
    if core.op != "call" or core.value.name != "sum" or core.value.dim != 2 or core.args[0].type == SCALAR_TYPE:
        return None
    return core.args[0]
