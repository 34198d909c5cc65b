"""Contractions in index notation: einsum("ij,k->ijk", A, x), where matrix notation does not suffice."""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_lowercase

from matgrad.errors import NotSupported
from matgrad.formula.subscripts import axes
from matgrad.formula.syntax import MATRIX, VECTOR, Call, Expr, Type
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Einsum, Node
from matgrad.translate.algebra import call, negated, number, of_order
from matgrad.translate.factors import joined
from matgrad.translate.fused import Pairs, SizeOf, exchanged, is_fuse
from matgrad.translate.merging import merged
from matgrad.translate.operands import indexed
from matgrad.translate.splitting import split_scalar
from matgrad.translate.terms import Ordering, Term

LETTERS = ascii_lowercase[8:] + ascii_lowercase[:8]


TWICE_FUSED = "the derivative through an axis that is fused in two ways has no printable form yet"
UNPRINTABLE = "the derivative through a slice or a stack of this kind has no printable form yet"


def index_notation(node: Einsum, signed: Signed, order: Ordering, size: SizeOf) -> Expr:
    """The contraction as an einsum: i, j, k, … along the axes of the result, eye for Kronecker deltas."""
    reading = _Reading(node, signed, size)
    ranked = sorted(
        zip(reading.args, reading.subscripts, strict=True),
        key=lambda p: (p[0].value == Call("eye"), order.rank(p[0]), p[1]),
    )
    pattern = f"{','.join(s for _, s in ranked)}->{''.join(reading.out)}"
    body = Expr("einsum", tuple(a for a, _ in ranked), pattern, type=of_order(node.shape))
    scalars: list[Expr] = []
    below: list[Expr] = []
    coefficient = node.coefficient if reading.sign > 0 else -node.coefficient
    for scalar in reading.scalars:
        coefficient = b.times(coefficient, split_scalar(scalar, scalars, below))
    return joined(Term(coefficient, tuple(scalars), tuple(below), (body,)), order, of_order(node.shape))


Signed = Callable[[Node], tuple[int, Expr]]
"""The sign and the formula of which a node is the product."""


def _with_sign(sign: int, expr: Expr) -> Expr:
    return expr if sign > 0 else negated(expr)


class _Reading:
    """The arguments, their subscripts, and the axes of the result."""

    def __init__(self, node: Einsum, signed: Signed, size: SizeOf) -> None:
        def plain(part: Node) -> Expr:
            return _with_sign(*signed(part))

        self.node = node
        pairs: Pairs = list(zip(node.operands, node.subscripts, strict=True))
        self.pairs = merged(exchanged(indexed(pairs, node.out, plain, size), node, size), node, signed)
        self.letters = _letters(node, {x for _, labels in self.pairs for x in labels})
        self.leaves = _leaves(self.pairs)
        self.fused = {x: f"({''.join(self.letters[y] for y in leaves)})" for x, leaves in self.leaves.items()}
        self.args: list[Expr] = []
        self.subscripts: list[str] = []
        self.scalars: list[Expr] = []
        self.out = self._diagonals()
        self._ones()
        self.sign = 1
        for operand, labels in self.pairs:
            if is_fuse(operand):
                continue
            sign, expr = signed(operand) if isinstance(operand, Node) else (1, operand)
            self.sign *= sign
            if labels:
                self._add(expr, "".join(self.fused.get(x, self.letters[x]) for x in labels))
            else:
                self.scalars.append(expr)
        self.out = self._told_apart([self.fused.get(x, o) for x, o in zip(node.out, self.out, strict=True)])
        self._sized()

    def _add(self, arg: Expr, subscript: str) -> None:
        self.args.append(arg)
        self.subscripts.append(subscript)

    def _diagonals(self) -> list[str]:
        """A repeated axis of the result: a Kronecker delta ties a letter of its own to it."""
        out: list[str] = []
        for place, x in enumerate(self.node.out):
            if x in self.node.out[:place] and x not in self.fused:
                out.append(LETTERS[place])
                self._add(call("eye", type=Type(MATRIX, (self.node.sizes[x],) * 2)), self.letters[x] + out[-1])
            else:
                out.append(self.letters[x])
        return out

    def _ones(self) -> None:
        """An axis that nothing has is an axis of ones."""
        out, groups = self.node.out, self.leaves
        used = {y for n, s in self.pairs if not is_fuse(n) for x in s for y in groups.get(x, [x])}
        used |= {x for x in out if out.count(x) > 1}
        # What the result has alone and fused gets a delta of its own.
        used |= {y for x in out for y in groups.get(x, []) if y in out}
        joined = [y for leaves in groups.values() for y in leaves]
        for x in dict.fromkeys([*out, *joined]):
            if x not in used and x not in groups:
                self._add(call("vector", number(1), type=Type(VECTOR, (self.node.sizes[x],))), self.letters[x])

    def _sized(self) -> None:
        """A letter that stands in brackets only has no size: ones give it one."""
        alone = {axis for part in (*self.subscripts, "".join(self.out)) for axis in axes(part) if len(axis) == 1}
        inside = dict.fromkeys(c for part in (*self.subscripts, *self.out) for c in part if c not in "()")
        sizes = {letter: self.node.sizes[x] for x, letter in self.letters.items()}
        for letter in inside:
            if letter not in alone and letter in sizes:
                self._add(call("vector", number(1), type=Type(VECTOR, (sizes[letter],))), letter)

    def _told_apart(self, out: list[str]) -> list[str]:
        """A letter that the result has twice, alone and fused, is tied to one of its own by a Kronecker delta."""
        sizes = {letter: self.node.sizes[x] for x, letter in self.letters.items()}
        taken = {c for text in (*self.subscripts, *out) for c in text}
        seen: set[str] = set()
        for place in sorted(range(len(out)), key=lambda place: len(out[place])):
            letters = list(out[place])
            for k, letter in enumerate(letters):
                if letter in seen:
                    fresh = next(c for c in LETTERS if c not in taken)
                    taken.add(fresh)
                    self._add(call("eye", type=Type(MATRIX, (sizes[letter],) * 2)), letter + fresh)
                    letters[k] = fresh
                elif letter not in "()":
                    seen.add(letter)
            out[place] = "".join(letters)
        return out


def _letters(node: Einsum, used: set[int]) -> dict[int, str]:
    """A letter for each label that is used: i, j, k, … along the axes of the result, then the summed ones."""
    letters: dict[int, str] = {}
    for place, x in enumerate(node.out):
        letters.setdefault(x, LETTERS[place])
    rest = [x for x in range(len(node.sizes)) if x in used and x not in letters]
    if len(node.out) + len(rest) > len(LETTERS):
        raise NotSupported("index notation with more than 26 indices", hint="named intermediates, or .matvec")
    return {**letters, **{x: LETTERS[len(node.out) + k] for k, x in enumerate(rest)}}


def _leaves(pairs: Pairs) -> dict[int, list[int]]:
    """The axes that a fused axis joins, the slowest first; those that are fused themselves give way to theirs."""
    joins = {labels[0]: labels[1:] for operand, labels in pairs if is_fuse(operand)}
    if len(joins) < sum(is_fuse(operand) for operand, _ in pairs):
        raise NotSupported(TWICE_FUSED, hint="the parts as variables of their own")

    def leaves(x: int) -> list[int]:
        return [y for part in joins[x] for y in leaves(part)] if x in joins else [x]

    return {x: leaves(x) for x in joins}
