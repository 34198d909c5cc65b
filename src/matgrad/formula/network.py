"""A small constraint solver for kinds: variables with a set of kinds each, relations between a few of them.

Sets are bit masks; relations narrow the sets until nothing changes; every change is on a trail, so that a
choice can be undone. Nothing here knows about formulas.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

SCALAR_BIT, VECTOR_BIT, ROW_BIT, MATRIX_BIT, TENSOR_BIT = 1, 2, 4, 8, 16
BITS = {"scalar": SCALAR_BIT, "vector": VECTOR_BIT, "row": ROW_BIT, "matrix": MATRIX_BIT, "tensor": TENSOR_BIT}
KIND_OF_BIT = {bit: kind for kind, bit in BITS.items()}
ANY = 31


class Relation:
    """The combinations of kinds that are allowed; narrowing is remembered per combination of sets."""

    __slots__ = ("cache", "tuples")

    def __init__(self, tuples: Iterable[tuple[str, ...]]) -> None:
        self.tuples = tuple(dict.fromkeys(tuple(BITS[kind] for kind in entry) for entry in tuples))
        self.cache: dict[tuple[int, ...], tuple[int, ...] | None] = {}

    def kinds(self) -> list[str]:
        """The kinds that the first variable may have."""
        return [KIND_OF_BIT[entry[0]] for entry in self.tuples]

    def narrow(self, masks: tuple[int, ...]) -> tuple[int, ...] | None:
        """What each set keeps, or None where no combination is left."""
        if masks in self.cache:
            return self.cache[masks]
        kept = [0] * len(masks)
        for entry in self.tuples:
            for bit, mask in zip(entry, masks, strict=True):
                if not bit & mask:
                    break
            else:
                kept = [k | bit for k, bit in zip(kept, entry, strict=True)]
        found = tuple(kept) if not masks or kept[0] else None
        self.cache[masks] = found
        return found


class Network:
    """Variables, constraints between them, and the trail of what was narrowed."""

    def __init__(self, domains: Iterable[int] = ()) -> None:
        self.domains: list[int] = list(domains)
        self.constraints: list[tuple[Relation, tuple[int, ...]]] = []
        self.watchers: list[list[int]] = [[] for _ in self.domains]
        self.trail: list[tuple[int, int]] = []

    def variable(self, domain: int = ANY) -> int:
        self.domains.append(domain)
        self.watchers.append([])
        return len(self.domains) - 1

    def constrain(self, relation: Relation, *variables: int) -> int:
        """Add a constraint, without propagating it yet."""
        self.constraints.append((relation, variables))
        number = len(self.constraints) - 1
        for variable in set(variables):
            self.watchers[variable].append(number)
        return number

    def propagate(self, queue: Iterable[int]) -> bool:
        """Narrow until nothing changes; False at a contradiction."""
        pending = deque(queue)
        waiting = set(pending)
        while pending:
            number = pending.popleft()
            waiting.discard(number)
            relation, variables = self.constraints[number]
            before = tuple([self.domains[v] for v in variables])
            after = relation.narrow(before)
            if after is None:
                return False
            if after == before:
                continue
            again = len(set(variables)) < len(variables)  # else to narrow by the same once more would change nothing
            for variable, mask in zip(variables, after, strict=True):
                mask &= self.domains[variable]
                if not mask:
                    return False
                if mask != self.domains[variable]:
                    self._set(variable, mask)
                    fresh = [n for n in self.watchers[variable] if n not in waiting and (again or n != number)]
                    pending.extend(fresh)
                    waiting.update(fresh)
        return True

    def restrict(self, variable: int, mask: int) -> bool:
        """Keep only these kinds of one variable, and propagate."""
        mask &= self.domains[variable]
        if not mask:
            return False
        if mask == self.domains[variable]:
            return True
        self._set(variable, mask)
        return self.propagate(self.watchers[variable])

    def try_to(self, *restrictions: tuple[int, int]) -> bool:
        """Restrict, and undo it all where that leads to a contradiction."""
        mark = self.mark()
        if all(self.restrict(variable, mask) for variable, mask in restrictions):
            return True
        self.undo(mark)
        return False

    def mark(self) -> int:
        return len(self.trail)

    def undo(self, mark: int) -> None:
        while len(self.trail) > mark:
            variable, domain = self.trail.pop()
            self.domains[variable] = domain

    def _set(self, variable: int, domain: int) -> None:
        self.trail.append((variable, self.domains[variable]))
        self.domains[variable] = domain


def single(mask: int) -> bool:
    return mask & (mask - 1) == 0
