"""A graph that computes the same without overflow, underflow or cancellation that need not be.

What people type prints as typed; what is computed for it is this graph. The rules are in the modules imported here, by
subject; each applies wherever it holds, so a formula and its derivatives are treated alike.
"""

from __future__ import annotations

from matgrad.planning import differences as _differences  # noqa: F401  (each adds its rules)
from matgrad.planning import lengths as _lengths  # noqa: F401
from matgrad.planning import logarithms as _logarithms  # noqa: F401
from matgrad.planning import names as _names  # noqa: F401
from matgrad.planning import quotients as _quotients  # noqa: F401
from matgrad.planning.rule import BEFORE, RULES
from matgrad.tensor.law import Laws
from matgrad.tensor.nodes import Apply, Map, Node, topological
from matgrad.tensor.rebuild import rebuilt


def stabilised(root: Node) -> Node:
    """The node to compute instead of ``root``: equal wherever ``root`` is defined. It is remembered on the node.

    >>> from matgrad import parse
    >>> stabilised(parse("log(1 + c)", where="c: scalar").node)
    Map('log1p', (Symbol('c', (), frozenset()),), None)
    """
    if _known(root) is None and not any(isinstance(node, Map | Apply) for node in topological(root)):
        root.memo["stable"] = root  # products and sums alone: every rule is about a function
    stack = [root]
    open_: set[Node] = {root}
    made: list[Node] = [root]  # the table of nodes is weak, and what is remembered must not go before the end
    while stack:
        node = stack[-1]
        if _known(node) is None:
            following = _next(node, open_)
            if following is not None:
                open_.add(following)
                made.append(following)
                stack.append(following)
                continue
        open_.discard(stack.pop())
    found = _known(root)
    assert found is not None
    return found


def _next(node: Node, open_: set[Node]) -> Node | None:
    """What has to be stable first; None where the node now is."""
    made = _rewritten(node, BEFORE)
    if made is not node and made not in open_:
        stable = _known(made)
        if stable is None:
            return made
        node.memo["stable"] = stable
        return None
    for child in node.children:
        if _known(child) is None:
            if child not in open_:
                return child
            child.memo["stable"] = child  # a rule brought a node back below itself: it stays as it is
    made = rebuilt(node, {child: _known(child) or child for child in node.children}, False)
    if made is node:
        made = _rewritten(node, RULES)
    if made is node or made in open_:
        node.memo["stable"] = node if made is node else made
        return None
    stable = _known(made)
    if stable is None:
        return made
    node.memo["stable"] = stable
    return None


def _known(node: Node) -> Node | None:
    return node.memo.get("stable")


def _rewritten(node: Node, rules: Laws) -> Node:
    """What the first rule that applies makes of a node; the node itself where none does."""
    for rule in rules.about(frozenset([type(node)])):
        found: Node | None = rule.rewrite(node)
        if found is not None:
            return found
    return node
