"""Results written out entry by entry, or block by block: [2*x[1], 1; x[2], x[1]] and [A; eye].

Entries are taken out by unit vectors, blocks by shifts; both are constants of the tensor graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import product

from matgrad.dims import Dim
from matgrad.formula.syntax import Expr, Type, walk
from matgrad.tensor import builders as b
from matgrad.tensor.laws.shared import multiplied_out, placed, span
from matgrad.tensor.nodes import Constant, Einsum, Node, Sum
from matgrad.translate.algebra import addition, call, cost, negated, negative, number, of_order, transposed
from matgrad.translate.operands import Plain

COMPONENTS = 64
"""Entries up to which a result of literal size is written out one by one."""

SizeOf = Callable[[Dim], Expr]


def written_out(node: Node, plain: Plain, size: SizeOf) -> Expr:
    """A node made of selections as it is, by its blocks, or by its entries, whichever is shortest."""
    found = plain(node)
    if not 1 <= len(node.shape) <= 2:
        return found
    layered = _layered(node, plain, size)
    found = found if layered is None else min(layered, found, key=reading_cost)
    return _entries(node, plain, reading_cost(found)) or found


_SELECTION = 6
"""What a unit vector or a part of the identity costs beyond its letters: [0; r] reads better than eye(n)[:,2:n]*r."""


def reading_cost(expr: Expr) -> int:
    """The cost of a formula that may place entries by unit vectors or by parts of the identity, or need indices."""
    return cost(expr) + _SELECTION * sum(_is_selection(node) for node in walk(expr))


def _is_selection(node: Expr) -> bool:
    return (
        node.op == "einsum"
        or (node.op == "call" and node.value.name == "unit")
        or (node.op == "index" and node.args[0].op == "call" and node.args[0].value.name == "eye")
    )


def in_blocks(node: Sum, plain: Plain, size: SizeOf) -> Expr | None:
    """A sum inside of a formula as a stack, if each of its terms stands in one block."""
    if not 1 <= len(node.shape) <= 2:
        return None
    places = [_selection(term, axis) for _, term in node.terms for axis in range(len(node.shape))]
    if not any(place is not None and place.name == "shift" for place in places):
        return None
    return _blocks(b.linear_terms(node), node.shape, plain, size)


# -- entries --------------------------------------------------------------------------------------


def _entries(node: Node, plain: Plain, limit: int) -> Expr | None:
    """Entry by entry, unless that costs more than the limit."""
    counts = [dim.number for dim in node.shape]
    sizes = [c for c in counts if c is not None]
    entries = 1
    for c in sizes:
        entries *= c
    if len(sizes) < len(counts) or not 0 < entries <= COMPONENTS:
        return None
    found: list[Expr] = []
    for pick in product(*map(range, sizes)):
        found.append(plain(_entry(node, pick)))
        limit -= cost(found[-1])
        if limit < 0:
            return None
    width = sizes[1] if len(sizes) == 2 else 1
    whole = _stack([found[k : k + width] for k in range(0, entries, width)], node.shape)
    return whole if limit >= cost(whole) - sum(map(cost, found)) else None


def _entry(node: Node, pick: Sequence[int]) -> Node:
    units: list[tuple[Node, tuple[int, ...]]] = [
        (b.unit(dim, p + 1), (axis,)) for axis, (dim, p) in enumerate(zip(node.shape, pick, strict=True))
    ]
    return _distributed(b.einsum([(node, tuple(range(len(pick)))), *units], ()))


def _distributed(entry: Node) -> Node:
    """A component of a sum is the sum of the components: units reach the terms that they select from."""
    if isinstance(entry, Sum):
        return b.add([b.scaled(_distributed(t), f) for f, t in entry.terms])
    if not isinstance(entry, Einsum):
        return entry
    pairs = list(zip(entry.operands, entry.subscripts, strict=True))
    picked = {s for n, s in pairs if isinstance(n, Constant) and n.name == "unit"}
    for k, (operand, labels) in enumerate(pairs):
        if isinstance(operand, Sum) and (labels or len(pairs) == 1) and all((x,) in picked for x in labels):
            rest = pairs[:k] + pairs[k + 1 :]
            sizes = dict(enumerate(entry.sizes))
            return b.add(
                [
                    _distributed(b.einsum([(t, labels), *rest], entry.out, entry.coefficient * f, sizes))
                    for f, t in operand.terms
                ]
            )
    return entry


def _stack(rows: Sequence[Sequence[Expr]], shape: tuple[Dim, ...]) -> Expr:
    flat = tuple(e for row in rows for e in row)
    return Expr("stack", flat, tuple(len(row) for row in rows), type=of_order(shape))


# -- layers ---------------------------------------------------------------------------------------

LAYERS = 4
"""Stacks that a sum is written as, at most, where its blocks overlap."""


def _layered(node: Node, plain: Plain, size: SizeOf) -> Expr | None:
    """A sum of stacks: in each, every term stands in a block of its own, [0; u] - [v; 0]."""
    layers: list[dict[Node, Fraction]] = []
    places: dict[tuple[Constant | None, ...], dict[Node, Fraction]] = {}
    for term, factor in _placed_terms(node).items():
        place = tuple(_selection(term, axis) for axis in range(len(node.shape)))
        places.setdefault(place, {})[term] = factor
    for place in sorted(places, key=_beginnings):
        fitting = (layer for layer in layers if _axes({**layer, **places[place]}, node.shape) is not None)
        layer = next(fitting, None)
        if layer is not None:
            layer.update(places[place])
        elif _axes(places[place], node.shape) is None or len(layers) == LAYERS:
            return None
        else:
            layers.append(dict(places[place]))
    if len(layers) == 1:
        return _blocks(layers[0], node.shape, plain, size)
    stacks = [_blocks(layer, node.shape, plain, size) for layer in layers]
    whole = [_sign_in_front(stack) for stack in stacks if stack is not None]
    return addition(sorted(whole, key=lambda stack: stack.op == "neg")) if whole else None


def _placed_terms(node: Node) -> dict[Node, Fraction]:
    """The node as a linear combination, with sums of selections multiplied out: (S - T)*r as S*r - T*r."""
    terms: dict[Node, Fraction] = {}
    for term, factor in b.linear_terms(node).items():
        for part in _placed_products(term) or [term]:
            b.collect(terms, part, factor)
    return terms


def _placed_products(term: Node) -> list[Node] | None:
    """A product with sums of selections on the axes of the result, multiplied out."""
    if not isinstance(term, Einsum):
        return None
    pairs = list(zip(term.operands, term.subscripts, strict=True))
    axes = {labels for n, labels in pairs if placed(n) is not None and set(labels) & set(term.out)}
    return multiplied_out(pairs, term.out, term.coefficient, term.sizes, axes) if axes else None


def _beginnings(place: tuple[Constant | None, ...]) -> tuple[tuple[int, int], ...]:
    """Where the blocks of a term begin: numbers first, then what is longer to write."""
    starts = [span(s)[0] if s is not None else Dim.of(0) for s in place]
    return tuple((len(start.terms), start.number or 0) for start in starts)


def _sign_in_front(stack: Expr) -> Expr:
    """-[u; 0] for [-u; 0]."""
    leading = (e.args[0] if e.op == "add" else e for e in stack.args if not _is_zero(e))
    if any(e.op != "neg" for e in leading):
        return stack
    return negative(stack.replace(args=tuple(e if _is_zero(e) else negated(e) for e in stack.args)))


def _is_zero(expr: Expr) -> bool:
    bare = expr.args[0] if expr.op == "transpose" else expr
    return bare == number(0) or (bare.op == "call" and bare.value.name == "zeros")


# -- blocks ---------------------------------------------------------------------------------------

Terms = Mapping[Node, Fraction]
Segment = tuple[Dim, Dim, Constant | None]
"""A part of an axis: where it begins, how long it is, and the selection of it; None where all is zero."""


def _axes(terms: Terms, shape: tuple[Dim, ...]) -> list[list[Segment] | None] | None:
    """The parts of each axis; None where no axis has parts."""
    found = [_segments(terms, axis, dim) for axis, dim in enumerate(shape)]
    return None if all(segments is None for segments in found) else found


def _blocks(terms: Terms, shape: tuple[Dim, ...], plain: Plain, size: SizeOf) -> Expr | None:
    """Block by block, where every term stands in one block of each axis that has blocks at all."""
    axes = _axes(terms, shape)
    if axes is None:
        return None
    rows = axes[0] or [(Dim.of(0), shape[0], None)]
    cols = (axes[1] or [(Dim.of(0), shape[1], None)]) if len(shape) == 2 else [None]
    found = []
    for row in rows:
        line = []
        for col in cols:
            chosen = [(axis, s) for axis, s in enumerate((row, col)) if s is not None and axes[axis] is not None]
            line.append(_block(terms, shape, (row, col), chosen, plain, size))
        found.append(line)
    return _stack(found, shape)


def _segments(terms: Terms, axis: int, dim: Dim) -> list[Segment] | None:
    """The parts of an axis in order, or None if a term does not stand in one of them."""
    selections = {_selection(term, axis) for term in terms}
    if None in selections:
        return None
    left = [(*_extent(s), s) for s in selections if s is not None]
    found: list[Segment] = []
    at = Dim.of(0)
    while left:
        here = next((part for part in left if part[0] == at), None)
        if here is None:
            start = min((part[0] for part in left), key=lambda d: (d.number is None, d.number or 0, len(d.terms)))
            gap = start + _negative(at)
            if any(count < 0 for _, count in gap.terms):
                return None
            found.append((at, gap, None))
            at = start
            continue
        left.remove(here)
        found.append(here)
        at = at + here[1]
    rest = dim + _negative(at)
    if rest.number is not None and rest.number < 0:
        return None
    return [*found, (at, rest, None)] if rest.terms else found


def _negative(dim: Dim) -> Dim:
    return Dim({key: -count for key, count in dim.terms})


def _selection(term: Node, axis: int) -> Constant | None:
    """The unit or shift on an axis of a term."""
    if isinstance(term, Constant) and term.name == "unit":
        return term
    if isinstance(term, Constant) and term.name == "shift":
        return term if axis == 0 else None
    if isinstance(term, Einsum):
        for operand, labels in zip(term.operands, term.subscripts, strict=True):
            if isinstance(operand, Constant) and operand.name in ("unit", "shift") and labels[0] == term.out[axis]:
                return operand if term.out.count(term.out[axis]) == 1 else None
    return None


def _extent(selection: Constant) -> tuple[Dim, Dim]:
    return span(selection)


def _block(
    terms: Terms,
    shape: tuple[Dim, ...],
    place: tuple[Segment | None, ...],
    chosen: Sequence[tuple[int, Segment]],
    plain: Plain,
    size: SizeOf,
) -> Expr:
    """The sum of the terms in one block, without their selections."""
    wanted = {axis: segment[2] for axis, segment in chosen}
    inside = [(t, f) for t, f in terms.items() if all(_selection(t, axis) is s for axis, s in wanted.items())]
    lengths = tuple(s[1] for s in place if s is not None)
    if None in wanted.values() or not inside:
        return _zero(lengths, size)
    labels = tuple(range(len(shape)))
    out = [axis if axis not in wanted else axis + 10 for axis in labels]
    selections: list[tuple[Node, tuple[int, ...]]] = []
    for axis, selection in wanted.items():
        assert selection is not None
        if selection.name == "unit":
            selections.append((selection, (axis,)))
            out.remove(axis + 10)
        else:
            selections.append((selection, (axis, axis + 10)))
    value = plain(b.add([b.scaled(b.einsum([(t, labels), *selections], out), f) for t, f in inside]))
    lost_row = len(shape) == 2 and 0 in wanted and len(out) == 1 and out[0] % 10 == 1
    return transposed(value) if lost_row else value


def _zero(lengths: tuple[Dim, ...], size: SizeOf) -> Expr:
    one = Dim.of(1)
    if all(length == one for length in lengths):
        return number(0)
    if len(lengths) == 2 and lengths[0] == one:
        return transposed(call("zeros", size(lengths[1]), type=Type("vector", lengths[1:])))
    kept = lengths[:1] if len(lengths) == 2 and lengths[1] == one else lengths
    return call("zeros", *(size(d) for d in kept), type=of_order(kept))
