"""Repairs by a transpose, and answers that are right where a matrix is symmetric or a variable positive."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from matgrad.diagnosing import trees
from matgrad.diagnosing.faults import Fault, Wrong, first
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr


def _typed_nodes(wrong: Wrong) -> Iterator[tuple[trees.Path, Expr]]:
    return trees.paths(wrong.typed if wrong.typed is not None else wrong.tree)


def inverse_not_transposed(wrong: Wrong) -> Fault | None:
    def changes() -> Iterator[tuple[Expr, Expr | None]]:
        for path, node in _typed_nodes(wrong):
            inner = node.args[0] if node.op == "transpose" else node
            if _may_be_inverse(inner) and not (node.op != "transpose" and _under_transpose(wrong.tree, path)):
                yield trees.replaced(wrong.tree, path, trees.transposed(node)), inner

    return first(wrong, "inverse-not-transposed", changes())


def _may_be_inverse(node: Expr) -> bool:
    return trees.is_inverse(node) or (node.type is None and node.op == "call" and node.value.name == "inv")


def _under_transpose(root: Expr, path: trees.Path) -> bool:
    node = root
    for k in path[:-1]:
        node = node.args[k]
    return bool(path) and node.op == "transpose"


def missing_transpose(wrong: Wrong) -> Fault | None:
    """One transpose added or removed, at one place, or wherever the same part stands."""

    def changes() -> Iterator[tuple[Expr, Expr | None]]:
        nodes = [
            (p, n) for p, n in _typed_nodes(wrong) if not trees.is_scalar(n) and n.op not in ("number", "constant")
        ]
        nodes.sort(key=lambda pair: (pair[1].op not in ("name", "transpose"), len(pair[0])))
        for path, node in nodes:
            if not _under_transpose(wrong.tree, path):
                part = node.args[0] if node.op == "transpose" else node
                yield trees.replaced(wrong.tree, path, trees.transposed(node)), part
        for part in dict.fromkeys(n for _, n in nodes if n.op == "name"):
            yield toggled_everywhere(wrong.tree, part), part
        yield from _outer_turned(wrong)

    return first(wrong, "missing-transpose", changes())


def _outer_turned(wrong: Wrong) -> Iterator[tuple[Expr, Expr | None]]:
    """A product of a column and a row, inside a longer product, the other way round."""
    root = trees.flat(wrong.tree)
    for path, node in trees.paths(wrong.bench.typed_as(root) or root):
        if node.op == "product" and set(node.value) == {"*"} and len(node.args) > 2:
            for k, pair in enumerate(pairwise(node.args)):
                if [arg.type is not None and arg.kind for arg in pair] == [VECTOR, ROW]:
                    outer = trees.times(*pair)
                    args = (*node.args[:k], trees.transposed(outer), *node.args[k + 2 :])
                    yield trees.replaced(root, path, trees.times(*args)), outer


def toggled_everywhere(root: Expr, part: Expr) -> Expr:
    turned = Expr("transpose", (part,), None, part.span)
    mark = Expr("name", (), "<part>", part.span)
    return trees.everywhere(trees.everywhere(trees.everywhere(root, turned, mark), part, turned), mark, part)


def only_if_symmetric(wrong: Wrong) -> Fault | None:
    """Right where one of the square matrices is symmetric; or where all of them are."""
    square = [
        s.name
        for s in wrong.bench.subjects
        if len(s.type.dims) == 2 and s.type.dims[0] == s.type.dims[1] and "symmetric" not in s.traits
    ]
    if wrong.typed is None:
        return None
    for names in [*([n] for n in square), *([square] if len(square) > 1 else [])]:
        bench = wrong.bench.constrained({name: frozenset({"symmetric"}) for name in names})
        if bench.points and bench.equals(wrong.typed):
            condition = f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} symmetric"
            return Fault("only-valid-if-symmetric", None, None, None, condition)
    return None


def only_under_a_sign(wrong: Wrong) -> str:
    """The condition on the sign of a variable under which the answer is right, or nothing."""
    if wrong.typed is None:
        return ""
    for subject in wrong.bench.subjects:
        if subject.type.kind in (SCALAR, VECTOR, MATRIX) and "nonnegative" not in subject.traits:
            bench = wrong.bench.constrained({subject.name: frozenset({"positive", "nonnegative"})})
            if bench.points and bench.equals(wrong.typed):
                return f"{subject.name} > 0"
    return ""
