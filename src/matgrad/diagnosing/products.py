"""Repairs of products: factors in another order, another operator."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, permutations

from matgrad.diagnosing import trees
from matgrad.diagnosing.faults import Fault, Wrong, first
from matgrad.formula.syntax import Expr


def wrong_order(wrong: Wrong) -> Fault | None:
    """The factors of one product in another order; in each product at once, where the same factors recur."""

    def changes() -> Iterator[tuple[Expr, Expr | None]]:
        root = trees.flat(wrong.tree)
        typed = wrong.bench.typed_as(root) or root
        for path, node in trees.paths(typed):
            if node.op == "call" and node.value.name == "kron":
                yield trees.replaced(root, path, node.replace(args=node.args[::-1], type=None)), node
            if node.op == "product" and "⊗" in node.value and len(node.args) == 2:
                yield trees.replaced(root, path, node.replace(args=node.args[::-1], type=None)), node
            if node.op != "product" or set(node.value) != {"*"}:
                continue
            movable = [k for k, arg in enumerate(node.args) if not trees.is_scalar(arg)]
            for order in _orders(movable):
                if list(order) != movable:
                    args = list(node.args)
                    for place, k in zip(movable, order, strict=True):
                        args[place] = node.args[k]
                    yield trees.replaced(root, path, node.replace(args=tuple(args), type=None)), node

    return first(wrong, "wrong-order-of-matrix-product", changes())


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

    return first(wrong, "elementwise-vs-matrix-product", changes())


def _turned(args: tuple[Expr, ...]) -> Iterator[tuple[Expr, ...]]:
    yield args
    if len(args) <= 4:
        for size in range(1, len(args)):
            for places in combinations(range(len(args)), size):
                yield tuple(trees.transposed(a) if k in places else a for k, a in enumerate(args))
