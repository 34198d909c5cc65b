"""Functions of the formula that are products, found among the factors of a contraction: silu(z) is z.*sigmoid(z)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matgrad.formula.syntax import Expr
from matgrad.functions import card
from matgrad.tensor.builders import Network
from matgrad.tensor.laws.products import extended
from matgrad.tensor.nodes import Einsum, Node
from matgrad.translate.fused import Pairs


def products_in(written: Mapping[Node, Expr]) -> list[tuple[Einsum, Expr]]:
    """The calls of a formula that are products of their argument and a function of it."""
    found = []
    for node, expr in written.items():
        known = card(expr.value.name) if expr.op == "call" and len(expr.args) == 1 else None
        if known is not None and known.family == "defined" and isinstance(node, Einsum) and node.coefficient == 1:
            if len(node.operands) > 1 and expr.args[0].dims == node.shape and len({*node.out}) == len(node.out):
                found.append((node, expr))
    return found


def as_typed(node: Einsum, pairs: Pairs, products: Sequence[tuple[Einsum, Expr]]) -> Pairs:
    """The operands with each such product as the call that was typed."""
    for product, expr in products:
        nodes = [(n, s) for n, s in pairs if isinstance(n, Node)]
        pattern = list(zip(product.operands, product.subscripts, strict=True))
        bound, used = dict[int, int](), list[int]()
        if not extended(Network(nodes, node.out, node.coefficient, {}), -1, pattern, bound, used):
            continue
        taken = [nodes[i] for i in used]
        inner = [y for x, y in bound.items() if x not in product.out]
        labels = [y for _, s in pairs for y in s] + [*node.out]
        if all(labels.count(y) == sum(s.count(y) for _, s in taken) for y in inner):
            for pair in taken:
                pairs.remove(pair)
            pairs.append((expr, tuple([bound[x] for x in product.out])))
    return pairs
