"""Laws of functions of vec(X): they act on each entry of X, or on all of them in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from matgrad.tensor import builders as b
from matgrad.tensor.builders import einsum, map_, number, power, scaled
from matgrad.tensor.components import components
from matgrad.tensor.nodes import Constant, Einsum, Node, Sum


@b.MAP_LAWS.add(
    "fused axes",
    "f(vec(X)) = vec(f(X))",
    because="f acts on each entry",
    examples=(
        ("sum(vec(X).^3)", "X: matrix(m,n)"),
        ("exp(vec(X*Y) - 2*vec(X*Y).^2 + 1)", "X: matrix(m,k); Y: matrix(k,n)"),
        ("hypot(vec(X), vec(Y'))'*vec(X)", "X: matrix(m,n); Y: matrix(n,m)"),
    ),
)
def entrywise_of_fused(function: str, args: tuple[Node, ...], parameter: Any) -> Node | None:
    """f(vec(X)) = vec(f(X)) for elementwise functions, whose arguments are all fused alike, or are numbers."""
    if len(args[0].shape) != 1 or (found := _unfused(args)) is None:
        return None
    fuse, inner = found
    return _fused(fuse, power(inner[0], parameter) if function == "power" else map_(function, inner, parameter))


@b.APPLY_LAWS.add(
    "all fused entries",
    "max(vec(X)) = max(X), softmax(vec(X)) = vec(softmax(X))",
    because="the order of the entries does not matter",
    examples=(
        ("logsumexp(vec(X*Y)) + max(vec(X'))", "X: matrix(m,k); Y: matrix(k,n)"),
        ("softmax(vec(X))'*vec(Y)", "X: matrix(m,n); Y: matrix(m,n)"),
    ),
)
def reduction_of_fused(function: str, arg: Node, parameter: Any) -> Node | None:
    """A reduction of vec(X) is one of all entries of X."""
    if parameter != 1 or len(arg.shape) != 1 or (found := _unfused([arg])) is None:
        return None
    fuse, (inner,) = found
    value = b.apply(function, inner, 2)
    return _fused(fuse, value) if value.shape else value


def _fused(fuse: Constant, matrix: Node) -> Node:
    return einsum([(fuse, (0, 1, 2)), (matrix, (2, 1))], (0,), sizes=dict(enumerate(fuse.shape)))


def _unfused(vectors: Sequence[Node]) -> tuple[Constant, list[Node]] | None:
    """The matrices X of vectors vec(X) that are all fused alike, or numbers, and the constant that fuses them."""
    fuse = next(_fuses(vectors), None)
    found = [] if fuse is None else [_split(vector, fuse) for vector in vectors]
    return None if fuse is None or None in found else (fuse, [x for x in found if x is not None])


def _fuses(nodes: Sequence[Node]) -> Iterator[Constant]:
    """The constants that fuse the axes of these vectors."""
    for node in nodes:
        terms = [term for _, term in node.terms] if isinstance(node, Sum) else [node]
        for term in terms:
            if isinstance(term, Einsum):
                yield from [fuse for fuse, _ in _fusing(term)]


def _fusing(term: Einsum) -> Iterator[tuple[Constant, int]]:
    """The constants that fuse the last axes of this vector, and their places."""
    for place, (node, labels) in enumerate(zip(term.operands, term.subscripts, strict=True)):
        if isinstance(node, Constant) and node.name == "fuse" and len(node.shape) == 3:
            if sum(labels[0] in s for s in term.subscripts) == 1:
                yield node, place


def _split(node: Node, fuse: Constant) -> Node | None:
    """The matrix X with node = vec(X), as this constant fuses it; None where there is none."""
    value = b.as_number(node)
    if value is not None:
        return number(value, fuse.shape[:0:-1])
    if isinstance(node, Sum):
        terms = [(factor, _split(term, fuse)) for factor, term in node.terms]
        return None if any(t is None for _, t in terms) else b.add([scaled(t, c) for c, t in terms if t is not None])
    if not isinstance(node, Einsum):
        return None
    place = next((place for found, place in _fusing(node) if found is fuse), None)
    if place is None:
        return None
    fused, slow, fast = node.subscripts[place]
    rest = [operand for i, operand in enumerate(zip(node.operands, node.subscripts, strict=True)) if i != place]
    if len(components(rest)) > 1:
        return None  # kron(a, b) is clearer than vec(b*a')
    sizes = {label: dim for label, dim in enumerate(node.sizes) if label != fused}
    return einsum(rest, (fast, slow), node.coefficient, sizes)
