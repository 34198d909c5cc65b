"""Operands of a contraction that have a notation of their own: components, slices, vec.

Unit vectors, shifts and fused axes are constants of the tensor graph; the formula language writes them as
x[1], x[2:5] and vec(X).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from matgrad.dims import ONE, Dim
from matgrad.formula.syntax import AT, MATRIX, RANGE, ROW, SCALAR, VECTOR, Expr, Type
from matgrad.tensor.nodes import Constant, Einsum, Node
from matgrad.translate.algebra import transposed
from matgrad.translate.fused import Pairs, read_fused

Plain = Callable[[Node], Expr]
SizeOf = Callable[[Dim], Expr]


def read_operands(node: Einsum, plain: Plain, size: SizeOf) -> Pairs:
    """The operands with their labels, those with a notation of their own as expressions."""
    pairs: Pairs = list(zip(node.operands, node.subscripts, strict=True))
    return read_fused(indexed(pairs, node.out, plain, size), node, plain, size)


def indexed(pairs: Pairs, out: tuple[int, ...], plain: Plain, size: SizeOf) -> Pairs:
    """Units and shifts on the axes of an array are indices: Σ e₁[i]·x[i] is x[1], and S'x is x[2:5]."""
    if not any(isinstance(node, Constant) and node.name in ("unit", "shift") for node, _ in pairs):
        return pairs
    counts = Counter(x for _, labels in pairs for x in labels) + Counter(out)
    picks: dict[int, tuple[Any, int | None, Dim | None]] = {}
    for node, labels in pairs:
        if isinstance(node, Constant) and node.name in ("unit", "shift"):
            if counts[labels[0]] == 2 and labels[0] not in out:
                picks[labels[0]] = (_item(node, size), labels[1] if len(labels) == 2 else None, node.shape[-1])
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


def _item(node: Constant, size: SizeOf) -> Any:
    """The index that a unit or a shift stands for: a position, or first and last, as formulas where they have names."""
    if node.name == "unit":
        return size(node.parameter) if isinstance(node.parameter, Dim) else node.parameter
    return block_range(node.parameter, node.shape[1], size)


def block_range(offset: Dim, length: Dim, size: SizeOf) -> tuple[Any, Any]:
    """First and last position of a block, as numbers or as formulas."""
    first, last = offset + ONE, offset + length
    if first.number is not None and last.number is not None:
        return first.number, last.number
    return size(first), size(last)


def sliced(base: Expr, items: Sequence[Any], type_: Type) -> Expr:
    """An index, whose ranges are numbers or formulas."""
    bounds: list[Expr] = []
    value: list[Any] = []
    for item in items:
        ends = item if isinstance(item, tuple) else (item,)
        symbolic = isinstance(ends[0], Expr)
        bounds += ends if symbolic else ()
        value.append((RANGE if isinstance(item, tuple) else AT) if symbolic else item)
    return Expr("index", (base, *bounds), tuple(value), type=type_)


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
    whole = sliced(base, items, Type(kind, tuple(dims)))
    return transposed(whole) if kind == ROW else whole, tuple(kept)
