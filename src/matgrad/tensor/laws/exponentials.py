"""Laws of exponentials among themselves: logarithms of products and sums of them, and the total of a softmax."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from matgrad.tensor import builders as b
from matgrad.tensor.builders import Network, Operand, einsum, map_, number, power, scaled
from matgrad.tensor.laws.shared import is_apply, is_map, power_of, weight
from matgrad.tensor.nodes import Apply, Einsum, Map, Node, Sum


@b.MAP_LAWS.add(
    "logarithm of a product",
    "log(exp(x)*y) = x + log(y)",
    because="exp(x) > 0, so y > 0 wherever the logarithm typed is defined",
    examples=(
        ("log(exp(x).*y)", "x: vector(n); y: positive vector(n)"),
        ("log(c/exp(a))", "a: scalar; c: positive"),
    ),
)
def logarithm_of_product(function: str, args: tuple[Node, ...], parameter: Any) -> Node | None:
    """log(exp(x)·y) = x + log(y)."""
    inner = args[0]
    if function != "log" or not isinstance(inner, Einsum) or inner.out != tuple(range(len(inner.out))):
        return None
    if len(inner.sizes) > len(inner.out):
        return None  # something is summed
    pairs = list(zip(inner.operands, inner.subscripts, strict=True))
    exps = [(power_of(node), labels) for node, labels in pairs if is_map(power_of(node)[0], "exp")]
    if not exps or (len(pairs) == 1 and pairs[0][1] == inner.out and inner.coefficient == 1):
        return None
    rest = [(node, labels) for node, labels in pairs if not is_map(power_of(node)[0], "exp")]
    sizes = dict(enumerate(inner.sizes))
    logs = [map_("log", (einsum(rest, inner.out, inner.coefficient, sizes),))]
    for (base, exponent), labels in exps:
        assert isinstance(base, Map)
        logs.append(einsum([(base.args[0], labels)], inner.out, exponent, sizes))
    return b.add(logs)


def _two_exponentials(node: Node) -> tuple[Node, Node] | None:
    """x and y, where the node is exp(x) + exp(y)."""
    if isinstance(node, Sum) and len(node.terms) == 2:
        if all(factor == 1 and is_map(term, "exp") for factor, term in node.terms):
            (_, first), (_, second) = node.terms
            return first.args[0], second.args[0]  # type: ignore[attr-defined]
    return None


@b.MAP_LAWS.add(
    "logarithm of two exponentials",
    "log(exp(x) + exp(y)) = x + softplus(y - x)",
    because="exp(x) taken out of the sum",
    examples=(("log(exp(a) + exp(c))", "a: scalar; c: scalar"), ("log(exp(x) + exp(y))", "x: vector(n); y: vector(n)")),
)
def logarithm_of_two(function: str, args: tuple[Node, ...], parameter: Any) -> Node | None:
    """log(exp(x) + exp(y)) = x + softplus(y - x)."""
    found = _two_exponentials(args[0]) if function == "log" else None
    if found is None:
        return None
    x, y = found
    return b.add([x, map_("softplus", (b.subtract(y, x),))])


@b.NETWORK_LAWS.add(
    "one of two exponentials",
    "exp(x)/(exp(x) + exp(y)) = sigmoid(x - y)",
    on=("exp",),
    because="the definition of sigmoid",
    examples=(("exp(a)/(exp(a) + exp(c))", "a: scalar; c: scalar"),),
)
def one_of_two(net: Network) -> Network | None:
    """exp(x)/(exp(x) + exp(y)) = sigmoid(x - y)."""
    for i, (below, labels) in enumerate(net.operands):
        total, exponent = power_of(below)
        pair = _two_exponentials(total) if exponent.numerator < 0 and exponent <= -1 else None
        if pair is None:
            continue
        for j, (above, others) in enumerate(net.operands):
            base, times = power_of(above)
            if labels == others and times >= 1 and is_map(base, "exp") and base.args[0] in pair:  # type: ignore[attr-defined]
                x, y = pair if base.args[0] is pair[0] else pair[::-1]  # type: ignore[attr-defined]
                left = [(power(total, exponent + 1), labels), (power(base, times - 1), labels)]
                return net.replaced([i, j], [(map_("sigmoid", (b.subtract(x, y),)), labels), *left])
    return None


@b.NETWORK_LAWS.add(
    "total of a softmax",
    "sum(softmax(x)) = 1, softmax(x)'*(y + c) = softmax(x)'*y + c",
    on=("softmax", "argmax", "argmin"),
    because="the probabilities add up to 1",
    examples=(
        ("c*sum(softmax(x))", "c: scalar; x: vector(n)"),
        ("softmax(x)'*(y + 2)", "x: vector(n); y: vector(n)"),
        ("sum(softmax(X, dim=2), dim=2)", "X: matrix(m,n)"),
    ),
)
def total_of_softmax(net: Network) -> Network | Node | None:
    """Σ softmax(x) = 1, and softmax(x)'·(y + c) = softmax(x)'·y + c where c is the same for all entries."""
    for i, (node, labels) in enumerate(net.operands):
        if not (is_apply(node, "softmax") or is_apply(node, "argmax") or is_apply(node, "argmin")):
            continue
        assert isinstance(node, Apply)
        over = labels[len(labels) - (node.parameter or 0) :]
        if len(set(over)) < len(over) or set(over) & (set(net.out) | set(labels[: len(labels) - len(over)])):
            continue
        meeting = [j for j, (_, s) in enumerate(net.operands) if j != i and set(s) & set(over)]
        if not meeting:
            rest = [operand for j, operand in enumerate(net.operands) if j != i]
            return Network(rest, net.out, net.coefficient, {x: d for x, d in net.sizes.items() if x not in over})
        if len(meeting) == 1:
            found = _constant_split_off(net, i, meeting[0], over)
            if found is not None:
                return found
    return None


def _constant_split_off(net: Network, place: int, other: int, over: tuple[int, ...]) -> Node | None:
    """A sum that meets a softmax: what is the same along the softmax's axes is split off."""
    total, labels = net.operands[other]
    if not isinstance(total, Sum) or len(set(labels)) < len(labels):
        return None
    axes = {labels.index(x) for x in over if x in labels}
    same = [(f, term) for f, term in total.terms if axes <= _broadcast_axes(term)]
    if not same or len(same) == len(total.terms):
        return None
    others = [(f, term) for f, term in total.terms if (f, term) not in same]
    rest = [operand for j, operand in enumerate(net.operands) if j != other]
    parts = [b.add([scaled(term, f) for f, term in group]) for group in (others, same)]
    return b.add([einsum([*rest, (part, labels)], net.out, net.coefficient, net.sizes) for part in parts])


def _broadcast_axes(node: Node) -> set[int]:
    """The axes along which all entries of a node are the same."""
    if not isinstance(node, Einsum):
        return set()
    used = {x for s in node.subscripts for x in s}
    return {k for k, x in enumerate(node.out) if x not in used and node.out.count(x) == 1}


_SHIFTED = {"softmax": False, "argmax": False, "argmin": False, "logsumexp": True, "max": True, "min": True}
"""Functions of all entries, and whether a number added to all of them is added to the value, or makes no difference."""


@b.APPLY_LAWS.add(
    "shift",
    "softmax(x + c) = softmax(x), logsumexp(x + c) = logsumexp(x) + c",
    because="exp(c) stands above and below",
    examples=(
        ("softmax(x - max(x))", "x: vector(n)"),
        ("logsumexp(X + x, dim=2)", "X: matrix(m,n); x: scalar"),
        ("max(x + y'*y)", "x: vector(n); y: vector(m)"),
    ),
)
def shift(function: str, arg: Node, parameter: Any) -> Node | None:
    """f(x + c) = f(x), or f(x) + c, where c is the same for all entries that f takes together."""
    if function not in _SHIFTED or not parameter:
        return None
    kept = tuple(range(len(arg.shape) - parameter))
    over = set(range(len(kept), len(arg.shape)))
    terms = b.linear_terms(arg)
    same = [term for term in terms if over <= _broadcast_axes(term)]
    if not same or len(same) == len(terms):
        return None
    found = b.apply(function, b.add([scaled(t, factor) for t, factor in terms.items() if t not in same]), parameter)
    if not _SHIFTED[function]:
        return found
    return b.add([found, *(scaled(_on_axes(term, kept), terms[term]) for term in same)])


def _on_axes(term: Node, kept: tuple[int, ...]) -> Node:
    """A contraction without the axes along which it is broadcast."""
    assert isinstance(term, Einsum)
    out = [term.out[k] for k in kept]
    gone = {x for k, x in enumerate(term.out) if k not in kept}
    sizes = {x: dim for x, dim in enumerate(term.sizes) if x not in gone}
    return einsum(list(zip(term.operands, term.subscripts, strict=True)), out, term.coefficient, sizes)


@b.SUM_LAWS.add(
    "hyperbolic",
    "exp(x) + exp(-x) = 2*cosh(x), exp(x) - exp(-x) = 2*sinh(x)",
    because="the definitions of cosh and sinh",
    examples=(
        ("(exp(c) - exp(-c))/(exp(c) + exp(-c))", "c: scalar"),
        ("exp(x)/2 + exp(-x)/2 + y", "x: vector(n); y: vector(n)"),
    ),
)
def hyperbolic(terms: dict[Node, Fraction]) -> bool:
    """exp(x) + exp(-x) = 2·cosh(x), and exp(x) - exp(-x) = 2·sinh(x)."""
    exps = {node.args[0]: node for node in terms if isinstance(node, Map) and node.function == "exp"}
    if len(exps) < 2:
        return False
    for argument, node in exps.items():
        other = exps.get(scaled(argument, -1))
        if other is not None and abs(terms[other]) == abs(terms[node]):
            factor = terms[node]
            name = "cosh" if terms[other] == factor else "sinh"
            del terms[node], terms[other]
            b.collect(terms, map_(name, (argument,)), 2 * factor)
            return True
    return False


@b.NETWORK_LAWS.add(
    "powers of one base",
    "x*x^(p - 1) = x^p, x^p*x^q = x^(p + q), (x/y)^(p - 1)*x/y = (x/y)^p",
    on=("pow",),
    because="exponents add up",
    examples=(
        ("c*c^(a - 1)", "c: positive; a: scalar"),
        ("norm2(x)^(p - 1)*x/norm2(x)", "x: vector(n); p: scalar"),
        ("x.^2.*x.^(y - 2)", "x: positive vector(n); y: vector(n)"),
        ("x.^(y - 1)./x.^y + x.^y./x.^z", "x: positive vector(n); y: vector(n); z: vector(n)"),
        ("k*x.*(x/c).^(k - 1)/c^2", "x: positive vector(n); c: positive; k: scalar"),
    ),
)
def powers_of_one_base(net: Network) -> Network | None:
    """x^k·x^p = x^(p + k), where the exponent gets shorter, and x^p·x^q = x^(p + q)."""
    for i, (node, labels) in enumerate(net.operands):
        found = _symbolic_power(node)
        if found is None:
            continue
        base, exponent = found
        for j, (other, others) in enumerate(net.operands):
            if i == j or labels != others:
                continue
            second = _symbolic_power(other)
            if second is not None:
                if second[0] is base:
                    total = b.add([exponent, second[1]])
                    return net.replaced([i, j], [(map_("pow", (base, total)), labels)])
                continue
            factor, count = power_of(other)
            root, own = power_of(base)
            if factor is root and (count / own).denominator == 1:
                total = b.add([exponent, number(count / own, exponent.shape)])
                if weight(total) <= weight(exponent):
                    return net.replaced([i, j], [(map_("pow", (base, total)), labels)])
        if isinstance(base, Einsum) and len(base.operands) > 1 and base.coefficient == 1:
            joined = _with_its_base(net, i, base, exponent)
            if joined is not None:
                return joined
    return None


def _with_its_base(net: Network, place: int, base: Einsum, exponent: Node) -> Network | None:
    """(x/y)^(p - 1)·x/y = (x/y)^p, where the factors of the base stand in the product by themselves."""
    total = b.add([exponent, number(1, exponent.shape)])
    bound = dict(zip(base.out, net.operands[place][1], strict=True))
    if weight(total) >= weight(exponent) or len(bound) != len(base.out):
        return None
    used, left = [place], list[Operand]()
    for node, own in zip(base.operands, base.subscripts, strict=True):
        root, count = power_of(node)
        labels = tuple([bound.get(x, -1) for x in own])
        for j, (other, others) in enumerate(net.operands):
            factor, times = power_of(other)
            if j not in used and factor is root and others == labels and times / count >= 1:
                used.append(j)
                left.append((power(root, times - count), labels))
                break
        else:
            return None
    return net.replaced(used, [(map_("pow", (base, total)), net.operands[place][1]), *left])


def _symbolic_power(node: Node) -> tuple[Node, Node] | None:
    """x and p of x^p, x and k·p of (x^p)^k for a whole number k."""
    if not isinstance(node, Map):
        return None
    if node.function == "pow":
        return node.args[0], node.args[1]
    inner = node.args[0]
    if node.function == "power" and isinstance(inner, Map) and inner.function == "pow":
        return (inner.args[0], scaled(inner.args[1], node.parameter)) if node.parameter.denominator == 1 else None
    return None
