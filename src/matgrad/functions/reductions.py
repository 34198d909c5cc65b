"""Reductions over all entries, or along ``dim``; in a differential, ``sum`` runs over the axes reduced."""

from __future__ import annotations

from matgrad.functions import numeric
from matgrad.functions.card import Card

OVER = {None: ("*->",), 1: ("ij->j'",), 2: ("ij->i",)}
OVER_OR_PAIR = {**OVER, None: ("*->", "*,*->*")}
WITHIN = {None: ("*->*",), 1: ("ij->ij",), 2: ("ij->ij",)}

_UNIQUE = "the maximum is unique"

_LOGSUMEXP = '''\
def logsumexp(x, axis=None):
    """log(sum(exp(x))), to the last digit where one entry is all of it too."""
    x = np.reshape(x, -1) if axis is None else x
    axis = -1 if axis is None else axis
    top = np.max(x, axis=axis, keepdims=True)
    others = np.exp(x - np.where(np.isfinite(top), top, 0))
    np.put_along_axis(others, np.argmax(x, axis=axis, keepdims=True), 0, axis)
    top = np.squeeze(top, axis=axis)
    return np.where(np.isfinite(top), top + np.log1p(np.sum(others, axis=axis)), top)[()]
'''
_SOFTMAX = """\
def softmax(x, axis=None):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    e /= e.sum(axis=axis, keepdims=True)
    return e
"""
LOGSUMEXP = Card(
    "logsumexp", "reduction", OVER, "the chain rule on log(sum(exp(x)))",
    lambda np, x, axis=None: numeric.logsumexp(np, x, axis), "logsumexp(#1, axis=#axis)", helper=_LOGSUMEXP,
    differential="sum(softmax(x).*dx)", latex=r"\operatorname{logsumexp}",
    laws=("logsumexp(x) = log(sum(exp(x)))",), facts={"of a scalar": "x", "convex on": "all", "increasing on": "all"},
)  # fmt: skip
SOFTMAX = Card(
    "softmax", "reduction", WITHIN, "the quotient rule on exp(x)/sum(exp(x))",
    lambda np, x, axis=None: numeric.softmax(np, x, axis), "softmax(#1, axis=#axis)", helper=_SOFTMAX,
    differential="softmax(x).*dx - softmax(x)*sum(softmax(x).*dx)", latex=r"\operatorname{softmax}",
    laws=("softmax(x) = exp(x - logsumexp(x))",),
    facts={"of a scalar": "1", "range": "positive", "bounded": "1"},
)  # fmt: skip
MAX = Card(
    "max", "reduction", OVER_OR_PAIR,
    "only the largest entry moves the maximum; of two arguments, max(x, y) = y + relu(x - y)",
    lambda np, x, y=None, axis=None: numeric.extreme(np, x, y, axis, 1), "np.max(#1, axis=#axis)",
    numpy_pair="np.maximum(#1, #2)", differential="sum(argmax(x).*dx)", latex=r"\max",
    smooth=_UNIQUE, kink="the mean over ties",
    facts={"of a scalar": "x", "convex on": "all", "increasing on": "all", "range": "that of x"},
)  # fmt: skip
MIN = Card(
    "min", "reduction", OVER_OR_PAIR,
    "only the smallest entry moves the minimum; of two arguments, min(x, y) = y - relu(y - x)",
    lambda np, x, y=None, axis=None: numeric.extreme(np, x, y, axis, -1), "np.min(#1, axis=#axis)",
    numpy_pair="np.minimum(#1, #2)", differential="sum(argmin(x).*dx)", latex=r"\min",
    smooth="the minimum is unique", kink="the mean over ties", laws=("min(x) = -max(-x)",),
    facts={"of a scalar": "x", "concave on": "all", "increasing on": "all", "range": "that of x"},
)  # fmt: skip

_TIES = """\
def {name}(x, axis=None):
    mask = x == np.{of}(x, axis=axis, keepdims=True)
    return mask / np.sum(mask, axis=axis, keepdims=True)
"""

ARGMAX = Card(
    "argmax", "reduction", WITHIN, "constant wherever the maximum is unique: the mask of the maximum, shared by ties",
    lambda np, x, axis=None: numeric.ties(np, x, axis, 1), "argmax(#1, axis=#axis)",
    helper=_TIES.format(name="argmax", of="max"), differential="0", latex=r"\operatorname{argmax}",
    smooth=_UNIQUE, kink="the mean over ties", laws=("sum(argmax(x)) = 1",),
    facts={"of a scalar": "1", "range": "nonnegative", "bounded": "1"},
)  # fmt: skip
ARGMIN = Card(
    "argmin", "reduction", WITHIN, "constant wherever the minimum is unique: the mask of the minimum, shared by ties",
    lambda np, x, axis=None: numeric.ties(np, x, axis, -1), "argmin(#1, axis=#axis)",
    helper=_TIES.format(name="argmin", of="min"), differential="0", latex=r"\operatorname{argmin}",
    smooth="the minimum is unique", kink="the mean over ties", laws=("argmin(x) = argmax(-x)",),
    facts={"of a scalar": "1", "range": "nonnegative", "bounded": "1"},
)  # fmt: skip


def _mean(np: object, x: object, axis: int | None = None) -> object:
    return np.mean(x, axis=axis)  # type: ignore[attr-defined]


MEAN = Card(
    "mean", "defined", OVER, "linear: the sum divided by the number of entries summed", _mean,
    "np.mean(#1, axis=#axis)", definition="sum(x)/length(x)", latex=r"\operatorname{mean}",
    facts={"convex on": "all", "concave on": "all"},
)  # fmt: skip
NORM1 = Card(
    "norm1", "defined", OVER, "the sum of the absolute values",
    lambda np, x, axis=None: np.sum(x * np.sign(np.real(x)), axis=axis), "np.sum(np.abs(#1), axis=#axis)",
    definition="sum(abs(x))", latex=r"\lVert #1\rVert_{1}", unicode="‖#1‖₁",
    latex_matrix=r"\lVert\operatorname{vec}(#1)\rVert_{1}", unicode_matrix="‖vec(#1)‖₁",
    smooth="x != 0", kink="sign(0) = 0",
    facts={"convex on": "all", "range": "nonnegative"},
)  # fmt: skip
NORM2 = Card(
    "norm2", "defined", OVER, "the root of the sum of squares: entrywise, so the Frobenius norm of a matrix",
    lambda np, x, axis=None: numeric.norm2(np, x, axis), "np.linalg.norm(#1, axis=#axis)",
    definition="sqrt(sum(x.^2))", latex=r"\lVert #1\rVert_{2}", unicode="‖#1‖₂",
    latex_matrix=r"\lVert #1\rVert_{F}", unicode_matrix="‖#1‖_F",
    smooth="norm2(x) != 0", kink="norm2'(0) = 0, a subgradient", laws=("norm2(x)^2 = sum(x.^2)",),
    facts={"convex on": "all", "range": "nonnegative", "0 over it": "0", "even powers": "smooth"},
)  # fmt: skip
NORMF = Card(
    "normF", "defined", OVER, "another name of norm2",
    NORM2.value, NORM2.numpy, definition="sqrt(sum(x.^2))", latex=r"\lVert #1\rVert_{F}", unicode="‖#1‖_F",
    smooth="norm2(x) != 0", kink="norm2'(0) = 0, a subgradient", facts=NORM2.facts,
)  # fmt: skip

PROD = Card(
    "prod", "reduction", OVER, "the product rule, with x != 0: each factor is replaced by its differential in turn",
    lambda np, x, axis=None: np.prod(x, axis=axis), "np.prod(#1, axis=#axis)",
    differential="prod(x)*sum(dx./x)", latex=r"\operatorname{prod}", needs="x != 0",
    facts={"of a scalar": "x", "range": "that of x"},
)  # fmt: skip

CARDS = (LOGSUMEXP, SOFTMAX, MAX, MIN, ARGMAX, ARGMIN, MEAN, NORM1, NORM2, NORMF, PROD)
