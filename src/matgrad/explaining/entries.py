"""Rules for entrywise quotients and for diagonals: what a product of equal entries leaves.

A rule looks at one part of a formula and gives what it makes of it, or None.
"""

from __future__ import annotations

from matgrad.explaining.trees import factors_of
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, SCALAR_TYPE, VECTOR, Expr
from matgrad.translate.algebra import call, number, product, times, transposed


def flat(pairs: list[tuple[str, Expr]]) -> list[tuple[str, Expr]]:
    """Entrywise products inside of entrywise products, joined."""
    found: list[tuple[str, Expr]] = []
    for k, (operator, factor) in enumerate(pairs):
        inner = factor.op == "product" and all(o in (".*", "./") for o in factor.value)
        if inner and (operator == ".*" or k == 0):
            found += [(operator if j == 0 else o, f) for j, (o, f) in enumerate(factors_of(factor))]
        else:
            found.append((operator, factor))
    return found


def cancel_entrywise(expr: Expr) -> Expr | None:
    """(u./v).*v = u."""
    if expr.op != "product" or expr.kind == SCALAR or (not set(expr.value) & {"./"} and not _has_inner(expr)):
        return None
    pairs = flat(factors_of(expr))
    head = 0
    while head < len(pairs) and pairs[head][1].kind == SCALAR and pairs[head][1].op == "number":
        head += 1
    body = pairs[head:]
    if not body or any(o not in (".*", "./") for o, _ in body[1:]):
        return None
    for i, (o, f) in enumerate(body):
        if o == "./" and f.kind != SCALAR:
            for j, (other, g) in enumerate(body):
                over = other == ".*" or (j == 0 and (head == 0 or other == "*"))
                if j != i and over and g == f:
                    rest = [pair for k, pair in enumerate(body) if k not in (i, j)]
                    return _entrywise(pairs[:head], rest, expr)
    return None


def _has_inner(expr: Expr) -> bool:
    return any(f.op == "product" and "./" in f.value for f in expr.args)


def _entrywise(scalars: list[tuple[str, Expr]], rest: list[tuple[str, Expr]], like: Expr) -> Expr | None:
    if not rest or rest[0][0] == "./" or all(f.kind == SCALAR for _, f in rest):
        name = "vector" if like.kind == VECTOR else "matrix"
        if like.kind not in (VECTOR, MATRIX):
            return None
        rest = [("*", call(name, number(1), type=like.type or SCALAR_TYPE)), *rest]
        if len(rest) > 1 and rest[1][0] == "./":
            rest[0] = ("*", number(1))
    rest[0] = ("*", rest[0][1])
    return product([*scalars, *rest])


def diagonal_of_product(expr: Expr) -> Expr | None:
    """diag(U*(V./U)') = sum(V, dim=2): the rows of both meet, where that lets something cancel."""
    if expr.op != "call" or expr.value.name != "diag" or expr.kind != VECTOR or expr.args[0].op != "product":
        return None
    pairs = factors_of(expr.args[0])
    if len(pairs) != 2 or pairs[1][0] != "*" or any(f.kind != MATRIX for _, f in pairs):
        return None
    left, right = pairs[0][1], transposed(pairs[1][1])
    found = cancel_entrywise(product([("*", left), (".*", right)]))
    return None if found is None else call("sum", found, type=expr.type or SCALAR_TYPE, dim=2)


def diagonal_of_outer(expr: Expr) -> Expr | None:
    """diag(u*v') = u.*v."""
    if expr.op != "call" or expr.value.name != "diag" or expr.kind != VECTOR or expr.args[0].op != "product":
        return None
    pairs = factors_of(expr.args[0])
    if any(o != "*" or f.kind == SCALAR for o, f in pairs):
        return None
    factors = [f for _, f in pairs]
    for k in range(len(factors) - 1):
        if factors[k].kind == VECTOR and factors[k + 1].kind == ROW:
            right = times(*(transposed(f) for f in reversed(factors[k + 1 :])))
            return product([("*", times(*factors[: k + 1])), (".*", right)])
    return None


def diagonals(expr: Expr) -> Expr | None:
    """diag(u)*diag(v) = diag(u.*v)."""
    if expr.op != "product" or expr.kind == SCALAR:
        return None
    pairs = factors_of(expr)
    for k in range(len(pairs) - 1):
        left, right = pairs[k][1], pairs[k + 1][1]
        if pairs[k + 1][0] == "*" and _is_diagonal(left) and _is_diagonal(right):
            inner = product([("*", left.args[0]), (".*", right.args[0])])
            return product([*pairs[:k], (pairs[k][0], left.replace(args=(inner,))), *pairs[k + 2 :]])
    return None


def _is_diagonal(expr: Expr) -> bool:
    return expr.op == "call" and expr.value.name == "diag" and expr.kind == MATRIX and expr.args[0].kind == VECTOR


def diagonal_times(expr: Expr) -> Expr | None:
    """diag(u)*v = u.*v."""
    if expr.op != "product" or expr.kind != VECTOR:
        return None
    pairs = factors_of(expr)
    if len(pairs) < 2 or any(o != "*" for o, _ in pairs[-1:]):
        return None
    left, right = pairs[-2][1], pairs[-1][1]
    if left.op == "call" and left.value.name == "diag" and left.kind == MATRIX and left.args[0].kind == VECTOR:
        return product([*pairs[:-2], ("*", product([("*", left.args[0]), (".*", right)]))])
    return None
