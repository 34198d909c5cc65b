"""Helpers for the values on cards: right to the last digit for real input, and for a complex step.

A complex input here is ``x + ih·v`` with a step h as small as 1e-30: its imaginary part carries a derivative
and must keep its relative precision, which NumPy's own complex functions do not promise.
Nothing is imported: NumPy is the first argument, so cards stay importable without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Value = Callable[..., Any]


def lift(function: Value, slope: Value) -> Value:
    """Extend a real function to complex steps: f(a + ib) = f(a) + i·b·f′(a), exact to first order in b.

    Unlike NumPy's complex branch it leaves the domain of f as nan: log(-1 + 0j) is no number here.
    """

    def value(np: Any, x: Any) -> Any:
        x = np.asarray(x)
        if not np.iscomplexobj(x):
            return function(np, x)
        step = np.where(x.imag == 0, 0.0, x.imag * slope(np, x.real))  # 0·inf would be nan
        return _combine(np, function(np, x.real), step)

    return value


def lift_pair(function: Value, first: Value, second: Value) -> Value:
    """The same of a function of two numbers, with its derivatives in the first and in the second."""

    def value(np: Any, x: Any, y: Any) -> Any:
        x, y = np.asarray(x), np.asarray(y)
        if not (np.iscomplexobj(x) or np.iscomplexobj(y)):
            return function(np, x, y)
        real = (np.real(x), np.real(y))
        with np.errstate(all="ignore"):
            steps = [
                np.where(np.imag(z) == 0, 0.0, np.imag(z) * slope(np, *real)) for z, slope in ((x, first), (y, second))
            ]
        return _combine(np, function(np, *real), steps[0] + steps[1])

    return value


def _combine(np: Any, real: Any, imag: Any) -> Any:
    """``real + 1j*imag`` without the nan that 1j*inf brings along."""
    result = np.empty(np.shape(real), dtype=complex)
    result.real, result.imag = real, imag
    return result


def special(name: str) -> Value:
    """A function of scipy.special, imported when it is first called."""

    def call(np: Any, x: Any) -> Any:
        import scipy.special  # type: ignore[import-untyped, unused-ignore]

        return getattr(scipy.special, name)(x)

    return call


_log1p = lift(lambda np, x: np.log1p(x), lambda np, x: 1 / (1 + x))
_expm1 = lift(lambda np, x: np.expm1(x), lambda np, x: np.exp(x))


def top(np: Any, x: Any, axis: int | None, sign: int) -> Any:
    """The mask of the entries that attain the maximum (sign 1) or the minimum (-1), by real part."""
    real = sign * np.real(x)
    return real == np.max(real, axis=axis, keepdims=True)


def ties(np: Any, x: Any, axis: int | None, sign: int) -> Any:
    """``top`` divided by the number of ties, so that it sums to one."""
    mask = top(np, x, axis, sign)
    return mask / np.sum(mask, axis=axis, keepdims=True)


def extreme(np: Any, x: Any, y: Any, axis: int | None, sign: int) -> Any:
    """max or min over entries, or of two arguments entry by entry; the mean over ties carries the complex step."""
    if y is not None:
        return np.where((sign * np.real(x) > sign * np.real(y)) | np.isnan(x), x, y)  # what is undefined stays so
    mask = top(np, x, axis, sign)
    return np.sum(np.where(mask, x, 0), axis=axis) / np.sum(mask, axis=axis)


def logsumexp(np: Any, x: Any, axis: int | None) -> Any:
    """max + log1p(the rest), so that neither large entries nor small sums lose digits."""
    x = np.asarray(x)
    peak = np.max(x.real, axis=axis, keepdims=True)
    mask = top(np, x, axis, 1)
    order = np.cumsum(mask, axis=axis).reshape(x.shape)
    first = mask & (order == 1)
    rest = np.sum(np.where(first, _expm1(np, np.where(first, x - peak, 0)), np.exp(x - peak)), axis=axis)
    return np.squeeze(peak, axis=axis) + _log1p(np, rest)


def softmax(np: Any, x: Any, axis: int | None) -> Any:
    weights = np.exp(x - np.max(np.real(x), axis=axis, keepdims=True))
    return weights / np.sum(weights, axis=axis, keepdims=True)


def norm2(np: Any, x: Any, axis: int | None) -> Any:
    """√Σx² without conjugation, scaled against overflow; 0 at 0, with derivative 0."""
    x = np.asarray(x)
    scale = np.max(np.abs(x.real), axis=axis, keepdims=True)
    safe = np.where(scale == 0, 1.0, scale)
    squares = np.sum((x / safe) ** 2, axis=axis)
    peak = np.squeeze(scale, axis=axis)
    return np.where(peak == 0, 0.0, peak * np.sqrt(np.where(peak == 0, 1.0, squares)))


def logdet(np: Any, x: Any) -> Any:
    """log|det X|, continued analytically: the log of det X times the sign of its real part."""
    x = np.asarray(x)
    if x.ndim == 0:
        return np.log(x * np.sign(x.real))
    sign, log = np.linalg.slogdet(x)
    return log + np.log(sign * np.sign(sign.real)) if np.iscomplexobj(x) else log


def adjugate(np: Any, x: Any) -> Any:
    """adj(X) = det(X)·X⁻¹ where that exists, and right at singular matrices.

    Real: X = U·S·V′ gives det(U)det(V)·V·P·U′, with P the products of the other singular values. Complex: by
    cofactors, since a singular value decomposition would drown a complex step.
    """
    x = np.asarray(x)
    if x.ndim == 0:
        return np.ones((), dtype=x.dtype)
    size = x.shape[0]
    if np.iscomplexobj(x):
        minors = [[np.delete(np.delete(x, i, 0), j, 1) for i in range(size)] for j in range(size)]
        return np.array([[(-1) ** (i + j) * np.linalg.det(minor) for i, minor in enumerate(row)]
                         for j, row in enumerate(minors)])  # fmt: skip
    u, s, vt = np.linalg.svd(x)
    others = np.array([np.prod(np.delete(s, k)) for k in range(size)])
    return np.linalg.det(u) * np.linalg.det(vt) * (vt.T * others) @ u.T


def commutation(np: Any, m: int, n: int) -> Any:
    """K with vec(X') = K·vec(X) for every m × n matrix X, where vec stacks columns."""
    return np.eye(m * n)[np.arange(m * n).reshape(n, m).T.ravel()]
