r"""Which of two readings: a determinant or an absolute value, a vector or a matrix of ones, an inner product of what.

The kinds of the parts decide. They come from the inference that types every formula, on a program in which each open
node has one of its readings; where that cannot be typed, the next combination is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from typing import NamedTuple

from matgrad.errors import MatgradError, NotSupported
from matgrad.formula.declarations import Declaration
from matgrad.formula.infer import infer
from matgrad.formula.syntax import MATRIX, SCALAR, VECTOR, Call, Expr, Program, Type, fold, walk
from matgrad.formula.typed import Typed
from matgrad.latex_input.names import BOLD, PLAIN, Name

_OPTIONS = {"bars": ("det", "abs"), "inner": ("vector", "matrix"), "ones": ("vector", "matrix")}
_MOST_TRIES = 24

Choice = dict[int, str]
"""The reading of each open node, by the identity of its span."""


class Kinds(NamedTuple):
    """The types of all parts, by the identity of their spans, the readings chosen, and what was assumed for that."""

    types: dict[int, Type]
    choice: Choice
    typed: Typed

    def of(self, node: Expr) -> Type:
        while node.op == "over":  # typed like its terms
            node = node.args[0]
        return self.types[id(node.span)]


def values(program: Program) -> list[Expr]:
    return [*(value for _, value in program.definitions), program.body]


def decide(
    source: str,
    program: Program,
    texts: Callable[[Name], str],
    hints: Sequence[Mapping[str, Declaration]],
    context: Typed | None,
    expect: Type | None = None,
) -> Kinds:
    """Readings and types; ``hints`` are sets of declarations, the first that can be typed is taken."""
    open_nodes = [node for value in values(program) for node in walk(value) if node.op in _OPTIONS]
    first_error: MatgradError | None = None
    for declared in hints:
        for choice in _combinations(open_nodes):
            try:
                found = _typed(source, program, texts, declared, context, choice, expect)
            except MatgradError as error:
                first_error = first_error or error
                continue
            better = _corrected(open_nodes, found)
            if better == found.choice:
                return found
            try:
                return _typed(source, program, texts, declared, context, better, expect)
            except MatgradError:
                return found
    assert first_error is not None
    raise first_error


def _combinations(nodes: list[Expr]) -> Iterator[Choice]:
    """Readings to try: the usual ones first, then with one changed, with all changed, with two changed …

    Equal parts are read alike.
    """
    usual = {id(node.span): _usual(node) for node in nodes}
    alike: dict[Expr, list[Expr]] = {}
    for node in nodes:
        alike.setdefault(node, []).append(node)
    sizes = [0, 1, len(alike), 2] if len(alike) > 1 else [0, 1]
    count = 0
    for size in sizes:
        for groups in combinations(alike.values(), min(size, len(alike))):
            count += 1
            if count > _MOST_TRIES:
                return
            changed = [node for group in groups for node in group]
            yield {**usual, **{id(node.span): _other(node, usual[id(node.span)]) for node in changed}}


def _usual(node: Expr) -> str:
    """What most would take it for: |X| with a capital is a determinant."""
    capital = any(n.op == "name" and n.value.upper for n in walk(node))
    return _OPTIONS[node.op][0 if capital or node.op != "bars" else 1]


def _other(node: Expr, usual: str) -> str:
    return next(option for option in _OPTIONS[node.op] if option != usual)


def _corrected(nodes: list[Expr], found: Kinds) -> Choice:
    """The readings that fit the kinds found: |x| of a scalar is its absolute value, ⟨A, B⟩ of matrices a trace."""
    better = dict(found.choice)
    for node in nodes:
        kind = found.of(node.args[0]).kind if node.args else None
        if node.op == "bars":
            better[id(node.span)] = "det" if kind == MATRIX else "abs"
        elif node.op == "inner":
            better[id(node.span)] = "matrix" if kind == MATRIX else "vector"
    return better


def _typed(
    source: str,
    program: Program,
    texts: Callable[[Name], str],
    declared: Mapping[str, Declaration],
    context: Typed | None,
    choice: Choice,
    expect: Type | None,
) -> Kinds:
    settled = Program(
        tuple((name, _settled(value, texts, choice)) for name, value in program.definitions),
        _settled(program.body, texts, choice),
    )
    typed = infer(settled, declared, source, context=context, expect=expect)
    types = {
        id(node.span): node.type for value in values(typed.program) for node in walk(value) if node.type is not None
    }
    return Kinds(types, choice, typed)


def _settled(root: Expr, texts: Callable[[Name], str], choice: Choice) -> Expr:
    """An ordinary formula with these readings; a sum over an index is typed like its terms."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        if node.op == "over":
            return args[0]
        if node.op == "name":
            return node.replace(value=texts(node.value))
        return with_reading(node, args, choice.get(id(node.span)), None)

    settled: Expr = fold(root, visit)
    return settled


def with_reading(node: Expr, args: list[Expr], reading: str | None, kind: str | None) -> Expr:
    """The node in the language, in the reading given; ``kind`` is that of its first argument, where it is known."""
    if node.op == "bars":
        return Expr("call", (args[0],), Call(reading or "abs"), node.span)
    if node.op == "inner":
        product = Expr("product", (Expr("transpose", (args[0],), None, node.args[0].span), args[1]), ("*",), node.span)
        return Expr("call", (product,), Call("tr"), node.span) if reading == "matrix" else product
    if node.op == "ones":
        number = Expr("number", (), Fraction(node.value))
        return Expr("call", (number,), Call(reading or "vector"), node.span)
    if node.op == "norm":
        return Expr(
            "call", (args[0],), Call("abs" if kind == SCALAR else "norm1" if node.value == "1" else "norm2"), node.span
        )
    if kind == MATRIX and node.op == "power" and node.value == "^" and _is_minus_one(node.args[1]):
        return Expr("call", (args[0],), Call("inv"), node.span)
    return node.replace(args=tuple(args)) if args else node


def norm(source: str, node: Expr, arg: Expr, kind: str, note: Callable[[str], None]) -> Expr:
    """‖·‖ of what has this kind. A norm of a matrix that could be two is refused."""
    sub = node.value.lstrip("\\").lower()
    if kind == SCALAR:
        return Expr("call", (arg,), Call("abs"), node.span)
    if sub == "infty" and kind != MATRIX:
        return Expr("call", (Expr("call", (arg,), Call("abs")),), Call("max"), node.span)
    if sub in ("f", "fro", "hs"):
        return Expr("call", (arg,), Call("norm2"), node.span)
    if kind != MATRIX and sub in ("", "1", "2"):
        if not sub:
            note("‖·‖ is read as the 2-norm")
        return Expr("call", (arg,), Call("norm1" if sub == "1" else "norm2"), node.span)
    if sub in ("", "1", "2"):
        shown = f"with subscript {sub}" if sub else "without a subscript"
        other = (
            "the largest column sum, or the sum of all absolute values"
            if sub == "1"
            else "the largest singular value, or the Frobenius norm"
        )
        hint = r"\lVert\operatorname{vec}(X)\rVert_1, for the sum" if sub == "1" else r"\|X\|_F, for the Frobenius norm"
        raise NotSupported(
            f"the norm of a matrix {shown} has two readings: {other}", source=source, span=node.span, hint=hint
        )
    hint = (
        r"x^\top M x, for a squared norm in M"
        if sub not in ("*", "ast", "nuc", "tr", "op", "p")
        else r"\|X\|_F, \|x\|_1 or \|x\|_2"
    )
    if sub == "2,1":
        hint = r"\sum_i \|\mathbf{x}_i\|_2, where X has the rows x_i"
    if sub.isdigit() or sub == "p":
        hint = r"\|x\|_1, \|x\|_2 or \|X\|_F; for another p, (\sum_i |x_i|^p)^{1/p}"
    raise NotSupported(f"the norm with subscript {node.value} is not known", source=source, span=node.span, hint=hint)


def _is_minus_one(exponent: Expr) -> bool:
    return exponent.op == "neg" and exponent.args[0].op == "number" and exponent.args[0].value == 1


def hints_for(
    names: Mapping[Name, str], transposed: set[Name], declared: Mapping[str, Declaration], context: Typed | None
) -> tuple[list[dict[str, Declaration]], bool]:
    """Declarations that fonts suggest, the most telling first, and whether there are any.

    Bold letters are vectors and matrices. Where some are bold, or stand in a sum under its index, the plain small
    letters are scalars, unless they are transposed.
    """
    known = set(declared) | (set(context.variables) | context.intermediates.keys() if context is not None else set())
    bold = {
        text: Declaration(MATRIX if name.upper else VECTOR, None, frozenset(), "bold")
        for name, text in names.items()
        if name.style == BOLD and text not in known and not (name.indices and name.upper and len(name.indices) == 2)
    }
    plain = {
        text: Declaration(SCALAR, (), frozenset(), "plain")
        for name, text in names.items()
        if name.style == PLAIN
        and text not in known
        and name not in transposed
        and (len(name.indices) == 2 or (not name.upper and (name.indices or VECTOR in {d.kind for d in bold.values()})))
    }
    entries = {
        text: Declaration(SCALAR, (), frozenset(), "entry")
        for name, text in names.items()
        if len(name.indices) == 2 and text not in known
    }
    sets = [{**declared, **entries, **bold, **plain}, {**declared, **entries, **bold}]
    if not bold:
        sets.append({**declared, **entries})
    return sets, bool(bold)
