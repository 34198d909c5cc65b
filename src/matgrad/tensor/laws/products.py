"""Laws of products: what meets its inverse, or a power of itself.

A law is applied only where it holds on the whole domain of the formula as typed: what it needs beyond that
(x ≠ 0 in x/x) was already needed to write the formula, and its conditions are collected from there.
"""

from __future__ import annotations

from matgrad.tensor import builders as b
from matgrad.tensor.builders import Network, map_, number, power
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.laws.shared import is_apply, is_map, power_of
from matgrad.tensor.nodes import Apply, Einsum, Map, Node


@b.NETWORK_LAWS.add(
    "inverse",
    "inv(X)*X = eye",
    on=("inv",),
    because="the definition of the inverse",
    examples=(
        ("inv(X)*X*A", "X: matrix(n,n); A: matrix(n,m)"),
        ("A*X'*inv(X')", "X: matrix(n,n); A: matrix(m,n)"),
        ("inv(A'*A)*A'*A*x", "A: matrix(m,n); x: vector(n)"),
    ),
)
def inverse(net: Network) -> Network | None:
    """inv(X)*X = eye, where X is a node or a product of nodes."""
    for place, (node, labels) in enumerate(net.operands):
        if not is_apply(node, "inv") or labels[0] == labels[1]:
            continue
        assert isinstance(node, Apply)
        for side in (0, 1):
            joint, far = labels[side], labels[1 - side]
            if net.count(joint) != 2 or joint in net.out:
                continue
            for turned in (False, True) if b.is_symmetric(node.arg) else (False,):
                # inv(X)[.., j]·X[j, k]: the inverse's second axis meets the first of X, and the other way round
                axis = (1 - side) if not turned else side
                found = match(net, place, node.arg, joint, axis)
                if found is not None:
                    used, end, inner = found
                    return net.replaced([place, *used], drop=[joint, *inner], merge=(far, end))
    return None


def match(net: Network, skip: int, arg: Node, joint: int, axis: int) -> tuple[list[int], int, list[int]] | None:
    """Operands of the network that make up ``arg`` with its ``axis`` at ``joint``; the label of its other axis."""
    if isinstance(arg, Einsum):
        if arg.coefficient != 1 or len(set(arg.out)) != 2 or not arg.operands:
            return None
        pattern = list(zip(arg.operands, arg.subscripts, strict=True))
        out = arg.out
    else:
        pattern, out = [(arg, (0, 1))], (0, 1)
    bound = {out[axis]: joint}
    used: list[int] = []
    if not extended(net, skip, pattern, bound, used) or out[1 - axis] not in bound:
        return None
    inner = [bound[x] for x in bound if x not in out]
    counts = {x: sum(net.operands[i][1].count(x) for i in used) for x in inner}
    if any(net.count(x) != counts[x] for x in inner) or bound[out[1 - axis]] in (joint, *inner):
        return None
    return used, bound[out[1 - axis]], inner


def extended(
    net: Network, skip: int, pattern: list[tuple[Node, tuple[int, ...]]], bound: dict[int, int], used: list[int]
) -> bool:
    if not pattern:
        return len(set(bound.values())) == len(bound)
    # Take an operand that is tied to what is bound already, so that few candidates remain.
    index = next((k for k, (_, s) in enumerate(pattern) if any(x in bound for x in s)), 0)
    node, subscript = pattern[index]
    rest = pattern[:index] + pattern[index + 1 :]
    for i, (candidate, labels) in enumerate(net.operands):
        if i == skip or i in used or candidate is not node:
            continue
        for legs in (labels, labels[::-1]) if b.is_symmetric(node) else (labels,):
            trial = dict(bound)
            if all(trial.setdefault(x, y) == y for x, y in zip(subscript, legs, strict=True)):
                used.append(i)
                if extended(net, skip, rest, trial, used):
                    bound.update(trial)
                    return True
                used.pop()
    return False


@b.NETWORK_LAWS.add(
    "product over itself",
    "A*B./(A*B).^2 = 1./(A*B), x'*A*x/(x'*A*x)^2 = 1/(x'*A*x), norm2(x)*x'*x = norm2(x)^3",
    on=(Einsum,),
    because="powers of one base are multiplied by adding exponents; the base is spliced into its user",
    examples=(
        ("(A*B)./(A*B).^2", "A: matrix(m,n); B: matrix(n,m)"),
        ("c*x'*A*x/(x'*A*x)^2", "A: matrix(n,n); x: vector(n); c: scalar"),
        ("x'*x/norm2(x)^3", "x: vector(n)"),
        ("norm2(x)*x'*x", "x: vector(n)"),
        ("(A*x).*(A*y)./(A*x).^3", "A: matrix(m,n); x: vector(n); y: vector(n)"),
    ),
)
def product_over_itself(net: Network) -> Network | None:
    """u·u^k = u^(k+1), where u is a contraction whose operands stand in the product by themselves."""
    for place, (node, labels) in enumerate(net.operands):
        if not isinstance(node, Map) or node.function != "power" or not isinstance(node.args[0], Einsum):
            continue
        base, exponent = node.args[0], node.parameter
        if base.coefficient != 1 or not base.operands:
            continue
        if len(set(base.out)) != len(base.out) or len(set(labels)) != len(labels):
            continue
        bound, used = dict(zip(base.out, labels, strict=True)), list[int]()
        pattern = list(zip(base.operands, base.subscripts, strict=True))
        if not extended(net, place, pattern, bound, used):
            continue
        inner = [y for x, y in bound.items() if x not in base.out]
        if any(net.count(y) != sum(net.operands[i][1].count(y) for i in used) for y in inner):
            continue
        return net.replaced([place, *used], [(power(base, exponent + 1), labels)], drop=inner)
    return None


@b.NETWORK_LAWS.add(
    "adjugate",
    "adj(X)*det(X)^p = inv(X)*det(X)^(p + 1) for p < 0, and for a symbolic p where det(X) > 0, "
    "inv(X)*det(X)^p = adj(X)*det(X)^(p - 1) for p ≥ 1",
    on=("adj", "inv"),
    because="adj(X) = det(X)*inv(X)",
    examples=(
        ("adj(X)/det(X)", "X: matrix(n,n)"),
        ("det(X)^2*inv(X)'", "X: matrix(n,n)"),
        ("k*det(X)^(k - 1)*adj(X)", "X: spd(n); k: scalar"),
    ),
)
def adjugate(net: Network) -> Network | None:
    """adj(X)·det(X)^p = inv(X)·det(X)^(p+1) for p < 0, and inv(X)·det(X)^p = adj(X)·det(X)^(p-1) for p ≥ 1."""
    for i, (node, labels) in enumerate(net.operands):
        if not isinstance(node, Apply) or node.function not in ("adj", "inv"):
            continue
        for j, (other, _) in enumerate(net.operands):
            base, exponent = power_of(other)
            symbolic = is_map(base, "pow") and exponent == 1
            of = base.args[0] if isinstance(base, Map) and symbolic else base
            if not isinstance(of, Apply) or of.function != "det" or of.arg is not node.arg:
                continue
            if symbolic:
                if node.function == "adj" and positive(of) is Fact.YES:
                    raised = map_("pow", (of, b.add([base.children[1], number(1)])))
                    return net.replaced([i, j], [(b.apply("inv", node.arg), labels), (raised, ())])
                continue
            if node.function == "adj" and exponent < 0:
                return net.replaced([i, j], [(b.apply("inv", node.arg), labels), (power(base, exponent + 1), ())])
            if node.function == "inv" and exponent >= 1:
                return net.replaced([i, j], [(b.apply("adj", node.arg), labels), (power(base, exponent - 1), ())])
    return None
