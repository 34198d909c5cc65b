"""What is known of a node for certain, by one composition rule per kind: yes, no or unknown.

``Fact`` cannot be used as a bool by accident: ask ``is Fact.YES``.
"""

from __future__ import annotations

from enum import Enum
from fractions import Fraction
from typing import NoReturn

from matgrad.functions import card
from matgrad.tensor.builders import is_symmetric
from matgrad.tensor.nodes import Apply, Constant, Einsum, Map, Named, Node, Sum, Symbol


class Fact(Enum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    def __bool__(self) -> NoReturn:
        raise TypeError("a fact is yes, no or unknown: compare with `is Fact.YES`")


def of_function(name: str, fact: str) -> str | None:
    """What the card of a function says: ``of_function("exp", "range")`` is ``"positive"``."""
    known = card(name)
    return None if known is None else known.facts.get(fact)


def positive(node: Node) -> Fact:
    """Whether every entry is > 0."""
    return _remembered(node, "positive", _positive)


def nonnegative(node: Node) -> Fact:
    """Whether every entry is ≥ 0."""
    if positive(node) is Fact.YES:
        return Fact.YES
    return _remembered(node, "nonnegative", _nonnegative)


def psd(node: Node) -> Fact:
    """Whether a matrix is symmetric and positive semidefinite."""
    if spd(node) is Fact.YES:
        return Fact.YES
    return _remembered(node, "psd", _psd)


def spd(node: Node) -> Fact:
    """Whether a matrix is symmetric and positive definite."""
    return _remembered(node, "spd", _spd)


def invertible(node: Node) -> Fact:
    """Whether a square matrix has an inverse, for every value of its variables."""
    if spd(node) is Fact.YES:
        return Fact.YES
    if isinstance(node, Apply) and node.function == "inv":
        return Fact.YES
    if isinstance(node, Symbol) and "orthogonal" in node.traits:
        return Fact.YES
    if isinstance(node, Named):
        return invertible(node.value)
    return Fact.UNKNOWN


def _remembered(node: Node, name: str, rule) -> Fact:  # type: ignore[no-untyped-def]
    if name not in node.memo:
        node.memo[name] = Fact.YES if rule(node) else Fact.UNKNOWN
    return node.memo[name]  # type: ignore[no-any-return]


def _positive(node: Node) -> bool:
    if isinstance(node, Symbol):
        return "positive" in node.traits
    if isinstance(node, Named):
        return positive(node.value) is Fact.YES
    if isinstance(node, Constant):
        return node.name in ("size", "pi")
    if isinstance(node, Map):
        if node.function == "power":
            return positive(node.args[0]) is Fact.YES or (node.parameter < 0 and _nonnegative(node))
        if node.function == "pow":
            return positive(node.args[0]) is Fact.YES
        return of_function(node.function, "range") == "positive"
    if isinstance(node, Apply):
        if node.function == "det":
            return spd(node.arg) is Fact.YES
        reach = of_function(node.function, "range")
        return reach == "positive" or (reach == "that of x" and positive(node.arg) is Fact.YES)
    if isinstance(node, Sum):
        signs = [(factor, positive(term), nonnegative(term)) for factor, term in node.terms]
        return all(f > 0 and n is Fact.YES for f, _, n in signs) and any(p is Fact.YES for _, p, _ in signs)
    assert isinstance(node, Einsum)
    plain = len(set(node.out)) == len(node.out)
    return node.coefficient > 0 and plain and all(positive(operand) is Fact.YES for operand in node.operands)


def _nonnegative(node: Node) -> bool:
    if isinstance(node, Symbol):
        return "nonnegative" in node.traits
    if isinstance(node, Constant):
        return True
    if isinstance(node, Named):
        return nonnegative(node.value) is Fact.YES
    if isinstance(node, Map):
        if node.function == "power":
            exponent: Fraction = node.parameter
            if exponent.numerator % 2 == 0 or exponent.denominator % 2 == 0:
                return True
            return nonnegative(node.args[0]) is Fact.YES
        return of_function(node.function, "range") == "nonnegative"
    if isinstance(node, Apply):
        if node.function == "det":
            return psd(node.arg) is Fact.YES
        reach = of_function(node.function, "range")
        return reach == "nonnegative" or (reach == "that of x" and nonnegative(node.arg) is Fact.YES)
    if isinstance(node, Sum):
        return all(factor > 0 and nonnegative(term) is Fact.YES for factor, term in node.terms)
    assert isinstance(node, Einsum)
    if node.coefficient >= 0 and all(nonnegative(operand) is Fact.YES for operand in node.operands):
        return True
    return node.coefficient > 0 and not node.shape and _is_quadratic(node)


def _is_quadratic(node: Einsum) -> bool:
    """v'·P·v with P psd, whatever v."""
    for place, (operand, labels) in enumerate(zip(node.operands, node.subscripts, strict=True)):
        if len(labels) == 2 and psd(operand) is Fact.YES:
            rest = [(n, s) for i, (n, s) in enumerate(zip(node.operands, node.subscripts, strict=True)) if i != place]
            sides = sorted((n.digest, s) for n, s in rest)
            if len(sides) == 2 and sides[0][0] == sides[1][0]:
                return {s for _, s in sides} == {(labels[0],), (labels[1],)}
    return False


def _spd(node: Node) -> bool:
    if isinstance(node, Symbol):
        return "spd" in node.traits
    if isinstance(node, Named):
        return spd(node.value) is Fact.YES
    if isinstance(node, Apply):
        return node.function in ("inv", "adj") and spd(node.arg) is Fact.YES
    if isinstance(node, Sum):
        kinds = [(factor > 0 and psd(term) is Fact.YES, spd(term) is Fact.YES) for factor, term in node.terms]
        return all(p for p, _ in kinds) and any(s for _, s in kinds)
    if isinstance(node, Einsum) and len(node.out) == 2 and node.coefficient > 0:
        matrices, scalars = _matrix_factors(node)
        if not all(positive(s) is Fact.YES for s in scalars):
            return False
        if not matrices:
            return node.out == (0, 0)
        if node.out == (0, 0):
            return all(s == (0,) and positive(n) is Fact.YES for n, s in matrices)
        return len(matrices) == 1 and set(matrices[0][1]) == set(node.out) == {0, 1} and spd(matrices[0][0]) is Fact.YES
    return False


def _psd(node: Node) -> bool:
    if isinstance(node, Symbol):
        return "psd" in node.traits
    if isinstance(node, Named):
        return psd(node.value) is Fact.YES
    if isinstance(node, Apply):
        return node.function in ("inv", "adj") and psd(node.arg) is Fact.YES
    if isinstance(node, Sum):
        return all(factor > 0 and psd(term) is Fact.YES for factor, term in node.terms)
    if isinstance(node, Einsum) and len(node.out) == 2 and node.coefficient >= 0:
        matrices, scalars = _matrix_factors(node)
        if not all(nonnegative(s) is Fact.YES for s in scalars):
            return False
        if node.out == (0, 0):
            return all(s == (0,) and nonnegative(n) is Fact.YES for n, s in matrices)
        return is_symmetric(node) and _is_gram(matrices, node.out)
    return False


def _matrix_factors(node: Einsum) -> tuple[list[tuple[Node, tuple[int, ...]]], list[Node]]:
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    return [(n, s) for n, s in pairs if s], [n for n, s in pairs if not s]


def _is_gram(operands: list[tuple[Node, tuple[int, ...]]], out: tuple[int, ...]) -> bool:
    """M'·P·M with P psd, nonnegative weights or nothing in the middle: peeled from both ends at once."""
    left, right = out
    rest = list(operands)
    while True:
        ends = [[i for i, (_, s) in enumerate(rest) if end in s] for end in (left, right)]
        if len(ends[0]) != 1 or len(ends[1]) != 1:
            return False
        i, j = ends[0][0], ends[1][0]
        if i == j:
            return len(rest) == 1 and psd(rest[i][0]) is Fact.YES
        (a, s), (b, t) = rest[i], rest[j]
        if a is not b or len(s) != len(t):
            return False
        rest = [operand for k, operand in enumerate(rest) if k not in (i, j)]
        if len(s) == 1:
            return not rest
        if len(s) != 2 or (s.index(left) != t.index(right) and not is_symmetric(a)):
            return False
        left, right = s[1 - s.index(left)], t[1 - t.index(right)]
        if left == right:
            return all(nonnegative(n) is Fact.YES and u == (left,) for n, u in rest)
