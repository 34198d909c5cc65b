"""The tensor graph: its normal form does not depend on how a node was built, and its laws hold."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from legal_nodes import check_legal
from tensor_symbols import (
    A,
    B,
    C,
    M,
    N,
    P,
    S,
    X,
    Y,
    a,
    c,
    gram,
    r,
    same,
    u,
    value,
    w,
    x,
    y,
)

import matgrad
from matgrad.dims import Dim
from matgrad.tensor import builders as b
from matgrad.tensor import laws as _laws  # noqa: F401  (arms the normal form)
from matgrad.tensor.nodes import Apply, Node


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
