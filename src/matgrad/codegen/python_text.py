"""Pieces of Python source: precedence, names, and statements that name what is used more than once."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Collection, Iterable
from fractions import Fraction
from typing import NamedTuple

ADD, MUL, NEG, POW, ATOM = range(5)
"""Levels of Python's operators, loosest first; ``@`` binds like ``*``."""

MAX_INLINE, MAX_DEPTH = 88, 8


class Code(NamedTuple):
    """An expression in Python: its text, how tightly it binds, and how deeply its brackets nest.

    ``matmul`` says that the operator at its top is ``@``, before which a factor would scale a whole matrix.
    """

    text: str
    level: int = ATOM
    depth: int = 0
    matmul: bool = False

    def at_least(self, level: int) -> str:
        return self.text if self.level >= level else f"({self.text})"


def call(function: str, *arguments: Code | str) -> Code:
    """A call, with the arguments as they are."""
    texts = [a if isinstance(a, str) else a.text for a in arguments]
    depth = 1 + max((a.depth for a in arguments if isinstance(a, Code)), default=0)
    return Code(f"{function}({', '.join(texts)})", ATOM, depth)


def binary(left: Code, operator: str, right: Code, level: int = MUL) -> Code:
    """``left operator right``, associating to the left."""
    text = f"{left.at_least(level)} {operator} {right.at_least(level + 1)}"
    return Code(text, level, 1 + max(left.depth, right.depth), operator == "@")


def suffixed(code: Code, suffix: str) -> Code:
    """``code.T``, ``code[:, None]``."""
    return Code(code.at_least(ATOM) + suffix, ATOM, code.depth + (code.level < ATOM))


def transposed(code: Code) -> Code:
    """``code.T``, without a double transpose.

    >>> transposed(Code("A.T")).text, transposed(Code("A + B", ADD)).text
    ('A', '(A + B).T')
    """
    if code.level == ATOM and code.text.endswith(".T"):
        return Code(code.text.removesuffix(".T"), ATOM, code.depth)
    return suffixed(code, ".T")


def parsed(text: str, depth: int = 1) -> Code:
    """Code whose level is read off its syntax: for templates."""
    node = ast.parse(text, mode="eval").body
    if isinstance(node, ast.BinOp):
        return Code(text, ADD if isinstance(node.op, ast.Add | ast.Sub) else MUL, depth)
    return Code(text, NEG if isinstance(node, ast.UnaryOp) else ATOM, depth)


def python_names(names: Iterable[str], reserved: Collection[str] = ()) -> dict[str, str]:
    """A Python identifier for each name: ``lambda`` becomes ``lambda_``.

    >>> python_names(["A", "lambda", "np"])
    {'A': 'A', 'lambda': 'lambda_', 'np': 'np_'}
    """
    names = list(names)
    table: dict[str, str] = {}
    taken = set(names) | RESERVED | set(reserved)
    for name in names:
        if not name.isidentifier():
            raise ValueError(f"{name!r} is not a name")
        shown = name
        if keyword.iskeyword(name) or name in RESERVED or name in reserved:
            while shown in taken or keyword.iskeyword(shown):
                shown += "_"
            taken.add(shown)
        table[name] = shown
    return table


RESERVED = frozenset({"np", "scipy", "int", "float", "argmax", "argmin", "adj", "commutation"})
"""Names that generated code uses itself."""

_WORD = re.compile(r"[^\W\d]\w*")


def words(text: str) -> set[str]:
    return set(_WORD.findall(text))


class Statements:
    """Assignments in order; those that turn out not to be used are left out at the end."""

    def __init__(self, taken: Collection[str]) -> None:
        self.taken = set(taken)
        self.lines: list[tuple[str, str]] = []
        self.count = 0

    def name(self, code: Code) -> Code:
        """Assign the code to a fresh name."""
        self.count += 1
        while f"t{self.count}" in self.taken:
            self.count += 1
        self.assign(f"t{self.count}", code)
        return Code(f"t{self.count}")

    def assign(self, name: str, code: Code) -> None:
        self.lines.append((name, code.text))

    def used(self, result: str) -> list[tuple[str, str]]:
        """The assignments on which the result depends."""
        needed = words(result)
        kept = []
        for name, text in reversed(self.lines):
            if name in needed:
                needed |= words(text)
                kept.append((name, text))
        return kept[::-1]


def number(value: Fraction) -> Code:
    """A rational number in Python."""
    if value < 0:
        return Code("-" + number(-value).at_least(NEG), NEG)
    if value.denominator == 1 and value < 2**53:
        return Code(str(value.numerator))
    try:
        return Code(repr(float(value)))
    except OverflowError:
        return Code('float("inf")')


def times(factor: Fraction, code: Code) -> Code:
    if factor == 1:
        return code
    if factor == -1:
        return Code("-" + unsigned(code, NEG), NEG, code.depth + 1)
    if factor.numerator in (1, -1):
        return binary(code if factor > 0 else times(Fraction(-1), code), "/", number(Fraction(factor.denominator)))
    value = Code(f"({code.text})", ATOM, code.depth + 1) if code.matmul else code
    return binary(number(factor), "*", value, MUL)


def unsigned(code: Code, level: int) -> str:
    """The code at a level, in brackets if it starts with a sign."""
    return f"({code.text})" if code.text.startswith("-") else code.at_least(level)
