"""A fact with the rule that shows it, and the facts of other nodes that the rule rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

from matgrad.functions import card_in_code
from matgrad.tensor.builders import as_number
from matgrad.tensor.nodes import Map, Node


class Fact(Enum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    def __bool__(self) -> NoReturn:
        raise TypeError("a fact is yes, no or unknown: compare with `is Fact.YES`")


@dataclass(frozen=True)
class Why:
    """The rule in words, and its premises: pairs of a property and a node."""

    reason: str
    premises: tuple[tuple[str, Node], ...] = ()


Rule = Callable[[Node], "Why | None"]
RULES: dict[str, Rule] = {}
"""The rule of each property."""


def rule_for(property: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        RULES[property] = rule
        return rule

    return register


def why(node: Node, property: str) -> Why | None:
    """What shows that the node has the property, or None where that is not known; remembered on the node."""
    key = f"why {property}"
    if key not in node.memo:
        node.memo[key] = RULES[property](node)
    found: Why | None = node.memo[key]
    return found


def holds(node: Node, property: str) -> bool:
    return why(node, property) is not None


def of_function(name: str, fact: str) -> str | None:
    """What the card of a function says: ``of_function("exp", "range")`` is ``"positive"``."""
    known = card_in_code(name)
    return None if known is None else known.facts.get(fact)


def facts_of(node: Map) -> Mapping[str, str]:
    """What the card says of an elementwise function, with its whole number, where it has one."""
    known = card_in_code(node.function)
    if known is None:
        return {}
    if known.facts_at is None or known.whole is None:
        return known.facts
    number = as_number(node.args[known.arguments.index(known.whole.name)])
    return {} if number is None else known.facts_at(int(number))
