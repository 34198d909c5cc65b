# ruff: noqa: PLW0108 (the names of the arguments are read)
"""Components, slices, stacks and block matrices with symbolic sizes, against JAX; what is printed is read back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax_truth import derived

import matgrad
from matgrad.errors import MatgradError
from matgrad.formula.infer import read
from matgrad.formula.reference import evaluate

SIZES = {"m": 3, "n": 4, "p": 5}
WHERE = {
    "a": "vector(m)", "b": "vector(n)", "C": "matrix(m+n,m+n)", "P": "matrix(p,m+n)", "v": "vector(m+n)",
    "A": "matrix(m,m)", "B": "matrix(m,n)", "E": "matrix(n,m)", "D": "matrix(n,n)", "c": "scalar", "w": "vector(2*n)",
    "G": "matrix(n+1,n+1)", "W": "matrix(m,m+n)", "X": "matrix(m,p)", "Y": "matrix(p,n)", "F": "matrix(m+n,n)",
}  # fmt: skip


def _blocks(A: Any, B: Any, E: Any, D: Any) -> Any:
    return jnp.block([[A, B], [E, D]])


def _cat(*parts: Any) -> Any:
    return jnp.concatenate([jnp.atleast_1d(p) for p in parts])


CASES: list[tuple[str, str, Callable[..., Any]]] = [
    ("[a; b]'*C*[a; b]", "a", lambda a, b, C: _cat(a, b) @ C @ _cat(a, b)),
    ("[a; b]'*C*[a; b]", "b", lambda a, b, C: _cat(a, b) @ C @ _cat(a, b)),
    ("norm2(P*[a; b])", "b", lambda P, a, b: jnp.linalg.norm(P @ _cat(a, b))),
    ("sum(sin(P*[a; b]))", "a", lambda P, a, b: jnp.sum(jnp.sin(P @ _cat(a, b)))),
    ("[b; 1]'*G*[b; 1]", "b", lambda b, G: _cat(b, 1.0) @ G @ _cat(b, 1.0)),
    ("[b; exp(b)]'*w", "b", lambda b, w: _cat(b, jnp.exp(b)) @ w),
    ("tanh(W*[a; b])'*a", "W", lambda W, a, b: jnp.tanh(W @ _cat(a, b)) @ a),
    ("tanh(W*[a; b])'*a", "a", lambda W, a, b: jnp.tanh(W @ _cat(a, b)) @ a),
    ("det([A, B; E, D])", "B", lambda A, B, E, D: jnp.linalg.det(_blocks(A, B, E, D))),
    ("logdet([A, B; E, D])", "E", lambda A, B, E, D: jnp.linalg.slogdet(_blocks(A, B, E, D))[1]),
    ("tr(inv([A, B; E, D]))", "D", lambda A, B, E, D: jnp.trace(jnp.linalg.inv(_blocks(A, B, E, D)))),
    ("v'*[A, B; E, D]*v", "B", lambda v, A, B, E, D: v @ _blocks(A, B, E, D) @ v),
    ("v'*inv([A, B; E, D])*v", "A", lambda v, A, B, E, D: v @ jnp.linalg.inv(_blocks(A, B, E, D)) @ v),
    ("logdet([D, b; b', c])", "b", lambda D, b, c: jnp.linalg.slogdet(jnp.block([[D, b[:, None]], [b[None], c]]))[1]),
    ("logdet([D, b; b', c])", "c", lambda D, b, c: jnp.linalg.slogdet(jnp.block([[D, b[:, None]], [b[None], c]]))[1]),
    ("sum(exp([A, B; E, D]))", "B", lambda A, B, E, D: jnp.sum(jnp.exp(_blocks(A, B, E, D)))),
    ("sum(v[1:m].*v[n+1:m+n])", "v", lambda v: jnp.sum(v[:3] * v[4:7])),
    ("tr(F[m+1:m+n,:])", "F", lambda F: jnp.trace(F[3:])),
    ("det(F[1:n,:])", "F", lambda F: jnp.linalg.det(F[:4])),
    ("v[m+n]^2*v[1]", "v", lambda v: v[6] ** 2 * v[0]),
    ("sum((X*Y)[1:2,2:3])", "X", lambda X, Y: jnp.sum((X @ Y)[:2, 1:3])),
    ("inv(D)[1,2]", "D", lambda D: jnp.linalg.inv(D)[0, 1]),
    ("logsumexp([a; b])", "a", lambda a, b: jax.nn.logsumexp(_cat(a, b))),
]  # fmt: skip


def _at(function: Callable[..., Any], seed: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    names = function.__code__.co_varnames
    typed = matgrad.parse(" + ".join(f"0*sum({n})" for n in names), where={n: WHERE[n] for n in names}).typed
    return {
        n: np.asarray(rng.uniform(0.4, 1.6, tuple(d.evaluate(SIZES) for d in typed.variables[n].type.dims)))
        for n in names
    }


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("text", "wrt", "function"), CASES, ids=[f"{c[0]} in {c[1]}" for c in CASES])
def test_against_jax(text: str, wrt: str, function: Callable[..., Any], order: int) -> None:
    names = function.__code__.co_varnames
    d = matgrad.derive(text, wrt, where={n: WHERE[n] for n in names}, order=order)
    at = _at(function)
    take = jax.grad if order == 1 else jax.hessian
    wanted = derived(take, function, wrt, at)
    sizes = {"m": 3, "n": 4} if "vector(m+n)" in d.formula.variables.get(wrt, "").replace(" ", "") else {}
    np.testing.assert_allclose(d(**at, **sizes), wanted, rtol=1e-8, atol=1e-9)
    again = read(d.text, context=d.formula.typed, expect=d.expr.type)
    np.testing.assert_allclose(evaluate(again.program, at, SIZES), wanted, rtol=1e-8, atol=1e-9)
    if order == 1:
        assert d.verify(points=3).passed is True
        assert d.closed_form


JACOBIANS: list[tuple[str, str, Callable[..., Any]]] = [
    ("P*[a; b]", "b", lambda P, a, b: P @ _cat(a, b)),
    ("[A, B; E, D]*v", "B", lambda A, B, E, D, v: _blocks(A, B, E, D) @ v),
    ("inv([A, B; E, D])", "A", lambda A, B, E, D: jnp.linalg.inv(_blocks(A, B, E, D))),
    ("exp([A, B; E, D])", "E", lambda A, B, E, D: jnp.exp(_blocks(A, B, E, D))),
    ("[a; b]*[a; b]'", "a", lambda a, b: jnp.outer(_cat(a, b), _cat(a, b))),
    ("(X*Y)[1:2,2:3]", "X", lambda X, Y: (X @ Y)[:2, 1:3]),
    ("F[m+1:m+n,:]*D", "F", lambda F, D: F[3:] @ D),
    ("F[:,2]", "F", lambda F: F[:, 1]),
    ("[a', c]", "a", lambda a, c: _cat(a, c)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wrt", "function"), JACOBIANS, ids=[c[0] for c in JACOBIANS])
def test_jacobians_against_jax(text: str, wrt: str, function: Callable[..., Any]) -> None:
    names = function.__code__.co_varnames
    d = matgrad.derive(text, wrt, where={n: WHERE[n] for n in names})
    at = _at(function)
    wanted = derived(jax.jacobian, function, wrt, at)
    np.testing.assert_allclose(d(**at), wanted, rtol=1e-8, atol=1e-9)
    assert (d.kronecker is not None) == (wanted.ndim > 2)
    assert d.verify(points=3).passed is True  # looks at the vec form and the action too


def test_what_is_printed() -> None:
    where = "a: vector(m); b: vector(n); C: matrix(m+n,m+n)"
    expected = "(C[1:m,1:m] + C[1:m,1:m]')*a + (C[1:m,m+1:m+n] + C[m+1:m+n,1:m]')*b"
    assert matgrad.derive("[a; b]'*C*[a; b]", "a", where=where).text == expected
    where = "A: matrix(m,m); B: matrix(m,n); C: matrix(n,m); D: matrix(n,n)"
    assert matgrad.derive("logdet([A, B; C, D])", "B", where=where).text == "inv([A, B; C, D])[m+1:m+n,1:m]'"
    assert matgrad.derive("sum(exp([A, B; C, D]))", "B", where=where).text == "exp(B)"


RANGES = [
    ("sum(x[3:n].^2)", "x: vector(n)", "[zeros(2); 2*x[3:n]]"),
    ("sum(x[3:n-1].^2)", "x: vector(n)", "[zeros(2); 2*x[3:n-1]; 0]"),
    ("sum(x[n-1:n].^2)", "x: vector(n)", "2*eye(n)[:,n-1:n]*x[n-1:n]"),
    ("sum(x[2:n].*x[1:n-1])", None, "[x[2:n]; 0] + [0; x[1:n-1]]"),
    ("sum(X[2:m,:].^2)", "X: matrix(m,n)", "[zeros(n)'; 2*X[2:m,:]]"),
    ("sum(X[3:m,2:n].^2)", "X: matrix(m,n)", "[zeros(2), zeros(2, n - 1); zeros(m - 2), 2*X[3:m,2:n]]"),
    ("x[1:3]'*x[n-2:n]", None, "eye(n)[:,1:3]*x[n-2:n] + eye(n)[:,n-2:n]*x[1:3]"),
    ("x[n-2]*x[3]", "x: vector(n)", "x[n-2]*unit(3) + x[3]*eye(n)[:,n-2]"),
]


@pytest.mark.parametrize(("text", "where", "expected"), RANGES)
def test_ranges_from_a_number_to_a_size(text: str, where: str | None, expected: str) -> None:
    """Where they lie within the array for all sizes that are large enough; a vector is as long as its last index."""
    name = "X" if "X" in text else "x"
    d = matgrad.derive(text, name, where=where)
    assert d.text == expected
    assert d.verify().passed is True
    assert matgrad.parse(d.text, context=d).node is d.node
    assert matgrad.parse_latex(d.latex, context=d).node is d.node
    assert matgrad.check_answer(text, name, expected, where=where).correct
    value = np.random.default_rng(3).standard_normal((5, 4) if name == "X" else 6)
    h = 1e-6
    slices = {"sum(x[3:n].^2)": lambda x: np.sum(x[2:] ** 2), "sum(x[3:n-1].^2)": lambda x: np.sum(x[2:-1] ** 2),
              "sum(x[n-1:n].^2)": lambda x: np.sum(x[-2:] ** 2), "sum(x[2:n].*x[1:n-1])": lambda x: x[1:] @ x[:-1],
              "sum(X[2:m,:].^2)": lambda x: np.sum(x[1:] ** 2), "sum(X[3:m,2:n].^2)": lambda x: np.sum(x[2:, 1:] ** 2),
              "x[1:3]'*x[n-2:n]": lambda x: x[:3] @ x[-3:], "x[n-2]*x[3]": lambda x: x[-3] * x[2]}  # fmt: skip
    f = slices[text]
    assert matgrad.parse(text, where=where)(**{name: value}) == pytest.approx(f(value))
    steps = [h * np.eye(value.size)[k].reshape(value.shape) for k in range(value.size)]
    differences = np.array([f(value + s) - f(value - s) for s in steps]).reshape(value.shape) / (2 * h)
    assert d(**{name: value}) == pytest.approx(differences, abs=1e-8)


@pytest.mark.parametrize("text", ["sum(x[2:5]) + x'*x", "sum(x[5:n]) + x'*x", "x[n-3]*x'*x", "unit(4)'*x*sum(x.^2)"])
def test_arrays_that_are_too_short_are_refused(text: str) -> None:
    """NumPy's slices would stop at the end, and negative places count from there."""
    for item in (matgrad.parse(text, where="x: vector(n)"), matgrad.derive(text, "x", where="x: vector(n)")):
        for call in (item, matgrad.compile(item)):
            assert np.all(np.isfinite(call(x=np.ones(5))))
            with pytest.raises(matgrad.MatgradError, match="does not lie within 1:3"):
                call(x=np.ones(3))


REFUSED = [
    ("x[1:n]'*y", "x: vector(m); y: vector(n)", "it cannot be told that 1:n lies within 1:m"),
    ("x[m]", "x: vector(n); y: vector(m)", "declared"),
    ("x[0:n]", "x: vector(n)", "counted from 1"),
    ("x[1.5]", "x: vector(n)", "a whole number"),
    ("x[y]", "x: vector(n); y: scalar", "y is a variable and cannot be a size"),
    ("x[n+1]", "x: vector(n)", "it cannot be told that n + 1 lies within 1:n"),
]


@pytest.mark.parametrize(("text", "where", "says"), REFUSED)
def test_refused(text: str, where: str, says: str) -> None:
    with pytest.raises(MatgradError) as caught:
        matgrad.parse(text, where=where)
    assert says in str(caught.value)


def test_a_range_is_checked_against_the_arrays() -> None:
    f = matgrad.parse("sum(x[2:n])", where="x: vector(n)")
    assert f(x=[1.0, 2.0, 3.0]) == 5.0
    with pytest.raises(MatgradError):
        matgrad.parse("sum(x[2:n])", where="x: vector(m)")


def test_positions_are_not_magnitudes() -> None:
    """The check takes sums inside at their absolute values, but not the ends of a range."""
    assert matgrad.derive("norm2(C*x[1:n-1])^2", "C", where="C: matrix(m,n-1); x: vector(n)").verify().passed is True
    assert matgrad.derive("sum(exp(x[n+1]*x))", "x", where="x: vector(n+2)").verify(points=3).passed is True


def test_ranges_of_sizes_elsewhere() -> None:
    """In the style of components they are refused; SymPy holds them, counted from 0."""
    with pytest.raises(MatgradError, match="components"):
        matgrad.explain("sum(x[2:n].^2)", "x", where="x: vector(n)", style="components")
    pytest.importorskip("sympy")
    assert str(matgrad.parse("x[2:n]", where="x: vector(n)").to_sympy()) == "x[1:, :]"
    assert str(matgrad.parse("x[n-1]^2", where="x: vector(n)").to_sympy()) == "x[n - 2, 0]**2"
    assert str(matgrad.parse("X[2:m,n]", where="X: matrix(m,n)").to_sympy()) == "X[1:, n - 1:]"
