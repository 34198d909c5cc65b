"""Contractions, sums and elementwise functions: one file, since each is made of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import Any

from matgrad.dims import Dim
from matgrad.tensor.canonical import canonical
from matgrad.tensor.components import components
from matgrad.tensor.form import exponent_of, is_plain, repeated_along, stands, upright_mask
from matgrad.tensor.law import MAP_LAWS, NETWORK_LAWS, SUM_LAWS
from matgrad.tensor.network import IllegalNode, Network, Operand, flatten
from matgrad.tensor.nodes import Apply, Constant, Einsum, Map, MatrixPower, Named, Node, Shape, Sum, Symbol, intern
from matgrad.tensor.numbers import ONE, as_fraction, rational_power, times
from matgrad.tensor.simple import constant, number, primitive, scaled, simplest, zeros


def size(dim: Dim) -> Node:
    """A dimension as a scalar: a polynomial in the sizes of names."""
    terms = []
    for names, count in dim.terms:
        factors: list[Operand] = [(constant("size", (), name), ()) for name in names]
        terms.append(einsum(factors, (), Fraction(count)))
    return add(terms) if terms else number(0)


# -- products -------------------------------------------------------------------------------------


def einsum(
    operands: Sequence[tuple[Node, Sequence[int]]],
    out: Sequence[int],
    coefficient: Fraction | int = ONE,
    sizes: Mapping[int, Dim] | None = None,
) -> Node:
    """Σ over labels not in ``out`` of coefficient · ∏ operands; ``sizes`` for labels that no operand has."""
    coefficient = as_fraction(coefficient)
    network = Network(list(operands), tuple(out), coefficient, dict(sizes or {}))  # type: ignore[arg-type]
    while True:
        network = flatten(network)
        if not network.coefficient.numerator:
            return _interned(Network([], network.out, Fraction(0), network.sizes))
        found = _rewritten(network)
        if found is None:
            return _interned(network)
        if isinstance(found, Node):
            return found
        network = found


def _rewritten(network: Network) -> Network | Node | None:
    """What the first law that applies makes of a contraction."""
    found: Network | Node | None = _count_free_labels(network) or _merge_powers(network)
    if found is not None:
        return found
    for law in NETWORK_LAWS.about([head for node, _ in network.operands for head in node.heads]):
        found = law.rewrite(network)
        if found is not None:
            return found
    return None


def _count_free_labels(network: Network) -> Network | None:
    """A summed label that no operand has is a factor: the size of its dimension."""
    used = set(network.out).union(*[subscript for _, subscript in network.operands])
    if len(used) == len(network.sizes):
        return None
    free = [x for x in network.sizes if x not in used]
    counts: list[Operand] = [(size(network.sizes[x]), ()) for x in free]
    return network.replaced([], counts, drop=free)


def _merge_powers(network: Network) -> Network | None:
    """Equal factors with equal labels are one power: x_i x_i = x_i^2."""
    if len(network.operands) < 2:
        return None
    bases = [n.args[0] if isinstance(n, Map) and n.function == "power" else n for n, _ in network.operands]
    if len(set(bases)) == len(bases):
        return None
    groups: dict[tuple[Node, tuple[int, ...]], list[int]] = {}
    for place, (base, (_, labels)) in enumerate(zip(bases, network.operands, strict=True)):
        if len(labels) == 2 and is_symmetric(base):
            labels = tuple(sorted(labels))
        groups.setdefault((base, labels), []).append(place)
    if len(groups) == len(network.operands):
        return _merge_parts(network)
    for (base, labels), places in groups.items():
        if len(places) > 1:
            exponents = [exponent_of(network.operands[i][0]) for i in places]
            masked = isinstance(base, Constant) and base.shape and max(exponents) > 0
            exponent = ONE if masked else sum(exponents, Fraction(0))  # a mask of 0 and 1 stays one: 0 is not x/x
            return network.replaced(places, [(power(base, exponent), labels)])
    return None


def _merge_parts(network: Network) -> Network | None:
    """Equal contractions on equal axes are one power: x'*A*x*x'*A*x = (x'*A*x)^2, (A*x).*(A*x) = (A*x).^2."""
    nodes = [node for node, _ in network.operands]
    tied = {x for node, labels in network.operands if nodes.count(node) == 1 for x in labels}.difference(network.out)
    if all(not tied.isdisjoint(labels) or {*labels} <= {*network.out} for _, labels in network.operands):
        return None  # each hangs together with one that there is only once
    parts = components(network.operands, network.out)
    alike: dict[object, list[int]] = {}
    for place, part in enumerate(parts if len(parts) > 1 else ()):
        labels = {x for _, own in part for x in own}
        if not labels <= {*network.out}:
            key = (frozenset([node for node, _ in part]), len(part), frozenset(labels.intersection(network.out)))
            alike.setdefault(key, []).append(place)
    for places in alike.values():
        found: dict[Operand, list[int]] = {}
        for place in places if len(places) > 1 else ():
            found.setdefault(_contracted(parts[place], network.out), []).append(place)
        for (node, axes), equal in found.items():
            if len(equal) > 1:
                rest = [operand for place, part in enumerate(parts) if place not in equal for operand in part]
                used = {x for _, labels in rest for x in labels}.union(network.out)
                sizes = {x: dim for x, dim in network.sizes.items() if x in used}
                return Network([*rest, (power(node, len(equal)), axes)], network.out, network.coefficient, sizes)
    return None


def _interned(network: Network) -> Node:
    if not network.coefficient.numerator:
        network = Network([], tuple(range(len(network.out))), Fraction(0),
                          {i: network.sizes[x] for i, x in enumerate(network.out)})  # fmt: skip
    shape = tuple([network.sizes[x] for x in network.out])
    upright = [upright_mask(o, network.out) if isinstance(o[0], Constant) else o for o in network.operands]
    operands, subscripts, out, sizes = canonical(upright, network.out, network.sizes, is_symmetric)
    return simplest(intern(Einsum, shape, network.coefficient, operands, subscripts, out, sizes))


def multiply(*nodes: Node) -> Node:
    """The elementwise product of nodes of one shape; scalars broadcast."""
    shape = max((node.shape for node in nodes), key=len)
    labels = tuple(range(len(shape)))
    return einsum([(node, labels if node.shape else ()) for node in nodes], labels)


def broadcast(scalar: Node, shape: Shape) -> Node:
    labels = tuple(range(len(shape)))
    return einsum([(scalar, ())], labels, ONE, dict(zip(labels, shape, strict=True)))


def transpose(node: Node) -> Node:
    """The node with its two axes exchanged; other orders are left alone."""
    if len(node.shape) != 2:
        return node
    if "transpose" not in node.memo:
        node.memo["transpose"] = _transposed(node)
    return node.memo["transpose"]  # type: ignore[no-any-return]


def _transposed(node: Node) -> Node:
    """A contraction with its axes exchanged is as simple as it was: no law need be tried."""
    if isinstance(node, Einsum):
        operands = list(zip(node.operands, node.subscripts, strict=True))
        return _interned(Network(operands, node.out[::-1], node.coefficient, dict(enumerate(node.sizes))))
    if is_symmetric(node):
        return node
    shape = (node.shape[1], node.shape[0])
    return intern(Einsum, shape, ONE, (node,), ((1, 0),), (0, 1), shape)


def matmul(left: Node, right: Node) -> Node:
    """The product of matrices or vectors, contracting the last axis of one with the first of the other."""
    n = len(left.shape)
    inner = tuple(range(n))
    rest = tuple(range(n, n + len(right.shape) - 1))
    return einsum([(left, inner), (right, (inner[-1], *rest))], inner[:-1] + rest)


# -- sums -----------------------------------------------------------------------------------------


def add(nodes: Sequence[Node]) -> Node:
    """The sum of nodes of one shape; like terms are merged, and the content stands in front."""
    if len(nodes) == 1:
        return nodes[0]
    shape = nodes[0].shape
    terms: dict[Node, Fraction] = {}
    for node in nodes:
        if node.shape != shape:
            raise IllegalNode(f"a sum of shapes {shape} and {node.shape}")
        collect(terms, node, ONE)
    while len(terms) > 1 and any(law.rewrite(terms) for law in SUM_LAWS):
        pass
    return _sum_of(terms, shape)


def _sum_of(terms: dict[Node, Fraction], shape: Shape) -> Node:
    if not terms:
        return zeros(shape)
    if len(terms) == 1:
        ((node, factor),) = terms.items()
        return scaled(node, factor)
    repeated = repeated_along(terms, shape)
    kept = tuple([axis for axis in range(len(shape)) if axis not in repeated])
    if repeated and len(kept) <= 2:  # sums of more axes are read term by term
        parts = [scaled(_without_axes(node, kept), factor) for node, factor in terms.items()]
        return einsum([(add(parts), kept)], range(len(shape)), ONE, dict(enumerate(shape)))
    if len(shape) == 2:
        # Of the sum and its transpose only one is a node: the one with the smaller digests.
        turned: dict[Node, Fraction] = {}
        for node, factor in terms.items():
            collect(turned, transpose(node), factor)
        if len(turned) == len(terms) and stands(turned, terms):
            return transpose(_primitive(turned, (shape[1], shape[0])))
    return _primitive(terms, shape)


def _without_axes(node: Node, kept: tuple[int, ...]) -> Node:
    """One of the equal parts of a contraction that repeats itself along all axes but these."""
    assert isinstance(node, Einsum)
    out = [node.out[k] for k in kept]
    gone = {*node.out}.difference(out)
    sizes = {x: dim for x, dim in enumerate(node.sizes) if x not in gone}
    return einsum(list(zip(node.operands, node.subscripts, strict=True)), out, node.coefficient, sizes)


def _primitive(terms: dict[Node, Fraction], shape: Shape) -> Node:
    ordered = sorted(terms.items(), key=lambda item: item[0].digest)
    above, below = gcd(*[f.numerator for _, f in ordered]), lcm(*[f.denominator for _, f in ordered])
    content = ONE if above == below else Fraction(above, below)
    if ordered[0][1].numerator < 0:
        content = -content
    parts = [(factor if content is ONE else factor / content, node) for node, factor in ordered]
    return scaled(intern(Sum, shape, tuple(parts)), content)


def collect(terms: dict[Node, Fraction], node: Node, factor: Fraction) -> None:
    """Add factor · node to the terms: sums are spliced in, numbers pulled out."""
    if isinstance(node, Einsum):
        if not node.coefficient.numerator:
            return
        factor = times(factor, node.coefficient)
        if len(node.operands) == 1 and isinstance(node.operands[0], Sum):
            inner, labels = node.operands[0], node.subscripts[0]
            if sorted(node.out) == sorted(labels) and len(set(labels)) == len(labels):
                for count, term in inner.terms:
                    collect(terms, einsum([(term, labels)], node.out), times(factor, count))
                return
        node = primitive(node)
    if isinstance(node, Sum):
        for count, term in node.terms:
            collect(terms, term, times(factor, count))
        return
    total = terms[node] + factor if node in terms else factor
    if total:
        terms[node] = total
    else:
        terms.pop(node, None)


def linear_terms(node: Node) -> dict[Node, Fraction]:
    """The node as a linear combination: terms with their coefficients."""
    terms: dict[Node, Fraction] = {}
    collect(terms, node, ONE)
    return terms


def subtract(left: Node, right: Node) -> Node:
    return add([left, scaled(right, -1)])


# -- functions ------------------------------------------------------------------------------------


def map_(function: str, args: Sequence[Node], parameter: Any = None) -> Node:
    """An elementwise function of arguments of one shape."""
    args = tuple(args)
    shape = args[0].shape
    if any(arg.shape != shape for arg in args):
        raise IllegalNode(f"{function} of shapes {[arg.shape for arg in args]}")
    for law in MAP_LAWS:
        found: Node | None = law.rewrite(function, args, parameter)
        if found is not None:
            return found
    scalars = [scalar_of(arg) for arg in args]
    if shape and all(scalar is not None for scalar in scalars):
        return broadcast(map_(function, [s for s in scalars if s is not None], parameter), shape)
    if len(shape) == 2:
        turned = tuple(transpose(arg) for arg in args)
        if stands(turned, args):
            return transpose(intern(Map, (shape[1], shape[0]), function, turned, parameter))
    return intern(Map, shape, function, args, parameter)


def power(base: Node, exponent: Fraction | int) -> Node:
    """Elementwise, with a rational exponent."""
    exponent = as_fraction(exponent)
    if exponent is ONE:
        return base
    if not exponent.numerator:
        return number(1, base.shape)
    if isinstance(base, Einsum):
        split = split_power(base, exponent)
        if split is not None:
            return split
    return map_("power", (base,), exponent)


def split_power(base: Einsum, exponent: Fraction) -> Node | None:
    """(c·x∘y)^k = c^k·x^k∘y^k for integers k, where nothing is summed; numbers come out where they stay rational."""
    whole = exponent.denominator == 1
    root = rational_power(base.coefficient, exponent)
    if not base.coefficient.numerator:
        return base if exponent.numerator > 0 else None
    if not base.operands:
        return scaled(scaled(base, 1 / base.coefficient), root) if root is not None and is_plain(base) else None
    summed = {x for s in base.subscripts for x in s} - set(base.out)
    if whole and not summed and is_plain(base) and root is not None:
        if len(base.operands) == 1 and len(base.subscripts[0]) == len(base.out) and base.coefficient == 1:
            return None  # a transpose: the Map decides where it stands
        factors = [_own_axes(node, s) for node, s in zip(base.operands, base.subscripts, strict=True)]
        if len(factors) == 1 and factors[0][0] is base:
            return None
        return einsum([(power(node, exponent), s) for node, s in factors], base.out, root, dict(enumerate(base.sizes)))
    if whole and summed and is_plain(base) and root is not None and len(base.operands) > 1:
        parts = _apart(base)
        if len(parts) > 1:
            sizes = {x: base.sizes[x] for x in base.out}
            return einsum([(power(node, exponent), s) for node, s in parts], base.out, root, sizes)
    size = base.coefficient if whole else abs(base.coefficient)  # a sign stays under a root
    root = rational_power(size, exponent)
    if size != 1 and root is not None:
        return scaled(power(scaled(base, 1 / size), exponent), root)
    return None


def _apart(base: Einsum) -> list[Operand]:
    """The factors that have no summed label in common, each with the axes that it has: u'*v and x'*y of u'*v*x'*y."""
    return [
        _contracted(group, base.out) for group in components(zip(base.operands, base.subscripts, strict=True), base.out)
    ]


def _contracted(group: Sequence[Operand], out: tuple[int, ...]) -> Operand:
    """The product of some factors, on those of the axes that they have."""
    axes = tuple([x for x in dict.fromkeys(out) if any(x in labels for _, labels in group)])
    return einsum(group, axes), axes


def _own_axes(node: Node, labels: tuple[int, ...]) -> Operand:
    """A diagonal as a vector: diag(1./X) would divide by what is not on it."""
    if len(set(labels)) == len(labels):
        return node, labels
    axes = tuple(dict.fromkeys(labels))
    return einsum([(node, labels)], axes), axes


# -- what is known of a node's form ---------------------------------------------------------------


def scalar_of(node: Node) -> Node | None:
    """The scalar of which the node is a broadcast (of order 0: the node itself), else None."""
    if not node.shape:
        return node
    if isinstance(node, Einsum) and is_plain(node) and all(not set(s) & set(node.out) for s in node.subscripts):
        operands = list(zip(node.operands, node.subscripts, strict=True))
        kept = {x: d for x, d in enumerate(node.sizes) if x not in node.out}
        return einsum(operands, (), node.coefficient, kept)
    return None


def is_symmetric(node: Node) -> bool:
    """Whether the two axes can be exchanged: by declaration, or because the transpose is the same node."""
    if "symmetric" not in node.memo:
        square = len(node.shape) == 2 and node.shape[0] == node.shape[1]
        node.memo["symmetric"] = square and _symmetric(node)
    return node.memo["symmetric"]  # type: ignore[no-any-return]


def _symmetric(node: Node) -> bool:
    if isinstance(node, Symbol):
        return "symmetric" in node.traits
    if isinstance(node, Named):
        return node.symmetric  # the derivative in an intermediate is unconstrained, whatever its value is
    if isinstance(node, Constant):
        return False
    if isinstance(node, Map):
        return all(is_symmetric(arg) for arg in node.args)
    if isinstance(node, Apply):
        return node.parameter is None and is_symmetric(node.arg)
    if isinstance(node, MatrixPower):
        return is_symmetric(node.base)
    if isinstance(node, Sum):
        turned: dict[Node, Fraction] = {}
        for factor, term in node.terms:
            collect(turned, transpose(term), factor)
        return turned == {term: factor for factor, term in node.terms}
    return transpose(node) is node
