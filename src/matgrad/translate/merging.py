"""Factors of a contraction in index notation that are one matrix: einsum("ik,lj->ijkl", X, X*A*X), not four factors.

Factors that share a summed index are merged where the result has two axes at most: products, traces, A*x.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from matgrad.formula.syntax import Expr, walk
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Constant, Einsum, Node
from matgrad.translate.algebra import cost

Pairs = list[tuple[Node | Expr, tuple[int, ...]]]
Signed = Callable[[Node], tuple[int, Expr]]


class _Group(NamedTuple):
    """Factors that are read as one array, and the labels that it shares with others or with the result."""

    pairs: tuple[tuple[Node, tuple[int, ...]], ...]
    free: tuple[int, ...]


def merged(pairs: Pairs, node: Einsum, signed: Signed) -> Pairs:
    """The factors with those merged that are one scalar, vector or matrix in matrix notation."""
    groups = [_Group(((n, s),), s) for n, s in pairs if isinstance(n, Node) and not isinstance(n, Constant)]
    rest = [(n, s) for n, s in pairs if not isinstance(n, Node) or isinstance(n, Constant)]
    fixed = {*node.out, *(x for _, s in rest for x in s)}
    while True:
        counts = Counter(x for group in groups for x in {*group.free})
        found = next(filter(None, (_joined(groups, x, fixed, node, signed) for x in sorted(counts))), None)
        if found is None:
            return [*rest, *[_one(group, node) for group in groups]]
        groups = found


def _joined(groups: list[_Group], x: int, fixed: set[int], node: Einsum, signed: Signed) -> list[_Group] | None:
    """The groups with all that have a summed label as one."""
    if x in fixed:
        return None
    inside = [group for group in groups if x in group.free]
    others = [group for group in groups if x not in group.free]
    kept = {*fixed, *(y for group in others for y in group.free)}
    pairs = tuple(pair for group in inside for pair in group.pairs)
    free = tuple(y for y in dict.fromkeys([*node.out, *(y for group in inside for y in group.free)])
                 if y in kept and any(y in group.free for group in inside))  # fmt: skip
    whole = _Group(pairs, free)
    if len(free) > 2 or (len(pairs) == 1 and free) or len(pairs) == len(node.operands):  # of the whole, none is known
        return None
    whole = min((whole, whole._replace(free=free[::-1])), key=lambda group: cost(_read(group, node, signed)))
    return None if any(part.op == "einsum" for part in walk(_read(whole, node, signed))) else [whole, *others]


def _read(group: _Group, node: Einsum, signed: Signed) -> Expr:
    return signed(_product(group, node))[1]


def _product(group: _Group, node: Einsum) -> Node:
    sizes = {x: node.sizes[x] for _, labels in group.pairs for x in labels}
    return b.einsum(group.pairs, group.free, sizes=sizes)


def _one(group: _Group, node: Einsum) -> tuple[Node, tuple[int, ...]]:
    alone = len(group.pairs) == 1 and group.free == group.pairs[0][1]
    return group.pairs[0] if alone else (_product(group, node), group.free)
