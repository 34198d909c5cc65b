"""Layouts: in which order the axes of the output and of the variable stand.

``mixed`` is what the calculus gives: output axes first, then variable axes; gradients are columns. The others
rearrange it, and ``to_mixed`` takes an array in the layout back, which the check uses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matgrad.codegen.source import Arrange
from matgrad.dims import Dim
from matgrad.errors import NotSupported
from matgrad.formula.subscripts import is_fused
from matgrad.formula.syntax import ROW, SCALAR, VECTOR, Expr, Type, walk
from matgrad.planning.steps import Plan, Step
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node
from matgrad.translate.algebra import as_row, call, scalars_outside
from matgrad.translate.kronecker import kronecker
from matgrad.translate.recover import Recovery
from matgrad.translate.vec_factors import count

LAYOUTS = ("mixed", "numerator", "denominator", "vec")


def laid_out(node: Node, outputs: int, layout: str, recovery: Recovery, size: Callable[[Dim], Expr]) -> Expr:
    """The formula of a derivative, with its first ``outputs`` axes those of the output, in a layout."""
    variables = len(node.shape) - outputs
    if layout == "mixed":
        return recovery.formula(node)
    if layout == "vec":
        return _vec(node, outputs, variables, recovery, size)
    if outputs > 1 or variables > 1:
        raise NotSupported(
            f"{layout} layout is defined for scalars and vectors, not for matrices",
            hint='layout="vec", which stacks the columns of matrices',
        )
    if layout == "numerator":
        expr = recovery.formula(node)
        return as_row(expr) if (outputs, variables) == (0, 1) else expr
    if (outputs, variables) == (1, 1):
        return recovery.formula(b.transpose(node))
    expr = recovery.formula(node)
    return as_row(expr) if (outputs, variables) == (1, 0) else expr


def _vec(node: Node, outputs: int, variables: int, recovery: Recovery, size: Callable[[Dim], Expr]) -> Expr:
    if len(node.shape) <= 2 and outputs < 2 and variables < 2:
        return recovery.formula(node)
    if len(node.shape) == 2:
        expr, length = recovery.formula(node), node.shape[0] * node.shape[1]
        if any(e.op == "einsum" and is_fused(e.value) for e in walk(expr)):  # vec of what vec is taken from
            fuse = b.constant("fuse", (length, *node.shape[::-1]))
            return recovery.formula(b.einsum([(node, (0, 1)), (fuse, (2, 1, 0))], (2,)))
        return scalars_outside(expr, lambda e: call("vec", e, type=Type(VECTOR, (length,))))
    found = kronecker(node, outputs, recovery.formula, size)
    if found is None:
        raise NotSupported(
            "this derivative is no sum of Kronecker products",
            hint='layout="mixed", in index notation, or .matvec, its action on a direction',
        )
    return found


def arranged(layout: str, outputs: int) -> Arrange:
    """The same for the array: the last steps of a plan that lay it out."""

    def arrange(plan: Plan, step: Step) -> Step:
        order = len(step.shape)
        if layout == "denominator" and (outputs, order) == (1, 2):
            return plan.view(step, (1, 0))
        if layout == "vec" and order > 1 and not (order == 2 and outputs == 1):
            rows, cols = tuple(range(outputs))[::-1], tuple(range(outputs, order))[::-1]
            shape = tuple(count([step.shape[axis] for axis in axes]) for axes in (rows, cols) if axes)
            return plan.reshape(plan.view(step, rows + cols), shape)
        return step

    return arrange


def to_mixed(layout: str, outputs: int) -> Callable[[Any, tuple[int, ...]], Any]:
    """Takes an array in the layout, and the shape it has in mixed layout, to mixed layout."""

    def arrange(array: Any, shape: tuple[int, ...]) -> Any:
        if layout == "denominator" and len(shape) == 2 and outputs == 1:
            return array.T
        if layout == "vec" and array.shape != shape:
            rows, cols = shape[:outputs][::-1], shape[outputs:][::-1]
            axes = [*range(outputs)][::-1] + [outputs + k for k in range(len(cols))][::-1]
            return array.reshape(rows + cols).transpose(axes)
        return array

    return arrange


def to_vec(outputs: int) -> Callable[[Any], Any]:
    """Takes an array in mixed layout to the matrix on vec: on both sides the first axes vary fastest."""

    def arrange(array: Any) -> Any:
        rows = 1
        for size in array.shape[:outputs]:
            rows *= size
        return array.reshape(rows, -1, order="F")

    return arrange


def described(expr: Expr) -> str:
    """The shape in words: "shape (m, n)", "a row of length n"."""
    dims = ", ".join(str(d) for d in expr.dims)
    if expr.kind == ROW:
        return f"row, shape ({dims})"
    return "scalar" if expr.kind == SCALAR else f"shape ({dims})"
