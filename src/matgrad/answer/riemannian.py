"""Riemannian gradients: of a scalar on a manifold of matrices, from its gradient G in all entries.

* Orthogonal matrices, embedded metric ⟨U, V⟩ = tr(U'V): the projection of G on the tangent space {X·Ω: Ω' = -Ω},
  X·skew(X'G) = (G - X·G'·X)/2 (Edelman, Arias and Smith 1998; Absil, Mahony and Sepulchre 2008, sec. 3.6).
* Positive definite matrices, affine-invariant metric ⟨U, V⟩ = tr(inv(S)·U·inv(S)·V): S·sym(G)·S (Bhatia 2007, ch. 6).
"""

from __future__ import annotations

from fractions import Fraction

from matgrad.errors import NotSupported
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node, Symbol

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
    return b.scaled(b.subtract(gradient, turned), Fraction(1, 2))


def metric_text(variable: Symbol) -> str:
    """What an answer says of its metric."""
    return f"the Riemannian gradient, in the metric {METRICS[structure(variable)].format(variable.name)}"
