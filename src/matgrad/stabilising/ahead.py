"""What is written in another way before it is differentiated: logarithms of differences, normal tails.

The derivative of log(sigmoid(x) - sigmoid(y)) divides by a difference that may be 0 in floating point, and second
derivatives are differences of such quotients. Taken apart first, each part has its own derivative, and what does not
depend on the variable has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from matgrad.functions import CARDS, CODE_ONLY
from matgrad.stabilising import differences_of_roots as _differences_of_roots  # noqa: F401  (adds a rule)
from matgrad.stabilising import inverse_functions as _inverse_functions  # noqa: F401  (adds its rules)
from matgrad.stabilising.differences import complement_of
from matgrad.stabilising.log_forms import log_density, log_of, quantile
from matgrad.stabilising.rule import AHEAD
from matgrad.tensor import builders as b
from matgrad.tensor.builders import einsum, map_, number, power, scaled
from matgrad.tensor.laws.shared import is_map, power_of
from matgrad.tensor.nodes import Einsum, Map, Named, Node, Sum, topological
from matgrad.tensor.rebuild import rebuilt


def ahead(root: Node) -> Node:
    """The graph that code differentiates: the same function, ``root`` itself where no rule applies.

    >>> from matgrad import parse
    >>> node = parse("log(exp(a) - exp(c))", where="a: scalar; c: scalar").node
    >>> ahead(node) is parse("a + log(1 - exp(c - a))", where="a: scalar; c: scalar").node
    True
    """
    if "ahead" not in root.memo:
        done: dict[Node, Node] = {}
        for node in topological(root):
            done[node] = rewritten(rebuilt(node, done, False))
        root.memo["ahead"] = done[root]
    return root.memo["ahead"]  # type: ignore[no-any-return]


def rewritten(node: Node) -> Node:
    for rule in AHEAD.about([type(node)]):
        found: Node | None = rule.rewrite(node)
        if found is not None:
            return found
    return node


@AHEAD.add(
    "logarithm of a difference of exponentials",
    "log(exp(x) - exp(y)) = x + log(1 - exp(y - x)), log(sigmoid(x) - sigmoid(y)) = log(sigmoid(x)) + "
    "log(sigmoid(-y)) + log(1 - exp(y - x)), tanh(x) - tanh(y) = 2*sigmoid(2*x) - 2*sigmoid(2*y)",
    because="x > y where the logarithm is defined, and what x and y share leaves y - x",
    on=(Map,),
    examples=(
        ("log(exp(a) - exp(a - c^2 - 1))", "a: scalar; c: scalar"),
        ("log(sigmoid(x + y) - sigmoid(x))", "x: vector(n); y: positive vector(n)"),
        ("log(1/(1 + exp(-c - a)) - 1/(1 + exp(-a)))", "a: scalar; c: positive"),
        ("p = tanh(x + y); q = tanh(x); log(3*p - 3*q)", "x: vector(n); y: positive vector(n)"),
    ),
)
def logarithm_of_difference(node: Node) -> Node | None:
    assert isinstance(node, Map)
    terms = sorted(b.linear_terms(_value(node.args[0])).items(), key=lambda entry: -entry[1]) if is_map(
        node, "log") else []  # fmt: skip
    if len(terms) != 2 or terms[0][1] != -terms[1][1]:
        return None
    (above, factor), (below, _) = terms
    found = _of_difference(_value(above), _value(below), factor)
    if found is None:
        return None
    parts, size = found
    return b.add([*parts, *([] if size == 1 else [map_("log", (number(size, node.shape),))])])


def _value(node: Node) -> Node:
    """What a named intermediate is."""
    while isinstance(node, Named):
        node = node.value
    return node


def _of_difference(above: Node, below: Node, factor: Fraction) -> tuple[list[Node], Fraction] | None:
    """Terms of log(factor·(above - below)), and a number whose logarithm is to be added."""
    points = [_logistic(above), _logistic(below)]
    if is_map(above, "tanh") and is_map(below, "tanh"):
        points, factor = [scaled(side.children[0], 2) for side in (above, below)], 2 * factor
    x, y = points
    if x is not None and y is not None:
        outer = [scaled(map_("softplus", (z,)), -1) for z in (scaled(x, -1), y)]
        return [*outer, _one_without(b.subtract(y, x))], factor
    if quantile(above) is not None and quantile(below) is not None:
        return None  # their logarithms are nearly equal where they are nearly 1: see ``close_pairs``
    logs = [log_of(side) for side in (above, below)]
    if logs[0] is None or logs[1] is None or not all(map(_differentiable, logs)):
        return None
    return [logs[0], _one_without(b.subtract(logs[1], logs[0]))], factor


def _one_without(z: Node) -> Node:
    """log(1 - exp(z))."""
    return map_("log", (b.subtract(number(1, z.shape), map_("exp", (z,))),))


def _logistic(node: Node) -> Node | None:
    """x, where the node is sigmoid(x), or 1/(1 + exp(-x))."""
    found = log_of(node)
    terms = b.linear_terms(found) if found is not None else {}
    if len(terms) == 1 and set(terms.values()) == {-1}:
        (inner,) = terms
        return scaled(inner.children[0], -1) if is_map(inner, "softplus") else None
    return None


def _differentiable(node: Node | None) -> bool:
    """Whether it is made of functions of the language."""
    return node is not None and all(
        name in CARDS or name in ("power", "pow") or (name in CODE_ONLY and CODE_ONLY[name].derivative)
        for name in _functions(node)
    )


def _functions(root: Node) -> Iterator[str]:
    for node in topological(root):
        name = getattr(node, "function", None)
        if name is not None:
            yield name


@AHEAD.add(
    "other tail",
    "1 - normcdf(x) = normcdf(-x), 1 - erf(x) = 2*normcdf(-sqrt(2)*x)",
    because="the same without a difference of nearly equal numbers",
    on=(Sum,),
    examples=(("y.*log(1 - normcdf(x)) + log(1 + erf(x))", "x: vector(n); y: vector(n)"),),
)
def other_tail(node: Node) -> Node | None:
    return complement_of(node, {"normcdf", "erf"})


@AHEAD.add(
    "logarithm of a normal probability alone",
    "log(normcdf(x)) is one function, with the derivative normpdf(x)/normcdf(x)",
    because="normcdf(x) may underflow",
    on=(Map,),
    examples=(("y'*log(normcdf(x)) + sum(log(2*normpdf(x).*normcdf(3*x)))", "x: vector(n); y: vector(n)"),),
)
def logarithm_of_probability(node: Node) -> Node | None:
    assert isinstance(node, Map)
    inner = node.args[0]
    found = log_of(_value(inner)) if node.function == "log" and _has_normal(inner) else None
    return found if found is not None and "log_normcdf" in _functions(found) and _differentiable(found) else None


def _has_normal(root: Node) -> bool:
    """Whether normcdf occurs in it."""
    for node in topological(root, skip=_LOOKED_AT):
        inside = is_map(node, "normcdf") or is_map(node, "normal_ratio")
        node.memo["normal"] = inside or any(child.memo["normal"] for child in node.children)
    return root.memo["normal"]  # type: ignore[no-any-return]


class _LookedAt:
    def __contains__(self, node: object) -> bool:
        return "normal" in getattr(node, "memo", ())


_LOOKED_AT = _LookedAt()


@AHEAD.add(
    "density over a normal tail",
    "normpdf(x)/normcdf(x) and exp(-x^2/2)/normcdf(x) are a function of x, the inverse of Mills' ratio",
    because="both underflow in the left tail, and in derivatives nearly all cancels",
    on=(Einsum,),
    examples=(
        ("exp(-x.^2/2)./normcdf(x) + normcdf(x)./normpdf(x)", "x: vector(n)"),
        ("exp(a^2/2 - c)*(1 - normcdf(a))^2", "a: scalar; c: scalar"),
    ),
)
def density_over_tail(node: Node) -> Node | None:
    assert isinstance(node, Einsum)
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    for i, (tail, labels) in enumerate(pairs):
        base, count = power_of(tail)
        z = base.children[0] if is_map(base, "normcdf") and count.denominator == 1 else None
        for j, (density, others) in enumerate(pairs if z is not None else ()):
            exponent = _exponent(density)
            if z is None or others != labels or exponent is None:
                continue
            times = _densities(exponent, z)
            if times.denominator == 1 and times * count < 0 and abs(times) <= abs(count):
                left = b.subtract(exponent, scaled(log_density(z), times))
                new = [(power(map_("normal_ratio", (z,)), times), labels), (power(base, count + times), labels)]
                new += [(factor, labels if factor.shape else ()) for factor in _exponential(left)]
                rest = [pair for place, pair in enumerate(pairs) if place not in (i, j)]
                return einsum([*rest, *new], node.out, node.coefficient, dict(enumerate(node.sizes)))
    return None


def _exponent(node: Node) -> Node | None:
    """The logarithm of an exponential or a normal density, or of a power of one."""
    base, count = power_of(node)
    found = log_of(base) if is_map(base, "exp") or is_map(base, "normpdf") else None
    return None if found is None else scaled(found, count)


def _densities(exponent: Node, z: Node) -> Fraction:
    """k, where the exponent has the term -k*z^2/2."""
    terms = b.linear_terms(power(z, 2))
    if len(terms) != 1:
        return Fraction(0)
    ((square, size),) = terms.items()
    return -2 * b.linear_terms(exponent).get(square, Fraction(0)) / size


def _exponential(node: Node) -> list[Node]:
    """exp(node) as factors: a power for a term c*log(y) of numbers."""
    found, rest = [], []
    for term, factor in b.linear_terms(node).items():
        inner = b.scalar_of(term)
        if isinstance(inner, Map) and inner.function == "log":
            found.append(power(inner.args[0], factor))
        else:
            rest.append(scaled(term, factor))
    return [*found, *([map_("exp", (b.add(rest),))] if rest else [])]
