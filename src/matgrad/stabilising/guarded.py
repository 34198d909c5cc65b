"""Series for code that is differentiated: what is not selected must be finite, too.

Reverse mode multiplies the derivative of what is not selected by 0, and 0*inf is nan. So where the series is taken, the
sum that it stands for is computed at the radius in place of x.
"""

from __future__ import annotations

from fractions import Fraction

from matgrad.tensor import builders as b
from matgrad.tensor.builders import map_
from matgrad.tensor.laws.shared import is_map
from matgrad.tensor.nodes import Map, Node, Symbol, topological
from matgrad.tensor.rebuild import rebuild


def guarded(root: Node) -> Node:
    """The graph in which sums with a series are never computed where the series is taken.

    Sums in which x is not all that stands for its names stay: a*exp(a*c)/c - (exp(a*c) - 1)/c^2 in x = a*c.
    """
    found: dict[Node, Node] = {}
    for node in topological(root):
        if isinstance(node, Map) and is_map(node, "near_zero"):
            found[node] = _guarded(rebuild(node, found))
    return rebuild(root, found) if found else root


def _guarded(node: Node) -> Node:
    if not isinstance(node, Map) or not is_map(node, "near_zero"):
        return node
    x, elsewhere = node.args
    names = {part for part in topological(x) if isinstance(part, Symbol)}
    mark = b.symbol(" ", x.shape)
    if names & set(topological(rebuild(elsewhere, {x: mark}))):
        return node
    away = map_("away_from_zero", (x, b.number(Fraction(node.parameter[0]), x.shape)))
    return map_("near_zero", (x, rebuild(elsewhere, {x: away})), node.parameter)
