"""A graph as a reader may like it better: the laws of updates, applied throughout."""

from __future__ import annotations

from collections.abc import Sequence

from matgrad.tensor import builders as b
from matgrad.tensor.laws.updates import has_factors, update_of
from matgrad.tensor.nodes import Apply, Einsum, Node
from matgrad.tensor.rebuild import rebuilt


def updated(root: Node, order: Sequence[Node]) -> Node | None:
    """The graph with the laws of updates applied wherever they can be; None where they cannot.

    ``order`` has all its nodes, children first.
    """
    if not any(has_factors(node) or update_of(node) is not None for node in order if isinstance(node, Apply)):
        return None
    done: dict[Node, Node] = {}
    for node in order:
        found = rebuilt(node, done, expand=False)
        while isinstance(found, Einsum):
            after = next((new for law in b.UPDATE_LAWS if (new := law.rewrite(found)) is not None), None)
            if after is None:
                break
            found = after
        done[node] = found
    return done[root] if done[root] is not root else None
