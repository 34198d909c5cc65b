"""The backward style: one signal ∂L/∂v for each intermediate and parameter, from the last to the first.

The signal of v is the sum, over the formulas that use v, of their signals carried back through one step. Each step is
the transpose of one local differential, in terms of the signals before it: the work is linear in the depth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from matgrad.answer.formula import Formula
from matgrad.differentiate.transpose import derivatives
from matgrad.explaining.collecting import Coefficients
from matgrad.explaining.laws import differential
from matgrad.explaining.lines import ANSWER, GIVEN, LET, STEP, Law, Line
from matgrad.explaining.naming import Naming, needed
from matgrad.explaining.trees import named, varies
from matgrad.formula.syntax import MATRIX, SCALAR, VECTOR, Expr, Program, walk
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node
from matgrad.translate.algebra import of_order

_OUTER = Law("outer product of the signal and the layer's input", "y = W*x", "∂L/∂W = (∂L/∂y)*x'")
_WEIGHTS = Law("transposed weights times the signal", "y = W*x", "∂L/∂x = W'*∂L/∂y")
_BATCH_WEIGHTS = Law("signal, times the other factor transposed", "Y = A*B", "∂L/∂A = (∂L/∂Y)*B', ∂L/∂B = A'*∂L/∂Y")
_PASSES = Law("a sum passes its signal on", "y = u + v", "∂L/∂u = ∂L/∂y")
_ROWS = Law(
    "a sum over copies adds their signals up", "y = u + c*vector(1)", "the copies of one value share its change"
)
_SCALED = Law("a linear step, transposed", "y = L(u)", "∂L/∂u = L'*∂L/∂y")
_ENTRYWISE = Law("entrywise product with the other factor", "y = u.*v", "∂L/∂u = ∂L/∂y .* v")
_SEVERAL = Law("sum over all uses", "dL = u'*dy + v'*dz", "the chain rule adds up over the formulas that use a value")


class Backward:
    """The forward program, its signals, and the lines of the table."""

    def __init__(self, formula: Formula, wrt: Sequence[str]) -> None:
        self.formula = formula
        self.wrt = list(wrt)
        typed = formula.typed
        taken = {*typed.variables, *typed.intermediates, *typed.functions, *typed.sizes, "L", "d"}
        source = needed(formula.program, wrt)
        outer = [n for n in wrt if n in typed.intermediates]
        self.function = next(c for c in ("L", "f", "F", "φ", "L_") if c not in {*typed.variables, *typed.intermediates})
        program = source if len(source.definitions) > 40 else Naming(source, wrt, taken, every=True).run()
        self.program: Program = needed(program, outer)
        self.types = {name: v.type for name, v in typed.variables.items()}
        self.types |= {name: value.type for name, value in self.program.definitions if value.type is not None}
        self.varying = self._varying()
        self.coefficients = Coefficients(formula, self.program, {}, facts=False)
        for name in self.varying:
            self.coefficients.add(self.signal_name(name), self.types[name])

    def _varying(self) -> list[str]:
        """Parameters and the intermediates that depend on them."""
        found = dict.fromkeys(self.wrt)
        for name, value in self.program.definitions:
            if varies(value, found):
                found[name] = None
        return list(found)

    def signal_name(self, name: str) -> str:
        return f"∂{self.function}/∂{name}"

    def signal(self, name: str) -> Expr:
        return named(self.signal_name(name), of_order(self.types[name].dims))

    def lines(self) -> list[Line]:
        loss = named(self.function, self.program.body.type)
        typed = {name for name, _ in self.formula.program.definitions}
        lines = [Line(GIVEN, loss, self.program.body, Law("as given"))]
        for name, value in self.program.definitions:
            lines.append(
                Line(LET, named(name, value.type), value, Law("as given" if name in typed else "abbreviation"))
            )
        return lines + [self._line(name) for name in self.order()]

    def order(self) -> list[str]:
        """The signals, last first: a parameter's comes as soon as all formulas that use it have theirs."""
        self.users: dict[str, list[int]] = {}
        parts = [value for _, value in self.program.definitions] + [self.program.body]
        varying = set(self.varying)
        names = [name for name, _ in self.program.definitions]
        for k in range(len(parts) - 1, -1, -1):
            part = parts[k]
            if not varies(part, varying) or (k < len(names) and names[k] not in self.users):
                continue
            for name in dict.fromkeys(n.value for n in walk(part) if n.op == "name" and n.value in varying):
                if varies(part, [name]):
                    self.users.setdefault(name, []).insert(0, k)
        by_first: dict[int, list[str]] = {}
        for name in self.wrt:
            if name not in dict(self.program.definitions) and name in self.users:
                by_first.setdefault(min(self.users[name]), []).append(name)
        unused = [name for name in self.wrt if name not in self.users]
        order = [*unused, *by_first.get(len(parts) - 1, [])]
        for k in range(len(self.program.definitions) - 1, -1, -1):
            name = self.program.definitions[k][0]
            if name in self.users and name in varying:
                order.append(name)
            order += by_first.get(k, [])
        return order

    def _line(self, name: str) -> Line:
        total, laws = [], []
        for k in self.users.get(name, []):
            user = self.program.body if k == len(self.program.definitions) else self.program.definitions[k][1]
            total.append(
                self._carried(user, None if user is self.program.body else self.program.definitions[k][0], name)
            )
            laws.append(rule_of(user, name))
        shape = self.types[name].dims
        right = self.coefficients.formula(b.add(total) if total else b.zeros(shape))
        law = laws[0] if len(laws) == 1 else _SEVERAL
        if len(laws) > 1:
            law = law._replace(rule=f"{law.rule}: " + ", ".join(dict.fromkeys(found.rule for found in laws)))
        remark = f"shape ({', '.join(map(str, shape))})" if shape else "scalar"
        part = ANSWER if name in self.wrt else STEP
        return Line(part, self.signal(name), right, law, None, (), remark=remark)

    def _carried(self, user: Expr, owner: str | None, name: str) -> Node:
        """The signal of a formula, carried back to one of the names in it."""
        node = self.coefficients.node(user)
        if owner is not None:
            axes = tuple(range(len(node.shape)))
            node = b.einsum([(self.coefficients.symbols[self.signal_name(owner)], axes), (node, axes)], (), Fraction(1))
        variable = self.coefficients.symbols[name]
        return derivatives(node, [variable], "projected" if name in self.formula.symbols else "ignore")[0]


def rule_of(user: Expr, name: str) -> Law:
    """What the transposed step is called: the law of the first operation on the way to the name that is not linear."""
    node = user
    while True:
        law, _ = differential(node, {name: "d" + name})
        if law is not None and law.rule != "product rule":
            return law
        inner = [arg for arg in node.args if varies(arg, [name])]
        if node.op == "product" and len(inner) == 1:
            found = _product_rule(node, name)
            if found is not None or inner[0].op == "name":
                return found or _SCALED
        if len(inner) != 1:
            return law or _SEVERAL
        if node.op == "add" and inner[0].op == "name":
            return _PASSES if inner[0].kind == node.kind else _ROWS
        if inner[0].op in ("name", "transpose") and node.op not in ("neg", "add"):
            return _SCALED
        node = inner[0]
        if node.op == "name":
            return _PASSES


def _product_rule(node: Expr, name: str) -> Law | None:
    place = next(k for k, arg in enumerate(node.args) if varies(arg, [name]))
    factor = node.args[place]
    bare = factor.args[0] if factor.op == "transpose" else factor
    if bare.op != "name":
        return None
    operators = set(node.value)
    if operators & {".*", "./"}:
        return _ENTRYWISE
    if operators != {"*"}:
        return None
    others = [arg.kind for k, arg in enumerate(node.args) if k != place and arg.kind != SCALAR]
    if bare.kind == MATRIX and node.kind == VECTOR and VECTOR in others:
        return _OUTER
    if bare.kind == VECTOR and node.kind == VECTOR and MATRIX in others:
        return _WEIGHTS
    if bare.kind == MATRIX and node.kind == MATRIX and MATRIX in others:
        return _BATCH_WEIGHTS
    return None


def signals(lines: Sequence[Line]) -> Iterator[Line]:
    return (line for line in lines if line.part in (STEP, ANSWER))
