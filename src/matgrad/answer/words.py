"""A formula's named intermediates as they stand in an answer: by name, and symmetric where their values are.

While a formula is differentiated, an intermediate is free: its entries (i, j) and (j, i) are two variables. In an
answer it only has its value, so that inv(S)' is inv(S) for S = H*P*H' + R with symmetric P and R.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

from matgrad.answer.formula import Formula
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Named, Node, Symbol
from matgrad.tensor.rebuild import rebuild
from matgrad.translate.recover import Recovery


def words_of(formula: Formula, free: Collection[str] = ()) -> Words:
    """The words of a formula, found once; those that are ``free`` are differentiated in."""
    key = " ".join(["words", *sorted(free)])
    known: Words = formula.memo.get(key) or formula.memo.setdefault(key, Words(formula, free))
    return known


class Words:
    """What to replace so that a graph is in the words of a formula, and how such a graph is read."""

    def __init__(self, formula: Formula, free: Collection[str] = ()) -> None:
        self.formula = formula
        self.names = dict(formula.intermediates)
        self._symmetric: dict[Node, Node] = {}
        for name, node in formula.intermediates.items():
            if isinstance(node, Named) and name not in free and _is_symmetric(node, self._symmetric):
                self.names[name] = self._symmetric[node] = b.named(name, node.value, symmetric=True)

    def replaced(self) -> dict[Node, Node]:
        """The values of intermediates, and intermediates, by their names."""
        known = [(n, self.names[name]) for name, n in self.formula.intermediates.items()]
        values = {n.value: shown for n, shown in known if isinstance(n, Named) and not isinstance(n.value, Symbol)}
        return {**values, **dict(known)}

    @cached_property
    def recovery(self) -> Recovery:
        """How graphs in these words are read."""
        return self.formula.reading_with((), self._symmetric) if self._symmetric else self.formula.recovery


def _is_symmetric(node: Named, known: dict[Node, Node]) -> bool:
    """Whether the value is symmetric, if these intermediates are."""
    square = len(node.shape) == 2 and node.shape[0] == node.shape[1]
    return square and b.is_symmetric(rebuild(node.value, dict(known)) if known else node.value)
