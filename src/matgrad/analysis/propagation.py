"""Propagation of uncertainty: the covariance of F(x) from that of x.

First order: E F ≈ F(μ), Cov F ≈ J Σ Jᵀ. Second order, for normally distributed x: E Fᵢ ≈ Fᵢ(μ) + ½ tr(Hᵢ Σ) and
Cov(Fᵢ, Fⱼ) ≈ (J Σ Jᵀ)ᵢⱼ + ½ tr(Hᵢ Σ Hⱼ Σ). A Monte Carlo run shows what both leave out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from matgrad.analysis.covariances import joint, root
from matgrad.analysis.linear import SecondDifferential
from matgrad.analysis.report import array, labelled, number, table
from matgrad.analysis.setting import MOST_ENTRIES, Setting, formula_at
from matgrad.errors import DataError, MatgradError
from matgrad.formula.declarations import Where
from matgrad.objects.asking import Text

Array = Any
FAR = 4.0
"""Standard errors from which Monte Carlo is said to contradict an approximation."""


def propagate(
    formula: Text,
    mean: Mapping[str, Any],
    covariance: Any,
    *,
    where: Where = None,
    samples: int = 0,
    seed: int = 0,
) -> Propagation:
    """The mean and covariance of a formula's value, to first and second order, from those of its variables.

    ``mean`` has a value for every variable. ``covariance`` has, for those that are uncertain, a variance, an array of
    variances, or a covariance; for a pair of names the covariances between them; other variables are exact. Or it is
    one matrix over all entries. ``samples`` asks for a Monte Carlo check with so many draws.

    >>> p = propagate("a*b", {"a": 3.0, "b": 4.0}, {"a": 0.01, "b": 0.04})
    >>> p.value, round(p.standard_deviation, 6), round(p.contributions["a"], 6)
    (12.0, 0.72111, 0.307692)
    >>> p.text
    'b^2*var_a + a^2*var_b'
    """
    formula = formula_at(formula, mean, where)
    given = [*formula.typed.variables] if not isinstance(covariance, Mapping) else _named(covariance)
    absent = [name for name in given if name not in formula.typed.variables]
    if absent:
        known = ", ".join(formula.typed.variables)
        raise DataError(f"there is no variable {absent[0]}", details=f"the variables are {known}")
    if not given:
        raise DataError("no variable has a covariance", hint='{"x": 0.01}, by name')
    wrt = [name for name in formula.typed.variables if name in given]
    setting = Setting(formula, mean, wrt)
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 0 or samples == 1:
        raise DataError(f"the number of samples is a whole number from 2, or 0 for none, not {samples!r}")
    return Propagation(setting, joint(covariance, setting.coordinates), samples, seed)


def _named(covariance: Mapping[Any, Any]) -> list[str]:
    return [name for key in covariance for name in (key if isinstance(key, tuple) else (key,))]


class MonteCarlo(NamedTuple):
    """Sample moments, each with its standard error, in the shape of the value; ``undefined`` draws do not count."""

    mean: Array
    mean_error: Array
    covariance: Array
    covariance_error: Array
    standard_deviation: Array
    standard_deviation_error: Array
    samples: int
    undefined: int


class Propagation:
    """Mean and covariance of the value. Made by :func:`propagate`."""

    def __init__(self, setting: Setting, inputs: Array, samples: int, seed: int) -> None:
        self.setting, self.inputs, self.samples, self.seed = setting, inputs, samples, seed
        self.jacobian = setting.jacobian
        flat = setting.value
        self.value = flat.reshape(setting.shape) if setting.shape else float(flat[0])

    def _shaped(self, flat: Array) -> Array:
        """A vector over the outputs, or a matrix over pairs of them, with the axes of the value."""
        found = np.reshape(flat, self.setting.shape * np.ndim(flat))
        return found if self.setting.shape else float(found)

    # -- first order

    @cached_property
    def _first(self) -> Array:
        return spread(self.jacobian, self.inputs)

    @property
    def covariance(self) -> Array:
        """J Σ Jᵀ: a number for a scalar; else with the axes of the value twice."""
        return self._shaped(self._first)

    @property
    def standard_deviation(self) -> Array:
        return self._shaped(np.sqrt(np.diag(self._first)))

    @property
    def correlation(self) -> Array:
        """The covariance between standardised outputs; nan where one has no variance."""
        scale = np.sqrt(np.diag(self._first))
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._shaped(self._first / np.outer(scale, scale))

    @cached_property
    def contributions(self) -> dict[str, Array]:
        """The part of each output's variance that each variable makes alone; correlations make up what is left to 1.

        nan where the output has no variance.
        """
        alone = {}
        for name, span in self.setting.coordinates.spans().items():
            alone[name] = np.diag(spread(self.jacobian[:, span], self.inputs[span, span]))
        total = np.diag(self._first)
        known = total > 1e-20 * np.sum(list(alone.values()), axis=0)  # else correlations cancel all but rounding
        parts = {name: np.where(known, part / np.where(known, total, 1.0), np.nan) for name, part in alone.items()}
        return {name: self._shaped(part) for name, part in parts.items()}

    @cached_property
    def text(self) -> str | None:
        """J Σ Jᵀ in closed form for scalars and vectors that are not correlated between variables; else None.

        ``var_a`` is the variance of a scalar a, ``Sigma_x`` the covariance of a vector x.
        """
        from matgrad.analysis.closed import covariance_text

        spans = self.setting.coordinates.spans().values()
        blocks = np.zeros_like(self.inputs)
        for span in spans:
            blocks[span, span] = self.inputs[span, span]
        if not np.array_equal(blocks, self.inputs):
            return None
        try:
            return covariance_text(self.setting)
        except MatgradError:
            return None

    # -- second order

    @property
    def _large(self) -> bool:
        """Whether there are too many second derivatives for an array."""
        return len(self.setting.outputs) * self.setting.coordinates.size**2 > MOST_ENTRIES

    @cached_property
    def _curved(self) -> Array:
        """Hᵢ Σ for each output."""
        variances = np.diag(self.inputs)
        if np.count_nonzero(self.inputs) == np.count_nonzero(variances):
            return self.setting.hessians * variances
        return self.setting.hessians @ self.inputs

    @cached_property
    def second_mean(self) -> Array:
        """F(μ) + ½ tr(H Σ); the trace is the sum of d²F[l, l] over the columns l of a root of Σ."""
        if not self._large:
            return self._shaped(self.setting.value + 0.5 * np.trace(self._curved, axis1=1, axis2=2))
        known = self.setting
        second = SecondDifferential(known.formula, known.wrt)
        moves = (known.coordinates.arrays(column) for column in root(self.inputs).T)
        columns = (second.along(move, known.arrays, known.sizes) for move in moves)
        return self._shaped(self.setting.value + 0.5 * sum(np.reshape(value, -1) for value in columns))

    @cached_property
    def second_covariance(self) -> Array:
        """J Σ Jᵀ + ½ tr(Hᵢ Σ Hⱼ Σ), for normally distributed variables."""
        bent = self._curved
        flat, turned = (array.reshape(len(bent), -1) for array in (bent, bent.transpose(0, 2, 1)))
        return self._shaped(self._first + 0.5 * flat @ turned.T)

    @property
    def second_standard_deviation(self) -> Array:
        size = len(self.setting.outputs)
        return self._shaped(np.sqrt(np.diag(np.reshape(self.second_covariance, (size, size)))))

    # -- Monte Carlo

    @cached_property
    def monte_carlo(self) -> MonteCarlo | None:
        """Sample moments of the value for normally distributed variables; None where no samples were asked for."""
        if not self.samples:
            return None
        drawn = self._drawn()
        known = drawn[np.all(np.isfinite(drawn), axis=1)]
        n = len(known)
        if n < 2:
            raise DataError(
                f"the formula is not defined at {len(drawn) - n} of {len(drawn)} random points",
                hint="a smaller covariance, or a mean further inside the domain",
            )
        mean = known.mean(0)
        apart = known - mean
        covariance = apart.T @ apart / (n - 1)
        squares = (apart**2).T @ (apart**2) / n - (apart.T @ apart / n) ** 2
        deviation = np.sqrt(np.diag(covariance))
        error = np.sqrt(np.maximum(squares, 0) / n)
        with np.errstate(divide="ignore", invalid="ignore"):
            of_deviation = np.where(deviation > 0, np.diag(error) / (2 * deviation), 0.0)
        return MonteCarlo(
            mean=self._shaped(mean),
            mean_error=self._shaped(deviation / np.sqrt(n)),
            covariance=self._shaped(covariance),
            covariance_error=self._shaped(error),
            standard_deviation=self._shaped(deviation),
            standard_deviation_error=self._shaped(of_deviation),
            samples=n,
            undefined=len(drawn) - n,
        )

    def _drawn(self) -> Array:
        rng = np.random.default_rng(self.seed)
        half, point = root(self.inputs), self.setting.point
        rows: list[Array] = []
        moves = (half @ rng.standard_normal(half.shape[1]) for _ in range(self.samples))
        try:
            rows.extend(self.setting.value_at(point + move) for move in moves)
        except KeyboardInterrupt:  # what was drawn before counts
            if len(rows) < 2:
                raise
        return np.array(rows)

    # -- what is said

    def __str__(self) -> str:
        setting = self.setting
        letter = "F" if setting.shape else "f"
        rows = [("formula", setting.formula.text)]
        rows += [(f"∂{letter}/∂{name}", d.text) for name, d in setting.derivatives.items()]
        if self.text is not None:
            rows.append(("Cov(F) = J Σ Jᵀ" if setting.shape else "Var(f) = J Σ Jᵀ", self.text))
        return "\n".join([labelled(rows), "", *self._table(), *self._said()])

    def _table(self) -> list[str]:
        columns: list[tuple[str, Array, Array]] = [
            ("first order", self.setting.value, np.sqrt(np.diag(self._first))),
            ("second order", np.ravel(self.second_mean), self._second_deviations()),
        ]
        drawn = self.monte_carlo
        head = ["", *(name for name, _, _ in columns)]
        rows = []
        for i, label in enumerate(self.setting.outputs[:SHOWN]):
            rows.append([label, *(f"{number(m[i])} ± {number(s[i], 4)}".replace("± nan", "") for _, m, s in columns)])
            if drawn is not None:
                m, s = np.ravel(drawn.mean)[i], np.ravel(drawn.standard_deviation)[i]
                rows[-1].append(f"{number(m)} ± {number(s, 4)}")
        if drawn is not None:
            head.append("Monte Carlo")
        said = table([head, *rows], left=1)
        if len(self.setting.outputs) > SHOWN:
            said.append(f"… and {len(self.setting.outputs) - SHOWN} more outputs")
        return said

    def _second_deviations(self) -> Array:
        """nan where second derivatives are too many for an array."""
        if self._large:
            return np.full(len(self.setting.outputs), np.nan)
        return np.ravel(self.second_standard_deviation)

    def _said(self) -> list[str]:
        said = []
        if self._large:
            said.append("of second order the mean alone: there are too many second derivatives for the covariance")
        if len(self.setting.outputs) > 1 and len(self.setting.outputs) <= 8:
            said.append(labelled([("covariance", array(self._first))]))
        shares = self.contributions
        if not self.setting.shape and len(shares) > 1 and not any(np.isnan(part) for part in shares.values()):
            parts = ", ".join(f"{name} {100 * float(part):.3g} %" for name, part in shares.items())
            rest = 1 - sum(float(part) for part in shares.values())
            correlated = f", correlations {100 * rest:.3g} %" if abs(rest) > 1e-9 else ""
            said.append(f"of the variance: {parts}{correlated}")
        if self.monte_carlo is not None:
            said += self._compared(self.monte_carlo)
        return [*said, *self.setting.notes]

    def _compared(self, drawn: MonteCarlo) -> list[str]:
        """Monte Carlo beside each approximation, in standard errors."""
        said = [
            (
                f"Monte Carlo: {drawn.samples} normal draws (seed {self.seed}), standard errors up to "
                f"{number(np.max(drawn.mean_error), 2)} of a mean and "
                f"{number(np.max(drawn.standard_deviation_error), 2)} of a standard deviation"
            )
        ]
        if drawn.undefined:
            said.append(
                f"{drawn.undefined} more draws lie where the formula is not defined: the normal law does not fit"
            )
        orders = [("first", self.value, self.standard_deviation)]
        if not self._large:
            orders.append(("second", self.second_mean, self.second_standard_deviation))
        for name, mean, deviation in orders:
            off_mean = self.off(drawn.mean, mean, drawn.mean_error)
            off_deviation = self.off(drawn.standard_deviation, deviation, drawn.standard_deviation_error)
            verdict = "agrees" if max(off_mean, off_deviation) <= FAR else "does not agree"
            said.append(
                f"{name} order {verdict}: off by {number(off_mean, 2)} standard errors in the mean, "
                f"{number(off_deviation, 2)} in the standard deviation"
            )
        return said

    def off(self, drawn: Array, approximate: Array, error: Array) -> float:
        """The largest difference in standard errors."""
        apart = np.abs(np.ravel(drawn) - np.ravel(approximate))
        matters = apart > 1e-9 * (np.abs(np.ravel(approximate)) + np.sqrt(np.diag(self._first)))  # more than rounding
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.max(np.where(matters, apart / np.ravel(error), 0.0), initial=0.0))

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain data for JSON."""
        found: dict[str, Any] = {
            "formula": self.setting.formula.text,
            "text": self.text,
            "inputs": list(self.setting.inputs),
            "outputs": list(self.setting.outputs),
            "jacobian": self.jacobian,
            "value": self.value,
            "covariance": self.covariance,
            "standard_deviation": self.standard_deviation,
            "contributions": self.contributions,
            "second_mean": self.second_mean,
        }
        if not self._large:
            found["second_covariance"] = self.second_covariance
        if self.monte_carlo is not None:
            found["monte_carlo"] = self.monte_carlo._asdict()
        return {key: plain(entry) for key, entry in found.items()}


SHOWN = 20
"""Outputs in a report."""


def spread(jacobian: Array, covariance: Array) -> Array:
    """J Σ Jᵀ, symmetric and without negative variances by rounding."""
    found = jacobian @ covariance @ jacobian.T
    found = (found + found.T) / 2
    np.fill_diagonal(found, np.maximum(np.diag(found), 0))
    return found


def plain(value: Any) -> Any:
    """Arrays as lists, for JSON."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value
