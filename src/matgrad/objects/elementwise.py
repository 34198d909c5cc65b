"""Arithmetic and functions entry by entry, with NumPy's broadcasting."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from numbers import Integral

from matgrad.errors import MatgradError
from matgrad.formula.syntax import SCALAR, Expr, Type
from matgrad.objects.names import joined
from matgrad.objects.value import Value, broadcast, called, column, literal, one_axis_each, row
from matgrad.translate import algebra

Unary = Callable[[Value], Value]


def add(left: Value, right: Value) -> Value:
    """a + b; 0 + b is b, so that Python's own sum works."""
    if _is_number(left, 0):
        return _with_names(right, left)
    (a, b), axes, names = broadcast([left, right])
    terms = [term for e in (a, b) for term in (e.args if e.op == "add" else (e,))]
    return Value(Expr("add", tuple(terms), type=_type(a, b)), axes, names)


def subtract(left: Value, right: Value) -> Value:
    (a, b), axes, names = broadcast([left, right])
    first = a.args if a.op == "add" else (a,)
    return Value(Expr("add", (*first, algebra.negative(b)), type=_type(a, b)), axes, names)


def negative(value: Value) -> Value:
    return value.but(algebra.negative(value.expr), value.axes)


def multiply(left: Value, right: Value) -> Value:
    """a*b entry by entry: as c*x, x .* y, diag(c)*X, X*diag(r) or the outer product c*r', whatever it is."""
    if _is_number(left, 1):
        return _with_names(right, left)
    crossed = one_axis_each(left, right)
    if crossed is not None:
        return _crossed(*crossed)
    (a, b), axes, names = broadcast([left, right])
    operator = "*" if SCALAR in (a.kind, b.kind) else ".*"
    return Value(algebra.product([("*", a), (operator, b)]), axes, names)


def _crossed(left: Value, right: Value, first: int, second: int) -> Value:
    """(diag(c)*X)[i,j] = c[i]*X[i,j], (X*diag(r))[i,j] = X[i,j]*r[j], (c*r')[i,j] = c[i]*r[j]."""
    names = joined([left.names, right.names])
    if first == 2 or second == 2:
        matrix, vector, axis = (left, right, second) if first == 2 else (right, left, first)
        diagonal = called("diag", column(vector.expr), type=algebra.of_order(vector.expr.dims * 2))
        pair = (diagonal, matrix.expr) if axis == 0 else (matrix.expr, diagonal)
    else:
        down, across = (left, right) if first == 0 else (right, left)
        pair = (column(down.expr), row(across.expr))
    return Value(algebra.times(*pair), (0, 1), names)


def divide(left: Value, right: Value) -> Value:
    if one_axis_each(left, right) is not None:
        return multiply(left, reciprocal(right))
    (a, b), axes, names = broadcast([left, right])
    return Value(algebra.product([("*", a), ("/" if b.kind == SCALAR else "./", b)]), axes, names)


def reciprocal(value: Value) -> Value:
    return divide(literal(1), value)


def power(base: Value, exponent: Value) -> Value:
    """Entry by entry, as NumPy's ** is, of matrices too."""
    (a, p), axes, names = broadcast([base, exponent])
    operator = "^" if a.kind == p.kind == SCALAR else ".^"
    return Value(Expr("power", (a, p), operator, type=_type(a, p)), axes, names)


def applied(name: str) -> Unary:
    """A function of the language that acts on each entry."""

    def apply(value: Value) -> Value:
        return value.but(called(name, value.expr), value.axes)

    apply.__name__ = name
    return apply


def pairwise(name: str) -> Callable[[Value, Value], Value]:
    """A function of two numbers, entry by entry: the larger or the smaller, the angle, the length."""

    def apply(left: Value, right: Value) -> Value:
        (a, b), axes, names = broadcast([left, right])
        return Value(called(name, a, b, type=_type(a, b)), axes, names)

    apply.__name__ = name
    return apply


maximum, minimum = pairwise("max"), pairwise("min")
exp, log, sqrt, absolute, sign, step, softplus, log1p, normcdf, erf = map(
    applied, ("exp", "log", "sqrt", "abs", "sign", "step", "softplus", "log1p", "normcdf", "erf")
)


def polygamma(order: object, value: Value) -> Value:
    """A derivative of digamma: which one is a number."""
    if not isinstance(order, int | Integral) or order < 0:
        raise MatgradError(
            f"polygamma takes a whole number from 0 on, then an array, not {order!r}", hint="polygamma(1, x)"
        )
    return value.but(called("polygamma", literal(int(order)).expr, value.expr, type=value.expr.type), value.axes)


def square(value: Value) -> Value:
    return power(value, literal(2))


def logaddexp(left: Value, right: Value) -> Value:
    """log(exp(a) + exp(b)) = b + log(1 + exp(a - b)), which does not overflow."""
    return add(right, softplus(subtract(left, right)))


def log_base(base: int) -> Unary:
    return lambda value: divide(log(value), log(literal(base)))


def exp_base(base: int) -> Unary:
    return lambda value: power(literal(base), value)


def cbrt(value: Value) -> Value:
    """The real root, of negative numbers too: sign(x)*abs(x)^(1/3)."""
    return multiply(sign(value), power(absolute(value), literal(Fraction(1, 3))))


def heaviside(value: Value, at_zero: Value) -> Value:
    """step(x) + h*(1 - abs(sign(x))): 0 below 0, h at 0, 1 above."""
    if _is_number(at_zero, 0):
        return step(value)
    return add(step(value), multiply(at_zero, subtract(literal(1), absolute(sign(value)))))


def _is_number(value: Value, number: int) -> bool:
    return value.expr.op == "number" and value.expr.value == number and not value.axes


def _with_names(value: Value, other: Value) -> Value:
    return Value(value.expr, value.axes, joined([value.names, other.names]))


def _type(a: Expr, b: Expr) -> Type:
    found = b.type if a.kind == SCALAR else a.type
    assert found is not None
    return found
