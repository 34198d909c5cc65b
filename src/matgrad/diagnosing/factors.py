"""Repairs by a factor that the chain rule gives and the answer lacks."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain

import numpy as np

from matgrad.diagnosing import trees
from matgrad.diagnosing.faults import Fault, Wrong, first
from matgrad.diagnosing.testing import Bench
from matgrad.diagnosing.whole import scalar_ratios
from matgrad.formula.syntax import MATRIX, ROW, VECTOR, Expr, walk


def forgotten_factor(wrong: Wrong) -> Fault | None:
    """A factor that the answer lacks; where it is a constant of the formula, the answer is right where that is 1."""
    fault = _lacking(wrong)
    if fault is None or fault.part is None or not trees.is_scalar(fault.part):
        return fault
    constant = all(n.op != "number" and n.value != wrong.variable for n in walk(fault.part))
    return fault._replace(unit=True) if constant else fault


def _lacking(wrong: Wrong) -> Fault | None:
    """A factor of the truth without which it is the answer; or one of the parts of the truth by which they differ."""
    wrong.allowance.begin()
    for part, tree in _dropped(wrong.bench.truth):
        if wrong.values is None:
            same = tree == wrong.tree
        else:
            same = wrong.bench.matches(wrong.bench.values_of(tree), wrong.values)
        if same:
            return Fault("forgot-chain-rule-factor", part)
        if not wrong.allowance.spend(tree):
            break
    return _by_ratio(wrong) or _by_multiplying(wrong) or _by_inserting(wrong) or _some_scalar(wrong)


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
        factors = [
            part
            for part in _parts(wrong.bench)
            if part.op == "name" or trees.is_inverse(part) or _is_constant_sum(part, wrong.variable)
        ]
        for path, node in trees.paths(trees.flat(wrong.tree)):
            if node.op in ("number", "constant"):
                continue
            for factor in factors:
                for turned in (factor, trees.transposed(factor)) if not trees.is_scalar(factor) else (factor,):
                    for tree in (trees.times(node, turned), trees.times(turned, node)):
                        yield trees.replaced(trees.flat(wrong.tree), path, trees.flat(tree)), turned

    def scalars() -> Iterator[tuple[Expr, Expr | None]]:
        """A term times or over a scalar of the truth."""
        factors = [p for p in _parts(wrong.bench) if trees.is_scalar(p) and p.op not in ("neg", "add")][:8]
        for path, node in trees.paths(wrong.tree):
            if node.op in ("product", "call", "name") and len(path) <= 3:
                for factor in factors:
                    for operator, power in (("/", -1), ("*", 1)):
                        tree = Expr("product", (node, factor), (operator,), node.span)
                        yield trees.replaced(wrong.tree, path, tree), _power(factor, power)

    return first(wrong, "forgot-chain-rule-factor", chain(changes(), scalars()))


def _is_constant_sum(part: Expr, variable: str) -> bool:
    """A scalar call that the variable does not occur in, such as ``sum(y)``: easily taken for 1."""
    return part.op == "call" and trees.is_scalar(part) and all(node.value != variable for node in walk(part))


def _by_ratio(wrong: Wrong) -> Fault | None:
    """The truth is the answer times a scalar or, entry by entry, an array, that the truth or the formula contains."""
    if wrong.values is None or any(
        np.shape(v) != np.shape(t) for v, t in zip(wrong.values, wrong.bench.target, strict=True)
    ):
        return None
    with np.errstate(all="ignore"):
        ratios = [t / v for v, t in zip(wrong.values, wrong.bench.target, strict=True)]
    scalars = scalar_ratios(wrong)
    for part in _parts(wrong.bench):
        values = wrong.bench.values(part)
        if values is None or part.op == "number":
            continue
        for power in (1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2)):
            with np.errstate(all="ignore"):
                powers = [np.power(v, float(power)) for v in values]
            if scalars is not None and trees.is_scalar(part):
                count = _proportional(scalars, [float(p) for p in powers])
                if count is not None:
                    return _times(wrong, count, _power(part, power), ".*" if wrong.tree.op == "name" else "*")
            if all(np.shape(p) == np.shape(r) and np.ndim(r) for p, r in zip(powers, ratios, strict=True)):
                count = _proportional(
                    [float(x) for r in ratios for x in np.ravel(r)], [float(x) for p in powers for x in np.ravel(p)]
                )
                if count is not None:
                    return _times(wrong, count, _power(part, power), ".*")
    return None


def _times(wrong: Wrong, count: Fraction, part: Expr, operator: str) -> Fault:
    factor = part if count == 1 else trees.times(trees.number(count), part)
    if _is_reciprocal(part):  # 1/(2*c), and the answer over 2*c
        over = "/" if trees.is_scalar(part.args[1]) else "./"
        below = part.args[1] if count.denominator == 1 else trees.multiple(Fraction(count.denominator), part.args[1])
        factor = Expr("product", (trees.number(count.numerator), below), (over,), part.span)
        above = trees.multiple(Fraction(abs(count.numerator)), wrong.tree)
        whole = Expr("product", (above, below), (over,), part.span)
        return Fault("forgot-chain-rule-factor", factor, trees.negated(whole) if count < 0 else whole)
    return Fault("forgot-chain-rule-factor", factor, Expr("product", (factor, wrong.tree), (operator,), part.span))


def _is_reciprocal(part: Expr) -> bool:
    return part.op == "product" and part.value in (("/",), ("./",)) and part.args[0].op == "number"


def _some_scalar(wrong: Wrong) -> Fault | None:
    """At every point the truth is a number times the answer, another at each: a scalar factor, whatever it is."""
    ratios = scalar_ratios(wrong)
    if ratios is None or wrong.values is None or all(np.count_nonzero(v) < 2 for v in wrong.values):
        return None
    return Fault("forgot-chain-rule-factor")


def _power(part: Expr, power: Fraction | int) -> Expr:
    if power == 1:
        return part
    entrywise = "^" if trees.is_scalar(part) else ".^"
    if power == -1:
        over = "/" if trees.is_scalar(part) else "./"
        return Expr("product", (trees.number(1), part), (over,), part.span)
    return Expr("power", (part, trees.number(Fraction(power))), entrywise, part.span)


def _proportional(left: list[float], right: list[float]) -> Fraction | None:
    """The simple number that the ratio is at all points, where it is one."""
    if not all(np.isfinite(right)) or not all(right):
        return None
    ratios = [a / b for a, b in zip(left, right, strict=True) if np.isfinite(a)]
    if len(ratios) < 2 or len(ratios) < len(left) - 2:
        return None
    simple = Fraction(ratios[0]).limit_denominator(20)
    return simple if simple and all(abs(r - float(simple)) <= 1e-7 * abs(r) for r in ratios) else None


def _parts(bench: Bench) -> Iterator[Expr]:
    """The parts of the truth and of the formula, each once, the smallest first."""
    roots = [bench.truth, bench.typed.program.body, *(v for _, v in bench.typed.program.definitions)]
    found = dict.fromkeys(node for root in roots for node in walk(root) if node.op not in ("number", "constant"))
    yield from sorted(found, key=lambda node: sum(1 for _ in walk(node)))[:60]


def _by_multiplying(wrong: Wrong) -> Fault | None:
    """The answer lacks a matrix on its left or on its right."""
    wrong.allowance.begin()
    for part in _parts(wrong.bench):
        if part.kind not in (MATRIX, ROW, VECTOR):
            continue
        for factor in (part, trees.transposed(part)):
            for tree in (trees.times(factor, wrong.tree), trees.times(wrong.tree, factor)):
                if wrong.bench.matches(wrong.bench.values_of(tree)):
                    return Fault("forgot-chain-rule-factor", factor, tree)
                if not wrong.allowance.spend(tree):
                    return None
    return None
