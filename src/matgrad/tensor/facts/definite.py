"""Rules for symmetric matrices that are positive semidefinite or definite, and for what has an inverse."""

from __future__ import annotations

from fractions import Fraction

from matgrad.tensor.builders import add, einsum, identity, matmul, scaled, transpose
from matgrad.tensor.facts.dominance import dominated
from matgrad.tensor.facts.mirrors import Mirror, mirrors
from matgrad.tensor.facts.reasons import Why, holds, rule_for, why
from matgrad.tensor.facts.signs import premises, weights
from matgrad.tensor.nodes import Apply, Constant, Einsum, Map, MatrixPower, Named, Node, Sum, Symbol


@rule_for("psd")
def psd(node: Node) -> Why | None:
    """Symmetric and positive semidefinite."""
    found = why(node, "spd")
    if found is not None or not _is_square(node):
        return found
    if isinstance(node, Symbol):
        return Why("declared positive semidefinite") if "psd" in node.traits else None
    if isinstance(node, Named):
        return Why("by its definition", (("psd", node.value),)) if holds(node.value, "psd") else None
    if isinstance(node, Apply):
        return _of_inverse(node, "psd")
    if isinstance(node, MatrixPower):
        return _of_power(node, "psd")
    if isinstance(node, Sum):
        if all(factor > 0 and holds(term, "psd") for factor, term in node.terms):
            return Why("a sum of positive semidefinite matrices", tuple(("psd", term) for _, term in node.terms))
        return dominated(node, "psd") or complement_of_projection(node)
    if isinstance(node, Map):
        return _entrywise_power(node, "psd")
    if not isinstance(node, Einsum):
        return None
    if node.coefficient == 0:
        return Why("zero")
    if node.coefficient < 0:
        return dominated(node, "psd") or complement_of_projection(node)
    if node.out == (0, 0):
        return _diagonal(node, "nonnegative")
    for found_mirror in _mirrors(node):
        if all(holds(weight, "nonnegative") for weight in weights(found_mirror)):
            return Why(_called(found_mirror), tuple(premises(found_mirror)))
    return None


@rule_for("spd")
def spd(node: Node) -> Why | None:
    """Symmetric and positive definite."""
    if not _is_square(node):
        return None
    if isinstance(node, Symbol):
        return Why("declared positive definite") if "spd" in node.traits else None
    if isinstance(node, Named):
        return Why("by its definition", (("spd", node.value),)) if holds(node.value, "spd") else None
    if isinstance(node, Apply):
        return _of_inverse(node, "spd")
    if isinstance(node, MatrixPower):
        return _of_power(node, "spd")
    if isinstance(node, Sum):
        return _definite_sum(node)
    if isinstance(node, Map):
        return _entrywise_power(node, "spd")
    if not isinstance(node, Einsum) or node.coefficient <= 0:
        return None
    if node.out == (0, 0):
        return _diagonal(node, "positive")
    for found in _mirrors(node):
        if _is_definite(found, node.out[0]):
            return Why(_called(found), tuple(_definite_premises(found)))
    return None


@rule_for("invertible")
def invertible(node: Node) -> Why | None:
    """A square matrix that has an inverse for every value of its variables."""
    if not _is_square(node):
        return None
    if holds(node, "spd"):
        return Why("positive definite matrices are invertible", (("spd", node),))
    if isinstance(node, Apply) and node.function == "inv":
        return Why("an inverse has an inverse")
    if isinstance(node, Einsum):
        return _invertible_product(node)
    if isinstance(node, MatrixPower):
        return _of_power(node, "invertible")
    if isinstance(node, Symbol):
        return Why("declared orthogonal") if "orthogonal" in node.traits else None
    if isinstance(node, Named):
        return Why("by its definition", (("invertible", node.value),)) if holds(node.value, "invertible") else None
    return None


def _invertible_product(node: Einsum) -> Why | None:
    """A*B'*C, each factor as it is or transposed, and a number that is not 0."""
    if node.coefficient == 0 or not is_chain(node) or not all(holds(factor, "invertible") for factor in node.operands):
        return None
    return Why("a product of invertible matrices", tuple(("invertible", n) for n in dict.fromkeys(node.operands)))


def is_chain(node: Einsum) -> bool:
    """A product of matrices from one axis to the other, each taken as it is or transposed."""
    if len(node.out) != 2 or not node.operands:
        return False
    waiting, at = list(node.subscripts), node.out[0]
    while waiting:
        here = [s for s in waiting if at in s]
        if len(here) != 1 or len(set(here[0])) != 2:
            return False
        waiting.remove(here[0])
        (at,) = set(here[0]) - {at}
    return at == node.out[1] and len(set(node.out)) == 2


def complement_of_projection(node: Node) -> Why | None:
    """I - P for a symmetric P with P*P = P, whose eigenvalues are 0 and 1."""
    projection = add([identity(node.shape[:1]), scaled(node, -1)])
    return Why("eye - P with P = P' = P*P, a projection") if _is_projection(projection) else None


def is_reflection(node: Node) -> bool:
    """I - 2P for a projection P, such as a Householder matrix: it is symmetric, and its own inverse."""
    return _is_square(node) and _is_projection(
        scaled(add([identity(node.shape[:1]), scaled(node, -1)]), Fraction(1, 2))
    )


def _is_projection(node: Node) -> bool:
    return isinstance(node, Einsum) and transpose(node) is node and matmul(node, node) is node


def _is_square(node: Node) -> bool:
    return len(node.shape) == 2 and node.shape[0] == node.shape[1]


def _of_inverse(node: Apply, property: str) -> Why | None:
    if node.function in ("inv", "adj") and holds(node.arg, property):
        return Why(
            f"{'the inverse' if node.function == 'inv' else 'the adjugate'} of such a matrix", ((property, node.arg),)
        )
    return None


def _of_power(node: MatrixPower, property: str) -> Why | None:
    """The eigenvalues of X^k are powers of those of X."""
    return Why("a power of such a matrix", ((property, node.base),)) if holds(node.base, property) else None


def _definite_sum(node: Sum) -> Why | None:
    if not all(factor > 0 and holds(term, "psd") for factor, term in node.terms):
        return None
    if not any(holds(term, "spd") for _, term in node.terms):
        return None
    told = tuple(("spd" if holds(term, "spd") else "psd", term) for _, term in node.terms)
    return Why("a sum of positive semidefinite matrices, one of them definite", told)


def _entrywise_power(node: Map, property: str) -> Why | None:
    """Schur: X∘X of a positive (semi)definite X is one."""
    if node.function == "power" and node.parameter.denominator == 1 and node.parameter > 0:
        if holds(node.args[0], property):
            return Why("an entrywise power of such a matrix (Schur's product theorem)", ((property, node.args[0]),))
    return None


def _diagonal(node: Einsum, property: str) -> Why | None:
    """diag(d): ``d`` is what remains when the two equal axes are one."""
    entries = einsum(list(zip(node.operands, node.subscripts, strict=True)), (0,), 1, dict(enumerate(node.sizes)))
    if not holds(entries, property):
        return None
    return (
        Why("the identity matrix")
        if not node.operands
        else Why(f"a diagonal of {property} entries", ((property, entries),))
    )


def _mirrors(node: Einsum) -> list[Mirror]:
    if len(node.out) != 2 or node.shape[0] != node.shape[1]:
        return []
    operands = list(zip(node.operands, node.subscripts, strict=True))
    return list(mirrors(operands, [(node.out[0], node.out[1])], (), lambda n: holds(n, "psd")))


def _called(found: Mirror) -> str:
    if found.side:
        if found.bridges:
            return "a Gram form M'*P*M with P positive semidefinite"
        return "a Gram form M'*diag(w)*M with weights w ≥ 0" if found.fixed else "a Gram form M'*M"
    return "such a matrix times a positive number" if len(found.bridges) == 1 else "Schur's product theorem"


def _definite_premises(found: Mirror) -> list[tuple[str, Node]]:
    told = [("spd", node) for node, _ in found.bridges] + [("positive", node) for node, _ in found.fixed]
    told += [("invertible", node) for node, _ in found.side if not isinstance(node, Constant)]
    return list(dict.fromkeys(told))


def _is_definite(found: Mirror, start: int) -> bool:
    """M'·P·M with M of full column rank, followed from an axis of the result to the bridges, all of them definite."""
    if not all(holds(node, "spd") for node, _ in found.bridges):
        return False
    if not all(holds(node, "positive") for node, _ in found.fixed):
        return False
    waiting, open_, met = list(found.side), [start], set()
    while open_:
        label = open_.pop()
        met.add(label)
        here = [operand for operand in waiting if label in operand[1]]
        if not here:
            image = found.image[label]
            if image != label and not any(label in s for _, s in found.bridges):
                return False
            continue
        (node, labels), *others = here
        if others or not _is_injective(node, labels, label):
            return False
        waiting.remove((node, labels))
        open_ += [x for x in labels if x != label]
    return not waiting and all(set(s) <= met or not s for _, s in found.fixed)


def _is_injective(node: Node, labels: tuple[int, ...], label: int) -> bool:
    """Whether the operand, as a map from the axis ``label`` to its others, loses nothing."""
    if labels.count(label) != 1:
        return False
    if isinstance(node, Constant):
        return (node.name, labels.index(label)) in (("shift", 1), ("fuse", 0))
    return len(labels) == 2 and labels[0] != labels[1] and holds(node, "invertible")
