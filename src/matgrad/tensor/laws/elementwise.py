"""Laws of elementwise functions.

A law is applied only where it holds on the whole domain of the formula as typed: what it needs beyond that
(x ≠ 0 in x/x) was already needed to write the formula, and its conditions are collected from there.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from matgrad.tensor import builders as b
from matgrad.tensor.builders import einsum, map_, number, power, scaled
from matgrad.tensor.facts import Fact, nonnegative, of_function, positive
from matgrad.tensor.laws.shared import is_apply, is_map
from matgrad.tensor.nodes import Constant, Einsum, Map, Node, Sum


@b.MAP_LAWS.add(
    "known value",
    "f(0) and f(1) where the card gives them; rational powers of numbers",
    because="evaluation",
    examples=(("exp(0)*x + cos(0) + 4^(1/2)", "x: vector(n)"),),
)
def known_values(function: str, args: tuple[Node, ...], parameter: Any) -> Node | None:
    """f(0) and log(1) where they are rational; rational powers of numbers; 0^p = 0 for p > 0."""
    value = b.as_number(args[0])
    if value is None or len(args) > 1:
        return None
    if function == "power":
        root = b.rational_power(value, parameter) if value else (Fraction(0) if parameter > 0 else None)
        return None if root is None else number(root, args[0].shape)
    found = of_function(function, f"at {value}")
    return None if found is None else number(Fraction(found), args[0].shape)


@b.MAP_LAWS.add(
    "no further derivative",
    "polygamma(0, x) = digamma(x)",
    because="polygamma counts derivatives of digamma",
    examples=(("polygamma(0, x)", "x: positive vector(n)"),),
)
def undifferentiated(function: str, args: tuple[Node, ...], parameter: Any) -> Node | None:
    return map_("digamma", args[1:]) if function == "polygamma" and b.is_zero(args[0]) else None


@b.MAP_LAWS.add(
    "inverse function",
    "exp(log(x)) = x and its like",
    because="one undoes the other",
    examples=(
        ("exp(log(x))", "x: positive vector(n)"),
        ("log(exp(x))", "x: vector(n)"),
    ),
)
def inverse_functions(function: str, args: tuple[Node, ...], parameter: Any) -> Node | None:
    """exp(log(x)) = x and its like."""
    inner = args[0]
    if isinstance(inner, Map) and of_function(function, "undoes") == inner.function:
        return inner.args[0]
    return None


@b.MAP_LAWS.add(
    "parity",
    "f(-x) = -f(x) for odd functions, f(-x) = f(x) for even ones",
    because="symmetry",
    examples=(
        ("sin(-x) + cos(-x)", "x: vector(n)"),
        ("tanh(-2*c)", "c: scalar"),
    ),
)
def parity(function: str, args: tuple[Node, ...], parameter: Any) -> Node | None:
    """f(-x) = -f(x) for odd functions, f(-x) = f(x) for even ones."""
    kind = of_function(function, "parity")
    inner = args[0]
    if kind is None or not isinstance(inner, Einsum) or inner.coefficient >= 0:
        return None
    return scaled(map_(function, (scaled(inner, -1),)), -1 if kind == "odd" else 1)


@b.MAP_LAWS.add(
    "homogeneity",
    "abs(c*x) = c*abs(x), relu(c*x) = c*relu(x), sign(c*x) = sign(x), step(c*x) = step(x) for numbers c > 0",
    because="positive homogeneity",
    examples=(
        ("abs(3*x) + relu(2*x)", "x: vector(n)"),
        ("sign(x/2) + step(4*x)", "x: vector(n)"),
        ("relu(-2*x) + step(-x/3)", "x: vector(n)"),
    ),
)
def homogeneity(function: str, args: tuple[Node, ...], parameter: Any) -> Node | None:
    """f(c·x) = c^degree·f(x) for c > 0: numbers come out of abs and relu, drop out of sign and step; signs stay."""
    inner = args[0]
    degree = of_function(function, "degree")
    if degree is None or not isinstance(inner, Einsum) or inner.coefficient in (-1, 0, 1):
        return None
    size = abs(inner.coefficient)
    return scaled(map_(function, (scaled(inner, 1 / size),)), size ** int(degree))


@b.MAP_LAWS.add(
    "known sign",
    "abs(x) = relu(x) = x for x ≥ 0, sign(x) = step(x) = 1 for x > 0",
    because="the facts show the sign",
    examples=(
        ("abs(exp(x)) + sign(exp(x))", "x: vector(n)"),
        ("relu(x.^2)", "x: vector(n)"),
    ),
)
def known_sign(function: str, args: tuple[Node, ...], parameter: Any) -> Node | None:
    """abs and relu of what is ≥ 0 are that; sign and step of what is > 0 are 1."""
    for fact, holds in (("on positive", positive), ("on nonnegative", nonnegative)):
        found = of_function(function, fact)
        if found is not None and holds(args[0]) is Fact.YES:
            return args[0] if found == "x" else number(Fraction(found), args[0].shape)
    return None


@b.MAP_LAWS.add(
    "sign of a clipped value",
    "step(a - relu(x)) = step(a - x), step(relu(x) - a) = step(x - a) for numbers a > 0, and sign alike",
    because="what is below 0 is below a, clipped or not",
    examples=(
        ("step(6 - relu(x)) + sign(2*relu(x) - 1)", "x: vector(n)"),
        ("step(2 - relu(c + 1))", "c: scalar"),
    ),
)
def sign_of_clipped(function: str, args: tuple[Node, ...], parameter: Any) -> Node | None:
    """step(a - relu(x)) = step(a - x) and step(relu(x) - a) = step(x - a) for a > 0; so with sign."""
    if function not in ("step", "sign"):
        return None
    terms = b.linear_terms(args[0])
    clipped = next((node for node in terms if is_map(node, "relu")), None)
    constant = terms.get(number(1, args[0].shape))
    if len(terms) != 2 or clipped is None or constant is None or constant * terms[clipped] > 0:
        return None
    assert isinstance(clipped, Map)
    return map_(function, (b.add([scaled(clipped.args[0], terms[clipped]), number(constant, args[0].shape)]),))


@b.MAP_LAWS.add(
    "logarithm",
    "log(sum(exp(x))) = logsumexp(x), log(1 + exp(z)) = softplus(z), log(det(X)) = logdet(X), "
    "log(x^p) = p*log(x) for odd p",
    because="where the logarithm typed is defined",
    examples=(
        ("log(sum(exp(x)))", "x: vector(n)"),
        ("log(1 + exp(x))", "x: vector(n)"),
        ("log(c^3)", "c: positive"),
        ("log(sum(exp(X), dim=1))", "X: matrix(m,n)"),
    ),
)
def logarithms(function: str, args: tuple[Node, ...], parameter: Any) -> Node | None:
    """log(sum(exp(x))), log(1 + exp(z)), log(det(X)), and log(x^p) = p·log(x) for odd p."""
    inner = args[0]
    if function == "log1p" and is_map(inner, "exp"):
        return map_("softplus", inner.args)  # type: ignore[attr-defined]
    if function != "log":
        return None
    if is_apply(inner, "det"):
        return b.apply("logdet", inner.arg)  # type: ignore[attr-defined]
    if isinstance(inner, Map) and inner.function == "abs" and is_apply(inner.args[0], "det"):
        return b.apply("logdet", inner.args[0].arg)  # type: ignore[attr-defined]
    if isinstance(inner, Map) and inner.function == "power" and inner.parameter.denominator == 1:
        if inner.parameter.numerator % 2:
            return scaled(map_("log", inner.args), inner.parameter)
    exponent = _one_plus_exp(inner)
    if exponent is not None:
        return map_("softplus", (exponent,))
    if isinstance(inner, Einsum) and len(inner.operands) == 1 and inner.coefficient == 1:
        exps, subscript = inner.operands[0], inner.subscripts[0]
        if isinstance(exps, Map) and exps.function == "exp" and len(set(subscript)) == len(subscript):
            if set(inner.out) < set(subscript) and len(set(inner.out)) == len(inner.out):
                order = [*inner.out, *(x for x in subscript if x not in inner.out)]
                turned = einsum([(exps.args[0], subscript)], order)
                return b.apply("logsumexp", turned, len(subscript) - len(inner.out))
    return None


def _one_plus_exp(node: Node) -> Node | None:
    """z, where the node is 1 + exp(z)."""
    if isinstance(node, Sum) and len(node.terms) == 2 and all(factor == 1 for factor, _ in node.terms):
        exps = [term for _, term in node.terms if is_map(term, "exp")]
        if len(exps) == 1 and any(term is number(1, node.shape) for _, term in node.terms):
            return exps[0].args[0]  # type: ignore[attr-defined, no-any-return]
    return None


@b.MAP_LAWS.add(
    "power",
    "(x^a)^b = x^(a*b) for whole b or x ≥ 0, abs(x)^(2*k) = x^(2*k), 1/(1 + exp(z)) = sigmoid(-z), sqrt(x) = x^(1/2)",
    because="laws of exponents",
    examples=(
        ("(x.^3).^2", "x: vector(n)"),
        ("abs(x).^4", "x: vector(n)"),
        ("1./(1 + exp(x)).^2", "x: vector(n)"),
        ("(x.^2).^(1/2)", "x: vector(n)"),
        ("sqrt(4*c)", "c: positive"),
    ),
)
def powers(function: str, args: tuple[Node, ...], parameter: Any) -> Node | None:
    """(x^a)^b = x^(ab) for whole b or x ≥ 0; |x|^2k = x^2k; 1/(1 + exp(z)) = sigmoid(-z); sqrt; 0/1 masks."""
    inner = args[0]
    if function == "sqrt":
        return power(inner, Fraction(1, 2))
    if function == "pow":
        if b.as_number(inner) == 1:
            return inner
        exponent = b.as_number(args[1])
        return None if exponent is None else power(inner, exponent)
    if function != "power":
        return None
    whole = parameter.denominator == 1
    if isinstance(inner, Map):
        if inner.function == "power" and (whole or nonnegative(inner.args[0]) is Fact.YES):
            return power(inner.args[0], inner.parameter * parameter)
        if inner.function == "abs" and whole and parameter.numerator % 2 == 0:
            return power(inner.args[0], parameter)
        if inner.function == "step" and parameter > 0:
            return inner
    if isinstance(inner, Constant) and inner.shape and parameter > 0:
        return inner
    if isinstance(inner, Einsum):
        split = b.split_power(inner, parameter)
        if split is not None:
            return split
    inside = _one_plus_exp(inner)
    if inside is not None and parameter < 0:
        return power(map_("sigmoid", (scaled(inside, -1),)), -parameter)
    return None
