"""Sums of outer products: Σ aₖ⊗bₖ over the same two groups of axes is one product of stacks, written once."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from matgrad.planning.steps import Plan
from matgrad.planning.values import Value

Term = tuple[Fraction, Value]
Labels = tuple[int, ...]
LEAST = 3
"""Axes from which this repays the stacks."""


def joined(plan: Plan, terms: Sequence[Term]) -> list[Term]:
    """Outer products that split the axes alike in one; other terms as they are."""
    groups: dict[frozenset[frozenset[int]], list[Term]] = {}
    found = []
    for factor, value in terms:
        if value.step.op == "spread" and len(value.labels) >= LEAST:
            first, second = _halves(value)
            if not {*first} & {*second}:
                groups.setdefault(frozenset({frozenset(first), frozenset(second)}), []).append((factor, value))
                continue
        found.append((factor, value))
    for group in groups.values():
        found += [(Fraction(1), _product(plan, group))] if len(group) > 1 else group
    return found


def _halves(value: Value) -> tuple[Labels, Labels]:
    """The labels of the two factors of an outer product."""
    first, second, _ = value.step.param
    return tuple(value.labels[x] for x in first), tuple(value.labels[x] for x in second)


def _product(plan: Plan, terms: Sequence[Term]) -> Value:
    first, second = _halves(terms[0][1])
    left, right = [], []
    for factor, value in terms:
        pairs = dict(zip(map(frozenset, _halves(value)), value.step.args, strict=True))
        own = {frozenset(labels): labels for labels in _halves(value)}
        one, other = frozenset(first), frozenset(second)
        left.append(plan.mul(plan.number(factor), plan.aligned(pairs[one], own[one], first)))
        right.append(plan.aligned(pairs[other], own[other], second))
    stacks = plan.stack(left), plan.stack(right)
    shape = stacks[0].shape[1:] + stacks[1].shape[1:]
    return Value(plan.step("tensordot", stacks, ((0,), (0,)), shape), first + second, terms[0][1].out)
