"""Constants of the tensor graph as they are written: pi, sizes, unit vectors, blocks of an identity, fused axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matgrad.dims import Dim
from matgrad.errors import NotSupported
from matgrad.formula.syntax import MATRIX, SCALAR_TYPE, Expr, Type
from matgrad.tensor.nodes import Constant
from matgrad.translate.algebra import call, number, of_order, triangle
from matgrad.translate.operands import block_range, sliced

Size = Callable[[Dim], Expr]


def constant(node: Constant, sizes: Mapping[str, Expr], size: Size) -> Expr:
    """The constant in words; a name in angle brackets is a placeholder, which no answer may keep."""
    if node.name == "pi":
        return Expr("constant", value="pi", type=SCALAR_TYPE)
    if node.name == "size":
        return sizes[node.parameter]
    if node.name == "unit":
        if isinstance(node.parameter, Dim):
            return sliced(_eye(node.shape[0], size), (None, size(node.parameter)), of_order(node.shape))
        return call("unit", number(node.parameter), type=of_order(node.shape))
    if node.name in ("tril", "triu"):
        type_ = of_order(node.shape)
        return triangle(node.name, call("matrix", number(1), type=type_), node.parameter)
    if node.name == "shift":
        return sliced(
            _eye(node.shape[0], size),
            (None, block_range(node.parameter, node.shape[1], size)),
            of_order(node.shape),
        )
    if node.name == "fuse":
        _, slow, fast = node.shape
        ties = [call("eye", type=Type(MATRIX, (dim, dim))) for dim in (slow, fast)]
        return Expr("einsum", tuple(ties), "ik,jl->(ij)kl", type=of_order(node.shape))
    return Expr("name", value=f"<{node.name}>", type=of_order(node.shape))


def _eye(dim: Dim, size: Size) -> Expr:
    return call("eye", size(dim), type=Type(MATRIX, (dim, dim)))


def zero(shape: tuple[Dim, ...], size: Size) -> Expr:
    """The array of this shape all of whose entries are 0, of sizes given where it has more than two axes."""
    if not shape:
        return number(0)
    if len(shape) > 2:
        return call("zeros", *map(size, shape), type=of_order(shape))
    return call("vector" if len(shape) == 1 else "matrix", number(0), type=of_order(shape))


def sized_zero(shape: tuple[Dim, ...], size: Size) -> Expr:
    """The same as a whole answer: zeros(m, n) where the sizes have names, matrix(0) for zeros(rows(X), cols(X))."""
    try:
        sizes = [size(dim) for dim in shape]
    except NotSupported:  # no variable shows one of them
        return zero(shape, size)
    if shape and all(e.op in ("name", "number") for e in sizes):
        return call("zeros", *sizes, type=of_order(shape))
    return zero(shape, size)
