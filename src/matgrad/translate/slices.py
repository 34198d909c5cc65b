"""Components, slices and stacks of blocks as contractions with constants, so that their adjoints come for free."""

from __future__ import annotations

from collections.abc import Mapping

from matgrad.dims import ONE, Dim
from matgrad.errors import NotSupported
from matgrad.formula.sizes import size_of
from matgrad.formula.syntax import MATRIX, ROW, VECTOR, Expr, index_items
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node


def index(expr: Expr, args: list[Node], names: Mapping[str, Node]) -> Node:
    """Components by unit vectors, slices by shifts: both are constants, so their adjoints come for free."""
    node = args[0]
    operands: list[tuple[Node, tuple[int, ...]]] = [(node, tuple(range(len(node.shape))))]
    out: list[int] = []
    bounds = [as_dim(bound) for bound in expr.args[1:]]
    for axis, (item, dim) in enumerate(zip(index_items(expr, bounds), node.shape, strict=True)):
        if item is None:
            out.append(axis)
        elif not isinstance(item, tuple):
            operands.append((b.unit(dim, item), (axis,)))
        else:
            first, last = (Dim.of(i) if isinstance(i, int) else i for i in item)
            block = b.constant("shift", (dim, last - first + ONE), first - ONE)
            operands.append((block, (axis, axis + 10)))
            out.append(axis + 10)
    return b.einsum(operands, out)


def stack(expr: Expr, args: list[Node], names: Mapping[str, Node]) -> Node:
    """Σ of the blocks, each placed by shifts along the axes of the result."""
    shape = expr.dims
    horizontal, vertical = expr.kind in (MATRIX, ROW), expr.kind in (MATRIX, VECTOR)
    placed = []
    row, entries = Dim.of(0), iter(zip(args, expr.args, strict=True))
    for count in expr.value:
        col = Dim.of(0)
        height = Dim.of(1)
        for _ in range(count):
            node, entry = next(entries)
            tall = entry.dims[0] if entry.kind in (MATRIX, VECTOR) else Dim.of(1)
            wide = entry.dims[-1] if entry.kind in (MATRIX, ROW) else Dim.of(1)
            operands: list[tuple[Node, tuple[int, ...]]] = [(node, tuple(range(len(node.shape))))]
            axes = list(range(len(node.shape)))
            out: list[int] = []
            for wanted, has, offset, part in (
                (vertical, entry.kind in (MATRIX, VECTOR), row, tall),
                (horizontal, entry.kind in (MATRIX, ROW), col, wide),
            ):
                if wanted:
                    total = shape[len(out)]
                    label = 10 + len(out)
                    if has:
                        operands.append((b.constant("shift", (total, part), offset), (label, axes.pop(0))))
                    else:
                        operands.append((b.unit(total, offset + ONE), (label,)))
                    out.append(label)
            placed.append(b.einsum(operands, out))
            col, height = col + wide, tall
        row = row + height
    return b.add(placed)


def as_dim(expr: Expr) -> Dim:
    found = size_of(expr, lambda part: part.dims)
    if found is not None:
        return found
    raise NotSupported("a size that is not a number, a name or rows(X)", span=expr.span)
