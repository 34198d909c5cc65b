"""Functions that only code uses: not in the language, since people write ``log(cosh(x))`` and mean it.

Each is what its ``because`` says, computed so that nothing overflows or cancels. ``stabilising.stable`` puts them
into the graph that code is made from. Those with a ``derivative`` may be there before code for a derivative is made.
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
    below = 1 + e
    below *= below
    e *= 4
    e /= below
    return e
'''
_SECH2_OF_TANH = '''\
def sech2_of_tanh(x, t):
    """1 - tanh(x)^2 for t = tanh(x): by exponentials where a difference from 1 would have few digits."""
    s = t * t
    np.subtract(1, s, out=s)
    return sech2(x) if s.min(initial=1) < 5e11 * np.finfo(s.dtype).eps else s
'''
_ONE_MINUS_SIGMOID = '''\
def one_minus_sigmoid(x, p):
    """1 - p for p = sigmoid(x): sigmoid(-x) where a difference from 1 would have few digits."""
    s = 1 - p
    return sigmoid(-x) if s.min(initial=1) < 5e11 * np.finfo(s.dtype).eps else s
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
    ties = np.sum(z == 0, axis=axis, keepdims=True, dtype=z.dtype) - 1
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
_EXP_DIFFERENCE = '''\
def exp_difference(x, y):
    """exp(x) - exp(y), by the larger and the quotient."""
    gap = x - y
    above, below = np.where(gap > 0, gap, 0), np.where(gap > 0, 0, gap)
    return np.where(gap > 0, -np.exp(x) * np.expm1(-above), np.exp(y) * np.expm1(below))[()]
'''
_LOG_NORMCDF_BETWEEN = '''\
def log_normcdf_between(x, y):
    """The logarithm of the normal probability between x and y: in the left tail, or by the integral from 0."""
    turned = np.where(x + y > 0, -1.0, 1.0)
    x, y = turned * x, turned * y
    above, below = np.maximum(x, y), np.minimum(x, y)
    far = below < -1
    left = scipy.special.log_ndtr(np.where(far, above, 1.0))
    ratio = scipy.special.log_ndtr(np.where(far, below, -1.0)) - left
    share = np.where(ratio > -0.6931471805599453, -np.expm1(ratio), 1 - np.exp(ratio))
    near = [scipy.special.erf(np.where(far, end, z) / 2**0.5) for end, z in ((1.0, above), (-1.0, below))]
    return np.where(far, left + np.log(share), np.log((near[0] - near[1]) / 2))[()]
'''
_NORMAL_RATIO = '''\
def normal_ratio(x):
    """normpdf(x)/normcdf(x)."""
    return (2 / np.pi) ** 0.5 / scipy.special.erfcx(-(0.5**0.5) * x)
'''
_NORMAL_RATIO1 = '''\
def normal_ratio1(x):
    """h*(x + h), h = normpdf(x)/normcdf(x); in the left tail h + x = 1/(t + 2/(t + 3/(t + ...))), t = -x."""
    t, near = np.where(x < -3, -x, 3.0), np.where(x < -3, -3.0, np.where(x > 40, 40.0, x))
    tail = 0 * t
    for k in range(50, 0, -1):
        tail = k / (t + tail)
    h = (2 / np.pi) ** 0.5 * np.exp(-near * near / 2) / scipy.special.erfc(-(0.5**0.5) * near)
    return np.where(x < -3, (t + tail) * tail, h * (near + h))[()]
'''
_NORMAL_RATIO2 = '''\
def normal_ratio2(x):
    """The second derivative of h = normpdf(x)/normcdf(x): h*(x^2 + 3*x*h + 2*h^2 - 1), in the left tail alike."""
    t, near = np.where(x < -3, -x, 3.0), np.where(x < -3, -3.0, np.where(x > 40, 40.0, x))
    four = 0 * t
    for k in range(50, 3, -1):
        four = k / (t + four)
    three = 3 / (t + four)
    two = 2 / (t + three)
    one = 1 / (t + two)
    far = (t + one) * (one * two) ** 2 * three * (t + 3 * three - 2 * four) / 6
    h = (2 / np.pi) ** 0.5 * np.exp(-near * near / 2) / scipy.special.erfc(-(0.5**0.5) * near)
    return np.where(x < -3, far, h * (near * (near + 3 * h) + 2 * h * h - 1))[()]
'''
_LEVEL = '''\
def level(x, y):
    """The larger of two, at least the smallest number: what exponents are taken relative to."""
    return np.nan_to_num(np.maximum(x, y), nan=np.nan)
'''
_LARGEST = '''\
def largest(x, axis=None):
    """The largest of abs(x); 1 where that is 0 or inf."""
    size = np.max(np.abs(x), axis=axis)
    return np.where((size > 0) & (size < np.inf), size, 1.0)
'''
_PROD_OTHERS = '''\
def prod_others(x, axis=None):
    """The product of all other entries: of those before and of those after each."""
    flat = x if axis == -1 else x.reshape(*x.shape[: x.ndim - len(axis)] if axis is not None else (), -1)
    one = np.ones_like(flat[..., :1])
    before = np.cumprod(np.concatenate([one, flat[..., :-1]], axis=-1), axis=-1)
    after = np.cumprod(np.concatenate([one, flat[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    return (before * after).reshape(x.shape)
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
    Card("bounded_exp", "elementwise", _EACH, "exp(x), for what stands beside a small factor if x is large",
         numpy="np.exp(np.minimum(#1, 700))", facts={"range": "positive"}),
    Card("level", "elementwise", _PAIR, "max(x, y), a number to shift by, of which nothing depends",
         numpy="level(#1, #2)", helper=_LEVEL),
    Card("larger", "elementwise", _PAIR, "y + relu(x - y)", numpy="np.maximum(#1, #2)", arguments=("x", "y")),
    Card("smaller", "elementwise", _PAIR, "y - relu(y - x)", numpy="np.minimum(#1, #2)", arguments=("x", "y")),
    Card("log_add", "elementwise", _PAIR, "log(exp(x) + exp(y))", numpy="np.logaddexp(#1, #2)"),
    Card("log1mexp", "elementwise", _EACH, "log(1 - exp(x)), for x < 0", numpy="log1mexp(#1)", helper=_LOG1MEXP,
         harmless=("-1",)),
    Card("log1p_square", "elementwise", _EACH, "log(1 + x.^2)", numpy="log1p_square(#1)", helper=_LOG1P_SQUARE),
    Card("sech2", "elementwise", _EACH, "1 - tanh(x).^2", numpy="sech2(#1)", helper=_SECH2,
         facts={"range": "positive"}),
    Card("sech2_of_tanh", "elementwise", _PAIR, "1 - y.^2, for y = tanh(x)", numpy="sech2_of_tanh(#1, #2)",
         arguments=("x", "y"), helper=_SECH2_OF_TANH, facts={"range": "positive"}),
    Card("one_minus_sigmoid", "elementwise", _PAIR, "1 - y, for y = sigmoid(x)", numpy="one_minus_sigmoid(#1, #2)",
         arguments=("x", "y"), helper=_ONE_MINUS_SIGMOID, facts={"range": "positive"}),
    Card("log_cosh", "elementwise", _EACH, "log(cosh(x))", numpy="log_cosh(#1)", helper=_LOG_COSH),
    Card("log_normcdf", "elementwise", _EACH, "log(normcdf(x))", numpy="scipy.special.log_ndtr(#1)", scipy=True,
         derivative="normal_ratio(x)"),
    Card("normal_ratio", "elementwise", _EACH, "normpdf(x)./normcdf(x)", numpy="normal_ratio(#1)",
         helper=_NORMAL_RATIO, scipy=True, derivative="-normal_ratio1(x)", facts={"range": "positive"}),
    Card("normal_ratio1", "elementwise", _EACH, "-d/dx normpdf(x)./normcdf(x)", numpy="normal_ratio1(#1)",
         helper=_NORMAL_RATIO1, scipy=True, derivative="-normal_ratio2(x)", facts={"range": "positive"}),
    Card("normal_ratio2", "elementwise", _EACH, "d^2/dx^2 normpdf(x)./normcdf(x)", numpy="normal_ratio2(#1)",
         helper=_NORMAL_RATIO2, scipy=True, facts={"range": "positive"},
         derivative="2*normal_ratio1(x)*(1 - normal_ratio1(x)) - normal_ratio2(x)*(x + 2*normal_ratio(x))"),
    Card("log_normcdf_between", "elementwise", _PAIR, "log(abs(normcdf(x) - normcdf(y)))",
         numpy="log_normcdf_between(#1, #2)", helper=_LOG_NORMCDF_BETWEEN, scipy=True,
         harmless=("1", "0")),
    Card("exp_difference", "elementwise", _PAIR, "exp(x) - exp(y)", numpy="exp_difference(#1, #2)",
         helper=_EXP_DIFFERENCE, harmless=("0", "0")),
    Card("ratio", "elementwise", _PAIR, "x./y, kept in one piece: x is never divided by a power of y",
         numpy="#1 / #2", harmless=(None, "1")),
    Card("near_zero", "elementwise", _PAIR, "y, which is known to be a power series in x; that where x is small",
         numpy="near_zero(#1, #2, #series)", helper=_NEAR_ZERO),
    Card("away_from_zero", "elementwise", _PAIR, "x, and y where abs(x) < y", numpy="away_from_zero(#1, #2)",
         helper=_AWAY_FROM_ZERO),
    Card("chosen", "elementwise", {None: ("*,*,*->*",)}, "y where x is not 0, and z where it is",
         numpy="np.where(#1 != 0, #2, #3)", arguments=("x", "y", "z")),
    Card("log_softmax", "reduction", _WITHIN, "log(softmax(x))", numpy="log_softmax(#1, axis=#axis)",
         helper=_LOG_SOFTMAX),
    Card("prod_others", "reduction", _WITHIN, "the product of all other entries", numpy="prod_others(#1, axis=#axis)",
         helper=_PROD_OTHERS),
    Card("safe_norm", "reduction", _OVER, "norm2(x)", numpy="safe_norm(#1, axis=#axis)", helper=_SAFE_NORM,
         facts={"range": "nonnegative"}),
    Card("largest", "reduction", _OVER, "max(abs(x)), and 1 where that is 0", numpy="largest(#1, axis=#axis)",
         helper=_LARGEST, facts={"range": "positive"}),
    Card("detsign", "matrix", {None: ("ii->",)}, "sign(det(X))", numpy="np.linalg.slogdet(#1)[0]"),
)
# fmt: on
