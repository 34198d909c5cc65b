"""The answer: a derivative that prints itself, evaluates itself, and can be checked and differentiated again."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from matgrad.answer.action import Action
from matgrad.answer.compiled import Compiled, Root
from matgrad.answer.differentiation import chain, one_pass, variable_of
from matgrad.answer.formula import Formula
from matgrad.answer.layout import arranged, described
from matgrad.answer.options import check_options
from matgrad.answer.printed import Printed
from matgrad.answer.riemannian import RIEMANNIAN, metric_text
from matgrad.differentiate.conditions import conditions
from matgrad.errors import MatgradError, NotSupported
from matgrad.formula.syntax import Expr, Program
from matgrad.formula.unicode import to_unicode
from matgrad.objects.convert import to_object
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node, Symbol
from matgrad.translate.recover import has_closed_form

if TYPE_CHECKING:
    from matgrad.checking.verify import Check
    from matgrad.objects.array import Array


class Derivative:
    """The derivative of a formula in one or more variables, in a layout.

    ``text`` and ``latex`` can be read back; ``short`` keeps the formula's named intermediates. Called with
    arrays by name, it gives an array. Made by :func:`matgrad.derive`.
    """

    def __init__(
        self,
        formula: Formula,
        wrt: tuple[str, ...],
        layout: str = "mixed",
        symmetric: str = "projected",
        riemannian: bool = False,
        *,
        node: Node | None = None,
        below: Node | None = None,
    ) -> None:
        self.formula = formula
        self.wrt = wrt
        self.layout = layout
        self.symmetric = symmetric
        self.riemannian = riemannian
        convention = RIEMANNIAN if riemannian else symmetric
        variable_of(formula, wrt[-1])
        if below is None or symmetric == "ignore":
            below, node = chain(formula, wrt, convention)
        elif node is None:
            (node,) = one_pass(formula, below, wrt[-1:], convention)
        self._printed = Printed(formula, wrt, layout, convention, below, node)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.formula, self.wrt, self.layout, self.symmetric, self.riemannian))

    # -- what it is

    @property
    def order(self) -> int:
        return len(self.wrt)

    @property
    def node(self) -> Node:
        """Its graph, axes of the output first."""
        return self._printed.node

    @property
    def outputs(self) -> int:
        """The number of axes that are not of the last variable."""
        return self._printed.outputs

    @property
    def expr(self) -> Expr:
        """The formula tree of ``text``, with named intermediates replaced by their values."""
        return self._printed.expr

    @property
    def short_expr(self) -> Expr:
        """The formula tree in terms of the formula's named intermediates."""
        return self._printed.short_expr

    @property
    def reading(self) -> Program:
        """The derivative for a reader: in terms of the formula's intermediates and of names for what it repeats."""
        return self._printed.reading

    @property
    def text(self) -> str:
        """In matgrad's own notation; it can be read back."""
        return self.formula.print(self.expr)

    @property
    def short(self) -> str:
        """Like ``text``, in terms of ``names``: intermediates, long signals δ, and parts that it repeats."""
        return self.formula.print(self.reading.body)

    @property
    def unicode(self) -> str:
        """For reading in a terminal."""
        return to_unicode(self._printed.worded[0])

    @property
    def latex(self) -> str:
        return self.formula.print_latex(self.expr)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"

    @property
    def shape(self) -> tuple[str, ...]:
        """The names of the dimensions of the array."""
        return tuple(str(d) for d in self.expr.dims)

    @property
    def described(self) -> str:
        """What it is called, and its shape: "gradient, shape (n)"."""
        return f"{self.called}, {described(self.expr)}"

    @property
    def called(self) -> str:
        """Gradient, Jacobian, Hessian or derivative."""
        scalar = not self.formula.node.shape
        variables = self._variable_orders
        if scalar and self.order == 1:
            return "gradient" if variables[0] else "derivative"
        if scalar and self.order == 2:
            if self.wrt[0] != self.wrt[1]:
                return "mixed second derivative"
            return "Hessian" if all(variables) else "second derivative"
        if self.order == 1 and len(self.formula.node.shape) == 1 and variables[0] == 1:
            return "Jacobian"
        return "derivative" if self.order == 1 else f"derivative of order {self.order}"

    @cached_property
    def _variable_orders(self) -> tuple[int, ...]:
        return tuple(len(variable_of(self.formula, name).shape) for name in self.wrt)

    @cached_property
    def closed_form(self) -> bool:
        """Whether it is in matrix notation; False where only index notation exists."""
        return has_closed_form(self.expr)

    @cached_property
    def conditions(self) -> tuple[str, ...]:
        """Under which the derivative holds, from the formula as typed."""
        below = [self.below_program.body, self.expr] if self.order > 1 else []
        found = conditions(self.formula.program, self.wrt, self.formula.node_of, self.formula.print, below)
        variable = variable_of(self.formula, self.wrt[-1])
        if self.riemannian and isinstance(variable, Symbol):
            return (metric_text(variable), *found)
        return found

    @property
    def assumed(self) -> tuple[str, ...]:
        """What was assumed about names that are neither declared nor forced."""
        return self.formula.assumed

    @cached_property
    def names(self) -> dict[str, str]:
        """The names that ``short`` uses, with their definitions: intermediates first, then repeated parts."""
        return {name: self.formula.print(value) for name, value in self._printed.reading_definitions}

    @property
    def kronecker(self) -> str | None:
        """With more than two axes: the matrix that acts on vec, with columns stacked, where there is one."""
        found = self._printed.on_vec
        return None if found is None else self.formula.print(found)

    @property
    def matvec(self) -> Action:
        """The action on a direction, as a formula that never forms the derivative."""
        return self._printed.action

    # -- what can be done with it

    def in_layout(self, layout: str) -> Derivative:
        """The same derivative in another layout."""
        check_options(layout, self.symmetric, self.order, self.riemannian)
        options = (layout, self.symmetric, self.riemannian)
        return Derivative(self.formula, self.wrt, *options, node=self.node, below=self._printed.below)

    def derive(self, wrt: str) -> Derivative:
        """The next derivative, or a mixed one, in the same layout.

        >>> import matgrad
        >>> matgrad.jacobian("A*x.^2", "x", layout="vec").derive("x").layout
        'vec'
        """
        check_options(self.layout, self.symmetric, self.order + 1, self.riemannian)
        return Derivative(self.formula, (*self.wrt, wrt), self.layout, self.symmetric, below=self.node)

    def mirrored(self, block: Derivative) -> Derivative:
        """The mixed second derivative of which this is the first step, from the block in the other order: by Schwarz's
        theorem it has the same entries."""
        axes = tuple(range(len(block.node.shape)))
        node = b.einsum([(block.node, axes)], axes[block.outputs :] + axes[: block.outputs])
        return Derivative(self.formula, block.wrt[::-1], self.layout, self.symmetric, node=node, below=self.node)

    def to_sympy(self) -> Any:
        """The derivative in SymPy, an extra. Raises NotSupported for what it cannot hold.

        >>> import matgrad
        >>> matgrad.gradient("tr(A*X)", "X").to_sympy()
        A.T
        """
        from matgrad.interop.to_sympy import to_sympy

        return to_sympy(Program((), self.expr), self.formula.typed.variables, self.formula.typed.functions)

    def object(self) -> Array:
        """The derivative as a Python object, in this layout.

        >>> import matgrad
        >>> matgrad.gradient("norm2(A*x - b)^2", "x").object()[0]
        <(2*A'*(A*x - b))[1]: shape ()>
        """
        return to_object(self.formula.typed, self.expr, {})

    def program(self) -> Program:
        """The derivative in terms of the formula's intermediates, as a program."""
        return self._printed.program

    def root(self) -> Root:
        """What generated code computes."""
        formula = self.formula
        name = self.called.split()[-1].lower() if self.called in ("gradient", "Jacobian", "Hessian") else "derivative"
        signals, ahead = self._printed.signals, self._printed.ahead
        shared = self.node if signals is None else signals.node(self.wrt[0])  # what all gradients have in common
        return Root(shared if ahead is None else ahead, name, formula.typed.variables, formula.typed.functions,
                    formula.sizes_needed(), arranged(self.layout, self.outputs), formula.intermediates,
                    self.order == 1, formula.ranges)  # fmt: skip

    def code(self, backend: str = "numpy") -> str:
        """The source of a function of named arrays."""
        return Compiled(self, backend).source

    @cached_property
    def _compiled(self) -> Compiled:
        return Compiled(self)

    def __call__(self, /, **arrays: Any) -> Any:
        """The derivative at arrays given by name, as an array of its shape (a float for a scalar)."""
        from matgrad.answer.evaluation import value

        return value(self.formula, self.program, self._compiled, arrays)

    def verify(self, points: int = 8, seed: int = 0) -> Check:
        """Compare with a numerical derivative of the formula, or of the printed derivative below, at random points."""
        if points < 1:
            raise MatgradError(f"a check needs one point or more, not {points}", hint="points=8")
        return self._check(points, seed)

    def _check(self, points: int, seed: int, forms: bool = True) -> Check:
        """``verify``, of the printed derivative alone or with its other forms."""
        from matgrad.answer.verifying import check

        return check(self._printed, points, seed, forms)

    @property
    def below_program(self) -> Program:
        """What this is the derivative of, as printed: the formula, or the derivative of the order below."""
        return self._printed.below_program

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain data for JSON."""
        return {
            "formula": self.formula.text,
            "wrt": list(self.wrt),
            "order": self.order,
            "called": self.called,
            "text": self.text,
            "short": self.short,
            "unicode": self.unicode,
            "latex": self.latex,
            "shape": list(self.shape),
            "layout": self.layout,
            "symmetric": self.symmetric,
            "riemannian": self.riemannian,
            "closed_form": self.closed_form,
            "kronecker": self.kronecker,
            "matvec": str(self.matvec) if self.matvec.available else None,
            "conditions": list(self.conditions),
            "assumed": list(self.assumed),
            "names": self.names,
            "variables": self.formula.variables,
        }

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        try:
            return f"<{self.described}: {self.text}>"
        except NotSupported:  # too large to be written out
            return f"<{self.called} of {self.formula!r}>"
