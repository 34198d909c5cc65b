"""One token of a formula's text."""

from __future__ import annotations

from typing import Any, NamedTuple


class Token(NamedTuple):
    """A piece of the text. ``value`` is what it means: an operator, a normalised name, digits, (name, primes)."""

    kind: str
    value: Any
    start: int
    stop: int
