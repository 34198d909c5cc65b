"""Factors of a contraction in index notation that are one matrix: einsum("ik,lj->ijkl", X, X*A*X), not four factors.

Factors that share a summed index are merged where the result has two axes at most: products, traces, A*x.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from matgrad.formula.syntax import Expr, walk
from matgrad.tensor import builders as b
from matgrad.tensor.components import components
from matgrad.tensor.nodes import Constant, Einsum, Node
from matgrad.translate.algebra import cost

Pairs = list[tuple[Node | Expr, tuple[int, ...]]]
Signed = Callable[[Node], tuple[int, Expr]]


class _Group(NamedTuple):
    """Factors that are read as one array, and the labels that it shares with others or with the result."""

    pairs: tuple[tuple[Node, tuple[int, ...]], ...]
    free: tuple[int, ...]
    product: Node


def merged(pairs: Pairs, node: Einsum, signed: Signed) -> Pairs:
    """The factors with those merged that are one scalar, vector or matrix in matrix notation."""
    groups = [_Group(((n, s),), s, n) for n, s in pairs if isinstance(n, Node) and not isinstance(n, Constant)]
    rest = [(n, s) for n, s in pairs if not isinstance(n, Node) or isinstance(n, Constant)]
    fixed = {*node.out, *(x for _, s in rest for x in s)}
    parts = [[group for group, _ in part] for part in components([(group, group.free) for group in groups], fixed)]
    groups = [group for part in parts for group in _whole(part, [], fixed, node, signed) or part]
    while True:
        labels = sorted({x for group in groups for x in group.free})
        found = next(filter(None, (_joined(groups, x, fixed, node, signed) for x in labels)), None)
        if found is None:
            return [*rest, *[(group.product, group.free) for group in groups]]
        groups = found


def _joined(groups: list[_Group], x: int, fixed: set[int], node: Einsum, signed: Signed) -> list[_Group] | None:
    """The groups with all that have a summed label as one."""
    if x in fixed:
        return None
    inside = [group for group in groups if x in group.free]
    others = [group for group in groups if x not in group.free]
    found = _whole(inside, others, fixed, node, signed)
    return None if found is None else [*found, *others]


def _whole(
    inside: list[_Group], others: list[_Group], fixed: set[int], node: Einsum, signed: Signed
) -> list[_Group] | None:
    """One group in place of those inside, where that is a scalar, a vector or a matrix in matrix notation."""
    kept = {*fixed, *(y for group in others for y in group.free)}
    pairs = tuple(pair for group in inside for pair in group.pairs)
    free = tuple(y for y in dict.fromkeys([*node.out, *(y for group in inside for y in group.free)])
                 if y in kept and any(y in group.free for group in inside))  # fmt: skip
    same = len(pairs) == len(node.operands) and sorted(free) == sorted(node.out)  # that is what is being read
    if same or len(free) > 2 or (len(pairs) == 1 and free):
        return None
    first_axes = {labels[0] for _, labels in pairs if labels}
    free = tuple(sorted(free, key=lambda x: x not in first_axes))  # A*B rather than (B'*A')'
    whole = _group(pairs, free, node)
    read = signed(whole.product)[1]
    if any(part.op == "transpose" for part in walk(read)):
        other = _group(pairs, free[::-1], node)
        turned = signed(other.product)[1]
        if cost(turned) < cost(read):
            whole, read = other, turned
    return None if any(part.op == "einsum" for part in walk(read)) else [whole]


def _group(pairs: tuple[tuple[Node, tuple[int, ...]], ...], free: tuple[int, ...], node: Einsum) -> _Group:
    sizes = {x: node.sizes[x] for _, labels in pairs for x in labels}
    return _Group(pairs, free, b.einsum(pairs, free, sizes=sizes))
