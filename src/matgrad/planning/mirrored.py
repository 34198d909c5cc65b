"""Contractions that are their own mirror image: X'·diag(w)·X, Σₖ zₖ zₖ'.

A reflection of the labels exchanges two halves of the operands, which are equal but for their labels, and leaves the
others alone. The result is then Z'·Z, where Z is one half times the roots of the operands left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matgrad.planning.steps import Step

Labels = tuple[int, ...]
Operands = Sequence[tuple[Step, Labels]]


class Half(NamedTuple):
    """One half, by the places of its operands; those that both halves share; the labels that both have, which are
    summed; the labels of the result that the half has, and their mirror images."""

    left: tuple[int, ...]
    fixed: tuple[int, ...]
    shared: tuple[int, ...]
    columns: Labels
    partners: Labels


def mirrored(operands: Operands, out: Labels) -> Half | None:
    """A half, where the contraction is its own mirror image in two labels of ``out``, or sums over all."""
    for i, (step, labels) in enumerate(operands):
        for j in range(i + 1, len(operands)):
            other, turned = operands[j]
            if other is step and labels != turned:
                found = _half(operands, out, i, j)
                if found is not None:
                    return found
    return None


def _half(operands: Operands, out: Labels, i: int, j: int) -> Half | None:
    image: dict[int, int] = {}
    partner = {i: j, j: i}
    if not _matched(operands[i][1], operands[j][1], image, out):
        return None
    while True:
        loose = [k for k, (_, labels) in enumerate(operands) if k not in partner and image.keys() & set(labels)]
        if loose:
            if not _paired(operands, partner, image, out, loose[:1]):
                return None
            continue
        others = [k for k, (_, labels) in enumerate(operands) if k not in partner and set(out) & set(labels)]
        if not _paired(operands, partner, image, out, others):
            break
    left = _side(operands, partner, image, out)
    if left is None:
        return None
    fixed = tuple(k for k in range(len(operands)) if k not in partner)
    inside = dict.fromkeys(x for k in left for x in operands[k][1])
    shared = tuple(x for x in inside if x not in image)
    columns = tuple(x for x in out if x in inside and x in image)
    partners = tuple(image[x] for x in columns)
    loose_labels = {x for k in fixed for x in operands[k][1]} - set(shared)
    if not shared or loose_labels or set(columns) & set(partners) or {*columns, *partners} != set(out):
        return None
    return Half(tuple(left), fixed, shared, columns, partners)


def _paired(
    operands: Operands, partner: dict[int, int], image: dict[int, int], out: Labels, candidates: Sequence[int]
) -> bool:
    """Find a partner for one of the candidates."""
    for k in candidates:
        step, labels = operands[k]
        for other, (same, turned) in enumerate(operands):
            if other not in partner and other != k and same is step and _matched(labels, turned, image, out):
                partner[k], partner[other] = other, k
                return True
    return False


def _matched(labels: Labels, turned: Labels, image: dict[int, int], out: Labels) -> bool:
    """Whether the reflection can take one tuple of labels to the other; it is extended, if so."""
    new = dict(image)
    for x, y in zip(labels, turned, strict=True):
        if x == y and x not in new:
            continue
        if new.get(x, y) != y or new.get(y, x) != x or x == y or (x in out) != (y in out):
            return False
        new[x], new[y] = y, x
    image.update(new)
    return True


def _side(operands: Operands, partner: dict[int, int], image: dict[int, int], out: Labels) -> list[int] | None:
    """One of each pair of operands, so that no label of the half is the image of another; the first in ``out``."""

    def place(k: int) -> int:
        return min((out.index(x) for x in operands[k][1] if x in image and x in out), default=len(out))

    left: list[int] = []
    labels: set[int] = set()
    waiting = sorted(partner, key=place)
    while waiting:
        linked = [k for k in waiting if labels & set(operands[k][1])]
        k = linked[0] if linked else waiting[0]
        own = {x for x in operands[k][1] if x in image}
        if {image[x] for x in own} & labels:
            return None
        left.append(k)
        labels |= own
        waiting = [p for p in waiting if p not in (k, partner[k])]
    return left
