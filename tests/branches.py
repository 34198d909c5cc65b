"""Formulas by cases, their branches in mpmath, and points where the branches that are not taken have no value.

The truth at a point is the branch that is taken there and its derivatives, also at a tie.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import mpmath
import numpy as np

import matgrad
from matgrad.answer.formula import Formula

Scalar = Callable[[Any], Any]
mp = mpmath.mp


class Branches(NamedTuple):
    """A formula in a vector x, entry by entry; pairs of a test and the branch that is taken where it is the first to
    hold; points."""

    formula: Any
    branches: Sequence[tuple[Scalar, Scalar]]
    at: Sequence[float]

    @property
    def parsed(self) -> Formula:
        return as_formula(self.formula)

    @property
    def total(self) -> Formula:
        if isinstance(self.formula, str):
            return matgrad.parse(f"sum({self.parsed.text})", where=WHERE)
        return matgrad.parse(np.sum(self.formula))

    def truth(self, order: int) -> np.ndarray:
        """Derivatives of each entry in its own variable."""
        with mp.workdps(60):
            return np.array([float(mpmath.re(self._at(mp.mpf(z), order))) for z in self.at])

    def _at(self, z: Any, order: int) -> Any:
        (taken,) = [branch for test, branch in self.branches if test(z)][:1]
        return mp.diff(taken, z, order) if order else taken(z)


def as_formula(formula: Any) -> Formula:
    if isinstance(formula, str) and "cases" in formula:
        return matgrad.parse_latex(formula, where=WHERE)
    return matgrad.parse(formula, where=WHERE) if isinstance(formula, str) else matgrad.parse(formula)


WHERE = "x: vector(n)"
x = matgrad.vector("x", "n")
w = np.where
e = mpmath.exp
_POSITIVE: Scalar = lambda z: z > 0  # noqa: E731
_ELSE: Scalar = lambda _: True  # noqa: E731
_FAR = [-800.0, -3.0, 0.0, 0.5, 3.0, 800.0]
_NEAR = [-3.0, -1.0, 0.0, 0.5, 1.0, 3.0]


def _where(then: Scalar, otherwise: Scalar = lambda z: 0 * z, test: Scalar = _POSITIVE) -> list[tuple[Scalar, Scalar]]:
    return [(test, then), (_ELSE, otherwise)]


def _softplus(z: Any) -> Any:
    return mpmath.log(1 + e(z))


def _share(z: Any) -> Any:
    return 1 / (1 + e(-z))


_XLOGX = _where(lambda z: z * mpmath.log(z))
_ELU = _where(lambda z: z, lambda z: e(z) - 1)
_GEV = _where(lambda z: (1 + z / 2) ** -3 * e(-((1 + z / 2) ** -2)), test=lambda z: z > -2)

CASES = {
    "elu": Branches(w(x > 0, x, np.exp(x) - 1), _ELU, _FAR),
    "elu, typed": Branches("step(x).*x + (1 - step(x)).*(exp(x) - 1)", _ELU, _FAR),
    "elu, the other step": Branches("step(x).*x + step(-x).*(exp(x) - 1)", _ELU, [-800.0, -3.0, 0.5, 800.0]),
    "selu": Branches(1.05 * w(x > 0, x, 1.67 * (np.exp(x) - 1)),
                     _where(lambda z: 1.05 * z, lambda z: mp.mpf(1.05) * mp.mpf(1.67) * (e(z) - 1)), _FAR),
    "softplus": Branches(w(x > 0, x + np.log(1 + np.exp(-x)), np.log(1 + np.exp(x))),
                         _where(_softplus, _softplus), _FAR),
    "softplus with a threshold": Branches(w(x > 20, x, np.log(1 + np.exp(x))), _where(
        lambda z: z, _softplus, lambda z: z > 20), _FAR),
    "log1pexp": Branches(w(x > 30, x, w(x > -30, np.log(1 + np.exp(x)), np.exp(x))), [
        (lambda z: z > 30, lambda z: z), (lambda z: z > -30, _softplus), (_ELSE, e)], _FAR),
    "sigmoid": Branches(w(x > 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x))), _where(_share, _share), _FAR),
    "huber": Branches(w(abs(x) > 1, abs(x) - 0.5, x**2 / 2), _where(
        lambda z: abs(z) - mp.mpf(0.5), lambda z: z * z / 2, lambda z: abs(z) > 1), [-1e6, -0.5, 0.5, 1.0, 30.0]),
    "smooth hinge": Branches(w(x > 1, 0, w(x > 0, (1 - x) ** 2 / 2, 0.5 - x)), [
        (lambda z: z > 1, lambda z: 0 * z), (_POSITIVE, lambda z: (1 - z) ** 2 / 2), (_ELSE, lambda z: 0.5 - z)],
        _NEAR),
    "quantile loss of exp": Branches(w(x > 0, 0.25 * x, 0.75 * (np.exp(-x) - 1)), _where(
        lambda z: z / 4, lambda z: mp.mpf(0.75) * (e(-z) - 1)), [-5.0, 0.0, 2.0, 800.0]),
    "sinc": Branches(w(abs(x) > 0, np.sin(x) / x, 1), _where(
        lambda z: mpmath.sin(z) / z, lambda z: 1 + 0 * z, lambda z: z != 0), [-3.0, 0.0, 0.5]),
    "sinc by its series": Branches(w(abs(x) > 0.01, np.sin(x) / x, 1 - x**2 / 6), _where(
        lambda z: mpmath.sin(z) / z, lambda z: 1 - z**2 / 6, lambda z: abs(z) > 0.01), [-3.0, 0.0, 0.005, 0.5]),
    "entropy": Branches("step(x).*x.*log(x)", _XLOGX, _NEAR),
    "entropy by where": Branches(w(x > 0, x * np.log(x), 0), _XLOGX, _NEAR),
    "entropy by cases": Branches(
        r"\begin{cases} x \odot \log x & x > 0 \\ 0 & \text{otherwise} \end{cases}", _XLOGX, _NEAR),
    "a masked logarithm": Branches("step(x).*log(x)", _where(mpmath.log), _NEAR),
    "a masked logarithm of 1 - x": Branches("step(1 - x).*log(1 - x).^2 + step(x - 1).*x", _where(
        lambda z: mpmath.log(1 - z) ** 2, lambda z: z, lambda z: z < 1), [-3.0, 0.5, 3.0]),
    "a masked root": Branches(w(x > 0, np.sqrt(x), 0), _where(mpmath.sqrt), _NEAR),
    "two roots": Branches(w(x > 0, np.sqrt(x), -np.sqrt(-x)), _where(mpmath.sqrt, lambda z: -mpmath.sqrt(-z)),
                          [-3.0, -0.5, 0.5, 3.0]),
    "a power with a cutoff": Branches(w(x > 1, x**-2.5, 0), _where(lambda z: z**-2.5, test=lambda z: z > 1), _NEAR),
    "a power law with a core": Branches(w(x > 1, 1 / np.sqrt(x), 1.5 - x / 2), _where(
        lambda z: 1 / mpmath.sqrt(z), lambda z: 1.5 - z / 2, lambda z: z > 1), _NEAR),
    "a root or a line": Branches(w(x > 0, x**1.5, -x), _where(lambda z: z**1.5, lambda z: -z), _NEAR),
    "quotient by what is 0": Branches(w(x > 1, np.log(x) ** 2 / (x - 1), x**3), _where(
        lambda z: mpmath.log(z) ** 2 / (z - 1), lambda z: z**3, lambda z: z > 1), _NEAR),
    "tanh": Branches(w(x > 0, (1 - np.exp(-2 * x)) / (1 + np.exp(-2 * x)), (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1)),
                     _where(mpmath.tanh, mpmath.tanh), [-800.0, -3.0, 0.0, 3.0, 800.0]),
    "extreme values": Branches(w(1 + 0.5 * x > 0, (1 + 0.5 * x) ** -3 * np.exp(-((1 + 0.5 * x) ** -2.0)), 0), _GEV,
                               [-30.0, -2.0, -1.0, 0.5, 3.0]),
    "arcsin": Branches(w(abs(x) < 1, np.arcsin(x), x), _where(
        mpmath.asin, lambda z: z, lambda z: abs(z) < 1), [-3.0, -0.5, 0.5, 3.0]),
    "arccosh": Branches(w(x > 1, np.arccosh(x), 0), _where(mpmath.acosh, test=lambda z: z > 1), _NEAR),
    "arctanh": Branches(w((x > -1) & (x < 1), np.arctanh(x), x**3), _where(
        mpmath.atanh, lambda z: z**3, lambda z: abs(z) < 1), _NEAR),
    "loggamma": Branches("step(x).*lgamma(x) + (1 - step(x)).*x", _where(mpmath.loggamma, lambda z: z),
                         [-3.0, 0.5, 3.0]),
    "tests of functions": Branches(w(x > 0, w(np.log(x) > 0, np.log(np.log(x)), 1), x), [
        (lambda z: z > 1, lambda z: mpmath.log(mpmath.log(z))), (_POSITIVE, lambda z: 1 + 0 * z), (_ELSE, lambda z: z)],
        [-3.0, 0.5, 3.0]),
    "either": Branches(w((x > 1) | (x < -1), np.log(x**2 - 1), 0), _where(
        lambda z: mpmath.log(z * z - 1), test=lambda z: abs(z) > 1), [-3.0, -1.0, 0.0, 0.5, 3.0]),
    "a logarithm over x": Branches(w(x < 1, 0, np.log(x) / x), _where(
        lambda z: 0 * z, lambda z: mpmath.log(z) / z, lambda z: z < 1), _NEAR),
    "over one denominator": Branches(
        "step(x - 1).*(tanh(x)./x.^2) + (1 - step(x - 1)).*(step(-1 - x).*(sin(x)./x) + step(1 - x.^2).*sigmoid(x))", [
            (lambda z: z > 1, lambda z: mpmath.tanh(z) / z**2), (lambda z: z < -1, lambda z: mpmath.sin(z) / z),
            (_ELSE, _share)], [-3.0, -0.5, 0.0, 0.5, 3.0]),
    "beside a series": Branches(w(x > -2, w(abs(x) > 1, np.tanh(x) / x**2, np.cosh(2 * x)), np.sin(x) / x), [
        (lambda z: z > -2 and abs(z) > 1, lambda z: mpmath.tanh(z) / z**2),
        (lambda z: z > -2, lambda z: mpmath.cosh(2 * z)), (_ELSE, lambda z: mpmath.sin(z) / z)],
        [-5.5, -1.5, -0.5, 0.0, 0.5, 3.0, 700.0]),
    "beside an arcsine": Branches(w(x > 0, np.sqrt(x + 1), np.arcsin(x)) * (np.sin(x) / x), _where(
        lambda z: mpmath.sqrt(z + 1) * mpmath.sin(z) / z, lambda z: mpmath.asin(z) * mpmath.sin(z) / z),
        [-0.5, 0.5, 1.0, 3.0]),
    "an exponential beside a series": Branches(
        w(x > -2, np.log(1 + np.exp(-x)) * (np.sin(x) / x), w(x > 1, np.exp(3 * x), np.exp(x))), [
            (lambda z: z > -2, lambda z: mpmath.log(1 + e(-z)) * mpmath.sin(z) / z), (_ELSE, e)],
        [-5.5, -1.5, 0.5, 3.0, 700.0]),
    "growth until a bound": Branches(w(x < 5, np.sinh(x), np.cosh(5.0)), _where(
        mpmath.sinh, lambda z: 0 * z + mpmath.cosh(5), lambda z: z < 5), [-3.0, 0.5, 5.0, 800.0]),
}  # fmt: skip
