"""The canonical form of a contraction network: independent of the order of operands and of label names.

Labels are numbered in the order in which they occur, in ``out`` and then in the operands as their digests order them.
That leaves something to decide only where two operands are equal, or where the legs of a symmetric one could stand
either way. Then labels are coloured by where they occur, and the colours refined until they are stable; where a tie is
left, each member of the smallest tied class is singled out in turn and the least result is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from matgrad.tensor.nodes import Node, Shape

Operand = tuple[Node, tuple[int, ...]]
_BRANCHES = 24
"""Ties tried before the first is taken: contraction networks of formulas have few symmetries."""


def canonical(
    operands: Sequence[Operand], out: tuple[int, ...], sizes: dict[int, Any], symmetric: Callable[[Node], bool]
) -> tuple[tuple[Node, ...], tuple[tuple[int, ...], ...], tuple[int, ...], Shape]:
    """Operands, subscripts, out and sizes with labels renumbered from 0 in a canonical order."""
    swaps = [len(labels) == 2 and symmetric(node) for node, labels in operands]
    order = _forced_order(operands, out) or _plain_order(operands, out, swaps)
    order = order or _searched_order(operands, out, sizes, swaps)
    numbered = []
    for (node, subscript), swap in zip(operands, swaps, strict=True):
        numbers = tuple([order[x] for x in subscript])
        if swap and numbers[0] > numbers[1]:
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


def _plain_order(operands: Sequence[Operand], out: tuple[int, ...], swaps: Sequence[bool]) -> dict[int, int] | None:
    """The numbers of the labels, where the digests alone put the operands in order."""
    turns = {node for (node, _), swap in zip(operands, swaps, strict=True) if swap}
    if len(operands) > 1:
        if len({node for node, _ in operands}) < len(operands):
            return None
        operands = sorted(operands, key=lambda operand: operand[0].digest)
    order = _numbered((out,))
    for node, subscript in operands:
        if node in turns and len(operands) > 1 and len(set(subscript) - order.keys()) == 2:
            return None  # either of its legs could come first
        for x in subscript:
            if x not in order:
                order[x] = len(order)
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
    operands: Sequence[Operand], out: tuple[int, ...], sizes: dict[int, Any], swaps: Sequence[bool]
) -> dict[int, int]:
    labels = dict.fromkeys([*out, *(x for _, subscript in operands for x in subscript)])
    colours: dict[int, Any] = {x: (tuple(i for i, o in enumerate(out) if o == x), sizes[x].terms) for x in labels}
    ranks = _refine(_rank(colours), operands, swaps)
    _, best = _search(ranks, operands, swaps, [_BRANCHES])
    return _numbered((out, *[subscript for _, subscript in best]))


def _rank(colours: dict[int, Any]) -> dict[int, int]:
    position = {colour: i for i, colour in enumerate(sorted(set(colours.values())))}
    return {x: position[colour] for x, colour in colours.items()}


def _refine(ranks: dict[int, int], operands: Sequence[Operand], swaps: Sequence[bool]) -> dict[int, int]:
    """Ranks such that labels of one rank have neighbours of the same ranks; a label alone in its rank stays there."""
    count = len(set(ranks.values()))
    left = list(zip(operands, swaps, strict=True))
    while count < len(ranks):
        sizes = Counter(ranks.values())
        seen: dict[int, list[Any]] = {x: [] for x in ranks}
        left = [(o, swap) for o, swap in left if any(sizes[ranks[x]] > 1 for x in o[1])]
        for (node, subscript), swap in left:
            legs = tuple([ranks[x] for x in subscript])
            colour = (node.digest, tuple(sorted(legs)) if swap else legs)
            for place, x in enumerate(subscript):
                seen[x].append((colour, 0 if swap else place))
        ranks = _rank({x: (ranks[x], tuple(sorted(seen[x]))) for x in ranks})
        finer = len(set(ranks.values()))
        if finer == count:
            break
        count = finer
    return ranks


def _search(
    ranks: dict[int, int], operands: Sequence[Operand], swaps: Sequence[bool], budget: list[int]
) -> tuple[list[Any], list[Operand]]:
    """The least certificate (operands in terms of ranks), and the operands in its order."""
    classes: dict[int, list[int]] = {}
    for x, rank in ranks.items():
        classes.setdefault(rank, []).append(x)
    tied = min((members for members in classes.values() if len(members) > 1), key=len, default=None)
    if tied is None:
        rows = sorted(_certificate(ranks, operands, swaps), key=lambda row: row[0])
        return [key for key, _ in rows], [operand for _, operand in rows]
    best: tuple[list[Any], list[Operand]] | None = None
    for chosen in tied:
        if best is not None and budget[0] <= 0:
            break
        budget[0] -= 1
        marked = _rank({x: (rank, x == chosen) for x, rank in ranks.items()})
        found = _search(_refine(marked, operands, swaps), operands, swaps, budget)
        if best is None or found[0] < best[0]:
            best = found
    assert best is not None
    return best


def _certificate(
    ranks: dict[int, int], operands: Sequence[Operand], swaps: Sequence[bool]
) -> list[tuple[tuple[int, tuple[int, ...]], Operand]]:
    rows = []
    for (node, subscript), swap in zip(operands, swaps, strict=True):
        if swap:
            subscript = tuple(sorted(subscript, key=lambda x: ranks[x]))
        rows.append(((node.digest, tuple([ranks[x] for x in subscript])), (node, subscript)))
    return rows
