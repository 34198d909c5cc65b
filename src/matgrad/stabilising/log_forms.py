"""Logarithms taken inside: of exponentials, and of what is made of them.

``log_of`` gives log(node) without forming the node, which may overflow or underflow where its logarithm does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from matgrad.dims import Dim
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Operand, apply, einsum, map_, number, scaled
from matgrad.tensor.components import components
from matgrad.tensor.facts import Fact, nonnegative, positive
from matgrad.tensor.facts.signs import selects
from matgrad.tensor.nodes import Apply, Constant, Einsum, Map, Node, Sum, topological

LONG = 12
"""Terms of a logarithm above which it is not taken inside."""


def log_of(node: Node) -> Node | None:
    """The logarithm of a node that is certainly positive and made of exponentials; None for any other.

    >>> from matgrad import parse
    >>> log_of(parse("exp(a)", where="a: scalar").node), log_of(parse("a^2", where="a: scalar").node)
    (Symbol('a', (), frozenset()), None)
    """
    if "log" not in node.memo:
        for part in topological(node, skip=_KNOWN):
            found = _log_of(part)
            terms = b.linear_terms(found) if found is not None else ()
            part.memo["log"] = found if len(terms) <= LONG else None
    return node.memo["log"]  # type: ignore[no-any-return]


class _Known:
    """The nodes whose logarithm is known or of no use: those that are neither sums, nor products, nor powers."""

    def __contains__(self, node: object) -> bool:
        assert isinstance(node, Node)
        made = isinstance(node, Sum | Einsum) or (isinstance(node, Map) and node.function in ("power", "pow"))
        if not made and "log" not in node.memo:
            node.memo["log"] = _log_of(node)
        return "log" in node.memo


_KNOWN = _Known()


def _log_of(node: Node) -> Node | None:
    """The same, from the logarithms of the children."""
    if isinstance(node, Map):
        return _of_map(node)
    if isinstance(node, Apply):
        if node.function == "softmax":
            return apply("log_softmax", node.arg, node.parameter)
        return apply("logdet", node.arg) if node.function == "det" and positive(node) is Fact.YES else None
    if isinstance(node, Sum):
        return log_of_sum(b.linear_terms(node))
    return _of_einsum(node) if isinstance(node, Einsum) else None


def log_of_positive(node: Node) -> Node | None:
    """The same, and the plain logarithm of anything else that is certainly positive."""
    found = log_of(node)
    if found is None and positive(node) is Fact.YES:
        found = map_("log", (node,))
    return found


def _of_map(node: Map) -> Node | None:
    z = node.args[0]
    match node.function:
        case "exp":
            return z
        case "sigmoid":
            return scaled(map_("softplus", (scaled(z, -1),)), -1)
        case "cosh":
            return map_("log_cosh", (z,))
        case "sech2":
            return scaled(b.add([map_("log_cosh", (z,))]), -2)
        case "normcdf":
            return map_("log_normcdf", (z,))
        case "normal_ratio":
            return b.subtract(log_density(z), map_("log_normcdf", (z,)))
        case "normpdf":
            return log_density(z)
        case "power":
            below = log_of(z)
            return None if below is None else scaled(below, node.parameter)
        case "pow":
            below = log_of(z)
            if below is None and positive(z) is Fact.YES:
                below = map_("log", (z,))
            return None if below is None else b.multiply(node.args[1], below)
    return None


def log_density(z: Node) -> Node:
    """log(normpdf(z))."""
    circle = b.broadcast(map_("log", (scaled(b.constant("pi"), 2),)), z.shape)
    return scaled(b.add([b.power(z, 2), circle]), Fraction(-1, 2))


def log_of_sum(terms: dict[Node, Fraction]) -> Node | None:
    """log(u + v) = log(u) + softplus(log(v) - log(u)), where all terms are positive and one is an exponential."""
    logs: list[Node] = []
    rest: list[Node] = []
    for term, factor in terms.items():
        found = log_of(term) if factor.numerator > 0 else None
        if found is not None:
            logs.append(b.add([found, log_of_number(factor, term)]) if factor != 1 else found)
        elif factor.numerator > 0 and nonnegative(term) is Fact.YES:
            rest.append(scaled(term, factor))
        else:
            return None
    if not logs:
        return None
    total = logs[0]
    for other in logs[1:]:
        total = log_add(total, other)
    if not rest:
        return total
    left = b.add(rest)
    below = log_of_positive(left)
    return log_add(total, map_("log", (left,))) if below is None else log_add(below, total)


def log_add(u: Node, v: Node) -> Node:
    """log(exp(u) + exp(v))."""
    return b.add([u, map_("softplus", (b.subtract(v, u),))])


def log_of_number(value: Fraction, like: Node) -> Node:
    return map_("log", (number(value, like.shape),))


def _of_einsum(node: Einsum) -> Node | None:
    """A product, a selection of entries, a sum over axes, or several of these."""
    if node.coefficient.numerator <= 0 or not node.operands or len(set(node.out)) < len(node.out):
        return None
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    if any(isinstance(operand, Constant) and operand.shape for operand in node.operands):
        return _of_selection(node, pairs) if selects(node) else None
    logs: list[Node] = []
    exponential = False
    for part in components(pairs, node.out):
        kept = tuple(x for x in node.out if any(x in labels for _, labels in part))
        over = tuple(dict.fromkeys(x for _, labels in part for x in labels if x not in node.out))
        found = _of_component(part, kept, over, node)
        if found is None:
            return None
        exponential |= any(log_of(operand) is not None for operand, _ in part)
        logs.append(spread(found, kept, node.out, node.sizes))
    if not exponential:
        return None
    if node.coefficient != 1:
        logs.append(log_of_number(node.coefficient, node))
    return b.add(logs)


def spread(node: Node, labels: tuple[int, ...], axes: tuple[int, ...], sizes: Sequence[Dim]) -> Node:
    """A node on some of the axes, the same along the others."""
    return einsum([(node, labels)], axes, 1, {x: sizes[x] for x in axes})


def _of_component(part: list[Operand], kept: tuple[int, ...], over: tuple[int, ...], node: Einsum) -> Node | None:
    """log(Σ over ∏ part) = logsumexp(Σ log part)."""
    if all(log_of(operand) is None for operand, _ in part):
        whole = einsum(part, kept)
        return map_("log", (whole,)) if positive(whole) is Fact.YES else None
    logs = []
    for operand, labels in part:
        found = log_of(operand)
        if found is None and nonnegative(operand) is Fact.YES:
            found = map_("log", (operand,))
        if found is None:
            return None
        logs.append(spread(found, labels, kept + over, node.sizes))
    total = b.add(logs)
    return apply("logsumexp", total, len(over)) if over else total


def _of_selection(node: Einsum, pairs: list[Operand]) -> Node | None:
    """log(x)[i] for log(x[i]), and logsumexp(log(x)[1:3]) for log(sum(x[1:3])).

    Constants pick entries, or arrange them, along axes of what they stand beside; over the other axes it is summed.
    """
    picks = [pair for pair in pairs if isinstance(pair[0], Constant) and pair[1]]
    picked = {x for constant, labels in picks for x in _source(constant, labels, node.out)}
    over = tuple(x for x in range(len(node.sizes)) if x not in node.out and x not in picked)
    logs = []
    exponential = False
    for operand, labels in pairs:
        if isinstance(operand, Constant) and labels:
            continue
        found = log_of_positive(operand)
        if found is None:
            return None
        exponential |= log_of(operand) is not None
        own = [pick for pick in picks if set(pick[1]) & set(labels)]
        used = {x for _, s in [(found, labels), *own] for x in s}
        axes = node.out + over
        sizes = {x: dim for x, dim in enumerate(node.sizes) if x in used or x in axes}
        logs.append(einsum([(found, labels), *own], axes, 1, sizes))
    if not exponential:
        return None
    total = apply("logsumexp", b.add(logs), len(over)) if over else b.add(logs)
    return total if node.coefficient == 1 else b.add([total, log_of_number(node.coefficient, node)])


def _source(constant: Node, labels: tuple[int, ...], out: tuple[int, ...]) -> tuple[int, ...]:
    """The axes along which a constant takes entries: the whole of a part, the fused one or those that are fused."""
    assert isinstance(constant, Constant)
    return labels[1:] if constant.name == "fuse" and labels[0] in out else labels[:1]


def quantile(node: Node) -> Node | None:
    """x, where the node is normcdf(x), perhaps of one number for all entries."""
    inner = b.scalar_of(node)
    found = node if isinstance(node, Map) else inner
    if not isinstance(found, Map) or found.function != "normcdf":
        return None
    return found.args[0] if found is node else b.broadcast(found.args[0], node.shape)
