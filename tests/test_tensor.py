"""The tensor graph: what is built is legal, its normal form does not depend on how it was written, its laws hold."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from random_formulas import arrays_of, printable, random_formula, variables_of, where_of
from tensor_evaluator import evaluate

import matgrad
from matgrad.dims import Dim
from matgrad.tensor import builders as b
from matgrad.tensor import laws as _laws  # noqa: F401  (arms the normal form)
from matgrad.tensor.facts import Fact, invertible, nonnegative, positive, psd, spd
from matgrad.tensor.nodes import Apply, Constant, Einsum, Map, Named, Node, Sum, Symbol, topological
from matgrad.tensor.rebuild import rebuild

SIZES = {"m": 4, "n": 3, "p": 2}
M, N, P = (Dim.of(name) for name in "mnp")
A, B, C = b.symbol("A", (M, N)), b.symbol("B", (N, P)), b.symbol("C", (M, N))
X, Y = b.symbol("X", (N, N)), b.symbol("Y", (N, N))
x, y, u = b.symbol("x", (N,)), b.symbol("y", (N,)), b.symbol("u", (M,))
a, c = b.symbol("a", ()), b.symbol("c", ())
w = b.symbol("w", (N,), frozenset({"positive"}))
r = b.symbol("r", (N,), frozenset({"nonnegative"}))
S = b.symbol("S", (N, N), frozenset({"symmetric"}))
Q = b.symbol("Q", (N, N), frozenset({"symmetric", "psd"}))
D = b.symbol("D", (N, N), frozenset({"symmetric", "psd", "spd"}))
SYMBOLS = (A, B, C, X, Y, x, y, u, a, c, w, r, S, Q, D)


def arrays(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    values: dict[str, Any] = {}
    for s in SYMBOLS:
        assert isinstance(s, Symbol)
        value = rng.standard_normal([d.evaluate(SIZES) for d in s.shape])
        values[s.name] = np.abs(value) + 0.1 if s.traits & {"positive", "nonnegative"} else value
    values["r"][0] = 0
    values["S"] = values["S"] + values["S"].T
    thin = values["Q"][:, :2]
    values["Q"] = thin @ thin.T
    values["D"] = values["D"] @ values["D"].T + 0.1 * np.eye(3)
    return values


def value(node: Node, seed: int = 0) -> Any:
    return evaluate(node, arrays(seed), SIZES)


def same(node: Node, expected: Callable[..., Any]) -> None:
    """The node's value, at two points, is that of a function of the arrays."""
    for seed in (0, 1):
        known = arrays(seed)
        wanted = expected(**{n: known[n] for n in expected.__code__.co_varnames[: expected.__code__.co_argcount]})
        np.testing.assert_allclose(value(node, seed), wanted, rtol=1e-9, atol=1e-11)


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


# -- builders -------------------------------------------------------------------------------------


def test_summed_labels_are_never_shared() -> None:
    squares = b.einsum([(b.power(A, 2), (0, 1)), (b.power(C, 2), (0, 1))], ())
    total = b.einsum([(A, (0, 1)), (C, (0, 1))], ())
    assert squares is not b.multiply(total, total)
    same(squares, lambda A, C: np.sum(A**2 * C**2))
    same(b.multiply(total, total), lambda A, C: np.sum(A * C) ** 2)
    same(b.einsum([(total, ()), (A, (0, 1))], (0, 1)), lambda A, C: np.sum(A * C) * A)
    same(b.power(total, 2), lambda A, C: np.sum(A * C) ** 2)
    same(b.matmul(b.matmul(X, X), b.matmul(X, X)), lambda X: X @ X @ X @ X)


def test_deltas_join_labels() -> None:
    eye = b.identity((N,))
    assert b.matmul(eye, X) is X
    assert b.matmul(X, eye) is X
    assert b.matmul(eye, x) is x
    assert b.einsum([(eye, (0, 1)), (X, (0, 1))], ()) is b.einsum([(X, (0, 0))], ())
    assert b.einsum([(eye, (0, 1)), (x, (0,))], (1,)) is x
    assert b.einsum([(eye, (0, 0))], ()) is b.size(N)
    assert b.einsum([(b.identity((M, N)), (0, 1, 2, 3)), (A, (2, 3))], (0, 1)) is A


def test_diagonals_traces_and_broadcasts() -> None:
    same(b.einsum([(x, (0,))], (0, 0)), lambda x: 1 * np.diag(x))
    same(b.einsum([(X, (0, 0))], (0,)), lambda X: 1 * np.diag(X))
    same(b.einsum([(X, (0, 0))], (0, 0)), lambda X: np.diag(np.diag(X)))
    same(b.einsum([(X, (0, 0))], ()), lambda X: 1 * np.trace(X))
    same(b.broadcast(a, (M, N)), lambda a: a * np.ones((4, 3)))
    same(b.einsum([(x, (0,))], (1, 0), 2, {1: M}), lambda x: 2 * np.tile(x, (4, 1)))
    same(b.einsum([(x, (0,))], (), 1, {1: M}), lambda x: 4 * np.sum(x))
    same(b.einsum([(X, (0, 1))], (0, 0, 1)), lambda X: np.einsum("ij,ik->ikj", X, np.eye(3)))
    assert b.einsum([(b.broadcast(a, (N,)), (0,))], ()) is b.multiply(b.size(N), a)


def test_equal_factors_are_powers() -> None:
    assert b.multiply(x, x, x) is b.power(x, 3)
    assert b.multiply(w, b.power(w, -1)) is b.number(1, (N,))
    assert b.multiply(b.power(w, Fraction(1, 2)), b.power(w, Fraction(1, 2))) is w
    assert b.multiply(S, b.transpose(S)) is b.power(S, 2)
    assert b.multiply(X, b.transpose(X)) is not b.power(X, 2)
    same(b.power(b.multiply(a, x, y), 2), lambda a, x, y: (a * x * y) ** 2)
    same(b.power(b.scaled(w, 4), Fraction(-1, 2)), lambda w: (4 * w) ** -0.5)
    same(b.power(b.einsum([(x, (0,))], (0, 0)), 2), lambda x: np.diag(x) ** 2)


def test_sums_merge_like_terms_and_keep_the_content_in_front() -> None:
    assert b.add([x, x]) is b.scaled(x, 2)
    assert b.subtract(b.add([x, y]), y) is x
    assert b.is_zero(b.subtract(A, A))
    assert b.add([b.add([x, y]), b.add([y, x])]) is b.scaled(b.add([y, x]), 2)
    assert b.scaled(b.subtract(x, y), -1) is b.subtract(y, x)
    assert b.add([X, b.transpose(X)]) is b.transpose(b.add([X, b.transpose(X)]))
    assert b.transpose(b.transpose(A)) is A
    assert b.transpose(S) is S


@pytest.mark.parametrize(
    "build",
    [
        lambda: b.add([x, A]),
        lambda: b.einsum([(A, (0, 1)), (x, (0,))], (1,)),
        lambda: b.einsum([(A, (0,))], (0,)),
        lambda: b.map_("exp2", [A, x]),
        lambda: b.apply("inv", A),
        lambda: b.matmul(A, u),
    ],
)
def test_illegal_nodes_cannot_be_built(build: Callable[[], Node]) -> None:
    with pytest.raises(matgrad.MatgradError):
        build()


NETWORKS: dict[str, tuple[list[tuple[Node, tuple[int, ...]]], tuple[int, ...]]] = {
    "chain": ([(A, (0, 1)), (X, (1, 2)), (X, (2, 3)), (B, (3, 4))], (0, 4)),
    "ring": ([(X, (0, 1)), (X, (1, 2)), (X, (2, 3)), (X, (3, 0))], ()),
    "two rings": ([(X, (0, 1)), (X, (1, 0)), (X, (2, 3)), (X, (3, 4)), (X, (4, 2))], ()),
    "star": ([(X, (0, 1)), (X, (0, 2)), (X, (0, 3)), (x, (0,)), (y, (1,)), (x, (2,)), (y, (3,))], ()),
    "symmetric ring": ([(S, (0, 1)), (S, (1, 2)), (S, (2, 3)), (S, (3, 4)), (S, (4, 0)), (X, (5, 6))], (5, 6)),
    "outer": ([(x, (0,)), (x, (1,)), (y, (2,)), (X, (0, 3)), (X, (3, 1))], (0, 2)),
    "diagonal": ([(X, (0, 0)), (X, (0, 1)), (Y, (1, 1))], (0, 0)),
    "powers": ([(b.power(x, 2), (0,)), (x, (0,)), (y, (1,)), (y, (1,)), (X, (0, 1))], (1,)),
    "Gram": ([(A, (0, 1)), (A, (0, 2)), (A, (3, 1)), (A, (3, 2))], ()),
    "open": ([(X, (0, 1)), (X, (2, 3)), (x, (1,)), (x, (3,))], (0, 2)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_normal_form_knows_neither_order_nor_labels(name: str) -> None:
    operands, out = NETWORKS[name]
    expected = b.einsum(operands, out)
    check_legal(expected)
    letters = "abcdefgh"
    pattern = ",".join("".join(letters[i] for i in s) for _, s in operands) + "->"
    ones = np.einsum(pattern + "".join(letters[i] for i in dict.fromkeys(out)), *(value(n) for n, _ in operands))
    np.testing.assert_allclose(value(expected), np.diag(ones) if name == "diagonal" else ones, rtol=1e-10)
    rng = random.Random(name)
    for _ in range(60):
        shuffled = rng.sample(operands, len(operands))
        new = rng.sample(range(100), 10)
        turned = [(n, s[::-1] if n is S and rng.random() < 0.5 else s) for n, s in shuffled]
        labelled = [(n, tuple(new[i] for i in s)) for n, s in turned]
        assert b.einsum(labelled, tuple(new[i] for i in out)) is expected


def test_networks_that_differ_are_not_one() -> None:
    rings = b.einsum([(X, (0, 1)), (X, (1, 2)), (X, (2, 0)), (X, (3, 4)), (X, (4, 5)), (X, (5, 3))], ())
    ring = b.einsum([(X, (i, (i + 1) % 6)) for i in range(6)], ())
    assert ring is not rings
    assert b.matmul(X, Y) is not b.matmul(Y, X)
    assert b.einsum([(X, (0, 1)), (x, (0,))], (1,)) is not b.matmul(X, x)
    assert b.symbol("x", (M,)) is not x


def test_sums_and_maps_know_no_order() -> None:
    terms = [b.matmul(X, Y), b.scaled(b.transpose(X), 3), S, b.multiply(X, Y), b.identity((N,)), b.broadcast(c, (N, N))]
    expected = b.add(terms)
    rng = random.Random(0)
    for _ in range(30):
        assert b.add(rng.sample(terms, len(terms))) is expected
        k = rng.randrange(1, len(terms))
        mixed = rng.sample(terms, len(terms))
        assert b.add([b.add(mixed[:k]), b.add(mixed[k:])]) is expected
        assert b.transpose(b.add([b.transpose(t) for t in mixed])) is expected


def test_a_transpose_stands_outside_of_maps_and_matrix_functions() -> None:
    assert b.map_("exp", [b.transpose(A)]) is b.transpose(b.map_("exp", [A]))
    assert b.apply("inv", b.transpose(X)) is b.transpose(b.apply("inv", X))
    assert b.apply("det", b.transpose(X)) is b.apply("det", X)
    assert b.is_symmetric(b.apply("inv", b.matmul(X, b.transpose(X))))
    assert not b.is_symmetric(b.apply("inv", b.matmul(X, Y)))


# -- laws -----------------------------------------------------------------------------------------


def gram(matrix: Node) -> Node:
    return b.matmul(b.transpose(matrix), matrix)


def test_an_inverse_cancels() -> None:
    inv = b.apply("inv", X)
    assert b.matmul(inv, X) is b.identity((N,))
    assert b.matmul(X, inv) is b.identity((N,))
    assert b.matmul(b.apply("inv", gram(A)), gram(A)) is b.identity((N,))
    assert b.matmul(gram(A), b.apply("inv", gram(A))) is b.identity((N,))
    assert b.einsum([(b.apply("inv", gram(A)), (0, 1)), (gram(A), (2, 1)), (x, (2,))], (0,)) is x
    assert b.matmul(b.transpose(inv), X) is not b.identity((N,))
    assert b.matmul(b.transpose(inv), b.transpose(X)) is b.identity((N,))
    assert b.apply("inv", inv) is X
    # No product: the label is shared with a third operand, or the same side meets.
    third = b.einsum([(inv, (0, 1)), (X, (1, 2)), (x, (1,))], (0, 2))
    same(third, lambda X, x: np.linalg.inv(X) @ np.diag(x) @ X)
    same(b.einsum([(inv, (0, 1)), (X, (2, 1))], (0, 2)), lambda X: np.linalg.inv(X) @ X.T)
    same(b.multiply(inv, X), lambda X: np.linalg.inv(X) * X)
    same(b.einsum([(inv, (0, 1)), (X, (1, 0))], ()), lambda X: 3.0)
    same(b.einsum([(b.apply("inv", S), (0, 1)), (S, (0, 1))], ()), lambda S: 3.0)
    same(b.apply("inv", b.einsum([(w, (0,))], (0, 0), 2)), lambda w: np.diag(0.5 / w))
    same(b.apply("inv", b.multiply(a, X)), lambda a, X: np.linalg.inv(X) / a)


def test_the_adjugate() -> None:
    adj, det = b.apply("adj", X), b.apply("det", X)
    assert b.multiply(b.power(det, -1), adj) is b.apply("inv", X)
    assert b.multiply(b.apply("inv", X), det) is adj
    same(adj, lambda X: np.linalg.det(X) * np.linalg.inv(X))
    same(b.multiply(b.power(det, -2), adj), lambda X: np.linalg.inv(X) / np.linalg.det(X))
    assert b.apply("det", b.identity((N,))) is b.number(1)
    same(b.apply("adj", b.identity((N,))), lambda: np.eye(3))
    same(b.apply("det", b.apply("inv", X)), lambda X: 1 / np.linalg.det(X))
    same(b.apply("logdet", b.apply("inv", X)), lambda X: -np.log(abs(np.linalg.det(X))))


def test_softmax_is_recognised_over_all_entries_and_along_axes() -> None:
    exp = b.map_("exp", [A])
    whole = b.multiply(exp, b.power(b.einsum([(exp, (0, 1))], ()), -1))
    assert whole is b.apply("softmax", A, 2)
    same(whole, lambda A: np.exp(A) / np.sum(np.exp(A)))
    rows = b.einsum([(exp, (0, 1)), (b.power(b.einsum([(exp, (0, 1))], (0,)), -1), (0,))], (0, 1))
    assert rows is b.apply("softmax", A, 1)
    same(rows, lambda A: np.exp(A) / np.sum(np.exp(A), axis=1, keepdims=True))
    columns = b.einsum([(exp, (0, 1)), (b.power(b.einsum([(exp, (0, 1))], (1,)), -1), (1,))], (0, 1))
    assert isinstance(b.transpose(columns), Apply)
    same(columns, lambda A: np.exp(A) / np.sum(np.exp(A), axis=0))
    ex = b.map_("exp", [X])
    wrong = b.einsum([(ex, (0, 1)), (b.power(b.einsum([(ex, (0, 1))], (1,)), -1), (0,))], (0, 1))
    same(wrong, lambda X: np.exp(X) / np.sum(np.exp(X), axis=0)[:, None])
    cube = b.multiply(b.power(b.map_("exp", [x]), 2), b.power(b.einsum([(b.map_("exp", [x]), (0,))], ()), -3))
    same(cube, lambda x: np.exp(2 * x) / np.sum(np.exp(x)) ** 3)


def test_sigmoid_and_softplus_are_recognised() -> None:
    exp, minus = b.map_("exp", [x]), b.map_("exp", [b.scaled(x, -1)])
    one = b.number(1, (N,))
    assert b.power(b.add([one, minus]), -1) is b.map_("sigmoid", [x])
    assert b.multiply(exp, b.power(b.add([one, exp]), -1)) is b.map_("sigmoid", [x])
    assert b.subtract(one, b.map_("sigmoid", [x])) is b.map_("sigmoid", [b.scaled(x, -1)])
    assert b.map_("log", [b.add([one, exp])]) is b.map_("softplus", [x])
    same(b.power(b.add([one, exp]), -2), lambda x: (1 + np.exp(x)) ** -2)
    same(b.map_("log", [b.add([one, b.scaled(exp, 2)])]), lambda x: np.log(1 + 2 * np.exp(x)))
    assert b.map_("log1p", [exp]) is b.map_("softplus", [x])


def test_logsumexp_is_recognised() -> None:
    exp = b.map_("exp", [A])
    assert b.map_("log", [b.einsum([(exp, (0, 1))], ())]) is b.apply("logsumexp", A, 2)
    assert b.map_("log", [b.einsum([(exp, (0, 1))], (0,))]) is b.apply("logsumexp", A, 1)
    columns = b.map_("log", [b.einsum([(exp, (0, 1))], (1,))])
    same(columns, lambda A: np.log(np.sum(np.exp(A), axis=0)))
    same(b.map_("log", [b.einsum([(b.map_("exp", [X]), (0, 0))], ())]), lambda X: np.log(np.trace(np.exp(X))))
    assert b.map_("log", [b.apply("det", X)]) is b.apply("logdet", X)


@pytest.mark.parametrize("function", ["sin", "tan", "arctan", "sinh", "tanh", "sign", "erf", "cos", "cosh", "abs"])
def test_parity(function: str) -> None:
    plain, minus = b.map_(function, [x]), b.map_(function, [b.scaled(x, -1)])
    even = function in ("cos", "cosh", "abs")
    assert minus is b.scaled(plain, 1 if even else -1)
    np.testing.assert_allclose(value(minus), value(plain) * (1 if even else -1))


def test_elementwise_laws() -> None:
    same(b.map_("relu", [b.scaled(x, 3)]), lambda x: np.maximum(3 * x, 0))
    same(b.map_("relu", [b.scaled(x, -3)]), lambda x: np.maximum(-3 * x, 0))
    same(b.map_("step", [b.scaled(x, -3)]), lambda x: (x < 0) * 1.0)
    same(b.power(b.power(x, 2), Fraction(1, 2)), lambda x: 1 * np.abs(x))
    assert b.power(b.power(w, 2), Fraction(1, 2)) is w
    assert b.power(b.map_("abs", [x]), 2) is b.power(x, 2)
    assert b.map_("exp", [b.map_("log", [w])]) is w
    assert b.map_("abs", [w]) is w
    assert b.map_("abs", [r]) is r
    assert b.map_("sign", [w]) is b.number(1, (N,))
    same(b.map_("sign", [r]), lambda r: 1 * np.sign(r))
    same(b.map_("log", [b.power(x, 2)]), lambda x: np.log(x**2))
    same(b.map_("log", [b.power(w, 3)]), lambda w: 3 * np.log(w))
    same(b.power(b.map_("step", [x]), 3), lambda x: (x > 0) * 1.0)
    same(b.map_("exp", [b.number(0, (M, N))]), lambda: np.ones((4, 3)))
    same(b.power(b.number(0, (N,)), 2), lambda: np.zeros(3))


def test_selections() -> None:
    five = Dim.of(5)
    units = [b.unit(five, i) for i in (1, 2)]
    assert b.einsum([(units[0], (0,)), (units[0], (0,))], ()) is b.number(1)
    assert b.is_zero(b.einsum([(units[0], (0,)), (units[1], (0,))], ()))
    assert b.einsum([(units[0], (0,))], ()) is b.number(1)
    top = b.constant("shift", (N + M, N), Dim.of(0))
    bottom = b.constant("shift", (N + M, M), N)
    assert b.einsum([(top, (0, 1)), (top, (0, 2))], (1, 2)) is b.identity((N,))
    assert b.is_zero(b.einsum([(top, (0, 1)), (bottom, (0, 2))], (1, 2)))
    assert b.einsum([(top, (0, 1)), (x, (1,))], ()) is b.einsum([(x, (0,))], ())
    block = b.constant("shift", (five, Dim.of(2)), Dim.of(1))
    assert b.einsum([(block, (0, 1)), (b.unit(five, 3), (0,))], (1,)) is b.unit(Dim.of(2), 2)
    assert b.is_zero(b.einsum([(block, (0, 1)), (b.unit(five, 5), (0,))], (1,)))
    assert b.einsum([(block, (0, 1)), (b.unit(Dim.of(2), 1), (1,))], (0,)) is b.unit(five, 2)
    overlapping = b.constant("shift", (five, Dim.of(2)), Dim.of(2))
    both = b.einsum([(block, (0, 1)), (overlapping, (0, 2))], (1, 2))
    np.testing.assert_array_equal(value(both), [[0, 0], [1, 0]])


def test_fused_axes() -> None:
    fuse = b.constant("fuse", (N * P, N, P))
    assert b.einsum([(fuse, (0, 1, 2)), (fuse, (0, 3, 4))], (1, 2, 3, 4)) is b.identity((N, P))
    assert b.einsum([(fuse, (0, 1, 2)), (fuse, (3, 1, 2))], (0, 3)) is b.identity((N * P,))
    vec = b.einsum([(fuse, (0, 1, 2)), (B, (1, 2))], (0,))
    same(vec, lambda B: B.ravel())
    assert b.einsum([(vec, (0,)), (vec, (0,))], ()) is b.einsum([(b.power(B, 2), (0, 1))], ())
    cubes = b.einsum([(vec, (0,)), (vec, (0,)), (b.map_("exp", [vec]), (0,))], ())
    same(cubes, lambda B: np.sum(B**2 * np.exp(B)))
    three = b.einsum([(fuse, (0, 1, 2)), (fuse, (0, 3, 4)), (fuse, (0, 5, 6))], (1, 2, 3, 4, 5, 6))
    delta3 = np.einsum("acf->acf", np.zeros((3, 3, 3)))
    for i in range(3):
        delta3[i, i, i] = 1
    small = np.zeros((2, 2, 2))
    small[0, 0, 0] = small[1, 1, 1] = 1
    np.testing.assert_array_equal(value(three), np.einsum("acf,bdg->abcdfg", delta3, small))


def test_a_mean_is_centred() -> None:
    mean = b.multiply(b.einsum([(x, (0,))], ()), b.power(b.size(N), -1))
    centred = b.subtract(x, b.broadcast(mean, (N,)))
    assert b.is_zero(b.einsum([(centred, (0,))], ()))


# -- facts ----------------------------------------------------------------------------------------


def _matrices() -> dict[str, Node]:
    ones = b.number(1, (N,))
    diag_w = b.einsum([(w, (0,))], (0, 0))
    return {
        "S": S,
        "Q": Q,
        "D": D,
        "X": X,
        "A'A": gram(A),
        "AA' + eye": b.add([gram(X), b.identity((N,))]),
        "Q + D": b.add([Q, D]),
        "Q - D": b.subtract(Q, D),
        "S + D": b.add([S, D]),
        "inv(D)": b.apply("inv", D),
        "adj(D)": b.apply("adj", D),
        "inv(S)": b.apply("inv", S),
        "-D": b.scaled(D, -1),
        "a*D": b.multiply(a, D),
        "a^2*D": b.multiply(b.power(a, 2), D),
        "exp(a)*D": b.multiply(b.map_("exp", [a]), D),
        "diag(w)": diag_w,
        "diag(r)": b.einsum([(r, (0,))], (0, 0)),
        "diag(x)": b.einsum([(x, (0,))], (0, 0)),
        "X'DX": b.einsum([(X, (0, 1)), (D, (0, 2)), (X, (2, 3))], (1, 3)),
        "D∘D": b.multiply(D, D),
        "XDX": b.matmul(b.matmul(X, D), X),
        "D*Q": b.matmul(D, Q),
        "X'diag(w)X": b.matmul(b.transpose(X), b.matmul(diag_w, X)),
        "X'diag(x)X": b.einsum([(X, (0, 1)), (x, (0,)), (X, (0, 2))], (1, 2)),
        "S*S": b.matmul(S, S),
        "XX": b.matmul(X, X),
        "x*x'": b.einsum([(x, (0,)), (x, (1,))], (0, 1)),
        "x*y'": b.einsum([(x, (0,)), (y, (1,))], (0, 1)),
        "diag(D)*1'": b.einsum([(D, (0, 0))], (0, 1), 1, {1: N}),
        "tr(D)*11'": b.einsum([(D, (2, 2))], (0, 1), 1, {0: N, 1: N}),
        "D*1*1'": b.einsum([(D, (0, 2)), (ones, (2,))], (0, 1), 1, {1: N}),
        "tr(Q)*11'": b.einsum([(Q, (2, 2))], (0, 1), 1, {0: N, 1: N}),
        "diag(diag(D))": b.einsum([(D, (0, 0))], (0, 0)),
        "exp(D)": b.map_("exp", [D]),
        "D∘Q": b.multiply(D, Q),
        "x'x*D": b.multiply(b.einsum([(x, (0,)), (x, (0,))], ()), D),
        "eye - D": b.subtract(b.identity((N,)), D),
        "SDS": b.einsum([(S, (0, 1)), (D, (1, 2)), (S, (2, 3))], (0, 3)),
        "XQX'X": b.einsum([(X, (0, 1)), (Q, (1, 2)), (X, (3, 2)), (X, (3, 4))], (0, 4)),
    }


@pytest.mark.parametrize("name", _matrices())
def test_no_matrix_is_called_definite_that_is_not(name: str) -> None:
    node = _matrices()[name]
    for seed in range(8):
        found = value(node, seed)
        scale = 1e-9 * np.max(np.abs(found))
        least = np.min(np.linalg.eigvalsh((found + found.T) / 2))
        symmetric = np.max(np.abs(found - found.T)) <= scale
        assert spd(node) is not Fact.YES or (symmetric and least > 0)
        assert psd(node) is not Fact.YES or (symmetric and least >= -scale)
        assert invertible(node) is not Fact.YES or np.linalg.cond(found) < 1e12
        assert not b.is_symmetric(node) or symmetric


def _entries() -> dict[str, Node]:
    return {
        "x": x,
        "w": w,
        "r": r,
        "x²": b.power(x, 2),
        "w - r": b.subtract(w, r),
        "w + r": b.add([w, r]),
        "w∘r": b.multiply(w, r),
        "1/r": b.power(r, -1),
        "x⁻²": b.power(x, -2),
        "√r": b.power(r, Fraction(1, 2)),
        "exp(x)": b.map_("exp", [x]),
        "D": D,
        "diag(w)": b.einsum([(w, (0,))], (0, 0)),
        "x'Dx": b.einsum([(x, (0,)), (D, (0, 1)), (x, (1,))], ()),
        "x'Dy": b.einsum([(x, (0,)), (D, (0, 1)), (y, (1,))], ()),
        "x'Xx": b.einsum([(x, (0,)), (X, (0, 1)), (x, (1,))], ()),
        "x'x": b.einsum([(x, (0,)), (x, (0,))], ()),
        "det(D)": b.apply("det", D),
        "det(Q)": b.apply("det", Q),
        "det(X)": b.apply("det", X),
        "log(w)": b.map_("log", [w]),
        "logsumexp(w)": b.apply("logsumexp", w, 1),
        "max(w)": b.apply("max", w, 1),
        "min(r)": b.apply("min", r, 1),
        "max(x)": b.apply("max", x, 1),
        "softmax(x)": b.apply("softmax", x, 1),
        "argmax(x)": b.apply("argmax", x, 1),
        "tr(D)": b.einsum([(D, (0, 0))], ()),
        "unit": b.unit(N, 1),
        "sum(unit∘w)": b.multiply(b.unit(N, 2), w),
        "inv(D)": b.apply("inv", D),
        "n": b.size(N),
        "n - 4": b.subtract(b.size(N), b.number(4)),
        "w^x": b.map_("pow", [w, x]),
        "step(x)": b.map_("step", [x]),
        "diag(D)": b.einsum([(D, (0, 0))], (0,)),
        "-w": b.scaled(w, -1),
        "(w - r)²w": b.multiply(b.power(b.subtract(w, r), 2), w),
        "tanh(w)": b.map_("tanh", [w]),
        "sum(w)": b.einsum([(w, (0,))], ()),
        "x³": b.power(x, 3),
        "x'Dx·x'y": b.einsum([(x, (0,)), (D, (0, 1)), (x, (1,)), (x, (2,)), (y, (2,))], ()),
        "adj(D)": b.apply("adj", D),
        "0": b.number(0, (N,)),
        "sinh(w)": b.map_("sinh", [w]),
        "expm1(r)": b.map_("expm1", [r]),
        "normcdf(x)": b.map_("normcdf", [x]),
    }


@pytest.mark.parametrize("name", _entries())
def test_no_entry_is_called_positive_that_is_not(name: str) -> None:
    node = _entries()[name]
    for seed in range(12):
        with np.errstate(all="ignore"):
            found = value(node, seed)
        assert positive(node) is not Fact.YES or np.all(found > 0)
        assert nonnegative(node) is not Fact.YES or np.all(found >= -1e-12)  # det(Q) is 0 up to rounding


@pytest.mark.parametrize(
    ("fact", "names"),
    [(spd, ["D", "AA' + eye", "Q + D", "inv(D)", "exp(a)*D", "diag(w)"]), (psd, ["A'A", "X'DX", "x*x'", "X'diag(w)X"])],
)
def test_what_must_be_known_of_matrices(fact: Callable[[Node], Fact], names: list[str]) -> None:
    assert [name for name in names if fact(_matrices()[name]) is not Fact.YES] == []


def test_what_must_be_known_of_entries() -> None:
    names = ["w", "w + r", "exp(x)", "x⁻²", "det(D)", "softmax(x)", "sum(w)", "n"]
    assert [name for name in names if positive(_entries()[name]) is not Fact.YES] == []
    assert [name for name in ("x'Dx", "x'x", "x²", "√r") if nonnegative(_entries()[name]) is not Fact.YES] == []


def test_a_fact_is_no_bool() -> None:
    with pytest.raises(TypeError, match=r"is Fact\.YES"):
        bool(spd(D))


# -- graphs of formulas ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_graphs_are_legal_and_their_own_normal_form(seed: int) -> None:
    text = random_formula(seed).text
    formula = matgrad.parse(text, where=where_of(text))
    derivative = matgrad.derive(text, variables_of(text)[0], where=where_of(text))
    for node in (formula.node, derivative.node):
        check_legal(node)
        assert rebuild(node, {}) is node
        assert rebuild(node, {}, expand=True) is rebuild(rebuild(node, {}, expand=True), {})


def _rebuilt_from_nothing(root: Node, names: dict[str, str]) -> Node:
    """The graph made anew, with other names of its variables."""
    replace = {n: b.symbol(names[n.name], n.shape, n.traits) for n in topological(root) if isinstance(n, Symbol)}
    return rebuild(root, replace)


@pytest.mark.parametrize("seed", range(40))
def test_renaming_there_and_back_gives_the_same_node(seed: int) -> None:
    text = random_formula(seed + 500).text
    node = matgrad.parse(text, where=where_of(text)).node
    names = sorted({n.name for n in topological(node) if isinstance(n, Symbol)})
    there = {name: f"q{(5 * i + seed) % 7}_{i}" for i, name in enumerate(names)}
    back = {new: old for old, new in there.items()}
    assert _rebuilt_from_nothing(_rebuilt_from_nothing(node, there), back) is node


DETERMINED = """
import sys; sys.path.insert(0, "tests")
import matgrad
from random_formulas import printable, variables_of, where_of
for seed in range(30):
    text = printable(seed)
    for name in variables_of(text)[:2]:
        d = matgrad.derive(text, name, where=where_of(text))
        print(seed, name, d.text, d.latex, d.conditions, d.code(), d.node.digest)
"""


def test_the_text_is_the_same_in_every_process() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", DETERMINED],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(p for p in sys.path if p)},
        ).stdout
        for seed in ("0", "1", "12345")
    }
    assert len(outputs) == 1


def test_the_text_does_not_depend_on_what_was_derived_before() -> None:
    texts = [printable(seed) for seed in range(30)]
    first = {t: matgrad.derive(t, variables_of(t)[0], where=where_of(t)).text for t in texts}
    again = {t: matgrad.derive(t, variables_of(t)[0], where=where_of(t)).text for t in reversed(texts)}
    assert first == again


def _texts(seed: int) -> list[str]:
    order = random.Random(seed).sample(range(12), 12)
    found = {}
    for number in order:
        text = printable(number)
        found[number] = matgrad.derive(text, variables_of(text)[0], where=where_of(text)).text
    return [found[number] for number in range(12)]


def test_eight_threads_derive_the_same() -> None:
    expected = _texts(0)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(found == expected for found in pool.map(_texts, range(8)))
    finally:
        sys.setswitchinterval(interval)


def test_answers_pickle() -> None:
    text = "r = A*x - b; r'*r/2 + lambda*norm1(x)"
    where = {"A": "matrix(m,n)", "lambda": "positive"}
    formula, derivative = matgrad.parse(text, where=where), matgrad.derive(text, "x", where=where)
    again: matgrad.Derivative = pickle.loads(pickle.dumps(derivative))
    assert again.text == derivative.text
    assert again.short == derivative.short
    assert again.conditions == derivative.conditions
    assert again.node is derivative.node
    assert pickle.loads(pickle.dumps(formula)).text == formula.text
    second = pickle.loads(pickle.dumps(derivative.derive("lambda")))
    assert second.text == derivative.derive("lambda").text
    back = pickle.loads(pickle.dumps(matgrad.parse(derivative.text, context=derivative)))
    assert back.text == derivative.text
    arrays = {"A": np.ones((2, 3)), "x": np.arange(3.0), "b": np.ones(2), "lambda": 2.0}
    np.testing.assert_array_equal(again(**arrays), derivative(**arrays))


@pytest.mark.parametrize("seed", range(30))
def test_the_graph_is_the_formula(seed: int) -> None:
    text = random_formula(seed + 900).text
    formula, known = matgrad.parse(text, where=where_of(text)), arrays_of(text, seed)
    sizes = {"m": 4, "n": 3, "p": 2}
    known |= {name: sizes[name] for name in formula.sizes_needed()}
    np.testing.assert_allclose(evaluate(formula.node, known, sizes), formula(**known), rtol=1e-9, atol=1e-12)


def test_a_kind_of_node_that_names_no_children_is_no_constant() -> None:
    """An unknown kind must fail in every traversal, not drop out of the derivative."""

    class Unknown(Node):
        __slots__ = ()

    with pytest.raises(NotImplementedError):
        list(topological(object.__new__(Unknown)))
