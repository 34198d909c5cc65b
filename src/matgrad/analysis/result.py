"""What a minimisation gives: SciPy's OptimizeResult, with values by name, a history, and why the method was chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

from matgrad.errors import MatgradError

Array = Any
_SHOWN = 8
"""Entries of a vector, or rows of a matrix, that are printed."""


class Result(OptimizeResult):  # type: ignore[misc]
    """SciPy's result (``x``, ``fun``, ``jac``, ``nit``, ``success``, ``message``, …) and more.

    ``values`` holds the variables by name; ``history`` one Iteration(number, fun, gradient, step, z) for each point;
    ``method`` and ``why`` say what was done and why; ``notes`` what else was found; ``seconds`` how long it took.
    """

    @property
    def values(self) -> dict[str, Array]:  # a result is a dict, whose method this hides
        """The variables by name."""
        found: dict[str, Array] = self["values"]
        return found

    def standard_errors(self) -> dict[str, Array]:
        """The square roots of the diagonal of H⁻¹, by name: standard errors, where f is a negative log-likelihood.

        H is the Hessian at the solution, the observed information. Raises MatgradError unless it is positive definite.
        """
        made = self.objective
        hessian = made.hess(self.x)
        values = np.linalg.eigvalsh(hessian)
        if not np.all(np.isfinite(hessian)) or values[0] <= 1e-14 * abs(values[-1]):
            raise MatgradError(
                f"the Hessian at the solution is not positive definite: its least eigenvalue is {values[0]:.2g}",
                hint="a point that is a strict minimum",
            )
        found: dict[str, Array] = made.unpack(np.sqrt(np.diag(np.linalg.inv(hessian))))
        return found

    def to_dict(self) -> dict[str, Any]:
        """What is printed, and the history, as plain data for JSON: numbers that are not finite are null."""
        keys = ("method", "why", "success", "status", "message", "nit", "nfev", "njev", "nhev")
        history = [
            {"iteration": k, "value": _number(value), "gradient": _number(slope), "step": _number(step)}
            for k, value, slope, step, _ in self.history
        ]
        return {
            "formula": self.objective.formula.text,
            "over": list(self.objective.over),
            **{key: self[key] for key in keys},
            "notes": list(self.notes),
            "value": _number(self.fun),
            "at": {name: np.asarray(value).tolist() for name, value in self.values.items()},
            "history": history,
            "seconds": round(self.seconds, 6),
        }

    def __str__(self) -> str:
        """A short report: what was done, how it ended, and the values."""
        shown = [f"{name} = {_shown(value)}" for name, value in self.values.items()]
        lines = [
            f"method      {self.method}: {self.why}",
            f"ended       {self.message}",
            f"value       {self.fun:.10g}, after {self.nit} iteration{'s' * (self.nit != 1)}, {self.seconds:.2g} s",
            f"gradient    {self.history[-1].gradient:.1e} in norm; {self.history[0].gradient:.1e} at the start",
            *(f"note        {note}" for note in self.notes),
            *(
                ("at          " if k == 0 else " " * 12) + line.replace("\n", "\n" + " " * (15 + len(name)))
                for k, (name, line) in enumerate(zip(self.values, shown, strict=True))
            ),
        ]
        return "\n".join(lines)

    __repr__ = __str__


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _shown(value: Array) -> str:
    array = np.asarray(value)
    if not array.ndim:
        return f"{float(array):.8g}"
    if array.size > _SHOWN * 12:
        size = " × ".join(map(str, array.shape))
        return f"{size} numbers from {array.min():.4g} to {array.max():.4g}"
    return np.array2string(array, precision=6, suppress_small=False, max_line_width=100)
