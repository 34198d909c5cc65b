"""The action of a derivative on a direction: dX ↦ A*dX*B."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from matgrad.answer.compiled import Root
from matgrad.answer.differentiation import variable_of
from matgrad.answer.formula import Formula
from matgrad.answer.reading import bounded, readable
from matgrad.errors import MatgradError
from matgrad.formula.declarations import SPACES
from matgrad.formula.syntax import Expr
from matgrad.formula.typed import Variable
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node, Symbol
from matgrad.tensor.rebuild import rebuild
from matgrad.translate.algebra import of_order

if TYPE_CHECKING:
    from matgrad.checking.sampling import Subject


class Action:
    """The derivative applied to a direction in its last variable: text, and a function of arrays.

    >>> from matgrad.answer.differentiation import chain
    >>> formula = Formula("A*X*B", "X: matrix(m, n)")
    >>> below, node = chain(formula, ("X",), "projected")
    >>> print(Action(formula, node, len(below.shape), "X"))
    dX ↦ A*dX*B
    """

    def __init__(
        self, formula: Formula, node: Node, outputs: int, wrt: str, *, free: bool = False, computed: Node | None = None
    ) -> None:
        self._formula = formula
        self._node = node
        self._computed = node if computed is None else computed
        self._outputs = outputs
        self._variable = variable_of(formula, wrt)
        self.direction = _fresh("d" + wrt, formula)
        declared = self._variable.traits if isinstance(self._variable, Symbol) else frozenset()
        self._traits = frozenset() if free else declared & SPACES

    @cached_property
    def node(self) -> Node:
        """The graph: the derivative, contracted with the direction."""
        return self._along(self._node)

    def _along(self, node: Node) -> Node:
        direction = b.symbol(self.direction, self._variable.shape, self._traits)
        axes = tuple(range(len(node.shape)))
        return b.einsum([(node, axes), (direction, axes[self._outputs :])], axes[: self._outputs])

    @cached_property
    def expr(self) -> Expr:
        node = bounded(rebuild(self.node, {}, expand=True))
        found = self._formula.recovery.formula(node)
        return readable(self._formula, found, **{self.direction: of_order(self._variable.shape)})

    def root(self) -> Root:
        """What generated code computes: the direction is one more array."""
        typed = self._formula.typed
        direction = Variable(self.direction, of_order(self._variable.shape), self._traits)
        variables = {**typed.variables, self.direction: direction}
        return Root(self._along(self._computed), "action", variables, typed.functions, self._formula.sizes_needed(),
                    named=self._formula.intermediates, ranges=self._formula.ranges)  # fmt: skip

    @property
    def subject(self) -> Subject:
        """The direction, as it is drawn for the check: of the structure of the variable, if that counts."""
        from matgrad.checking.sampling import Subject

        return Subject(self.direction, of_order(self._variable.shape), self._traits)

    @property
    def available(self) -> bool:
        try:
            return self.expr is not None
        except MatgradError:
            return False

    @property
    def text(self) -> str:
        return self._formula.print(self.expr)

    @property
    def latex(self) -> str:
        return self._formula.print_latex(self.expr)

    def __str__(self) -> str:
        return f"{self.direction} ↦ {self.text}"

    def __repr__(self) -> str:
        return f"<{self}>"

    def __call__(self, direction: Any, /, **arrays: Any) -> Any:
        from matgrad.answer.evaluation import action

        type_ = of_order(self._variable.shape)
        return action(self._formula, self.expr, self.direction, type_, direction, arrays)


def _fresh(name: str, formula: Formula) -> str:
    taken = {*formula.typed.variables, *formula.intermediates, *formula.typed.dimensions}
    while name in taken:
        name += "_"
    return name
