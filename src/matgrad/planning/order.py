"""In which order the factors of a contraction are multiplied, two at a time, and how the axes of a product lie."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matgrad.dims import Dim
from matgrad.planning.setting import Setting
from matgrad.planning.steps import Step

Labels = tuple[int, ...]
MOST_OF_ALL = 16
"""Factors up to which the cheapest of all orders is looked for."""


class Operand(NamedTuple):
    """A factor without broadcast axes and diagonals: a step with one label for each axis."""

    step: Step
    labels: Labels
    nonnegative: bool = False


def first_pair(setting: Setting, sizes: Mapping[int, Dim], operands: Sequence[Operand], out: Labels) -> tuple[int, ...]:
    """The factors that are multiplied first, of two or more: on the cheapest way to the product of all."""
    if len(operands) == 2:
        return 0, 1
    setting.by_size = True
    numbers = {x: setting.size(sizes[x]) for operand in operands for x in operand.labels}
    if len(operands) == 3:
        return min([(0, 1), (0, 2), (1, 2)], key=lambda pair: _cost(setting, numbers, operands, pair, out))
    import opt_einsum

    letters = {x: opt_einsum.get_symbol(k) for k, x in enumerate(numbers)}
    inputs = ",".join("".join(letters[x] for x in o.labels) for o in operands)
    output = "".join(letters[x] for x in out if x in letters)
    shapes = [tuple(numbers[x] for x in o.labels) for o in operands]
    optimize = "dp" if len(operands) <= MOST_OF_ALL else "greedy"  # "optimal" passes products of entries over
    path, _ = opt_einsum.contract_path(f"{inputs}->{output}", *shapes, shapes=True, optimize=optimize)
    return tuple(path[0])


def _cost(
    setting: Setting, numbers: Mapping[int, int], operands: Sequence[Operand], pair: tuple[int, int], out: Labels
) -> tuple[int, int, bool]:
    """Products of numbers, where this pair of three is multiplied first; of equals that which takes what is given,
    since others may need it, too, and what stands to the left."""
    (last,) = {0, 1, 2} - {*pair}
    first = {*operands[pair[0]].labels, *operands[pair[1]].labels}
    rest = {*operands[last].labels}
    second = first & (rest | {*out}) | rest
    made = [source(operands[i].step) in setting.products for i in pair]
    total = sum([math.prod([numbers[x] for x in labels]) for labels in (first, second)])
    return total, sum(made), first.isdisjoint(out[:1])


def laid(a: Operand, b: Operand, others: Sequence[Operand], out: Labels) -> Labels:
    """The order in which the axes of a product may lie: that of the result, or of an array that it meets entry by
    entry."""
    rest = {*a.labels} ^ {*b.labels}
    if not rest <= {*out}:
        for other in others:
            if rest == {*other.labels}:
                return other.labels
    return out


def source(step: Step) -> Step:
    return source(step.args[0]) if step.op == "view" else step
