"""Contractions: constants become slices and reshapes, then the order of the products is chosen.

A contraction is Σ over the labels that are not in ``out`` of the product of its factors. What is left of the network
at the end is one array over the labels of ``out`` that it depends on, and moves that put it in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce
from typing import NamedTuple

from matgrad.dims import ONE, Dim
from matgrad.planning.mirrored import Half, mirrored
from matgrad.planning.order import Operand, first_pair, laid, source
from matgrad.planning.pairs import contract
from matgrad.planning.setting import Setting
from matgrad.planning.steps import Plan, Shape, Step
from matgrad.planning.values import Value, labelled
from matgrad.tensor.facts import Fact, nonnegative
from matgrad.tensor.nodes import Node

Labels = tuple[int, ...]
Move = Callable[[Step], Step]


class Factor(NamedTuple):
    """A factor of a contraction: what it is in the plan, the labels of its node's axes, and the node for its facts."""

    value: Value
    labels: Labels
    node: Node


def dense(plan: Plan, value: Value, shape: Shape) -> Step:
    """The whole array: broadcast, with its diagonals filled in, its axes in the order of the node's."""
    distinct = tuple(dict.fromkeys(value.out))
    sizes = dict(zip(value.out, shape, strict=True))
    step = plan.aligned(value.step, value.labels, distinct)
    if set(value.labels) != set(distinct):
        step = plan.step("expand", (step,), None, tuple(sizes[x] for x in distinct))
    if len(distinct) < len(value.out):
        step = plan.step("embed", (step,), (value.out, distinct), shape)
    return step


class Network:
    """One contraction, as it is taken apart."""

    def __init__(
        self, setting: Setting, coefficient: Fraction, factors: Sequence[Factor], out: Labels, sizes: Sequence[Dim]
    ) -> None:
        self.setting = setting
        self.plan = setting.plan
        self.coefficient = coefficient
        self.sizes = dict(enumerate(sizes))
        self.scalars: list[Step] = []
        self.moves: list[Move] = []
        merged = self._merged(factors)
        self._live = {merged(x) for x in self.sizes}
        self.out: Labels = tuple(merged(x) for x in out)
        self.operands = [self._operand(factor, merged) for factor in factors]

    def _merged(self, factors: Sequence[Factor]) -> Callable[[int], int]:
        """Labels that a diagonal ties together are one."""
        parent: dict[int, int] = {}

        def find(x: int) -> int:
            while x in parent:
                x = parent[x]
            return x

        for factor in factors:
            first: dict[int, int] = {}
            for own, label in zip(factor.value.out, factor.labels, strict=True):
                low, high = sorted((find(first.setdefault(own, label)), find(label)))
                if low != high:
                    parent[high] = low
        return find

    def _operand(self, factor: Factor, merged: Callable[[int], int]) -> Operand:
        table = {own: merged(label) for own, label in zip(factor.value.out, factor.labels, strict=True)}
        labels = tuple(table[x] for x in factor.value.labels)
        return self._diagonals(Operand(factor.value.step, labels, nonnegative(factor.node) is Fact.YES))

    def _diagonals(self, operand: Operand) -> Operand:
        """Each label once: an axis that occurs twice is the diagonal."""
        labels = tuple(dict.fromkeys(operand.labels))
        if len(labels) == len(operand.labels):
            return operand
        shape = tuple(self.sizes[x] for x in labels)
        return operand._replace(
            step=self.plan.step("diagonal", (operand.step,), (operand.labels, labels), shape), labels=labels
        )

    # -- the whole

    def contracted(self) -> Value:
        self._constants()
        self._scalars()
        self._count_free_labels()
        if not self.operands:
            return self._moved(self._scaled(None), (), self.out)
        step, labels = self._product()
        return self._moved(self._scaled(step), labels, self.out)

    def _moved(self, step: Step, labels: Labels, out: Labels) -> Value:
        value = Value(step, labels, out)
        if not self.moves:
            return value
        step = dense(self.plan, value, tuple(self.sizes[x] for x in out))
        for move in reversed(self.moves):
            step = move(step)
        return labelled(step)

    def _scaled(self, step: Step | None) -> Step:
        """The coefficient and the scalar factors, and the array; last what is 0 for an array of zeros."""
        scalar = self.plan.number(self.coefficient)
        last = [factor for factor in self.scalars if self.plan.at_kink(factor)]
        for factor in self.scalars:
            if factor not in last:
                scalar = self.plan.mul(scalar, factor)
        whole = scalar if step is None else self.plan.mul(scalar, step)
        return reduce(self.plan.mul, last, whole)

    def _scalars(self) -> None:
        self.scalars += [operand.step for operand in self.operands if not operand.labels]
        self.operands = [operand for operand in self.operands if operand.labels]

    def _count_free_labels(self) -> None:
        """A summed label that no operand has is a factor: its size."""
        having = {x for operand in self.operands for x in operand.labels} | set(self.out)
        for label in sorted(self._live - having):
            self.scalars.append(self.plan.size(self.sizes[label]))

    def _take_in_coefficient(self, operands: list[Operand], half: Half | None) -> None:
        """Into the smallest factor, where the result is larger than that; into a half, its root."""
        if len(set(self.out)) < 2 or (self.coefficient == 1 and not self.scalars):
            return
        if half is not None and self.scalars:
            return  # they may be negative, and the weights must not be
        turned = set() if half is None else set(range(len(operands))) - set(half.fixed)
        free = [i for i in range(len(operands)) if i not in turned]
        smallest = min(free or half.left if half else free, key=lambda i: len(operands[i].labels))
        operand = operands[smallest]
        if len(operand.labels) >= len(set(self.out)):
            return
        sign = Fraction(1 if self.coefficient > 0 else -1)
        if not free:
            root = self.plan.power(self.plan.number(abs(self.coefficient)), Fraction(1, 2))
            operands[smallest] = operand._replace(step=self.plan.mul(root, operand.step))
            self.coefficient = sign
            return
        if half is not None:
            self.coefficient, kept = abs(self.coefficient), sign
        else:
            operand, kept = operand._replace(nonnegative=False), Fraction(1)
        operands[smallest] = operand._replace(step=self._scaled(operand.step))
        self.coefficient, self.scalars = kept, []

    # -- constants

    def _constants(self) -> None:
        """Unit vectors are indices, shifts are slices, fused axes are reshaped, triangles are masks."""
        rules = {"fuse": self._fuse, "shift": self._shift, "tril": self._mask, "triu": self._mask, "unit": self._unit}
        for name, rule in rules.items():
            while True:
                place = next(
                    (i for i, o in enumerate(self.operands) if o.step.op == "constant" and o.step.param[0] == name),
                    None,
                )
                if place is None:
                    break
                constant = self.operands.pop(place)
                rule(constant)

    def _substitute(self, gone: int, new: Sequence[int], change: Callable[[Step, int], Step]) -> None:
        """In all operands that have the label, other labels in its place, and another step."""
        for i, operand in enumerate(self.operands):
            if gone in operand.labels:
                axis = operand.labels.index(gone)
                labels = operand.labels[:axis] + tuple(new) + operand.labels[axis + 1 :]
                changed = Operand(change(operand.step, axis), labels, operand.nonnegative)
                self.operands[i] = self._diagonals(changed)
        self._live.discard(gone)

    def _unit(self, constant: Operand) -> None:
        (label,), index = constant.labels, constant.step.param[1]
        place = index if isinstance(index, Dim) else Dim.of(index)
        total = constant.step.shape[0]
        self._substitute(
            label, (), lambda x, axis: self.plan.step("index", (x,), (axis, place), _without(x.shape, axis))
        )
        while label in self.out:
            self._place(self.out.index(label), (), place - ONE, total)

    def _shift(self, constant: Operand) -> None:
        (whole, part), offset = constant.labels, constant.step.param[1]
        length = constant.step.shape[1]
        self._substitute(whole, (part,), lambda x, axis: self.plan.step(
            "slice", (x,), (axis, offset, length), (*x.shape[:axis], length, *x.shape[axis + 1 :])))  # fmt: skip
        while whole in self.out:
            self._place(self.out.index(whole), (part,), (offset, length), constant.step.shape[0])

    def _place(self, axis: int, new: Labels, part: Dim | tuple[Dim, Dim], total: Dim) -> None:
        """The axis of the result is filled up with zeros in the end."""
        self.out = self.out[:axis] + new + self.out[axis + 1 :]
        self.moves.append(lambda x: self.plan.place(x, axis, part, total))

    def _fuse(self, constant: Operand) -> None:
        fused, slow, fast = constant.labels
        total, first, second = constant.step.shape
        self._substitute(
            fused,
            (slow, fast),
            lambda x, axis: self.plan.reshape(x, (*x.shape[:axis], first, second, *x.shape[axis + 1 :])),
        )
        while fused in self.out:
            axis = self.out.index(fused)
            self.out = (*self.out[:axis], slow, fast, *self.out[axis + 1 :])

            def move(x: Step, axis: int = axis) -> Step:
                return self.plan.reshape(x, (*x.shape[:axis], total, *x.shape[axis + 2 :]))

            self.moves.append(move)

    def _mask(self, constant: Operand) -> None:
        """On a factor that has both labels, or on the result; else an array of zeros and ones."""
        name, offset = constant.step.param
        for i, (step, labels, _) in enumerate(self.operands):
            if step.op != "constant" and set(constant.labels) <= set(labels):
                axes = tuple(labels.index(x) for x in constant.labels)
                masked = self.plan.step("mask", (step,), (name, offset, axes), step.shape)
                self.operands[i] = self.operands[i]._replace(step=masked)
                return
        ones = self.plan.step("expand", (self.plan.number(1),), None, constant.step.shape)
        self.operands.append(
            constant._replace(step=self.plan.step("mask", (ones,), (name, offset, (0, 1)), ones.shape))
        )

    # -- products

    def _product(self) -> tuple[Step, Labels]:
        out = tuple(dict.fromkeys(self.out))
        operands = self._weights(
            [self._summed(operand, self._others(i)) for i, operand in enumerate(self.operands)], out
        )
        half = mirrored([(o.step, o.labels) for o in operands], out) if self.plan.blas else None
        if half is not None and not all(operands[i].nonnegative for i in half.fixed):
            half = None
        if half is None:
            operands = self._known_products(operands, out)
        self._take_in_coefficient(operands, half)
        if half is not None:
            found = self._gram(operands, half)
            if found is not None:
                return found
        step, labels, _ = self._ordered(operands, out)
        return step, labels

    def _others(self, place: int) -> set[int]:
        return set(self.out).union(*(o.labels for i, o in enumerate(self.operands) if i != place))

    def _summed(self, operand: Operand, wanted: set[int]) -> Operand:
        """Labels that nothing else has are summed first."""
        axes = [axis for axis, label in enumerate(operand.labels) if label not in wanted]
        labels = tuple(label for label in operand.labels if label in wanted)
        if axes and not labels and operand.step.op == "power" and operand.step.param == 2:
            return Operand(self.plan.step("inner", operand.step.args * 2), labels, True)
        return Operand(self.plan.sum(operand.step, axes), labels, operand.nonnegative)

    def _weights(self, operands: list[Operand], out: Labels) -> list[Operand]:
        """Arrays over the same axes, all of which others have too, are multiplied entry by entry."""
        groups: dict[frozenset[int], list[Operand]] = {}
        for operand in operands:
            groups.setdefault(frozenset(operand.labels), []).append(operand)
        found = []
        for having, group in groups.items():
            used = set(out).union(*(o.labels for o in operands if having != {*o.labels}))
            if len(group) > 1 and 0 < len(having) <= 2 and having <= used:
                total = group[0]
                for other in group[1:]:
                    total = self._two(total, other, set(having), out)
                group = [total]
            found += group
        return sorted(found, key=lambda operand: len(operand.labels) == 1)

    def _gram(self, operands: list[Operand], half: Half) -> tuple[Step, Labels] | None:
        """Z'·Z, where Z is a half of the operands times the root of the weights that both halves share."""
        parts = [operands[i] for i in half.left]
        weights = [operands[i] for i in half.fixed]
        if not half.columns:
            if weights:
                return None
            step, _, _ = self._ordered(parts, half.shared)
            return self.plan.step("inner", (step, step)), ()
        if weights:
            having = {x for w in weights for x in w.labels}
            weight, labels, _ = self._ordered(weights, tuple(x for x in half.shared if x in having))
            parts.append(Operand(self.plan.power(weight, Fraction(1, 2)), labels))
        step, labels, _ = self._ordered(parts, half.shared + half.columns)
        step = self.plan.aligned(step, labels, half.shared + half.columns)
        rows, cols = (_product_of([self.sizes[x] for x in part]) for part in (half.shared, half.columns))
        step = self.plan.reshape(step, (rows, cols))
        found = self.plan.step("gram", (step,), None, (cols, cols))
        labels = half.columns + half.partners
        return self.plan.reshape(found, tuple(self.sizes[x] for x in labels)), labels

    def _ordered(self, operands: list[Operand], out: Labels) -> Operand:
        """The product of all, two at a time, in the cheapest order; a product may make others known."""
        operands = self._known_products(list(operands), out)
        while len(operands) > 1:
            pair = first_pair(self.setting, self.sizes, operands, out)
            taken = [operands[i] for i in pair]
            operands = [o for i, o in enumerate(operands) if i not in pair]
            wanted = set(out).union(*(o.labels for o in operands))
            total = taken[0]
            for other in taken[1:]:
                total = self._two(total, other, wanted, laid(total, other, operands, out))
            self.setting.products.add(total.step)
            operands = self._known_products([*operands, total], out)
        (last,) = operands
        return self._summed(last, set(out))

    def _known_products(self, operands: list[Operand], out: Labels) -> list[Operand]:
        """Matrices that are multiplied elsewhere already are so here, too."""
        if len(operands) < 3:
            return operands
        least = min(len(o.labels) for o in operands)  # next to a vector no product of matrices is needed
        places = [(i, j) for j in range(len(operands)) for i in range(j)]
        for i, j in places:
            if min(len(operands[i].labels), len(operands[j].labels)) > least:
                continue
            a, b = operands[i], operands[j]
            if max(len(a.labels), len(b.labels)) != 2 or len({*a.labels} & {*b.labels}) != 1:
                continue
            rest = [o for k, o in enumerate(operands) if k not in (i, j)]
            with self.plan.tried() as made:
                total = self._two(a, b, set(out).union(*(o.labels for o in rest)), out)
            if not made and source(total.step) in self.setting.products and len(total.labels) < 3:
                return self._known_products([*rest, total], out)
        return operands

    def _two(self, a: Operand, b: Operand, wanted: set[int], out: Labels) -> Operand:
        a = self._summed(a, wanted | set(b.labels))
        b = self._summed(b, wanted | set(a.labels))
        step, labels = contract(self.plan, (a.step, a.labels), (b.step, b.labels), wanted, out)
        return Operand(step, labels, a.nonnegative and b.nonnegative)


def _product_of(dims: Sequence[Dim]) -> Dim:
    total = ONE
    for dim in dims:
        total = total * dim
    return total


def _without(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])
