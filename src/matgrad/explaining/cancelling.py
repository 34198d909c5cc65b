"""Rules that make a formula shorter: cancelling, identities and ones, sums of products, sigmoid and its complement.

A rule looks at one part of a formula and gives what it makes of it, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from matgrad.explaining.entries import (
    cancel_entrywise,
    diagonal_of_outer,
    diagonal_of_product,
    diagonal_times,
    diagonals,
    flat,
)
from matgrad.explaining.lines import Law
from matgrad.explaining.trees import expanded, factors_of
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, SCALAR_TYPE, VECTOR, Expr, Type
from matgrad.translate.algebra import addition, call, negative, number, power, product, times, transposed


class Rule(NamedTuple):
    law: Law
    apply: Callable[[Expr], Expr | None]


def _cancel_inner(expr: Expr) -> Expr | None:
    """(u./v)'*v = sum(u)."""
    if expr.op != "product":
        return None
    pairs = factors_of(expr)
    for k in range(len(pairs) - 1):
        row, column = pairs[k][1], pairs[k + 1][1]
        if row.kind != ROW or column.kind != VECTOR or pairs[k + 1][0] != "*" or row.op != "transpose":
            continue
        for u, v in ((row.args[0], column), (column, row.args[0])):
            whole = product([("*", u), (".*", v)])
            left = cancel_entrywise(whole)
            if left is not None:
                total = call("sum", left, type=SCALAR_TYPE)
                return product([*pairs[:k], (pairs[k][0], total), *pairs[k + 2 :]])
    return None


def _cancel_scalars(expr: Expr) -> Expr | None:
    """a*(b/a) = b."""
    if expr.op != "product":
        return None
    pairs = factors_of(expr)
    for i, (o, f) in enumerate(pairs):
        if o == "/" and f.op != "number":
            for j, (other, g) in enumerate(pairs):
                if j < i and (other == "*" or j == 0) and g == f:
                    rest = [pair for k, pair in enumerate(pairs) if k not in (i, j)]
                    if not rest or rest[0][0] in ("/", "./"):
                        rest = [("*", number(1)), *rest]
                    rest[0] = ("*", rest[0][1])
                    found = product(rest)
                    return found if found.kind == expr.kind else None
    return None


def _ones(expr: Expr) -> Expr | None:
    """ones'*u = sum(u), for numbers."""
    if expr.op != "product":
        return None
    pairs = factors_of(expr)
    for k in range(len(pairs) - 1):
        row, column = pairs[k][1], pairs[k + 1][1]
        if row.kind == ROW and column.kind == VECTOR and row.op == "transpose":
            inner = column if _is_ones(row.args[0]) else row.args[0] if _is_ones(column) else None
            if inner is not None:
                total = call("sum", inner, type=SCALAR_TYPE)
                return product([*pairs[:k], (pairs[k][0], total), *pairs[k + 2 :]])
    return None


def _ones_matrix(expr: Expr) -> Expr | None:
    """ones'*X = sum(X, dim=1), X*ones = sum(X, dim=2), for numbers."""
    if expr.op != "product":
        return None
    pairs = factors_of(expr)
    for k in range(len(pairs) - 1):
        left, right = pairs[k][1], pairs[k + 1][1]
        if pairs[k + 1][0] != "*":
            continue
        total = None
        if left.kind == ROW and right.kind == MATRIX and left.op == "transpose" and _is_ones(left.args[0]):
            total = call("sum", right, type=Type(ROW, right.dims[1:]), dim=1)
        elif left.kind == MATRIX and right.kind == VECTOR and _is_ones(right):
            total = call("sum", left, type=Type(VECTOR, left.dims[:1]), dim=2)
        if total is not None:
            return product([*pairs[:k], (pairs[k][0], total), *pairs[k + 2 :]])
    return None


def _sum_of_products(expr: Expr) -> Expr | None:
    """sum(u.*v) = u'*v, for numbers."""
    if expr.op != "call" or expr.value.name != "sum" or expr.value.dim is not None or expr.args[0].kind != VECTOR:
        return None
    inner = expr.args[0]
    if inner.op != "product" or len(inner.args) != 2 or inner.value != (".*",):
        return None
    u, v = inner.args
    return times(transposed(u), v) if u.kind == v.kind == VECTOR else None


def _is_ones(expr: Expr) -> bool:
    return expr.op == "call" and expr.value.name in ("vector", "matrix") and expr.args[0] == number(1)


def _entrywise_ones(expr: Expr) -> Expr | None:
    """u.*ones = u."""
    if expr.op != "product" or expr.kind == SCALAR:
        return None
    pairs = factors_of(expr)
    kept = [pair for k, pair in enumerate(pairs) if not (pair[0] == ".*" and k and _is_ones(pair[1]))]
    if len(kept) == len(pairs):
        return None
    found = product(kept)
    return found if found.kind == expr.kind else None


def _inverse(expr: Expr) -> Expr | None:
    """inv(A)*A = eye, dropped next to other factors."""
    if expr.op != "product":
        return None
    pairs = factors_of(expr)
    for k in range(len(pairs) - 1):
        a, b = pairs[k][1], pairs[k + 1][1]
        if pairs[k + 1][0] == "*" and a.kind == b.kind == MATRIX and (_inverts(a, b) or _inverts(b, a)):
            rest = [*pairs[:k], *pairs[k + 2 :]]
            if not any(f.kind != SCALAR for _, f in rest):
                eye = call("eye", type=a.type or Type(MATRIX, ()))
                rest = [*rest[:k], ("*", eye), *rest[k:]]
            found = product(rest)
            return found if found.kind == expr.kind else None
    return None


def _inverts(left: Expr, right: Expr) -> bool:
    if left.op == "transpose" and right.op == "transpose":
        left, right = left.args[0], right.args[0]
    return left.op == "call" and left.value.name == "inv" and left.args[0] == right


def _identity(expr: Expr) -> Expr | None:
    """eye*A = A."""
    if expr.op != "product":
        return None
    pairs = factors_of(expr)
    for k, (operator, factor) in enumerate(pairs):
        if factor.op != "call" or factor.value.name != "eye":
            continue
        before = k and operator == "*" and pairs[k - 1][1].kind in (MATRIX, ROW)
        after = k + 1 < len(pairs) and pairs[k + 1][0] == "*" and pairs[k + 1][1].kind in (MATRIX, VECTOR)
        if before or after:
            found = product([*pairs[:k], *pairs[k + 1 :]])
            return found if found.kind == expr.kind else None
    return None


def _outer_ones(expr: Expr) -> Expr | None:
    """ones*ones' = ones, a matrix."""
    if expr.op != "product":
        return None
    pairs = factors_of(expr)
    for k in range(len(pairs) - 1):
        left, right = pairs[k][1], pairs[k + 1][1]
        if right.op == "transpose" and left.kind == VECTOR and _is_ones(left) and _is_ones(right.args[0]):
            both = call("matrix", number(1), type=Type(MATRIX, (*left.dims, *right.dims)))
            return product([*pairs[:k], (pairs[k][0], both), *pairs[k + 2 :]])
    return None


def _trace_of_sum(expr: Expr) -> Expr | None:
    """tr(U + V) = tr(U) + tr(V)."""
    if expr.op != "call" or expr.value.name != "tr" or expr.args[0].op not in ("add", "product"):
        return None
    inner = expanded(expr.args[0], None)
    if inner.op != "add":
        return None
    traces = [call("tr", a.args[0] if a.op == "neg" else a, type=SCALAR_TYPE) for a in inner.args]
    return addition([negative(t) if a.op == "neg" else t for t, a in zip(traces, inner.args, strict=True)])


def _trace_of_outer(expr: Expr) -> Expr | None:
    """tr(A*u*v'*B) = v'*B*A*u."""
    if expr.op != "call" or expr.value.name != "tr" or expr.args[0].op != "product":
        return None
    pairs = factors_of(expr.args[0])
    if any(o != "*" for o, _ in pairs) or any(f.kind == SCALAR for _, f in pairs):
        return None
    factors = [f for _, f in pairs]
    for k in range(len(factors) - 1):
        if factors[k].kind == VECTOR and factors[k + 1].kind == ROW:
            return times(*factors[k + 1 :], *factors[: k + 1])
    return None


def _average(expr: Expr) -> Expr | None:
    """sum(u)/n = mean(u), where n is the number of entries."""
    if expr.op != "product":
        return None
    pairs = factors_of(expr)
    for i, (_, f) in enumerate(pairs):
        if f.op != "call" or f.value.name != "sum" or f.value.dim is not None or f.args[0].kind != VECTOR:
            continue
        (size,) = f.args[0].dims
        for j, (operator, g) in enumerate(pairs):
            counts = g.op == "name" and g.value == str(size) and g.kind == SCALAR
            counts |= g.op == "call" and g.value.name == "length" and g.args[0].dims == (size,)
            if operator == "/" and counts:
                mean = call("mean", f.args[0], type=SCALAR_TYPE)
                return product([(o, mean if k == i else h) for k, (o, h) in enumerate(pairs) if k != j])
    return None


def _squared_norm(expr: Expr) -> Expr | None:
    """u'*u = norm2(u)^2."""
    if expr.op != "product":
        return None
    pairs = factors_of(expr)
    for k in range(len(pairs) - 1):
        row, column = pairs[k][1], pairs[k + 1][1]
        if row.kind == ROW and column.kind == VECTOR and transposed(row) == column:
            square = power(call("norm2", column, type=SCALAR_TYPE), number(2).value)
            return product([*pairs[:k], (pairs[k][0], square), *pairs[k + 2 :]])
    return None


def _squared_frobenius(expr: Expr) -> Expr | None:
    """tr(U'*U) = normF(U)^2."""
    if expr.op != "call" or expr.value.name != "tr" or expr.args[0].op != "product":
        return None
    pairs = factors_of(expr.args[0])
    if len(pairs) != 2 or pairs[1][0] != "*" or any(f.kind != MATRIX for _, f in pairs):
        return None
    left, right = pairs[0][1], pairs[1][1]
    if transposed(left) != right:
        return None
    return power(call("normF", right if left.op == "transpose" else left, type=SCALAR_TYPE), number(2).value)


def _distribute(expr: Expr) -> Expr | None:
    """(u./v + w).*v = u + w.*v: a sum is multiplied out where that lets something cancel."""
    if expr.op != "product" or expr.kind == SCALAR or any(o not in (".*", "./") for o in expr.value):
        return None
    pairs = flat(factors_of(expr))
    for k, (operator, factor) in enumerate(pairs):
        if factor.op != "add" or operator == "./" or factor.kind == SCALAR:
            continue
        others = pairs[:k] + pairs[k + 1 :]
        above = [f for o, f in others if o != "./"]
        terms = [term.args[0] if term.op == "neg" else term for term in factor.args]
        below = [f for term in terms for o, f in factors_of(term) if o == "./"]
        if any(f in below for f in above):
            return factor.replace(args=tuple(_beside(pairs[:k], term, pairs[k + 1 :]) for term in factor.args))
    return None


def _beside(before: list[tuple[str, Expr]], term: Expr, after: list[tuple[str, Expr]]) -> Expr:
    if term.op == "neg":
        return negative(_beside(before, term.args[0], after))
    return product([*before, (".*", term), *after])


def _sigmoid(expr: Expr) -> Expr | None:
    """exp(a)/(1 + exp(a)) = sigmoid(a)."""
    if expr.op != "product":
        return None
    pairs = factors_of(expr)
    for i, (o, f) in enumerate(pairs):
        exponent = _one_plus_exp(f) if o in ("/", "./") else None
        for j, (other, g) in enumerate(pairs):
            if exponent is not None and other not in ("/", "./") and g == exponent:
                soft = call("sigmoid", g.args[0], type=g.type or SCALAR_TYPE)
                return product([(p, soft if k == j else h) for k, (p, h) in enumerate(pairs) if k != i])
    return None


def _one_plus_exp(expr: Expr) -> Expr | None:
    if expr.op != "add" or len(expr.args) != 2 or not any(a == number(1) or _is_ones(a) for a in expr.args):
        return None
    return next((a for a in expr.args if a.op == "call" and a.value.name == "exp"), None)


def _complement(expr: Expr) -> Expr | None:
    """1 - sigmoid(z) = sigmoid(-z)."""
    if expr.op != "add" or len(expr.args) != 2 or expr.args[0] != number(1) or expr.args[1].op != "neg":
        return None
    inner = expr.args[1].args[0]
    if inner.op != "call" or inner.value.name != "sigmoid":
        return None
    return inner.replace(args=(negative(inner.args[0]),))


RULES = (
    Rule(Law("cancel", "u.*(v./u) = v", "entry by entry"), cancel_entrywise),
    Rule(Law("multiply out", "(u + v).*w = u.*w + v.*w", "the product is distributive"), _distribute),
    Rule(
        Law("cancel in a diagonal", "diag(U*(V./U)') = sum(V, dim=2)", "a diagonal entry adds up U[i,j]*(V./U)[i,j]"),
        diagonal_of_product,
    ),
    Rule(Law("cancel in an inner product", "(v./u)'*u = sum(v)", "entry by entry"), _cancel_inner),
    Rule(Law("cancel", "a*(b/a) = b", "the factor is not 0"), _cancel_scalars),
    Rule(Law("a factor of ones", "u.*vector(1) = u", "entry by entry"), _entrywise_ones),
    Rule(Law("an inverse and its matrix cancel", "inv(U)*U = eye", "the definition of the inverse"), _inverse),
    Rule(Law("a factor of the identity", "eye*U = U", "the definition of the identity"), _identity),
)
"""Those that always help."""

LATE = (
    *RULES,
    Rule(Law("an inner product with ones", "vector(1)'*u = sum(u)", "the definition of the inner product"), _ones),
    Rule(Law("a product with ones", "vector(1)'*U = sum(U, dim=1)", "each column is added up"), _ones_matrix),
    Rule(Law("a sum of products", "sum(u.*v) = u'*v", "the definition of the inner product"), _sum_of_products),
    Rule(Law("the definition of mean", "sum(u)/n = mean(u)", "n is the number of entries"), _average),
    Rule(Law("ones times ones", "vector(1)*vector(1)' = matrix(1)", "all entries are 1"), _outer_ones),
    Rule(Law("the trace is linear", "tr(U + V) = tr(U) + tr(V)", "diagonals are added"), _trace_of_sum),
    Rule(Law("the trace of an outer product", "tr(u*v') = v'*u", "cyclic permutation"), _trace_of_outer),
    Rule(Law("the diagonal of an outer product", "diag(u*v') = u.*v", "entry by entry"), diagonal_of_outer),
    Rule(Law("a product of diagonal matrices", "diag(u)*diag(v) = diag(u.*v)", "entry by entry"), diagonals),
    Rule(Law("a diagonal matrix times a vector", "diag(u)*v = u.*v", "entry by entry"), diagonal_times),
    Rule(Law("a vector times itself", "u'*u = norm2(u)^2", "the definition of the norm"), _squared_norm),
    Rule(Law("the definition of the Frobenius norm", "tr(U'*U) = normF(U)^2", "both add up the squares of U"),
         _squared_frobenius),
    Rule(Law("the definition of sigmoid", "exp(a)/(1 + exp(a)) = sigmoid(a)", "both are 1/(1 + exp(-a))"), _sigmoid),
    Rule(Law("the complement of sigmoid", "1 - sigmoid(a) = sigmoid(-a)", "1/(1 + exp(-a)) + 1/(1 + exp(a)) = 1"),
         _complement),
)  # fmt: skip
"""Those that lead to the words of an answer."""
