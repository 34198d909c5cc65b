"""The answers that the server gives, as plain data: text, LaTeX, conditions, what was assumed, and the check.

>>> derive("norm2(A*x - b)^2", wrt="x")["text"]
"2*A'*(A*x - b)"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matgrad
from matgrad.errors import DataError, MatgradError

MOST_CHARS = 100_000
"""Of an answer; a longer one is an error, not a flood."""
MOST_NUMBERS = 10_000
"""In the arrays of a point, and in a value."""


def derive(
    formula: str,
    wrt: str | None = None,
    where: str | None = None,
    order: int = 1,
    layout: str = "mixed",
    symmetric: str = "projected",
    latex_input: bool = False,
) -> dict[str, Any]:
    """The derivative, with its conditions and its check."""
    known = _formula(formula, where, latex_input)
    derivative = matgrad.derive(known, wrt, order=order, layout=layout, symmetric=symmetric)
    data = derivative.to_dict()
    check = derivative.verify()
    data["check"] = _check(check.passed, check.method, check.points, check.max_relative_error)
    return _asked(known) | data


def explain(
    formula: str,
    wrt: str | None = None,
    where: str | None = None,
    order: int = 1,
    style: str = "differential",
    brief: bool = False,
    latex_input: bool = False,
) -> dict[str, Any]:
    """The derivation, each line with its law; every line was checked."""
    known = _formula(formula, where, latex_input)
    derivation = matgrad.explain(known, wrt, order=order, style=style, brief=brief)
    conditions = list(dict.fromkeys(c for name in derivation.wrt for c in matgrad.derive(known, name).conditions))
    points, error = derivation.points, derivation.max_relative_error
    return _asked(known) | {
        "text": derivation.text,
        "latex": derivation.latex,
        "conditions": conditions,
        "check": _check(True if points else None, "every line at random points", points, error),
    }


def check(
    formula: str,
    answer: str,
    wrt: str | None = None,
    where: str | None = None,
    order: int = 1,
    layout: str = "mixed",
    symmetric: str = "projected",
    latex_input: bool = False,
) -> dict[str, Any]:
    """The verdict on an answer."""
    known = _formula(formula, where, latex_input)
    verdict = matgrad.check_answer(known, wrt, answer, order=order, layout=layout, symmetric=symmetric)
    return _asked(known) | verdict.to_dict()


def evaluate(
    formula: str,
    at: Mapping[str, Any],
    wrt: str | None = None,
    where: str | None = None,
    order: int = 1,
    latex_input: bool = False,
) -> dict[str, Any]:
    """The value at arrays by name; and that of the derivative, where one is asked for."""
    known = _formula(formula, where, latex_input)
    point = _point(at)
    data = _asked(known) | {"shape": list(known.shape), "value": _numbers(known(**point), "the value")}
    if wrt is not None or known.asks:
        derivative = matgrad.derive(known, wrt, order=order)
        data["derivative"] = {
            "text": derivative.text,
            "latex": derivative.latex,
            "shape": list(derivative.shape),
            "conditions": list(derivative.conditions),
            "value": _numbers(derivative(**point), "the derivative"),
        }
    return data


TOOLS: dict[str, Callable[..., dict[str, Any]]] = {
    "derive": derive, "explain": explain, "check": check, "evaluate": evaluate,
}  # fmt: skip


def _formula(formula: str, where: str | None, latex_input: bool) -> matgrad.Formula:
    return (matgrad.parse_latex if latex_input else matgrad.parse)(formula, where=where)


def _asked(formula: matgrad.Formula) -> dict[str, Any]:
    """The formula as it was understood."""
    return {
        "formula": formula.text, "formula_latex": formula.latex, "variables": formula.variables,
        "assumed": list(formula.assumed),
    }  # fmt: skip


def _check(passed: bool | None, method: str, points: int, error: float) -> dict[str, Any]:
    return {"passed": passed, "method": method, "points": points, "max_relative_error": float(error)}


def _point(at: Mapping[str, Any]) -> dict[str, Any]:
    import numpy as np

    found: dict[str, Any] = {}
    for name, value in at.items():
        try:
            found[name] = np.array(value, dtype=float)
        except (TypeError, ValueError):
            raise DataError(
                f"the value of {name} is no array of numbers", hint=f'{{"{name}": [[1, 2], [3, 4]]}}'
            ) from None
    if sum(array.size for array in found.values()) > MOST_NUMBERS:
        raise DataError(f"a point has more than {MOST_NUMBERS:,} numbers", hint="smaller arrays")
    return found


def _numbers(value: Any, what: str) -> Any:
    import numpy as np

    array = np.asarray(value, dtype=float)
    if array.size > MOST_NUMBERS:
        raise DataError(f"{what} has more than {MOST_NUMBERS:,} entries", hint="smaller arrays")
    if not np.all(np.isfinite(array)):
        raise DataError(f"{what} is not defined, or too large, at this point")
    return array.tolist()


def shortened(data: Any) -> Any:
    """The answer, if it is short enough; else an error that says how long it is."""
    length = sum(map(len, _strings(data)))
    if length > MOST_CHARS:
        raise MatgradError(f"the answer has {length:,} characters, more than {MOST_CHARS:,}", hint="a shorter formula")
    return data


def _strings(data: Any) -> list[str]:
    if isinstance(data, str):
        return [data]
    if isinstance(data, Mapping):
        return [s for value in data.values() for s in _strings(value)]
    return [s for value in data for s in _strings(value)] if isinstance(data, Sequence) else []
