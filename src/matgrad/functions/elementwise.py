"""Functions of one number, applied to every entry: each is known by its scalar derivative in ``x``."""

from __future__ import annotations

from matgrad.functions.card import Card
from matgrad.functions.numeric import Value, lift, lift_pair, special

_expit = special("expit")


def _elementwise(name: str, derivative: str, because: str, value: Value, numpy: str, **more: object) -> Card:
    signatures = {None: ("*->*",)}
    return Card(name, "elementwise", signatures, because, value, numpy, derivative=derivative, **more)  # type: ignore[arg-type]


_SOFTPLUS = '''\
def softplus(x):
    """log(1 + exp(x)), without overflow; np.logaddexp takes four times as long."""
    e = np.log1p(np.exp(-np.abs(x)))
    e += np.maximum(x, 0)
    return e
'''
_SIGMOID = '''\
def sigmoid(x):
    """1/(1 + exp(-x)), without overflow."""
    e = np.exp(-np.maximum(x, -709.0))
    e += 1.0
    return 1.0 / e
'''
_SATURATING = {"increasing on": "all", "convex on": "nonpositive", "concave on": "nonnegative"}
_GROWING_FASTER = {"increasing on": "all", "convex on": "nonnegative", "concave on": "nonpositive"}


# fmt: off
EXP = _elementwise(
    "exp", "exp(x)", "the function that is its own derivative",
    lift(lambda np, x: np.exp(x), lambda np, x: np.exp(x)), "np.exp(#1)", latex=r"\exp",
    laws=("exp(log1p(x)) = 1 + x", "exp(-x) = 1./exp(x)"),
    facts={"convex on": "all", "increasing on": "all", "range": "positive", "at 0": "1", "undoes": "log"},
    exact=lambda mp, x: mp.exp(x), harmless=("0",),
)
LOG = _elementwise(
    "log", "1/x", "the inverse of exp",
    lift(lambda np, x: np.log(x), lambda np, x: 1 / x), "np.log(#1)", latex=r"\log",
    needs="x > 0", laws=("log(exp(x)) = x",),
    facts={"concave on": "positive", "increasing on": "positive", "at 1": "0", "undoes": "exp"},
    exact=lambda mp, x: mp.log(x), harmless=("1",),
)
LOG1P = _elementwise(
    "log1p", "1/(1 + x)", "log(1 + x), accurate for small x",
    lift(lambda np, x: np.log1p(x), lambda np, x: 1 / (1 + x)), "np.log1p(#1)", latex=r"\log(1 + #1)",
    unicode="log(1 + #1)", needs="x > -1",
    facts={"concave on": "all", "increasing on": "all", "at 0": "0", "undoes": "expm1"},
    exact=lambda mp, x: mp.log(1 + x), harmless=("0",),
)
EXPM1 = _elementwise(
    "expm1", "exp(x)", "exp(x) - 1, accurate for small x",
    lift(lambda np, x: np.expm1(x), lambda np, x: np.exp(x)), "np.expm1(#1)", latex=r"\operatorname{expm1}",
    laws=("expm1(x) = exp(x) - 1", "log1p(expm1(x)) = x"),
    facts={"convex on": "all", "increasing on": "all", "at 0": "0", "undoes": "log1p"},
    exact=lambda mp, x: mp.exp(x) - 1, harmless=("0",),
)
SQRT = _elementwise(
    "sqrt", "1/(2*sqrt(x))", "the power 1/2",
    lift(lambda np, x: np.sqrt(x), lambda np, x: 0.5 / np.sqrt(x)), "np.sqrt(#1)", latex=r"\sqrt{#1}", unicode="√#1",
    needs="x >= 0", smooth="x > 0",
    facts={"concave on": "nonnegative", "increasing on": "nonnegative", "range": "nonnegative"},
    exact=lambda mp, x: mp.sqrt(x), harmless=("1",),
)
SIN = _elementwise(
    "sin", "cos(x)", "the angle's rate of change",
    lift(lambda np, x: np.sin(x), lambda np, x: np.cos(x)), "np.sin(#1)", latex=r"\sin",
    laws=("sin(x).^2 + cos(x).^2 = 1",),
    facts={"parity": "odd", "at 0": "0", "undoes": "arcsin", "bounded": "1"},
    exact=lambda mp, x: mp.sin(x),
)
COS = _elementwise(
    "cos", "-sin(x)", "sin, a quarter turn ahead",
    lift(lambda np, x: np.cos(x), lambda np, x: -np.sin(x)), "np.cos(#1)", latex=r"\cos",
    facts={"parity": "even", "at 0": "1", "undoes": "arccos", "bounded": "1"},
    exact=lambda mp, x: mp.cos(x),
)
TAN = _elementwise(
    "tan", "1 + tan(x)^2", "the quotient rule for sin/cos",
    lift(lambda np, x: np.tan(x), lambda np, x: 1 + np.tan(x) ** 2), "np.tan(#1)", latex=r"\tan",
    needs="cos(x) != 0", laws=("tan(x) = sin(x)./cos(x)",),
    facts={"parity": "odd", "at 0": "0", "undoes": "arctan", "quotient": "sin/cos"},
    exact=lambda mp, x: mp.tan(x), harmless=("0",),
)
ARCSIN = _elementwise(
    "arcsin", "1/sqrt(1 - x^2)", "the inverse of sin",
    lift(lambda np, x: np.arcsin(x), lambda np, x: 1 / np.sqrt((1 - x) * (1 + x))), "np.arcsin(#1)", latex=r"\arcsin",
    needs="abs(x) <= 1", smooth="abs(x) < 1",
    facts={"parity": "odd", "at 0": "0", **_GROWING_FASTER},
    exact=lambda mp, x: mp.asin(x), harmless=("0",),
)
ARCCOS = _elementwise(
    "arccos", "-1/sqrt(1 - x^2)", "pi/2 minus arcsin",
    lift(lambda np, x: np.arccos(x), lambda np, x: -1 / np.sqrt((1 - x) * (1 + x))), "np.arccos(#1)", latex=r"\arccos",
    needs="abs(x) <= 1", smooth="abs(x) < 1", laws=("arccos(x) + arcsin(x) = pi/2",),
    facts={"decreasing on": "all", "convex on": "nonpositive", "concave on": "nonnegative"},
    exact=lambda mp, x: mp.acos(x), harmless=("0",),
)
ARCTAN = _elementwise(
    "arctan", "1/(1 + x^2)", "the inverse of tan",
    lift(lambda np, x: np.arctan(x), lambda np, x: 1 / (1 + x**2)), "np.arctan(#1)", latex=r"\arctan",
    laws=("tan(arctan(x)) = x",),
    facts={"parity": "odd", "at 0": "0", **_SATURATING},
    exact=lambda mp, x: mp.atan(x),
)
ARCTAN2 = Card(
    "arctan2", "elementwise", {None: ("*,*->*",)}, "the angle of the point (x, y) turns by (x*dy - y*dx)/(x^2 + y^2)",
    lift_pair(
        lambda np, y, x: np.arctan2(y, x),
        lambda np, y, x: x / np.hypot(x, y) / np.hypot(x, y),
        lambda np, y, x: -y / np.hypot(x, y) / np.hypot(x, y),
    ),
    "np.arctan2(#1, #2)", latex=r"\operatorname{arctan2}", arguments=("y", "x"),
    partials=("x/(x^2 + y^2)", "-y/(x^2 + y^2)"), smooth="y != 0 or x > 0",
    exact=lambda mp, y, x: mp.atan2(y, x), harmless=("0", "1"),
)
HYPOT = Card(
    "hypot", "defined", {None: ("*,*->*",)}, "the length of (x, y)",
    lift_pair(
        lambda np, x, y: np.hypot(x, y),
        lambda np, x, y: x / np.hypot(x, y),
        lambda np, x, y: y / np.hypot(x, y),
    ),
    "np.hypot(#1, #2)", latex=r"\operatorname{hypot}", arguments=("x", "y"), definition="sqrt(x^2 + y^2)",
    smooth="x^2 + y^2 > 0", exact=lambda mp, x, y: mp.hypot(x, y),
)
SINH = _elementwise(
    "sinh", "cosh(x)", "half of exp(x) - exp(-x)",
    lift(lambda np, x: np.sinh(x), lambda np, x: np.cosh(x)), "np.sinh(#1)", latex=r"\sinh",
    facts={"parity": "odd", "at 0": "0", "undoes": "arcsinh", **_GROWING_FASTER},
    exact=lambda mp, x: mp.sinh(x), harmless=("0",),
)
COSH = _elementwise(
    "cosh", "sinh(x)", "half of exp(x) + exp(-x)",
    lift(lambda np, x: np.cosh(x), lambda np, x: np.sinh(x)), "np.cosh(#1)", latex=r"\cosh",
    laws=("cosh(x).^2 - sinh(x).^2 = 1",),
    facts={"parity": "even", "convex on": "all", "range": "positive", "at 0": "1",
           "increasing on": "nonnegative", "decreasing on": "nonpositive", "undoes": "arccosh"},
    exact=lambda mp, x: mp.cosh(x), harmless=("0",),
)
TANH = _elementwise(
    "tanh", "1 - tanh(x)^2", "the quotient rule for sinh/cosh",
    lift(lambda np, x: np.tanh(x), lambda np, x: 4 * _expit(np, 2 * x) * _expit(np, -2 * x)),
    "np.tanh(#1)", latex=r"\tanh", laws=("tanh(x) = sinh(x)./cosh(x)",),
    facts={"parity": "odd", "at 0": "0", "quotient": "sinh/cosh", "bounded": "1", "undoes": "arctanh", **_SATURATING},
    exact=lambda mp, x: mp.tanh(x),
)
ARCSINH = _elementwise(
    "arcsinh", "1/sqrt(1 + x^2)", "the inverse of sinh",
    lift(lambda np, x: np.arcsinh(x), lambda np, x: 1 / np.hypot(1, x)), "np.arcsinh(#1)",
    latex=r"\operatorname{arcsinh}",
    laws=("sinh(arcsinh(x)) = x", "arcsinh(x) = sign(x).*log(abs(x) + sqrt(1 + x.^2))"),
    facts={"parity": "odd", "at 0": "0", "undoes": "sinh", **_SATURATING},
    exact=lambda mp, x: mp.asinh(x),
)
ARCCOSH = _elementwise(
    "arccosh", "1/sqrt(x^2 - 1)", "the inverse of cosh for x >= 0",
    lift(lambda np, x: np.arccosh(x), lambda np, x: 1 / np.sqrt((x - 1) * (x + 1))), "np.arccosh(#1)",
    latex=r"\operatorname{arccosh}", needs="x >= 1", smooth="x > 1",
    laws=("cosh(arccosh(x)) = x", "arccosh(x) = log(x + sqrt(x.^2 - 1))"),
    facts={"at 1": "0", "range": "nonnegative", "concave on": "all", "increasing on": "all"},
    exact=lambda mp, x: mp.acosh(x), harmless=("2",),
)
ARCTANH = _elementwise(
    "arctanh", "1/(1 - x^2)", "the inverse of tanh",
    lift(lambda np, x: np.arctanh(x), lambda np, x: 1 / ((1 - x) * (1 + x))), "np.arctanh(#1)",
    latex=r"\operatorname{arctanh}", needs="abs(x) < 1",
    laws=("tanh(arctanh(x)) = x", "arctanh(x) = log((1 + x)./(1 - x))/2"),
    facts={"parity": "odd", "at 0": "0", "undoes": "tanh", **_GROWING_FASTER},
    exact=lambda mp, x: mp.atanh(x), harmless=("0",),
)
ABS = _elementwise(
    "abs", "sign(x)", "x where x > 0, -x where x < 0",
    lambda np, x: x * np.sign(np.real(x)), "np.abs(#1)",
    latex=r"\lvert #1\rvert", latex_matrix=r"\operatorname{abs}(#1)", unicode="|#1|",
    smooth="x != 0", kink="sign(0) = 0", laws=("abs(x) = x.*sign(x)",),
    facts={"parity": "even", "convex on": "all", "range": "nonnegative", "at 0": "0", "degree": "1",
           "on nonnegative": "x", "even powers": "smooth", "increasing on": "nonnegative",
           "decreasing on": "nonpositive"},
)
SIGN = _elementwise(
    "sign", "0", "constant on either side of 0",
    lambda np, x: np.sign(np.real(x)), "np.sign(#1)", latex=r"\operatorname{sign}",
    smooth="x != 0", kink="sign(0) = 0",
    facts={"parity": "odd", "at 0": "0", "degree": "0", "on positive": "1", "bounded": "1"},
)
STEP = _elementwise(
    "step", "0", "0 where x <= 0, 1 where x > 0",
    lambda np, x: np.heaviside(np.real(x), 0.0), "np.heaviside(#1, 0.0)", latex=r"\operatorname{step}",
    smooth="x != 0", kink="step(0) = 0",
    facts={"range": "nonnegative", "at 0": "0", "degree": "0", "on positive": "1", "bounded": "1"},
)
RELU = _elementwise(
    "relu", "step(x)", "0 where x <= 0, x where x > 0",
    lambda np, x: np.where(np.real(x) <= 0, 0.0, x), "np.maximum(#1, 0)", latex=r"\operatorname{relu}",
    smooth="x != 0", kink="step(0) = 0", laws=("relu(x) = x.*step(x)", "relu(x) - relu(-x) = x"),
    facts={"convex on": "all", "increasing on": "all", "range": "nonnegative", "at 0": "0", "degree": "1",
           "on nonnegative": "x"},
)
SIGMOID = _elementwise(
    "sigmoid", "sigmoid(x)*(1 - sigmoid(x))", "the logistic equation",
    lift(_expit, lambda np, x: _expit(np, x) * _expit(np, -x)), "sigmoid(#1)", helper=_SIGMOID,
    latex=r"\sigma", unicode="σ", laws=("sigmoid(x) + sigmoid(-x) = 1",),
    facts={"range": "positive", "at 0": "1/2", "log-concave on": "all", "bounded": "1", **_SATURATING},
    exact=lambda mp, x: 1 / (1 + mp.exp(-x)),
)
SOFTPLUS = _elementwise(
    "softplus", "sigmoid(x)", "log(1 + exp(x)), accurate at both ends",
    lift(lambda np, x: np.logaddexp(0, x), _expit), "softplus(#1)", helper=_SOFTPLUS, latex=r"\operatorname{softplus}",
    laws=("softplus(x) - softplus(-x) = x",), facts={"convex on": "all", "increasing on": "all", "range": "positive"},
    exact=lambda mp, x: mp.log(1 + mp.exp(x)),
)
ERF = _elementwise(
    "erf", "2/sqrt(pi)*exp(-x^2)", "the integral of the bell curve",
    lift(special("erf"), lambda np, x: 2 / np.sqrt(np.pi) * np.exp(-(x**2))), "scipy.special.erf(#1)", scipy=True,
    latex=r"\operatorname{erf}", laws=("erf(-x) = -erf(x)",),
    facts={"parity": "odd", "at 0": "0", "bounded": "1", **_SATURATING},
    exact=lambda mp, x: mp.erf(x),
)
ERFC = _elementwise(
    "erfc", "-2/sqrt(pi)*exp(-x^2)", "1 - erf(x), accurate for large x",
    lift(special("erfc"), lambda np, x: -2 / np.sqrt(np.pi) * np.exp(-(x**2))), "scipy.special.erfc(#1)", scipy=True,
    latex=r"\operatorname{erfc}", laws=("erfc(x) + erf(x) = 1", "erfc(x) + erfc(-x) = 2"),
    facts={"range": "positive", "at 0": "1", "decreasing on": "all", "log-concave on": "all",
           "convex on": "nonnegative", "concave on": "nonpositive"},
    exact=lambda mp, x: mp.erfc(x),
)


def _density(np: object, x: object) -> object:
    return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)  # type: ignore[attr-defined, operator]


NORMCDF = _elementwise(
    "normcdf", "normpdf(x)", "the standard normal distribution function",
    lift(special("ndtr"), _density), "scipy.special.ndtr(#1)", scipy=True, latex=r"\Phi", unicode="Φ",
    laws=("normcdf(x) + normcdf(-x) = 1",),
    facts={"range": "positive", "at 0": "1/2", "log-concave on": "all", "bounded": "1", **_SATURATING},
    exact=lambda mp, x: mp.ncdf(x),
)
NORMPDF = _elementwise(
    "normpdf", "-x*normpdf(x)", "the standard normal density, exp(-x^2/2)/sqrt(2*pi)",
    lift(_density, lambda np, x: -x * _density(np, x)), "np.exp(-(#1)**2/2)/(2*np.pi)**0.5", latex=r"\varphi",
    unicode="φ", facts={"parity": "even", "range": "positive", "log-concave on": "all"},
    exact=lambda mp, x: mp.npdf(x),
)
GELU = Card(
    "gelu", "defined", {None: ("*->*",)}, "x weighted by the normal distribution function",
    lambda np, x: x * NORMCDF.value(np, x),  # type: ignore[misc]
    "#1*scipy.special.ndtr(#1)", scipy=True, definition="x.*normcdf(x)", latex=r"\operatorname{gelu}",
    exact=lambda mp, x: x * mp.ncdf(x),
)
SILU = Card(
    "silu", "defined", {None: ("*->*",)}, "x weighted by the logistic function",
    lambda np, x: x * SIGMOID.value(np, x),  # type: ignore[misc]
    "#1*sigmoid(#1)", helper=_SIGMOID, definition="x.*sigmoid(x)", latex=r"\operatorname{silu}",
    exact=lambda mp, x: x / (1 + mp.exp(-x)),
)  # fmt: skip

CARDS = (EXP, LOG, LOG1P, EXPM1, SQRT, SIN, COS, TAN, ARCSIN, ARCCOS, ARCTAN, ARCTAN2, HYPOT, SINH, COSH, TANH,
         ARCSINH, ARCCOSH, ARCTANH, ABS, SIGN, STEP, RELU, SIGMOID, SOFTPLUS, ERF, ERFC, NORMCDF, NORMPDF, GELU,
         SILU)  # fmt: skip
