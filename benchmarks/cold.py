"""matgrad as on its first formula: everything that it remembers of formulas is forgotten.

What is left is what belongs to the language and not to any formula, and is found once in a process: the modules, the
tables of the grammar that lark made, and what is read off the cards, that is, their laws as trees, their signatures and
which kinds they take. ``strict`` leaves the modules and the tables of the grammar only.
"""

from __future__ import annotations

import functools
import sys
from types import ModuleType

from matgrad.formula import parser, relations, signatures
from matgrad.formula.network import Relation
from matgrad.tensor import nodes
from matgrad.translate import card_laws

GRAMMAR = (parser._lark,)
CARDS = (
    card_laws.law_tree, signatures.signature, relations.called, relations.multiplied, relations.indexed,
    relations.one_of, relations.of_order,
)  # fmt: skip


def forget(*, strict: bool = False) -> None:
    """Clear the table of nodes and every memo of every module."""
    kept = GRAMMAR if strict else (*GRAMMAR, *CARDS)
    nodes._TABLE.clear()
    for module in _modules():
        for value in _values(module):
            if isinstance(value, functools._lru_cache_wrapper) and value not in kept:
                value.cache_clear()
            elif isinstance(value, Relation):
                value.cache.clear()


def _modules() -> list[ModuleType]:
    return [module for name, module in sys.modules.items() if name.split(".")[0] == "matgrad"]


@functools.cache
def _values(module: ModuleType) -> list[object]:
    """What a module holds, and what its classes hold."""
    found = list(vars(module).values())
    for value in list(found):
        if isinstance(value, type) and value.__module__ == module.__name__:
            found += [getattr(value, name) for name in vars(value)]
    return found
