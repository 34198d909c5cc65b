"""Pass 2: the transposed linear graph, from the identity on the output's axes back to the variable.

This is backpropagation. Every node is visited once, so the cost is linear in the size of the graph.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction

from matgrad.differentiate.linearise import Edge, edges, multiple
from matgrad.differentiate.powers import of_matrix_power
from matgrad.errors import NotSupported
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Einsum, MatrixPower, Named, Node, Symbol, topological

MOST = 16_000
"""Factors that the terms of one node's signal may have between them; the first few terms are made at any cost."""


def derivative(root: Node, wrt: Node, symmetric: str = "projected") -> Node:
    """∂root/∂wrt: axes of the root first, then those of ``wrt`` (a Symbol or a Named node)."""
    return derivatives(root, [wrt], symmetric)[0]


def derivatives(
    root: Node, wrt: list[Node], symmetric: str = "projected", *, shorten: Callable[[Named, Node], Node] | None = None
) -> list[Node]:
    """The derivatives in several variables, from one backward pass.

    ``shorten`` may give a named intermediate's signal another form, which is what then goes on to its value.
    """
    wanted = set(wrt)
    order, multiples = _with_multiples(topological(root))
    depends: set[Node] = set()
    for node in order:
        if node in wanted or not depends.isdisjoint(node.children):
            depends.add(node)
    outputs = len(root.shape)
    _foresee([node for node in order if node in depends and node not in multiples], depends)
    signals: dict[Node, list[Node]] = {root: [b.identity(root.shape)]}
    found: dict[Node, Node] = {}
    lengths = _Lengths()
    for node in reversed(order):
        terms = signals.pop(node, None)
        if terms is None or node not in depends:
            continue
        if len(terms) > 1 and symmetric != "ignore" and not isinstance(node, Symbol) and b.is_symmetric(node):
            terms = _alike(terms)
        signal = b.add(terms)
        if node in wanted:
            found[node] = signal
        if node in wanted and isinstance(node, Symbol):
            continue
        if shorten is not None and isinstance(node, Named):
            signal = shorten(node, signal)
        if isinstance(node, MatrixPower):
            leaving = of_matrix_power(node, signal, varies=node.exponent in depends)
        else:
            leaving = multiples.get(node) or edges(node)
        for edge in leaving:
            if edge.child in depends:
                term = _pulled_back(signal, edge, outputs)
                signals.setdefault(edge.child, []).append(term)
                lengths.add(edge.child, len(term.operands) if isinstance(term, Einsum) else 0)
    return [_on_space(found[x] if x in found else b.zeros(root.shape + x.shape), x, symmetric) for x in wrt]


class _Lengths:
    """How many terms each signal has, and how many factors between them; too many are refused."""

    def __init__(self) -> None:
        self._terms: dict[Node, int] = defaultdict(int)
        self._factors: dict[Node, int] = defaultdict(int)

    def add(self, child: Node, factors: int) -> None:
        self._terms[child] += 1
        self._factors[child] += factors
        if self._terms[child] > b.FLATTEN and self._factors[child] > MOST:
            raise NotSupported(
                f"a derivative of more than {self._terms[child]:,} terms with {factors} factors each",
                hint="named intermediates (r = ...) for parts of the product",
            )


def _foresee(order: list[Node], depends: set[Node]) -> None:
    """Refuse products that alone send too much, before the work is done: each factor gets the rest of its product."""
    products = [node.operands for node in order if isinstance(node, Einsum)]
    if sum([len(operands) ** 2 for operands in products]) <= MOST:
        return
    lengths = _Lengths()
    for operands in products:
        for operand in operands:
            if operand in depends:
                lengths.add(operand, len(operands) - 1)


def _with_multiples(order: list[Node]) -> tuple[list[Node], dict[Node, list[Edge]]]:
    """The nodes in order, and edges from the multiples of one node to that node.

    z and -z hang together, so that what arrives at both is added up before it goes on: (sigmoid(z) - y)*x.
    """
    alike: dict[Node, list[Einsum]] = {}
    for node in order:
        if isinstance(node, Einsum) and node.operands and node.coefficient:
            alike.setdefault(b.primitive(node), []).append(node)
    shared = {base: nodes for base, nodes in alike.items() if len(nodes) > 1}
    if not shared:
        return order, {}
    bases = {node: base for base, nodes in shared.items() for node in nodes if node is not base}
    found: dict[Node, None] = {}
    for node in order:
        if node in bases:
            found.setdefault(bases[node])
        found.setdefault(node)
    return list(found), {node: [multiple(base, node)] for node, base in bases.items()}


def _pulled_back(signal: Node, edge: Edge, outputs: int) -> Node:
    """The signal at a node, carried along one edge to a child."""
    if not edge.operands and edge.hole == edge.out and len({*edge.hole}) == len(edge.hole):
        return b.scaled(signal, edge.coefficient)
    first = 1 + max([-1, *edge.sizes])
    outer = tuple(range(first, first + outputs))
    operands = [(signal, outer + edge.out), *edge.operands]
    return b.einsum(operands, outer + edge.hole, edge.coefficient, edge.sizes)


def _alike(terms: list[Node]) -> list[Node]:
    """The terms of a symmetric node's signal, those that are the transpose of another as that other.

    Exchanging the axes of such a term changes nothing after it: M*a*a' + a*a'*M is 2*M*a*a' there.
    """
    found: list[Node] = []
    for term in terms:
        turned = _turned(term) if found else term
        found.append(turned if turned in found else term)
    return found


def _turned(node: Node) -> Node:
    """The node with its last two axes exchanged."""
    *first, row, col = range(len(node.shape))
    return b.einsum([(node, (*first, row, col))], (*first, col, row))


def _on_space(result: Node, wrt: Node, symmetric: str) -> Node:
    """The derivative on the space that the variable lives in: symmetric, diagonal or triangular matrices."""
    traits = wrt.traits if isinstance(wrt, Symbol) else frozenset()
    if symmetric == "ignore" or not traits & {"symmetric", "lower", "upper"}:
        return result
    n = len(result.shape)
    labels = tuple(range(n))
    row, col = labels[-2:]
    if "diagonal" in traits:
        same = {row: result.shape[row]}
        return b.einsum([(result, (*labels[:-2], row, row))], (*labels[:-2], row, row), 1, same)
    if "symmetric" not in traits:
        mask = b.triangle("tril" if "lower" in traits else "triu", result.shape[-2:])
        return b.einsum([(result, labels), (mask, (row, col))], labels)
    turned = _turned(result)
    if symmetric == "entries":
        diagonal = b.einsum([(result, (*labels[:-2], row, row))], (*labels[:-2], row, row))
        return b.add([result, turned, b.scaled(diagonal, -1)])
    return b.scaled(b.add([result, turned]), Fraction(1, 2))
