"""Fused axes of a contraction read as vec, Kronecker products and commutation matrices.

The map that fuses two axes is a constant F[r; s, f], with the slow axis s and the fast axis f. What is joined to s
and to f decides: one matrix M[f, s] is vec(M); P[s, t] and Q[f, g] with a second map F[c; t, g] are kron(P, Q), with
F[c; g, t] kron(P, Q)·commutation; P[s, c] and q[f] are kron(P, q), and q[f] alone, s being an axis of anything else,
is kron(eye, q).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from matgrad.dims import Dim
from matgrad.formula.syntax import MATRIX, VECTOR, Expr, Type
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Constant, Einsum, Node
from matgrad.translate.algebra import call, times, turned_kron

Plain = Callable[[Node], Expr]
SizeOf = Callable[[Dim], Expr]
Labels = tuple[int, ...]
Pairs = list[tuple[Node | Expr, Labels]]


def is_fuse(node: object) -> bool:
    return isinstance(node, Constant) and node.name == "fuse"


def read_fused(pairs: Pairs, node: Einsum, plain: Plain, size: SizeOf) -> Pairs:
    """The operands with fused axes as formulas, as far as matrix notation has words for them."""
    while any(is_fuse(operand) for operand, _ in pairs):
        network = _Network(pairs, node, plain, size)
        found = next((f for f in network.readings() if f is not None), None)
        if found is None:
            return pairs
        pairs = found
    return pairs


def exchanged(pairs: Pairs, node: Einsum, size: SizeOf) -> Pairs:
    """F[r; s, f] F[c; f, s] as a commutation matrix, where nothing else has s and f: an axis is regrouped."""
    counts = Counter(x for _, labels in pairs for x in labels) + Counter(node.out)
    fuses = [labels for operand, labels in pairs if is_fuse(operand)]
    for row, slow, fast in fuses:
        for col, *turned in fuses:
            if turned == [fast, slow] and counts[slow] == counts[fast] == 2:
                sizes = size(node.sizes[slow]), size(node.sizes[fast])
                matrix = call("commutation", *sizes, type=Type(MATRIX, (node.sizes[row], node.sizes[col])))
                rest = [(n, s) for n, s in pairs if not (is_fuse(n) and {slow, fast} <= {*s})]
                return exchanged([*rest, (matrix, (row, col))], node, size)
    return pairs


@dataclass(frozen=True)
class _Part:
    """Operands that hang together, with all their labels, and those labels that others have too."""

    members: frozenset[int]
    labels: frozenset[int]
    ends: frozenset[int]


class _Network:
    def __init__(self, pairs: Pairs, node: Einsum, plain: Plain, size: SizeOf) -> None:
        self.pairs = pairs
        self.out = node.out
        self.sizes = node.sizes
        self.plain = plain
        self.size = size
        self.fuses = [k for k, (operand, _) in enumerate(pairs) if is_fuse(operand)]

    def readings(self) -> Iterator[Pairs | None]:
        """Every way to replace one or two maps by a formula; None where it does not fit."""
        for k in self.fuses:
            yield self._vec(k)
            yield self._column(k)
        for k in self.fuses:
            for other in self.fuses:
                if k != other:
                    yield self._kron(k, other)
        for k in self.fuses:
            yield self._half(k)
        for k in self.fuses:
            yield self._spread(k)

    def _part(self, start: int, fuses: Sequence[int]) -> _Part:
        """What is joined to a label; the ends are its labels in the result and in the maps."""
        members: set[int] = set()
        labels, pending = {start}, [start]
        while pending:
            x = pending.pop()
            for k, (operand, own) in enumerate(self.pairs):
                if x in own and k not in members and not is_fuse(operand):
                    members.add(k)
                    pending += [y for y in own if y not in labels]
                    labels |= set(own)
        elsewhere = {x for k in self.fuses if k not in fuses for x in self.pairs[k][1]} | set(self.out)
        elsewhere |= {self.pairs[k][1][0] for k in fuses}
        inside = {x for k in fuses for x in self.pairs[k][1][1:]}
        return _Part(frozenset(members), frozenset(labels), frozenset(labels & (elsewhere | inside)))

    def _value(self, part: _Part, ends: Labels) -> Expr | None:
        """The part as a formula with these axes."""
        inside = [self.pairs[k] for k in sorted(part.members)]
        nodes = [(n, s) for n, s in inside if isinstance(n, Node)]
        if len(nodes) == len(inside):
            return self.plain(b.einsum(nodes, ends, 1, {x: self.sizes[x] for x in part.labels}))
        (only, labels) = inside[0]
        if len(inside) > 1 or not isinstance(only, Expr) or len(set(labels)) < len(labels):
            return None
        return only if labels == ends else turned_kron(only) if labels[::-1] == ends else None

    def _replaced(self, fuses: Sequence[int], parts: Sequence[_Part], expr: Expr, labels: Labels) -> Pairs:
        gone = {*fuses, *(k for part in parts for k in part.members)}
        return [*(p for k, p in enumerate(self.pairs) if k not in gone), (expr, labels)]

    def _vec(self, k: int) -> Pairs | None:
        """M[f, s] F[r; s, f] = vec(M)"""
        fused, slow, fast = self.pairs[k][1]
        part = self._part(slow, [k])
        if part.ends != {slow, fast} or slow == fast or not part.members or self._is_shared([k], [slow, fast]):
            return None
        matrix = self._value(part, (fast, slow))
        if matrix is None:
            return None
        vec = call("vec", matrix, type=Type(VECTOR, (self.sizes[fused],)))
        return self._replaced([k], [part], vec, (fused,))

    def _column(self, k: int) -> Pairs | None:
        """p[s] q[f] F[r; s, f] = kron(p, q)"""
        fused, slow, fast = self.pairs[k][1]
        parts = self._part(slow, [k]), self._part(fast, [k])
        if [part.ends for part in parts] != [{slow}, {fast}] or self._is_shared([k], [slow, fast]):
            return None
        if parts[0].labels & parts[1].labels:
            return None
        values = [self._value(part, (end,)) for part, end in zip(parts, (slow, fast), strict=True)]
        if values[0] is None or values[1] is None:
            return None
        kron = call("kron", values[0], values[1], type=Type(VECTOR, (self.sizes[fused],)))
        return self._replaced([k], parts, kron, (fused,))

    def _half(self, k: int) -> Pairs | None:
        """P[s, c] q[f] F[r; s, f] = kron(P, q), and p[s] Q[f, c] F[r; s, f] = kron(p, Q)"""
        fused, slow, fast = self.pairs[k][1]
        parts = self._part(slow, [k]), self._part(fast, [k])
        ends = [sorted(part.ends - {end}) for part, end in zip(parts, (slow, fast), strict=True)]
        whole = [end in part.ends for part, end in zip(parts, (slow, fast), strict=True)]
        if sorted(map(len, ends)) != [0, 1] or not all(whole) or parts[0].members & parts[1].members:
            return None
        if slow == fast or self._is_shared([k], [slow, fast]):
            return None
        axes = [(slow, *ends[0]), (fast, *ends[1])]
        values = [self._value(part, own) for part, own in zip(parts, axes, strict=True)]
        if values[0] is None or values[1] is None:
            return None
        (col,) = ends[0] or ends[1]
        kron = call("kron", values[0], values[1], type=Type(MATRIX, (self.sizes[fused], self.sizes[col])))
        return self._replaced([k], parts, kron, (fused, col))

    def _spread(self, k: int) -> Pairs | None:
        """q[f] F[r; s, f] = kron(eye, q), and p[s] F[r; s, f] = kron(p, eye), whatever has the axis that is left."""
        fused, slow, fast = self.pairs[k][1]
        for own, other in ((fast, slow), (slow, fast)):
            part = self._part(own, [k])
            if own == other or part.ends != {own} or self._is_shared([k], [own]):
                continue
            vector = self._value(part, (own,))
            if vector is None:
                continue
            dim = self.sizes[other]
            eye = call("eye", type=Type(MATRIX, (dim, dim)))
            pair = (eye, vector) if own == fast else (vector, eye)
            kron = call("kron", *pair, type=Type(MATRIX, (self.sizes[fused], dim)))
            return self._replaced([k], [part], kron, (fused, other))
        return None

    def _kron(self, k: int, other: int) -> Pairs | None:
        """P[s, t] Q[f, g] F[r; s, f] F[c; t, g] = kron(P, Q), and with F[c; g, t] kron(P, Q)*commutation"""
        (row, slow, fast), (col, *inner) = self.pairs[k][1], self.pairs[other][1]
        parts = self._part(slow, [k, other]), self._part(fast, [k, other])
        if parts[0].labels & parts[1].labels:
            return None
        if self._is_shared([k, other], [slow, fast, *inner]):
            return None
        for swapped in (False, True):
            t, g = inner[::-1] if swapped else inner
            if not (parts[0].ends == {slow, t} and parts[1].ends == {fast, g}):
                continue
            values = self._value(parts[0], (slow, t)), self._value(parts[1], (fast, g))
            if values[0] is None or values[1] is None:
                continue
            kron = call("kron", values[0], values[1], type=Type(MATRIX, (self.sizes[row], self.sizes[col])))
            if not swapped:
                return self._replaced([k, other], parts, kron, (row, col))
            sizes = self.size(self.sizes[t]), self.size(self.sizes[g])
            exchange = call("commutation", *sizes, type=Type(MATRIX, (self.sizes[col],) * 2))
            bare = all(v is not None and v.op == "call" and v.value.name == "eye" for v in values)
            return self._replaced([k, other], parts, exchange if bare else times(kron, exchange), (row, col))
        return None

    def _is_shared(self, fuses: Sequence[int], labels: Sequence[int]) -> bool:
        """Whether the result, or another map, has one of the labels too."""
        others = [x for k in self.fuses if k not in fuses for x in self.pairs[k][1]]
        fused = [self.pairs[k][1][0] for k in fuses]
        return not set(labels).isdisjoint([*self.out, *others, *fused])
