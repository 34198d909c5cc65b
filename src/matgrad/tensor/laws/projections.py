"""Laws of projections: what is left of a vector without its part in a space is orthogonal to that space.

They are found by multiplying out, where a sum has a term that is divided by something, as X*inv(X'*X)*X' is, and stands
beside a factor of that term. What is divided by was divided by before, so no condition is added.
"""

from __future__ import annotations

from matgrad.tensor import builders as b
from matgrad.tensor.builders import Network, Operand, einsum, scaled
from matgrad.tensor.laws.shared import is_apply, power_of
from matgrad.tensor.nodes import Einsum, Node, Sum


@b.NETWORK_LAWS.add(
    "projection",
    "P*P = P and X'*P = 0 for P = eye - X*inv(X'*X)*X', X'*r = 0 for r = y - X*inv(X'*X)*X'*y",
    on=(Sum,),
    because="X'*X*inv(X'*X) = eye",
    examples=(
        ("X'*(y - X*inv(X'*X)*X'*y) + X'*z", "X: matrix(m,n); y: vector(m); z: vector(m)"),
        ("(eye - X*inv(X'*X)*X')*(eye - X*inv(X'*X)*X')*y", "X: matrix(m,n); y: vector(m)"),
        ("(eye - x*x'/(x'*x))*(x + y)*y'*(x - (x'*x)*y/(x'*y))", "x: vector(n); y: vector(n)"),
        ("(eye - x*x'/(x'*x))*(eye - x*x'/(x'*x))*y", "x: vector(n); y: vector(n)"),
    ),
)
def projection(net: Network) -> Network | Node | None:
    """X'·P = 0 and P·P = P, where multiplying out shows it."""
    for i, (total, labels) in enumerate(net.operands):
        if not isinstance(total, Sum) or len(total.terms) > MOST:
            continue
        for j, (other, axes) in enumerate(net.operands):
            if j == i or len(set(labels)) < len(labels) or len(set(axes)) < len(axes):
                continue
            met = {*labels} & {*axes}
            if len(met) == 1 and all(net.count(x) == 2 for x in met) and _may_meet(total, other):
                found = _multiplied(total, labels, other, axes)
                if found is not None:
                    return net.replaced([i, j], [found], drop=tuple(met))
    return None


MOST = 3
"""Terms up to which a sum is multiplied out to see whether it is a projection."""


def _may_meet(total: Sum, other: Node) -> bool:
    """Whether a term of the sum is divided by something and has the other factor, or the other is the sum again."""
    divided = [term for _, term in total.terms if isinstance(term, Einsum) and any(map(_is_divisor, term.operands))]
    return bool(divided) and (other is total or any(other in term.operands for term in divided))


def _is_divisor(node: Node) -> bool:
    return is_apply(node, "inv") or power_of(node)[1] < 0


def _multiplied(total: Sum, labels: tuple[int, ...], other: Node, axes: tuple[int, ...]) -> Operand | None:
    """The product, where it is 0 or the sum itself, perhaps with another sign."""
    out = tuple([x for x in (*labels, *axes) if not (x in labels and x in axes)])
    terms = [einsum([(term, labels), (other, axes)], out, factor) for factor, term in total.terms]
    product = b.add(terms)
    same = (total, b.transpose(total))
    known = b.is_zero(product) or product in same or scaled(product, -1) in same
    return (product, out) if known else None
