"""NumPy's and SciPy's ufuncs by name: functions entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matgrad.objects import comparison, elementwise, linear, reductions
from matgrad.objects.value import literal

_SAME = (
    "exp", "log", "log1p", "expm1", "sqrt", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
    "arcsinh", "arccosh", "arctanh", "sign", "erf", "erfc",
)  # fmt: skip

UFUNCS: dict[str, Callable[..., Any]] = {
    **{name: elementwise.applied(name) for name in _SAME},
    "absolute": elementwise.absolute,
    "fabs": elementwise.absolute,
    "negative": elementwise.negative,
    "positive": lambda x: x,
    "conjugate": lambda x: x,
    "square": elementwise.square,
    "reciprocal": elementwise.reciprocal,
    "cbrt": elementwise.cbrt,
    "log2": elementwise.log_base(2),
    "log10": elementwise.log_base(10),
    "exp2": elementwise.exp_base(2),
    "exp10": elementwise.exp_base(10),
    "add": elementwise.add,
    "subtract": elementwise.subtract,
    "multiply": elementwise.multiply,
    "divide": elementwise.divide,
    "power": elementwise.power,
    "float_power": elementwise.power,
    "maximum": elementwise.maximum,
    "minimum": elementwise.minimum,
    "fmax": elementwise.maximum,
    "fmin": elementwise.minimum,
    "logaddexp": elementwise.logaddexp,
    "hypot": elementwise.pairwise("hypot"),
    "arctan2": elementwise.pairwise("arctan2"),
    "heaviside": elementwise.heaviside,
    "matmul": linear.matmul,
    "vecdot": lambda a, b: reductions.total(elementwise.multiply(a, b), -1),
    "matvec": linear.matmul,
    "greater": comparison.greater,
    "less": lambda a, b: comparison.greater(b, a),
    "greater_equal": comparison.greater_equal,
    "less_equal": lambda a, b: comparison.greater_equal(b, a),
    # scipy.special
    "expit": elementwise.applied("sigmoid"),
    "ndtr": elementwise.normcdf,
    "log_expit": lambda x: elementwise.negative(elementwise.softplus(elementwise.negative(x))),
    "logit": lambda x: elementwise.log(elementwise.divide(x, elementwise.subtract(literal(1), x))),
    "xlogy": lambda x, y: elementwise.multiply(x, elementwise.log(y)),
    "xlog1py": lambda x, y: elementwise.multiply(x, elementwise.log1p(y)),
    "entr": lambda x: elementwise.negative(elementwise.multiply(x, elementwise.log(x))),
    "gamma": elementwise.applied("gamma"),
    "gammaln": elementwise.applied("lgamma"),
    "loggamma": elementwise.applied("lgamma"),
    "psi": elementwise.applied("digamma"),
    "betaln": elementwise.pairwise("lbeta"),
    "beta": lambda x, y: elementwise.exp(elementwise.pairwise("lbeta")(x, y)),
    "rel_entr": lambda x, y: elementwise.multiply(x, elementwise.log(elementwise.divide(x, y))),
}

REDUCES = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}
"""The reduction that a ufunc's ``reduce`` is."""

INSTEAD = {
    "floor_divide": "x / y", "remainder": "x - y*k, with k a whole number", "fmod": "x - y*k, with k a whole number",
    "equal": "x == y compares the formulas as a whole", "not_equal": "x != y compares the formulas as a whole",
    "floor": "it is constant between whole numbers", "ceil": "it is constant between whole numbers",
    "rint": "it is constant between whole numbers", "trunc": "it is constant between whole numbers",
    "logical_and": "(x > 0) & (y > 0)", "logical_or": "(x > 0) | (y > 0)", "logical_not": "~(x > 0)",
    "deg2rad": "x*np.pi/180", "radians": "x*np.pi/180", "rad2deg": "x*180/np.pi", "degrees": "x*180/np.pi",
    "copysign": "np.abs(x)*np.sign(y)", "logaddexp2": "np.log(2**x + 2**y)/np.log(2)",
    "factorial": "special.gamma(n + 1)", "rgamma": "1/special.gamma(x)", "gammainc": "it is not in the language",
}  # fmt: skip
"""What to use for those that formulas do not have."""
