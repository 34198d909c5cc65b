"""The backward style: one signal ∂L/∂v for each intermediate and parameter, from the last to the first.

The signal of v is the sum, over the formulas that use v, of their signals carried back through one step. Each step is
the transpose of one local differential, in terms of the signals before it: the work is linear in the depth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from matgrad.answer.formula import Formula
from matgrad.differentiate.transpose import derivatives
from matgrad.explaining.backward_rules import rules_of
from matgrad.explaining.collecting import Coefficients
from matgrad.explaining.lines import ANSWER, GIVEN, LET, STEP, Law, Line, Path
from matgrad.explaining.naming import needed
from matgrad.explaining.step_names import StepNaming
from matgrad.explaining.trees import named, sizes_by_name, varies
from matgrad.formula.syntax import MATRIX, SCALAR, SCALAR_TYPE, VECTOR, Call, Expr, Program, walk
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Map, Node, Symbol, topological
from matgrad.tensor.rebuild import rebuild
from matgrad.translate.algebra import call, of_order, transposed
from matgrad.translate.lower import lower_expression

_HALF = Fraction(1, 2)
_SEVERAL = Law(
    "sum over all uses",
    "L = f(y(u), z(u)) gives dL = ∂L/∂y'*dy + ∂L/∂z'*dz",
    "the chain rule adds up over the formulas that use a value",
)
_UNUSED = Law("not used: its signal is zero", "", "L does not depend on it")
_SPACES = {
    "symmetric": Law("the symmetric part", "∂L/∂S = (G + G')/2", "dS is symmetric, so that only this part acts on it"),
    "diagonal": Law("the diagonal part", "", "dD is diagonal, so that only this part acts on it"),
    "lower": Law("the lower triangle", "", "dL is lower triangular, so that only this part acts on it"),
    "upper": Law("the upper triangle", "", "dU is upper triangular, so that only this part acts on it"),
}


class Use(NamedTuple):
    """A formula in which a value is used: its name (None: the loss), and the formula."""

    owner: str | None
    value: Expr


class Backward:
    """The forward program, its signals, and the lines of the table."""

    def __init__(self, formula: Formula, wrt: Sequence[str]) -> None:
        self.formula = formula
        self.wrt = list(wrt)
        typed = formula.typed
        taken = {*typed.variables, *typed.intermediates, *typed.functions, *typed.sizes, "d"}
        self.function = next((c for c in ("L", "f", "F", "φ") if c not in taken), "L_")
        source = needed(formula.program, wrt)
        naming = StepNaming(source, wrt, taken | {self.function})
        program = needed(naming.run(), [n for n in wrt if n in typed.intermediates])
        self.taken = {*typed.variables, *typed.functions, self.function, *(name for name, _ in program.definitions)}
        self.program: Program = _with_sizes_by_name(program, self.taken)
        self.types = {name: v.type for name, v in typed.variables.items()}
        self.types |= {name: value.type for name, value in self.program.definitions if value.type is not None}
        self.varying = self._varying()
        self.coefficients = Coefficients(formula, self.program, {}, free=self.wrt)
        self.nodes: dict[str | None, Node] = {}
        self.values = self._values()
        self.uses = self._uses()
        self.free: dict[str, str] = {}  # the names of signals as if their variables were free
        self.owners = {self.signal_name(name): name for name in self.varying}

    def _varying(self) -> list[str]:
        """Parameters and the intermediates that depend on them."""
        found = dict.fromkeys(self.wrt)
        for name, value in self.program.definitions:
            if varies(value, found):
                found[name] = None
        return list(found)

    def _values(self) -> dict[Node, Node]:
        """The graph of each value that has a name, with the name: 1 − tanh(z)² is 1 − a² where a = tanh(z)."""
        known: dict[Node, Node] = {}
        for name, value in [*self.program.definitions, (self.function, self.program.body)]:
            node = self.coefficients.node(value)
            self.nodes[None if value is self.program.body else name] = node
            if name == self.function and not isinstance(node, Symbol):
                self.coefficients.add(name, SCALAR_TYPE)
            symbol = self.coefficients.symbols.get(name)
            if symbol is None or isinstance(node, Symbol) or value.op in ("add", "neg", "index", "stack"):
                continue
            known.setdefault(node, symbol)
            if isinstance(node, Map) and node.function == "power" and node.parameter == _HALF:
                # of a root s = √u: 1/√u is 1/s, and so on
                for twice in (-3, -2, -1, 3):
                    known.setdefault(b.power(node.args[0], twice * _HALF), b.power(symbol, Fraction(twice)))
            if value.op == "call" and value.value.name == "sigmoid":
                # the one function of which 1 − f(x) has a normal form of its own, f(−x)
                other = b.map_("sigmoid", [b.scaled(self.coefficients.node(value.args[0]), Fraction(-1))])
                known.setdefault(other, b.add([b.number(1, symbol.shape), b.scaled(symbol, Fraction(-1))]))
        return known

    def _uses(self) -> dict[str, list[Use]]:
        """Where each value is used, leaving out what the loss does not depend on."""
        varying = set(self.varying)
        uses: dict[str, list[Use]] = {}
        for owner, value in [(None, self.program.body), *reversed(self.program.definitions)]:
            if owner is not None and owner not in uses:
                continue
            for name in dict.fromkeys(n.value for n in walk(value) if n.op == "name" and n.value in varying):
                if varies(value, [name]):
                    uses.setdefault(name, []).insert(0, Use(owner, value))
        for found in uses.values():
            found.sort(key=lambda use: use.owner is None)
        return uses

    def signal_name(self, name: str) -> str:
        return f"∂{self.function}/∂{name}"

    def signal(self, name: str) -> Expr:
        return named(self.signal_name(name), of_order(self.types[name].dims))

    # -- the lines

    def lines(self) -> list[Line]:
        loss = named(self.function, self.program.body.type)
        typed = {name for name, _ in self.formula.program.definitions}
        lines = [Line(GIVEN, loss, self.program.body, Law("as given"))]
        for name, value in self.program.definitions:
            law = Law("as given" if name in typed else "abbreviation")
            lines.append(Line(LET, named(name, value.type), value, law))
        for name in self.order():
            lines += self._lines(name)
        return lines

    def order(self) -> list[str]:
        """The signals, last first: a parameter's comes as soon as all formulas that use it have theirs."""
        place = {name: k for k, (name, _) in enumerate(self.program.definitions)}
        last = len(place)
        first_use = {name: min(place.get(use.owner or "", last) for use in uses) for name, uses in self.uses.items()}
        by_first: dict[int, list[str]] = {}
        for name in self.wrt:
            if name not in place and name in first_use:
                by_first.setdefault(first_use[name], []).append(name)
        order = [*(name for name in self.wrt if name not in self.uses), *by_first.get(last, [])]
        varying = set(self.varying)
        for k, (name, _) in reversed(list(enumerate(self.program.definitions))):
            if name in self.uses and name in varying:
                order.append(name)
            order += by_first.get(k, [])
        return order

    def _lines(self, name: str) -> list[Line]:
        """The signal of one value; for a symmetric or triangular variable first as if it were free."""
        uses = self.uses.get(name, [])
        shape = self.types[name].dims
        variable = self.coefficients.symbols[name]
        total = b.add([self._carried(use, variable) for use in uses]) if uses else b.zeros(shape)
        right = self._shown(total)
        before, where = self._before(uses, name)
        rules = list(dict.fromkeys(rule for use in uses for rule in rules_of(use.value, name)))
        law = rules[0] if len(rules) == 1 and len(uses) == 1 else _SEVERAL if uses else _UNUSED
        part = ANSWER if name in self.wrt else STEP
        remark = f"shape ({', '.join(map(str, shape))})" if shape else "scalar"
        if law is _SEVERAL:
            law = law._replace(rule=f"{law.rule}: " + ", ".join(rule.rule for rule in rules))
        answer = self._on_space(uses, name)
        if answer is None or answer is total:
            self._add_signal(name, total)
            return [Line(part, self.signal(name), right, law, before, where, remark=remark)]
        right = self._shown(self._as_if_free(uses, name))
        free = named(self._fresh("GHKM"), of_order(shape))
        self.free[free.value] = name
        self.coefficients.add(free.value, of_order(shape))
        on_space, space = self._projected(self.coefficients.symbols[free.value], name)
        self._add_signal(name, answer)
        aside = f"as if {name} were free; {remark}"
        return [
            Line(STEP, free, right, law, before, where, remark=aside),
            Line(part, self.signal(name), on_space, space, free, ((),), remark=remark),
        ]

    def _add_signal(self, name: str, node: Node) -> None:
        traits = frozenset({"symmetric"}) if b.is_symmetric(node) else frozenset[str]()
        self.coefficients.add(self.signal_name(name), self.types[name], traits)

    def _fresh(self, letters: str) -> str:
        count = 0
        while True:
            for letter in letters:
                name = f"{letter}{count or ''}"
                if name not in self.taken and name not in self.formula.typed.sizes:
                    self.taken.add(name)
                    return name
            count += 1

    def _carried(self, use: Use, variable: Node, symmetric: str = "ignore") -> Node:
        """The signal of a formula, carried back to one of the names in it."""
        node = self.nodes[use.owner]
        if use.owner is not None:
            axes = tuple(range(len(node.shape)))
            signal = self.coefficients.symbols[self.signal_name(use.owner)]
            node = b.einsum([(signal, axes), (node, axes)], (), Fraction(1))
        return derivatives(node, [variable], symmetric)[0]

    def _as_if_free(self, uses: Sequence[Use], name: str) -> Node:
        """The signal of a symmetric or triangular variable if all its entries were free."""
        variable = self.coefficients.symbols[name]
        free = b.symbol(name, variable.shape)
        found = []
        for use in uses:
            node = lower_expression(use.value, {**self.coefficients.symbols, name: free})
            if use.owner is not None:
                axes = tuple(range(len(node.shape)))
                signal = self.coefficients.symbols[self.signal_name(use.owner)]
                node = b.einsum([(signal, axes), (node, axes)], (), Fraction(1))
            found.append(derivatives(node, [free], "ignore")[0])
        return rebuild(b.add(found), {free: variable})

    def _on_space(self, uses: Sequence[Use], name: str) -> Node | None:
        """The signal on the space of a variable that is symmetric, diagonal or triangular."""
        variable = self.coefficients.symbols[name]
        if name not in self.formula.symbols or not isinstance(variable, Symbol) or not uses:
            return None
        if not variable.traits & set(_SPACES):
            return None
        return b.add([self._carried(use, variable, "projected") for use in uses])

    def _projected(self, free: Node, name: str) -> tuple[Expr, Law]:
        """The part of a free signal that acts on the variable's space, and what it is called."""
        variable = self.coefficients.symbols[name]
        assert isinstance(variable, Symbol)
        axes = tuple(range(len(variable.shape)))
        pair = b.einsum([(free, axes), (variable, axes)], (), Fraction(1))
        trait = next(t for t in ("diagonal", "lower", "upper", "symmetric") if t in variable.traits)
        law = _SPACES[trait]
        if trait == "symmetric":
            law = law._replace(law=f"{law.law}".replace("S", name), reason=law.reason.replace("S", name))
        return self._shown(derivatives(pair, [variable], "projected")[0]), law

    def _shown(self, node: Node) -> Expr:
        """The signal in words: values that have names are written with them."""
        known = {part: self.values[part] for part in topological(node) if part in self.values}
        found = rebuild(node, known) if known else node
        return sizes_by_name(self.coefficients.formula(found), self.taken)

    def _before(self, uses: Sequence[Use], name: str) -> tuple[Expr | None, tuple[Path, ...]]:
        """∂/∂v of what v acts on, Σ ⟨∂L/∂y, y(v)⟩ with the signals kept fixed, and where the y(v) are in it."""
        terms, places = [], []
        for use in uses:
            pair, place = (use.value, (0,)) if use.owner is None else self._pairing(use.owner, use.value)
            terms.append(Expr("call", (pair,), Call(f"∂/∂{name}"), type=of_order(self.types[name].dims)))
            places.append(place)
        if len(terms) < 2:
            return (terms[0] if terms else None), tuple(places)
        whole = Expr("add", tuple(terms), type=terms[0].type)
        return whole, tuple((k, *place) for k, place in enumerate(places))

    def _pairing(self, owner: str, value: Expr) -> tuple[Expr, Path]:
        signal = self.signal(owner)
        if value.kind == SCALAR:
            return Expr("product", (signal, value), ("*",), type=SCALAR_TYPE), (0, 1)
        if value.kind == MATRIX:
            inner = Expr("product", (transposed(signal), value), ("*",), type=of_order((value.dims[1],) * 2))
            return call("tr", inner, type=SCALAR_TYPE), (0, 0, 1)
        pair = (transposed(signal), value) if value.kind == VECTOR else (value, signal)
        return Expr("product", pair, ("*",), type=SCALAR_TYPE), (0, 1 if value.kind == VECTOR else 0)


def _with_sizes_by_name(program: Program, taken: set[str]) -> Program:
    definitions = tuple((name, sizes_by_name(value, taken)) for name, value in program.definitions)
    return Program(definitions, sizes_by_name(program.body, taken))


def signals(lines: Sequence[Line]) -> Iterator[Line]:
    return (line for line in lines if line.part in (STEP, ANSWER))
