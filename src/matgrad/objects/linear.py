"""Products, traces, inverses and other functions of matrices."""

from __future__ import annotations

from collections.abc import Sequence

from matgrad.errors import NotSupported
from matgrad.formula.kinds import constant_value
from matgrad.formula.syntax import SCALAR_TYPE, Expr
from matgrad.objects.elementwise import multiply, sign
from matgrad.objects.names import joined
from matgrad.objects.value import (
    Value,
    as_matrix,
    called,
    clash,
    column,
    from_matrix,
    kind_of_product,
    squeezed,
    transposed,
)
from matgrad.translate import algebra
from matgrad.translate.algebra import of_order, product


def transpose(value: Value) -> Value:
    """The axes in reverse order: of a vector, itself."""
    return permuted(value, range(len(value.axes))[::-1])


def permuted(value: Value, order: Sequence[int]) -> Value:
    """The axes in this order. Those that the formula has stay in theirs, or change places in it."""
    axes = [value.axes[k] for k in order]
    own = [axis for axis in axes if axis is not None]
    if own == sorted(own):
        return value.but(value.expr, tuple(axes))
    if value.order > 2:
        raise NotSupported("an array of three axes cannot be transposed", hint='np.einsum("ijk->kji", T)')
    return value.but(transposed(value.expr), tuple(None if axis is None else 1 - axis for axis in axes))


def matmul(left: Value, right: Value) -> Value:
    """NumPy's ``@``: the last axis of the first with the last but one of the second; a vector is a row on the left."""
    if not left.axes or not right.axes:
        raise clash("@ takes vectors and matrices, not numbers", left, right, hint="c*x")
    _at_most_two("@", left, right)
    names = joined([left.names, right.names])
    outer = (len(left.axes) == 2, len(right.axes) == 2)
    a = left if outer[0] else left.but(left.expr, (None, *left.axes))
    b = right if outer[1] else right.but(right.expr, (*right.axes, None))
    if a.sizes[1] != b.sizes[0]:
        hint = _transposes_that_fit(left, right)
        raise clash(f"these cannot be multiplied: {a.sizes[1]} and {b.sizes[0]} differ", left, right, hint=hint)
    if (a.axes[1] is None) != (b.axes[0] is None):
        a, b = squeezed(a, [1]), squeezed(b, [0])
    found = from_matrix(_product(as_matrix(a), as_matrix(b)), names)
    keep = [k for k in (0, 1) if outer[k]]
    if keep != [0, 1]:
        found = squeezed(found, [k for k in (0, 1) if k not in keep])
    return found.but(found.expr, tuple(found.axes[k] for k in keep))


def _product(left: Expr, right: Expr) -> Expr:
    return product([("*", left), ("*", right)])


def _transposes_that_fit(left: Value, right: Value) -> str | None:
    if len(left.axes) == 2 and left.sizes[0] == right.sizes[0]:
        return "A.T @ B, A being the first and B the second"
    if len(right.axes) == 2 and left.sizes[-1] == right.sizes[1]:
        return "A @ B.T, A being the first and B the second"
    return None


def dot(left: Value, right: Value) -> Value:
    """NumPy's dot is its matmul up to two axes, and pairs the axes otherwise beyond."""
    _at_most_two("np.dot", left, right)
    return matmul(left, right) if left.axes and right.axes else multiply(left, right)


def inner(left: Value, right: Value) -> Value:
    """Sums over the last axis of both; with a number, a product."""
    return dot(left, transpose(right) if left.axes else right)


def outer(left: Value, right: Value) -> Value:
    """x*y'. NumPy flattens its arguments, so they are vectors here."""
    if len(left.axes) != 1 or len(right.axes) != 1:
        raise clash("np.outer takes two vectors", left, right, hint="np.outer(X.ravel(), Y.ravel())")
    return matmul(left.but(left.expr, (*left.axes, None)), right.but(right.expr, (None, *right.axes)))


def kron(left: Value, right: Value) -> Value:
    """All products of entries, in blocks. Where one is a vector and the other a matrix, the vector is a row."""
    _at_most_two("np.kron", left, right)
    count = max(len(left.axes), len(right.axes))
    if not left.order or not right.order:
        scalars = multiply(left.but(left.expr, left.axes if left.order else ()),
                           right.but(right.expr, right.axes if right.order else ()))  # fmt: skip
        return scalars.but(scalars.expr, (None,) * (count - len(scalars.axes)) + scalars.axes)
    names = joined([left.names, right.names])
    if count == 1:
        a, b = column(left.expr), column(right.expr)
        return Value(Expr("product", (a, b), ("⊗",), type=kind_of_product(a, "⊗", b)), (0,), names)
    a, b = (as_matrix(v.but(v.expr, (None,) * (2 - len(v.axes)) + v.axes)) for v in (left, right))
    return from_matrix(Expr("product", (a, b), ("⊗",), type=kind_of_product(a, "⊗", b)), names)


def matrix(value: Value, what: str) -> Expr:
    """The formula of a matrix; other arrays are refused."""
    if value.axes != (0, 1):
        raise clash(f"{what} takes a matrix", value)
    return value.expr


def square_matrix(value: Value, what: str) -> Expr:
    expr = matrix(value, what)
    if expr.dims[0] != expr.dims[1]:
        raise clash(f"{what} takes a square matrix", value)
    return expr


def trace(value: Value) -> Value:
    expr = square_matrix(value, "the trace")
    return value.but(called("tr", expr, type=SCALAR_TYPE))


def inverse(value: Value) -> Value:
    return value.but(called("inv", square_matrix(value, "the inverse")))


def determinant(value: Value) -> Value:
    return value.but(called("det", square_matrix(value, "the determinant"), type=SCALAR_TYPE))


def logdet(value: Value) -> Value:
    """log|det X|."""
    return value.but(called("logdet", square_matrix(value, "logdet"), type=SCALAR_TYPE))


def slogdet(value: Value) -> tuple[Value, Value]:
    """The sign of the determinant, and the logarithm of its absolute value."""
    return sign(determinant(value)), logdet(value)


def solve(matrix: Value, right: Value) -> Value:
    """inv(A)*b."""
    return matmul(inverse(matrix), right)


MAX_POWER = 64


def matrix_power(value: Value, exponent: int) -> Value:
    expr = square_matrix(value, "a power")
    if abs(exponent) > MAX_POWER:
        raise NotSupported(f"the powers of a matrix go up to {MAX_POWER}, not {exponent}")
    if exponent == 0:
        return value.but(called("eye", called("rows", expr, type=SCALAR_TYPE), type=expr.type))
    if exponent == 1:
        return value
    base = expr if exponent > 0 else inverse(value).expr
    if abs(exponent) == 1:
        return value.but(base)
    number = Expr("number", value=abs(exponent) + 0, type=SCALAR_TYPE)
    return value.but(Expr("power", (base, number), "^", type=expr.type))


def symbolic_power(value: Value, exponent: Value) -> Value:
    """X^k for a k that stands for an integer."""
    if exponent.axes:
        raise clash("the exponent of a matrix is a scalar", value, exponent)
    if constant_value(exponent.expr) is not None:
        raise NotSupported("a matrix has only whole powers", hint="X**p, entry by entry")
    expr = square_matrix(value, "a power")
    names = joined([value.names, exponent.names])
    return Value(Expr("power", (expr, exponent.expr), "^", type=expr.type), None, names)


def multi_dot(values: Sequence[Value]) -> Value:
    total = values[0]
    for value in values[1:]:
        total = dot(total, value)
    return total


# -- diagonals, triangles, vec


def diag(value: Value) -> Value:
    """A vector on the diagonal, or the diagonal of a square matrix."""
    if len(value.axes) == 1 and value.order == 1:
        return value.but(called("diag", column(value.expr), type=of_order(value.expr.dims * 2)))
    return diagonal(value)


def diagonal(value: Value) -> Value:
    expr = square_matrix(value, "the diagonal")
    return value.but(called("diag", expr, type=of_order(expr.dims[:1])))


def triangle(name: str, value: Value, offset: int = 0) -> Value:
    """``tril`` or ``triu``, up to the diagonal with this offset or from it on."""
    return value.but(algebra.triangle(name, matrix(value, name), offset))


def ravel(value: Value, order: str = "C") -> Value:
    """All entries as a vector: NumPy's order C reads row by row, which is vec(X'); F stacks the columns, vec(X)."""
    if order not in ("C", "F"):
        raise NotSupported(f"the order {order!r} of an array in memory is not known", hint='order="C" or order="F"')
    if value.order > 2:
        raise NotSupported("an array of three axes cannot be flattened")
    if value.order < 2:
        return value.but(value.expr, (0,) if value.order else (None,))
    expr = value.expr if order == "F" else transposed(value.expr)
    return value.but(called("vec", expr, type=of_order((expr.dims[0] * expr.dims[1],))), (0,))


def vec(value: Value) -> Value:
    return ravel(value, "F")


def _at_most_two(what: str, *values: Value) -> None:
    if any(len(v.axes) > 2 for v in values):
        raise NotSupported(f"{what} of three axes or more is not supported", hint='np.einsum("ijk,kl->ijl", T, A)')
