"""Which parts of a formula are worth a name, and which name: r for a residual, z for what a function is applied to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from matgrad.explaining.laws import squared_norm
from matgrad.explaining.powers import is_symbolic_power
from matgrad.explaining.trees import locally_constant, rebuilt, varies
from matgrad.formula.signatures import SIZES_OF
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr, Program, fold, walk
from matgrad.functions import card
from matgrad.translate.algebra import cost

LONG_SCALAR, LONG_NORM, SHORT = 10, 3, 3
"""Costs of printing: a scalar argument longer than the first is named, an array inside a norm above the second."""


class Naming:
    """Names given in one program; the same part has the same name everywhere."""

    def __init__(
        self,
        program: Program,
        wrt: Collection[str],
        taken: Collection[str],
        given: Mapping[Expr, Expr] | None = None,
        *,
        every: bool = False,
    ) -> None:
        """``given`` are names from before; ``every`` names each step of a network, however short."""
        self.every = every
        self.program = program
        self.wrt = set(wrt)
        self.taken = set(taken)
        self.given: dict[Expr, Expr] = dict(given or {})
        self.taken |= {name.value for name in self.given.values()}
        self.definitions: list[tuple[str, Expr]] = []
        self.started: set[str] = set()
        self.owner = ""  # the definition whose parts are being named

    def run(self) -> Program:
        """The program with definitions for the parts worth naming."""
        varying = set(self.wrt)
        parts = []
        for name, value in self.program.definitions:
            parts.append(value)
            if varies(value, varying):
                varying.add(name)
        self.varying = varying
        self.repeated = _repeated([*parts, self.program.body], varying)
        for name, value in self.program.definitions:
            self.owner = name
            self.definitions.append((name, self._named(value)))
        self.owner = ""
        body = self._named(self.program.body)
        return Program(tuple(self.definitions), body)

    def _named(self, expr: Expr) -> Expr:
        """The formula in terms of names; the definitions it needs are added before."""
        active: dict[int, bool] = {}

        def visit(node: Expr, args: list[Expr]) -> Expr:
            constant = locally_constant(node) or (node.op == "call" and node.value.name in SIZES_OF)
            active[id(node)] = not constant and (
                node.value in self.varying if node.op == "name" else any(active[id(a)] for a in node.args)
            )
            new = [
                self._name(node, old, arg) if active[id(old)] and self._worth(node, old, arg) else arg
                for old, arg in zip(node.args, args, strict=True)
            ]
            return rebuilt(node, new) if node.args else node

        found: Expr = fold(expr, visit)
        return found

    def _worth(self, node: Expr, old: Expr, arg: Expr) -> bool:
        if _is_leaf(arg) or arg.kind == ROW:
            return False
        if is_symbolic_power(arg) and node.op == "call":
            return False  # its differential is known only in traces and determinants
        length = cost(arg)
        if old in self.repeated and length >= SHORT and arg.op not in ("transpose", "neg"):
            return True
        if node.op == "call":
            entry = card(node.value.name)
            if entry is not None and entry.family in ("structural", "constructor"):
                return False
            if entry is not None and entry.name == "mean":
                return False
            if arg.kind == SCALAR:
                return length > LONG_SCALAR
            return length > LONG_NORM if entry is not None and entry.name in ("norm2", "normF") else length >= SHORT
        if node.op == "power":
            if squared_norm(node) is not None or arg is node.args[1]:
                return False
            return length > LONG_SCALAR if arg.kind == SCALAR else length >= SHORT
        if arg.op == "call" and arg.kind in (VECTOR, MATRIX) and in_its_derivative(arg):
            return True
        if node.op == "product":
            varying = sum(1 for a in node.args if varies(a, self.varying))
            if self.every and arg.op == "call" and arg.kind in (VECTOR, MATRIX):
                return length > SHORT
            return varying > 1 and length > LONG_SCALAR and not (arg.kind == SCALAR and arg.op == "add")
        return False

    def _name(self, node: Expr, old: Expr, arg: Expr) -> Expr:
        if old not in self.given:
            name = self._fresh(_wanted(node, arg))
            self.definitions.append((name, arg))
            self.started.add(name)
            self.given[old] = Expr("name", value=name, type=arg.type)
            self.varying.add(name)
        name = self.given[old].value
        if name not in self.started:
            self.started.add(name)
            self.varying.add(name)
            self.definitions.append((name, arg))
        return self.given[old]

    def _fresh(self, wanted: str) -> str:
        for name in wanted:
            if name not in self.taken and "d" + name not in self.taken:
                self.taken.add(name)
                return name
        count = 1
        while f"{wanted[0]}{count}" in self.taken:
            count += 1
        self.taken.add(f"{wanted[0]}{count}")
        return f"{wanted[0]}{count}"


def in_its_derivative(expr: Expr) -> bool:
    """Whether a function stands several times in its own derivative: sigmoid, softmax."""
    entry = card(expr.value.name) if expr.op == "call" and not expr.value.primes else None
    return (
        entry is not None
        and entry.family in ("elementwise", "reduction")
        and (entry.derivative or entry.differential).count(entry.name + "(") > 1
    )


def _is_leaf(expr: Expr) -> bool:
    while expr.op in ("neg", "transpose"):
        expr = expr.args[0]
    return not expr.args or (expr.op == "index" and expr.args[0].op == "name")


def _repeated(parts: list[Expr], varying: Collection[str]) -> set[Expr]:
    """Parts that stand in several places; what is inside of a repeated part is counted once."""
    counts: Counter[Expr] = Counter()
    stack = list(parts)
    while stack:
        node = stack.pop()
        if not node.args:
            continue
        counts[node] += 1
        if counts[node] == 1:
            stack.extend(node.args)
    return {node for node, count in counts.items() if count > 1 and varies(node, varying)}


def _wanted(node: Expr, arg: Expr) -> str:
    """Candidates, best first."""
    inner = arg
    while inner.op in ("transpose", "neg"):
        inner = inner.args[0]
    function = inner.value.name if inner.op == "call" else ""
    if function in ("sigmoid", "softmax"):
        letters = "pqy"
    elif arg.kind == SCALAR:
        letters = "st" if function == "sum" else "qskt"
    elif arg.kind == MATRIX and node.op == "call" and node.value.name in ("inv", "det", "logdet", "adj"):
        letters = "MKQ"
    elif inner.op == "add" and any(a.op == "neg" for a in inner.args):
        letters = "re"
    elif node.op == "call" and inner.op in ("product", "add"):
        letters = "zha"
    else:
        letters = "uvwh"
    letters += "uvwzqhk" if arg.kind in (SCALAR, VECTOR) else "UVWZQHK"
    return letters.upper() if arg.kind == MATRIX else letters


def needed(program: Program, names: Collection[str]) -> Program:
    """The program with only the definitions that its body needs, directly or not, and those of ``names``."""
    wanted = {n.value for n in walk(program.body) if n.op == "name"} | set(names)
    kept: list[tuple[str, Expr]] = []
    for name, value in reversed(program.definitions):
        if name in wanted:
            kept.append((name, value))
            wanted |= {n.value for n in walk(value) if n.op == "name"}
    return Program(tuple(reversed(kept)), program.body)
