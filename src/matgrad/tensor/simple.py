"""Nodes that no law can change: leaves, numbers, and multiples of a node."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from matgrad.dims import Dim
from matgrad.tensor.nodes import Constant, Einsum, Named, Node, Shape, Symbol, intern
from matgrad.tensor.numbers import ONE, as_fraction, times


def symbol(name: str, shape: Shape, traits: frozenset[str] = frozenset()) -> Node:
    return intern(Symbol, tuple(shape), name, tuple(shape), traits)


def constant(name: str, shape: Shape = (), parameter: Any = None) -> Node:
    return intern(Constant, tuple(shape), name, tuple(shape), parameter)


def triangle(name: str, shape: Shape, offset: int = 0) -> Node:
    """1 up to the diagonal that is ``offset`` above the main one (``tril``), or from it on (``triu``), and else 0."""
    return constant(name, shape, offset)


def number(value: Fraction | int, shape: Shape = ()) -> Node:
    """A number, or an array all of whose entries are that number."""
    shape = tuple(shape)
    return intern(Einsum, shape, as_fraction(value), (), (), tuple(range(len(shape))), shape)


def zeros(shape: Shape) -> Node:
    return number(0, shape)


def identity(shape: Shape) -> Node:
    """The identity on arrays of this shape: axes of the result, then axes of the argument."""
    labels = tuple(range(len(shape)))
    return intern(Einsum, (*shape, *shape), ONE, (), (), labels + labels, tuple(shape))


def unit(dim: Dim, index: int | Dim) -> Node:
    """The unit vector with a 1 at a position, counted from 1: a number, or a size such as n."""
    if isinstance(index, Dim) and index.number is not None:
        index = index.number
    return constant("unit", (dim,), index)


def named(name: str, value: Node, *, symmetric: bool = False) -> Node:
    return intern(Named, value.shape, name, value, symmetric)


def primitive(node: Einsum) -> Node:
    """A contraction without its coefficient; zero stays zero."""
    if node.coefficient is ONE or not node.coefficient.numerator:
        return node
    return simplest(intern(Einsum, node.shape, ONE, node.operands, node.subscripts, node.out, node.sizes))


def simplest(node: Einsum) -> Node:
    """The only operand itself, where the Einsum does nothing to it."""
    if len(node.operands) == 1 and node.subscripts[0] == node.out and as_fraction(node.coefficient) is ONE:
        if len(set(node.out)) == len(node.out):
            return node.operands[0]
    return node


def scaled(node: Node, factor: Fraction | int) -> Node:
    """factor · node, without building the network anew."""
    factor = as_fraction(factor)
    if factor is ONE:
        return node
    if isinstance(node, Einsum):
        if not factor.numerator:
            return zeros(node.shape)
        fields = (times(node.coefficient, factor), node.operands, node.subscripts, node.out, node.sizes)
        return simplest(intern(Einsum, node.shape, *fields))
    if not factor.numerator:
        return zeros(node.shape)
    labels = tuple(range(len(node.shape)))
    return intern(Einsum, node.shape, factor, (node,), (labels,), labels, node.shape)
