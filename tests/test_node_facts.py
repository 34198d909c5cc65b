"""Facts about nodes: what is called definite or positive is so, and what must be known is known."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from tensor_symbols import (
    A,
    D,
    N,
    Q,
    S,
    X,
    a,
    gram,
    r,
    value,
    w,
    x,
    y,
)

from matgrad.tensor import builders as b
from matgrad.tensor import laws as _laws  # noqa: F401  (arms the normal form)
from matgrad.tensor.facts import Fact, invertible, nonnegative, positive, psd, spd
from matgrad.tensor.nodes import Node

FUSE = b.constant("fuse", (N * N, N, N))


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
        "Xdiag(x∘Dx)X'": b.einsum([(X, (0, 2)), (x, (2,)), (D, (2, 3)), (x, (3,)), (X, (1, 2))], (0, 1)),
        "x'Dx*XX'": b.einsum([(X, (0, 4)), (x, (2,)), (D, (2, 3)), (x, (3,)), (X, (1, 4))], (0, 1)),
        "Xdiag(Dw²)X'": b.einsum([(X, (0, 2)), (b.power(D, 2), (2, 3)), (w, (3,)), (X, (1, 2))], (0, 1)),
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
        "kron(eye, w)": b.einsum([(FUSE, (0, 1, 2)), (w, (2,))], (0, 1)),
        "kron(w, eye)": b.einsum([(FUSE, (0, 1, 2)), (w, (1,))], (0, 2)),
        "kron(w, w)": b.einsum([(FUSE, (0, 1, 2)), (w, (1,)), (w, (2,))], (0,)),
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
    [
        (spd, ["D", "AA' + eye", "Q + D", "inv(D)", "exp(a)*D", "diag(w)"]),
        (psd, ["A'A", "X'DX", "x*x'", "X'diag(w)X", "x'Dx*XX'", "Xdiag(Dw²)X'"]),
    ],
)
def test_what_must_be_known_of_matrices(fact: Callable[[Node], Fact], names: list[str]) -> None:
    assert [name for name in names if fact(_matrices()[name]) is not Fact.YES] == []


def test_what_must_be_known_of_entries() -> None:
    names = ["w", "w + r", "exp(x)", "x⁻²", "det(D)", "softmax(x)", "sum(w)", "n", "kron(w, w)"]
    assert [name for name in names if positive(_entries()[name]) is not Fact.YES] == []
    assert [name for name in ("x'Dx", "x'x", "x²", "√r") if nonnegative(_entries()[name]) is not Fact.YES] == []


def test_a_fact_is_no_bool() -> None:
    with pytest.raises(TypeError, match=r"is Fact\.YES"):
        bool(spd(D))
