"""Operands of a contraction that have a notation of their own: components, slices, vec.

Unit vectors, shifts and fused axes are constants of the tensor graph; the formula language writes them as
x[1], x[2:5] and vec(X).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from matgrad.dims import Dim
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr, Type
from matgrad.tensor.nodes import Constant, Einsum, Node
from matgrad.translate.algebra import transposed
from matgrad.translate.fused import Pairs, read_fused

Plain = Callable[[Node], Expr]
SizeOf = Callable[[Dim], Expr]


def read_operands(node: Einsum, plain: Plain, size: SizeOf) -> Pairs:
    """The operands with their labels, those with a notation of their own as expressions."""
    pairs: Pairs = list(zip(node.operands, node.subscripts, strict=True))
    return read_fused(indexed(pairs, node.out, plain), node, plain, size)


def indexed(pairs: Pairs, out: tuple[int, ...], plain: Plain) -> Pairs:
    """Units and shifts on the axes of an array are indices: Σ e₁[i]·x[i] is x[1], and S'x is x[2:5]."""
    if not any(isinstance(node, Constant) and node.name in ("unit", "shift") for node, _ in pairs):
        return pairs
    counts = Counter(x for _, labels in pairs for x in labels) + Counter(out)
    picks: dict[int, tuple[Any, int | None, Dim | None]] = {}
    for node, labels in pairs:
        if isinstance(node, Constant) and node.name in ("unit", "shift"):
            item = _item(node)
            if item is not None and counts[labels[0]] == 2 and labels[0] not in out:
                picks[labels[0]] = (item, labels[1] if len(labels) == 2 else None, node.shape[-1])
    found: Pairs = []
    used: set[int] = set()
    for node, labels in pairs:
        hit = [x for x in labels if x in picks]
        if not hit or isinstance(node, Expr | Constant) or len(labels) > 2:
            continue
        part, kept = _index(plain(node), node.shape, labels, picks)
        found.append((part, kept))
        used |= set(hit)
    if not used:
        return pairs
    return [(n, s) for n, s in pairs if not (set(s) & used)] + found


def _item(node: Constant) -> Any:
    """The index that a unit or a shift stands for: a position, or first and last; None where it has no number."""
    if node.name == "unit":
        return node.parameter
    offset, part = node.parameter.number, node.shape[1].number
    return None if offset is None or part is None else (offset + 1, offset + part)


def _index(
    base: Expr, shape: tuple[Dim, ...], labels: tuple[int, ...], picks: dict[int, tuple[Any, int | None, Dim | None]]
) -> tuple[Expr, tuple[int, ...]]:
    items, kept, dims, axes = [], [], [], []
    for axis, x in enumerate(labels):
        item, small, part = picks.get(x, (None, x, shape[axis]))
        items.append(item)
        if small is not None and part is not None:
            kept.append(small)
            dims.append(part)
            axes.append(axis)
    kind = SCALAR if not kept else MATRIX if len(kept) == 2 else ROW if axes == [1] else VECTOR
    whole = Expr("index", (base,), tuple(items), type=Type(kind, tuple(dims)))
    return transposed(whole) if kind == ROW else whole, tuple(kept)
