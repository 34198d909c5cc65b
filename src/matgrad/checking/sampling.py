"""Random points for checks: distinct dimensions, non-symmetric data, inside the domain of the formula."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from matgrad.dims import ONE
from matgrad.errors import MatgradError
from matgrad.formula.kinds import constant_value
from matgrad.formula.ranges import ranges
from matgrad.formula.reference import evaluate
from matgrad.formula.syntax import MATRIX, Expr, Program, Type, walk
from matgrad.functions import card

Array = Any
POOL = (3, 4, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
"""Sizes of dimensions: all different, so that no transpose goes unseen."""
MOST_SIZES = 24
"""Sizes that are told apart."""
EXPONENTS = (2.0, 3.0, 4.0)
"""Integers that are drawn as symbolic exponents of matrices."""
CONDITION = 1e6
"""Matrices that are inverted at a point are better conditioned than this."""
MOST_LONGER = 10_000
"""By how much sizes are made longer so that indices lie within their arrays."""
MOST_ENTRIES = 20_000
"""Of an array of the formula at a point, where smaller sizes can be had."""


@dataclass(frozen=True)
class Subject:
    """One variable to be drawn."""

    name: str
    type: Type
    traits: frozenset[str]


@dataclass(frozen=True)
class Point:
    arrays: dict[str, Any]
    sizes: dict[str, int]


def points(
    program: Program,
    subjects: Sequence[Subject],
    functions: Iterable[str],
    seed: int,
    attempts: int = 400,
    integers: Set[str] = frozenset(),
) -> Iterator[Point]:
    """Points at which the formula is finite and its matrices are far from singular; as many as are found.

    ``integers`` are names to be drawn as integers, besides the exponents of matrices in the formula.
    """
    rng = np.random.default_rng(seed)
    integers = integers | exponents_in(program)
    dims = sorted({n for s in subjects for d in s.type.dims for n in d.names} | sizes_in(program))
    inverted = [list(inverted_in(part)) for part in (*(d for _, d in program.definitions), program.body)]
    least = least_size(program)
    for attempt in range(attempts):
        more = range(POOL[-1] + 1, POOL[-1] + 1 + max(0, min(len(dims), MOST_SIZES) - len(POOL)))
        pool = [size + least for size in (*POOL, *more)[: max(4, len(dims))]]
        pool *= -(-len(dims) // len(pool)) or 1  # the sizes of a deep network come again
        sizes = dict(zip(dims, rng.permutation(pool)[: len(dims)].tolist(), strict=True))
        if largest(program, sizes) > MOST_ENTRIES:  # products of many sizes: small ones, which come again
            sizes = dict(zip(dims, (least + rng.integers(2, 4, len(dims))).tolist(), strict=True))
        bold = attempt % 2 == 0 and attempt < attempts // 2
        arrays: dict[str, Any] = {
            s.name: draw(s, sizes, rng, _PLAIN if bold else _STYLES[rng.integers(len(_STYLES))]) for s in subjects
        }
        arrays |= {s.name: rng.choice(EXPONENTS) for s in subjects if s.name in integers and not s.type.dims}
        arrays |= {name: smooth_function(rng) for name in functions}
        if inside(program, arrays, sizes, inverted):
            yield Point(arrays, sizes)


def largest(program: Program, sizes: Mapping[str, int]) -> float:
    """The number of entries of the largest array on the way to the value."""
    shapes = {
        n.type.dims for part in (*(d for _, d in program.definitions), program.body) for n in walk(part) if n.type
    }
    return max(float(np.prod([float(d.evaluate(sizes)) for d in dims])) for dims in shapes)


def sizes_in(program: Program) -> set[str]:
    """The names of dimensions that occur."""
    parts = [*(d for _, d in program.definitions), program.body]
    return {n for part in parts for e in walk(part) if e.type for d in e.type.dims for n in d.names}


def exponents_in(program: Program) -> set[str]:
    """The names in exponents of matrices and of negative numbers, which stand for integers: k in X^(k - 1), (-1)^k."""
    steps = [*program.definitions, ("", program.body)]
    names: set[str] = set()
    for name, part in reversed(steps):
        if name in names:
            names |= _names(part)
        for node in walk(part):
            if node.op == "power" and _is_for_integers(node):
                names |= _names(node.args[1])
    return names


def _is_for_integers(power: Expr) -> bool:
    known = constant_value(power.args[0])
    return (power.value == "^" and power.args[0].kind == MATRIX) or (known is not None and known < 0)


def _names(expr: Expr) -> set[str]:
    return {node.value for node in walk(expr) if node.op == "name"}


def least_size(program: Program) -> int:
    """By how much dimensions must be longer than 2, so that all ranges lie within their arrays and none is empty."""
    found = list(ranges(program))
    gaps = {gap for r in found for gap in (r.first - ONE, r.last - r.first, r.size - r.last)}
    names = {name for gap in gaps for name in gap.names}
    alike = ((k, dict.fromkeys(names, 2 + k)) for k in range(MOST_LONGER))
    return next((k for k, sizes in alike if all(gap.evaluate(sizes) >= 0 for gap in gaps)), 0)


def inverted_in(part: Expr) -> Iterator[Expr]:
    """The matrices that must not be near singular: arguments of functions of a matrix, bases of negative powers."""
    for node in walk(part):
        known = card(node.value.name) if node.op == "call" else None
        if (known is not None and known.family == "matrix" and node.args[0].kind == MATRIX) or (
            node.op == "power" and node.value == "^" and node.args[0].kind == MATRIX and node.args[1].op == "neg"
        ):
            yield node.args[0]


def inside(
    program: Program,
    arrays: dict[str, Any],
    sizes: Mapping[str, int],
    inverted: Sequence[Sequence[Expr]],
    strict: bool = False,
) -> bool:
    """Whether the formula has a finite value at a point, with its matrices far from singular; ``strict`` is that of
    ``evaluate``."""
    known = dict(arrays)
    try:
        steps = [*program.definitions, ("", program.body)]
        for (name, part), matrices in zip(steps, inverted, strict=True):
            for matrix in matrices:
                entries = evaluate(matrix, known, sizes, strict=strict)
                if not np.all(np.isfinite(entries)) or not np.linalg.cond(entries) < CONDITION:
                    return False
            value = evaluate(part, known, sizes, strict=strict)
            if not np.all(np.isfinite(value)) or np.iscomplexobj(value):
                return False
            known[name] = value
    except (MatgradError, np.linalg.LinAlgError, ArithmeticError, IndexError, ValueError):
        return False
    return True


# -- drawing --------------------------------------------------------------------------------------

Style = Callable[[np.random.Generator, tuple[int, ...]], Array]
_PLAIN: Style = lambda rng, shape: rng.standard_normal(shape)  # noqa: E731
_STYLES: tuple[Style, ...] = (
    _PLAIN,
    lambda rng, shape: rng.uniform(0.5, 2, shape),
    lambda rng, shape: rng.uniform(0.1, 0.9, shape),
    lambda rng, shape: 0.3 * rng.standard_normal(shape),
    lambda rng, shape: np.eye(*shape) * 2 + 0.3 * rng.standard_normal(shape) if len(shape) == 2 else rng.random(shape),
    lambda rng, shape: rng.uniform(1.1, 3, shape),
    lambda rng, shape: 20 * rng.standard_normal(shape),
)


def draw(subject: Subject, sizes: Mapping[str, int], rng: np.random.Generator, style: Style) -> Array:
    """A value of a variable, of its declared structure."""
    shape = tuple(d.evaluate(sizes) for d in subject.type.dims)
    traits = subject.traits
    if traits & {"positive", "nonnegative"}:
        return rng.uniform(0.5, 2, shape)
    value = style(rng, shape)
    if "orthogonal" in traits:
        # the factor of QR has the same determinant for all matrices of a size: with the signs of value it has either
        return np.linalg.qr(rng.standard_normal(shape))[0] * np.where(value[:1] < 0, -1.0, 1.0)
    if "diagonal" in traits:
        return np.diag(np.diag(value))
    if "psd" in traits:
        rank = shape[0] if "spd" in traits or rng.random() < 0.5 else max(1, shape[0] - 1)
        other = rng.standard_normal((shape[0], rank))
        return other @ other.T / shape[0] + ("spd" in traits) * np.eye(shape[0])
    if "symmetric" in traits:
        return (value + value.T) / 2
    if traits & {"lower", "upper"}:
        return np.tril(value) if "lower" in traits else np.triu(value)
    return value


def smooth_function(rng: np.random.Generator) -> tuple[Callable[[Array], Array], ...]:
    """A random smooth function and its first derivatives: c·sin(a x + b) + d x², safe for a complex step."""
    a, b, c, d = rng.uniform(0.5, 1.5, 4)

    def derivative(k: int) -> Callable[[Array], Array]:
        polynomial: list[Callable[[Array], Array]] = [lambda x: d * x * x, lambda x: 2 * d * x, lambda x: 2 * d + 0 * x]
        tail: Callable[[Array], Array] = polynomial[k] if k < len(polynomial) else lambda x: 0 * x
        return lambda x: c * a**k * np.sin(a * x + b + k * np.pi / 2) + tail(x)

    return tuple(derivative(k) for k in range(8))
