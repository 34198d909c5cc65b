"""The independent check: the printed derivative against a numerical one of what it is the derivative of.

Nothing is shared with what made the derivative: both sides are evaluated by the reference evaluator, from
the formula as typed (order 1) or as printed (the order below). Each entry of the variable is stepped along
its own space by a complex step; where that is impossible, by central differences, extrapolated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from matgrad.checking.magnitude import magnitude, peak_slope, rounding
from matgrad.checking.sampling import Point, Subject, draw, largest, points
from matgrad.formula.reference import evaluate
from matgrad.formula.syntax import Program, walk

Array = Any
COMPLEX, DIFFERENCES = "complex-step differentiation", "extrapolated central differences"
TOLERANCE = {COMPLEX: 1e-9, DIFFERENCES: 1e-6}
_STEP = 1e-30
_MOVE = 2.0**-40
"""Relative to the variable: what a derivative does not notice, but rounding errors do."""
_MOST_ENTRIES = 2_000_000
MOST_PASSED = 10
"""Points that may be passed over because arrays are too large there, or because rounding errors are."""
KNOWN = 1e-6
"""Rounding errors, relative to the derivative, above which agreement up to rounding errors says nothing."""
SLIGHT = 1e-3
"""What is off by less, relative to the derivative and what cancels in it, may be rounding: it is looked at again."""
MOST_STEPS = 20_000
"""Operations at a point, over all steps: of more, a few random directions are compared, not every entry's."""
FEWEST = 4
"""Directions that are compared at least."""
ENOUGH = 3
"""Points that must have been compared for a verdict."""


@dataclass(frozen=True)
class Check:
    """Whether a derivative agreed with a numerical one; ``passed`` is None where nothing can be said, and why."""

    passed: bool | None
    method: str
    points: int
    max_relative_error: float
    reason: str = "no point was found at which the formula and its derivative are finite"

    def __str__(self) -> str:
        if self.passed is None:
            return f"undecided: {self.reason}"
        where = f"{self.points} random point{'s' if self.points != 1 else ''}"
        verdict = "" if self.passed else "FAILED: "
        error = f"{self.max_relative_error:.0e}" if self.max_relative_error else "0"
        return f"{verdict}relative error {error} against {self.method} at {where}"


@dataclass(frozen=True)
class Form:
    """Another form of the derivative: ``value`` must be ``expected`` of the array in mixed layout.

    With a ``direction`` the form is in one more name, and ``expected`` is given its value too.
    """

    value: Program
    expected: Callable[..., Array]
    direction: Subject | None = None


@dataclass(frozen=True)
class Claim:
    """That ``derivative`` is the derivative of ``function`` in ``wrt``; both typed, in the same names.

    ``formula`` is the formula as typed, whose domain the points are drawn from. An intermediate in ``wrt``
    is perturbed at its own definition. ``symmetric`` is the convention of the answer, and ``to_mixed`` takes
    an array in its layout, and the shape in mixed layout, to mixed layout. ``forms`` are what else is printed:
    the matrix on vec, the action on a direction. ``holds`` says whether the conditions of the derivative hold at a
    point; it is asked where the derivative is not finite.
    """

    formula: Program
    function: Program
    derivative: Program
    wrt: Subject
    subjects: Sequence[Subject]
    functions: Sequence[str]
    symmetric: str
    to_mixed: Callable[[Array, tuple[int, ...]], Array]
    forms: Sequence[Form] = ()
    holds: Callable[[Point], bool] = lambda _: True


def verify(claim: Claim, wanted: int = 8, seed: int = 0) -> Check:
    """Compare at random points; the error is relative to the largest term, since the whole may vanish.

    Undecided unless enough points could be compared; failed if the answer is often not finite where the
    numerical derivative is, and its conditions hold.
    """
    worst, count, undefined, large, rough, outside, method = 0.0, 0, 0, 0, 0, 0, COMPLEX
    for point in points(claim.formula, claim.subjects, claim.functions, seed):
        if largest(claim.derivative, point.sizes) > _MOST_ENTRIES:
            large += 1
            if large == MOST_PASSED:
                break
            continue
        try:
            error, how = _compare(claim, point)
        except (np.linalg.LinAlgError, ArithmeticError):
            continue
        if error is None:
            continue
        if error == np.inf and not claim.holds(point):
            outside += 1
            if outside == MOST_PASSED:
                break
            continue
        if np.isnan(error):
            rough += 1
            if rough == MOST_PASSED:
                break
            continue
        method = how if how == DIFFERENCES else method
        if error == np.inf:
            undefined += 1
        else:
            worst = max(worst, error)
        count += 1
        if count == wanted:
            break
    if undefined > 1 and 4 * undefined > count:
        return Check(False, method, count, np.inf)
    if count - undefined < min(wanted, ENOUGH):
        reasons = ["its arrays are too large to be compared, even at small sizes"] if large == MOST_PASSED else []
        reasons += ["its conditions do not hold at the points that were tried"] if outside == MOST_PASSED else []
        reasons += ["its rounding errors are too large to tell it from a wrong one"] if rough else []
        return Check(None, method, count, worst, *reasons[:1])
    return Check(worst < TOLERANCE[method], method, count, worst)


def _compare(claim: Claim, point: Point) -> tuple[float | None, str]:
    """The relative error at a point: inf where only the answer is not finite, None where nothing can be said.

    It is nan where the difference is within rounding errors that are so large that they would hide a mistake.
    """
    at = np.asarray(_value_of(claim, point), dtype=float)
    function = _perturbed(claim, point)
    value = np.asarray(function(at))
    printed = _printed(claim, point, value.shape + at.shape)
    directions = _compared(claim, at)
    numeric, method = _numeric(function, at, directions)
    if not np.all(np.isfinite(value)) or not np.all(np.isfinite(numeric)):
        return None, method
    if not np.all(np.isfinite(printed)):
        return np.inf, method
    ours = _slopes(claim, printed, at, directions)
    outside = _outside(printed, at, claim.wrt.traits, claim.symmetric)
    slopes_off = float(np.max(np.abs(ours - numeric), initial=0))
    others_off = max([outside, *(_off_form(form, printed, point) for form in claim.forms)])
    off = max(slopes_off, others_off)
    scale = max(magnitude(claim.derivative, point.arrays, point.sizes), float(np.max(np.abs(numeric), initial=0)))
    if off > TOLERANCE[method] * scale:
        scale = max(scale, _floor(claim, point, at, method))
    if off > TOLERANCE[method] * scale:
        noise = 100 * rounding(claim.derivative, point.arrays, point.sizes)
        if off <= noise and noise > KNOWN * scale:
            return np.nan, method
        scale = max(scale, noise / TOLERANCE[method])
    if TOLERANCE[method] * scale < slopes_off < SLIGHT * scale and _changes(claim, point, ours - numeric, directions):
        return np.nan, method
    suspect = method == COMPLEX and slopes_off > max(scale / 1000, others_off)
    lost = suspect and _underflown(function, at, directions, ours, off, scale)
    if lost or not np.isfinite(scale):
        return None, method
    return (off / scale if scale else off), method


def _printed(claim: Claim, point: Point, shape: tuple[int, ...]) -> Array:
    """The derivative as printed, in mixed layout."""
    found = claim.to_mixed(np.asarray(evaluate(claim.derivative, point.arrays, point.sizes), dtype=float), shape)
    if found.shape != shape:
        raise ValueError(f"the derivative has the shape {found.shape}, not {shape}")
    return found


def _slopes(claim: Claim, printed: Array, at: Array, directions: Sequence[Array]) -> Array:
    """What the printed derivative says of the slopes along the directions."""
    axes = tuple(range(printed.ndim - at.ndim, printed.ndim))
    entries = claim.symmetric == "entries" and "symmetric" in claim.wrt.traits
    lowered = _lowered(printed, at, claim)
    return np.array([_along(lowered, d, axes, entries) for d in directions])


def _changes(claim: Claim, point: Point, gaps: Array, directions: Sequence[Array]) -> bool:
    """Whether what is off is another number when the point moves by less than a mistake would notice: rounding.

    Terms that cancel leave their rounding errors, as of inv(A*B)*A in A, beside which the derivative may be zero.
    """
    if claim.wrt.name not in point.arrays:
        return False
    at = np.asarray(point.arrays[claim.wrt.name], dtype=float) * (1 + _MOVE)
    moved = replace(point, arrays={**point.arrays, claim.wrt.name: at})
    numeric, _ = _numeric(_perturbed(claim, moved), at, directions)
    ours = _slopes(claim, _printed(claim, moved, (*numeric.shape[1:], *at.shape)), at, directions)
    return bool(np.max(np.abs(ours - numeric - gaps)) > np.max(np.abs(gaps)) / 10)


def _underflown(
    function: Callable[[Array], Array], at: Array, directions: Sequence[Array], ours: Array, off: float, scale: float
) -> bool:
    """Whether a complex step is far off and differences agree: for log(erfc(x)) at 26, step times slope is 0."""
    with np.errstate(all="ignore"):
        slopes = np.array([_differences(function, at, d) for d in directions])
    return bool(np.all(np.abs(slopes - ours) <= min(TOLERANCE[DIFFERENCES] * scale, off / 1000)))


def _off_form(form: Form, printed: Array, point: Point) -> float:
    """How far another form of the derivative is from the printed array."""
    if largest(form.value, point.sizes) > _MOST_ENTRIES:
        return 0.0  # too large to be written down, and not needed to know the derivative
    arrays, given = point.arrays, []
    if form.direction is not None:
        given = [
            draw(form.direction, point.sizes, np.random.default_rng(0), lambda rng, shape: rng.uniform(-1, 1, shape))
        ]
        arrays = {**arrays, form.direction.name: given[0]}
    wanted = np.asarray(form.expected(printed, *given))
    value = np.asarray(evaluate(form.value, arrays, point.sizes))
    if (1, *value.shape) == wanted.shape:
        value = value[None]  # a matrix of one row may be printed as a row
    if value.shape != wanted.shape:
        raise ValueError(f"a form of the derivative has the shape {value.shape}, not {wanted.shape}")
    return float(np.max(np.abs(value - wanted), initial=0)) if np.all(np.isfinite(value)) else np.inf


def _numeric(function: Callable[[Array], Array], at: Array, directions: Sequence[Array]) -> tuple[Array, str]:
    """The slopes along the directions, by a complex step where that is possible."""
    slopes = []
    for direction in directions:
        slope = _complex_step(function, at, direction)
        if slope is None:
            return np.array([_differences(function, at, d) for d in directions]), DIFFERENCES
        slopes.append(slope)
    return np.array(slopes), COMPLEX


def _floor(claim: Claim, point: Point, at: Array, method: str) -> float:
    """A derivative that vanishes by cancellation is known only to the rounding of the parts that cancel."""
    if method == DIFFERENCES:
        return 1e-7 * magnitude(claim.function, point.arrays, point.sizes)
    stepped = {**point.arrays, claim.wrt.name: at + 1j * _STEP}
    return 1e-5 * peak_slope(claim.function, stepped, point.sizes, claim.wrt.name, _STEP)


def _value_of(claim: Claim, point: Point) -> Array:
    """The variable's value, or the intermediate's."""
    if claim.wrt.name in point.arrays:
        return point.arrays[claim.wrt.name]
    known = dict(point.arrays)
    for name, definition in claim.function.definitions:
        known[name] = evaluate(definition, known, point.sizes)
        if name == claim.wrt.name:
            return known[name]
    raise KeyError(claim.wrt.name)


def _perturbed(claim: Claim, point: Point) -> Callable[[Array], Array]:
    """The function of the variable alone; an intermediate is overwritten after its definition."""

    def function(value: Array) -> Array:
        known = {**point.arrays, claim.wrt.name: value}
        for name, definition in claim.function.definitions:
            if name != claim.wrt.name:
                known[name] = evaluate(definition, known, point.sizes)
        return evaluate(claim.function.body, known, point.sizes)

    return function


def _complex_step(function: Callable[[Array], Array], at: Array, direction: Array) -> Array | None:
    try:
        value = np.asarray(function(at + 1j * _STEP * direction))
    except (TypeError, ValueError, np.linalg.LinAlgError):
        return None
    if not np.all(np.isfinite(value)):
        return None
    return value.imag / _STEP


def _differences(function: Callable[[Array], Array], at: Array, direction: Array) -> Array:
    """Richardson's extrapolation of central differences, to the sixth order."""
    step = 1e-2 * max(1.0, float(np.max(np.abs(at), initial=0)))
    table = []
    for k in range(4):
        h = step / 2**k
        table.append((np.asarray(function(at + h * direction)) - np.asarray(function(at - h * direction))) / (2 * h))
    for order in range(1, 4):
        table = [(4**order * b - a) / (4**order - 1) for a, b in pairwise(table)]
    return table[0]


def _compared(claim: Claim, at: Array) -> list[Array]:
    """The directions to compare: a basis, or random ones, which see every entry at once."""
    parts = [*(value for _, value in claim.function.definitions), claim.function.body]
    operations = sum(1 for part in parts for _ in walk(part))
    if at.size * max(operations, at.size) <= MOST_STEPS:
        return list(_directions(at, claim.wrt.traits, claim.symmetric))
    rng = np.random.default_rng(0)
    count = max(FEWEST, MOST_STEPS // max(operations, at.size))
    return [_random_direction(rng, at, claim.wrt.traits, claim.symmetric) for _ in range(count)]


def _random_direction(rng: np.random.Generator, at: Array, traits: frozenset[str], symmetric: str) -> Array:
    """A random element of the space that ``_directions`` has a basis of."""
    direction = rng.standard_normal(at.shape)
    if symmetric == "riemannian" and "orthogonal" in traits:
        return at @ (direction - direction.T)
    if at.ndim < 2 or symmetric == "ignore":
        return direction
    if "diagonal" in traits:
        return np.diag(np.diag(direction))
    if "symmetric" in traits:
        return direction + direction.T
    return np.tril(direction) if "lower" in traits else np.triu(direction) if "upper" in traits else direction


def _directions(at: Array, traits: frozenset[str], symmetric: str) -> Iterator[Array]:
    """A basis of the space that the variable lives in; of the tangent space for a Riemannian gradient."""
    for index in np.ndindex(*at.shape):
        direction = np.zeros(at.shape)
        direction[index] = 1
        if symmetric == "riemannian" and "orthogonal" in traits:
            if index[0] < index[1]:
                yield at @ (direction - direction.T)
            continue
        if at.ndim == 2 and symmetric != "ignore":
            row, col = index
            if ("diagonal" in traits and row != col) or ("lower" in traits and row < col):
                continue
            if "upper" in traits and row > col:
                continue
            if "symmetric" in traits:
                if row > col:
                    continue
                direction[col, row] = 1
        yield direction


def _lowered(printed: Array, at: Array, claim: Claim) -> Array:
    """What pairs with a direction entry by entry: a gradient in the affine-invariant metric, between inverses."""
    if claim.symmetric != "riemannian" or "spd" not in claim.wrt.traits:
        return printed
    inverse = np.linalg.inv(at)
    return inverse @ printed @ inverse


def _along(printed: Array, direction: Array, axes: tuple[int, ...], entries: bool) -> Array:
    """The printed derivative in a direction; in the convention of entries, the entry of a symmetric matrix itself."""
    if entries:
        direction = np.triu(direction)
    return np.tensordot(printed, direction, axes=(axes, tuple(range(direction.ndim))))


def _outside(printed: Array, at: Array, traits: frozenset[str], symmetric: str) -> float:
    """How far the derivative leaves the space of the variable."""
    if symmetric == "riemannian" and "orthogonal" in traits:
        return float(np.max(np.abs(at.T @ printed + printed.T @ at), initial=0))
    if symmetric == "ignore" or printed.ndim < 2:
        return 0.0
    if "diagonal" in traits:
        n = printed.shape[-1]
        return float(np.max(np.abs(printed * (1 - np.eye(n))), initial=0))
    if "symmetric" in traits:
        return float(np.max(np.abs(printed - np.swapaxes(printed, -1, -2)), initial=0))
    if "lower" in traits:
        return float(np.max(np.abs(np.triu(printed, 1)), initial=0))
    if "upper" in traits:
        return float(np.max(np.abs(np.tril(printed, -1)), initial=0))
    return 0.0
