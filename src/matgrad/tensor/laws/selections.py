"""Laws of the constants that select: components, slices, triangles, fused axes.

A law is applied only where it holds on the whole domain of the formula as typed: what it needs beyond that
(x ≠ 0 in x/x) was already needed to write the formula, and its conditions are collected from there.
"""

from __future__ import annotations

from fractions import Fraction

from matgrad.dims import ONE
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Network, einsum, power, scaled
from matgrad.tensor.laws.shared import disjoint, is_map, position, term_by_term
from matgrad.tensor.nodes import Constant, Einsum, Node, Sum


@b.NETWORK_LAWS.add(
    "triangle of a sum",
    "triu(triu(X) - A) = triu(X - A)",
    on=(Constant,),
    because="what the inner triangle leaves out, the outer one leaves out, too",
    examples=(
        ("triu(triu(X) - A)", "X: matrix(m,n); A: matrix(m,n)"),
        ("tril(2*tril(X)' + A')'", "X: matrix(n,n); A: matrix(n,n)"),
        ("tril(tril(X.*Y) - A - diag(c))", "X: matrix(n,n); Y: matrix(n,n); A: matrix(n,n); c: vector(n)"),
    ),
)
def triangle_of_sum(net: Network) -> Network | None:
    """triu(triu(X) - A) = triu(X - A), and the same for tril."""
    for mask, places in net.operands:
        if not isinstance(mask, Constant) or mask.name not in ("tril", "triu"):
            continue
        for i, (node, labels) in enumerate(net.operands):
            if isinstance(node, Sum) and set(places) <= set(labels):
                terms = [(_unmasked(term, mask, places, labels), factor) for factor, term in node.terms]
                if any(term is not old for (term, _), (_, old) in zip(terms, node.terms, strict=True)):
                    return net.replaced([i], [(b.add([scaled(term, factor) for term, factor in terms]), labels)])
    return None


def _unmasked(term: Node, mask: Constant, places: tuple[int, ...], labels: tuple[int, ...]) -> Node:
    """A term over these labels without the mask on these places."""
    if not isinstance(term, Einsum):
        return term
    table = dict(zip(term.out, labels, strict=True))
    pairs = list(zip(term.operands, term.subscripts, strict=True))
    rest = [(n, s) for n, s in pairs if n is not mask or tuple(table.get(x) for x in s) != places]
    return term if len(rest) == len(pairs) else einsum(rest, term.out, term.coefficient, dict(enumerate(term.sizes)))


@b.NETWORK_LAWS.add(
    "unit vectors, shifts and fused axes",
    "e_i'*e_j = δ_ij, diag(e_i) = e_i*e_i', Σ e_i = 1, S'*S = eye on one block and 0 across blocks, "
    "diag(tril(X)) = diag(X), diag(tril(X, -1)) = 0",
    on=(Constant,),
    because="the rows of a selection are unit vectors",
    examples=(
        ("x[2]*x[3]", "x: vector(4)"),
        ("x'*diag(eye(4)[:,2])*y", "x: vector(4); y: vector(4)"),
        ("sum([x; y])", "x: vector(n); y: vector(m)"),
        ("vec(X)'*vec(Y)", "X: matrix(m,n); Y: matrix(m,n)"),
        ("tr(kron(A, X))", "A: matrix(m,m); X: matrix(n,n)"),
        ("diag(tril(X*Y))", "X: matrix(n,m); Y: matrix(m,n)"),
        ("diag(triu(X*Y, 1))", "X: matrix(n,m); Y: matrix(m,n)"),
    ),
)
def selections(net: Network) -> Network | Node | None:
    """Unit vectors, shifts and fused axes: eᵢ'eⱼ = δᵢⱼ, Σeᵢ = 1, S'S = I on one block and 0 across blocks."""
    places = [i for i, (node, _) in enumerate(net.operands) if isinstance(node, Constant) and node.shape]
    for i in places:
        node, labels = net.operands[i]
        assert isinstance(node, Constant)
        found = _alone(net, i, node, labels)
        if found is not None:
            return found
        for j in places:
            if j > i:
                other, others = net.operands[j]
                assert isinstance(other, Constant)
                met = _selected(net, (i, j), (node, other), (labels, others))
                if met is not None:
                    return met
    return None


def _alone(net: Network, place: int, node: Constant, labels: tuple[int, ...]) -> Network | None:
    """A selection all of whose large or small side is summed away."""
    if node.name == "shift" and node.shape[0] == node.shape[1]:
        return net.replaced([place], merge=(labels[0], labels[1]))  # the whole is a block of itself
    if node.name in ("tril", "triu") and labels[0] == labels[1]:
        kept = node.parameter >= 0 if node.name == "tril" else node.parameter <= 0
        return net.replaced([place]) if kept else Network([], net.out, Fraction(0), net.sizes)
    lonely = [x for x in labels if net.count(x) == 1]
    if node.name == "unit" and lonely:
        return net.replaced([place], drop=lonely)
    if node.name == "unit" and net.count(labels[0]) > 2:
        return _picked(net, place, node, labels[0])
    if node.name == "fuse" and labels[0] in lonely:
        return net.replaced([place], drop=labels[:1])
    if node.name == "fuse" and sorted(lonely) == sorted(labels[1:]):
        return net.replaced([place], drop=lonely)
    if node.name == "shift" and labels[0] in lonely:
        return net.replaced([place], drop=[labels[0]])
    return None


def _picked(net: Network, place: int, unit: Constant, label: int) -> Network:
    """A unit vector picks its entry of all that it meets: diag(eᵢ) = eᵢ*eᵢ', (eᵢ.*x)'*y = (eᵢ'*x)*(eᵢ'*y)."""
    sizes = dict(net.sizes)
    (dim,) = unit.shape
    units: list[tuple[Node, tuple[int, ...]]] = []

    def apart(labels: tuple[int, ...]) -> tuple[int, ...]:
        found = []
        for x in labels:
            if x == label:
                x = 1 + max(sizes)
                sizes[x] = dim
                units.append((unit, (x,)))
            found.append(x)
        return tuple(found)

    rest = [(node, apart(labels)) for k, (node, labels) in enumerate(net.operands) if k != place]
    out = apart(net.out)
    del sizes[label]
    return Network([*rest, *units], out, net.coefficient, sizes)


def _selected(
    net: Network, places: tuple[int, int], nodes: tuple[Constant, Constant], labels: tuple[tuple[int, ...], ...]
) -> Network | Node | None:
    (a, b_), (s, t) = nodes, labels
    if {a.name, b_.name} == {"shift", "unit"}:
        return _component(net, places, nodes, labels)
    if a.name != b_.name:
        return None
    if a.name == "unit" and s == t and disjoint(a, b_):
        return Network([], net.out, Fraction(0), net.sizes)  # different units: equal ones were merged
    if a.name == "fuse" and a is b_:
        if s[0] == t[0]:
            # F[f,i,k]·F[f,j,l] = δij·δkl·F[f,i,k], whatever else f is used for
            half = net.replaced([places[1]], merge=(s[1], t[1]))
            fast, other = (s[1] if x == t[1] else x for x in (s[2], t[2]))
            return half.replaced([], merge=(fast, other))
        if s[1:] == t[1:] and net.count(s[1]) == 2 and net.count(s[2]) == 2:
            return net.replaced(places, drop=[s[1], s[2]], merge=(s[0], t[0]))
    if a.name == "shift" and s[0] == t[0] and net.count(s[0]) == 2 and a.shape[0] == b_.shape[0]:
        if a is b_:
            return net.replaced(places, drop=[s[0]], merge=(s[1], t[1]))
        if disjoint(a, b_):
            return Network([], net.out, Fraction(0), net.sizes)
    return None


def _component(
    net: Network, places: tuple[int, int], nodes: tuple[Constant, Constant], labels: tuple[tuple[int, ...], ...]
) -> Network | Node | None:
    """A unit vector through a shift is a unit vector of the other size, or 0 outside of the block."""
    (shift, (large, small)), (unit, (at,)) = sorted(zip(nodes, labels, strict=True), key=lambda p: p[0].name)
    if at not in (large, small):
        return None
    offset, place = shift.parameter, position(unit)
    alone = net.count(at) == 2  # else the unit vector still stands for something else
    remove = [k for k in places if alone or net.operands[k][0] is shift]
    drop = [at] if alone else []
    if at == small:
        return net.replaced(remove, [(b.unit(shift.shape[0], place + offset), (large,))], drop=drop)
    if disjoint(shift, unit):
        return Network([], net.out, Fraction(0), net.sizes)
    inside = place - offset
    if not ((inside - ONE).is_nonnegative and (shift.shape[1] - inside).is_nonnegative):
        return None
    return net.replaced(remove, [(b.unit(shift.shape[1], inside), (small,))], drop=drop)


@b.NETWORK_LAWS.add(
    "entries of a power",
    "(x.^k)[2] = x[2]^k, (x.^k)[2:4] = x[2:4].^k",
    on=(Constant,),
    because="a power acts on each entry",
    examples=(
        ("(x.^2)[2]", "x: vector(4)"),
        ("sum((X.^3)[2,:])", "X: matrix(m,n)"),
        ("y'*(1./x)[2:4]", "x: positive vector(5); y: vector(3)"),
    ),
)
def entries_of_power(net: Network) -> Network | None:
    """(x.^k)[i] = x[i]^k, for entries, rows and ranges."""
    picks = {s[0]: (k, (n, s)) for k, (n, s) in enumerate(net.operands) if _is_selection(n) and net.count(s[0]) == 2}
    for place, (node, labels) in enumerate(net.operands):
        if is_map(node, "power") and len(set(labels)) == len(labels):
            met = [picks[x] for x in labels if x in picks]
            if met:
                small = tuple(x for y in labels for x in (picks[y][1][1][1:] if y in picks else (y,)))
                inner = einsum([(node.args[0], labels), *(pick for _, pick in met)], small)  # type: ignore[attr-defined]
                gone = [x for x in labels if x in picks]
                found = power(inner, node.parameter)  # type: ignore[attr-defined]
                return net.replaced([place, *(k for k, _ in met)], [(found, small)], drop=gone)
    return None


@b.NETWORK_LAWS.add(
    "entry of a sum",
    "(u + e_1)[1] = u[1] + 1",
    on=(Sum,),
    because="an entry of a sum is the sum of the entries; only where that simplifies a term",
    examples=(
        ("(x + eye(4)[:,2])[2]", "x: vector(4)"),
        ("y'*(X + x*eye(4)[:,2]')[:,1]", "X: matrix(m,4); x: vector(m); y: vector(m)"),
    ),
)
def entry_of_sum(net: Network) -> Node | None:
    """(u + e₁)[1] = u[1] + 1: a unit vector picks from each term, where one of them has selections on that axis."""
    picks = {s[0] for n, s in net.operands if isinstance(n, Constant) and n.name == "unit" and net.count(s[0]) == 2}
    for i, (node, labels) in enumerate(net.operands if picks else []):
        if isinstance(node, Sum) and any(x in picks and _selects(node, axis) for axis, x in enumerate(labels)):
            return term_by_term(net, i)
    return None


def _selects(node: Node, axis: int) -> bool:
    """Whether a unit or a shift stands on an axis of a node, or of a term of it."""
    if isinstance(node, Sum):
        return any(_selects(term, axis) for _, term in node.terms)
    if isinstance(node, Einsum):
        pairs = zip(node.operands, node.subscripts, strict=True)
        return any(x == node.out[axis] and _selects(n, k) for n, s in pairs for k, x in enumerate(s))
    return _is_selection(node)


def _is_selection(node: Node) -> bool:
    return isinstance(node, Constant) and node.name in ("unit", "shift")
