"""What can be decided only when the whole plan is known: which inverses and which products are needed anyway."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from matgrad.planning.setting import Setting
from matgrad.planning.steps import Plan, Shape, Step, needed, uses

LARGE = 64
"""Rows from which a pass over a matrix is much faster than a product of two."""


def finished(setting: Setting, outputs: Sequence[Step]) -> list[Step]:
    """Where an inverse is needed anyway, systems with many right sides are products with it; where x·y is, a·x·y is
    a·(x·y), entry by entry."""
    plan = setting.plan
    steps = needed(outputs)
    inverses = {step.args[0]: step for step in steps if step.op == "inverse"}
    once = {step for step, count in uses(steps, outputs).items() if count == 1}
    products = {frozenset(step.args): step for step in steps if step.op == "mul" and step.shape}
    if not inverses and len(products) < 2:
        return list(outputs)
    new: dict[Step, Step] = {}
    for step in steps:
        args = [new[arg] for arg in step.args]
        if step.op == "solve" and step.args[0] in inverses and len(step.shape) == 2:
            inverse = plan.step("inverse", args[:1], None, inverses[step.args[0]].shape)
            left = plan.view(inverse, (1, 0)) if step.param else inverse
            new[step] = _product(setting, left, args[1], step.shape)
        elif step.op == "matmul":
            new[step] = _product(setting, args[0], args[1], step.shape)
        elif step.op == "view":
            new[step] = plan.view(args[0], step.param)
        elif step.op == "inner":
            new[step] = plan.step("inner", _either_way(plan, *args))
        elif step.op == "mul" and (regrouped := _regrouped(step, products, once)) is not None:
            a, x, y = (new[part] for part in regrouped)
            new[step] = plan.mul(a, plan.mul(x, y))
        else:
            new[step] = step if args == list(step.args) else plan.step(step.op, args, step.param, step.shape)
        if step in plan.hints:
            plan.hints.setdefault(new[step], plan.hints[step])
    return [new[step] for step in outputs]


def _regrouped(
    step: Step, products: Mapping[frozenset[Step], Step], once: Collection[Step]
) -> tuple[Step, Step, Step] | None:
    """a, x, y, where the step is (a·x)·y, of which nothing else needs a·x, while x·y is needed."""
    for inner, y in (step.args, step.args[::-1]):
        if inner.op == "mul" and inner in once:
            for x, a in (inner.args, inner.args[::-1]):
                known = products.get(frozenset((x, y)))
                if known is not None and known.shape == step.shape:
                    return a, x, y
    return None


def _either_way(plan: Plan, a: Step, b: Step) -> tuple[Step, Step]:
    """tr(A*B) of a symmetric A needs no transpose of B."""
    for x, y in ((a, b), (b, a)):
        if x in plan.symmetric and y.op == "view" and y.param == (1, 0):
            return x, y.args[0]
    return a, b


class Shifted(NamedTuple):
    """The matrix s·x + c·eye."""

    x: Step
    s: Step
    c: Step


def _product(setting: Setting, a: Step, b: Step, shape: Shape) -> Step:
    """a·b. With a = inv(s·b + c·eye) it is (eye - c·a)/s, which takes no product of matrices; the two commute."""
    plan = setting.plan
    for inverse, x in ((a, b), (b, a)):
        found = _shifted(plan, inverse.args[0].args[0]) if inverse.op == "inverse" and setting.eager else None
        if found is not None and found.x is x:
            setting.by_size = True
            if setting.size(shape[0]) >= LARGE:
                smooth = plan.step("smooth", (x, inverse, found.s, found.c), None, shape)
                if x in plan.symmetric:
                    plan.symmetric.add(smooth)
                return smooth
    return plan.step("matmul", (a, b), None, shape)


def _shifted(plan: Plan, matrix: Step) -> Shifted | None:
    if matrix.op != "add_diagonal" or len(matrix.shape) != 2 or matrix.args[1].shape:
        return None
    base, c = matrix.args
    if base.op == "mul" and not base.args[0].shape:
        return Shifted(base.args[1], base.args[0], c)
    return Shifted(base, plan.number(1), c)
