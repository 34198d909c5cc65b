"""Repairs by terms: the mirror image of one that is there, one that is missing, one too many."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from matgrad.diagnosing import trees
from matgrad.diagnosing.faults import Fault, Wrong, first
from matgrad.diagnosing.testing import Bench, Values, close
from matgrad.diagnosing.transposing import toggled_everywhere
from matgrad.formula.syntax import Expr, walk


def missing_symmetric_term(wrong: Wrong) -> Fault | None:
    """What is missing is a term of the answer over again, with something in it transposed."""
    rest = difference(wrong)
    if rest is None or wrong.bench.matches(rest, wrong.values):
        return None  # half of the truth: a factor 2, no other term

    def changes() -> Iterator[Expr]:
        for term in [wrong.tree, *(trees.expanded(wrong.tree) if wrong.tree.op != "name" else [])]:
            itself = wrong.bench.values_of(term)
            if not wrong.bench.matches(rest, itself):  # a term that is missing once more has a wrong factor
                yield from _mirrors(wrong, term)

    wrong.allowance.begin()
    for mirror in changes():
        if mirror == wrong.tree:
            continue
        if wrong.bench.matches(wrong.bench.values_of(mirror), rest):
            return Fault("missing-symmetric-term", mirror, trees.total([wrong.tree, mirror]))
        if not wrong.allowance.spend(mirror):
            return None
    return None


def _mirrors(wrong: Wrong, term: Expr) -> Iterator[Expr]:
    """The term with one thing transposed: the whole, a name, or a run of factors."""
    yield trees.transposed(term)
    typed = wrong.bench.typed_as(term)
    names = dict.fromkeys(n for n in walk(typed or term) if n.op == "name" and trees.is_matrix(n))
    for name in names:
        yield toggled_everywhere(term, name)
    for kept in names:  # all that is known of the variable's other side: the other matrices transposed
        mirror = term
        for name in names:
            if name != kept:
                mirror = toggled_everywhere(mirror, name)
        yield mirror
    for path, node in trees.paths(trees.flat(term)):
        if node.op == "product" and set(node.value) == {"*"}:
            for start in range(len(node.args)):
                for stop in range(start + 1, len(node.args) + 1):
                    turned = trees.transposed(trees.times(*node.args[start:stop]))
                    args = (*node.args[:start], turned, *node.args[stop:])
                    yield trees.replaced(trees.flat(term), path, trees.times(*args))


def difference(wrong: Wrong) -> Values | None:
    if wrong.values is None or any(
        np.shape(v) != np.shape(t) for v, t in zip(wrong.values, wrong.bench.target, strict=True)
    ):
        return None
    return [t - v for v, t in zip(wrong.values, wrong.bench.target, strict=True)]


def missing_term(wrong: Wrong) -> Fault | None:
    """The answer is the truth without some of its terms, at the top or in one of its sums; or without a part of one."""
    missing = _left_out(wrong.bench, trees.expanded(wrong.bench.truth), wrong.values)
    if missing is not None:
        part = trees.total(missing)
        return Fault("missing-term", part, trees.total([wrong.tree, part]))
    wrong.allowance.begin()
    for part, tree in _without_a_term(wrong.bench.truth):
        if wrong.values is not None and wrong.bench.matches(
            wrong.bench.values_of(tree, wrong.bench.truth.type), wrong.values
        ):
            return Fault("missing-term", part)
        if not wrong.allowance.spend(tree):
            break
    return _part_of_a_term(wrong, missing=True) or _diagonal_only(wrong)


def _part_of_a_term(wrong: Wrong, *, missing: bool) -> Fault | None:
    """What is missing, or too much, is a number times a term of the truth."""
    rest = difference(wrong)
    if rest is None or not wrong.bench.points:
        return None
    for term in trees.expanded(wrong.bench.truth):
        values = wrong.bench.values_of(term, wrong.bench.truth.type)
        if values is None or np.shape(values[0]) != np.shape(rest[0]) or not np.any(values[0]):
            continue
        square = float(np.sum(values[0] * values[0]))
        ratio = float(np.sum(values[0] * rest[0])) / square if square else float("nan")
        count = Fraction(ratio).limit_denominator(20) if np.isfinite(ratio) else Fraction(0)
        if count and (count > 0) is missing and wrong.bench.matches([float(count) * v for v in values], rest):
            part = trees.multiple(abs(count), term)
            joined = part if missing else trees.negated(part)
            return Fault(
                "missing-term" if missing else "extra-term", part, trees.total([wrong.tree, joined]), str(abs(count))
            )
    return None


def _diagonal_only(wrong: Wrong) -> Fault | None:
    """The diagonal is right, and all off the diagonal is missing: outputs depend on other inputs too."""
    rest = difference(wrong)
    if rest is None or wrong.values is None or any(np.ndim(r) != 2 or r.shape[0] != r.shape[1] for r in rest):
        return None
    diagonal = all(not np.any(v - np.diag(np.diag(v))) for v in wrong.values)
    right = all(close(np.diag(v), np.diag(t)) for v, t in zip(wrong.values, wrong.bench.target, strict=True))
    return Fault("missing-term", None, None, "off the diagonal") if diagonal and right else None


def extra_term(wrong: Wrong) -> Fault | None:
    """The truth is the answer without some of its terms, at the top or in one of its sums."""
    if wrong.typed is not None:
        extra = _left_out(wrong.bench, trees.expanded(wrong.typed), wrong.bench.target)
        if extra is not None:
            kept = [t for t in trees.expanded(wrong.typed) if t not in extra]
            return Fault("extra-term", trees.total(extra), trees.total(kept) if kept else None)
    found = first(wrong, "extra-term", ((tree, part) for part, tree in _without_a_term(wrong.tree)))
    return found or _part_of_a_term(wrong, missing=False)


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
