"""Lengths: the root of a sum of squares without the squares, and what a length is made of."""

from __future__ import annotations

from fractions import Fraction

from matgrad.tensor import builders as b
from matgrad.tensor.builders import apply, einsum, map_, number, power
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.laws.shared import is_apply, is_map, power_of
from matgrad.tensor.nodes import Apply, Einsum, Map, Node

HALF = Fraction(1, 2)

Labels = tuple[int, ...]


def length_of(node: Node) -> Node | None:
    """sqrt(node) for a sum of squares, one of them not of a number, without forming the squares."""
    if "length" not in node.memo:
        node.memo["length"] = _length_of(node)
    return node.memo["length"]  # type: ignore[no-any-return]


def _length_of(node: Node) -> Node | None:
    terms = b.linear_terms(node)
    if not terms:
        return None
    sides = []
    squared = False
    for term, factor in terms.items():
        side = side_of(term)
        squared |= side is not None
        if side is None:
            side = power(term, HALF) if positive(term) is Fact.YES else None
        if side is None or factor.numerator <= 0:
            return None
        if factor != 1:
            side = b.multiply(side, b.broadcast(power(number(factor), HALF), side.shape) if side.shape
                              else power(number(factor), HALF))  # fmt: skip
        sides.append(side)
    if not squared or (len(sides) == 1 and not is_norm(sides[0])):
        return None
    total = sides[0]
    for side in sides[1:]:
        total = map_("hypot", (total, side))
    return total


def is_norm(node: Node) -> bool:
    parts = node.operands if isinstance(node, Einsum) else (node,)
    return any(isinstance(part, Apply) and part.function == "safe_norm" for part in parts)


def side_of(term: Node) -> Node | None:
    """x for x^2, and ‖x‖ for a sum of squares over axes."""
    base, count = power_of(term)
    if count.denominator == 1 and count.numerator % 2 == 0 and count > 0:
        return power(base, count / 2)
    if not isinstance(term, Einsum) or term.coefficient != 1 or len(set(term.out)) < len(term.out):
        return None
    halves, squared = [], False
    for operand, labels in zip(term.operands, term.subscripts, strict=True):
        base, count = power_of(operand)
        if len(set(labels)) < len(labels):
            return None
        if count.denominator != 1 or count.numerator % 2:
            if positive(base) is not Fact.YES:
                return None
        else:
            squared = True
        halves.append((power(base, count / 2), labels))
    if not squared:
        return None
    over = tuple(x for x in range(len(term.sizes)) if x not in term.out)
    whole = einsum(halves, term.out + over, 1, dict(enumerate(term.sizes)))
    return apply("safe_norm", whole, len(over)) if over and halves else whole if halves else None


def sides(node: Node) -> list[tuple[Node, Labels, int]]:
    """What is squared in a hypot or log1p_square: each with the axes of the node that its own are, and how many more
    axes are summed over, the entries of a norm. Nothing in other nodes."""
    found: list[tuple[Node, Labels, int]] = []
    waiting = [*reversed(node.children)] if is_map(node, "hypot") or is_map(node, "log1p_square") else []
    while waiting:
        part = waiting.pop()
        if is_map(part, "hypot"):
            waiting += reversed(part.children)
        else:
            found.append(_of_norm(part) or (part, tuple(range(len(part.shape))), 0))
    return found


def _of_norm(part: Node) -> tuple[Node, Labels, int] | None:
    """c*norm2(x) as c*x, to be squared and summed."""
    if is_apply(part, "safe_norm"):
        assert isinstance(part, Apply)
        return part.arg, tuple(range(len(part.shape))), part.parameter
    if not isinstance(part, Einsum) or len(part.sizes) > len(part.out) or len(set(part.out)) < len(part.out):
        return None
    pairs = list(zip(part.operands, part.subscripts, strict=True))
    norms = [(operand, labels) for operand, labels in pairs if is_apply(operand, "safe_norm")]
    if len(norms) != 1 or len(set(norms[0][1])) < len(norms[0][1]):
        return None
    norm, own = norms[0]
    assert isinstance(norm, Apply)
    rest = [pair for pair in pairs if pair[0] is not norm]
    if any(not set(labels) <= set(own) for _, labels in rest):
        return None
    over = tuple(range(len(part.sizes), len(part.sizes) + norm.parameter))
    sizes = dict(enumerate((*part.sizes, *norm.arg.shape[len(own) :])))
    whole = einsum([(norm.arg, own + over), *rest], own + over, part.coefficient, sizes)
    return whole, tuple(part.out.index(x) for x in own), norm.parameter


def longest(node: Node) -> list[Node]:
    """What a length is at least as long as, entry by entry."""
    if isinstance(node, Apply) and node.function == "safe_norm":
        return [node.arg]
    if isinstance(node, Apply) and node.function == "largest":
        return [node.arg, map_("abs", (node.arg,))]
    if not isinstance(node, Map) or node.function != "hypot":
        return []
    found = []
    for arg in node.args:
        inner = b.linear_terms(arg)
        found += [arg, *(longest(next(iter(inner))) if len(inner) == 1 else longest(arg))]
    return found
