"""The answer: a derivative that prints itself, evaluates itself, and can be checked and differentiated again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from matgrad.answer.action import Action
from matgrad.answer.compiled import Compiled, Root
from matgrad.answer.differentiation import chain, one_pass, variable_of
from matgrad.answer.formula import Formula, formula_of
from matgrad.answer.layout import LAYOUTS, arranged, described, laid_out, to_mixed, to_vec
from matgrad.answer.reading import bounded, readable
from matgrad.answer.riemannian import RIEMANNIAN
from matgrad.answer.riemannian import in_words as in_metric
from matgrad.answer.signals import LONG, in_words, signals_of
from matgrad.differentiate.conditions import conditions
from matgrad.errors import MatgradError, NotSupported
from matgrad.formula.declarations import Where
from matgrad.formula.syntax import Expr, Program
from matgrad.formula.unicode import to_unicode
from matgrad.functions import CARDS
from matgrad.objects.convert import to_object
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node, Symbol
from matgrad.tensor.rebuild import rebuild
from matgrad.translate.algebra import names, of_order
from matgrad.translate.kronecker import kronecker
from matgrad.translate.naming import with_names
from matgrad.translate.recover import Recovery, has_closed_form

if TYPE_CHECKING:
    from matgrad.checking.verify import Check, Form
    from matgrad.objects.array import Array

SYMMETRIC = ("projected", "entries", "ignore")


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
        variable_of(formula, wrt[-1])
        if below is None or symmetric == "ignore":
            self._below, self._node = chain(formula, wrt, self._convention)
        else:
            self._below = below
            self._node = node if node is not None else one_pass(formula, below, wrt[-1:], self._convention)[0]

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.formula, self.wrt, self.layout, self.symmetric, self.riemannian))

    # -- what it is

    @property
    def order(self) -> int:
        return len(self.wrt)

    @property
    def node(self) -> Node:
        """Its graph, axes of the output first."""
        return self._node

    @property
    def outputs(self) -> int:
        """The number of axes that are not of the last variable."""
        return len(self._below.shape)

    @property
    def _convention(self) -> str:
        return RIEMANNIAN if self.riemannian else self.symmetric

    @cached_property
    def _recovery(self) -> Recovery:
        return self.formula.recovery

    @cached_property
    def expr(self) -> Expr:
        """The formula tree of ``text``, with named intermediates replaced by their values."""
        return self._laid_out(rebuild(self._node, {}, expand=True) if self.formula.intermediates else self._node)

    @cached_property
    def short_expr(self) -> Expr:
        """The formula tree in terms of the formula's named intermediates."""
        return self._laid_out(rebuild(self._node, in_words(self.formula)))

    @cached_property
    def _worded(self) -> tuple[Expr, list[tuple[str, Expr]]]:
        """The formula tree of ``short``, and the names that it may use beside the formula's own: long signals."""
        adjoint = self._convention in ("projected", "entries")
        if self.order == 1 and not self.outputs and self.formula.intermediates and adjoint:
            signals = signals_of(self.formula, self.symmetric)
            if signals.definitions:
                expr = self._laid_out(signals.node(self.wrt[0]))
                if signals.length(expr) > LONG:
                    return expr, list(signals.definitions.items())
        return self.short_expr, []

    def _laid_out(self, node: Node) -> Expr:
        expr = laid_out(bounded(node), self.outputs, self.layout, self._recovery, self._recovery.size)
        return readable(self.formula, expr)

    @property
    def text(self) -> str:
        """In matgrad's own notation; it can be read back."""
        return self.formula.print(self.expr)

    @cached_property
    def reading(self) -> Program:
        """The derivative for a reader: in terms of the formula's intermediates and of names for what it repeats."""
        formula = self.formula
        typed = formula.typed
        taken = {*formula.symbols, *formula.intermediates, *typed.functions, *typed.dimensions, *CARDS}
        body, signals = self._worded
        return Program((), body) if signals else with_names(body, {**formula.symbols, **formula.intermediates}, taken)

    @property
    def short(self) -> str:
        """Like ``text``, in terms of ``names``: intermediates, long signals δ, and parts that it repeats."""
        return self.formula.print(self.reading.body)

    @property
    def unicode(self) -> str:
        """For reading in a terminal."""
        return to_unicode(self._worded[0])

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
            return (in_metric(variable), *found)
        return found

    @property
    def assumed(self) -> tuple[str, ...]:
        """What was assumed about names that are neither declared nor forced."""
        return self.formula.assumed

    @cached_property
    def names(self) -> dict[str, str]:
        """The names that ``short`` uses, with their definitions: intermediates first, then repeated parts."""
        return {name: self.formula.print(value) for name, value in (*self._definitions(), *self.reading.definitions)}

    def _definitions(self) -> list[tuple[str, Expr]]:
        """The intermediates and signals that are needed, directly or not, in order."""
        expr, signals = self._worded
        wanted = set(names(expr))
        needed: list[tuple[str, Expr]] = []
        for name, value in reversed([*self.formula.program.definitions, *signals]):
            if name in wanted:
                needed.append((name, value))
                wanted.update(names(value))
        return needed[::-1]

    @cached_property
    def kronecker(self) -> str | None:
        """With more than two axes: the matrix that acts on vec, with columns stacked, where there is one."""
        found = self._kronecker_expr
        return None if found is None else self.formula.print(found)

    @cached_property
    def _kronecker_expr(self) -> Expr | None:
        if len(self._node.shape) < 3:
            return None
        node = rebuild(self._node, {}, expand=True)
        try:
            found = kronecker(bounded(node), self.outputs, self._recovery.formula, self._recovery.size)
        except NotSupported:
            return None
        return None if found is None else readable(self.formula, found)

    @cached_property
    def matvec(self) -> Action:
        """The action on a direction, as a formula that never forms the derivative."""
        node = self._node
        if self._convention in ("entries", RIEMANNIAN):  # the differential is that of the projected derivative
            node = chain(self.formula, self.wrt, "projected")[1]
        return Action(self.formula, node, self.outputs, self.wrt[-1], free=self.symmetric == "ignore")

    # -- what can be done with it

    def in_layout(self, layout: str) -> Derivative:
        """The same derivative in another layout."""
        check_options(layout, self.symmetric, self.order, self.riemannian)
        options = (layout, self.symmetric, self.riemannian)
        return Derivative(self.formula, self.wrt, *options, node=self._node, below=self._below)

    def derive(self, wrt: str) -> Derivative:
        """The next derivative, or a mixed one, in the same layout.

        >>> import matgrad
        >>> matgrad.jacobian("A*x.^2", "x", layout="vec").derive("x").layout
        'vec'
        """
        check_options(self.layout, self.symmetric, self.order + 1, self.riemannian)
        return Derivative(self.formula, (*self.wrt, wrt), self.layout, self.symmetric, below=self._node)

    def mirrored(self, block: Derivative) -> Derivative:
        """The mixed second derivative of which this is the first step, from the block in the other order: by Schwarz's
        theorem it has the same entries."""
        axes = tuple(range(len(block.node.shape)))
        node = b.einsum([(block.node, axes)], axes[block.outputs :] + axes[: block.outputs])
        return Derivative(self.formula, block.wrt[::-1], self.layout, self.symmetric, node=node, below=self._node)

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
        return Program(tuple(self._definitions()), self._worded[0])

    def root(self) -> Root:
        """What generated code computes."""
        formula = self.formula
        name = self.called.split()[-1].lower() if self.called in ("gradient", "Jacobian", "Hessian") else "derivative"
        return Root(self._shared, name, formula.typed.variables, formula.typed.functions, formula.sizes_needed(),
                    arranged(self.layout, self.outputs), formula.intermediates, self.order == 1)  # fmt: skip

    @cached_property
    def _shared(self) -> Node:
        """The graph in terms of the intermediates, and of signals that all gradients of the formula have in common."""
        adjoint = self._convention in ("projected", "entries")
        if self.order == 1 and not self.outputs and self.formula.intermediates and adjoint:
            signals = signals_of(self.formula, self.symmetric)
            if signals.definitions:
                return signals.node(self.wrt[0])
        return self._node

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
        from matgrad.answer.evaluation import check
        from matgrad.checking.sampling import Subject

        variable = variable_of(self.formula, self.wrt[-1])
        traits = variable.traits if isinstance(variable, Symbol) else frozenset()
        wrt = Subject(self.wrt[-1], of_order(variable.shape), traits)
        printed = self._written
        arrange = to_mixed(self.layout, self.outputs)
        below = self.below_program
        others = self._forms() if forms else []
        return check(self.formula, below, printed, wrt, self._convention, arrange, others, points, seed)

    @property
    def _written(self) -> Program:
        """What is checked: ``text``, or the program behind ``short`` where the text is too large to be written."""
        try:
            return Program(self.formula.program.definitions, self.expr)
        except NotSupported:
            return self.program()

    def _forms(self) -> list[Form]:
        """What else is printed: the matrix on vec, and the action on a direction."""
        import numpy as np

        from matgrad.checking.verify import Form

        found = []
        definitions = self.formula.program.definitions
        if self._kronecker_expr is not None:
            found.append(Form(Program(definitions, self._kronecker_expr), to_vec(self.outputs)))
        if self._convention not in ("entries", RIEMANNIAN) and self.matvec.available:
            axes = len(self._node.shape) - self.outputs
            action = Program(definitions, self.matvec.expr)
            found.append(Form(action, lambda array, d: np.tensordot(array, d, axes), self.matvec.subject))
        return found

    @property
    def below_program(self) -> Program:
        """What this is the derivative of, as printed: the formula, or the derivative of the order below."""
        if self.order == 1:
            return self.formula.program
        return Program(self.formula.program.definitions, self._recovery.formula(self._below))

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


def check_options(layout: str, symmetric: str, order: int, riemannian: bool = False) -> None:
    """Refuse unknown options, naming the known ones."""
    if layout not in LAYOUTS:
        raise MatgradError(f"unknown layout {layout!r}", hint=", ".join(LAYOUTS))
    if symmetric not in SYMMETRIC:
        raise MatgradError(f"unknown convention {symmetric!r} for symmetric variables", hint=", ".join(SYMMETRIC))
    if riemannian and symmetric != "projected":
        raise MatgradError("riemannian=True and another convention cannot be had at once", hint='symmetric="projected"')
    if not isinstance(order, int) or isinstance(order, bool) or not 1 <= order <= 4:
        raise MatgradError(f"the order of a derivative is 1, 2, 3 or 4, not {order!r}", hint="order=2, for a Hessian")
    if order > 1 and symmetric == "entries":
        raise NotSupported('symmetric="entries" is defined for gradients only', hint='symmetric="projected"')
    if order > 1 and riemannian:
        raise NotSupported("riemannian=True is defined for gradients only", hint="riemannian=False")


def derivative_of(
    source: str | Formula,
    wrt: Sequence[str],
    where: Where,
    order: int,
    layout: str,
    symmetric: str,
    riemannian: bool = False,
) -> list[Derivative]:
    """One formula, its derivatives in several names."""
    check_options(layout, symmetric, order, riemannian)
    formula = formula_of(source, where)
    convention = RIEMANNIAN if riemannian else symmetric
    nodes = one_pass(formula, formula.node, wrt, convention) if order == 1 else [None] * len(wrt)
    below = formula.node if order == 1 else None
    return [
        Derivative(formula, (name,) * order, layout, symmetric, riemannian, node=node, below=below)
        for name, node in zip(wrt, nodes, strict=True)
    ]


def derivative_in(
    formula: Formula, wrt: Sequence[str], layout: str, symmetric: str, riemannian: bool = False
) -> Derivative:
    """The derivative in several variables, one after the other.

    >>> derivative_in(Formula("x'*A*y"), ["x", "y"], "mixed", "projected").text
    'A'
    """
    check_options(layout, symmetric, len(wrt), riemannian)
    return Derivative(formula, tuple(wrt), layout, symmetric, riemannian)
