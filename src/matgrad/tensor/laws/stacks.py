"""Laws of stacks and blocks, which are multiplied and mapped block by block."""

from __future__ import annotations

from typing import Any

from matgrad.dims import ONE, Dim
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Network, einsum, map_, power, scaled
from matgrad.tensor.facts import of_function
from matgrad.tensor.laws.shared import block_on, disjoint, placed, span, term_by_term
from matgrad.tensor.nodes import Constant, Node, Sum


@b.NETWORK_LAWS.add(
    "stack",
    "[A; B]*x = [A*x; B*x]",
    on=(Sum,),
    because="a stack is multiplied block by block",
    examples=(
        ("[A; B]*x", "A: matrix(m,n); B: matrix(k,n); x: vector(n)"),
        ("norm2([A; B]*x)^2", "A: matrix(m,n); B: matrix(k,n); x: vector(n)"),
    ),
)
def stacked(net: Network) -> Node | None:
    """[A; B]*x = [A*x; B*x]: a stack is multiplied block by block."""
    for i, (node, labels) in enumerate(net.operands):
        if isinstance(node, Sum) and placed(node) is not None and (len(net.operands) > 1 or _contracts(net, labels)):
            return term_by_term(net, i)
    return None


def _contracts(net: Network, labels: tuple[int, ...]) -> bool:
    return any(x not in net.out for x in labels)


@b.MAP_LAWS.add(
    "blocks",
    "f([u; v]) = [f(u); f(v)]; where a block is missing, f(0) must be 0",
    because="f acts on each entry",
    examples=(
        ("sum(exp([x; y]))", "x: vector(n); y: vector(m)"),
        ("norm2([x; y])^2", "x: vector(n); y: vector(m)"),
        ("sum(exp([A, B; C, D]))", "A: matrix(m,m); B: matrix(m,n); C: matrix(n,m); D: matrix(n,n)"),
    ),
)
def blockwise(function: str, args: tuple[Node, ...], parameter: Any) -> Node | None:
    """f([u; v]) = [f(u); f(v)] for elementwise functions; where a block is missing, f(0) must be 0."""
    if len(args) != 1 or not 1 <= len(args[0].shape) <= 2 or not isinstance(args[0], Sum):
        return None
    inner = args[0]
    places = [tuple(block_on(term, axis) for axis in range(len(inner.shape))) for _, term in inner.terms]
    if not all(any(place) for place in places) or not _all_apart(places):
        return None
    vanishes = parameter > 0 if function == "power" else of_function(function, "at 0") == "0"
    if not (vanishes or _cover(places, inner.shape)):
        return None
    parts = []
    for (factor, term), place in zip(inner.terms, places, strict=True):
        value = scaled(_moved(term, place, out=True), factor)
        mapped = power(value, parameter) if function == "power" else map_(function, (value,), parameter)
        parts.append(_moved(mapped, place, out=False))
    return b.add(parts)


Place = tuple[Constant | None, ...]
"""The block that a term stands in: a selection for each axis, or None for the whole axis."""


def _all_apart(places: list[Place]) -> bool:
    """Whether no two blocks overlap: on some axis they are apart."""
    return all(
        any(s is not None and t is not None and disjoint(s, t) for s, t in zip(one, other, strict=True))
        for k, one in enumerate(places)
        for other in places[:k]
    )


def _cover(places: list[Place], shape: tuple[Dim, ...]) -> bool:
    """Whether blocks that do not overlap make up the whole."""
    total = Dim.of(0)
    for place in places:
        area = ONE
        for selection, dim in zip(place, shape, strict=True):
            area = area * (dim if selection is None else span(selection)[1])
        total = total + area
    whole = ONE
    for dim in shape:
        whole = whole * dim
    return total == whole


def _moved(node: Node, place: Place, *, out: bool) -> Node:
    """A block taken out of the whole, or put back."""
    large = tuple(range(len(place)))
    small = tuple(k if s is None else k + 10 for k, s in enumerate(place) if s is None or s.name == "shift")
    selections = [(s, (k, k + 10)[: len(s.shape)]) for k, s in enumerate(place) if s is not None]
    return einsum([(node, large if out else small), *selections], small if out else large)
