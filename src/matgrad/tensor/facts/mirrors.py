"""Contractions that are their own mirror image, which makes them Gram forms.

A mirror exchanges labels in pairs and leaves others fixed, and maps the contraction to itself: an operand goes
to its twin (the same node under exchanged labels), or stays where it is as a *bridge* P between a label and its image.
With P positive semidefinite and nonnegative weights on what is fixed, such a contraction is

    Σ over fixed labels of weight · M'·(P ⊗ … ⊗ P)·M,    M the operands on one side,

hence positive semidefinite as a matrix in the exchanged labels of ``out``, and ≥ 0 where all of them are summed.
Quadratic forms, Gram matrices, Hadamard and Kronecker products, traces of products are all of this kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from matgrad.tensor.builders import is_symmetric
from matgrad.tensor.nodes import Node

Operand = tuple[Node, tuple[int, ...]]
_STEPS = 200
"""Operands placed before the search gives up."""


@dataclass(frozen=True)
class Mirror:
    """``image`` of every label, of each pair the one on the ``left``; the operands there (``side``), the ``bridges``,
    and what is ``fixed``. No operand of a side touches the other: A(i,j) A(j,i) is symmetric and no Gram form."""

    image: dict[int, int]
    left: frozenset[int]
    side: tuple[Operand, ...] = ()
    bridges: tuple[Operand, ...] = ()
    fixed: tuple[Operand, ...] = ()
    waiting: tuple[Operand, ...] = field(default=(), repr=False)


def mirrors(
    operands: Sequence[Operand],
    exchanged: Iterable[tuple[int, int]],
    fixed: Iterable[int],
    is_bridge: Callable[[Node], bool],
) -> Iterator[Mirror]:
    """The mirrors that exchange these labels and fix those."""
    pairs = list(exchanged)
    start = _extended({x: x for x in fixed}, frozenset(), [a for a, _ in pairs], [b for _, b in pairs])
    if start is not None:
        yield from _search(Mirror(*start, waiting=tuple(operands)), is_bridge, [_STEPS])


def _search(state: Mirror, is_bridge: Callable[[Node], bool], budget: list[int]) -> Iterator[Mirror]:
    budget[0] -= 1
    if budget[0] < 0:
        return
    image = state.image
    place = next((i for i, (_, s) in enumerate(state.waiting) if any(image.get(x, x) != x for x in s)), None)
    if place is None:  # the rest touches no exchanged label: its labels are fixed
        alone = {x: x for _, s in state.waiting for x in s}
        yield Mirror({**alone, **image}, state.left, state.side, state.bridges, state.fixed + state.waiting)
        return
    node, labels = state.waiting[place]
    others = state.waiting[:place] + state.waiting[place + 1 :]
    if len(labels) == 2 and image.get(labels[0]) == labels[1] and is_bridge(node):
        bridges = (*state.bridges, (node, labels))
        yield from _search(Mirror(image, state.left, state.side, bridges, state.fixed, others), is_bridge, budget)
        return
    on_right = any(image.get(x, x) != x and x not in state.left for x in labels)
    for k, (twin, partner) in enumerate(others):
        if twin is not node:
            continue
        turns = (partner, partner[::-1]) if len(partner) == 2 and is_symmetric(node) else (partner,)
        for turned in turns:
            here, there = (turned, labels) if on_right else (labels, turned)
            extended = _extended(image, state.left, here, there)
            if extended is not None:
                rest = others[:k] + others[k + 1 :]
                found = Mirror(*extended, (*state.side, (node, here)), state.bridges, state.fixed, rest)
                yield from _search(found, is_bridge, budget)


def _extended(
    image: dict[int, int], left: frozenset[int], labels: Sequence[int], partner: Sequence[int]
) -> tuple[dict[int, int], frozenset[int]] | None:
    """With ``labels``, on the left or fixed, sent to ``partner`` and back; None where that cannot be."""
    found, ours = dict(image), set(left)
    for a, b in zip(labels, partner, strict=True):
        if found.setdefault(a, b) != b or found.setdefault(b, a) != a:
            return None
        if a != b:
            if b in ours:
                return None
            ours.add(a)
    return found, frozenset(ours)
