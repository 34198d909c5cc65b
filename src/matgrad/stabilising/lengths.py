"""Roots of sums of squares, which must not overflow or underflow with the squares, and what is divided by them."""

from __future__ import annotations

from fractions import Fraction

from matgrad.stabilising.differences import parts_of, without
from matgrad.stabilising.length_forms import is_norm, length_of, longest, side_of
from matgrad.stabilising.rule import RULES
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Operand, apply, einsum, map_, number, power, scaled
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.laws.shared import is_apply, is_map, power_of
from matgrad.tensor.nodes import Einsum, Map, Node, Sum


@RULES.add(
    "p-norm",
    "sum(abs(x).^p)^(1/p) = m*sum((abs(x)/m).^p)^(1/p) with m = max(abs(x))",
    because="scaled, the powers neither overflow nor all underflow",
    on=(Map,),
    examples=(
        ("sum(x.^4)^(1/4)", "x: vector(n)"),
        ("sum(2*abs(x).^p)^(1/p - 1)", "x: vector(n); p: positive"),
        ("sum(abs(X).^3, dim=1).^(1/3)", "X: matrix(m, n)"),
        ("mean(x.^3)^(1/3)", "x: positive vector(n)"),
    ),
)
def p_norm(node: Node) -> Node | None:
    assert isinstance(node, Map)
    if node.function not in ("power", "pow") or (node.function == "power" and node.parameter.denominator == 1):
        return None
    terms = b.linear_terms(node.args[0])
    if len(terms) != 1:
        return None
    ((total, factor),) = terms.items()
    if not isinstance(total, Einsum) or factor < 0:
        return None
    pairs = list(zip(total.operands, total.subscripts, strict=True))
    beside = [(n, s) for n, s in pairs if not s]
    if len(beside) != len(pairs) - 1:
        return None
    ((operand, labels),) = [pair for pair in pairs if pair[1]]
    over = tuple(x for x in labels if x not in total.out)
    if not over or len(set(labels)) < len(labels) or set(total.out) - set(labels) or not isinstance(operand, Map):
        return None
    base = operand.args[0]
    exponent: Node | None = None
    if is_map(base, "ratio"):
        return None  # it is scaled
    if operand.function == "power" and operand.parameter > 0 and operand.parameter != 2:
        exponent = b.number(operand.parameter)
        whole_number = operand.parameter.denominator == 1
    elif operand.function == "pow":
        exponent, whole_number = b.scalar_of(operand.args[1]), False
    if exponent is None or not (whole_number or is_map(base, "abs") or positive(base) is Fact.YES):
        return None
    whole = einsum([(base.children[0] if is_map(base, "abs") else base, labels)], total.out + over)
    largest = apply("largest", whole, len(over))
    axes = dict(zip(labels, base.shape, strict=True))
    part = map_("ratio", (base, einsum([(largest, total.out)], labels, 1, axes)))
    scaled_ = einsum(
        [(map_(operand.function, (part, *operand.args[1:]), operand.parameter), labels), *beside], total.out, factor
    )
    outer = b.number(node.parameter) if node.function == "power" else b.scalar_of(node.args[1])
    if outer is None:
        return None
    return b.multiply(_raised(largest, b.add([scaled(b.multiply(term, exponent), own) for term, own in
                                              b.linear_terms(outer).items()])),
                      map_(node.function, (scaled_, *node.args[1:]), node.parameter))  # fmt: skip


def _raised(node: Node, exponent: Node) -> Node:
    value = b.as_number(exponent)
    return power(node, value) if value is not None else map_("pow", (node, b.broadcast(exponent, node.shape)))


@RULES.add(
    "length",
    "sqrt(sum(x.^2)) = norm2(x), sqrt(x^2 + y^2) = hypot(x, y)",
    because="scaled, the squares neither overflow nor underflow",
    on=(Map,),
    examples=(
        ("sqrt(x'*x) + norm2(2*x - y)", "x: vector(n); y: vector(n)"),
        ("sqrt(sum(X.^2, dim=2)) + sqrt(1 + y.^2)", "X: matrix(m, n); y: vector(m)"),
        ("sqrt(a^2 + 2*c^2 + x'*x)^3", "a: scalar; c: scalar; x: vector(n)"),
        ("log(x'*x) + log(1 + x'*x)", "x: vector(n)"),
        ("log(1 + x.^2)", "x: vector(n)"),
        ("log(a^2 + c^2)", "a: scalar; c: scalar"),
    ),
)
def length(node: Node) -> Node | None:
    assert isinstance(node, Map)
    if node.function == "log1p":
        terms = b.linear_terms(node.args[0])
        ((term, factor),) = terms.items() if len(terms) == 1 else ((node, Fraction(0)),)
        found = length_of(node.args[0]) or (side_of(term) if factor == 1 else None)
        return None if found is None else map_("log1p_square", (found,))
    if node.function == "log":
        found = length_of(node.args[0])
        plain = all(b.as_number(term) is None for term in b.linear_terms(node.args[0]))  # else it may be a log1p
        return scaled(map_("log", (found,)), 2) if found is not None and (plain or is_norm(found)) else None
    if node.function != "power" or node.parameter.denominator == 1:
        return None
    found = length_of(node.args[0])
    return None if found is None else power(found, 2 * node.parameter)


@RULES.add(
    "power of a quadratic form",
    "(x'*A*x)^p = m^(2*p)*((x/m)'*A*(x/m))^p with m = max(abs(x))",
    because="scaled, the form neither overflows nor underflows with the squares of x",
    on=(Map,),
    examples=(
        ("sqrt(x'*(X*X' + eye)*x)", "x: vector(n); X: matrix(n, n)"),
        ("x'*A*x/(x'*B*x)", "x: vector(n); A: matrix(n, n); B: matrix(n, n)"),
        ("A*(x - y)/sqrt((x - y)'*A*(x - y))^3", "x: vector(n); y: vector(n); A: spd(n)"),
    ),
)
def power_of_form(node: Node) -> Node | None:
    form, count = power_of(node)
    if (count >= 0 and count.denominator == 1) or not isinstance(form, Einsum) or length_of(form) is not None:
        return None
    sides = [n for n in form.operands if len(n.shape) == 1 and form.operands.count(n) == 2]
    if len(set(sides)) != 1 or form.out or any(_is_scaled(n) for n in form.operands):
        return None
    (side,) = set(sides)
    largest = apply("largest", side, 1)
    part = map_("ratio", (side, einsum([(largest, ())], (0,), 1, {0: side.shape[0]})))
    pairs = [(part if n is side else n, s) for n, s in zip(form.operands, form.subscripts, strict=True)]
    return b.multiply(power(largest, 2 * count), power(einsum(pairs, (), form.coefficient), count))


def _is_scaled(node: Node) -> bool:
    return is_map(node, "ratio")


@RULES.add(
    "part of a length",
    "x/norm2(x)^3*x' = (x/norm2(x))*(x/norm2(x))'/norm2(x), x/(x'*x) = (x/norm2(x))/norm2(x)",
    because="each factor x is divided by one length, before any power is formed",
    on=(Einsum,),
    examples=(
        ("x*x'/norm2(x)^3", "x: vector(n)"),
        ("x/(x'*x)", "x: vector(n)"),
        ("x'*y/(norm2(x)*norm2(y))", "x: vector(n); y: vector(n)"),
        ("x.^2./(1 + x.^2)", "x: vector(n)"),
        ("diag(1./sqrt(sum(X.^2, dim=2)))*X", "X: matrix(m, n)"),
        ("(x - y)/norm2(x - y) + c^2*x./(c^2 + x.^2).^2", "x: vector(n); y: vector(n); c: scalar"),
        ("X*diag(1./sqrt(sum(X.^2, dim=1))')", "X: matrix(m, n)"),
    ),
)
def part_of_length(node: Node) -> Node | None:
    assert isinstance(node, Einsum)
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    for j, (below, labels) in enumerate(pairs):
        base, count = power_of(below)
        if count > -1 or (count.denominator != 1 and not is_apply(base, "largest")):
            continue
        whole = base if longest(base) else length_of(base)
        if whole is None:
            continue
        count = count if whole is base else 2 * count
        sides = longest(whole)
        for i, (above, others) in enumerate(pairs):
            base_side, times = power_of(above)
            along = next((n for n in sides if _is_along(n, base_side, others, labels)), None)
            if along is not None and times >= 1:
                used = min(times // 1, -count // 1)
                new = [(power(map_("ratio", (along, whole)), used), labels), (power(base_side, times - used), others),
                       (power(whole, count + used), labels)]  # fmt: skip
                rest = [pair for place, pair in enumerate(pairs) if place not in (i, j)]
                return einsum([*rest, *new], node.out, node.coefficient, dict(enumerate(node.sizes)))
            side, others, beside = _as_side(base_side, others, sides)
            if times < 1 or side is None or len(set(others)) < len(others):
                continue
            if tuple(others[: len(labels)]) != tuple(labels):
                continue
            used = min(times // 1, -count // 1)
            axes = tuple(range(len(others)))
            spread = einsum([(whole, axes[: len(labels)])], axes, 1, dict(enumerate(side.shape)))
            new = [(power(map_("ratio", (side, spread)), used), others), (power(base_side, times - used), pairs[i][1]),
                   (power(whole, count + used), labels), *((power(n, used), own) for n, own in beside)]  # fmt: skip
            rest = [pair for place, pair in enumerate(pairs) if place not in (i, j)]
            return einsum([*rest, *new], node.out, node.coefficient, dict(enumerate(node.sizes)))
    return None


@RULES.add(
    "part of a p-norm",
    "abs(x).^p/m^q = (abs(x)/m).^p*m^(p - q) with m = max(abs(x))",
    because="the powers alone may overflow",
    on=(Einsum,),
    examples=(("sum(abs(x).^p)^(1/p - 1)*abs(x).^(p - 1)", "x: vector(n); p: positive"),),
)
def part_of_p_norm(node: Node) -> Node | None:
    assert isinstance(node, Einsum)
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    for j, (below, labels) in enumerate(pairs):
        largest, count = _power_of_largest(below)
        if largest is None or count is None:
            continue
        for i, (above, others) in enumerate(pairs):
            if not is_map(above, "pow") or tuple(others[: len(labels)]) != tuple(labels):
                continue
            base, exponent = above.children
            own = b.scalar_of(exponent)
            if base not in longest(largest) or own is None or len(set(others)) < len(others):
                continue
            axes = dict(zip(others, base.shape, strict=True))
            part = map_("ratio", (base, einsum([(largest, labels)], others, 1, axes)))
            new = [(map_("pow", (part, exponent)), others), (_raised(largest, b.add([count, own])), labels)]
            rest = [pair for place, pair in enumerate(pairs) if place not in (i, j)]
            return einsum([*rest, *new], node.out, node.coefficient, dict(enumerate(node.sizes)))
    return None


def _power_of_largest(node: Node) -> tuple[Node | None, Node | None]:
    """m and q, where the node is m^q for the largest of some entries."""
    if is_map(node, "pow"):
        base, exponent = node.children
        return (base, b.scalar_of(exponent)) if is_apply(base, "largest") else (None, None)
    base, count = power_of(node)
    return (base, b.number(count)) if is_apply(base, "largest") else (None, None)


def _is_along(side: Node, node: Node, own: tuple[int, ...], labels: tuple[int, ...]) -> bool:
    """Whether a side is a factor that is the same along some of its axes."""
    if not isinstance(side, Einsum) or side.operands != (node,) or side.coefficient != 1 or len(own) >= len(side.out):
        return False
    inner = side.subscripts[0]
    if len(side.out) != len(labels) or len(set(side.out)) < len(labels) or not set(inner) <= set(side.out):
        return False
    return own == tuple(labels[side.out.index(x)] for x in inner)


def _as_side(
    node: Node, labels: tuple[int, ...], sides: list[Node]
) -> tuple[Node | None, tuple[int, ...], list[Operand]]:
    """The side that a factor is, perhaps with its axes in another order; the labels of the side's axes; and what x is
    x/d times."""
    for side in sides:
        if side is node:
            return side, labels, []
        if not isinstance(side, Einsum) or node not in side.operands:
            continue
        place = side.operands.index(node)
        own = side.subscripts[place]
        if side.operands == (node,) and side.coefficient == 1 and len(set(own)) == len(own):
            if sorted(own) == sorted(side.out):
                return side, tuple(labels[own.index(x)] for x in side.out), []
        elif own == side.out and len(side.sizes) == len(own) == len(set(own)):
            pairs = enumerate(zip(side.operands, side.subscripts, strict=True))
            beside = [(power(n, -1), tuple(labels[own.index(x)] for x in s)) for i, (n, s) in pairs if i != place]
            if all(power_of(n)[1] > 0 or positive(n) is Fact.YES for n, _ in beside):
                return side, labels, [*beside, (number(1 / side.coefficient), ())]
    return None, labels, []


@RULES.add(
    "side beside a length",
    "(1 + x/h)/(x + h) = 1/h with h = hypot(x, y)",
    because="for x < 0 both sums are nearly nothing",
    on=(Sum,),
    examples=(("1/(a + sqrt(1 + a^2)) + a/(sqrt(1 + a^2)*(a + sqrt(1 + a^2)))", "a: scalar"),),
)
def side_beside_length(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    for factor, part in parts_of(node, {"ratio"}):
        assert isinstance(part.factor, Map)
        side, whole = part.factor.args
        rest = b.linear_terms(part.times(power(part.factor, part.count - 1)))
        if len(rest) != 1:
            continue
        ((term, size),) = rest.items()
        sign = _factor(node, term) * size / factor
        total = b.add([whole, scaled(side, sign)])
        if abs(sign) == 1 and isinstance(term, Einsum | Map) and power(total, -1) in _divisors(term):
            new = part.times(power(part.factor, part.count - 1), total, power(whole, -1))
            return without(node, {part.term, term}, scaled(new, factor / sign))
    return None


def _divisors(node: Node) -> set[Node]:
    """1/v for everything that a product is divided by."""
    operands = node.operands if isinstance(node, Einsum) else (node,)
    return {power(base, -1) for base, count in map(power_of, operands) if count <= -1}


@RULES.add(
    "other side of a length",
    "1 - (x/hypot(x, y))^2 = (y/hypot(x, y))^2",
    because="Pythagoras",
    on=(Sum,),
    examples=(("y - y*a^2/(a^2 + c^2)", "a: scalar; c: scalar; y: scalar"),),
)
def other_side(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    for factor, part in parts_of(node, {"ratio"}):
        assert isinstance(part.factor, Map)
        side, whole = part.factor.args
        if part.count < 2 or not isinstance(whole, Map) or whole.function != "hypot" or side not in whole.args:
            continue
        rest = b.linear_terms(part.times(power(part.factor, part.count - 2)))
        if rest and all(-factor * size == own for size, own in ((s, _factor(node, term)) for term, s in rest.items())):
            other = whole.args[1] if side is whole.args[0] else whole.args[0]
            new = part.times(power(part.factor, part.count - 2), power(map_("ratio", (other, whole)), 2))
            return without(node, {part.term, *rest}, scaled(new, -factor))
    return None


def _factor(node: Sum, term: Node) -> Fraction:
    return next((factor for factor, own in node.terms if own is term), Fraction(0))
