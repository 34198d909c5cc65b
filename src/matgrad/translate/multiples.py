"""Sums of the formula that are multiples of a node: (2*A - B)/2 is written A - B/2 where that was typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from matgrad.formula.syntax import Expr
from matgrad.tensor.nodes import Einsum, Node, Sum
from matgrad.translate.algebra import cost, number
from matgrad.translate.splitting import counted


class Multiples:
    """For each node of which a typed sum is a multiple: the number, and the sum."""

    def __init__(self, written: Mapping[Node, Expr]) -> None:
        self._known: dict[Node, tuple[Fraction, Expr]] = {}
        for node, expr in written.items():
            if expr.op == "add" and isinstance(node, Einsum) and abs(node.coefficient) != 1:
                if len(node.operands) == 1 and isinstance(node.operands[0], Sum) and node.subscripts[0] == node.out:
                    self._known[node.operands[0]] = (node.coefficient, expr)

    def in_product(
        self, node: Einsum, coefficient: Fraction, signed: Callable[[Node], tuple[int, Expr]]
    ) -> dict[Node, tuple[Fraction, Expr]]:
        """The operands that are better written so, with the number and the sum."""
        found: dict[Node, tuple[Fraction, Expr]] = {}
        if not self._known:
            return found
        for operand, count in counted(node.operands).items():
            if operand in self._known:
                times, typed = self._known[operand]
                longer = count * (cost(typed) - cost(signed(operand)[1]))
                if _printed(coefficient / times**count) + longer <= _printed(coefficient) + 1:
                    found[operand] = times, typed
                    coefficient /= times**count
        return found


def _printed(coefficient: Fraction) -> int:
    return 0 if abs(coefficient) == 1 else cost(number(coefficient)) + 1
