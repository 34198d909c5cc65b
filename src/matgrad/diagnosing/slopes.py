"""Slopes of a function of arrays by finite differences, with what they can be trusted to.

The arrays stay of the kind that they are, NumPy's, JAX's or PyTorch's; the step fits the precision of the values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import factorial
from typing import Any, NamedTuple

import numpy as np

from matgrad.errors import DataError

Array = Any
MOST_ENTRIES = 400
"""Of an array with more entries, so many are tried."""


class Point:
    """The arguments of a function, as they are given: one array, several, or arrays by name."""

    def __init__(self, at: Any) -> None:
        self.at = at
        if isinstance(at, Mapping):
            self.names = [str(name) for name in at]
            self.given = list(at.values())
        elif isinstance(at, tuple | list) and not _numbers(at):
            self.names = [f"argument {k + 1}" for k in range(len(at))]
            self.given = list(at)
        else:
            self.names, self.given = ["the argument"], [at]
        if not self.given:
            raise DataError("at holds no arrays", hint="at=x, at=(W, b) or at={'W': W, 'b': b}")
        self.arrays = [_plain(name, value) for name, value in zip(self.names, self.given, strict=True)]

    def call(self, function: Callable[..., Any], arrays: Sequence[Array], dtype: Any = None) -> Any:
        """The function at these arrays, in the arrays' own kind."""
        values = [_like(given, value, dtype) for given, value in zip(self.given, arrays, strict=True)]
        if isinstance(self.at, Mapping):
            return function(**dict(zip(self.at, values, strict=True)))
        return function(*values)

    def split(self, gradient: Any) -> list[Any]:
        """A gradient taken apart like the point: one array for each argument."""
        if isinstance(self.at, Mapping):
            if not isinstance(gradient, Mapping):
                return [gradient] if len(self.given) == 1 else _one_each(gradient, self.names)
            missing = [name for name in self.at if name not in gradient]
            if missing:
                raise DataError(f"the gradient has nothing for {missing[0]}", hint="a gradient for every array of at")
            return [gradient[name] for name in self.at]
        if isinstance(self.at, tuple | list) and len(self.given) > 1:
            return _one_each(gradient, self.names)
        if isinstance(gradient, tuple | list) and len(gradient) == 1 and not _numbers(gradient):
            return [gradient[0]]
        return [gradient]


def _one_each(gradient: Any, names: list[str]) -> list[Any]:
    if not isinstance(gradient, tuple | list) or len(gradient) != len(names):
        raise DataError(f"the gradient must have one array for each of {', '.join(names)}")
    return list(gradient)


def _numbers(values: Any) -> bool:
    """Whether a list or tuple is an array itself: numbers, or rows of them."""
    return all(isinstance(v, int | float) or (isinstance(v, tuple | list) and _numbers(v)) for v in values)


def _plain(name: str, value: Any) -> Array:
    try:
        array = np.array(detached(value), dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} is no array of real numbers ({error})") from None
    if not np.all(np.isfinite(array)):
        raise DataError(f"{name} has entries that are not finite")
    return array


def detached(value: Any) -> Any:
    """A tensor of PyTorch without its graph, for NumPy; others as they are."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def _like(given: Any, value: Array, dtype: Any) -> Any:
    """The array in the kind of the one given."""
    module = type(given).__module__.split(".")[0]
    if module == "torch":
        import torch  # type: ignore[import-not-found, unused-ignore]

        kind = given.dtype if dtype is None else torch.float64
        return torch.tensor(value, dtype=kind, device=given.device, requires_grad=given.requires_grad)
    if module in ("jax", "jaxlib"):
        import jax.numpy as jnp

        return jnp.asarray(value, dtype=given.dtype if dtype is None else dtype)
    if isinstance(given, float | int):
        return float(value)
    kind = np.asarray(given).dtype
    return np.asarray(value, dtype=(kind if np.issubdtype(kind, np.floating) else float) if dtype is None else dtype)


class Slopes(NamedTuple):
    """The slopes of a scalar function in the entries of one array.

    ``places`` are the entries tried, ``value`` their slopes and ``error`` what these can be trusted to; ``below`` and
    ``above`` are the one-sided slopes, and ``kink`` says where they disagree.
    """

    places: list[tuple[int, ...]]
    value: Array
    error: Array
    below: Array
    above: Array
    kink: Array


def precision(value: Any, *given: Any) -> float:
    """The relative spacing of numbers of the kind that the function takes and gives: the coarsest of them."""
    kinds = [np.asarray(detached(v)).dtype for v in (value, *given)]
    return max(float(np.finfo(k if np.issubdtype(k, np.floating) else float).eps) for k in kinds)


def scalar(function: Callable[..., Any], point: Point, arrays: Sequence[Array], dtype: Any = None) -> float:
    """The function's value; an error where it is no finite number."""
    value = np.asarray(detached(point.call(function, arrays, dtype)), dtype=float)
    if value.size != 1:
        raise DataError(
            f"the function gives an array of shape {value.shape}, not a number", hint="its sum, or one entry"
        )
    return float(value.reshape(()))


def slopes(function: Callable[..., Any], point: Point, which: int, eps: float, seed: int, dtype: Any = None) -> Slopes:
    """Central differences at two steps, and what they differ by; one-sided ones for kinks."""
    array = point.arrays[which]
    places = list(np.ndindex(*array.shape))
    if len(places) > MOST_ENTRIES:
        chosen = np.random.default_rng(seed).choice(len(places), MOST_ENTRIES, replace=False)
        places = [places[k] for k in sorted(chosen)]
    middle = scalar(function, point, point.arrays, dtype)
    floor = noise_of(function, point, which, eps, dtype)
    size = max(abs(middle), floor, 1e-300)
    rows = []
    for place in places:
        unit = np.zeros_like(array)
        unit[place] = 1
        h = max(eps, min(floor / size, 1e-2)) ** (1 / 5) * max(1.0, abs(float(array[place])))
        h = float((array[place] + h) - array[place])
        f = {k: _moved(function, point, which, k * h * unit, dtype) for k in (-1.0, -0.5, 0.5, 1.0)}
        coarse, fine = (f[1.0] - f[-1.0]) / (2 * h), (f[0.5] - f[-0.5]) / h
        best = (4 * fine - coarse) / 3
        noise = max(8 * eps * max(abs(middle), abs(f[1.0]), abs(f[-1.0])), floor) / h
        below = (3 * middle - 4 * f[-0.5] + f[-1.0]) / h
        above = (-3 * middle + 4 * f[0.5] - f[1.0]) / h
        jump, bend = abs(above - below), 8 * abs(fine - coarse)
        kink = jump > 50 * noise + bend + 0.02 * max(abs(above), abs(below)) and jump > 1e-3 * h
        rows.append((best, abs(fine - coarse) / 5 + noise, below, above, kink))
    table = np.array(rows, dtype=float).reshape(len(places), 5)
    return Slopes(places, table[:, 0], table[:, 1], table[:, 2], table[:, 3], table[:, 4] > 0)


def _moved(function: Callable[..., Any], point: Point, which: int, step: Array, dtype: Any = None) -> float:
    """The function with one array moved; nan where it has no value there."""
    arrays = [*point.arrays[:which], point.arrays[which] + step, *point.arrays[which + 1 :]]
    with np.errstate(all="ignore"):
        try:
            return scalar(function, point, arrays, dtype)
        except (ArithmeticError, np.linalg.LinAlgError):
            return float("nan")


def noise_of(function: Callable[..., Any], point: Point, which: int, eps: float, dtype: Any = None) -> float:
    """How far rounding moves the value: what is left of it in high differences over tiny steps.

    The k-th difference of a smooth function over steps that small vanishes; of noise of variance s² it has the mean
    square s² (2k)!/k!². J. J. Moré and S. M. Wild, Estimating computational noise, 2011.
    """
    array = point.arrays[which]
    rng = np.random.default_rng(3)
    step = rng.choice([-1.0, 1.0], array.shape) * np.maximum(np.abs(array), 1) * 4 * eps**0.5
    values = np.array([_moved(function, point, which, k * step, dtype) for k in range(9)])
    if not np.all(np.isfinite(values)):
        return 0.0
    order = 4
    differences = np.diff(values, order)
    return 4 * float(np.sqrt(np.mean(differences**2) * factorial(order) ** 2 / factorial(2 * order)))


def along(function: Callable[..., Any], point: Point, which: int, direction: Array, eps: float) -> tuple[float, float]:
    """The slope along a direction, and what it can be trusted to."""
    floor = max(noise_of(function, point, which, eps), 8 * eps * abs(scalar(function, point, point.arrays)))
    scale = float(np.max(np.abs(point.arrays[which]), initial=1.0)) / float(np.max(np.abs(direction)))
    h = eps ** (1 / 5) * scale / max(1.0, float(np.sqrt(direction.size)) / 10)
    coarse, fine = (
        (_moved(function, point, which, k * direction) - _moved(function, point, which, -k * direction)) / (2 * k)
        for k in (h, h / 2)
    )
    return (4 * fine - coarse) / 3, abs(fine - coarse) / 5 + floor / h
