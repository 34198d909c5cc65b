"""The functions of the language: one card each, and what to use for those that it does not have.

>>> card("tanh").derivative
'1 - tanh(x)^2'
>>> card("ln") is None, NOT_YET["ln"]
(True, 'log(x)')
"""

from __future__ import annotations

from matgrad.functions import code_only, constructors, elementwise, gamma, gamma_code, matrix, reductions, structural
from matgrad.functions.card import Card
from matgrad.functions.other_names import NOT_YET

__all__ = ["CARDS", "CODE_ONLY", "NOT_YET", "Card", "card", "card_in_code", "names"]

CARDS: dict[str, Card] = {
    entry.name: entry
    for module in (elementwise, gamma, reductions, matrix, structural, constructors)
    for entry in module.CARDS
}

CODE_ONLY: dict[str, Card] = {entry.name: entry for entry in (*code_only.CARDS, *gamma_code.CARDS)}
"""Functions that code uses, and nobody types."""


def card(name: str) -> Card | None:
    """What is known about a function, or None where the language does not have it."""
    return CARDS.get(name)


def card_in_code(name: str) -> Card | None:
    """What is known about a function of the language, or about one that only code uses.

    >>> card("log_cosh") is None, card_in_code("log_cosh").because
    (True, 'log(cosh(x))')
    """
    return CARDS.get(name) or CODE_ONLY.get(name)


def names() -> list[str]:
    """All functions, in the order of their cards."""
    return list(CARDS)
