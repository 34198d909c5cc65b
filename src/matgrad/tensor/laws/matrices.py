"""Laws of inverse and determinant.

A law is applied only where it holds on the whole domain of the formula as typed: what it needs beyond that
(x ≠ 0 in x/x) was already needed to write the formula, and its conditions are collected from there.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from matgrad.tensor import builders as b
from matgrad.tensor.builders import Network, einsum, number, power, scaled
from matgrad.tensor.facts import Fact, invertible
from matgrad.tensor.nodes import Apply, Constant, Einsum, Node, Sum


@b.APPLY_LAWS.add(
    "matrix functions",
    "inv(inv(X)) = X, det(inv(X)) = 1/det(X), inv(c*X) = inv(X)/c, inv(diag(d)) = diag(1./d)",
    because="the definitions of inverse and determinant",
    examples=(
        ("inv(inv(X))*x", "X: matrix(n,n); x: vector(n)"),
        ("det(inv(X))", "X: matrix(n,n)"),
        ("logdet(inv(X))", "X: matrix(n,n)"),
        ("inv(2*c*X)", "X: matrix(n,n); c: positive"),
        ("inv(diag(d))", "d: positive vector(n)"),
    ),
)
def matrix_functions(function: str, arg: Node, parameter: Any) -> Node | None:
    """inv(inv(X)) = X, inv(c·X) = inv(X)/c, inv(diag(d)) = diag(1/d), det(inv(X)) = 1/det(X), det(eye) = 1 …"""
    if parameter is not None:
        return None
    if isinstance(arg, Apply) and arg.function == "inv":
        if function == "inv":
            return arg.arg
        if function == "det":
            return power(b.apply("det", arg.arg), -1)
        if function == "logdet":
            return scaled(b.apply("logdet", arg.arg), -1)
    if not isinstance(arg, Einsum) or arg.coefficient == 0:
        return None
    operands = list(zip(arg.operands, arg.subscripts, strict=True))
    if arg.out == (0, 0) and not operands and function != "inv":
        found = {"det": number(1), "logdet": number(0), "adj": arg} if arg.coefficient == 1 else {}
        return found.get(function)
    if function != "inv":
        return None
    if arg.out == (0, 0) and all(set(s) <= {0} for _, s in operands):
        powers_ = [(power(node, -1), s) for node, s in operands]
        return einsum(powers_, arg.out, 1 / arg.coefficient, dict(enumerate(arg.sizes)))
    scalars = [node for node, s in operands if not s]
    if scalars or arg.coefficient != 1:
        rest = einsum([(n, s) for n, s in operands if s], arg.out, 1, dict(enumerate(arg.sizes)))
        outer: list[tuple[Node, tuple[int, ...]]] = [(power(node, -1), ()) for node in scalars]
        return einsum([*outer, (b.apply("inv", rest), (0, 1))], (0, 1), 1 / arg.coefficient)
    return None


@b.APPLY_LAWS.add(
    "products of square matrices",
    "logdet(A*B) = logdet(A) + logdet(B); inv(A*B) = inv(B)*inv(A), det(A*B) = det(A)*det(B), where one factor is "
    "known to be invertible",
    because="both factors are square",
    examples=(
        ("logdet(A'*B*A)", "A: matrix(n,n); B: matrix(n,n)"),
        ("inv(S*A)", "S: spd(n); A: matrix(n,n)"),
        ("inv(A'*S)", "S: spd(n); A: matrix(n,n)"),
        ("det(A*S*B)", "S: spd(n); A: matrix(n,n); B: matrix(n,n)"),
        ("logdet(inv(S)*A)", "S: spd(n); A: matrix(n,n)"),
        ("det(tr(A*B)*S)", "S: spd(n); A: matrix(n,n); B: matrix(n,n)"),
        ("inv(tr(A*B)*S)", "S: spd(n); A: matrix(n,n); B: matrix(n,n)"),
    ),
)
def of_products(function: str, arg: Node, parameter: Any) -> Node | None:
    """logdet(A*B) = logdet(A) + logdet(B) for square factors; inv and det alike, where one has a known inverse."""
    if parameter is not None or function not in ("inv", "det", "logdet") or not isinstance(arg, Einsum):
        return None
    chain = square_chain(arg)
    if chain is None or not (function == "logdet" or any(invertible(node) is Fact.YES for node, _ in chain)):
        return None
    if function == "inv":
        operands = [(b.apply("inv", node), s) for node, s in chain]
        # the axes of an inverse are those of the matrix, exchanged: inv(X)[j, i] goes with X[i, j]
        return einsum([(node, s[::-1]) for node, s in operands], arg.out[::-1], 1 / arg.coefficient)
    parts = [b.apply(function, node) for node, _ in chain]
    if function == "logdet":
        return b.add(parts) if arg.coefficient == 1 else None
    return einsum([(part, ()) for part in parts], ()) if arg.coefficient == 1 else None


@b.APPLY_LAWS.add(
    "Kronecker product",
    "inv(kron(A, B)) = kron(inv(A), inv(B)), logdet(kron(A, B)) = n*logdet(A) + m*logdet(B)",
    because="kron(A, B)*kron(C, D) = kron(A*C, B*D), for A of size m and B of size n",
    examples=(
        ("logdet(kron(A, B))", "A: matrix(m,m); B: matrix(n,n)"),
        ("inv(kron(A, B'))*vec(X)", "A: matrix(m,m); B: matrix(n,n); X: matrix(n,m)"),
    ),
)
def of_kron(function: str, arg: Node, parameter: Any) -> Node | None:
    """inv(A⊗B) = inv(A)⊗inv(B), and logdet(A⊗B) = n·logdet(A) + m·logdet(B), where both are square."""
    if function not in ("inv", "logdet") or not isinstance(arg, Einsum) or len(arg.operands) != 4:
        return None
    fuses = [(n, s) for n, s in zip(arg.operands, arg.subscripts, strict=True) if isinstance(n, Constant)]
    if arg.coefficient != 1 or len(fuses) != 2 or any(node.name != "fuse" for node, _ in fuses):
        return None
    axes = {s[0]: s[1:] for _, s in fuses}
    if len(arg.out) != 2 or set(arg.out) != set(axes):
        return None
    slow, fast = zip(*(axes[x] for x in arg.out), strict=True)
    parts = {}
    for node, labels in zip(arg.operands, arg.subscripts, strict=True):
        for pair in (slow, fast):
            if sorted(labels) == sorted(pair) and len(set(pair)) == 2:
                parts[pair] = einsum([(node, labels)], pair)
    if len(parts) != 2 or any(part.shape[0] != part.shape[1] for part in parts.values()):
        return None
    left, right = parts[slow], parts[fast]
    if function == "logdet":
        counts = ((left, right.shape[0]), (right, left.shape[0]))
        return b.add([einsum([(b.apply("logdet", part), ()), (b.size(count), ())], ()) for part, count in counts])
    operands = [(b.apply("inv", left), slow), (b.apply("inv", right), fast), *fuses]
    return einsum(operands, arg.out)


@b.NETWORK_LAWS.add(
    "inverse of a product",
    "inv(A*B)*A = inv(B) for square A and B",
    on=("inv",),
    because="where A*B has an inverse, A and B have one",
    examples=(
        ("inv(A*B)*A*x", "A: matrix(n,n); B: matrix(n,n); x: vector(n)"),
        ("x'*A*inv(B*A)", "A: matrix(n,n); B: matrix(n,n); x: vector(n)"),
        ("inv(A*A')*A", "A: matrix(n,n)"),
        ("x'*inv(A*B*C)*A", "A: matrix(n,n); B: matrix(n,n); C: matrix(n,n); x: vector(n)"),
    ),
)
def inverse_of_product(net: Network) -> Network | None:
    """inv(A*B)*A = inv(B) and B*inv(A*B) = inv(A), for square A and B."""
    for i, (node, labels) in enumerate(net.operands):
        if not (isinstance(node, Apply) and node.function == "inv" and isinstance(node.arg, Einsum)):
            continue
        chain = square_chain(node.arg)
        if chain is None:
            continue
        for legs in (labels, labels[::-1]) if b.is_symmetric(node) else (labels,):
            # inv(A*B)[i, j]: A[j, k] may follow on the right, B[k, i] stand before on the left
            for (factor, own), end, start in ((chain[0], legs[1], 0), (chain[-1], legs[0], 1)):
                axis = own.index(start)
                found = _neighbour(net, i, factor, axis, end)
                if found is not None:
                    rest = [pair for pair in chain if pair[1] is not own]
                    return _with_rest(net, (i, found[0]), rest, node.arg, (start, own[1 - axis]), legs, (end, found[1]))
    return None


def _neighbour(net: Network, place: int, factor: Node, axis: int, end: int) -> tuple[int, int] | None:
    """Where the factor stands in the network with this axis at ``end``, and the label of its other axis."""
    if net.count(end) != 2 or end in net.out:
        return None
    for j, (other, labels) in enumerate(net.operands):
        if j != place and other is factor and len(set(labels)) == 2:
            if labels[axis] == end:
                return j, labels[1 - axis]
            if labels[1 - axis] == end and b.is_symmetric(factor):
                return j, labels[axis]
    return None


def _with_rest(
    net: Network,
    gone: tuple[int, int],
    rest: list[tuple[Node, tuple[int, ...]]],
    arg: Einsum,
    ends: tuple[int, int],
    legs: tuple[int, ...],
    moved: tuple[int, int],
) -> Network:
    """The network with inv(A*B) and A replaced by inv(B), where B is what is left of the product."""
    start, inner = ends
    out = (inner, 1) if start == 0 else (0, inner)
    left = einsum(rest, out, arg.coefficient)
    end, far = moved
    axes = (legs[0], far) if start == 0 else (far, legs[1])
    return net.replaced(gone, [(b.apply("inv", left), axes)], drop=[end])


def square_chain(arg: Einsum) -> list[tuple[Node, tuple[int, ...]]] | None:
    """The factors of a product of square matrices of one size, walked from one axis to the other, or None."""
    pairs = list(zip(arg.operands, arg.subscripts, strict=True))
    if len(pairs) < 2 or arg.out != (0, 1) or len(set(arg.sizes)) != 1:
        return None
    chain: list[tuple[Node, tuple[int, ...]]] = []
    at = 0
    while pairs:
        here = [pair for pair in pairs if at in pair[1]]
        if len(here) != 1 or len(set(here[0][1])) != 2:
            return None
        chain += here
        pairs.remove(here[0])
        (at,) = set(here[0][1]) - {at}
    return chain if at == 1 else None


@b.SUM_LAWS.add(
    "a matrix and its transpose",
    "M*R + M'*R = (M + M')*R, where M and M' have a symmetric part in common",
    because="S + S' = 2*S for symmetric S",
    examples=(("(X*X' - A)*X + (X*X' - A)'*X", "X: matrix(n,m); A: matrix(n,n)"),),
)
def symmetric_part(terms: dict[Node, Fraction]) -> bool:
    """M*R + M'*R = (M + M')*R, where M + M' has fewer terms than M and M' apart."""
    for term, factor in terms.items():
        if not isinstance(term, Einsum) or len(term.operands) < 2:
            continue
        for k, (node, labels) in enumerate(zip(term.operands, term.subscripts, strict=True)):
            if not isinstance(node, Sum) or len(set(labels)) != 2 or not _shares_with_transpose(node):
                continue
            rest = list(zip(term.operands, term.subscripts, strict=True))
            del rest[k]
            sizes = dict(enumerate(term.sizes))
            turned = einsum([(node, labels[::-1]), *rest], term.out, term.coefficient, sizes)
            if turned is term or terms.get(turned) != factor:
                continue
            total = b.add([node, b.transpose(node)])
            if len(b.linear_terms(total)) < 2 * len(node.terms):
                del terms[term], terms[turned]
                whole = einsum([(total, labels), *rest], term.out, term.coefficient, sizes)
                b.collect(terms, whole, factor)
                return True
    return False


def _shares_with_transpose(node: Sum) -> bool:
    """Whether a square sum and its transpose have a term in common."""
    if "shares" not in node.memo:
        own = {term for _, term in node.terms}
        square = node.shape[0] == node.shape[1]
        node.memo["shares"] = square and any(b.transpose(term) in own for term in own)
    return bool(node.memo["shares"])
