"""Dimensions: polynomials with integer coefficients in dimension names, such as ``n``, ``3``, ``m*n``, ``m + 1``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

Monomial = tuple[str, ...]


class Dim:
    """An immutable size. Equal dimensions are equal polynomials, so ``m*n`` and ``n*m`` are one."""

    __slots__ = ("_hash", "_names", "_text", "terms")

    def __init__(self, terms: Mapping[Monomial, int]) -> None:
        self.terms: tuple[tuple[Monomial, int], ...] = tuple(sorted([(k, c) for k, c in terms.items() if c]))
        self._hash = hash(self.terms)
        self._text: str | None = None
        self._names: frozenset[str] | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return (Dim, (dict(self.terms),))  # hashes of strings differ between processes

    @staticmethod
    @lru_cache(maxsize=4096)
    def of(size: str | int) -> Dim:
        """The dimension of a name or of a number.

        >>> str(Dim.of("m") * Dim.of("n") + Dim.of(1))
        'm*n + 1'
        """
        return Dim({(): size}) if isinstance(size, int) else Dim({(size,): 1})

    def __add__(self, other: Dim) -> Dim:
        terms = dict(self.terms)
        for key, count in other.terms:
            terms[key] = terms.get(key, 0) + count
        return Dim(terms)

    def __sub__(self, other: Dim) -> Dim:
        return self + other * Dim.of(-1)

    def __mul__(self, other: Dim) -> Dim:
        terms: dict[Monomial, int] = {}
        for key, count in self.terms:
            for key2, count2 in other.terms:
                joined = tuple(sorted(key + key2))
                terms[joined] = terms.get(joined, 0) + count * count2
        return Dim(terms)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Dim) and self.terms == other.terms)

    def __hash__(self) -> int:
        return self._hash

    def __lt__(self, other: Dim) -> bool:
        return self.terms < other.terms

    @property
    def number(self) -> int | None:
        """The size as an integer, or None where it depends on a name."""
        if not self.terms:
            return 0
        if len(self.terms) == 1 and self.terms[0][0] == ():
            return self.terms[0][1]
        return None

    @property
    def is_nonnegative(self) -> bool:
        """Whether it is at least 0 for all sizes from 1.

        >>> (Dim.of("m") * Dim.of("n") - Dim.of(1)).is_nonnegative, (Dim.of("m") - Dim.of("n")).is_nonnegative
        (True, False)
        """
        return all(count > 0 or not key for key, count in self.terms) and sum(count for _, count in self.terms) >= 0

    @property
    def is_nonnegative_at_last(self) -> bool:
        """Whether it is at least 0 for all sizes that are large enough.

        >>> (Dim.of("n") - Dim.of(2)).is_nonnegative_at_last, (Dim.of("m") - Dim.of("n")).is_nonnegative_at_last
        (True, False)
        """
        return self.is_nonnegative or (bool(self.names) and all(count > 0 or not key for key, count in self.terms))

    @property
    def names(self) -> frozenset[str]:
        if self._names is None:
            self._names = frozenset([name for key, _ in self.terms for name in key])
        return self._names

    def evaluate(self, sizes: Mapping[str, int]) -> int:
        """The size as an integer, given those of the names."""
        total = 0
        for key, count in self.terms:
            for name in key:
                count *= sizes[name]
            total += count
        return total

    def replaced(self, known: Mapping[str, Dim]) -> Dim:
        """The size with other sizes for some of its names.

        >>> str((Dim.of("m") * Dim.of("n")).replaced({"m": Dim.of("n") + ONE}))
        'n*n + n'
        """
        if self.names.isdisjoint(known):
            return self
        total = Dim({})
        for key, count in self.terms:
            term = Dim.of(count)
            for name in key:
                term = term * known.get(name, Dim.of(name))
            total = total + term
        return total

    def __str__(self) -> str:
        if self._text is None:
            self._text = self._written()
        return self._text

    def _written(self) -> str:
        pieces = []
        for key, count in sorted(self.terms, key=lambda item: (-len(item[0]), item)):
            body = "*".join(key)
            pieces.append(str(count) if not key else body if count == 1 else f"{count}*{body}")
        return " + ".join(pieces).replace("+ -", "- ") or "0"

    def __repr__(self) -> str:
        return f"Dim({self})"


ONE = Dim.of(1)
