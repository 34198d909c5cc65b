"""A law of the normal form as data: its name, what it says, why it holds, formulas to which it applies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Law:
    """``rewrite`` gives the rewritten thing, or None where the law does not apply. ``examples`` are formulas with
    declarations; the tests compare each before and after, on non-symmetric data. A law of contractions is tried only
    where an operand is of one of the kinds ``on``, or applies one of the functions (of a power, its base)."""

    name: str
    law: str
    because: str
    examples: tuple[tuple[str, str], ...]
    rewrite: Callable[..., Any]
    on: tuple[type | str, ...] = ()


class Laws:
    """The laws of one kind of node, in the order in which they are tried."""

    def __init__(self) -> None:
        self.all: list[Law] = []
        self._about: dict[frozenset[type | str], list[Law]] = {}
        self._of = self.all  # the laws that _about and _heads were made of
        self._heads: frozenset[type | str] = frozenset()

    def add(
        self,
        name: str,
        law: str,
        *,
        because: str,
        examples: tuple[tuple[str, str], ...],
        on: tuple[type | str, ...] = (),
    ) -> Callable[[F], F]:
        """Registers the function below as a law."""

        def register(rewrite: F) -> F:
            self.all.append(Law(name, law, because, examples, rewrite, on))
            self._about.clear()
            self._heads |= {*on}
            return rewrite

        return register

    def about(self, heads: Iterable[type | str]) -> list[Law]:
        """The laws that need an operand of one of these kinds or functions."""
        if self._of is not self.all:
            self._about, self._of = {}, self.all
            self._heads = frozenset([head for law in self.all for head in law.on])
        known = self._heads.intersection(heads)
        if _seen.get() is not None:
            return [law for law in self if not known.isdisjoint(law.on)]
        if known not in self._about:
            self._about[known] = [law for law in self.all if not known.isdisjoint(law.on)]
        return self._about[known]

    def __iter__(self) -> Iterator[Law]:
        seen = _seen.get()
        return iter(self.all) if seen is None else (_watched(law, seen) for law in self.all)


NETWORK_LAWS, MAP_LAWS, APPLY_LAWS, SUM_LAWS, POWER_LAWS = Laws(), Laws(), Laws(), Laws(), Laws()
"""Laws of contractions, elementwise functions, matrix functions and reductions, sums, powers of matrices."""

READING_LAWS, UPDATE_LAWS = Laws(), Laws()
"""Laws of sums, and of contractions throughout a graph, that serve the reader only: the graph stays as it is, and
``recover`` takes what is shorter to print."""

_seen: ContextVar[list[Law] | None] = ContextVar("_seen", default=None)


@contextmanager
def laws_used() -> Iterator[list[Law]]:
    """The laws that apply while nodes are built, for those who explain what happened.

    >>> from matgrad import parse
    >>> with laws_used() as used:
    ...     node = parse("exp(z)/sum(exp(z))", where="z: vector(n)").node
    >>> [law.law for law in used]
    ['exp(x)/sum(exp(x)) = softmax(x)']
    """
    used: list[Law] = []
    token = _seen.set(used)
    try:
        yield used
    finally:
        _seen.reset(token)


def _watched(law: Law, seen: list[Law]) -> Law:
    def rewrite(*given: Any) -> Any:
        found = law.rewrite(*given)
        if found is not None and found is not False and law not in seen:
            seen.append(law)
        return found

    return replace(law, rewrite=rewrite)
