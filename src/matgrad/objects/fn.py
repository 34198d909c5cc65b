"""Functions that NumPy lacks, or that cannot be called on objects: of arrays of numbers they give numbers.

>>> import matgrad
>>> from matgrad import fn
>>> fn.softmax(matgrad.vector("x", "n"))
<softmax(x): shape (n,)>
>>> fn.relu([-1.0, 2.0])
array([0., 2.])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from matgrad.functions import card
from matgrad.objects import elementwise, reductions, shaping
from matgrad.objects.array import Array, wrapped
from matgrad.objects.comparison import Test
from matgrad.objects.inputs import as_value
from matgrad.objects.value import Value, literal, shape_text  # noqa: F401


def _is_object(given: Any) -> bool:
    return isinstance(given, Value | Test)


def _elementwise(name: str) -> Callable[[Any], Any]:
    entry = card(name)
    assert entry is not None
    value = entry.value
    assert value is not None

    def apply(x: Any) -> Any:
        if _is_object(x):
            return wrapped(elementwise.applied(name)(as_value(x)))
        return value(np, np.asarray(x, dtype=float))

    apply.__name__ = name
    apply.__doc__ = f"{entry.because[0].upper()}{entry.because[1:]}."
    return apply


relu = _elementwise("relu")
gelu = _elementwise("gelu")
step = _elementwise("step")
sigmoid = _elementwise("sigmoid")
softplus = _elementwise("softplus")
erf = _elementwise("erf")
erfc = _elementwise("erfc")
silu = _elementwise("silu")
normcdf = _elementwise("normcdf")
normpdf = _elementwise("normpdf")
lgamma = _elementwise("lgamma")
digamma = _elementwise("digamma")


def polygamma(k: int, x: Any) -> Any:
    """The k-th derivative of digamma: scipy.special.polygamma, which cannot be called on objects.

    >>> import matgrad
    >>> polygamma(1, matgrad.vector("x", "n"))
    <polygamma(1, x): shape (n,)>
    """
    if _is_object(x):
        return wrapped(elementwise.polygamma(k, as_value(x)))
    from scipy.special import polygamma as numbers

    return numbers(k, x)


def softmax(x: Any, axis: Any = None) -> Any:
    """exp(x)/sum(exp(x)), the sum over all entries or along an axis: scipy.special.softmax."""
    if _is_object(x):
        return wrapped(reductions.softmax(as_value(x), axis))
    from scipy.special import softmax as numbers

    return numbers(x, axis)


def logsumexp(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """log(sum(exp(x))): scipy.special.logsumexp."""
    if _is_object(x):
        return wrapped(reductions.reduce("logsumexp", as_value(x), axis, keepdims))
    from scipy.special import logsumexp as numbers

    return numbers(x, axis, keepdims=keepdims)


def log_softmax(x: Any, axis: Any = None) -> Any:
    """x - logsumexp(x): scipy.special.log_softmax."""
    if _is_object(x):
        value = as_value(x)
        return wrapped(elementwise.subtract(value, reductions.reduce("logsumexp", value, axis, True)))
    from scipy.special import log_softmax as numbers

    return numbers(x, axis)


def logdet(x: Any) -> Any:
    """log|det X|: the second result of np.linalg.slogdet."""
    return np.linalg.slogdet(x)[1]


def vec(x: Any) -> Any:
    """The columns, stacked: X.ravel(order="F")."""
    return np.ravel(x, order="F")


def ones(*sizes: Any) -> Array:
    """A vector or a matrix of ones, of sizes that are names, numbers or entries of a shape.

    >>> ones("n")
    <ones(n): shape (n,)>
    """
    found: Array = wrapped(shaping.full(sizes, 1))
    return found


def zeros(*sizes: Any) -> Array:
    """A vector or a matrix of zeros."""
    found: Array = wrapped(shaping.full(sizes, 0))
    return found


def eye(size: Any) -> Array:
    """The identity matrix."""
    found: Array = wrapped(shaping.identity(size))
    return found
