"""Two variables at once, by a Schur complement.

With a positive definite block A the matrix [A, B; B', C] is positive semidefinite exactly if C − B'·A⁻¹·B is (Boyd and
Vandenberghe, Convex Optimization, 2004, A.5.5).
"""

from __future__ import annotations

from collections.abc import Sequence

from matgrad.certificates.judge import fact
from matgrad.certificates.proof import Proof
from matgrad.differentiate.transpose import derivatives
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node, Symbol

_ROW, _INNER, _OTHER, _COLUMN = 0, 1, 2, 3


def by_schur(root: Node, variables: Sequence[Node], sign: int, whole: Node) -> Proof | None:
    """That the Hessian (sign 1), or minus the Hessian (−1), in two scalars or vectors is positive semidefinite.

    ``whole`` is its quadratic form d²f, with that sign.
    """
    if len(variables) != 2 or any(len(v.shape) > 1 for v in variables):
        return None
    for pivot, other in (variables, variables[::-1]):
        slopes = derivatives(root, [pivot, other], "projected")
        block, across = (b.scaled(d, sign) for d in derivatives(slopes[0], [pivot, other], "projected"))
        last = b.scaled(derivatives(slopes[1], [other], "projected")[0], sign)
        definite = fact(block, "spd" if block.shape else "positive")
        if definite is None:
            continue
        rest = b.subtract(last, _through(block, across, pivot, other))
        proof = fact(rest, "psd" if rest.shape else "nonnegative")
        if proof is not None:
            assert isinstance(pivot, Symbol)
            said = f"the block of {pivot.name} in the Hessian is definite, and its Schur complement is semidefinite"
            return Proof("nonnegative", whole, said, (definite, proof))
    return None


def _through(block: Node, across: Node, pivot: Node, other: Node) -> Node:
    """B'·A⁻¹·B, for scalars as for vectors."""
    inverse = b.apply("inv", block) if block.shape else b.power(block, -1)
    first, second = ((_INNER,), (_OTHER,)) if pivot.shape else ((), ())
    row, column = ((_ROW,), (_COLUMN,)) if other.shape else ((), ())
    operands = [(across, (*first, *row)), (inverse, (*first, *second)), (across, (*second, *column))]
    return b.einsum(operands, (*row, *column))
