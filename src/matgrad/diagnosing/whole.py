"""Repairs of the answer as a whole: its sign, and a constant factor."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from matgrad.diagnosing import trees
from matgrad.diagnosing.faults import Fault, Wrong, first
from matgrad.diagnosing.testing import close
from matgrad.formula.syntax import Expr


def sign(wrong: Wrong) -> Fault | None:
    if wrong.values is None or not wrong.bench.matches([-v for v in wrong.values]):
        return None
    return Fault("sign", None, trees.negated(wrong.tree))


def sign_inside(wrong: Wrong) -> Fault | None:
    """One sign is off: of a term in a sum, or of what a function is applied to."""

    def changes() -> Iterator[tuple[Expr, Expr | None]]:
        for path, node in trees.paths(wrong.tree):
            if node.op == "neg" and path:
                yield trees.replaced(wrong.tree, path, node.args[0]), node
            elif node.op == "add" or (node.op == "call" and len(node.args) == 1):
                for k, arg in enumerate(node.args):
                    yield trees.replaced(wrong.tree, (*path, k), trees.negated(arg)), arg

    return first(wrong, "sign", changes())


def constant_factor(wrong: Wrong) -> Fault | None:
    """The truth is a number times the answer, the same number at every point; or a size, for a mean taken as a sum."""
    every = scalar_ratios(wrong)
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
        return Fault("constant-factor", None, trees.multiple(value, wrong.tree), value)
    for name in wrong.bench.points[0].sizes:
        for count, shown in ((1, name), (-1, f"1/{name}")):
            if len(ratios) < len(wrong.bench.points):
                return None
            scaled = [r / p.sizes[name] ** count for r, p in zip(ratios, wrong.bench.points, strict=True)]
            fraction = Fraction(scaled[0]).limit_denominator(100)
            if fraction and all(abs(s - float(fraction)) <= 1e-7 * abs(s) for s in scaled):
                return Fault("constant-factor", None, None, shown if fraction == 1 else f"{fraction}*{shown}")
    return None


def scalar_ratios(wrong: Wrong) -> list[float] | None:
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
