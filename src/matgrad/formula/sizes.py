"""Sizes that are not known yet, and what must be equal: unification over polynomials of dimension names.

An unknown size is a dimension whose name begins with ``?``, so sums and products of unknown sizes are ordinary
dimensions. An equation that cannot be solved yet is kept, and tried again when more is known.
"""

from __future__ import annotations

from collections.abc import Callable

from matgrad.dims import ONE, Dim
from matgrad.formula.syntax import Expr


class Sizes:
    """What is known about the unknown sizes."""

    def __init__(self) -> None:
        self.count = 0
        self.bound: dict[str, Dim] = {}
        self.later: list[tuple[Dim, Dim, object]] = []

    def fresh(self) -> Dim:
        self.count += 1
        return Dim({(f"?{self.count}",): 1})

    def resolve(self, dim: Dim) -> Dim:
        """The size with everything known put in."""
        if not self.bound or self.bound.keys().isdisjoint(dim.names):
            return dim
        name = atom(dim)
        if name is not None:
            return self._follow(name)
        return self.resolve(dim.replaced({part: self._follow(part) for part in dim.names if part in self.bound}))

    def _follow(self, name: str) -> Dim:
        path = [name]
        dim = self.bound[name]
        while (after := atom(dim)) is not None and after in self.bound:
            path.append(after)
            dim = self.bound[after]
        if atom(dim) is None:
            dim = self.resolve(dim)
        for passed in path:
            self.bound[passed] = dim
        return dim

    def unify(self, left: Dim, right: Dim, why: object = None) -> bool:
        """Make two sizes equal; False where they cannot be."""
        if left is right:
            return True
        left, right = self.resolve(left), self.resolve(right)
        if left == right:
            return True
        left, right = _reduced(left, right)
        a, b = atom(left), atom(right)
        if a is not None and b is not None:
            older, newer = (left, b) if int(a[1:]) < int(b[1:]) else (right, a)
            self.bound[newer] = older
            return True
        for name, dim in ((a, right), (b, left)):
            if name is not None:
                if name in dim.names or not _possible(dim):
                    return False
                self.bound[name] = dim
                return True
        if not unknowns(left) and not unknowns(right):
            return False
        self.later.append((left, right, why))
        return True

    def settle(self) -> object | None:
        """Try what was kept; the reason of an equation that cannot hold, or None."""
        before = None
        while self.later and before != len(self.later):
            before = len(self.later)
            waiting, self.later = self.later, []
            for left, right, why in waiting:
                if not self.unify(left, right, why):
                    return why or ()
        return None

    def align(self) -> None:
        """Let blocks that stand one above the other be equally wide, where only their totals are known to be equal."""
        waiting, self.later = self.later, []
        for left, right, why in waiting:
            sides = [_reduced(self.resolve(left), self.resolve(right))[i] for i in (0, 1)]
            pairs = [
                sorted((int(key[0][1:]), key[0]) for key, count in side.terms if _alone(key, count)) for side in sides
            ]
            if all(len(pair) == len(side.terms) for pair, side in zip(pairs, sides, strict=True)):
                for (_, a), (_, b) in zip(*pairs, strict=False):
                    self.unify(Dim.of(a), Dim.of(b), why)
            self.later.append((left, right, why))


def size_of(node: Expr, dims: Callable[[Expr], tuple[Dim, ...]]) -> Dim | None:
    """A size written as a formula: numbers, names, rows(X), their sums, differences and products; None for others.

    ``dims`` gives the dimensions of the X in rows(X).
    """
    if node.op == "number" and node.value.denominator == 1:
        return Dim.of(int(node.value))
    if node.op == "name":
        return Dim.of(node.value)
    if node.op == "call" and node.value.name in ("rows", "cols", "length"):
        found = dims(node.args[0])
        return found[-1] if node.value.name == "cols" else found[0]
    if node.op not in ("add", "neg", "product") or (node.op == "product" and set(node.value) != {"*"}):
        return None
    parts = [size_of(arg, dims) for arg in node.args]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    if node.op == "neg":
        return Dim({}) - known[0]
    total = ONE if node.op == "product" else Dim({})
    for part in known:
        total = total * part if node.op == "product" else total + part
    return total


def _alone(key: tuple[str, ...], count: int) -> bool:
    return count == 1 and len(key) == 1 and key[0][0] == "?"


def atom(dim: Dim) -> str | None:
    """The unknown that a dimension consists of, or None."""
    if len(dim.terms) == 1:
        key, count = dim.terms[0]
        if _alone(key, count):
            return key[0]
    return None


def unknowns(dim: Dim) -> list[str]:
    """The unknown sizes in a dimension."""
    return [part for key, _ in dim.terms for part in key if part[0] == "?"]


def _possible(dim: Dim) -> bool:
    return any(count > 0 for _, count in dim.terms)


def _reduced(left: Dim, right: Dim) -> tuple[Dim, Dim]:
    """Both sides without the terms, or the factors, that they share; what is subtracted changes sides."""
    difference = dict(left.terms)
    for key, count in right.terms:
        difference[key] = difference.get(key, 0) - count
    left = Dim({key: count for key, count in difference.items() if count > 0})
    right = Dim({key: -count for key, count in difference.items() if count < 0})
    if len(left.terms) == len(right.terms) == 1 and left.terms[0][1] == right.terms[0][1] != 0:
        first, second = list(left.terms[0][0]), list(right.terms[0][0])
        for part in list(first):
            if part in second:
                first.remove(part)
                second.remove(part)
        left, right = Dim({tuple(first): 1}), Dim({tuple(second): 1})
    return left, right
