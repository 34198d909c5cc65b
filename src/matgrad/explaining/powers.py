"""Laws for X^k with a symbolic k, in traces and determinants: d(X^k) itself is a sum of k terms."""

from __future__ import annotations

from collections.abc import Callable

from matgrad.explaining.lines import Law
from matgrad.explaining.trees import pending
from matgrad.formula.syntax import MATRIX, SCALAR, SCALAR_TYPE, Expr
from matgrad.translate.algebra import addition, call, number, product, times

TRACE_OF_POWER = Law(
    "differential of the trace of a power",
    "d(tr(U^k)) = k*tr(U^(k - 1)*d(U))",
    "a trace is cyclic, so the k terms of the product rule are equal",
)
DET_OF_POWER = Law("determinant of a power", "det(U^k) = det(U)^k", "det(U*V) = det(U)*det(V)")
LOGDET_OF_POWER = Law("determinant of a power", "logdet(U^k) = k*logdet(U)", "det(U*V) = det(U)*det(V)")
ONE_BASE = Law("powers of one matrix", "U^k*U^m = U^(k + m)", "the product is associative")


def is_symbolic_power(expr: Expr) -> bool:
    """X^k with an exponent that is no number."""
    if expr.op != "power" or expr.value != "^" or expr.args[0].kind != MATRIX:
        return False
    exponent = expr.args[1]
    return (exponent.args[0] if exponent.op == "neg" else exponent).op != "number"


def of_power(expr: Expr, varies: Callable[[Expr], bool], d: Callable[[Expr], Expr]) -> tuple[Law | None, Expr] | None:
    """d of tr(X^k), det(X^k) and logdet(X^k), and of traces of sums and multiples of such powers; None of others."""
    name = expr.value.name
    if name not in ("tr", "det", "logdet"):
        return None
    u = expr.args[0]
    if is_symbolic_power(u):
        base, exponent = u.args
        if name == "tr":
            below = u.replace(args=(base, addition([exponent, number(-1)])))
            return TRACE_OF_POWER, times(exponent, call("tr", times(below, d(base)), type=SCALAR_TYPE))
        inner = call(name, base, type=SCALAR_TYPE)
        if name == "logdet":
            return LOGDET_OF_POWER, pending(times(exponent, inner))
        return DET_OF_POWER, pending(Expr("power", (inner, exponent), "^", type=SCALAR_TYPE))
    if name != "tr":
        return None
    if u.op == "add" and any(_has_power(arg) and varies(arg) for arg in u.args):
        return None, addition([pending(call("tr", arg, type=SCALAR_TYPE)) for arg in u.args if varies(arg)])
    if u.op == "product" and set(u.value) == {"*"} and _has_power(u):
        return _of_product(u)
    return None


def _has_power(expr: Expr) -> bool:
    return is_symbolic_power(expr) or (expr.op == "product" and any(map(is_symbolic_power, expr.args)))


def _of_product(u: Expr) -> tuple[Law | None, Expr] | None:
    """tr(c*X^k) = c*tr(X^k) and tr(X*X^k) = tr(X^(k + 1))."""
    scalars = [arg for arg in u.args if arg.kind == SCALAR]
    matrices = [arg for arg in u.args if arg.kind != SCALAR]
    if scalars:
        inner = call("tr", product([("*", arg) for arg in matrices]), type=SCALAR_TYPE)
        return None, pending(times(*scalars, inner))
    bases = {arg.args[0] if is_symbolic_power(arg) else arg for arg in matrices}
    if len(bases) > 1:
        return None
    (base,) = bases
    exponents = [arg.args[1] if is_symbolic_power(arg) else number(1) for arg in matrices]
    whole = Expr("power", (base, addition(exponents)), "^", type=base.type)
    return ONE_BASE, pending(call("tr", whole, type=SCALAR_TYPE))
