"""Pass 1: the differential of each node, linear in the differentials of its children.

An ``Edge`` is one term of that differential: an Einsum with a hole where the child's differential goes,
``dz[out] = coefficient · Σ ∏ operands · dchild[hole]``. Its transpose is the same Einsum with hole and out
exchanged, so one description serves Jacobian-vector and vector-Jacobian products.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from matgrad.dims import Dim
from matgrad.errors import NotSupported
from matgrad.functions import card, card_in_code
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Apply, Constant, Einsum, Map, Named, Node, Sum, Symbol
from matgrad.tensor.rebuild import rebuild
from matgrad.translate.card_laws import along, of_matrices

Labels = tuple[int, ...]


class Edge(NamedTuple):
    """One term of a node's differential, with a hole for the differential of ``child``."""

    child: Node
    hole: Labels
    out: Labels
    operands: tuple[tuple[Node, Labels], ...]
    coefficient: Fraction
    sizes: dict[int, Dim]


def edges(node: Node) -> list[Edge]:
    """The differential of a node: the sum of these terms."""
    rule = _RULES.get(type(node))
    if rule is None:
        raise NotSupported(f"{type(node).__name__} has no differential")
    return rule(node)


def multiple(child: Node, node: Einsum) -> Edge:
    """The differential of c·z in z."""
    return _same_axes(child, node, node.coefficient)


def _none(node: Node) -> list[Edge]:
    return []


def _of_einsum(node: Einsum) -> list[Edge]:
    """The product rule."""
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    sizes = dict(enumerate(node.sizes))
    return [
        Edge(child, hole, node.out, tuple(pairs[:k] + pairs[k + 1 :]), node.coefficient, sizes)
        for k, (child, hole) in enumerate(pairs)
    ]


def _of_sum(node: Sum) -> list[Edge]:
    return [_same_axes(term, node, factor) for factor, term in node.terms]


def _of_named(node: Named) -> list[Edge]:
    return [_same_axes(node.value, node, Fraction(1))]


def _same_axes(child: Node, node: Node, factor: Fraction, *operands: Node) -> Edge:
    labels = tuple(range(len(node.shape)))
    sizes = dict(zip(labels, node.shape, strict=True))
    return Edge(child, labels, labels, tuple((operand, labels) for operand in operands), factor, sizes)


def _of_map(node: Map) -> list[Edge]:
    """The chain rule for elementwise functions: a Hadamard product with the derivative."""
    if node.function == "power":
        (x,) = node.args
        return [_same_axes(x, node, node.parameter, b.power(x, node.parameter - 1))]
    if node.function == "pow":
        x, p = node.args
        below = b.map_("pow", [x, b.add([p, b.number(-1, p.shape)])])
        return [
            _same_axes(x, node, Fraction(1), p, below),
            _same_axes(p, node, Fraction(1), node, b.map_("log", [x])),
        ]
    if node.function == "function":
        name, primes = node.parameter
        return [_same_axes(node.args[0], node, Fraction(1), b.map_("function", node.args, (name, primes + 1)))]
    known = card_in_code(node.function)
    assert known is not None
    named = dict(zip(known.arguments, node.args, strict=True))
    found = []
    for arg, law in zip(node.args, known.slopes, strict=True):
        if not law:  # a whole number, of which nothing depends
            continue
        slope = along(law, named, 0)
        if slope.shape != node.shape:
            slope = b.broadcast(slope, node.shape)
        if not b.is_zero(slope):
            found.append(_same_axes(arg, node, Fraction(1), slope))
    return found


def _of_apply(node: Apply) -> list[Edge]:
    """The differential on the function's card, read with dX as a symbol and taken apart again."""
    known = card(node.function)
    assert known is not None
    hole = b.symbol("\N{GREEK SMALL LETTER DELTA}", node.arg.shape)

    def terms(arg: Node) -> list[tuple[Node, Fraction]]:
        if node.parameter is None:
            law = of_matrices(known.differential, {"X": arg, "dX": hole})
        else:
            law = along(known.differential, {"x": arg, "dx": hole}, node.parameter)
        return [] if b.is_zero(law) else list(b.linear_terms(law).items())

    found = terms(node.arg)
    if all(term is hole or hole in term.children for term, _ in found):
        return [_edge(node.arg, hole, factor, term) for term, factor in found]
    whole = b.symbol("\N{GREEK SMALL LETTER XI}", node.arg.shape)  # laws have put dX into parts of X
    edges = [_edge(node.arg, hole, factor, term) for term, factor in terms(whole)]
    return [
        edge._replace(operands=tuple((rebuild(x, {whole: node.arg}), labels) for x, labels in edge.operands))
        for edge in edges
    ]


def _edge(child: Node, hole: Node, factor: Fraction, term: Node) -> Edge:
    if term is hole:
        return _same_axes(child, term, factor)
    assert isinstance(term, Einsum), "the differential on a card is linear in dX"
    pairs = list(zip(term.operands, term.subscripts, strict=True))
    (place,) = (k for k, (operand, _) in enumerate(pairs) if operand is hole)
    others = tuple(pairs[:place] + pairs[place + 1 :])
    return Edge(child, pairs[place][1], term.out, others, factor * term.coefficient, dict(enumerate(term.sizes)))


_RULES: dict[type[Node], Callable[..., list[Edge]]] = {
    Symbol: _none,
    Constant: _none,
    Einsum: _of_einsum,
    Sum: _of_sum,
    Named: _of_named,
    Map: _of_map,
    Apply: _of_apply,
}
