"""Whether two formulas are equal: yes, no, or undecided.

Exactly, modulo a prime, for what is built from sums, products, inverses and determinants; with fifty digits otherwise,
at points inside the domain, with several sign patterns of what branches, and dimensions that are all different.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from matgrad.checking.sampling import POOL, Subject, exponents_in, points
from matgrad.deciding.exact import exact_value
from matgrad.deciding.fields import PRIME, Digits, NotRational, Residue, Residues, Unlucky
from matgrad.deciding.reductions import inverse
from matgrad.errors import MatgradError
from matgrad.formula.syntax import Expr, Program, walk

ENOUGH, ENOUGH_OF_BRANCHES, ROUNDS = 3, 10, 16
MOST_LEVELS = 8
_BRANCHES = {"abs", "sign", "step", "relu", "max", "min", "argmax", "argmin", "norm1", "logdet"}
_ROOTS = {"sqrt", "norm2", "normF", "log"}
_SAME, _APART = 1e-30, 1e-15


def equal(left: Expr, right: Expr, subjects: Sequence[Subject], functions: Iterable[str] = ()) -> bool | None:
    """Whether two typed formulas in the same names have the same value wherever both are defined.

    >>> from matgrad.formula.infer import read
    >>> typed = read("tr(A*B) - tr(B*A)", "A: matrix(m,n); B: matrix(n,m)")
    >>> subjects = [Subject(v.name, v.type, v.traits) for v in typed.variables.values()]
    >>> equal(typed.program.body, read("0*tr(A*B)", context=typed).program.body, subjects)
    True
    """
    if len(left.dims) != len(right.dims) or left.dims != right.dims:
        return False
    try:
        return _verdict(_modular(left, right, subjects), ENOUGH)
    except NotRational:
        branching = folds(left) or folds(right)
        outcomes = _with_digits(left, right, subjects, list(functions), branching)
        return _verdict(outcomes, ENOUGH_OF_BRANCHES if branching else ENOUGH)


def branches(expr: Expr) -> bool:
    """Whether the formula has functions that are defined piece by piece."""
    return any(e.op == "call" and e.value.name in _BRANCHES for e in walk(expr))


def folds(expr: Expr) -> bool:
    """Whether signs may be lost on the way, as in a branch, a root or an even power of another function's value."""
    return branches(expr) or any(
        (e.op == "call" and e.value.name in _ROOTS)
        or (e.op == "power" and not (e.args[1].op == "number" and e.args[1].value.denominator == 1))
        for e in walk(expr)
    )


def _verdict(outcomes: Iterator[bool | None], enough: int) -> bool | None:
    """No, where one point tells them apart; yes, where enough points agree."""
    agreed = 0
    for same in outcomes:
        if same is False:
            return False
        agreed += same is True
        if agreed == enough:
            return True
    return None


def _modular(left: Expr, right: Expr, subjects: Sequence[Subject]) -> Iterator[bool | None]:
    """At random residues. Traits that are polynomial equations hold there; positivity has no meaning modulo a prime."""
    rng = np.random.default_rng(7)
    dims = _dimensions(left, right, subjects)
    field = Residues()
    integers = _integers(left, right)
    for attempt in range(ROUNDS):
        pool = list(POOL[: max(3, len(dims))]) if attempt % 3 else [1, 2, *POOL[: max(3, len(dims))]]
        sizes = dict(zip(dims, rng.permutation(pool)[: len(dims)].tolist(), strict=True))
        arrays = {s.name: _residues(s, sizes, rng) for s in subjects}
        orthogonal = [s.name for s in subjects if "orthogonal" in s.traits]
        for k, name in enumerate(orthogonal):
            if attempt >> k & 1:  # rotations, and what is none
                arrays[name][:, 0] *= -1
        arrays |= {
            s.name: Residue(int(rng.integers(1, 60))) for s in subjects if s.name in integers and not s.type.dims
        }
        try:
            a, b = (exact_value(expr, arrays, sizes, field) for expr in (left, right))
        except (Unlucky, ZeroDivisionError, IndexError):
            continue
        yield bool(np.all(np.asarray(a == b)))


def _integers(left: Expr, right: Expr) -> set[str]:
    """The names that stand for integers, as exponents of matrices."""
    return exponents_in(Program((), left)) | exponents_in(Program((), right))


def _dimensions(left: Expr, right: Expr, subjects: Sequence[Subject]) -> list[str]:
    used = {n for expr in (left, right) for e in walk(expr) if e.type for d in e.type.dims for n in d.names}
    return sorted(used | {n for s in subjects for d in s.type.dims for n in d.names})


def _residues(subject: Subject, sizes: Mapping[str, int], rng: np.random.Generator) -> Any:
    shape = tuple(d.evaluate(sizes) for d in subject.type.dims)
    draw = np.frompyfunc(Residue, 1, 1)
    if not shape:
        return Residue(int(rng.integers(1, PRIME)))
    value: Any = draw(rng.integers(1, PRIME, shape).astype(object))
    traits = subject.traits
    if "orthogonal" in traits:  # Cayley's transform of a skew matrix: a rotation
        one = draw(np.eye(shape[0]).astype(int).astype(object))
        skew = value - value.T
        return np.dot(one - skew, inverse(one + skew))
    if "diagonal" in traits:
        return value * draw(np.eye(shape[0]).astype(int).astype(object))
    if "symmetric" in traits:
        return value + value.T
    if traits & {"lower", "upper"}:
        mask = np.tril(np.ones(shape, dtype=int))
        return value * draw((mask if "lower" in traits else mask.T).astype(object))
    return value


def _with_digits(
    left: Expr, right: Expr, subjects: Sequence[Subject], functions: Sequence[str], branching: bool
) -> Iterator[bool | None]:
    """At random points, and where there are branches with other signs too, so that every sign occurs."""
    field = Digits()
    convert = np.frompyfunc(lambda x: field.mp.mpf(float(x)), 1, 1)
    rng = np.random.default_rng(13)
    integers = _integers(left, right)
    bound = {s.name for s in subjects if s.traits & {"positive", "nonnegative", "psd", "spd"}}
    free = [s.name for s in subjects if s.name not in bound | integers]
    drawing = points(Program((), left), subjects, functions, seed=11, attempts=60, integers=integers)

    def same(arrays: Mapping[str, Any], sizes: Mapping[str, int]) -> bool | None:
        try:
            a, b = (np.asarray(exact_value(e, arrays, sizes, field), dtype=object) for e in (left, right))
        except (Unlucky, MatgradError, ZeroDivisionError, IndexError, ValueError, OverflowError):
            return None
        return _close(a, b)

    for drawn, point in enumerate(drawing):
        plain = {s.name: point.arrays[s.name] for s in subjects}
        if not drawn and (branches(left) or branches(right)):
            for moved in _beyond_kinks(left, right, subjects, plain, rng):
                known = {name: convert(value) for name, value in moved.items()}
                yield False if same(known, point.sizes) is False else None  # these can only tell them apart
        arrays = {name: convert(value) for name, value in plain.items()}
        for turn in range(2 if branching else 1):  # once as drawn, once with other signs, each variable for itself
            signs = {name: 1 if not turn or (drawn and rng.random() < 0.5) else -1 for name in free}
            yield same({name: signs.get(name, 1) * value for name, value in arrays.items()}, point.sizes)
        if drawn == ROUNDS:
            return


def _beyond_kinks(
    left: Expr, right: Expr, subjects: Sequence[Subject], arrays: Mapping[str, Any], rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Other values of what is free, one name and then all, on each side of the numbers that are typed.

    Of relu(c - 50) and 0, or relu(c - 2)*relu(3 - c) and 0, random values would not tell that they differ.
    """
    typed = {float(e.value) for expr in (left, right) for e in walk(expr) if e.op == "number"}
    ends = sorted({0.0, *typed, *(-value for value in typed)})
    levels = np.array([1.5 * ends[0], *((a + b) / 2 for a, b in pairwise(ends)), 1.5 * ends[-1]])
    levels = rng.permutation(levels)[:MOST_LEVELS]
    exponents = _integers(left, right)
    names = [s for s in subjects if s.traits <= {"positive", "nonnegative"} and s.name not in exponents]
    for group in [*([one] for one in names if len(names) > 1), names]:
        starts = {s.name: rng.integers(len(levels), size=np.shape(arrays[s.name])) for s in group}
        for turn in range(len(levels)):
            moved = {s.name: levels[(starts[s.name] + turn) % len(levels)] for s in group}
            moved = {s.name: np.abs(moved[s.name]) if s.traits else moved[s.name] for s in group}
            yield {**arrays, **moved}


def _close(a: Any, b: Any) -> bool | None:
    """Whether the arrays agree to thirty digits; None between that and fifteen, and for what is all but zero."""
    if a.shape != b.shape:
        return False
    off = max((abs(x) for x in np.ravel(a - b)), default=0)
    scale = max((max(abs(x), abs(y)) for x, y in zip(np.ravel(a), np.ravel(b), strict=True)), default=0)
    if off <= _SAME * scale:
        return True
    if off <= _SAME * _SAME:
        return None
    return False if off > _APART * scale else None
