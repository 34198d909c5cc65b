"""Functions that only code uses: not in the language, since people write ``log(cosh(x))`` and mean it.

Each is what its ``because`` says, computed so that nothing overflows or cancels. ``planning.stable`` puts them into the
graph that code is made from; they are never differentiated.
"""

from __future__ import annotations

from matgrad.functions.card import Card

_Signatures = dict[int | None, tuple[str, ...]]
_EACH: _Signatures = {None: ("*->*",)}
_PAIR: _Signatures = {None: ("*,*->*",)}
_OVER: _Signatures = {None: ("*->",), 1: ("ij->j'",), 2: ("ij->i",)}
_WITHIN: _Signatures = {None: ("*->*",), 1: ("ij->ij",), 2: ("ij->ij",)}

_LOG1MEXP = '''\
def log1mexp(x):
    """log(1 - exp(x)) for x < 0."""
    return np.where(x > -0.6931471805599453, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))[()]
'''
_LOG1P_SQUARE = '''\
def log1p_square(x):
    """log(1 + x^2)."""
    small = np.clip(np.abs(x), 0, 1e15)
    return np.log1p(small * small) + 2 * np.log(np.clip(np.abs(x) / 1e15, 1, np.inf))
'''
_SECH2 = '''\
def sech2(x):
    """1 - tanh(x)^2."""
    e = np.exp(-2 * np.abs(x))
    return 4 * e / (1 + e) ** 2
'''
_LOG_COSH = '''\
def log_cosh(x):
    """log(cosh(x))."""
    a = np.abs(x)
    near = np.log1p(2 * np.sinh(np.clip(a, 0, 1) / 2) ** 2)
    return np.where(a < 1, near, a + np.log1p(np.exp(-2 * a)) - 0.6931471805599453)[()]
'''
_LOG_SOFTMAX = '''\
def log_softmax(x, axis=None):
    """log(softmax(x)), to the last digit for the largest entry too."""
    z = x - np.max(x, axis=axis, keepdims=True)
    ties = np.sum(z == 0, axis=axis, keepdims=True) - 1
    return z - np.log1p(ties + np.sum(np.where(z == 0, 0, np.exp(z)), axis=axis, keepdims=True))
'''
_SAFE_NORM = '''\
def safe_norm(x, axis=None):
    """The root of the sum of squares, which neither overflows nor underflows."""
    norm = np.sqrt(np.sum(x * x, axis=axis))
    kind = np.finfo(norm.dtype)
    if np.all((norm > np.sqrt(kind.tiny / kind.eps)) & (norm < np.inf)):
        return norm
    scale = np.max(np.abs(x), axis=axis, keepdims=True)
    scale = np.where((scale > 0) & (scale < np.inf), scale, 1.0)
    return np.squeeze(scale, axis=axis) * np.sqrt(np.sum((x / scale) ** 2, axis=axis))
'''
_LARGEST = '''\
def largest(x, axis=None):
    """The largest of abs(x); 1 where that is 0 or inf."""
    size = np.max(np.abs(x), axis=axis)
    return np.where((size > 0) & (size < np.inf), size, 1.0)
'''
_NEAR_ZERO = '''\
def near_zero(x, elsewhere, radius, coefficients):
    """The power series in x, for abs(x) < radius."""
    small = np.clip(x, -radius, radius)
    total = 0 * small
    for coefficient in reversed(coefficients):
        total = total * small + coefficient
    return np.where(np.abs(x) < radius, total, elsewhere)[()]
'''

_AWAY_FROM_ZERO = '''\
def away_from_zero(x, radius):
    """x, and the radius where abs(x) is smaller: for what is not selected there."""
    return np.where(np.abs(x) < radius, radius, x)
'''

# fmt: off
CARDS = (
    Card("decay", "elementwise", _EACH, "exp(x), for x <= 0", numpy="np.exp(#1)", facts={"range": "positive"}),
    Card("log1mexp", "elementwise", _EACH, "log(1 - exp(x)), for x < 0", numpy="log1mexp(#1)", helper=_LOG1MEXP),
    Card("log1p_square", "elementwise", _EACH, "log(1 + x.^2)", numpy="log1p_square(#1)", helper=_LOG1P_SQUARE),
    Card("sech2", "elementwise", _EACH, "1 - tanh(x).^2", numpy="sech2(#1)", helper=_SECH2,
         facts={"range": "positive"}),
    Card("log_cosh", "elementwise", _EACH, "log(cosh(x))", numpy="log_cosh(#1)", helper=_LOG_COSH),
    Card("log_normcdf", "elementwise", _EACH, "log(normcdf(x))", numpy="scipy.special.log_ndtr(#1)", scipy=True),
    Card("ratio", "elementwise", _PAIR, "x./y, kept in one piece: x is never divided by a power of y",
         numpy="#1 / #2"),
    Card("near_zero", "elementwise", _PAIR, "y, which is known to be a power series in x; that where x is small",
         numpy="near_zero(#1, #2, #series)", helper=_NEAR_ZERO),
    Card("away_from_zero", "elementwise", _PAIR, "x, and y where abs(x) < y", numpy="away_from_zero(#1, #2)",
         helper=_AWAY_FROM_ZERO),
    Card("log_softmax", "reduction", _WITHIN, "log(softmax(x))", numpy="log_softmax(#1, axis=#axis)",
         helper=_LOG_SOFTMAX),
    Card("safe_norm", "reduction", _OVER, "norm2(x)", numpy="safe_norm(#1, axis=#axis)", helper=_SAFE_NORM,
         facts={"range": "nonnegative"}),
    Card("largest", "reduction", _OVER, "max(abs(x)), and 1 where that is 0", numpy="largest(#1, axis=#axis)",
         helper=_LARGEST, facts={"range": "positive"}),
    Card("detsign", "matrix", {None: ("ii->",)}, "sign(det(X))", numpy="np.linalg.slogdet(#1)[0]"),
)
# fmt: on
