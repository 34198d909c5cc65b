"""Riemannian gradients: of a scalar on a manifold of matrices, from its gradient G in all entries.

* Orthogonal matrices, embedded metric ⟨U, V⟩ = tr(U'V): the projection of G on the tangent space {X·Ω: Ω' = -Ω},
  X·skew(X'G) = (G - X·G'·X)/2 (Edelman, Arias and Smith 1998; Absil, Mahony and Sepulchre 2008, sec. 3.6).
* Positive definite matrices, affine-invariant metric ⟨U, V⟩ = tr(inv(S)·U·inv(S)·V): S·sym(G)·S (Bhatia 2007, ch. 6).
"""

from __future__ import annotations

from fractions import Fraction
from math import prod

from matgrad.errors import NotSupported
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Einsum, Node, Sum, Symbol

RIEMANNIAN = "riemannian"
"""What ``riemannian=True`` is called among the conventions that the passes and the check are told of."""

METRICS = {
    "orthogonal": "tr(U'*V) on orthogonal matrices",
    "spd": "tr(inv({0})*U*inv({0})*V) on positive definite matrices",
}


def structure(variable: Node) -> str:
    """Which manifold the variable lives on: a declaration with a metric, else an error."""
    traits = variable.traits if isinstance(variable, Symbol) else frozenset()
    for name in METRICS:
        if name in traits:
            return name
    named = variable.name if isinstance(variable, Symbol) else "this intermediate"
    raise NotSupported(
        f"{named} has no Riemannian gradient: it is declared neither orthogonal nor spd",
        hint="O: orthogonal(n), or S: spd(n)",
    )


def riemannian(gradient: Node, variable: Node) -> Node:
    """The Riemannian gradient from the one in all entries (for spd: the symmetrised one)."""
    kind = structure(variable)
    if gradient.shape != variable.shape:
        raise NotSupported("a Riemannian gradient is of a scalar, once", hint="riemannian=False")
    if kind == "spd":
        return b.einsum([(variable, (0, 1)), (gradient, (1, 2)), (variable, (2, 3))], (0, 3))
    turned = b.einsum([(variable, (0, 1)), (gradient, (2, 1)), (variable, (2, 3))], (0, 3))
    found = b.scaled(b.subtract(gradient, turned), Fraction(1, 2))
    terms = _multiplied_out(found)
    shorter = [_without_pairs(term, variable) for term in terms]
    return found if shorter == terms else b.add([b.zeros(found.shape), *shorter])


def _multiplied_out(node: Node) -> list[Node]:
    """The terms of a sum of products of sums."""
    if isinstance(node, Sum):
        return [part for factor, term in node.terms for part in _multiplied_out(b.scaled(term, factor))]
    if isinstance(node, Einsum):
        operands = list(zip(node.operands, node.subscripts, strict=True))
        count = prod(len(operand.terms) for operand in node.operands if isinstance(operand, Sum))
        for place, (operand, labels) in enumerate(operands):
            if isinstance(operand, Sum) and count <= _MOST:
                rest = operands[:place] + operands[place + 1 :]
                sizes = dict(enumerate(node.sizes))
                parts = [
                    b.einsum([*rest, (term, labels)], node.out, node.coefficient * factor, sizes)
                    for factor, term in operand.terms
                ]
                return [whole for part in parts for whole in _multiplied_out(part)]
    return [node]


_MOST = 64
"""Terms up to which a product of sums is multiplied out."""


def _without_pairs(node: Node, variable: Node) -> Node:
    """O'*O = O*O' = eye, which holds on the manifold: two O that share an axis that nothing else has go."""
    if not isinstance(node, Einsum):
        return node
    operands = list(zip(node.operands, node.subscripts, strict=True))
    own = [k for k, (operand, _) in enumerate(operands) if operand is variable]
    for i in own:
        for j in own:
            for axis in (0, 1):
                shared, kept, gone = operands[i][1][axis], operands[i][1][1 - axis], operands[j][1][1 - axis]
                alone = sum(labels.count(shared) for _, labels in operands) == 2 and shared not in node.out
                if i < j and shared == operands[j][1][axis] and alone and kept != gone:
                    rest = [o for k, o in enumerate(operands) if k not in (i, j)]
                    eye = b.identity((node.sizes[kept],))
                    sizes = {label: dim for label, dim in enumerate(node.sizes) if label != shared}
                    found = b.einsum([*rest, (eye, (kept, gone))], node.out, node.coefficient, sizes)
                    return _without_pairs(found, variable)
    return node


def metric_text(variable: Symbol) -> str:
    """What an answer says of its metric."""
    return f"the Riemannian gradient, in the metric {METRICS[structure(variable)].format(variable.name)}"
