"""Convexity from second derivatives: a Hessian that is positive semidefinite by its structure.

Only for formulas that have continuous second derivatives wherever they have a value, on a convex domain (Boyd and
Vandenberghe, Convex Optimization, 2004, 3.1.4): at a kink the Hessian says nothing, as that of −‖x‖₁ shows. For one
vector the Hessian is a matrix; else its quadratic form d²f = Σ dx'·H·dy, a number, has to be nonnegative.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from itertools import product
from math import prod

from matgrad.certificates.judge import WORDS, fact
from matgrad.certificates.proof import Proof
from matgrad.certificates.rules.shared import LIMIT, spread
from matgrad.certificates.schur import by_schur
from matgrad.certificates.setting import Setting
from matgrad.differentiate.conditions import smooth
from matgrad.differentiate.transpose import derivatives
from matgrad.dims import Dim
from matgrad.errors import MatgradError
from matgrad.formula.declarations import SPACES
from matgrad.formula.syntax import Expr
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Einsum, Node, Symbol, topological
from matgrad.translate.lower import lower_expression

MOST_ENTRIES = 30
"""Entries of the variables up to which a Hessian of numbers is eliminated."""
LARGEST = 400
"""Nodes of a second derivative up to which its sign is looked for."""


def second(root: Node, variables: Sequence[Node], taken: Collection[str] = ()) -> Node | None:
    """The Hessian in one vector, or d²f as a number: ``d`` before a name is the direction in that variable."""
    if root.shape or not all(isinstance(v, Symbol) for v in variables):
        return None
    try:
        firsts = derivatives(root, list(variables), "projected")
        if len(variables) == 1 and len(variables[0].shape) < 2:
            return derivatives(firsts[0], list(variables), "projected")[0]
        along = [_direction(v, taken) for v in variables]
        terms = []
        for gradient, direction in zip(firsts, along, strict=True):
            labels = tuple(range(len(gradient.shape)))
            slope = b.einsum([(gradient, labels), (direction, labels)], ())
            for change, other in zip(derivatives(slope, list(variables), "projected"), along, strict=True):
                axes = tuple(range(len(change.shape)))
                terms.append(b.einsum([(change, axes), (other, axes)], ()))
        return b.add(terms)
    except MatgradError:
        return None


def _direction(variable: Node, taken: Collection[str]) -> Node:
    assert isinstance(variable, Symbol)
    name = "d" + variable.name
    while name in taken:
        name += "_"
    return b.symbol(name, variable.shape, variable.traits & SPACES)


def by_hessian(found: Setting, names: Sequence[str], sign: int) -> Proof | None:
    """A proof that a scalar formula is convex (sign 1) or concave (−1) on its convex domain."""
    names_ = {**found.symbols}
    for name, definition in found.program.definitions:
        names_[name] = lower_expression(definition, names_)

    def node_of(expr: Expr) -> Node:
        return lower_expression(expr, names_)

    if found.root.shape or not smooth(found.program, names, node_of, 2):
        return None
    variables = [found.symbols[n] for n in names]
    node = second(found.root, variables, names_)
    if node is None or len(topological(node)) > LARGEST:
        return None
    signed = b.scaled(node, sign)
    proof = (
        semidefinite(signed)
        or _of_numbers(found.root, variables, sign)
        or by_schur(found.root, variables, sign, signed)
    )
    if proof is None:
        return None
    said = "its Hessian" if node.shape else "d²f" if len(names) > 1 or found.symbols[names[0]].shape else "f″"
    what = "positive semidefinite" if node.shape else "≥ 0"
    minus = "minus " if sign < 0 else ""
    reason = f"it is twice continuously differentiable, and {minus}{said} is {what}"
    return Proof(WORDS[sign], found.root, reason, (proof,))


def semidefinite(node: Node) -> Proof | None:
    """A proof that a Hessian is positive (semi)definite, or that d²f is nonnegative."""
    if not node.shape:
        return fact(node, "positive") or fact(node, "nonnegative") or fact(multiplied_out(node), "nonnegative")
    return fact(node, "spd") or fact(node, "psd")


def multiplied_out(node: Node) -> Node:
    """A number with the sums in its products multiplied out, as far as that stays small: like terms then meet."""
    for _ in range(LIMIT):
        terms = b.linear_terms(node)
        spreads = {term: spread(term) for term in terms}
        if len(terms) > LIMIT or all(new is term for term, new in spreads.items()):
            break
        node = b.add([b.zeros(node.shape), *(b.scaled(spreads[term], factor) for term, factor in terms.items())])
    return node


def _of_numbers(root: Node, variables: Sequence[Node], sign: int) -> Proof | None:
    """By elimination, without rounding, where all second derivatives are rational numbers."""
    rows = numbers(root, variables)
    pivots = None if rows is None else elimination([[sign * entry for entry in row] for row in rows])
    if rows is None or pivots is None:
        return None
    said = ", ".join(str(p) for p in pivots)
    matrix = as_node([[sign * entry for entry in row] for row in rows])
    return Proof("spd" if all(pivots) else "psd", matrix, f"elimination without rounding gives the pivots {said}")


def numbers(root: Node, variables: Sequence[Node]) -> list[list[Fraction]] | None:
    """The Hessian over all entries of the variables, where they are at most 30 and it is one of rational numbers."""
    entries = [(v, place) for v in variables for place in _places(v)]
    if not entries or len(entries) > MOST_ENTRIES or any(None in (d.number for d in v.shape) for v in variables):
        return None
    rows = []
    for v, place in entries:
        slope = _entry(derivatives(root, [v], "projected")[0], place)
        row = []
        for u, other in entries:
            found = _entry(derivatives(slope, [u], "projected")[0], other)
            if not isinstance(found, Einsum) or found.operands:
                return None
            row.append(Fraction(found.coefficient))
        rows.append(row)
    return rows


def _places(variable: Node) -> list[tuple[int, ...]]:
    sizes = [dim.number for dim in variable.shape]
    if None in sizes or prod(int(n or 0) for n in sizes) > MOST_ENTRIES:
        return [()] * (MOST_ENTRIES + 1)
    return list(product(*(range(1, int(n or 0) + 1) for n in sizes)))


def _entry(node: Node, place: tuple[int, ...]) -> Node:
    picks = [(b.unit(dim, k), (axis,)) for axis, (dim, k) in enumerate(zip(node.shape, place, strict=True))]
    return b.einsum([(node, tuple(range(len(place)))), *picks], ())


def as_node(rows: list[list[Fraction]]) -> Node:
    """A matrix of numbers as a node: a sum of entries, each at its place."""
    dim = Dim.of(len(rows))
    entries = [
        b.einsum([(b.unit(dim, i + 1), (0,)), (b.unit(dim, j + 1), (1,))], (0, 1), entry)
        for i, row in enumerate(rows)
        for j, entry in enumerate(row)
        if entry
    ]
    return b.add([b.zeros((dim, dim)), *entries])


def elimination(rows: list[list[Fraction]]) -> list[Fraction] | None:
    """The pivots d of L·diag(d)·L' for a symmetric positive semidefinite matrix; None for others.

    >>> [str(p) for p in elimination([[Fraction(2), Fraction(2)], [Fraction(2), Fraction(6)]])]
    ['2', '4']
    >>> elimination([[Fraction(1), Fraction(2)], [Fraction(2), Fraction(1)]]) is None
    True
    """
    rows = [list(row) for row in rows]
    pivots = []
    for k in range(len(rows)):
        pivot = rows[k][k]
        if pivot < 0 or (pivot == 0 and any(rows[i][k] for i in range(k, len(rows)))):
            return None
        pivots.append(pivot)
        for i in range(k + 1, len(rows)):
            times = rows[i][k] / pivot if pivot else Fraction(0)
            rows[i] = [a - times * c for a, c in zip(rows[i], rows[k], strict=True)]
    return pivots
