"""How to see that an answer is wrong: small whole numbers, at which the slope of the function is another."""

from __future__ import annotations

from typing import Any

import numpy as np

from matgrad.checking.sampling import Subject
from matgrad.diagnosing.lessons import Lesson
from matgrad.errors import MatgradError
from matgrad.formula.reference import evaluate
from matgrad.formula.syntax import Expr, Program

TRIES, STEP = 40, 1e-4
_PER_ENTRY, _LARGE = 1e-5, 1e4


def worked(about: Lesson) -> str:
    """The point, one slope there by finite differences, and what the answer says instead."""
    assert about.fault is not None
    derivative = about.derivative
    if about.given.typed is None or derivative.order != 1 or derivative.formula.typed.functions:
        return ""
    if about.fault.kind in ("wrong-layout", "shape-mismatch") or derivative.layout != "mixed":
        return ""
    for attempt in range(TRIES):
        rng = np.random.default_rng(attempt)
        sizes = _sizes(about, rng)
        arrays = {s.name: _small(s, sizes, rng) for s in about.bench.subjects}
        seen = _compared(about, arrays, sizes)
        if seen:
            return seen
    return ""


def _compared(about: Lesson, arrays: dict[str, Any], sizes: dict[str, int]) -> str:
    derivative, answer = about.derivative, about.given.typed
    assert answer is not None
    value, truth = _at(answer, arrays, sizes), _at(derivative.expr, arrays, sizes)
    if (
        value is None
        or truth is None
        or np.shape(value) != np.shape(truth)
        or not np.max(np.abs(truth), initial=0) < 1e4
    ):
        return ""
    off = np.abs(value - truth)
    if not np.any(off > 1e-2 * np.max(np.abs(truth), initial=0)):
        return ""
    place = tuple(int(k) for k in np.unravel_index(int(np.argmax(off)), np.shape(truth))) if np.ndim(truth) else ()
    slope = _slope(about, arrays, sizes, place)
    if slope is None or not abs(slope - truth[place]) <= _PER_ENTRY * max(1.0, abs(float(truth[place]))):
        return ""
    outputs = derivative.outputs
    of = f"entry {_entry('', place[:outputs])} of the formula" if outputs else "the formula"
    into = _entry(derivative.wrt[-1], place[outputs:])
    values = "; ".join(f"{name}={_shown(array)}" for name, array in arrays.items())
    return (
        f"See it at {values}: a small step in {into} changes {of} {_number(slope)} times as much "
        f"(by finite differences), and your answer says {_number(float(value[place]))}."
    )


def _sizes(about: Lesson, rng: np.random.Generator) -> dict[str, int]:
    """Dimensions of 2 and 3, which differ where there are two of them."""
    names = sorted(
        {n for s in about.bench.subjects for d in s.type.dims for n in d.names}
        | about.derivative.formula.sizes_needed()
    )
    return dict(zip(names, [int(k) for k in rng.permutation([2, 3, 4, 5, 1][: max(2, len(names))])], strict=False))


def _small(subject: Subject, sizes: dict[str, int], rng: np.random.Generator) -> Any:
    """Whole numbers of the variable's structure."""
    shape = tuple(d.evaluate(sizes) for d in subject.type.dims)
    traits = subject.traits
    if traits & {"positive", "nonnegative"}:
        return rng.integers(1, 4, shape).astype(float)
    if "orthogonal" in traits:
        return np.eye(shape[0])[rng.permutation(shape[0])]
    value = rng.integers(-1, 4, shape).astype(float)
    if "diagonal" in traits:
        return np.diag(np.diag(value))
    if "spd" in traits or "psd" in traits:
        return value @ value.T + np.eye(shape[0])
    if "symmetric" in traits:
        return np.triu(value) + np.triu(value, 1).T
    if traits & {"lower", "upper"}:
        return np.tril(value) if "lower" in traits else np.triu(value)
    return value


def _at(expr: Expr, arrays: dict[str, Any], sizes: dict[str, int]) -> Any:
    try:
        value = np.asarray(evaluate(expr, arrays, sizes), dtype=float)
    except (MatgradError, ValueError, TypeError, ArithmeticError, IndexError, KeyError, np.linalg.LinAlgError):
        return None
    return value if np.all(np.isfinite(value)) else None


def _slope(about: Lesson, arrays: dict[str, Any], sizes: dict[str, int], place: tuple[int, ...]) -> float | None:
    """The slope of one entry of the formula in one entry of the variable, by central differences of two steps."""
    typed, outputs = about.derivative.formula.typed, about.derivative.outputs
    name = about.derivative.wrt[-1]
    subject = next((s for s in about.bench.subjects if s.name == name), None)
    if subject is None or subject.traits - {"positive", "nonnegative"}:
        return None  # an intermediate, or a variable whose entries cannot change one by one

    def f(step: float) -> float:
        moved = np.array(arrays[name], dtype=float)
        moved[place[outputs:]] += step
        program = Program(typed.program.definitions, typed.program.body)
        return float(np.asarray(evaluate(program, {**arrays, name: moved}, sizes))[place[:outputs]])

    try:
        coarse, fine = ((f(h) - f(-h)) / (2 * h) for h in (STEP, STEP / 2))
    except (MatgradError, ValueError, TypeError, ArithmeticError, IndexError, np.linalg.LinAlgError):
        return None
    return (4 * fine - coarse) / 3


def _entry(name: str, place: tuple[int, ...]) -> str:
    return f"{name}[{','.join(str(k + 1) for k in place)}]" if place else name


def _shown(array: Any) -> str:
    """An array as ``--at`` takes it."""
    if np.ndim(array) == 0:
        return _number(float(array))
    rows = [", ".join(_number(float(x)) for x in row) for row in np.atleast_2d(array)]
    return f"[{'; '.join(rows)}]"


def _number(value: float) -> str:
    """Four digits, whole numbers plainly.

    >>> _number(3.0000000001), _number(0.33333)
    ('3', '0.3333')
    """
    return str(round(value)) if abs(value - round(value)) < 1e-7 * max(1.0, abs(value)) else f"{value:.4g}"
