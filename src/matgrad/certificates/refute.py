"""Counterexamples: points at which a formula lacks a property, segments on which it is not convex.

They are looked for by evaluating the formula as typed, at small round numbers so that they can be read and checked by
hand, and count only where they are beyond rounding errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from matgrad.certificates.exactly import value_in_fractions
from matgrad.checking.magnitude import magnitude
from matgrad.checking.sampling import Point, Subject, inside, inverted_in, least_size, sizes_in
from matgrad.formula.reference import evaluate
from matgrad.formula.syntax import Program, walk

Array = Any
BEYOND = 1e-7
"""A violation counts from this, relative to the largest term."""
CLEAR = 1e-3
"""A violation that can be seen in a few digits."""
STEERED = 6
"""Points at which the direction of most negative curvature is tried."""
_EXACT = frozenset({"sum", "mean", "tr", "diag", "vec", "kron", "norm1", "norm2", "normF", "abs", "relu", "max", "min",
                    "tril", "triu", "eye", "ones", "zeros", "vector", "matrix", "unit", "rows", "cols",
                    "length"})  # fmt: skip


@dataclass(frozen=True)
class Witness:
    """Arrays that refute a property. For a segment, ``start`` and ``end`` hold its ends in the variables."""

    arrays: dict[str, Any]
    says: str
    start: dict[str, Any] | None = None
    end: dict[str, Any] | None = None


def shown_values(arrays: Mapping[str, Any]) -> str:
    """Arrays by name in one line: x = (1, 2), A = [1, 2; 3, 4]."""
    return ", ".join(f"{n} = {_shown(v)}" for n, v in arrays.items())


def told(witness: Witness) -> list[str]:
    fixed = shown_values(witness.arrays)
    if witness.start is None or witness.end is None:
        return [f"at {fixed}: {witness.says}" if fixed else witness.says]
    line = " to ".join(shown_values(end) for end in (witness.start, witness.end))
    return [f"from {line}{f', with {fixed}' if fixed else ''}: {witness.says}"]


def _shown(value: Any) -> str:
    if getattr(value, "ndim", 0) == 0:
        return f"{float(value):.6g}"
    if value.ndim == 1:
        return f"({', '.join(f'{v:.6g}' for v in value)})"
    return f"[{'; '.join(', '.join(f'{v:.6g}' for v in row) for row in value)}]"


def plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


class Search:
    """Points of one formula."""

    def __init__(self, program: Program, subjects: Sequence[Subject], seed: int = 0) -> None:
        self.program = program
        self.subjects = subjects
        self.rng = np.random.default_rng(seed)
        self.inverted = [list(inverted_in(part)) for part in (*(d for _, d in program.definitions), program.body)]
        self.dims = sorted({n for s in subjects for d in s.type.dims for n in d.names} | sizes_in(program))
        self.least = least_size(program)

    def value(self, point: Point) -> Array:
        """On the domain of all branches: facts are about that."""
        return np.asarray(evaluate(self.program, point.arrays, point.sizes, strict=True), dtype=float)

    def scale(self, *points: Point) -> float:
        return max(magnitude(self.program, p.arrays, p.sizes) for p in points)

    def is_inside(self, point: Point) -> bool:
        return inside(self.program, point.arrays, point.sizes, self.inverted, strict=True)

    def has_zero(self, point: Point, value: Array) -> bool:
        """Whether an entry that is computed as 0 is 0."""
        if np.min(value, initial=np.inf) != 0:
            return False
        found = value_in_fractions(self.program, point)
        return found is not None and bool(np.any(found[np.asarray(value) == 0] == 0))

    def points(self, count: int) -> Iterator[Point]:
        """Points inside the domain: the origin, small whole numbers, then others; sizes 2, then 3."""
        for k in range(count):
            sizes = {d: int(2 + self.least + (k > 3 and self.rng.random() < 0.3)) for d in self.dims}
            style = _origin if k == 0 else _whole if k % 3 else _decimal
            point = Point({s.name: _drawn(s, sizes, self.rng, style) for s in self.subjects}, sizes)
            if self.is_inside(point):
                yield point

    def elsewhere(self, point: Point, names: Sequence[str], style: Style) -> Point:
        """The point with other values of some variables."""
        new = {s.name: _drawn(s, point.sizes, self.rng, style) for s in self.subjects if s.name in names}
        return Point({**point.arrays, **new}, point.sizes)


# -- segments ---------------------------------------------------------------------------------------


def against_convexity(search: Search, names: Sequence[str], sign: int, count: int = 150) -> Witness | None:
    """A segment on which the formula lies above its chord (sign 1), below it (−1), or off it (0).

    A clear one, if there is one; else any that is beyond rounding errors.
    """
    faint = None
    for k, start in enumerate(search.points(count)):
        ends = [search.elsewhere(start, names, style) for style in (_whole, _decimal)]
        tried = [(start, end) for end in ends]
        if k < STEERED and sign and not search.value(start).shape:
            tried += _steered(search, names, sign, start)
        for one, other in tried:
            found, clear = _on_segment(search, names, sign, one, other)
            if clear:
                return found
            faint = faint or found
    return faint


def _on_segment(
    search: Search, names: Sequence[str], sign: int, start: Point, end: Point
) -> tuple[Witness | None, bool]:
    """A counterexample on one segment, and whether it is a clear one."""
    if not (search.is_inside(start) and search.is_inside(end)):
        return None, False
    middle = _between(start, end, names, 0.5)
    if not search.is_inside(middle):
        found = _outside(search, names, start, end)
        return found, found is not None
    first, last, half = (search.value(p) for p in (start, end, middle))
    gap = half - (first + last) / 2
    violated = np.abs(gap) if sign == 0 else sign * gap
    if not np.max(violated, initial=0) > 0:
        return None, False
    scale = search.scale(start, end, middle)
    if not np.max(violated) > BEYOND * scale:
        return None, False
    where = np.unravel_index(int(np.argmax(violated)), gap.shape)
    entry = f"entry {','.join(str(int(i) + 1) for i in where)} of f" if where else "f"
    value, chord = (_number(v[where]) for v in (half, (first + last) / 2))
    side = {1: "above", -1: "below", 0: "off"}[sign]
    says = f"midway {entry} is {value}, {side} the mean {chord} of the ends"
    return _witness(names, start, end, says), bool(np.max(violated) > CLEAR * scale) and value != chord


def _number(value: float) -> str:
    return f"{float(value) + 0.0:.6g}"


def _outside(search: Search, names: Sequence[str], start: Point, end: Point) -> Witness | None:
    """A segment with its ends in the domain and its middle clearly outside."""
    for t in (0.4, 0.5, 0.6):
        point = _between(start, end, names, t)
        if not np.isnan(search.value(point)).any():
            return None
    return _witness(names, start, end, "the formula is defined at both ends and not midway: its domain is not convex")


def _between(start: Point, end: Point, names: Sequence[str], t: float) -> Point:
    mixed = {n: (1 - t) * start.arrays[n] + t * end.arrays[n] for n in names}
    return Point({**start.arrays, **mixed}, start.sizes)


def _witness(names: Sequence[str], start: Point, end: Point, says: str) -> Witness:
    fixed = {n: v for n, v in start.arrays.items() if n not in names}
    return Witness(fixed, says, {n: start.arrays[n] for n in names}, {n: end.arrays[n] for n in names})


def _steered(search: Search, names: Sequence[str], sign: int, point: Point) -> list[tuple[Point, Point]]:
    """Segments along the direction of most negative curvature at a point, found by differences."""
    free = [(s, place) for s in search.subjects if s.name in names for place in _free(s, point)]
    if not 0 < len(free) <= 12 or any({"spd", "psd", "orthogonal"} & s.traits for s, _ in free):
        return []
    step = 1e-3

    def at(offset: Array, length: float = step) -> Point:
        arrays = {n: np.array(v, dtype=float) for n, v in point.arrays.items()}
        for (subject, place), amount in zip(free, offset, strict=True):
            for entry in place:
                arrays[subject.name][entry] += length * amount
        return Point(arrays, point.sizes)

    unit = np.eye(len(free))
    centre = float(search.value(point))
    hessian = np.empty((len(free), len(free)))
    for i in range(len(free)):
        for j in range(i + 1):
            signs = ((1, 1), (1, -1), (-1, 1), (-1, -1))
            values = [float(search.value(at(a * unit[i] + b * unit[j]))) for a, b in signs]
            hessian[i, j] = hessian[j, i] = (values[0] - values[1] - values[2] + values[3]) / (4 * step**2)
    if not np.all(np.isfinite(hessian)) or not np.isfinite(centre):
        return []
    _, vectors = np.linalg.eigh(sign * hessian)
    direction = np.round(vectors[:, 0], 2)
    ends = [(at(direction, -length), at(direction, length)) for length in (1.0, 0.3, 0.1, 0.03)]
    return [pair for pair in ends if all(_keeps_signs(search, p) for p in pair)]


def _keeps_signs(search: Search, point: Point) -> bool:
    for subject in search.subjects:
        least = np.min(point.arrays[subject.name], initial=np.inf)
        if ("positive" in subject.traits and least <= 0) or ("nonnegative" in subject.traits and least < 0):
            return False
    return True


def _free(subject: Subject, point: Point) -> Iterator[list[tuple[int, ...]]]:
    """The entries of a variable that move together, of its structure."""
    shape = np.shape(point.arrays[subject.name])
    for index in np.ndindex(shape):
        if len(index) == 2:
            i, j = index
            if ("diagonal" in subject.traits and i != j) or ("lower" in subject.traits and i < j):
                continue
            if "upper" in subject.traits and i > j:
                continue
            if "symmetric" in subject.traits and i != j:
                if i < j:
                    yield [(i, j), (j, i)]
                continue
        yield [index]


# -- points -------------------------------------------------------------------------------------------


def against(search: Search, property: str, count: int = 60) -> Witness | None:
    """A point at which the value lacks a property."""
    test = _TESTS.get(property)
    exact = _is_exact(search.program)
    for point in search.points(count) if test is not None else ():
        value = search.value(point)
        assert test is not None
        is_zero = (exact and _is_round(point)) or search.has_zero(point, value)
        said = test(value, search.scale(point), is_zero)
        if said:
            return Witness(point.arrays, said)
    return None


def _is_round(point: Point) -> bool:
    """Multiples of 1/2, whose sums and products are exact in floating point."""
    return all(np.all(2 * np.asarray(v) == np.round(2 * np.asarray(v))) for v in point.arrays.values())


def _is_exact(program: Program) -> bool:
    """Whether a value of 0 at round numbers is one: sums, products and roots of them, nothing that could underflow."""
    for part in (*(d for _, d in program.definitions), program.body):
        for node in walk(part):
            if node.op == "call" and node.value.name not in _EXACT:
                return False
            if node.op == "power" and node.args[1].op != "number":
                return False
            if node.op == "product" and {"/", "./"} & set(node.value):
                return False
    return True


def _below(value: Array, scale: float, strict: bool, exact: bool) -> str:
    least = float(np.min(value, initial=np.inf))
    if least < -BEYOND * scale:
        return f"{'f' if not np.ndim(value) else 'an entry'} is {least:.6g}"
    return (
        f"{'f' if not np.ndim(value) else 'an entry'} is 0" if strict and exact and least == 0 and scale < 1e9 else ""
    )


def _unsymmetric(value: Array, scale: float) -> str:
    gap = np.abs(value - value.T)
    if not np.max(gap, initial=0) > BEYOND * scale:
        return ""
    i, j = np.unravel_index(int(np.argmax(gap)), gap.shape)
    return f"entry {i + 1},{j + 1} is {value[i, j]:.6g} and entry {j + 1},{i + 1} is {value[j, i]:.6g}"


def _indefinite(value: Array, scale: float, exact: bool) -> str:
    said = _unsymmetric(value, scale)
    least = np.linalg.eigvalsh((value + value.T) / 2)[0]
    return said or (f"its least eigenvalue is {least:.6g}" if least < -BEYOND * scale * len(value) else "")


def _skewed(value: Array, scale: float, exact: bool) -> str:
    gap = np.max(np.abs(value.T @ value - np.eye(len(value))))
    return f"M'*M differs from eye by {gap:.6g}" if gap > BEYOND * (1 + scale) ** 2 * len(value) else ""


_TESTS: Mapping[str, Callable[[Array, float, bool], str]] = {
    "positive": lambda value, scale, exact: _below(value, scale, True, exact),
    "nonnegative": lambda value, scale, exact: _below(value, scale, False, exact),
    "symmetric": lambda value, scale, exact: _unsymmetric(value, scale),
    "psd": _indefinite,
    "spd": _indefinite,
    "orthogonal": _skewed,
}

# -- drawing ------------------------------------------------------------------------------------------

Style = Callable[[np.random.Generator, tuple[int, ...]], Array]
_origin: Style = lambda rng, shape: np.zeros(shape)  # noqa: E731
_whole: Style = lambda rng, shape: rng.integers(-3, 4, shape).astype(float)  # noqa: E731
_decimal: Style = lambda rng, shape: np.round(rng.standard_normal(shape) * rng.choice([0.5, 1, 3]), 1)  # noqa: E731


def _drawn(subject: Subject, sizes: Mapping[str, int], rng: np.random.Generator, style: Style) -> Array:
    """A value of the declared structure, in round numbers where the structure allows."""
    shape = tuple(d.evaluate(sizes) for d in subject.type.dims)
    traits = subject.traits
    value = style(rng, shape)
    if "positive" in traits:
        return np.abs(value) + rng.choice([0.5, 1])
    if "nonnegative" in traits:
        return np.abs(value)
    if "orthogonal" in traits:
        return np.linalg.qr(rng.standard_normal(shape))[0]
    if "diagonal" in traits:
        return np.diag(np.diag(value))
    if "psd" in traits:
        lower = np.tril(value)
        return lower @ lower.T + ("spd" in traits) * np.eye(shape[0])
    if "symmetric" in traits:
        return np.triu(value) + np.triu(value, 1).T
    if traits & {"lower", "upper"}:
        return np.tril(value) if "lower" in traits else np.triu(value)
    return value
