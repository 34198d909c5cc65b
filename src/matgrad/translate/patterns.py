"""Index patterns with fused axes, such as ``ij,kl->(ik)(jl)``, as contractions."""

from __future__ import annotations

from collections.abc import Mapping

from matgrad.dims import Dim
from matgrad.formula.subscripts import split
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node


def indexed(pattern: str, args: list[Node], known: Mapping[str, Dim] | None = None) -> Node:
    """An index pattern such as ``"ij,kl->(ik)(jl)"``: fused axes have the first index slowest."""
    inside, result = split(pattern.replace("'", ""))
    letters = dict.fromkeys(letter for axes in (*inside, result) for axis in axes for letter in axis)
    labels = {letter: k for k, letter in enumerate(letters)}
    sizes: dict[str, Dim] = dict(known or {})
    for axes, node in zip(inside, args, strict=True):
        sizes.update({axis: dim for axis, dim in zip(axes, node.shape, strict=True) if len(axis) == 1})
    operands: list[tuple[Node, tuple[int, ...]]] = []
    fused: dict[str, int] = {}

    def label(axis: str) -> int:
        """The label of an axis; a group is tied to its letters by the map that fuses two axes, twice if need be."""
        if len(axis) == 1:
            return labels[axis]
        if axis not in fused:
            fast = label(axis[1:])
            slow_size, fast_size = sizes[axis[0]], _product_of(sizes, axis[1:])
            fused[axis] = len(labels) + len(fused)
            fuse = b.constant("fuse", (slow_size * fast_size, slow_size, fast_size))
            operands.append((fuse, (fused[axis], labels[axis[0]], fast)))
        return fused[axis]

    for axes, node in zip(inside, args, strict=True):
        operands.append((node, tuple(label(axis) for axis in axes)))
    out = [label(axis) for axis in result]
    return b.einsum(operands, out)


def _product_of(sizes: Mapping[str, Dim], letters: str) -> Dim:
    total = Dim.of(1)
    for letter in letters:
        total = total * sizes[letter]
    return total


def kron_pattern(left: str, right: str) -> str:
    sides = {MATRIX: ("i", "j"), VECTOR: ("i", ""), ROW: ("", "j"), SCALAR: ("", "")}
    other = {MATRIX: ("k", "l"), VECTOR: ("k", ""), ROW: ("", "l"), SCALAR: ("", "")}
    (i, j), (k, l) = sides[left], other[right]  # noqa: E741
    fused = [f"({p}{q})" if p and q else p + q for p, q in ((i, k), (j, l))]
    return f"{i}{j},{k}{l}->{''.join(fused)}"
