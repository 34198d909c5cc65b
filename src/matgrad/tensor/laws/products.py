"""Laws of products: inverses, and what the chain rule leaves of exp, sigmoid, tanh and abs.

A law is applied only where it holds on the whole domain of the formula as typed: what it needs beyond that
(x ≠ 0 in x/x) was already needed to write the formula, and its conditions are collected from there.
"""

from __future__ import annotations

from fractions import Fraction

from matgrad.functions import CARDS
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Network, einsum, map_, number, power, scaled
from matgrad.tensor.laws.shared import is_apply, is_map, power_of
from matgrad.tensor.nodes import Apply, Einsum, Map, Node, Sum


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
    if not _extend(net, skip, pattern, bound, used) or out[1 - axis] not in bound:
        return None
    inner = [bound[x] for x in bound if x not in out]
    counts = {x: sum(net.operands[i][1].count(x) for i in used) for x in inner}
    if any(net.count(x) != counts[x] for x in inner) or bound[out[1 - axis]] in (joint, *inner):
        return None
    return used, bound[out[1 - axis]], inner


def _extend(
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
                if _extend(net, skip, rest, trial, used):
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
        if not _extend(net, place, pattern, bound, used):
            continue
        inner = [y for x, y in bound.items() if x not in base.out]
        if any(net.count(y) != sum(net.operands[i][1].count(y) for i in used) for y in inner):
            continue
        return net.replaced([place, *used], [(power(base, exponent + 1), labels)], drop=inner)
    return None


@b.NETWORK_LAWS.add(
    "common factor of a sum",
    "(u*s + v*s)/s^2 = (u + v)/s",
    on=(Sum,),
    because="distributivity",
    examples=(
        ("(x.*(x + y) + y.*(x + y)./x)./(x + y).^2", "x: vector(n); y: vector(n)"),
        ("(c*(c + 1) + 2*(c + 1)^2)/(c + 1)^3*x", "c: scalar; x: vector(n)"),
    ),
)
def common_factor_of_a_sum(net: Network) -> Network | None:
    """(u·s + v·s)·s^(-k) = (u + v)·s^(1-k), on the same axes."""
    sums = [(i, node, labels) for i, (node, labels) in enumerate(net.operands) if isinstance(node, Sum)]
    if not sums:
        return None
    for j, (other, others) in enumerate(net.operands):
        if not isinstance(other, Map) or other.function != "power" or other.parameter.numerator >= 0:
            continue
        base, exponent = other.args[0], other.parameter
        for i, node, labels in sums:
            if others == labels and len(node.terms) <= FACTORED:
                whole = tuple(range(len(labels)))
                rests = [_without_factor(term, base, whole) for _, term in node.terms]
                if all(rest is not None for rest in rests):
                    left = [scaled(r, f) for (f, _), r in zip(node.terms, rests, strict=True) if r is not None]
                    return net.replaced([i, j], [(b.add(left), labels), (power(base, exponent + 1), others)])
    return None


FACTORED = 8
"""Terms of a sum up to which it is asked for a factor that all of them have."""


def _without_factor(term: Node, base: Node, labels: tuple[int, ...]) -> Node | None:
    """The term over the base, where it has that as a factor."""
    if not isinstance(term, Einsum) or term.out != labels:
        return number(1, base.shape) if term is base else None
    for k, (node, own) in enumerate(zip(term.operands, term.subscripts, strict=True)):
        found, count = power_of(node)
        if found is base and own == labels and count >= 1:
            rest = [o for i, o in enumerate(zip(term.operands, term.subscripts, strict=True)) if i != k]
            sizes = dict(enumerate(term.sizes))
            return einsum([*rest, (power(base, count - 1), labels)], term.out, term.coefficient, sizes)
    return None


@b.NETWORK_LAWS.add(
    "adjugate",
    "adj(X)*det(X)^p = inv(X)*det(X)^(p + 1) for p < 0, inv(X)*det(X)^p = adj(X)*det(X)^(p - 1) for p ≥ 1",
    on=("adj", "inv"),
    because="adj(X) = det(X)*inv(X)",
    examples=(
        ("adj(X)/det(X)", "X: matrix(n,n)"),
        ("det(X)^2*inv(X)'", "X: matrix(n,n)"),
    ),
)
def adjugate(net: Network) -> Network | None:
    """adj(X)·det(X)^p = inv(X)·det(X)^(p+1) for p < 0, and inv(X)·det(X)^p = adj(X)·det(X)^(p-1) for p ≥ 1."""
    for i, (node, labels) in enumerate(net.operands):
        if not isinstance(node, Apply) or node.function not in ("adj", "inv"):
            continue
        for j, (other, _) in enumerate(net.operands):
            base, exponent = power_of(other)
            if not isinstance(base, Apply) or base.function != "det" or base.arg is not node.arg:
                continue
            if node.function == "adj" and exponent < 0:
                return net.replaced([i, j], [(b.apply("inv", node.arg), labels), (power(base, exponent + 1), ())])
            if node.function == "inv" and exponent >= 1:
                return net.replaced([i, j], [(b.apply("adj", node.arg), labels), (power(base, exponent - 1), ())])
    return None


@b.NETWORK_LAWS.add(
    "softmax",
    "exp(x)/sum(exp(x)) = softmax(x)",
    on=("exp",),
    because="the definition of softmax",
    examples=(
        ("exp(x)/sum(exp(x))", "x: vector(n)"),
        ("exp(X)/sum(exp(X))", "X: matrix(m,n)"),
        ("diag(1./sum(exp(X), dim=2))*exp(X)", "X: matrix(m,n)"),
    ),
)
def softmax(net: Network) -> Network | None:
    """exp(x)/sum(exp(x)) = softmax(x), over all entries or along some axes."""
    for j, (total, free) in enumerate(net.operands):
        sums, exponent = power_of(total)
        if not isinstance(sums, Einsum) or len(sums.operands) != 1 or exponent > -1 or sums.coefficient != 1:
            continue
        exps = sums.operands[0]
        if not is_map(exps, "exp") or len(set(sums.out)) != len(sums.out):
            continue
        assert isinstance(exps, Map)
        subscript = sums.subscripts[0]
        if len(set(subscript)) != len(subscript) or not set(sums.out) <= set(subscript):
            continue
        for i, (node, labels) in enumerate(net.operands):
            base, times = power_of(node)
            if base is not exps or times < 1:
                continue
            kept = [subscript.index(x) for x in sums.out]
            if tuple(labels[p] for p in kept) != tuple(free):
                continue
            order = kept + [p for p in range(len(labels)) if p not in kept]
            turned = einsum([(exps.args[0], tuple(range(len(labels))))], order)
            soft = b.apply("softmax", turned, len(labels) - len(kept))
            return net.replaced(
                [i, j],
                [
                    (soft, tuple(labels[p] for p in order)),
                    (power(base, times - 1), labels),
                    (power(sums, exponent + 1), free),
                ],
            )
    return None


@b.NETWORK_LAWS.add(
    "logistic",
    "exp(z)*sigmoid(-z) = sigmoid(z)",
    on=("exp",),
    because="sigmoid(z) = exp(z)/(1 + exp(z))",
    examples=(
        ("exp(x)./(1 + exp(x))", "x: vector(n)"),
        ("exp(x)./(1 + exp(x)).^2", "x: vector(n)"),
    ),
)
def logistic(net: Network) -> Network | None:
    """exp(z)·sigmoid(-z) = sigmoid(z)."""
    for i, (node, labels) in enumerate(net.operands):
        base, times = power_of(node)
        if not is_map(base, "exp") or times < 1:
            continue
        assert isinstance(base, Map)
        for j, (other, others) in enumerate(net.operands):
            soft, count = power_of(other)
            if count >= 1 and labels == others and is_map(soft, "sigmoid"):
                assert isinstance(soft, Map)
                if soft.args[0] is scaled(base.args[0], -1):
                    new = map_("sigmoid", base.args)
                    return net.replaced(
                        [i, j],
                        [(new, labels), (power(base, times - 1), labels), (power(soft, count - 1), labels)],
                    )
    return None


@b.NETWORK_LAWS.add(
    "total of a sum",
    "Σ (u + v) = Σ u + Σ v, diag(U + V) = diag(U) + diag(V), where that leaves fewer terms",
    on=(Sum,),
    because="linearity; Σ (x - mean(x)) = 0",
    examples=(
        ("diag(A - diag(diag(A)))", "A: matrix(n,n)"),
        ("sum(x - mean(x)) + c", "x: vector(n); c: scalar"),
        ("sum((x - mean(x))*y', dim=1)", "x: vector(n); y: vector(m)"),
    ),
)
def total_of_sum(net: Network) -> Node | None:
    """Σ (u + v) = Σu + Σv, where that leaves fewer terms: Σ (x - mean(x)) = 0. The same on a diagonal."""
    for i, (node, labels) in enumerate(net.operands):
        if not isinstance(node, Sum):
            continue
        lonely = [x for x in labels if net.count(x) == labels.count(x)]
        kept = tuple(x for x in dict.fromkeys(labels) if x not in lonely)
        if len(kept) == len(labels):
            continue
        rest = [operand for j, operand in enumerate(net.operands) if j != i]
        own = {x: net.sizes[x] for x in labels}
        total = b.add([scaled(einsum([(term, labels)], kept, 1, own), factor) for factor, term in node.terms])
        if len(b.linear_terms(total)) < len(node.terms):
            others = {x: dim for x, dim in net.sizes.items() if x not in lonely}
            return einsum([*rest, (total, kept)], net.out, net.coefficient, others)
    return None


@b.NETWORK_LAWS.add(
    "sum of diagonal matrices",
    "(diag(u) + diag(v))*diag(w) = diag((u + v).*w)",
    on=(Sum,),
    because="distributivity; nothing but a vector is left",
    examples=(
        ("(eye + diag(x))*diag(y)", "x: vector(n); y: vector(n)"),
        ("y'*(2*eye - diag(x))*y", "x: vector(n); y: vector(n)"),
    ),
)
def sum_of_diagonals(net: Network) -> Network | None:
    """(diag(u) + diag(v))*diag(w) = diag((u + v).*w), where all other factors are vectors."""
    for i, (node, labels) in enumerate(net.operands):
        if not isinstance(node, Sum) or len(labels) != 2 or labels[0] == labels[1] or len(net.operands) < 2:
            continue
        if any(not isinstance(term, Einsum) or len(set(term.out)) > 1 for _, term in node.terms):
            continue
        if all(len(own) < 2 for j, (_, own) in enumerate(net.operands) if j != i):
            axis = labels[:1]
            parts = [scaled(einsum([(term, (0, 0))], (0,)), factor) for factor, term in node.terms]
            return net.replaced([i], [(b.add(parts), axis)], merge=labels)
    return None


_QUOTIENTS = {entry.facts["quotient"]: entry.name for entry in CARDS.values() if "quotient" in entry.facts}


@b.NETWORK_LAWS.add(
    "quotient",
    "sinh(z)/cosh(z) = tanh(z), sin(z)/cos(z) = tan(z)",
    on=tuple(quotient.split("/")[0] for quotient in _QUOTIENTS),
    because="the definitions of tanh and tan",
    examples=(
        ("sinh(x)./cosh(x)", "x: vector(n)"),
        ("sin(c)^2/cos(c)^3", "c: scalar"),
    ),
)
def quotients(net: Network) -> Network | None:
    """sinh(z)/cosh(z) = tanh(z), sin(z)/cos(z) = tan(z)."""
    for i, (above, labels) in enumerate(net.operands):
        top, times = power_of(above)
        if not isinstance(top, Map):
            continue
        for j, (below, others) in enumerate(net.operands):
            bottom, count = power_of(below)
            if not (isinstance(bottom, Map) and labels == others and top.args == bottom.args):
                continue
            name = _QUOTIENTS.get(f"{top.function}/{bottom.function}")
            joint = min(times, -count)
            if name is not None and joint >= 1 and joint.denominator == 1:
                whole = power(map_(name, top.args), joint)
                return net.replaced(
                    [i, j],
                    [(whole, labels), (power(top, times - joint), labels), (power(bottom, count + joint), labels)],
                )
    return None


@b.NETWORK_LAWS.add(
    "absolute value",
    "abs(z)*sign(z) = z, sign(z)/abs(z) = 1/z, z*sign(z) = abs(z)",
    on=("sign",),
    because="z = sign(z)*abs(z)",
    examples=(
        ("abs(x).*sign(x).*y", "x: vector(n); y: vector(n)"),
        ("sign(c)/abs(c)", "c: scalar"),
        ("x.^3.*sign(x)", "x: vector(n)"),
    ),
)
def absolute_values(net: Network) -> Network | None:
    """abs(z)*sign(z) = z, sign(z)/abs(z) = 1/z, and z*sign(z) = abs(z)."""
    for i, (above, labels) in enumerate(net.operands):
        signs, times = power_of(above)
        if not is_map(signs, "sign") or times.denominator != 1 or times < 1:
            continue
        assert isinstance(signs, Map)
        for j, (other, others) in enumerate(net.operands):
            base, exponent = power_of(other)
            if base is signs.args[0] and labels == others and exponent.denominator == 1 and exponent >= 1:
                left = [(power(signs, times - 1), labels), (power(base, exponent - 1), labels)]
                return net.replaced([i, j], [(map_("abs", signs.args), labels), *left])
            if not (is_map(base, "abs") and labels == others and exponent.denominator == 1):
                continue
            assert isinstance(base, Map)
            if base.args == signs.args:
                one = 1 if exponent > 0 else -1
                left = [(power(signs, times - 1), labels), (power(base, exponent - one), labels)]
                return net.replaced([i, j], [(power(signs.args[0], one), labels), *left])
    return None


@b.SUM_LAWS.add(
    "complement",
    "1 - sigmoid(z) = sigmoid(-z)",
    because="1/(1 + exp(-z)) + 1/(1 + exp(z)) = 1",
    examples=(
        ("1 - sigmoid(x)", "x: vector(n)"),
        ("y - 2 + 2*sigmoid(x)", "x: vector(n); y: vector(n)"),
    ),
)
def complement(terms: dict[Node, Fraction]) -> bool:
    """1 - sigmoid(z) = sigmoid(-z)."""
    for node, factor in terms.items():
        if is_map(node, "sigmoid"):
            assert isinstance(node, Map)
            ones = number(1, node.shape)
            if terms.get(ones) == -factor:
                opposite = map_("sigmoid", (scaled(node.args[0], -1),))
                del terms[node], terms[ones]
                b.collect(terms, opposite, -factor)
                return True
    return False
