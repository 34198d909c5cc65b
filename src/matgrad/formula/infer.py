"""Kinds, shapes and variables of a parsed formula.

>>> typed = read("norm2(A*x - b)^2")
>>> {name: v.type.kind for name, v in typed.variables.items()}
{'A': 'matrix', 'x': 'vector', 'b': 'vector'}
>>> typed.assumed[2]
'b: vector(m), assumed from A*x - b'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NoReturn

from matgrad.dims import Dim
from matgrad.errors import MatgradError, ShapeError
from matgrad.formula.calls import check_names, sized_names
from matgrad.formula.clash import explain
from matgrad.formula.clash_hints import Scene
from matgrad.formula.declarations import FUNCTION, Declaration, Where, parse_declarations
from matgrad.formula.kinds import Kinds, Limit, postorder
from matgrad.formula.parser import parse_program
from matgrad.formula.ranges import only_components, range_of
from matgrad.formula.readings import Reading, first_clash, solve
from matgrad.formula.shapes import Clash, Shapes
from matgrad.formula.size_names import name_sizes
from matgrad.formula.sizes import unknowns
from matgrad.formula.syntax import VECTOR, Call, Expr, Program, Type, fold, index_items, walk
from matgrad.formula.text import declaration_text
from matgrad.formula.typed import Typed, Variable


def read(
    text: str,
    where: Where = None,
    *,
    context: Typed | None = None,
    limits: bool = True,
    expect: Type | None = None,
) -> Typed:
    """Parse and type a formula.

    ``context`` lends its names (to read an answer back), ``expect`` the shape of the value.
    """
    program = parse_program(text, limits=limits)
    return infer(program, parse_declarations(where), text, context=context, expect=expect)


def infer(
    program: Program,
    declarations: Mapping[str, Declaration],
    source_text: str,
    *,
    context: Typed | None = None,
    expect: Type | None = None,
) -> Typed:
    """The program with types, after the rules for names that nobody declared."""
    try:
        return _Inference(program, declarations, source_text, context, expect).run()
    except MatgradError as error:
        error.located(source_text) if error.span is not None else None
        raise


class _Inference:
    def __init__(
        self,
        program: Program,
        declarations: Mapping[str, Declaration],
        source: str,
        context: Typed | None,
        expect: Type | None,
    ) -> None:
        self.source = source
        self.expect = expect
        self.declared = {n: d for n, d in declarations.items() if d.kind != FUNCTION}
        self.known: dict[str, Type] = {}
        self.context = context
        self.functions = frozenset(n for n, d in declarations.items() if d.kind == FUNCTION)
        self.dimensions = frozenset(name for d in declarations.values() for dim in d.dims or () for name in dim.names)
        if context is not None:
            self.known = {n: v.type for n, v in context.variables.items()} | context.intermediates
            self.known = {n: t for n, t in self.known.items() if n not in declarations}
            self.functions |= context.functions
            self.dimensions |= context.sizes
        self.notes: list[str] = []
        defined = [name for name, _ in program.definitions]
        taken = {*self.declared, *self.known, *defined, *self.functions}
        walked = program.walked()
        if "I" not in taken and "I" not in self.dimensions and _has_identity(walked):
            program = self._with_identity(program)
            walked = program.walked()
        self.program = program
        self.dimensions |= sized_names(walked, taken)
        check_names(program, walked, source, declarations, set(self.known), self.functions, self.dimensions)
        fixed = {n: d.kind for n, d in self.declared.items()} | {n: t.kind for n, t in self.known.items()}
        self.kinds = Kinds(program, walked, fixed, self.functions, self.dimensions)
        self.values = [value for _, value in self.program.definitions] + [self.program.body]
        self.names: dict[str, Type] = {}

    def _with_identity(self, program: Program) -> Program:
        """An undeclared ``I`` is the identity matrix."""
        self.notes.append("I is read as the identity matrix")

        def visit(node: Expr, args: list[Expr]) -> Expr:
            if node.op == "name" and node.value == "I":
                return Expr("call", (), Call("eye"), node.span)
            return node.replace(args=tuple(args)) if args else node

        return Program(
            tuple((name, fold(value, visit)) for name, value in program.definitions), fold(program.body, visit)
        )

    def run(self) -> Typed:
        reading = solve(self.kinds)
        limit: Limit | None = None
        if reading is None:
            limit, reading = first_clash(self.kinds)
        shapes = self._shapes(reading)
        try:
            self._visit_all(shapes, limit)
        except Clash as clash:
            raise self._explained(clash, shapes) from None
        named = self._named_sizes(shapes)
        return self._typed(shapes, named, reading)

    def _shapes(self, reading: Reading) -> Shapes:
        kinds = {node: reading.kinds[variable] for node, variable in self.kinds.of_node.items()}
        shapes = Shapes(kinds, self.names, self.functions)
        largest = only_components(self.kinds.nodes)
        defined = {name for name, _ in self.program.definitions}
        for name, variable in self.kinds.of_name.items():
            if name in defined:
                continue
            kind = reading.kinds[variable]
            declared = self.declared.get(name)
            if name in self.known:
                self.names[name] = self.known[name]
            elif declared is not None and declared.dims is not None:
                self.names[name] = Type(kind, declared.dims)
            elif name in largest and kind == VECTOR:
                self.names[name] = Type(kind, (largest[name],))
            else:
                type = shapes.fresh(kind)
                square = declared is not None and declared.square
                self.names[name] = Type(kind, (type.dims[0], type.dims[0])) if square else type
        return shapes

    def _visit_all(self, shapes: Shapes, limit: Limit | None) -> None:
        """Types for all nodes; where kinds clash (``limit``), that clash."""
        names = [name for name, _ in self.program.definitions]
        for name, value in zip([*names, None], self.values, strict=True):
            for node in postorder(value):
                if limit is not None and node is limit.node:
                    shapes.visit(node)  # finds the clash itself, with the types that it has
                    self._undecided(limit, shapes)
                shapes.visit(node)
            if name is not None:
                self.names[name] = shapes.type_of(value)
        if self.expect is not None:
            self._expected(shapes, self.expect)
        unsolved = shapes.sizes.settle()
        if unsolved is None and shapes.sizes.later:
            shapes.sizes.align()
            unsolved = shapes.sizes.settle()
        if isinstance(unsolved, Clash):
            raise unsolved
        if shapes.sizes.later:
            raise self._unsized(shapes, shapes.sizes.later[0][2])

    def _unsized(self, shapes: Shapes, pending: object) -> ShapeError:
        """Sizes that equations between polynomials leave open, and the names that would settle them."""
        node = pending.node if isinstance(pending, Clash) else None
        open_names = [] if node is None else dict.fromkeys(
            part.value for part in walk(node) if part.op == "name" and part.value in self.names
            and any(unknowns(shapes.sizes.resolve(d)) for d in self.names[part.value].dims)
        )  # fmt: skip
        defined = {name for name, _ in self.program.definitions}
        dots = {name: ", ".join("…" for _ in self.names[name].dims) for name in open_names if name not in defined}
        words = [f"{name}: {self.names[name].kind}({sizes})" for name, sizes in dots.items()]
        return ShapeError(
            "these sizes cannot be told from the formula",
            source=self.source,
            span=node.span if node is not None else None,
            hint=f"declarations with sizes: {'; '.join(words)}" if words else "declarations, such as X: matrix(m,n)",
        )

    def _undecided(self, limit: Limit, shapes: Shapes) -> NoReturn:
        """The operations of a node fit, but not what a bare name must be there (a vector in ``x'``)."""
        node = limit.node
        name = next((n for n, v in self.kinds.of_name.items() if limit.variables == (v,)), None)
        if name is None or name not in self.names:
            what = "what the names here are cannot be told from the formula"
            raise ShapeError(what, span=node.span, hint="declarations, such as x: vector(n); A: matrix(m,n)")
        found, needed = self.names[name].kind, limit.relation.kinds()[0]
        details = [f"{found} in {text}" for text in self._uses(name, shapes) if text != self._text(node)][:1]
        details.append(f"{needed} in {self._text(node)}")
        raise ShapeError(
            f"{name} is used as a {found} and as a {needed}",
            source=self.source,
            span=node.span,
            details=f"{name}  " + "        ".join(details),
            hint=f"a declaration: {name}: {found}",
        )

    def _uses(self, name: str, shapes: Shapes) -> list[str]:
        """The parts in which a name stands, as far as they have types."""
        return [self._text(use) for use in self.kinds.uses.get(name, ()) if id(use) in shapes.types]

    def _text(self, node: Expr) -> str:
        return " ".join(self.source[slice(*node.span)].split()) if node.span else node.op

    def _expected(self, shapes: Shapes, expect: Type) -> None:
        """Let the expected shape size what the formula leaves open; whether it fits is for the caller to say."""
        found = shapes.type_of(self.program.body)
        if len(found.dims) == len(expect.dims):
            for a, b in zip(found.dims, expect.dims, strict=True):
                shapes.sizes.unify(a, b, Clash(self.program.body, 0, found))
            shapes.sizes.settle()

    def _taken(self) -> set[str]:
        return {*self.kinds.of_name, *self.functions, *self.dimensions, *self.declared, *self.known} | {
            name for type in self.known.values() for dim in type.dims for name in dim.names
        }

    def _order(self) -> list[str]:
        defined = {name for name, _ in self.program.definitions}
        return [n for n in self.kinds.of_name if n not in defined and n not in self.dimensions]

    def _named_sizes(self, shapes: Shapes) -> dict[str, Dim]:
        """Names for the sizes that stayed unknown."""
        named: dict[str, Dim] = {}
        if shapes.sizes.count:
            variables = [self.names[name] for name in self._order()]
            named = name_sizes(shapes.sizes, [*variables, shapes.type_of(self.program.body)], self._taken())
        for node in self.kinds.nodes:
            for dim in shapes.type_of(node).dims if shapes.sizes.count else ():
                left = unknowns(shapes.sizes.resolve(dim))
                if left and not named.keys() >= set(left):
                    self._undetermined(node)
            if node.op == "index" and len(node.args) > 1:
                self._check_range(node, shapes)
            if node.op == "call" and node.value.name == "unit":
                number = shapes.sizes.resolve(shapes.type_of(node).dims[0]).number
                if number is not None and node.args[0].value > number:
                    raise ShapeError(f"this vector has only {number} entries", source=self.source, span=node.span)
        return named

    def _check_range(self, node: Expr, shapes: Shapes) -> None:
        """A range with names of sizes must lie within its axis for all sizes that are large enough."""
        bounds = [shapes.size(bound) for bound in node.args[1:]]
        dims = shapes.resolved(shapes.type_of(node.args[0])).dims
        for item, size in zip(index_items(node, bounds), dims, strict=True):
            found = range_of(item, size)
            if found is not None and not all(gap.is_nonnegative_at_last for gap in found.gaps):
                whole = f"1:{size}" if not unknowns(size) else "its array, whose size is not known"
                raise ShapeError(
                    f"it cannot be told that {found} lies within {whole}",
                    source=self.source,
                    span=node.span,
                    hint="declarations with sizes, such as x: vector(m+n)",
                )

    def _undetermined(self, node: Expr) -> NoReturn:
        text = self.source[slice(*node.span)] if node.span else node.op
        sized = node.op == "call" and node.value.name in ("eye", "ones", "zeros")
        hints = {"eye": "eye(n)", "ones": "ones(n)", "zeros": "zeros(n)", "vector": "ones(n)", "matrix": "ones(m,n)"}
        hint = hints.get(node.value.name) if node.op == "call" else None
        what = f"the size of {text} is not determined by what stands around it"
        raise ShapeError(what, source=self.source, span=node.span, hint=hint or (None if sized else "a sum with x"))

    def _explained(self, clash: Clash, shapes: Shapes) -> ShapeError:
        types = [self.names[n] for n in self._order() if n in self.names]
        types += [t for t in (clash.left, clash.right) if t is not None]
        named = name_sizes(shapes.sizes, types, self._taken())

        def shown(dim: Dim) -> Dim:
            return shapes.sizes.resolve(dim).replaced(named)

        words = {name: d.words for name, d in self.declared.items()}
        return explain(clash, Scene(self.source, shapes, words, self.kinds.uses, shown))

    def _typed(self, shapes: Shapes, named: dict[str, Dim], reading: Reading) -> Typed:
        seen: dict[int, Type] = {}  # of types that shapes and names keep

        def final(type: Type) -> Type:
            if not shapes.sizes.count:
                return type
            if id(type) not in seen:
                dims = tuple([shapes.sizes.resolve(d).replaced(named) for d in type.dims])
                seen[id(type)] = type if dims == type.dims else Type(type.kind, dims)
            return seen[id(type)]

        made: dict[int, Expr] = {}
        for node in self.kinds.nodes:  # children first
            args = tuple([made[id(arg)] for arg in node.args])
            made[id(node)] = Expr(node.op, args, node.value, node.span, final(shapes.type_of(node)))
        values = [made[id(value)] for value in self.values]
        names = [name for name, _ in self.program.definitions]
        program = Program(tuple(zip(names, values[:-1], strict=True)), values[-1])
        variables: dict[str, Variable] = {}
        intermediates: dict[str, Type] = {}
        for name in self.kinds.of_name:
            if name in names or (
                self.context is not None and name in self.context.intermediates and name in self.known
            ):
                intermediates[name] = final(self.names[name])
            elif name not in self.dimensions:
                variables[name] = self._variable(name, final(self.names[name]))
        assumed = (*self.notes, *self._assumed(variables, reading))
        used = frozenset(n.value.name for n in self.kinds.nodes if n.op == "call") & self.functions
        return Typed(program, variables, intermediates, used, assumed, self.dimensions, self.source)

    def _variable(self, name: str, type: Type) -> Variable:
        declared = self.declared.get(name)
        if declared is not None:
            return Variable(name, type, declared.traits, True)
        if self.context is not None and name in self.context.variables:
            return self.context.variables[name]
        return Variable(name, type)

    def _assumed(self, variables: Mapping[str, Variable], reading: Reading) -> Iterable[str]:
        for name, variable in variables.items():
            why = reading.why.get(name, "forced")
            if why == "forced":
                continue
            reason = {"letter": "assumed from its first letter", "fits": "the only kind that fits"}.get(why)
            yield f"{name}: {declaration_text(variable.type)}, {reason or self._beside(name)}"

    def _beside(self, name: str) -> str:
        place = next((use for use in self.kinds.uses.get(name, ()) if use.op != "neg"), None)
        if place is None or place.span is None:
            return "assumed"
        text = self._text(place)
        return f"assumed from {text if len(text) <= 60 else text[:59] + '…'}"


def _has_identity(walked: list[list[Expr]]) -> bool:
    return any(node.value == "I" for nodes in walked for node in nodes if node.op == "name")
