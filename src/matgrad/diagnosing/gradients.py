"""Checking code that computes a gradient: against finite differences, and against a formula where there is one.

>>> import numpy as np
>>> verdict = check_gradient(lambda x: float(x @ x), lambda x: x, np.array([1.0, 2.0]))
>>> verdict.correct, verdict.kind, verdict.value
(False, 'constant-factor', '2')
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from matgrad.answer.deriving import derivative_of
from matgrad.answer.formula import Formula
from matgrad.diagnosing import trees
from matgrad.diagnosing.slopes import Point, Slopes, along, detached, precision, scalar, slopes
from matgrad.diagnosing.verdict import Verdict
from matgrad.errors import DataError, MatgradError
from matgrad.formula.reference import evaluate

Array = Any
SHOWN = 5


class Compared(NamedTuple):
    """One array of the gradient beside the slopes of the function."""

    name: str
    given: Array
    slopes: Slopes
    ours: Array
    wrong: Array

    @property
    def entries(self) -> Array:
        """The gradient at the places tried."""
        return np.array([self.given[place] for place in self.slopes.places])


def check_gradient(
    function: Callable[..., Any], gradient: Any, at: Any, formula: str | Formula | None = None, *, seed: int = 0
) -> Verdict:
    """Whether code that computes a gradient is right, and the pattern of its error if not.

    ``function`` and ``gradient`` take the arrays of ``at``: one array, a tuple of them, or a mapping of arguments by
    name; ``gradient`` may also be what it gives there. NumPy, JAX and PyTorch are understood. With a ``formula`` in the
    names of the arguments, its derivative is compared too. A gradient that is None, not finite, or zero where the
    function changes is never right. Raises DataError where the function has no finite value.
    """
    point = Point(at)
    value = point.call(function, point.arrays)
    eps = precision(value, *point.given)
    if not np.isfinite(scalar(function, point, point.arrays)):
        raise DataError("the function is not finite at this point", hint="a point where it is")
    given = point.split(point.call(gradient, point.arrays) if callable(gradient) else gradient)
    refusal = _unusable(point, given)
    if refusal is not None:
        return refusal
    compared = [
        _compared(function, point, which, np.asarray(detached(g), dtype=float), eps, seed)
        for which, g in enumerate(given)
    ]
    faulty = [c for c in compared if np.any(c.wrong)]
    exact = _by_formula(function, point, given, formula, eps)
    if not faulty:
        return exact or _elsewhere(function, point, compared, eps) or _passed(compared, eps)
    return _diagnosed(function, gradient, point, faulty, eps, seed, formula)


def _unusable(point: Point, given: list[Any]) -> Verdict | None:
    """What no comparison is needed for: no gradient, one of another shape, or one that is not finite."""
    for name, array, wanted in zip(point.names, given, point.arrays, strict=True):
        if array is None:
            return _wrong(
                "no-gradient", f"The gradient of {name} is None: it does not depend on {name}, or was not computed."
            )
        found = np.asarray(detached(array), dtype=float)
        if not np.all(np.isfinite(found)):
            place = tuple(int(k) for k in np.argwhere(~np.isfinite(found))[0]) if found.ndim else ()
            return _wrong("not-finite", f"The gradient of {name} is {found[place]} at {_entry(place)}.")
        if found.shape != wanted.shape:
            if found.shape == wanted.shape[::-1]:
                return _wrong(
                    "wrong-layout", f"The gradient of {name} is transposed: {found.shape}, not {wanted.shape}."
                )
            return _wrong("shape-mismatch", f"The gradient of {name} has the shape {found.shape}, not {wanted.shape}.")
    return None


def _wrong(kind: str, message: str, value: str = "", also: tuple[str, ...] = ()) -> Verdict:
    return Verdict(False, kind, message, "", also, "", value)


def _compared(function: Callable[..., Any], point: Point, which: int, given: Array, eps: float, seed: int) -> Compared:
    found = slopes(function, point, which, eps, seed)
    ours = np.array([given[place] for place in found.places])
    scale = max(float(np.max(np.abs(found.value), initial=0)), float(np.max(np.abs(ours), initial=0)))
    allowed = 20 * found.error + 50 * eps ** (2 / 3) * scale
    allowed = np.where(np.isfinite(allowed), allowed, np.inf)  # where the function has no value, nothing is known
    low, high = np.minimum(found.below, found.above), np.maximum(found.below, found.above)
    margin = allowed + 0.02 * np.abs(high - low)
    between = (ours >= low - margin) & (ours <= high + margin)
    return Compared(
        point.names[which], given, found, ours, np.where(found.kink, ~between, np.abs(ours - found.value) > allowed)
    )


def _elsewhere(function: Callable[..., Any], point: Point, compared: list[Compared], eps: float) -> Verdict | None:
    """Of a large array not all entries are tried one by one: the others are tried together, along random directions."""
    for which, c in enumerate(compared):
        if c.given.size == len(c.slopes.places) or np.any(c.slopes.kink):
            continue
        for seed in range(3):
            direction = np.random.default_rng(seed).choice([-1.0, 1.0], c.given.shape)
            slope, error = along(function, point, which, direction, eps)
            ours = float(np.sum(c.given * direction))
            scale = float(np.linalg.norm(c.given)) + abs(slope)
            if abs(ours - slope) > 20 * error + 50 * eps ** (2 / 3) * scale:
                text = (
                    f"The {len(c.slopes.places)} entries of {c.name} that were tried agree, but others are wrong: "
                    f"along a random direction the slope is {slope:.6g}, and the gradient gives {ours:.6g}."
                )
                return _wrong("unknown", text)
    return None


def _passed(compared: list[Compared], eps: float) -> Verdict:
    blind = sum(int(np.sum(~np.isfinite(c.slopes.value))) for c in compared)
    if blind == sum(len(c.slopes.places) for c in compared):
        return Verdict(None, None, "Undecided: the function has no finite value next to this point.", "")
    if all(np.nanmax(np.abs(c.slopes.value) - c.slopes.error, initial=0) <= 0 and not np.any(c.ours) for c in compared):
        return Verdict(
            None, None, "Undecided: the function does not change around this point, and the gradient is zero.", ""
        )
    count = sum(len(c.slopes.places) for c in compared)
    total = sum(c.given.size for c in compared)
    off = [np.where(c.slopes.kink, 0, np.abs(c.ours - c.slopes.value)) for c in compared]
    worst = max(float(np.max(o[np.isfinite(o)], initial=0)) for o in off)
    kinks = sum(int(np.sum(c.slopes.kink)) for c in compared)
    text = f"Right: {count} of {total} entries agree with finite differences, the largest difference is {worst:.1g}"
    text += f" ({'single' if eps > 1e-10 else 'double'} precision)."
    if blind:
        text += f" At {blind} the function has no finite value nearby, and nothing is known."
    if kinks:
        text += f" At {kinks} the function has a kink, and the gradient lies between its one-sided slopes."
    return Verdict(True, None, text, "")


def _diagnosed(
    function: Callable[..., Any],
    gradient: Any,
    point: Point,
    faulty: list[Compared],
    eps: float,
    seed: int,
    formula: str | Formula | None,
) -> Verdict:
    worst = faulty[0]
    where = "\n".join(_differences(c) for c in faulty)
    if not any(np.any(c.ours) for c in faulty):
        return _wrong("zero", f"The gradient of {worst.name} is zero, but the function changes.\n{where}")
    found: tuple[str, str, str] | None = None
    if all(np.all(c.slopes.kink[c.wrong]) for c in faulty):
        found = ("near-kinks", "What differs is at kinks of the function, outside its one-sided slopes.", "")
    found = found or _pattern(worst, point)
    if found is None and formula is not None:
        found = _missing_term(worst, point, formula)
    if found is None and eps > 1e-10 and _right_in_double(function, gradient, point, seed):
        found = "only-in-float32", "In double precision it agrees: in single precision, digits are lost.", ""
    kind, text, value = found or ("unknown", "No single mistake explains it.", "")
    return _wrong(kind, f"{text}\n{where}", value)


def _differences(compared: Compared) -> str:
    """The entries that differ most."""
    off = np.abs(compared.ours - compared.slopes.value) * compared.wrong
    order = np.argsort(-off)[:SHOWN]
    count = int(np.sum(compared.wrong))
    lines = [
        f"{compared.name}: {count} of {len(off)} entries differ"
        + (f"; the largest {len(order)}:" if count > SHOWN else ":")
    ]
    for k in order:
        if compared.wrong[k]:
            place = _entry(compared.slopes.places[k])
            kink = (
                f" (a kink: {compared.slopes.below[k]:.6g} and {compared.slopes.above[k]:.6g})"
                if compared.slopes.kink[k]
                else ""
            )
            lines.append(f"    {place}  yours {compared.ours[k]:.6g}, slope {compared.slopes.value[k]:.6g}{kink}")
    return "\n".join(lines)


def _entry(place: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, place))}]" if place else "the value"


# -- patterns


def _pattern(compared: Compared, point: Point) -> tuple[str, str, str] | None:
    ours, truth, error = compared.ours, compared.slopes.value, compared.slopes.error
    smooth = ~compared.slopes.kink
    ours, truth, error = ours[smooth], truth[smooth], error[smooth]
    if not len(ours):
        return None
    if _same(-ours, truth, error):
        return "sign", "All is right but the sign.", ""
    ratio = float(ours @ truth) / float(ours @ ours) if np.any(ours) else 0.0
    if ratio and abs(ratio - 1) > 1e-3 and _same(ratio * ours, truth, error):
        return _ratio(ratio, compared, point)
    if compared.given.ndim == 2 and compared.given.shape[0] == compared.given.shape[1]:
        turned = np.array([compared.given.T[place] for place in compared.slopes.places])[smooth]
        if _same(turned, truth, error):
            return "wrong-layout", "The gradient is transposed.", ""
    return _constant_difference(compared, point, truth - ours, error, smooth)


def _same(left: Array, right: Array, error: Array) -> bool:
    scale = float(np.max(np.abs(right), initial=0))
    return bool(np.all(np.abs(left - right) <= 20 * error + 1e-4 * scale))


def _ratio(ratio: float, compared: Compared, point: Point) -> tuple[str, str, str]:
    simple = Fraction(ratio).limit_denominator(2000)
    exact = simple != 0 and abs(float(simple) / ratio - 1) < 1e-3
    shown = str(simple) if exact else f"{ratio:.4g}"
    sizes = {
        size: (point.names[k], axis)
        for k, a in enumerate(point.arrays)
        for axis, size in enumerate(a.shape)
        if size > 2
    }
    whole = simple.numerator if simple.denominator == 1 else simple.denominator if simple.numerator == 1 else 0
    if exact and whole > 2 and (whole in sizes or whole > 4):
        name = f", the size of axis {sizes[whole][1]} of {sizes[whole][0]}" if whole in sizes else ""
        what = "a mean taken for a sum" if simple > 1 else "a sum taken for a mean"
        return "constant-factor", f"It is right up to the factor {shown}{name}: {what}?", shown
    return "constant-factor", f"It is right up to a constant: the slopes are {shown} times the gradient.", shown


def _constant_difference(
    compared: Compared, point: Point, difference: Array, error: Array, smooth: Array
) -> tuple[str, str, str] | None:
    """What is missing is proportional to an array at hand: a penalty, or a constant."""
    places = [p for p, keep in zip(compared.slopes.places, smooth, strict=True) if keep]
    candidates = {"the variable itself (a squared penalty?)": point.arrays[point.names.index(compared.name)]}
    candidates["a constant"] = np.ones(compared.given.shape)
    candidates["the sign of the variable (an absolute penalty?)"] = np.sign(
        point.arrays[point.names.index(compared.name)]
    )
    candidates |= {
        name: array
        for name, array in zip(point.names, point.arrays, strict=True)
        if array.shape == compared.given.shape and name != compared.name
    }
    for what, array in candidates.items():
        values = np.array([array[place] for place in places])
        norm = float(values @ values)
        factor = float(values @ difference) / norm if norm else 0.0
        if factor and _same(factor * values, difference, error):
            return "missing-term", f"A term is missing: {factor:.4g} times {what}.", f"{factor:.4g}"
    return None


def _right_in_double(function: Callable[..., Any], gradient: Any, point: Point, seed: int) -> bool:
    """Whether function and gradient agree at the same point in double precision."""
    if not callable(gradient):
        return False
    try:
        given = point.split(point.call(gradient, point.arrays, np.float64))
        eps = precision(point.call(function, point.arrays, np.float64))
        if eps > 1e-10:
            return False
        for which, g in enumerate(given):
            found = slopes(function, point, which, eps, seed, np.float64)
            ours = np.array([np.asarray(detached(g), dtype=float)[place] for place in found.places])
            if not _same(ours, found.value, found.error):
                return False
    except (MatgradError, TypeError, ValueError):
        return False
    return True


# -- against a formula


def _arguments(function: Callable[..., Any], point: Point) -> dict[str, Array]:
    """The arrays by the names of the function's arguments."""
    if isinstance(point.at, dict):
        return dict(zip(point.names, point.arrays, strict=True))
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = []
    if len(names) < len(point.arrays):
        raise DataError("the arguments' names are not known", hint="at={'x': x}, with the names of the formula")
    return dict(zip(names, point.arrays, strict=False))


def _by_formula(
    function: Callable[..., Any], point: Point, given: list[Any], formula: str | Formula | None, eps: float
) -> Verdict | None:
    """The verdict of the formula's own derivative; None where it agrees, or where there is none."""
    if formula is None:
        return None
    known = formula if isinstance(formula, Formula) else Formula(formula)
    arrays = _arguments(function, point)
    missing = [name for name in known.variables if name not in arrays]
    if missing:
        raise DataError(f"the formula has {missing[0]}, but at does not", hint=f"at={{…, '{missing[0]}': …}}")
    value, expected = (
        scalar(function, point, point.arrays),
        float(np.asarray(known(**{n: arrays[n] for n in known.variables}))),
    )
    if abs(value - expected) > 1e4 * eps * max(abs(value), abs(expected)):
        return _wrong(
            "another-function",
            f"The function is {value:.8g} here and the formula {expected:.8g}: they are not the same.",
        )
    for name, array in zip(arrays, given, strict=False):
        if name in known.variables:
            truth = derivative_of(known.source, [name], known.where)[0]
            wanted = np.asarray(truth(**{n: arrays[n] for n in known.variables}))
            off = float(np.max(np.abs(np.asarray(detached(array), dtype=float) - wanted), initial=0))
            if off > 1e4 * eps * max(float(np.max(np.abs(wanted), initial=0)), 1e-300):
                return _wrong(
                    "unknown", f"It differs from {truth.text} by {off:.2g}, though not from the slopes of the function."
                )
    return None


def _missing_term(compared: Compared, point: Point, formula: str | Formula) -> tuple[str, str, str] | None:
    """A term of the formula's derivative that is what is missing."""
    known = formula if isinstance(formula, Formula) else Formula(formula)
    arrays = dict(zip(point.names, point.arrays, strict=True))
    name = compared.name if compared.name in known.variables else next(iter(known.variables), "")
    if set(known.variables) - set(arrays):
        return None
    derivative = derivative_of(known.source, [name], known.where)[0]
    sizes = {
        str(d): n
        for v in known.typed.variables.values()
        for d, n in zip(v.type.dims, np.shape(arrays[v.name]), strict=True)
    }
    difference = compared.slopes.value - compared.ours
    for term in trees.expanded(derivative.expr):
        typed = Formula(derivative.formula.print(term), None, known.typed, derivative.expr.type)
        values = np.asarray(evaluate(typed.program, {n: arrays[n] for n in known.variables}, sizes), dtype=float)
        if values.shape == compared.given.shape:
            there = np.array([values[place] for place in compared.slopes.places])
            if _same(there, difference, compared.slopes.error):
                return "missing-term", f"A term is missing: {typed.text}.", typed.text
    return None
