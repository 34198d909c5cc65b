"""matgrad as on its first formula: everything that it remembers of formulas is forgotten.

What is left is what every formula needs: the modules, the cards, and the tables of the grammar that lark made.
"""

from __future__ import annotations

import functools
import gc
import sys
from types import ModuleType

from matgrad.formula import parser
from matgrad.formula.network import Relation
from matgrad.tensor import nodes

KEPT = (parser._lark,)


def forget() -> None:
    """Clear the table of nodes and every memo of every module, and collect the garbage of what ran before."""
    nodes._TABLE.clear()
    for module in _modules():
        for value in _values(module):
            if isinstance(value, functools._lru_cache_wrapper) and value not in KEPT:
                value.cache_clear()
            elif isinstance(value, Relation):
                value.cache.clear()
    gc.collect()


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
