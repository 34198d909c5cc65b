"""Rules for the signs of entries."""

from __future__ import annotations

from fractions import Fraction

from matgrad.tensor.builders import add, einsum, identity, number, scaled
from matgrad.tensor.components import components
from matgrad.tensor.facts.dominance import dominated
from matgrad.tensor.facts.mirrors import Mirror, Operand, mirrors
from matgrad.tensor.facts.reasons import Why, facts_of, holds, of_function, rule_for, why
from matgrad.tensor.nodes import Apply, Constant, Einsum, Map, MatrixPower, Named, Node, Sum, Symbol

SEMI = {"psd": "semidefinite", "spd": "definite"}


@rule_for("positive")
def positive(node: Node) -> Why | None:
    """Every entry is > 0."""
    if isinstance(node, Symbol):
        return Why("declared positive") if "positive" in node.traits else None
    if isinstance(node, Named):
        return _through(node, "positive")
    if isinstance(node, Constant):
        return Why("a positive constant") if node.name in ("size", "pi") else None
    if isinstance(node, Map):
        return _positive_map(node)
    if isinstance(node, Apply):
        return _of_apply(node, "positive", "spd")
    if isinstance(node, Sum):
        return _positive_sum(node)
    if isinstance(node, MatrixPower):
        return None
    assert isinstance(node, Einsum)
    if node.coefficient < 0:
        return dominated(node, "positive")
    if node.coefficient > 0 and len(set(node.out)) == len(node.out):
        return _product(node, "positive") or _diagonal(node, "spd") or _definite_form(node)
    return None


@rule_for("nonnegative")
def nonnegative(node: Node) -> Why | None:
    """Every entry is ≥ 0."""
    found = why(node, "positive")
    if found is not None:
        return found
    if isinstance(node, Symbol):
        return Why("declared nonnegative") if "nonnegative" in node.traits else None
    if isinstance(node, Constant):
        return Why("a constant of zeros and ones")
    if isinstance(node, Named):
        return None  # at its boundary an intermediate may turn negative: the derivative in it is unconstrained
    if isinstance(node, Map):
        return _nonnegative_map(node)
    if isinstance(node, Apply):
        return _of_apply(node, "nonnegative", "psd")
    if isinstance(node, Sum):
        if all(factor > 0 and holds(term, "nonnegative") for factor, term in node.terms):
            return Why("a sum of nonnegative terms", tuple(("nonnegative", term) for _, term in node.terms))
        return dominated(node, "nonnegative")
    if isinstance(node, MatrixPower):
        return None
    assert isinstance(node, Einsum)
    if node.coefficient == 0:
        return Why("zero")
    if node.coefficient < 0:
        return dominated(node, "nonnegative")
    return _product(node, "nonnegative") or _diagonal(node, "psd") or _gram(node)


def _through(node: Named, property: str) -> Why | None:
    return Why("by its definition", ((property, node.value),)) if holds(node.value, property) else None


def _positive_map(node: Map) -> Why | None:
    base = node.args[0]
    if node.function in ("power", "pow") and holds(base, "positive"):
        return Why("a power of what is positive", (("positive", base),))
    if node.function == "power" and node.parameter < 0:  # where it is defined, it is not 0
        return nonnegative_power(node)
    return _by_range(node.function, facts_of(node).get("range"), "positive") or _beyond_a_zero(node, "positive")


def _nonnegative_map(node: Map) -> Why | None:
    if node.function == "power":
        return nonnegative_power(node)
    found = _by_range(node.function, facts_of(node).get("range"), "nonnegative")
    return found or _beyond_a_zero(node, "nonnegative")


def _beyond_a_zero(node: Map, property: str) -> Why | None:
    """f(u) ≥ f(a) = 0 for u ≥ a, where f is increasing, and > for >: log(u) for u ≥ 1, tanh(u) for u ≥ 0."""
    if of_function(node.function, "increasing on") not in ("all", "nonnegative", "positive"):
        return None
    for at in (0, 1):
        if of_function(node.function, f"at {at}") != "0":
            continue
        beyond = add([node.args[0], number(-at, node.shape)]) if at else node.args[0]
        if holds(beyond, property):
            return Why(f"{node.function} increases from {node.function}({at}) = 0", ((property, beyond),))
    return None


def nonnegative_power(node: Map) -> Why | None:
    exponent: Fraction = node.parameter
    if exponent.denominator % 2 == 0:
        return Why("a root of even order")
    if exponent.numerator % 2 == 0:
        return Why("an even power")
    base = node.args[0]
    return Why("a power of what is nonnegative", (("nonnegative", base),)) if holds(base, "nonnegative") else None


def _by_range(function: str, range: str | None, property: str) -> Why | None:
    return Why(f"{function} takes {property} values only") if range == property else None


def _of_apply(node: Apply, property: str, of_matrix: str) -> Why | None:
    if node.function == "det":
        known = holds(node.arg, of_matrix)
        return (
            Why(f"the determinant of a positive {SEMI[of_matrix]} matrix", ((of_matrix, node.arg),)) if known else None
        )
    if node.function == "logdet" and property == "nonnegative":
        beyond = add([node.arg, scaled(identity(node.arg.shape[:1]), -1)])
        return Why("all eigenvalues are at least 1", (("psd", beyond),)) if holds(beyond, "psd") else None
    if of_function(node.function, "range") == "that of x" and holds(node.arg, property):
        return Why(f"{node.function} of {property} entries", ((property, node.arg),))
    return _by_range(node.function, of_function(node.function, "range"), property)


def _positive_sum(node: Sum) -> Why | None:
    if not all(factor > 0 and holds(term, "nonnegative") for factor, term in node.terms):
        return dominated(node, "positive")
    if not any(holds(term, "positive") for _, term in node.terms):
        return None
    told = tuple(("positive" if holds(term, "positive") else "nonnegative", term) for _, term in node.terms)
    return Why("a sum of nonnegative terms, one of them positive", told)


def _product(node: Einsum, property: str) -> Why | None:
    selected = property == "positive" and selects(node)
    factors = [n for n in node.operands if not (selected and isinstance(n, Constant) and n.shape)]
    if not all(holds(operand, property) for operand in factors):
        return None
    if not factors:
        return Why(f"a {property} number") if not node.operands else None
    said = "a sum of products" if _is_summed(node) else "a product"
    said = "entries" if selected and len(factors) == 1 else f"{said} of {property} factors"
    return Why(said, tuple((property, n) for n in dict.fromkeys(factors)))


def selects(node: Einsum) -> bool:
    """Whether the constants with axes pick entries, so that no entry of the result is an empty sum.

    x[2], x[1:3] and kron(x, y) do; a block placed among zeros, as those of kron(eye, x) are, does not.
    """
    seen: set[int] = set()
    for operand, labels in zip(node.operands, node.subscripts, strict=True):
        if not isinstance(operand, Constant) or not labels:
            continue
        if seen & set(labels) or len(set(labels)) < len(labels):
            return False
        seen |= set(labels)
        free = [x in node.out for x in labels]
        picks = {"unit": not free[0], "shift": not free[0], "fuse": not free[0] or not any(free[1:])}
        if not picks.get(operand.name, False):
            return False
    return bool(seen)


def _is_summed(node: Einsum) -> bool:
    return len(node.sizes) > len(set(node.out))


def _diagonal(node: Einsum, of_matrix: str) -> Why | None:
    """The diagonal, or the trace, of a positive (semi)definite matrix."""
    if len(node.operands) == 1 and len(set(node.subscripts[0])) == 1 and len(node.subscripts[0]) == 2:
        matrix = node.operands[0]
        if holds(matrix, of_matrix):
            said = "the diagonal" if node.out else "the trace"
            return Why(f"{said} of a positive {SEMI[of_matrix]} matrix", ((of_matrix, matrix),))
    return None


def _definite_form(node: Einsum) -> Why | None:
    """v'·P·v with P positive definite and a v that is not 0: one of positive entries, or a unit vector."""
    if node.out or len(node.operands) != 3:
        return None
    found = mirrored(list(zip(node.operands, node.subscripts, strict=True)), set())
    if found is None or len(found.bridges) != 1 or len(found.side) != 1 or found.fixed:
        return None
    (matrix, _), ((vector, labels),) = found.bridges[0], found.side
    is_unit = isinstance(vector, Constant) and vector.name == "unit"
    if len(labels) != 1 or not holds(matrix, "spd") or not (is_unit or holds(vector, "positive")):
        return None
    told = () if is_unit else (("positive", vector),)
    return Why("a quadratic form v'*P*v with P positive definite and v ≠ 0", (("spd", matrix), *told))


def _gram(node: Einsum) -> Why | None:
    """Each connected part is a product of nonnegative factors, or its own mirror image and so v'·P·v for a psd P."""
    told: list[tuple[str, Node]] = []
    parts = components(zip(node.operands, node.subscripts, strict=True), node.out)
    for part in parts:
        if len(parts) > 1:
            kept = tuple(x for x in dict.fromkeys(node.out) if any(x in s for _, s in part))
            whole = einsum(part, kept)
            if not holds(whole, "nonnegative"):
                return None
            told.append(("nonnegative", whole))
            continue
        found = mirrored(part, set(node.out))
        if found is None:
            return None
        told += premises(found)
    if len(parts) > 1:
        return Why("a product of nonnegative factors", tuple(told))
    return Why("a quadratic form v'*P*v with P positive semidefinite", tuple(told))


def mirrored(part: list[Operand], out: set[int]) -> Mirror | None:
    """A mirror of a contraction that fixes ``out``, with psd bridges and nonnegative weights."""
    seeds: list[tuple[tuple[int, int], ...]] = []
    for i, (node, s) in enumerate(part):
        if len(s) == 2 and s[0] != s[1] and not set(s) & out and holds(node, "psd"):
            seeds.append(((s[0], s[1]),))
        seeds += [tuple(zip(s, t, strict=True)) for other, t in part[i + 1 :] if other is node and s != t]
    for seed in seeds:
        for found in mirrors(part, seed, out, lambda node: holds(node, "psd")):
            if all(holds(weight, "nonnegative") for weight in weights(found)):
                return found
    return None


def premises(found: Mirror) -> list[tuple[str, Node]]:
    told = [("psd", node) for node, _ in found.bridges] + [("nonnegative", node) for node in weights(found)]
    return list(dict.fromkeys(told))


def weights(found: Mirror) -> list[Node]:
    """What is fixed, in parts that hang together, each on the labels that it has in common with the rest.

    In A*diag(x.*(B*x))*A' that is the vector x.*(B*x), not its sum x'*B*x, which may be ≥ 0 where an entry is not.
    """
    rest = {x for _, labels in (*found.side, *found.bridges) for x in labels}
    parts = components(found.fixed, rest)
    return [einsum(part, sorted({x for _, labels in part for x in labels} & rest)) for part in parts]
