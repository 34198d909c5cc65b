"""The machine check of a derivation in components: each line is evaluated entry by entry at random points.

The formula in components is compared with the formula as typed, and so is each named value; derivatives are compared
with complex steps through the values in components; the last line with what ``derive`` gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from matgrad.explaining.components import Components
from matgrad.explaining.index_trees import Index, reading_order
from matgrad.explaining.lines import Line
from matgrad.explaining.truth import STEP, TOLERANCE, World, WrongLine, on_space
from matgrad.formula.reference import evaluate
from matgrad.formula.syntax import Expr, walk

Array = Any


class Entries:
    """Values of formulas in components at one point."""

    def __init__(self, table: Components, world: World) -> None:
        self.table, self.world = table, world
        self.sizes: Mapping[str, int] = world.point.sizes
        self.values = dict(world.values)
        self.values |= self._named(self.values)
        self.slopes = self._slopes()

    def _named(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """The values that the derivation names, from their entries."""
        values = dict(known)
        for value in self.table.values:
            values[value.name] = self.value(value.entries, value.indices, values)
        return values

    def _slopes(self) -> dict[str, Any]:
        """The derivative of each named value, by one complex step for each entry of the variable."""
        wrt = self.table.s.wrt
        at = np.asarray(self.values[wrt], dtype=float)
        columns: dict[str, list[Any]] = {value.name: [] for value in self.table.values}
        for index in np.ndindex(*at.shape):
            direction = np.zeros(at.shape)
            direction[index] = 1
            stepped = self._named({**self.world.values, wrt: at + 1j * STEP * direction})
            for name, found in columns.items():
                found.append(np.imag(stepped[name]) / STEP)
        traits = self.table.traits
        return {
            name: on_space(np.moveaxis(np.array(found), 0, -1).reshape((*np.shape(found[0]), *at.shape)), traits)
            for name, found in columns.items()
        }

    def value(self, expr: Expr, free: tuple[Index, ...], values: Mapping[str, Any] | None = None) -> Array:
        """The formula for all values of its free indices, in this order."""
        order = list(dict.fromkeys([*free, *self.table.at, *reading_order(expr), *_summed(expr)]))
        order = [index for index in order if index not in self.table.indices.fixed]
        lengths = [int(self.table.indices.sizes[i].evaluate(self.sizes)) for i in order]
        axis = {index: k for k, index in enumerate(order)}
        found = _Evaluator(self, axis, lengths, self.values if values is None else values).of(expr)
        kept = [axis[i] for i in free]
        found = np.asarray(found)
        if found.ndim == 0:
            return np.broadcast_to(found, [lengths[k] for k in kept]).copy() if kept else found
        full = np.broadcast_to(found, [n if k in kept else found.shape[k] for k, n in enumerate(lengths)])
        index = tuple(slice(None) if k in kept else 0 for k in range(len(order)))
        return np.transpose(full[index], np.argsort(np.argsort(kept))) if kept else full[index]


class _Evaluator:
    def __init__(self, entries: Entries, axis: Mapping[Index, int], lengths: Sequence[int], values: Mapping[str, Any]):
        self.entries, self.axis, self.lengths, self.values = entries, axis, lengths, values

    def placed(self, array: Array, indices: Sequence[Index]) -> Array:
        """An array with its axes where the indices have theirs; an index that stands twice is a diagonal."""
        fixed = self.entries.table.indices.fixed
        array = np.asarray(array)
        for k, index in reversed(list(enumerate(indices))):
            if index in fixed:
                array = np.take(array, fixed[index] - 1, axis=k)
        indices = [index for index in indices if index not in fixed]
        if not indices:
            return array
        axes = [self.axis[i] for i in indices]
        unique = sorted(set(axes))
        found = np.einsum(np.asarray(array), axes, unique)
        return found.reshape([found.shape[unique.index(k)] if k in unique else 1 for k in range(len(self.lengths))])

    def of(self, expr: Expr) -> Array:
        match expr.op:
            case "entry":
                return self.placed(evaluate(expr.args[0], self.values, self.entries.sizes), expr.value)
            case "delta":
                i, j = expr.value
                size = int(self.entries.table.indices.sizes[i].evaluate(self.entries.sizes))
                return self.placed(np.eye(size), (i, j)) if i != j else np.asarray(1.0)
            case "over":
                return self._summed(expr)
            case "partial":
                name, indices = expr.value
                return self.placed(self.entries.slopes[name], (*indices, *self.entries.table.at))
        args = [self.of(arg) for arg in expr.args]
        match expr.op:
            case "add":
                return sum(args[1:], args[0])
            case "neg":
                return -args[0]
            case "product":
                found = args[0]
                for sign, arg in zip(expr.value, args[1:], strict=True):
                    found = found / arg if sign == "/" else found * arg
                return found
            case "power":
                exponent = args[1]
                whole = exponent.ndim == 0 and np.imag(exponent) == 0 and float(np.real(exponent)).is_integer()
                return args[0] ** (int(np.real(exponent)) if whole else exponent)
            case "call":
                return self._called(expr, args)
        return evaluate(expr, self.values, self.entries.sizes)

    def _summed(self, expr: Expr) -> Array:
        found = np.asarray(self.of(expr.args[0]))
        if found.ndim == 0:
            found = found.reshape([1] * len(self.lengths))
        axes = tuple(self.axis[i] for i in expr.value)
        full = np.broadcast_to(found, [n if k in axes else found.shape[k] for k, n in enumerate(self.lengths)])
        return full.sum(axis=axes, keepdims=True)

    def _called(self, expr: Expr, args: list[Array]) -> Array:
        """A function of numbers, at all entries at once."""
        names = tuple(f"<{k}>" for k in range(len(args)))
        whole = expr.replace(args=tuple(Expr("name", value=name) for name in names))
        return evaluate(whole, {**self.values, **dict(zip(names, args, strict=True))}, self.entries.sizes)


def _summed(expr: Expr) -> list[Index]:
    return [index for node in walk(expr) if node.op == "over" for index in node.value]


def check_components(table: Components, lines: Sequence[Line], worlds: Sequence[World]) -> tuple[float, int]:
    """The largest relative error of all lines, and at how many points; raises WrongLine.

    A point at which a sum of exponentials overflows, which the formula as typed avoids, says nothing.
    """
    worst, count = 0.0, 0
    for world in worlds:
        entries = Entries(table, world)
        if not all(
            np.all(np.isfinite(found))
            for value in table.values
            for found in (entries.values[value.name], entries.slopes[value.name])
        ):
            continue
        count += 1
        whole = table.values[-1]
        pairs = [("the formula", entries.values[whole.name], world.value(table.s.body))]
        pairs += [
            (v.name, entries.values[v.name], world.values[v.name]) for v in table.values if v.name in world.values
        ]
        answer = world.value(table.s.answer.short_expr)
        pairs.append(("the answer", entries.slopes[whole.name], answer))
        for line in lines:
            if line.left.op == "partial":
                name, indices = line.left.value
                free = (*indices, *table.at)
                pairs.append((line.law.rule, entries.value(line.right, free), entries.slopes[name]))
        for what, ours, theirs in pairs:
            error = _difference(ours, theirs)
            if not error <= TOLERANCE:
                raise WrongLine(f"a line of the derivation failed its check (relative error {error:.0e}): {what}")
            worst = max(worst, error)
    return worst, count


def _difference(ours: Array, theirs: Array) -> float:
    a, b = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    if a.shape != b.shape:
        return float("inf")
    scale = max(float(np.max(np.abs(b), initial=0)), float(np.max(np.abs(a), initial=0))) or 1.0
    return float(np.max(np.abs(a - b), initial=0)) / max(scale, 1e-5)
