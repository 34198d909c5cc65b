"""Names for the long signals of a backward pass, so that a program of many steps has short derivatives.

The signal at an intermediate h is ∂f/∂h. Written out, it holds the signals of all steps after it, so that the length of
each gradient would grow with the number of steps. With a name δ_h for every signal that is worth one, as textbooks
write backpropagation, each has the length of its own step:

>>> from matgrad.answer.formula import Formula
>>> layers = "; ".join(f"h{k + 1} = tanh(W{k + 1}*h{k})" for k in range(9))
>>> signals = Signals(Formula(layers + "; norm2(h9)^2", "h0: vector(n)"))
>>> name, value = list(signals.definitions.items())[-1]
>>> name, signals.formula.print(value)
('δ_h1', "W2'*((1 - h2.^2).*δ_h2)")
"""

from __future__ import annotations

from collections.abc import Collection

from matgrad.answer.formula import Formula
from matgrad.answer.words import words_of
from matgrad.differentiate.transpose import derivatives
from matgrad.formula.syntax import Expr
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Named, Node
from matgrad.tensor.rebuild import rebuild
from matgrad.translate.algebra import cost, names

WORTH = 15
"""Characters from which a signal gets a name."""
LONG = 100
"""Characters up to which a derivative is written without such names."""


def signals_of(formula: Formula, symmetric: str, free: Collection[str] = ()) -> Signals:
    """The signals of a formula, found once; the intermediates that are ``free`` are differentiated in."""
    key = " ".join([symmetric, *sorted(free)])
    known: Signals = formula.memo.get(key) or formula.memo.setdefault(key, Signals(formula, symmetric, free))
    return known


class Signals:
    """The derivatives of a scalar formula in all of its names, from one pass in which long signals are named."""

    def __init__(self, formula: Formula, symmetric: str = "projected", free: Collection[str] = ()) -> None:
        self.formula = formula
        self.definitions: dict[str, Expr] = {}
        self._lengths: dict[str, int] = {}
        self._words = words_of(formula, free)
        self._written = self._words.replaced()
        self._taken = {*formula.symbols, *formula.intermediates, *formula.typed.sizes, *formula.typed.functions}
        variables = {**formula.symbols, **formula.intermediates}
        found = derivatives(formula.node, list(variables.values()), symmetric, shorten=self._named)
        self._nodes = dict(zip(variables, found, strict=True))

    def node(self, name: str) -> Node:
        """The derivative in a variable or an intermediate, in terms of intermediates and of named signals."""
        return rebuild(self._nodes[name], self._written)

    def length(self, expr: Expr) -> int:
        """About the length of a formula with the signals in it written out."""
        return cost(expr) + sum(self._lengths.get(name, 0) for name in names(expr))

    def _named(self, node: Named, signal: Node) -> Node:
        short = rebuild(signal, self._written)
        expr = self._words.recovery.plain(short)
        if cost(expr) < WORTH or len(short.shape) > 2:
            return short
        name = f"δ_{node.name}"
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        self._lengths[name] = self.length(expr)
        self.definitions[name] = expr
        found = b.named(name, short, symmetric=b.is_symmetric(short))
        self._written[found] = found
        return found
