"""Names for a backward table: one operation that varies a step, and one letter for the same step of each layer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection

from matgrad.explaining.laws import squared_norm
from matgrad.explaining.naming import Naming
from matgrad.explaining.trees import varies
from matgrad.formula.syntax import MATRIX, SCALAR, VECTOR, Expr, Program, fold
from matgrad.functions import card
from matgrad.translate.algebra import product

_NUMBERED = re.compile(r"(?P<base>.*?[^\W\d])_?(?P<number>\d+)")


def layer_of(name: str) -> tuple[str, int] | None:
    """A name taken apart into its letters and the number of its layer.

    >>> layer_of("W12"), layer_of("loss")
    (('W', 12), None)
    """
    found = _NUMBERED.fullmatch(name)
    return (found["base"], int(found["number"])) if found else None


class StepNaming(Naming):
    """Each nonlinear step of a program is named; what is named inside of a3 has the number 3 too."""

    def __init__(self, program: Program, wrt: Collection[str], taken: Collection[str]) -> None:
        varying = {*wrt, *(name for name, _ in program.definitions)}
        regrouped = tuple((name, _regrouped(value, varying)) for name, value in program.definitions)
        program = Program(regrouped, _regrouped(program.body, varying))
        super().__init__(program, wrt, taken, every=True)
        layers = [found[0] for name, _ in program.definitions if (found := layer_of(name))]
        self.layered = {base for base, count in Counter(layers).items() if count > 1}
        self.letters = {found[0] if (found := layer_of(name)) else name for name in taken}
        self.families: dict[str, str] = {}

    def _worth(self, node: Expr, old: Expr, arg: Expr) -> bool:
        if _is_plain_sum(arg):
            nonlinear = node.op == "call" and squared_norm(Expr("power", (node, _TWO), "^")) is None
            if arg.kind == SCALAR or not nonlinear:
                return old in self.repeated
        if node.op == "call" and arg.kind == SCALAR and arg.args and arg.op not in ("neg", "index", "transpose"):
            entry = card(node.value.name)
            if entry is None or entry.family == "elementwise":
                return True
        if node.op == "product" and arg.args and sum(varies(a, self.varying) for a in node.args) > 1:
            divides = set(node.value) & {"/", "./"}
            if divides and arg.op in ("product", "call") and arg.value != "transpose":
                return True
            if arg.op == "product" and arg.kind != SCALAR:
                return True
        if node.op == "product" and arg.op == "product" and set(node.value) & {".*", "./"} and arg.kind != SCALAR:
            return "*" in arg.value and any(a.kind == MATRIX for a in arg.args)
        return super()._worth(node, old, arg)

    def _fresh(self, wanted: str) -> str:
        found = layer_of(self.owner) if self.owner else None
        if found is None or found[0] not in self.layered:
            return super()._fresh(wanted)
        base, number = found
        for letter in wanted:
            name = f"{letter}{number}"
            if letter in self.letters and self.families.get(letter) != base:
                continue
            if name not in self.taken and "d" + name not in self.taken:
                self.families[letter] = base
                self.letters.add(letter)
                self.taken.add(name)
                return name
        return super()._fresh(wanted)


_TWO = Expr("number", value=2)


def _is_plain_sum(expr: Expr) -> bool:
    """x − t, or v + ε: nothing happens in it that deserves a line."""

    def plain(term: Expr) -> bool:
        while term.op in ("neg", "transpose"):
            term = term.args[0]
        return not term.args

    return expr.op == "add" and all(plain(term) for term in expr.args)


def _regrouped(expr: Expr, varying: Collection[str]) -> Expr:
    """Products of two or more parts that vary, in brackets of one step each: W2*(W1*x), (X*W1)*W2, (u'*v)/s."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        new = node.replace(args=tuple(args)) if args else node
        return _steps(new, varying) if new.op == "product" else new

    found: Expr = fold(expr, visit)
    return found


def _steps(node: Expr, varying: Collection[str]) -> Expr:
    moving = [k for k, arg in enumerate(node.args) if varies(arg, varying)]
    if len(moving) < 2 or len(node.args) < 3:
        return node
    operators = node.value
    if operators[-1] == "/" and set(operators[:-1]) <= {"*"} and moving[-1] == len(node.args) - 1:
        return _bracketed(node, 0, len(node.args) - 1)
    if set(operators) != {"*"} or any(arg.kind == SCALAR for arg in node.args):
        return node
    bare = all(_bare(node.args[k]) for k in moving)
    if node.args[-1].kind == VECTOR and bare and all(node.args[k].kind == MATRIX for k in moving[:-1]):
        last = moving[-1] if node.args[moving[-1]].kind == MATRIX else moving[-2]
        return _bracketed(node, last, len(node.args)) if last > 0 else node
    if node.kind == MATRIX and bare and len({_name_of(node.args[k]) for k in moving}) == len(moving):
        if moving[-1] != len(node.args) - 1:
            return _bracketed(node, moving[-1], len(node.args))
        if moving[0] != 0:
            return _bracketed(node, 0, moving[0] + 1)
    return node


def _bare(expr: Expr) -> bool:
    return _name_of(expr) is not None


def _name_of(expr: Expr) -> str | None:
    inner = expr.args[0] if expr.op == "transpose" else expr
    return inner.value if inner.op == "name" else None


def _bracketed(node: Expr, first: int, last: int) -> Expr:
    """The product with its factors from ``first`` up to ``last`` as one factor."""
    inner = product(list(zip(("*", *node.value[first:]), node.args[first:last], strict=False)))
    signs = (*node.value[:first], *node.value[last - 1 :])
    return node.replace(args=(*node.args[:first], inner, *node.args[last:]), value=signs)
