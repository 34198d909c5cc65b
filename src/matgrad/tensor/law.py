"""A law of the normal form as data: its name, what it says, why it holds, formulas to which it applies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Law:
    """``rewrite`` gives the rewritten thing, or None where the law does not apply. ``examples`` are formulas with
    declarations; the tests compare each before and after, on non-symmetric data. A law of contractions is tried only
    where an operand is of one of the kinds ``on``."""

    name: str
    law: str
    because: str
    examples: tuple[tuple[str, str], ...]
    rewrite: Callable[..., Any]
    on: tuple[type, ...] = ()


class Laws:
    """The laws of one kind of node, in the order in which they are tried."""

    def __init__(self) -> None:
        self.all: list[Law] = []

    def add(
        self, name: str, law: str, *, because: str, examples: tuple[tuple[str, str], ...], on: tuple[type, ...] = ()
    ) -> Callable[[F], F]:
        """Registers the function below as a law."""

        def register(rewrite: F) -> F:
            self.all.append(Law(name, law, because, examples, rewrite, on))
            return rewrite

        return register

    def __iter__(self) -> Iterator[Law]:
        return iter(self.all)
