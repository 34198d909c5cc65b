"""The canonical form of a contraction network: independent of the order of operands and of label names.

Labels are numbered in the order in which they occur, in ``out`` and then in the operands as their digests order them.
That leaves something to decide only where two operands are equal, or where the legs of a symmetric one could stand
either way. Then labels are coloured by where they occur, and the colours refined until they are stable; where a tie is
left, each member of the smallest tied class is singled out in turn and the least result is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from operator import itemgetter
from typing import Any

from matgrad.tensor.nodes import Node, Shape

Operand = tuple[Node, tuple[int, ...]]
_BRANCHES = 24
"""Ties tried before the first is taken: contraction networks of formulas have few symmetries."""


def canonical(
    operands: Sequence[Operand], out: tuple[int, ...], sizes: dict[int, Any], symmetric: Callable[[Node], bool]
) -> tuple[tuple[Node, ...], tuple[tuple[int, ...], ...], tuple[int, ...], Shape]:
    """Operands, subscripts, out and sizes with labels renumbered from 0 in a canonical order."""
    order = _forced_order(operands, out)
    if order is None:
        order = _plain_order(operands, out, symmetric)
    if order is None:
        order = _searched_order(operands, out, sizes, symmetric)
    numbered = []
    for node, subscript in operands:
        numbers = tuple([order[x] for x in subscript])
        if len(numbers) == 2 and numbers[0] > numbers[1] and symmetric(node):
            numbers = numbers[::-1]
        numbered.append((node, numbers))
    if len(numbered) > 1:
        numbered.sort(key=lambda item: (item[0].digest, item[1]))
    return (
        tuple([node for node, _ in numbered]),
        tuple([subscript for _, subscript in numbered]),
        tuple([order[x] for x in out]),
        tuple([sizes[x] for x in order]),
    )


def _forced_order(operands: Sequence[Operand], out: tuple[int, ...]) -> dict[int, int] | None:
    """The numbers of the labels, where at most one is summed: those of ``out`` come first."""
    order = _numbered((out, *[subscript for _, subscript in operands]))
    return order if len(order) <= len(set(out)) + 1 else None


def _plain_order(
    operands: Sequence[Operand], out: tuple[int, ...], symmetric: Callable[[Node], bool]
) -> dict[int, int] | None:
    """The numbers of the labels, where the digests alone put the operands in order."""
    if len(operands) > 1:
        operands = sorted(operands, key=lambda operand: operand[0].digest)
    order = _numbered((out,))
    before = None
    for k, (node, subscript) in enumerate(operands, 1):
        fresh = set(subscript) - order.keys()
        if fresh and len(operands) > 1:
            if node is before or (k < len(operands) and node is operands[k][0]):
                return None  # either of two equal operands could come first
            if len(fresh) == len(subscript) == 2 and symmetric(node):
                return None  # either of its legs could come first
        for x in subscript:
            if x not in order:
                order[x] = len(order)
        before = node
    return order


def _numbered(several: Iterable[tuple[int, ...]]) -> dict[int, int]:
    """Labels numbered as they first occur."""
    order: dict[int, int] = {}
    for labels in several:
        for x in labels:
            if x not in order:
                order[x] = len(order)
    return order


def _searched_order(
    operands: Sequence[Operand], out: tuple[int, ...], sizes: dict[int, Any], symmetric: Callable[[Node], bool]
) -> dict[int, int]:
    swaps = [len(subscript) == 2 and symmetric(node) for node, subscript in operands]
    places: dict[int, list[int]] = {x: [] for _, subscript in operands for x in subscript}
    for place, x in enumerate(out):
        places.setdefault(x, []).append(place)
    colours = {x: (tuple(found), sizes[x].terms) for x, found in places.items()}
    _, best = _search(_Colouring(operands, swaps, colours), [_BRANCHES])
    return _numbered((out, *[subscript for _, subscript in best]))


class _Colouring:
    """Ranks of the labels, such that labels of one rank have neighbours of the same ranks.

    Only what stands beside a label whose rank has changed is looked at again, and of a class that falls apart the
    largest part keeps its rank: a chain of n factors takes n steps.
    """

    def __init__(self, operands: Sequence[Operand], swaps: Sequence[bool], colours: Mapping[int, Any]) -> None:
        self.operands = operands
        self.swaps = swaps
        self.digests = [node.digest for node, _ in operands]
        self.beside: dict[int, list[int]] = {x: [] for x in colours}
        for k, (_, subscript) in enumerate(operands):
            for x in dict.fromkeys(subscript):
                self.beside[x].append(k)
        position = {colour: rank for rank, colour in enumerate(sorted(set(colours.values())))}
        self.ranks = {x: position[colour] for x, colour in colours.items()}
        self.classes: dict[int, set[int]] = {}
        for x, rank in self.ranks.items():
            self.classes.setdefault(rank, set()).add(x)
        self.views: dict[int, Any] = {}
        self.next = len(position)
        self._refine(list(colours))

    def tied(self) -> set[int] | None:
        """The smallest class of several labels."""
        several = [(len(members), rank) for rank, members in self.classes.items() if len(members) > 1]
        return self.classes[min(several)[1]] if several else None

    def marked(self, label: int) -> _Colouring:
        """The colouring that tells this label from the others of its rank."""
        other = copy(self)
        other.ranks, other.views = dict(self.ranks), dict(self.views)
        other.classes = {rank: set(members) for rank, members in self.classes.items()}
        other._refine(other._moved([label]))
        return other

    def _refine(self, changed: Sequence[int]) -> None:
        while changed:
            near = set(changed)
            for k in {k for y in changed for k in self.beside[y]}:
                near.update(self.operands[k][1])
            touched: dict[int, list[int]] = {}
            for x in near:
                if len(self.classes[self.ranks[x]]) > 1:
                    touched.setdefault(self.ranks[x], []).append(x)
                    self.views[x] = self._view(x)
            changed = [x for rank in sorted(touched) for x in self._split(rank, touched[rank])]

    def _view(self, label: int) -> Any:
        """What a label stands at: operands, with the ranks of their legs and its place among them."""
        found = []
        for k in self.beside[label]:
            subscript, swap = self.operands[k][1], self.swaps[k]
            legs = tuple([self.ranks[x] for x in subscript])
            colour = (self.digests[k], tuple(sorted(legs)) if swap else legs)
            if swap:
                found += [(colour, 0)] * subscript.count(label)
            else:
                found += [(colour, place) for place, x in enumerate(subscript) if x == label]
        return tuple(sorted(found))

    def _split(self, rank: int, touched: list[int]) -> list[int]:
        """Give a rank of its own to each part of a class but the largest; what has changed its rank."""
        members = self.classes[rank]
        parts: dict[Any, list[int]] = {}
        for x in touched:
            parts.setdefault(self.views[x], []).append(x)
        rest = len(members) - len(touched)
        if rest:  # all that is not touched has one view
            among = set(touched)
            view = self.views[next(x for x in members if x not in among)]
            if 2 * (rest + len(parts.get(view, ()))) >= len(members):
                parts.pop(view, None)
                return [x for _, part in sorted(parts.items()) for x in self._moved(part)]
            parts.setdefault(view, []).extend(members - among)
        if len(parts) == 1:
            return []
        largest = min(parts, key=lambda view: (-len(parts[view]), view))
        return [x for view, part in sorted(parts.items()) if view != largest for x in self._moved(part)]

    def _moved(self, part: list[int]) -> list[int]:
        """Give these labels, of one rank, the next rank."""
        self.classes[self.ranks[part[0]]].difference_update(part)
        self.classes[self.next] = set(part)
        self.ranks.update(dict.fromkeys(part, self.next))
        self.next += 1
        return part


def _search(colouring: _Colouring, budget: list[int]) -> tuple[list[Any], list[Operand]]:
    """The least certificate (operands in terms of ranks), and the operands in its order."""
    tied = colouring.tied()
    if tied is None:
        rows = sorted(_certificate(colouring), key=itemgetter(0))
        return [key for key, _ in rows], [operand for _, operand in rows]
    best: tuple[list[Any], list[Operand]] | None = None
    for chosen in tied:
        if best is not None and budget[0] <= 0:
            break
        budget[0] -= 1
        found = _search(colouring.marked(chosen), budget)
        if best is None or found[0] < best[0]:
            best = found
    assert best is not None
    return best


def _certificate(colouring: _Colouring) -> list[tuple[tuple[int, tuple[int, ...]], Operand]]:
    rows = []
    ranks = colouring.ranks
    for (node, subscript), digest, swap in zip(colouring.operands, colouring.digests, colouring.swaps, strict=True):
        if swap:
            subscript = tuple(sorted(subscript, key=ranks.__getitem__))
        rows.append(((digest, tuple([ranks[x] for x in subscript])), (node, subscript)))
    return rows
