"""The Hessian of a quotient in words: in terms of the quotient and its gradient, as of Rayleigh's quotient."""

from __future__ import annotations

from matgrad.differentiate.transpose import derivative
from matgrad.tensor import builders as b
from matgrad.tensor.laws.shared import power_of
from matgrad.tensor.nodes import Einsum, Node, Symbol


def quotient_rule(quotient: Node, x: Symbol, names: tuple[str, str]) -> tuple[Node, Node] | None:
    """The gradient and the Hessian of q = u/v in x in terms of q and its gradient g, which have these names.

    g = (∇u - q·∇v)/v and (∇²u - q·∇²v - g·∇v' - ∇v·g')/v, where both u and v depend on the vector x.
    """
    parts = _fraction(quotient)
    if parts is None or len(x.shape) != 1:
        return None
    over = b.power(parts[1], -1)
    q, g = b.symbol(names[0], ()), b.symbol(names[1], x.shape)
    first = [derivative(part, x) for part in parts]
    second = [derivative(part, x) for part in first]
    if any(map(b.is_zero, first)):
        return None
    outer = [b.einsum([(g, (i,)), (first[1], (1 - i,))], (0, 1), -1) for i in (0, 1)]
    gradient = b.add([first[0], b.einsum([(q, ()), (first[1], (0,))], (0,), -1)])
    hessian = b.add([second[0], b.einsum([(q, ()), (second[1], (0, 1))], (0, 1), -1), *outer])
    return b.einsum([(gradient, (0,)), (over, ())], (0,)), b.einsum([(hessian, (0, 1)), (over, ())], (0, 1))


def _fraction(node: Node) -> tuple[Node, Node] | None:
    """u and v of a scalar u/v."""
    if not isinstance(node, Einsum) or node.out:
        return None
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    divisors = [(base, -count) for base, count in map(power_of, node.operands) if not base.shape and count < 0]
    if not divisors or len(divisors) == len(pairs):
        return None
    rest = [(n, s) for n, s in pairs if s or power_of(n)[1] >= 0]
    return b.einsum(rest, (), node.coefficient), b.einsum([(b.power(*d), ()) for d in divisors], ())
