"""Repairs of a wrong answer, kind by kind: each is a change to its tree that gives the truth.

Nothing here knows any answers: a repair is proposed by a general change (a transpose toggled, factors in another order,
an operator exchanged, a term or a factor added) and kept where the values at random points are the truth's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import combinations, permutations
from typing import Any, NamedTuple

import numpy as np

from matgrad.diagnosing import trees
from matgrad.diagnosing.testing import Bench, Values, close
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr, walk

BUDGET, TOTAL = 0.12, 0.35
"""Seconds for the proposals of one kind, and for all."""


class Fault(NamedTuple):
    """One kind of mistake that explains an answer.

    ``part`` is what the fault is about (a factor, a term, a matrix), ``repaired`` the answer after the repair, where it
    is a tree; ``value`` a constant factor; ``condition`` when the answer is right after all.
    """

    kind: str
    part: Expr | None = None
    repaired: Expr | None = None
    value: Fraction | float | str | None = None
    condition: str = ""
    layout: str = ""


class Wrong(NamedTuple):
    """An answer that is not the truth: its tree (typed where it has types), and its values."""

    bench: Bench
    tree: Expr
    typed: Expr | None
    values: Values | None
    square_gradient: bool
    start: float

    def deadline(self) -> float:
        """Until when the kind that begins now may try."""
        return min(time.process_time() + BUDGET, self.start + TOTAL)


def proposals(wrong: Wrong, changes: Iterator[tuple[Expr, Expr | None]]) -> Iterator[tuple[Expr, Expr | None]]:
    """The changed trees that give the truth, within the budget of time."""
    stop = wrong.deadline()
    seen: set[Expr] = set()
    for tree, part in changes:
        if tree in seen:
            continue
        seen.add(tree)
        if wrong.bench.matches(wrong.bench.values_of(tree)):
            yield tree, part
        if time.process_time() > stop:
            return


def _first(wrong: Wrong, kind: str, changes: Iterator[tuple[Expr, Expr | None]]) -> Fault | None:
    for tree, part in proposals(wrong, changes):
        return Fault(kind, part, tree)
    return None


# -- the answer as a whole


def sign(wrong: Wrong) -> Fault | None:
    if wrong.values is None or not wrong.bench.matches([-v for v in wrong.values]):
        return None
    return Fault("sign", None, trees.negated(wrong.tree))


def constant_factor(wrong: Wrong) -> Fault | None:
    """The truth is a number times the answer, the same number at every point; or a size, for a mean taken as a sum."""
    every = _scalar_ratios(wrong)
    ratios = [r for r in every or () if np.isfinite(r)]
    if not ratios or max(map(abs, ratios)) == 0:
        return None
    if all(abs(r - ratios[0]) <= 1e-8 * abs(ratios[0]) for r in ratios):
        value = Fraction(ratios[0]).limit_denominator(1000)
        exact = abs(float(value) - ratios[0]) <= 1e-7 * abs(ratios[0]) and value != 0
        if not exact:
            return Fault("constant-factor", None, None, ratios[0])
        if value in (1, -1):
            return None
        return Fault("constant-factor", None, trees.times(trees.number(value), wrong.tree), value)
    for name in wrong.bench.points[0].sizes:
        for count, shown in ((1, name), (-1, f"1/{name}")):
            if len(ratios) < len(wrong.bench.points):
                return None
            scaled = [r / p.sizes[name] ** count for r, p in zip(ratios, wrong.bench.points, strict=True)]
            fraction = Fraction(scaled[0]).limit_denominator(100)
            if fraction and all(abs(s - float(fraction)) <= 1e-7 * abs(s) for s in scaled):
                return Fault("constant-factor", None, None, shown if fraction == 1 else f"{fraction}*{shown}")
    return None


def _scalar_ratios(wrong: Wrong) -> list[float] | None:
    """At each point the number that takes the answer to the truth, where there is one; nan where both vanish."""
    if wrong.values is None:
        return None
    found = []
    for value, target in zip(wrong.values, wrong.bench.target, strict=True):
        if np.shape(value) != np.shape(target):
            return None
        norm = float(np.sum(value * value))
        if norm == 0 and not np.any(target):
            found.append(float("nan"))
            continue
        if norm == 0:
            return None
        ratio = float(np.sum(value * target)) / norm
        if not close(ratio * value, target):
            return None
        found.append(ratio)
    return found if any(np.isfinite(found)) else None


# -- transposes and inverses


def _typed_nodes(wrong: Wrong) -> Iterator[tuple[trees.Path, Expr]]:
    return trees.paths(wrong.typed if wrong.typed is not None else wrong.tree)


def inverse_not_transposed(wrong: Wrong) -> Fault | None:
    def changes() -> Iterator[tuple[Expr, Expr | None]]:
        for path, node in _typed_nodes(wrong):
            inner = node.args[0] if node.op == "transpose" else node
            if _may_be_inverse(inner) and not (node.op != "transpose" and _under_transpose(wrong.tree, path)):
                yield trees.replaced(wrong.tree, path, trees.transposed(node)), inner

    return _first(wrong, "inverse-not-transposed", changes())


def _may_be_inverse(node: Expr) -> bool:
    return trees.is_inverse(node) or (node.type is None and node.op == "call" and node.value.name == "inv")


def _under_transpose(root: Expr, path: trees.Path) -> bool:
    node = root
    for k in path[:-1]:
        node = node.args[k]
    return bool(path) and node.op == "transpose"


def missing_transpose(wrong: Wrong) -> Fault | None:
    """One transpose added or removed, at one place, or wherever the same part stands."""

    def changes() -> Iterator[tuple[Expr, Expr | None]]:
        nodes = [
            (p, n) for p, n in _typed_nodes(wrong) if not trees.is_scalar(n) and n.op not in ("number", "constant")
        ]
        nodes.sort(key=lambda pair: (pair[1].op not in ("name", "transpose"), len(pair[0])))
        for path, node in nodes:
            if not _under_transpose(wrong.tree, path):
                part = node.args[0] if node.op == "transpose" else node
                yield trees.replaced(wrong.tree, path, trees.transposed(node)), part
        for part in dict.fromkeys(n for _, n in nodes if n.op == "name"):
            yield _toggled_everywhere(wrong.tree, part), part

    return _first(wrong, "missing-transpose", changes())


def _toggled_everywhere(root: Expr, part: Expr) -> Expr:
    turned = Expr("transpose", (part,), None, part.span)
    mark = Expr("name", (), "<part>", part.span)
    return trees.everywhere(trees.everywhere(trees.everywhere(root, turned, mark), part, turned), mark, part)


def only_if_symmetric(wrong: Wrong) -> Fault | None:
    """Right where one of the square matrices is symmetric; or where all of them are."""
    square = [
        s.name
        for s in wrong.bench.subjects
        if len(s.type.dims) == 2 and s.type.dims[0] == s.type.dims[1] and "symmetric" not in s.traits
    ]
    if wrong.typed is None:
        return None
    for names in [*([n] for n in square), *([square] if len(square) > 1 else [])]:
        bench = wrong.bench.constrained({name: frozenset({"symmetric"}) for name in names})
        if bench.points and bench.equals(wrong.typed):
            condition = f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} symmetric"
            return Fault("only-valid-if-symmetric", None, None, None, condition)
    return None


def only_under_a_sign(wrong: Wrong) -> str:
    """The condition on the sign of a variable under which the answer is right, or nothing."""
    if wrong.typed is None:
        return ""
    for subject in wrong.bench.subjects:
        if subject.type.kind in (SCALAR, VECTOR, MATRIX) and "nonnegative" not in subject.traits:
            bench = wrong.bench.constrained({subject.name: frozenset({"positive", "nonnegative"})})
            if bench.points and bench.equals(wrong.typed):
                return f"{subject.name} > 0"
    return ""


# -- products


def wrong_order(wrong: Wrong) -> Fault | None:
    """The factors of one product in another order; in each product at once, where the same factors recur."""

    def changes() -> Iterator[tuple[Expr, Expr | None]]:
        root = trees.flat(wrong.tree)
        typed = wrong.bench.typed_as(root) or root
        for path, node in trees.paths(typed):
            if node.op != "product" or set(node.value) != {"*"}:
                continue
            movable = [k for k, arg in enumerate(node.args) if not trees.is_scalar(arg)]
            for order in _orders(movable):
                if list(order) != movable:
                    args = list(node.args)
                    for place, k in zip(movable, order, strict=True):
                        args[place] = node.args[k]
                    yield trees.replaced(root, path, node.replace(args=tuple(args), type=None)), node

    return _first(wrong, "wrong-order-of-matrix-product", changes())


def _orders(places: list[int]) -> Iterator[tuple[int, ...]]:
    """All orders of a few factors; of many, those with two exchanged."""
    if len(places) <= 5:
        yield from permutations(places)
        return
    for a, b in combinations(range(len(places)), 2):
        order = list(places)
        order[a], order[b] = order[b], order[a]
        yield tuple(order)


_OTHER = {"*": ".*", ".*": "*", "/": "./", "./": "/", "⊗": "*"}


def elementwise_or_matrix(wrong: Wrong) -> Fault | None:
    """One operator, or all of a product, exchanged; what was transposed only to fit is turned back."""

    def changes() -> Iterator[tuple[Expr, Expr | None]]:
        root = trees.flat(wrong.tree)
        for path, node in trees.paths(root):
            if node.op == "power":
                yield (
                    trees.replaced(root, path, node.replace(value=".^" if node.value == "^" else "^", type=None)),
                    node,
                )
            if node.op != "product":
                continue
            flips = (
                [{k} for k in range(len(node.value))]
                + [set(range(len(node.value)))]
                + [set(pair) for pair in combinations(range(len(node.value)), 2)]
            )
            for flip in flips:
                operators = tuple(_OTHER[o] if k in flip else o for k, o in enumerate(node.value))
                for args in _turned(node.args):
                    yield trees.replaced(root, path, Expr("product", args, operators, node.span)), node

    return _first(wrong, "elementwise-vs-matrix-product", changes())


def _turned(args: tuple[Expr, ...]) -> Iterator[tuple[Expr, ...]]:
    yield args
    if len(args) <= 4:
        for size in range(1, len(args)):
            for places in combinations(range(len(args)), size):
                yield tuple(trees.transposed(a) if k in places else a for k, a in enumerate(args))


def forgotten_factor(wrong: Wrong) -> Fault | None:
    """A factor of the truth without which it is the answer; or one of the parts of the truth by which they differ."""
    stop = wrong.deadline()
    for part, tree in _dropped(wrong.bench.truth):
        if wrong.values is None:
            same = tree == wrong.tree
        else:
            same = wrong.bench.matches(wrong.bench.values_of(tree), wrong.values)
        if same:
            return Fault("forgot-chain-rule-factor", part)
        if time.process_time() > stop:
            break
    return _by_ratio(wrong) or _by_multiplying(wrong) or _by_inserting(wrong)


def _dropped(truth: Expr) -> Iterator[tuple[Expr, Expr]]:
    """Each factor of each product, with the truth that lacks it."""
    for path, node in trees.paths(truth):
        if node.op == "product":
            for k, factor in enumerate(node.args):
                rest = None if factor.op == "number" else trees.without_factor(node, k)
                if rest is not None:
                    yield factor, trees.replaced(truth, path, rest)


def _by_inserting(wrong: Wrong) -> Fault | None:
    """A name of the formula, or an inverse of the truth, that is missing next to some part of the answer."""

    def changes() -> Iterator[tuple[Expr, Expr | None]]:
        factors = [p for p in _parts(wrong.bench) if p.op == "name" or trees.is_inverse(p)]
        for path, node in trees.paths(trees.flat(wrong.tree)):
            if node.op in ("number", "constant"):
                continue
            for factor in factors:
                for turned in (factor, trees.transposed(factor)) if not trees.is_scalar(factor) else (factor,):
                    for tree in (trees.times(node, turned), trees.times(turned, node)):
                        yield trees.replaced(trees.flat(wrong.tree), path, trees.flat(tree)), turned

    return _first(wrong, "forgot-chain-rule-factor", changes())


def _by_ratio(wrong: Wrong) -> Fault | None:
    """The truth is the answer times a scalar or, entry by entry, an array, that the truth or the formula contains."""
    if wrong.values is None or any(
        np.shape(v) != np.shape(t) for v, t in zip(wrong.values, wrong.bench.target, strict=True)
    ):
        return None
    with np.errstate(all="ignore"):
        ratios = [t / v for v, t in zip(wrong.values, wrong.bench.target, strict=True)]
    scalars = _scalar_ratios(wrong)
    for part in _parts(wrong.bench):
        values = wrong.bench.values(part)
        if values is None or part.op == "number":
            continue
        for power in (1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2)):
            with np.errstate(all="ignore"):
                powers = [np.power(v, float(power)) for v in values]
            if scalars is not None and trees.is_scalar(part) and _proportional(scalars, [float(p) for p in powers]):
                return Fault("forgot-chain-rule-factor", _power(part, power))
            same = all(np.shape(p) == np.shape(r) and np.ndim(r) for p, r in zip(powers, ratios, strict=True))
            if same and all(np.all(np.isfinite(r)) and close(p, r) for p, r in zip(powers, ratios, strict=True)):
                return Fault("forgot-chain-rule-factor", _power(part, power))
    return None


def _power(part: Expr, power: Fraction | int) -> Expr:
    if power == 1:
        return part
    entrywise = "^" if trees.is_scalar(part) else ".^"
    return Expr("power", (part, trees.number(Fraction(power))), entrywise, part.span)


def _proportional(left: list[float], right: list[float]) -> bool:
    """Whether the ratio is one simple number at all points."""
    if not all(np.isfinite(right)) or not all(right):
        return False
    ratios = [a / b for a, b in zip(left, right, strict=True) if np.isfinite(a)]
    simple = Fraction(ratios[0]).limit_denominator(20)
    return simple != 0 and all(abs(r - float(simple)) <= 1e-7 * abs(r) for r in ratios)


def _parts(bench: Bench) -> Iterator[Expr]:
    """The parts of the truth and of the formula, each once, the smallest first."""
    roots = [bench.truth, bench.typed.program.body, *(v for _, v in bench.typed.program.definitions)]
    found = dict.fromkeys(node for root in roots for node in walk(root) if node.op not in ("number", "constant"))
    yield from sorted(found, key=lambda node: sum(1 for _ in walk(node)))[:60]


def _by_multiplying(wrong: Wrong) -> Fault | None:
    """The answer lacks a matrix on its left or on its right."""
    stop = wrong.deadline()
    for part in _parts(wrong.bench):
        if part.kind not in (MATRIX, ROW, VECTOR):
            continue
        for factor in (part, trees.transposed(part)):
            for tree in (trees.times(factor, wrong.tree), trees.times(wrong.tree, factor)):
                if wrong.bench.matches(wrong.bench.values_of(tree)):
                    return Fault("forgot-chain-rule-factor", factor, tree)
        if time.process_time() > stop:
            return None
    return None


# -- terms


def missing_symmetric_term(wrong: Wrong) -> Fault | None:
    """What is missing is a term of the answer over again, with something in it transposed."""
    rest = _difference(wrong)
    if rest is None or wrong.bench.matches(rest, wrong.values):
        return None  # half of the truth: a factor 2, no other term

    def changes() -> Iterator[Expr]:
        for term in [wrong.tree, *(trees.expanded(wrong.tree) if wrong.tree.op != "name" else [])]:
            yield from _mirrors(wrong, term)

    stop = wrong.deadline()
    for mirror in changes():
        if mirror == wrong.tree:
            continue
        if wrong.bench.matches(wrong.bench.values_of(mirror), rest):
            return Fault("missing-symmetric-term", mirror, trees.total([wrong.tree, mirror]))
        if time.process_time() > stop:
            return None
    return None


def _mirrors(wrong: Wrong, term: Expr) -> Iterator[Expr]:
    """The term with one thing transposed: the whole, a name, or a run of factors."""
    yield trees.transposed(term)
    typed = wrong.bench.typed_as(term)
    names = dict.fromkeys(n for n in walk(typed or term) if n.op == "name" and trees.is_matrix(n))
    for name in names:
        yield _toggled_everywhere(term, name)
    for path, node in trees.paths(trees.flat(term)):
        if node.op == "product" and set(node.value) == {"*"}:
            for start in range(len(node.args)):
                for stop in range(start + 1, len(node.args) + 1):
                    turned = trees.transposed(trees.times(*node.args[start:stop]))
                    args = (*node.args[:start], turned, *node.args[stop:])
                    yield trees.replaced(trees.flat(term), path, trees.times(*args))


def _difference(wrong: Wrong) -> Values | None:
    if wrong.values is None or any(
        np.shape(v) != np.shape(t) for v, t in zip(wrong.values, wrong.bench.target, strict=True)
    ):
        return None
    return [t - v for v, t in zip(wrong.values, wrong.bench.target, strict=True)]


def missing_term(wrong: Wrong) -> Fault | None:
    """The answer is the truth without some of its terms, at the top or in one of its sums."""
    missing = _left_out(wrong.bench, trees.expanded(wrong.bench.truth), wrong.values)
    if missing is not None:
        part = trees.total(missing)
        return Fault("missing-term", part, trees.total([wrong.tree, part]))
    stop = wrong.deadline()
    for part, tree in _without_a_term(wrong.bench.truth):
        if wrong.values is not None and wrong.bench.matches(
            wrong.bench.values_of(tree, wrong.bench.truth.type), wrong.values
        ):
            return Fault("missing-term", part)
        if time.process_time() > stop:
            break
    return None


def extra_term(wrong: Wrong) -> Fault | None:
    """The truth is the answer without some of its terms, at the top or in one of its sums."""
    if wrong.typed is not None:
        extra = _left_out(wrong.bench, trees.expanded(wrong.typed), wrong.bench.target)
        if extra is not None:
            kept = [t for t in trees.expanded(wrong.typed) if t not in extra]
            return Fault("extra-term", trees.total(extra), trees.total(kept) if kept else None)
    return _first(wrong, "extra-term", ((tree, part) for part, tree in _without_a_term(wrong.tree)))


def _without_a_term(root: Expr) -> Iterator[tuple[Expr, Expr]]:
    """Each term of each sum, with the tree that lacks it."""
    for path, node in trees.paths(root):
        if node.op == "add":
            for k, term in enumerate(node.args):
                rest = [*node.args[:k], *node.args[k + 1 :]]
                yield term, trees.replaced(root, path, trees.total(rest))


def _left_out(bench: Bench, terms: list[Expr], target: Values | None) -> list[Expr] | None:
    """The fewest terms without which the rest adds up to the target."""
    if target is None or not 2 <= len(terms) <= 10:
        return None
    values = [bench.values_of(term, bench.truth.type) for term in terms]
    if any(v is None for v in values):
        return None
    for count in range(1, len(terms)):
        for out in combinations(range(len(terms)), count):
            kept: list[Any] = [v for k, v in enumerate(values) if k not in out and v is not None]
            sums = [sum(parts[1:], parts[0]) for parts in zip(*kept, strict=True)]
            if bench.matches(sums, target):
                return [terms[k] for k in out]
    return None


DIAGNOSES: tuple[Callable[[Wrong], Fault | None], ...] = (
    sign, constant_factor, inverse_not_transposed, missing_transpose, only_if_symmetric, missing_symmetric_term,
    wrong_order, elementwise_or_matrix, forgotten_factor, missing_term, extra_term,
)  # fmt: skip
"""In the order in which they are tried; layouts and shapes are between the second and the third."""
