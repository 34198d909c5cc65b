"""The gamma function, its logarithm, and the derivatives of that: what likelihoods of counts and shares are made of.

All take x > 0. For a negative x that is no whole number code goes on as its library does, with log|gamma(x)| and its
derivatives; the reference evaluator says nan there, as it does for log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matgrad.functions.card import Card, Whole
from matgrad.functions.gamma_code import OVER, RISE
from matgrad.functions.numeric import Value, lift, lift_pair, special


def _on_positive(function: Value) -> Value:
    return lambda np, x: np.where(x > 0, function(np, x), np.nan)


def _hurwitz(np: Any, k: int, x: Any) -> Any:
    """polygamma(k, x) = (-1)^(k + 1)*k!*zeta(k + 1, x), for k >= 1."""
    import scipy.special  # type: ignore[import-untyped, unused-ignore]

    return (-1.0) ** (k + 1) * scipy.special.gamma(k + 1.0) * scipy.special.zeta(k + 1.0, x)


_digamma = _on_positive(special("digamma"))


def _polygamma(np: Any, k: Any, x: Any) -> Any:
    """The value for a k that is a whole number, whatever type it has."""
    order = int(np.real(k))
    value = _on_positive(lambda np, x: _hurwitz(np, order, x)) if order else _digamma
    return lift(value, lambda np, x: _hurwitz(np, order + 1, x))(np, x)


def _shape(k: int) -> Mapping[str, str]:
    """polygamma(k, x) = (-1)^(k + 1)*k!*sum 1/(x + i)^(k + 1), for k >= 1: all is seen from that."""
    if k % 2:
        return {"range": "positive", "convex on": "positive", "decreasing on": "positive"}
    return {"concave on": "positive", "increasing on": "positive"}


def _lgamma(np: Any, x: Any) -> Any:
    """By the complex function, which is right to the last digit near 1 and 2 too, where the value is 0."""
    import scipy.special

    near = (x > 0.5) & (x < 2.5)
    return np.where(near, scipy.special.loggamma(np.where(near, x, 1) + 0j).real, scipy.special.gammaln(x))


def _in_code(name: str, np: Any, *arguments: Any) -> Any:
    """The value of a function that code uses."""
    names: dict[str, Any] = {"np": np}
    exec(f"import math, scipy.special\n{RISE}\n{OVER}", names)
    return names[name](*arguments)


# fmt: off
LGAMMA = Card(
    "lgamma", "elementwise", {None: ("*->*",)}, "digamma is defined so: the derivative of log(gamma(x))",
    lift(_on_positive(_lgamma), _digamma), "scipy.special.gammaln(#1)", scipy=True, derivative="digamma(x)",
    latex=r"\ln\Gamma", unicode="ln Γ", needs="x > 0",
    laws=("lgamma(x + 1) - lgamma(x) = log(x)",
          "lgamma(2*x) = lgamma(x) + lgamma(x + 1/2) + (2*x - 1)*log(2) - log(pi)/2"),
    facts={"convex on": "positive", "at 1": "0"},
    exact=lambda mp, x: mp.loggamma(x) if x > 0 else mp.mpc(mp.nan), source="DLMF 5", harmless=("1",),
)
DIGAMMA = Card(
    "digamma", "elementwise", {None: ("*->*",)}, "polygamma counts the derivatives of digamma",
    lift(_digamma, lambda np, x: _hurwitz(np, 1, x)), "scipy.special.digamma(#1)", scipy=True,
    derivative="polygamma(1, x)", latex=r"\psi", unicode="ψ", needs="x > 0",
    laws=("digamma(x + 1) - digamma(x) = 1./x",),
    facts={"concave on": "positive", "increasing on": "positive"},
    exact=lambda mp, x: mp.digamma(x) if x > 0 else mp.mpc(mp.nan), source="DLMF 5", harmless=("1",),
)
POLYGAMMA = Card(
    "polygamma", "elementwise", {None: ("*,*->*",)}, "the next derivative of digamma",
    _polygamma, "scipy.special.polygamma(#1, #2)", scipy=True, arguments=("k", "x"),
    whole=Whole("k", "how often digamma is differentiated", least=0), partials=("", "polygamma(k + 1, x)"),
    latex=r"\psi^{(#1)}(#2)", unicode="ψ⁽#1⁾(#2)", needs="x > 0",
    laws=("polygamma(1, x + 1) - polygamma(1, x) = -1./x.^2", "polygamma(0, x) = digamma(x)"),
    facts_at=_shape,
    exact=lambda mp, k, x: mp.psi(int(k), x) if x > 0 else mp.mpc(mp.nan), source="DLMF 5.15", harmless=(None, "1"),
)
GAMMA = Card(
    "gamma", "defined", {None: ("*->*",)}, "the factorial of x - 1, for any x > 0",
    lift(_on_positive(special("gamma")), lambda np, x: special("gamma")(np, x) * _digamma(np, x)),
    "np.exp(scipy.special.gammaln(#1))", scipy=True, definition="exp(lgamma(x))",
    latex=r"\Gamma", unicode="Γ", needs="x > 0",
    exact=lambda mp, x: mp.gamma(x) if x > 0 else mp.mpc(mp.nan), source="DLMF 5", harmless=("1",),
)
LBETA = Card(
    "lbeta", "defined", {None: ("*,*->*",)}, "the logarithm of the beta function, gamma(x)*gamma(y)/gamma(x + y)",
    lift_pair(
        lambda np, x, y: np.where(np.minimum(x, y) > 0, -_in_code("lgamma_over", np, x + y, x, y, y, x), np.nan),
        lambda np, x, y: -_in_code("polygamma_rise", np, 0, x, x + y, y),
        lambda np, x, y: -_in_code("polygamma_rise", np, 0, y, x + y, x),
    ),
    "scipy.special.betaln(#1, #2)", scipy=True, arguments=("x", "y"),
    definition="lgamma(x) + lgamma(y) - lgamma(x + y)", latex=r"\operatorname{lbeta}",
    needs="x > 0 and y > 0",
    exact=lambda mp, x, y: mp.log(mp.beta(x, y)) if min(x, y) > 0 else mp.mpc(mp.nan), source="DLMF 5.12",
    harmless=("1", "1"),
)
# fmt: on

CARDS = (LGAMMA, DIGAMMA, POLYGAMMA, GAMMA, LBETA)
