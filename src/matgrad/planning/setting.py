"""For what a plan is made: sizes, and what the backend is good at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from matgrad.dims import Dim
from matgrad.planning.steps import Plan, Step

TYPICAL = 100
"""The size of a dimension while it is not known."""


@dataclass
class Setting:
    """A plan and what it is made for.

    ``sizes`` of dimensions, as far as they are known, decide in which order factors are multiplied; ``by_size`` says
    that they did. ``products`` have been chosen so far.
    ``differentiated`` code gets derivatives from its backend: a root of squares is then one operation, since a norm in
    it has none at 0. ``eager`` code can look at values, and take one way or another.
    """

    sizes: Mapping[str, int] = field(default_factory=dict)
    plan: Plan = field(default_factory=Plan)
    differentiated: bool = False
    eager: bool = True
    by_size: bool = False
    products: set[Step] = field(default_factory=set)

    def size(self, dim: Dim) -> int:
        return dim.evaluate({name: self.sizes.get(name, TYPICAL) for name in dim.names})
