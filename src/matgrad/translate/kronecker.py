"""Arrays of order 3 and 4 as matrices on vec: Kronecker products, with columns stacked.

The Jacobian of vec(F) in vec(X)' has the rows (column of F, row of F) and the columns (column of X, row of X),
the first index slowest. A term P[a,c]·Q[b,d] of ∂F[a,b]/∂X[c,d] is then kron(Q, P), and P[a,d]·Q[b,c] is
kron(Q, P)*commutation(p, q) for X of shape p × q.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from matgrad.dims import Dim
from matgrad.formula.syntax import MATRIX, Expr, Type
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Einsum, Node, Sum
from matgrad.translate.algebra import addition, call, negative, number, product, times, transposed
from matgrad.translate.recover import spread_sums

Print = Callable[[Node], Expr]
SizeOf = Callable[[Dim], Expr]


def kronecker(node: Node, outputs: int, formula: Print, size: SizeOf) -> Expr | None:
    """The matrix ∂vec(F)/∂vec(X)', or None where a term is not a product of two matrices."""
    rows, cols = node.shape[:outputs], node.shape[outputs:]
    type_ = Type(MATRIX, (_count(rows), _count(cols)))
    found = []
    for factor, term in _terms(node):
        expr = _term(b.scaled(term, factor), outputs, formula, size, type_)
        if expr is None:
            return None
        found.append(expr)
    return addition(found)


def _terms(node: Node) -> list[tuple[Fraction, Node]]:
    """The terms of a sum, with sums of order 3 and more inside of products multiplied out."""
    spread = spread_sums(node) if isinstance(node, Einsum) else None
    if spread is not None:
        return _terms(spread)
    if isinstance(node, Sum):
        return [(f * g, t) for f, term in node.terms for g, t in _terms(term)]
    if isinstance(node, Einsum) and len(node.operands) == 1 and isinstance(node.operands[0], Sum):
        inner, labels = node.operands[0], node.subscripts[0]
        if len(labels) > 2:
            turned = [(f * node.coefficient, b.einsum([(t, labels)], node.out)) for f, t in inner.terms]
            return [(f * g, u) for f, t in turned for g, u in _terms(t)]
    return [(Fraction(1), node)]


def _count(dims: Sequence[Dim]) -> Dim:
    total = Dim.of(1)
    for dim in dims:
        total = total * dim
    return total


def _term(node: Node, outputs: int, formula: Print, size: SizeOf, type_: Type) -> Expr | None:
    if not isinstance(node, Einsum):
        return None
    coefficient = node.coefficient
    if coefficient == 0:
        return call("matrix", number(0), type=type_)
    groups = _groups(node)
    row_axes, col_axes = range(outputs), range(outputs, len(node.shape))
    pair = _pairing(groups, row_axes, col_axes)
    if pair is None:
        return None
    left, right, swapped = pair
    scalars = [(n, s) for n, s in zip(node.operands, node.subscripts, strict=True) if not s]
    lonely = [g for g in groups if not g[0]]
    # Columns are stacked, so the last axes vary slowest and their factor stands on the left.
    exprs = [_upright(formula(_part(node, group, axes)), axes, outputs) for group, axes in (right, left)]
    matrix_like = all(e.kind == MATRIX for e in exprs)
    if all(e.op == "call" and e.value.name == "eye" for e in exprs):
        whole = call("eye", type=Type(MATRIX, (type_.dims[0],) * 2))
    else:
        whole = call("kron", *exprs, type=type_) if matrix_like else product([("*", exprs[0]), ("⊗", exprs[1])])
    if swapped:
        p, q = (node.shape[a] for a in col_axes)
        exchange = call("commutation", size(p), size(q), type=Type(MATRIX, (p * q, p * q)))
        whole = exchange if whole.op == "call" and whole.value.name == "eye" else times(whole, exchange)
    front = [formula(b.einsum([*scalars, *_operands(node, lonely)], (), abs(coefficient), _sizes(node, lonely)))]
    if front[0].op == "number" and front[0].value == 1:
        front = []
    whole = times(*front, whole)
    return negative(whole) if coefficient < 0 else whole


Group = tuple[tuple[int, ...], frozenset[int]]
"""Axes of the result, and the labels that belong together with them."""


def _groups(node: Einsum) -> list[Group]:
    """The connected parts of the network: axes that share no label, and no operand, are independent."""
    parent = {x: x for x in range(len(node.sizes))}

    def find(x: int) -> int:
        while parent[x] != x:
            x = parent[x]
        return x

    for subscript in node.subscripts:
        for x in subscript[1:]:
            parent[find(x)] = find(subscript[0])
    roots = dict.fromkeys(find(x) for x in parent)
    return [
        (tuple(a for a, x in enumerate(node.out) if find(x) == r), frozenset(x for x in parent if find(x) == r))
        for r in roots
    ]


Side = tuple[frozenset[int], tuple[int, ...]]


def _pairing(groups: Sequence[Group], rows: Sequence[int], cols: Sequence[int]) -> tuple[Side, Side, bool] | None:
    """Which parts make the left and the right axes: (first axes, last axes, whether X is transposed)."""
    parts = {axes: labels for axes, labels in groups if axes}
    for swapped in (False, True) if len(cols) == 2 else (False,):
        order = list(cols)[::-1] if swapped else list(cols)
        wanted: list[tuple[int, ...]]
        if len(rows) == 2 and len(cols) == 2:
            wanted = [(rows[0], order[0]), (rows[1], order[1])]
        elif len(rows) == 1 and len(cols) == 2:
            wanted = [(rows[0], order[0]), (order[1],)]
        elif len(rows) == 2 and len(cols) == 1:
            wanted = [(rows[0], cols[0]), (rows[1],)]
            if set(parts) != {tuple(sorted(w)) for w in wanted}:
                wanted = [(rows[0],), (rows[1], cols[0])]
        else:
            return None
        if set(parts) == {tuple(sorted(w)) for w in wanted}:
            first, last = ((parts[tuple(sorted(w))], w) for w in wanted)
            return first, last, swapped
    return None


def _operands(node: Einsum, groups: Sequence[Group]) -> list[tuple[Node, tuple[int, ...]]]:
    labels = {x for _, part in groups for x in part}
    pairs = zip(node.operands, node.subscripts, strict=True)
    return [(n, s) for n, s in pairs if s and set(s) <= labels]


def _sizes(node: Einsum, groups: Sequence[Group]) -> dict[int, Dim]:
    return {x: node.sizes[x] for _, part in groups for x in part}


def _part(node: Einsum, labels: frozenset[int], axes: tuple[int, ...]) -> Node:
    group: Group = (axes, labels)
    return b.einsum(_operands(node, [group]), tuple(node.out[a] for a in axes), 1, _sizes(node, [group]))


def _upright(expr: Expr, axes: tuple[int, ...], outputs: int) -> Expr:
    """A single axis is a column if it belongs to the output, a row if it belongs to the variable."""
    if len(axes) == 1 and axes[0] >= outputs:
        return transposed(expr)
    return expr
