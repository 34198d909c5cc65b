"""What can be decided only when the whole plan is known."""

from __future__ import annotations

from collections.abc import Sequence

from matgrad.planning.steps import Plan, Step, needed


def finished(plan: Plan, outputs: Sequence[Step]) -> list[Step]:
    """Where an inverse is needed anyway, systems with many right sides are products with it."""
    steps = needed(outputs)
    inverses = {step.args[0]: step for step in steps if step.op == "inverse"}
    if not inverses:
        return list(outputs)
    new: dict[Step, Step] = {}
    for step in steps:
        args = [new[arg] for arg in step.args]
        if step.op == "solve" and step.args[0] in inverses and len(step.shape) == 2:
            inverse = plan.step("inverse", args[:1], None, inverses[step.args[0]].shape)
            left = plan.view(inverse, (1, 0)) if step.param else inverse
            new[step] = plan.step("matmul", (left, args[1]), None, step.shape)
        else:
            new[step] = step if args == list(step.args) else plan.step(step.op, args, step.param, step.shape)
        if step in plan.hints:
            plan.hints.setdefault(new[step], plan.hints[step])
    return [new[step] for step in outputs]
