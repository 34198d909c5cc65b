"""A formula as the user holds it: read, typed, printed and evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from matgrad.answer.compiled import Root
from matgrad.answer.domain import on_domain
from matgrad.errors import DataError, MatgradError
from matgrad.formula.declarations import FUNCTION, Declaration, Where
from matgrad.formula.infer import read
from matgrad.formula.latex import to_latex
from matgrad.formula.parser import writes_decimals
from matgrad.formula.printing import ATOM, Piece
from matgrad.formula.ranges import Range, check_ranges, ranges
from matgrad.formula.syntax import Expr, Program, Type
from matgrad.formula.text import to_text, type_text
from matgrad.formula.typed import Typed, Variable
from matgrad.formula.unicode import to_unicode
from matgrad.objects.convert import to_object
from matgrad.tensor import builders as b
from matgrad.tensor import laws as _laws  # noqa: F401  (arms the normal form)
from matgrad.tensor.nodes import Node
from matgrad.tensor.rebuild import rebuild
from matgrad.translate.algebra import call
from matgrad.translate.lower import lower, lower_expression
from matgrad.translate.recover import Recovery

if TYPE_CHECKING:
    from matgrad.certificates.findings import Facts
    from matgrad.latex_input.reading import Reading
    from matgrad.objects.array import Array


class Formula:
    """A typed formula, with its variables and named intermediates.

    >>> f = Formula("norm2(A*x - b)^2")
    >>> f.text, f.kind, f.variables["b"]
    ('norm2(A*x - b)^2', 'scalar', 'vector(m)')
    """

    def __init__(
        self,
        source: str,
        where: Where = None,
        context: Typed | None = None,
        expect: Type | None = None,
        reading: Reading | None = None,
    ) -> None:
        self.source = source
        self.where = dict(where) if isinstance(where, Mapping) else where
        self._context = context
        self._expect = expect
        self.reading = reading
        self.typed = read(source, where, context=context, limits=context is None, expect=expect)
        self.decimals = writes_decimals(source) or "/" not in source
        self.memo: dict[str, Any] = {}
        self.symbols: dict[str, Node] = {
            name: b.symbol(name, v.type.dims, frozenset(v.traits)) for name, v in self.typed.variables.items()
        }
        try:
            self.node, self.intermediates, self._written = lower(self.typed.program, self.symbols)
        except MatgradError as error:
            raise error.located(source) from None

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.source, self.where, self._context, self._expect, self.reading))

    # -- printing

    def print(self, expr: Expr) -> str:
        """Text in the user's way of writing numbers."""
        return to_text(expr, decimals=self.decimals)

    @property
    def program(self) -> Program:
        return self.typed.program

    @property
    def text(self) -> str:
        steps = [f"{name} = {self.print(value)}" for name, value in self.program.definitions]
        return "; ".join([*steps, self.print(self.program.body)])

    @property
    def unicode(self) -> str:
        steps = [f"{to_unicode(_name(name, value))} = {to_unicode(value)}" for name, value in self.program.definitions]
        return "; ".join([*steps, to_unicode(self.program.body)])

    @property
    def latex(self) -> str:
        steps = [(self.print_latex(_name(name, value)), value) for name, value in self.program.definitions]
        return r",\quad ".join(
            [f"{n} = {self.print_latex(v)}" for n, v in steps] + [self.print_latex(self.program.body)]
        )

    def print_latex(self, expr: Expr) -> str:
        """LaTeX, with the names as they were spelled where the formula was read from LaTeX."""
        return to_latex(expr, self._spelled)

    @property
    def spelled(self) -> Mapping[str, str]:
        """The LaTeX of names, as they were spelled where the formula was read from LaTeX."""
        return self.reading.spelled if self.reading is not None else {}

    @cached_property
    def _spelled(self) -> dict[str, Piece]:
        return {name: Piece(ATOM, (latex,)) for name, latex in self.spelled.items()}

    def _repr_latex_(self) -> str:
        return f"${self.latex}$"

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Formula({self.text!r})"

    @property
    def type(self) -> Type:
        assert self.program.body.type is not None
        return self.program.body.type

    @property
    def kind(self) -> str:
        return self.type.kind

    @property
    def shape(self) -> tuple[str, ...]:
        return tuple(str(d) for d in self.type.dims)

    @property
    def variables(self) -> dict[str, str]:
        """Each variable with its declaration."""
        return {name: type_text(v.type, frozenset(v.traits)) for name, v in self.typed.variables.items()}

    @property
    def assumed(self) -> tuple[str, ...]:
        """What was neither declared nor forced, and which reading of LaTeX was taken, in words."""
        return (*self.typed.assumed, *(self.reading.notes if self.reading is not None else ()))

    @property
    def asks(self) -> tuple[str, ...]:
        """The variables of the derivative that LaTeX asked for, ``("x", "x")`` for a Hessian; empty if for none."""
        return self.reading.wrt if self.reading is not None else ()

    # -- use

    def written(self) -> tuple[str, Where]:
        """The text as typed, and the declarations of its names as far as they are known."""
        if self._context is None:
            return self.source, self.where
        known = {name: Declaration(v.type.kind, v.type.dims, v.traits) for name, v in self.typed.variables.items()}
        return self.source, {**known, **dict.fromkeys(self.typed.functions, Declaration(FUNCTION))}

    def to_sympy(self) -> Any:
        """The same in SymPy, an extra: vectors are matrices of one column. Raises NotSupported for what it cannot hold.

        >>> Formula("x'*A*x + tr(A)").to_sympy()
        Trace(x.T*A*x) + Trace(A)
        """
        from matgrad.interop.to_sympy import to_sympy

        return to_sympy(self.program, self.typed.variables, self.typed.functions)

    def object(self) -> Array:
        """The same as a Python object that behaves like a NumPy array.

        >>> p = Formula("softmax(A*x)").object()
        >>> -p[0]
        <-softmax(A*x)[1]: shape ()>
        """
        return to_object(self.typed, self.program.body, dict(self.program.definitions))

    def __call__(self, /, **arrays: Any) -> Any:
        """The value at arrays given by name."""
        from numpy.linalg import LinAlgError

        from matgrad.formula.binding import bind
        from matgrad.formula.reference import evaluate

        bound = bind(self.bound_by(arrays), arrays, functions=self.typed.functions, dimensions=self.sizes_needed())
        check_ranges(self.ranges, bound.sizes)
        try:
            value = evaluate(self.program, bound.arrays, bound.sizes)
        except LinAlgError as error:
            raise DataError(
                f"a matrix that the formula inverts is singular at this point ({error})",
                hint="a point at which it is invertible",
            ) from None
        return value if getattr(value, "ndim", 0) else float(value)

    def bound_by(self, arrays: Mapping[str, Any]) -> list[Variable]:
        """The variables, and those of the context that are given too: their shapes show sizes.

        >>> hessian = Formula("2*(v'*v)*eye", context=Formula("norm2(v)^2*x'*x", "x: vector(3)").typed)
        >>> [v.name for v in hessian.bound_by({"v": [1.0], "x": [1.0, 2.0, 3.0]})]
        ['v', 'x']
        """
        around = self._context.variables if self._context is not None else {}
        given = {name: v for name, v in around.items() if name in arrays}
        return list({**self.typed.variables, **given}.values())

    def root(self) -> Root:
        """What generated code computes."""
        typed = self.typed
        node = on_domain(self.node, self.program, self.node_of)
        return Root(node, "value", typed.variables, typed.functions, self.sizes_needed(), named=self.intermediates,
                    ranges=self.ranges)  # fmt: skip

    @cached_property
    def ranges(self) -> tuple[Range, ...]:
        """Those of its indices that do not lie within their arrays whatever these are: 3:n, 2:5."""
        return tuple(ranges(self.program))

    def facts(self, names: str | Sequence[str] | None = None, *, of: str | None = None) -> Facts:
        """What is certain about the value for all arguments: yes, no or unknown, each with a proof or a counterexample.

        Signs of the entries; of a square matrix symmetric, positive (semi)definite, invertible, orthogonal; and affine,
        convex, concave in ``names`` jointly, the other variables fixed. Without ``names`` each variable is asked
        about, and all of them together. ``of`` names an intermediate to ask about in place of the value.

        >>> print(Formula("norm2(A*x - b)").facts("x")["convex"].holds.value)
        yes
        """
        from matgrad.certificates.findings import facts_of

        return facts_of(self, [names] if isinstance(names, str) else names, of)

    def sizes_needed(self) -> frozenset[str]:
        """Dimension names that occur in the formula: in the shape of a part, or as a number."""
        parts = [e for nodes in self.program.walked() for e in nodes]
        numbers = {e.value for e in parts if e.op == "name" and e.value in self.typed.dimensions}
        return frozenset(numbers | {n for e in parts if e.type for d in e.type.dims for n in d.names})

    def node_of(self, expr: Expr) -> Node:
        """The graph of a part of the formula."""
        return lower_expression(expr, {**self.symbols, **self.intermediates})

    @cached_property
    def recovery(self) -> Recovery:
        """How graphs are read back in this formula's words."""
        return self.reading_with(())

    def reading_with(self, names: Sequence[str], replaced: Mapping[Node, Node] | None = None) -> Recovery:
        """The same where these names occur, too, which stand in front, and where nodes are replaced."""
        order = list(dict.fromkeys([*names, *self._reading_order(), *self.symbols]))
        written = self._written
        if replaced:
            done = dict(replaced)
            written = {rebuild(node, done): expr for node, expr in written.items()}
        return Recovery(order, self._size_names(), written)

    def _reading_order(self) -> list[str]:
        return [n.value for nodes in self.program.walked() for n in nodes if n.op == "name"]

    def _size_names(self) -> dict[str, Expr]:
        """Each dimension as an expression: its declared name, or the size of a variable that has it."""
        found: dict[str, Expr] = {}
        scalar = Type("scalar", ())
        for name in self.typed.dimensions:
            found[name] = Expr("name", value=name, type=scalar)
        for name, variable in self.typed.variables.items():
            functions = ("length",) if len(variable.type.dims) == 1 else ("rows", "cols")
            for function, dim in zip(functions, variable.type.dims, strict=False):
                if str(dim) in dim.names and str(dim) not in found:
                    arg = Expr("name", value=name, type=variable.type)
                    found[str(dim)] = call(function, arg, type=scalar)
        return found


def formula_of(source: str | Formula, where: Where = None) -> Formula:
    """The formula that a text is; one that was read before is taken as it is."""
    return source if isinstance(source, Formula) else Formula(source, where)


def _name(name: str, value: Expr) -> Expr:
    return Expr("name", value=name, type=value.type)
