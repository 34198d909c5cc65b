"""Where a minimisation starts, and within which bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from matgrad.analysis.objective import Objective
from matgrad.analysis.spaces import belongs
from matgrad.answer.evaluation import kinks_at
from matgrad.errors import DataError

Array = Any
_SEEDS = 6
_EXAMPLE = "bounds={'x': (0, 1)}, each side a number, an array, or None"


def start_of(
    made: Objective, bounds: tuple[Array, Array] | None, *, shifted: bool, kinks: bool = False
) -> tuple[Array, str]:
    """The start that was given, or one where the formula has a value and a gradient; with what is said about it.

    Without a start: zeros (ones where a sign is declared, identities where spd is), then random points, always the
    same. ``shifted`` looks past a start at which the gradient is zero but that is no minimum, as zeros often are.
    """
    z = made.x0 if bounds is None else np.clip(made.x0, *bounds)
    if made.given.start.keys() == set(made.over):
        if bounds is not None and not np.array_equal(z, made.x0):
            label = made.labels[int(np.argmax(z != made.x0))]
            raise DataError(f"the start is outside of the bounds, at {label}", hint="a start within the bounds")
        _require_value(made, z)
        return z, ""
    rng = np.random.default_rng(0)
    best: tuple[Array, str] | None = None
    for attempt in range(_SEEDS):
        trial = z if not attempt else _near(made, z, rng.normal(size=made.size) * 10.0 ** (attempt % 3 - 1), bounds)
        value = made.residuals(trial) if made.outputs else np.array([made.fun(trial)])
        if not np.all(np.isfinite(value)):
            continue
        said = "started at a random point" if attempt else ""
        if made.outputs or not shifted:
            return trial, said
        if kinks and kinks_at(made.formula, made.over, {**made.data, **made.unpack(trial)}):
            best = best or (trial, said)
            continue
        gradient = made.jac(trial)
        if np.all(np.isfinite(gradient)):
            if np.any(gradient):
                return trial, said
            best = best or (trial, said)
    if best is not None:
        return best
    _require_value(made, z)
    return z, ""


def _near(made: Objective, z: Array, noise: Array, bounds: tuple[Array, Array] | None) -> Array:
    """A random point where the declarations allow one: definite and signed variables by a factor near one."""
    arrays, moved = made.unpack(z), made.unpack(noise)
    for name, array in moved.items():
        traits = made.formula.typed.variables[name].traits
        if not traits.isdisjoint({"positive", "nonnegative"}):
            arrays[name] = np.exp(array) * np.where(arrays[name] > 0, arrays[name], 1.0)
        elif belongs(arrays[name] + array, traits):
            arrays[name] = arrays[name] + array
    packed = made.coordinates.flat(arrays)
    return packed if bounds is None else np.clip(packed, *bounds)


def _require_value(made: Objective, z: Array) -> None:
    """Raises DataError where the formula has no value at the start, with the conditions under which it has one."""
    found = made.residuals(z) if made.outputs else np.array([made.fun(z)])
    if np.all(np.isfinite(found)):
        return
    conditions = [line for d in made.gradients.values() for line in d.conditions if "elsewhere" not in line]
    overflow = "" if conditions else "; the numbers may be too large: scale the data"
    raise DataError(
        f"the formula has no finite value at the start{overflow}",
        details="\n".join(dict.fromkeys(conditions)) or None,
        hint=f"start={{'{made.over[0]}': …}}, a point at which these hold",
    )


def bounds_of(made: Objective, given: Any) -> tuple[Array, Array] | None:
    """Bounds in coordinates: those declared, within those given; None where there are none.

    ``given`` maps names to pairs, or is one pair for all, or what SciPy takes: a Bounds, or a pair for each number.
    """
    lower, upper = np.full(made.size, -np.inf), np.full(made.size, np.inf)
    if made.bounds is not None:
        lower = np.array(made.bounds.lb)
    low, high = _given(made, given)
    lower, upper = np.maximum(lower, low), np.minimum(upper, high)
    if np.any(np.isnan(lower) | np.isnan(upper)):
        raise DataError("a bound is nan", hint=_EXAMPLE)
    if np.any(lower > upper):
        label = made.labels[int(np.argmax(lower > upper))]
        raise DataError(f"no value of {label} is within its bounds", hint=_EXAMPLE)
    return (lower, upper) if np.any(np.isfinite(lower) | np.isfinite(upper)) else None


def _given(made: Objective, given: Any) -> tuple[Array, Array]:
    if given is None:
        return -np.inf, np.inf
    if hasattr(given, "lb"):
        return _side(made, given.lb, -np.inf), _side(made, given.ub, np.inf)
    if not isinstance(given, Mapping):
        pairs = list(given) if isinstance(given, Sequence | np.ndarray) else []
        if len(pairs) == made.size and all(np.ndim(p) == 1 and len(p) == 2 for p in pairs):
            return _side(made, [p[0] for p in pairs], -np.inf), _side(made, [p[1] for p in pairs], np.inf)
        if len(pairs) == 2 and all(p is None or np.ndim(p) == 0 for p in pairs):
            return _side(made, pairs[0], -np.inf), _side(made, pairs[1], np.inf)
        raise DataError("the bounds cannot be read", hint=_EXAMPLE)
    sides: list[dict[str, Array]] = [{}, {}]
    unknown = [name for name in given if name not in made.over]
    if unknown:
        raise DataError(f"the bounds name {unknown[0]}, which does not vary", hint=_EXAMPLE)
    for name in made.over:
        pair = given.get(name, (None, None))
        if not isinstance(pair, Sequence | np.ndarray) or len(pair) != 2:
            raise DataError(f"the bounds of {name} are no pair", hint=_EXAMPLE)
        for side, bound, free in zip(sides, pair, (-np.inf, np.inf), strict=True):
            side[name] = _broadcast(name, free if bound is None else bound, made.shapes[name])
    return made.coordinates.flat(sides[0]), made.coordinates.flat(sides[1])


def _side(made: Objective, bound: Any, free: float) -> Array:
    if isinstance(bound, Sequence | np.ndarray):
        bound = [free if b is None else b for b in bound]
    return _broadcast("bounds", free if bound is None else bound, (made.size,))


def _broadcast(name: str, bound: Any, shape: tuple[int, ...]) -> Array:
    try:
        return np.broadcast_to(np.asarray(bound, dtype=float), shape)
    except (TypeError, ValueError) as error:
        raise DataError(f"the bounds of {name} do not fit its shape {shape}", hint=_EXAMPLE) from error
