"""Operands of a contraction that have a notation of their own: components, slices, vec.

Unit vectors, shifts and fused axes are constants of the tensor graph; the formula language writes them as
x[1], x[2:5] and vec(X).
"""

from __future__ import annotations

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
    picks: dict[int, tuple[Constant, int | None]] = {}
    gone: set[int] = set()
    for k, (node, labels) in enumerate(pairs):
        if isinstance(node, Constant) and node.name in ("unit", "shift"):
            (x, *small) = labels
            met = [other for j, other in enumerate(pairs) if j != k and x in other[1]]
            free = x not in out and (not small or sum(s.count(x) for _, s in met) == 1)
            if met and all(_takes_index(*other) for other in met) and (free or not small):
                picks[x] = (node, small[0] if small else None)
                gone |= {k} if free else set()
    found: Pairs = []
    for k, (node, labels) in enumerate(pairs):
        if k not in gone and _takes_index(node, labels) and any(x in picks for x in labels):
            assert isinstance(node, Node)
            found.append(_index(node, labels, picks, plain, size))
            gone.add(k)
    return [pair for k, pair in enumerate(pairs) if k not in gone] + found


def _takes_index(node: Node | Expr, labels: tuple[int, ...]) -> bool:
    return isinstance(node, Node) and not isinstance(node, Constant) and len(labels) <= 2


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
    node: Node, labels: tuple[int, ...], picks: dict[int, tuple[Constant, int | None]], plain: Plain, size: SizeOf
) -> tuple[Expr, tuple[int, ...]]:
    """An array with its indices, and the labels that are left."""
    items, kept, dims, axes = [], [], [], []
    for axis, x in enumerate(labels):
        selection, small = picks.get(x, (None, x))
        items.append(None if selection is None else _item(selection, size))
        if small is not None:
            kept.append(small)
            dims.append(node.shape[axis] if selection is None else selection.shape[-1])
            axes.append(axis)
    kind = SCALAR if not kept else MATRIX if len(kept) == 2 else ROW if axes == [1] else VECTOR
    whole = sliced(plain(node), items, Type(kind, tuple(dims)))
    return transposed(whole) if kind == ROW else whole, tuple(kept)
