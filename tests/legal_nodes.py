"""Which nodes must not exist."""

from __future__ import annotations

from matgrad.tensor import laws as _laws  # noqa: F401  (arms the normal form)
from matgrad.tensor.nodes import Apply, Constant, Einsum, Map, Named, Node, Sum, Symbol, topological


def check_legal(root: Node) -> None:
    """Raise AssertionError for the first node below a root that must not exist."""
    for node in topological(root):
        match node:
            case Einsum():
                _legal_einsum(node)
            case Sum():
                assert len(node.terms) > 1
                assert all(term.shape == node.shape and factor != 0 for factor, term in node.terms)
                assert not any(isinstance(term, Sum) for _, term in node.terms)
                assert len({term for _, term in node.terms}) == len(node.terms)
            case Map():
                assert node.args
                assert all(arg.shape == node.shape for arg in node.args)
            case Apply():
                _legal_apply(node)
            case Named():
                assert node.value.shape == node.shape
            case Symbol() | Constant():
                assert not node.children
            case _:
                raise AssertionError(f"an unknown node: {node!r}")


def _legal_einsum(node: Einsum) -> None:
    assert len(node.operands) == len(node.subscripts)
    for operand, subscript in zip(node.operands, node.subscripts, strict=True):
        assert operand.shape == tuple(node.sizes[label] for label in subscript)
    assert node.shape == tuple(node.sizes[label] for label in node.out)
    used = {label for subscript in node.subscripts for label in subscript}
    assert used | set(node.out) == set(range(len(node.sizes))), "a summed label without an operand, or a gap"
    assert node.coefficient != 0 or not node.operands
    assert not any(isinstance(o, Einsum) and o.coefficient == 0 for o in node.operands)


def _legal_apply(node: Apply) -> None:
    shape = node.arg.shape
    if node.parameter is None:
        assert len(shape) == 2
        assert shape[0] == shape[1]
        assert node.shape == (shape if node.function in ("inv", "adj") else ())
    else:
        assert 0 < node.parameter <= len(shape)
        reduced = node.function in ("logsumexp", "max", "min", "prod")
        assert node.shape == (shape[: len(shape) - node.parameter] if reduced else shape)
