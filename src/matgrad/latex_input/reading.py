r"""From LaTeX to a formula in text: names, readings, sums over an index, and the derivative that is asked for.

>>> read_latex(r"\frac12 \lVert \mathbf{X}\mathbf{w} - \mathbf{y} \rVert_2^2").text
'1/2*norm2(X*w - y)^2'
>>> read_latex(r"\sum_{i=1}^{n} \log(1 + e^{-y_i \mathbf{x}_i^\top \mathbf{w}})").text
'sum(log(1 + exp(-y.*(X*w))))'
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

from matgrad.errors import FormulaError, MatgradError, NotSupported, ShapeError
from matgrad.formula.declarations import FUNCTION, Declaration, Where, parse_declarations
from matgrad.formula.infer import read
from matgrad.formula.syntax import SCALAR, Expr, Program, Type, fold, walk
from matgrad.formula.text import to_text
from matgrad.formula.typed import Typed
from matgrad.latex_input.alignment import unaligned
from matgrad.latex_input.arrays import Arrays, letter
from matgrad.latex_input.asking import Asked, asked_for
from matgrad.latex_input.building import Tree
from matgrad.latex_input.choices import decide, hints_for, values
from matgrad.latex_input.names import Name, NameTable
from matgrad.latex_input.parser import read_tree
from matgrad.latex_input.sums import Sums
from matgrad.latex_input.tokens import Names


@dataclass(frozen=True)
class Reading:
    """A formula read from LaTeX.

    ``text`` is the formula and ``where`` the declarations it needs; ``notes`` say which readings were chosen,
    ``spelled`` gives each name's LaTeX, and ``wrt`` and ``order`` are what a ∇ or ∂ in front of it asks for.
    """

    source: str
    text: str
    where: Mapping[str, Declaration | str]
    notes: tuple[str, ...] = ()
    spelled: Mapping[str, str] = field(default_factory=dict)
    wrt: tuple[str, ...] = ()


def read_latex(
    latex: str,
    where: Where = None,
    *,
    context: Typed | None = None,
    spelled: Mapping[str, str] | None = None,
    expect: Type | None = None,
) -> Reading:
    """Read a formula; ``context`` and ``spelled`` are the names of the formula that it belongs to.

    ``expect`` is the shape of the value, where that is known.
    """
    if not isinstance(latex, str):
        raise FormulaError(
            f"a formula is text, not {type(latex).__name__}", hint=r"parse_latex(r'\mathbf{x}^\top \mathbf{x}')"
        )
    declared = parse_declarations(where)
    functions = {name for name, d in declared.items() if d.kind == FUNCTION} | (context.functions if context else set())
    sizes = {name for d in declared.values() for dim in d.dims or () for name in dim.names} | (
        context.sizes if context else set()
    )
    variables = set(declared) | (set(context.variables) | set(context.intermediates) if context else set())
    names = Names(frozenset(variables | sizes), frozenset(functions))
    try:
        asked = asked_for(unaligned(latex))
        tree = read_tree(asked.text, names, limits=context is None)
        return _Reader(latex, asked, tree, declared, sizes, context, spelled or {}, expect).reading()
    except MatgradError as error:
        if isinstance(error, ShapeError) and _TICKED.search(latex):
            error.hint = r"x' has two readings: it is read as x transposed; for another point write \tilde{x} or x_2"
        elif isinstance(error, ShapeError) and error.hint and "\\" in error.hint:
            error.hint = _in_latex(error.hint)
        raise error.located(latex) from None


_TICKED = re.compile(r"[A-Za-z}]\s*(?:'|\^\s*\{?\s*\\prime)")


_IN_LATEX = (
    (r"inv\((\\\w+\{\w+\}|\w)\)", r"\1^{-1}"), (r"inv\(([^()]*)\)", r"(\1)^{-1}"), ("'", r"^\\top"),
    (r"\.\^\(?([\w/]+)\)?", r"^{\\odot \1}"), (r"\./", r" \\oslash "), (r"\.\*", r" \\odot "), (r"\*", " "),
    (r"(\\\w+\{\w+\}|\b\w)\[([^\]]*)\]", r"[\1]_{\2}"),
)  # fmt: skip


def _in_latex(hint: str) -> str:
    r"""A hint that is made of the user's LaTeX and the operators of the language, in LaTeX.

    >>> print(_in_latex(r"1./\mathbf{x} or inv(\mathbf{B})*\mathbf{A}' or \mathbf{x}.^2"))
    1 \oslash \mathbf{x} or \mathbf{B}^{-1} \mathbf{A}^\top or \mathbf{x}^{\odot 2}
    """
    for pattern, replacement in _IN_LATEX:
        hint = re.sub(pattern, replacement, hint)
    return hint


class _Reader:
    def __init__(
        self,
        latex: str,
        asked: Asked,
        tree: Tree,
        declared: dict[str, Declaration],
        sizes: set[str],
        context: Typed | None,
        spelled: Mapping[str, str],
        expect: Type | None,
    ) -> None:
        self.latex = latex
        self.asked = asked
        self.declared = declared
        self.sizes = sizes
        self.context = context
        self.expect = expect
        self.notes = list(tree.notes)
        known = set(declared) | sizes | (set(context.variables) | set(context.intermediates) if context else set())
        self.table = NameTable(known, spelled)
        self.tree = tree
        self.highs: dict[Name, tuple[str, ...]] = {}  # of indexed names: where their indices end
        self.ends: set[str] = set()
        self.defined: dict[Name, str] = {}  # the text names of definitions

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def reading(self) -> Reading:
        program = self._scoped(self.tree.program)
        self._all_used(program)
        names = self._names_of(program)
        transposed = self._transposed(program)
        temporary = {name: self._temporary(name) for name in names}
        defined = {name for name, _ in program.definitions}
        arrays = Arrays(self.latex, names, self.table, self.declared, self.highs, self.sizes, self.defined, self.note)
        free = {name: text for name, text in temporary.items() if text not in defined}
        hints, bold = hints_for(free, transposed, arrays.for_terms(temporary), self.context)
        dims = {end for end in self.ends if end and not end.isdigit()}
        hints = [_without_sizes(h, self.sizes) for h in hints]
        kinds = decide(self.latex, program, lambda name: temporary[name], hints, self.context, self.expect)
        sums = Sums(self.latex, kinds, partial(arrays.of, typed=kinds.typed), self.table.text, self.note)
        written = Program(
            tuple((name, sums.expression(value)) for name, value in program.definitions), sums.expression(program.body)
        )
        arrays.check_entries(program)
        where = self._where(kinds.typed, names, temporary, dims, arrays.declarations)
        decimals = bool(re.search(r"\d\.\d", self.latex))
        steps = [f"{name} = {to_text(value, decimals=decimals)}" for name, value in written.definitions]
        text = "; ".join([*steps, to_text(written.body, decimals=decimals)])
        typed = read(
            text, where, context=self.context, limits=False, expect=self.expect
        )  # with types, brackets help the reader too
        steps = [f"{name} = {to_text(value, decimals=decimals)}" for name, value in typed.program.definitions]
        text = "; ".join([*steps, to_text(typed.program.body, decimals=decimals)])
        if bold and self.context is None:
            self.note("bold letters are read as vectors and matrices")
        spelled = {
            text_: latex
            for text_, latex in self.table.spelling().items()
            if text_ in typed.variables or text_ in typed.intermediates
        }
        return Reading(self.latex, text, where, tuple(self.notes), spelled, self._wrt(typed))

    def _all_used(self, program: Program) -> None:
        """A definition that nothing uses is a part of the formula that would be dropped silently."""
        if not program.definitions:
            return
        names = [n.value for value in values(program) for n in walk(value) if n.op == "name"]
        used = {self.table.text(name) for name in names if not name.indices}
        used |= {self.defined[letter(name)] for name in names if name.indices and letter(name) in self.defined}
        used |= set(self.context.intermediates) if self.context else set()
        for name, value in program.definitions:
            if name not in used:
                raise FormulaError(
                    f"{name} is defined, but the formula after it does not use it",
                    source=self.latex, span=value.span, hint="one formula; definitions first, with commas between them",
                )  # fmt: skip

    # -- names and indices

    def _scoped(self, program: Program) -> Program:
        """Names under the index of a sum are marked; definitions get text names."""
        bound = {i for value in values(program) for node in walk(value) if node.op == "over" for i in node.value[0]}
        self.bound = frozenset(bound)
        definitions = []
        for name, value in program.definitions:
            proper: Name = name  # type: ignore[assignment]
            if bound & set(_subscripts(proper)):
                raise NotSupported(
                    f"{proper.latex} is defined for each index",
                    source=self.latex,
                    span=value.span,
                    hint="its value in the sum",
                )
            definitions.append((self.table.text(proper), self._marked(value)))
            self.defined[letter(proper)] = self.table.text(proper)
        return Program(tuple(definitions), self._marked(program.body))

    def _marked(self, root: Expr) -> Expr:
        """The tree with ``indices`` on the names that stand in the scope of their sum."""
        stack: list[tuple[Expr, dict[str, str]]] = [(root, {})]
        scopes: dict[int, dict[str, str]] = {}
        while stack:
            node, scope = stack.pop()
            if node.op == "over":
                again = scope.keys() & set(node.value[0])
                if again:
                    raise self._error(f"the index {min(again)} is summed over twice", node)
                scope = scope | dict.fromkeys(node.value[0], node.value[1])
                self.ends.add(node.value[1].rpartition(":")[2].partition("-")[0])
            scopes[id(node)] = scope
            stack.extend((arg, scope) for arg in node.args)

        def visit(node: Expr, args: list[Expr]) -> Expr:
            if node.op == "name":
                scope = scopes[id(node)]
                name = self._indexed(node, scope)
                self._end_at(node, name, tuple("" if ":" in scope[index] else scope[index] for index in name.indices))
                return node.replace(value=name)
            return node.replace(args=tuple(args)) if args else node

        marked: Expr = fold(root, visit)
        return marked

    def _end_at(self, node: Expr, name: Name, ends: tuple[str, ...]) -> None:
        """The indices of an array end at one place each, whatever they are called."""
        whole = name._replace(indices=(), block=())
        if not name.indices:
            return
        for other, before in self.highs.items():
            if other._replace(indices=(), block=()) == whole and len(before) == len(ends):
                differ = [(a, b) for a, b in zip(before, ends, strict=True) if a and b and a != b]
                if differ:
                    (first, here), *_ = differ
                    raise self._error(f"the index of {whole.latex} ends at {first} in one sum, at {here} here", node)
        if not all(self.highs.get(name, ("",))):
            self.highs[name] = ends

    def _indexed(self, node: Expr, scope: Mapping[str, str]) -> Name:
        name: Name = node.value
        if name.base in scope and not (name.sub or name.sup or name.accent):
            raise self._error(f"the index {name.base} is used as a number", node)
        outside = (self.bound - scope.keys()) & set(_subscripts(name))
        if outside and not scope.keys() & set(_subscripts(name)):
            raise self._error(
                f"the index {min(outside)} stands outside its sum: brackets around the terms of the sum?", node
            )
        for place in ("sub", "sup"):
            script = getattr(name, place)
            bare = name._replace(sub="") if place == "sub" else name._replace(sup="")
            found = re.findall(r"[A-Za-z]+|\d+", script)
            indices = tuple(i for part in found for i in ([part] if part in scope else list(part))) if script else ()
            inside = [i for i in indices if i in scope]
            if not inside:
                continue
            if any(":" in scope[i] for i in inside):
                block = _block(script, scope)
                if block is None:
                    raise self._error(f"the index '{script}' goes beyond the index of the sum", node)
                return bare._replace(indices=tuple(inside), block=block)
            if (
                len(inside) != len(indices)
                or not re.fullmatch(r"[A-Za-z,]+", script)
                or len(set(indices)) != len(indices)
            ):
                raise self._error(f"the index '{script}' goes beyond the index of the sum", node)
            return bare._replace(indices=indices)
        return name

    def _error(self, what: str, node: Expr) -> NotSupported:
        return NotSupported(what, source=self.latex, span=node.span, hint="the sum in matrix form, as in y^\\top X w")

    def _names_of(self, program: Program) -> list[Name]:
        return list(dict.fromkeys(node.value for value in values(program) for node in walk(value) if node.op == "name"))

    def _transposed(self, program: Program) -> set[Name]:
        """Names that cannot well be scalars: transposed, in a norm, or right of something transposed or of a matrix."""
        found: set[Name] = set()
        for value in values(program):
            for node in walk(value):
                if node.op in ("transpose", "norm", "inner") or (node.op == "power" and node.value == ".^"):
                    found.update(name for arg in node.args[:2] for name in _terms(arg))
                if node.op == "product":
                    for left, right in pairwise(node.args):
                        matrix = left.op == "name" and left.value.upper and len(left.value.indices) < 2
                        if left.op == "transpose" or matrix or _is_inverse(left):
                            found.update(_terms(right))
        return found

    def _temporary(self, name: Name) -> str:
        """The name of one term, while kinds are decided."""
        if not name.indices:
            return self.table.text(name)
        sub = ",".join((name.sub, *name.indices, *name.block)).strip(",")
        return self.table.text(name._replace(sub=sub, indices=(), block=()))

    # -- declarations and what is asked for

    def _where(
        self,
        typed: Typed,
        names: list[Name],
        temporary: Mapping[Name, str],
        dims: set[str],
        arrays: Mapping[str, Declaration],
    ) -> dict[str, Declaration]:
        """What the user declared, the arrays of sums, and the kinds that fonts decided."""
        where = dict(self.declared)
        where.update(arrays)
        known = set(self.context.variables) | set(self.context.intermediates) if self.context else set()
        for name in names:
            text = temporary[name]
            if name.indices or text in where or text in dims or text in self.sizes or text in known:
                continue
            variable = typed.variables.get(text)
            if variable is not None and variable.declared:
                where[text] = Declaration(variable.type.kind, () if variable.type.kind == SCALAR else None)
        return where

    def _wrt(self, typed: Typed) -> tuple[str, ...]:
        found = []
        for latex, span in self.asked.wrt:
            (name,) = self._names_of(read_tree(latex, Names(frozenset(typed.variables))).program)
            text = self.table.text(name)
            known = set(typed.variables) | set(typed.intermediates)
            if text not in known:
                other = self.table.alike(name, known)
                if other is None:
                    raise FormulaError(f"{latex} does not occur in the formula", source=self.latex, span=span)
                text = other
            found.append(text)
        return tuple(found)


def _block(script: str, scope: Mapping[str, str]) -> tuple[str, str] | None:
    """From where to where a shifted index goes, 2 and n for i+1 where i goes from 1 to n-1; None if that is outside.

    >>> _block("i+1", {"i": "1:n-1"}), _block("i", {"i": "2:9"}), _block("i-1", {"i": "1:n"})
    (('2', 'n'), ('2', '9'), None)
    """
    found = re.fullmatch(r"([A-Za-z]+)(?:([+-]\d+))?", script)
    if found is None or ":" not in scope.get(found.group(1), ""):
        return None
    low, high = scope[found.group(1)].split(":")
    shift = int(found.group(2) or 0)
    if int(low) + shift < 1:
        return None
    if high.isdigit():
        return str(int(low) + shift), str(int(high) + shift)
    base, _, less = high.partition("-")
    end = shift - int(less or 0)
    return None if end > 0 else (str(int(low) + shift), f"{base}{end}" if end else base)


def _terms(expr: Expr) -> list[Name]:
    """The names that are this expression, or terms of it."""
    stack, found = [expr], []
    while stack:
        node = stack.pop()
        if node.op == "name":
            found.append(node.value)
        elif node.op in ("add", "neg", "transpose"):
            stack.extend(node.args)
    return found


def _is_inverse(expr: Expr) -> bool:
    return (expr.op == "power" and expr.args[1].op == "neg") or (expr.op == "call" and expr.value.name == "inv")


def _subscripts(name: Name) -> list[str]:
    return re.findall(r"[A-Za-z]", name.sub + name.sup)


def _without_sizes(hints: Mapping[str, Declaration], sizes: set[str]) -> dict[str, Declaration]:
    return {name: d for name, d in hints.items() if name not in sizes}
