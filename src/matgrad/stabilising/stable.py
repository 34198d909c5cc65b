"""A graph that computes the same without overflow, underflow or cancellation that need not be.

What people type prints as typed; what is computed for it is this graph. The rules are in the modules imported here, by
subject; each applies wherever it holds, so a formula and its derivatives are treated alike.
"""

from __future__ import annotations

from matgrad.stabilising.ahead import rewritten as written_ahead
from matgrad.stabilising.rule import BEFORE, LAST, RULES
from matgrad.tensor.law import Laws
from matgrad.tensor.laws.shared import is_map
from matgrad.tensor.nodes import Apply, Map, Node, topological
from matgrad.tensor.rebuild import rebuilt

# Each adds its rules, which are tried in this order; the first two may have been imported before, by ``ahead``.
# isort: off
from matgrad.stabilising import differences as _differences  # noqa: F401
from matgrad.stabilising import differences_of_roots as _differences_of_roots  # noqa: F401
from matgrad.stabilising import cancelling as _cancelling  # noqa: F401
from matgrad.stabilising import lengths as _lengths  # noqa: F401
from matgrad.stabilising import close_quotients as _close_quotients  # noqa: F401
from matgrad.stabilising import exponentials as _exponentials  # noqa: F401
from matgrad.stabilising import hyperbolic as _hyperbolic  # noqa: F401
from matgrad.stabilising import shares as _shares  # noqa: F401
from matgrad.stabilising import determinants as _determinants  # noqa: F401
from matgrad.stabilising import close_pairs as _close_pairs  # noqa: F401
from matgrad.stabilising import close_sums as _close_sums  # noqa: F401
from matgrad.stabilising import log_products as _log_products  # noqa: F401
from matgrad.stabilising import logarithms as _logarithms  # noqa: F401
from matgrad.stabilising import mixtures as _mixtures  # noqa: F401
from matgrad.stabilising import removable as _removable  # noqa: F401
from matgrad.stabilising import names as _names  # noqa: F401
from matgrad.stabilising import products as _products  # noqa: F401
from matgrad.stabilising import gammas as _gammas  # noqa: F401
from matgrad.stabilising import log_sums as _log_sums  # noqa: F401
from matgrad.stabilising import ratios as _ratios  # noqa: F401
from matgrad.stabilising import complements as _complements  # noqa: F401
from matgrad.stabilising import extremes as _extremes  # noqa: F401
# isort: on


def stabilised(root: Node) -> Node:
    """The node to compute instead of ``root``: equal wherever ``root`` is defined. It depends on ``root`` alone.

    >>> from matgrad import parse
    >>> stabilised(parse("log(1 + c)", where="c: scalar").node)
    Map('log1p', (Symbol('c', (), frozenset()),), None)
    """
    known: Node | None = root.memo.get("stable")
    if known is None and any(isinstance(node, Map | Apply) for node in topological(root)):
        known = _Search().of(root)
    return root if known is None else _with_last(known)  # products and sums alone: every rule is about a function


def _with_last(root: Node) -> Node:
    """A stable graph, with the last rules."""
    done: dict[Node, Node] = {}
    for node in topological(root):
        made = rebuilt(node, done, False)
        while (last := _rewritten(made, LAST)) is not made:
            made = last
        done[node] = made
    return done[root]


MOST = 20
"""Rewritings on the way to a node after which it stays as it is: rules that call for each other would not end."""


class _Search:
    """What is stable below one root, and the nodes that are being worked on.

    Rules may lead back to one of these, where it depends on the root which comes first. What such a search finds about
    other nodes holds below its root only, and is not remembered.
    """

    def __init__(self) -> None:
        self.done: dict[Node, Node] = {}  # keeps the nodes: their table is weak
        self.open: set[Node] = set()
        self.circular = False
        self.steps: dict[Node, int] = {}  # rewritings that led to a node

    def of(self, root: Node) -> Node:
        stack = [root]
        self.open.add(root)
        while stack:
            node = stack[-1]
            following = None if self._known(node) else self._next(node)
            if following is None:
                self.open.discard(stack.pop())
            else:
                self.open.add(following)
                stack.append(following)
        if not self.circular:
            for node, stable in self.done.items():
                node.memo["stable"] = stable
        return self.done[root]

    def _next(self, node: Node) -> Node | None:
        """What has to be stable first; None where the node now is."""
        if is_map(node, "near_zero"):  # the sum that it is for large x stays what it is
            self.done[node] = node
            return None
        steps = self.steps.get(node, 0)
        made = _rewritten(node, BEFORE) if steps < MOST else node
        made = written_ahead(node) if made is node else made
        if made is not node and not self._met(made):
            return self._led_to(node, made)
        for child in node.children:
            if self._known(child) is None:
                if not self._met(child):
                    self.steps[child] = max(steps, self.steps.get(child, 0))
                    return child
                self.done[child] = child  # a rule brought a node back below itself: it stays as it is
        made = rebuilt(node, {child: self._known(child) or child for child in node.children}, False)
        if made is node and steps < MOST:
            made = _rewritten(node, RULES)
        if made is node or self._met(made):
            self.done[node] = made
            return None
        return self._led_to(node, made)

    def _led_to(self, node: Node, made: Node) -> Node | None:
        """What a rule made of a node, as long as that is not stable."""
        stable = self._known(made)
        if stable is None:
            self.steps[made] = max(self.steps.get(node, 0) + 1, self.steps.get(made, 0))
            return made
        self.done[node] = stable
        return None

    def _known(self, node: Node) -> Node | None:
        return self.done.get(node) or node.memo.get("stable")

    def _met(self, node: Node) -> bool:
        """Whether the node is being worked on."""
        self.circular |= node in self.open
        return node in self.open


def _rewritten(node: Node, rules: Laws) -> Node:
    """What the first rule that applies makes of a node; the node itself where none does."""
    for rule in rules.about([type(node)]):
        found: Node | None = rule.rewrite(node)
        if found is not None:
            return found
    return node
