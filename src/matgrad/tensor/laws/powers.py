"""Laws of X^k with a symbolic k, which stands for an integer."""

from __future__ import annotations

from typing import Any

from matgrad.tensor import builders as b
from matgrad.tensor.builders import Network, einsum, number
from matgrad.tensor.laws.products import match
from matgrad.tensor.nodes import Apply, Einsum, MatrixPower, Node


@b.POWER_LAWS.add(
    "powers of matrices",
    "(X^m)^k = X^(m*k), inv(X)^k = X^(-k), diag(d)^k = diag(d.^k), (c*X)^k = c^k*X^k",
    because="k and m are integers",
    examples=(
        ("(X^m)^k*x", "X: matrix(n,n); x: vector(n); k: scalar; m: scalar"),
        ("inv(X)^k*x", "X: matrix(n,n); x: vector(n); k: scalar"),
        ("diag(d)^k*x", "d: vector(n); x: vector(n); k: scalar"),
        ("(c*X)^k*x", "X: matrix(n,n); x: vector(n); k: scalar; c: scalar"),
    ),
)
def powers_of_matrices(base: Node, exponent: Node) -> Node | None:
    if isinstance(base, MatrixPower):
        return b.matrix_power(base.base, b.multiply(base.exponent, exponent))
    if isinstance(base, Apply) and base.function == "inv":
        return b.matrix_power(base.arg, b.scaled(exponent, -1))
    if not isinstance(base, Einsum):
        return None
    operands = list(zip(base.operands, base.subscripts, strict=True))
    sizes = dict(enumerate(base.sizes))
    if base.out == (0, 0) and all(set(s) <= {0} for _, s in operands):
        entries = einsum(operands, (0,), base.coefficient, sizes)
        raised = b.map_("pow", [entries, b.broadcast(exponent, entries.shape)])
        return einsum([(raised, (0,))], (0, 0))
    scalars: list[tuple[Node, tuple[int, ...]]] = [(node, ()) for node, s in operands if not s]
    if not scalars:
        return None
    rest = einsum([(n, s) for n, s in operands if s], base.out, base.coefficient, sizes)
    factor = b.map_("pow", [einsum(scalars, ()), exponent])
    return einsum([(factor, ()), (b.matrix_power(rest, exponent), (0, 1))], (0, 1))


@b.APPLY_LAWS.add(
    "inverse and determinant of a power",
    "inv(X^k) = X^(-k), det(X^k) = det(X)^k, logdet(X^k) = k*logdet(X)",
    because="k is an integer",
    examples=(
        ("inv(X^k)*x", "X: matrix(n,n); x: vector(n); k: scalar"),
        ("det(X^k)", "X: matrix(n,n); k: scalar"),
        ("logdet(X^k)", "X: matrix(n,n); k: scalar"),
    ),
)
def functions_of_powers(function: str, arg: Node, parameter: Any) -> Node | None:
    if not isinstance(arg, MatrixPower) or parameter is not None:
        return None
    if function == "inv":
        return b.matrix_power(arg.base, b.scaled(arg.exponent, -1))
    if function == "det":
        return b.map_("pow", [b.apply("det", arg.base), arg.exponent])
    if function == "logdet":
        return b.multiply(arg.exponent, b.apply("logdet", arg.base))
    return None


@b.NETWORK_LAWS.add(
    "products of powers",
    "X^k*X^m = X^(k+m), X^k*X = X^(k+1), X^k*inv(X) = X^(k-1)",
    on=(MatrixPower,),
    because="k and m are integers",
    examples=(
        ("X^k*X^m*x", "X: matrix(n,n); x: vector(n); k: scalar; m: scalar"),
        ("X*X^k*x", "X: matrix(n,n); x: vector(n); k: scalar"),
        ("X^k*inv(X)*x", "X: matrix(n,n); x: vector(n); k: scalar"),
        ("A*X*(A*X)^k*x", "A: matrix(n,m); X: matrix(m,n); x: vector(n); k: scalar"),
    ),
)
def products_of_powers(net: Network) -> Network | None:
    for place, (node, labels) in enumerate(net.operands):
        if not isinstance(node, MatrixPower) or labels[0] == labels[1]:
            continue
        for side in (0, 1):
            joint, far = labels[side], labels[1 - side]
            if net.count(joint) != 2 or joint in net.out:
                continue
            found = _neighbour(net, place, node.base, joint, side)
            if found is None:
                continue
            used, end, inner, count = found
            whole = b.matrix_power(node.base, b.add([node.exponent, count]))
            axes = (end, far) if side == 0 else (far, end)
            return net.replaced([place, *used], [(whole, axes)], drop=[joint, *inner])
    return None


def _neighbour(
    net: Network, place: int, base: Node, joint: int, side: int
) -> tuple[list[int], int, list[int], Node] | None:
    """The operands at ``joint`` that make up a power of ``base``, their other end, inner labels, the exponent."""
    for other, (node, labels) in enumerate(net.operands):
        if other == place or joint not in labels or len(set(labels)) != 2:
            continue
        exponent = _exponent_of(node, base)
        if exponent is not None and (labels[1 - side] == joint or b.is_symmetric(base)):
            (end,) = set(labels) - {joint}
            return [other], end, [], exponent
    if isinstance(base, Einsum):
        found = match(net, place, base, joint, 1 - side)
        if found is not None:
            return *found, number(1)
    return None


def _exponent_of(node: Node, base: Node) -> Node | None:
    if node is base:
        return number(1)
    if isinstance(node, MatrixPower) and node.base is base:
        return node.exponent
    if isinstance(node, Apply) and node.function == "inv" and node.arg is base:
        return number(-1)
    return None
