# ruff: noqa: PLW0108 (the names of the arguments are read)
"""Results of order 3 and 4: the matrix on vec, the action on a direction, index notation, each against JAX."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax_truth import derived

import matgrad
from matgrad.checking.sampling import Subject, draw
from matgrad.formula.infer import read
from matgrad.formula.reference import evaluate

SIZES = {"m": 3, "n": 4, "p": 2, "q": 5, "r": 2, "s": 3, "k": 2}
WHERE = {
    "A": "matrix(p,m)", "B": "matrix(n,q)", "C": "matrix(m,m)", "D": "matrix(n,n)", "S": "matrix(n,n)",
    "X": "matrix(m,n)", "Y": "matrix(n,n)", "V": "matrix(n,k)", "H": "matrix(m,n)", "G": "matrix(n,m)",
    "x": "vector(n)", "y": "vector(m)", "c": "scalar",
}  # fmt: skip

# formula, variable, the same in JAX, and the vec form where it is short enough to be told by heart
CASES: list[tuple[str, str, Callable[..., Any], str | None]] = [
    ("X'", "X", lambda X: X.T, "commutation(m, n)"),
    ("A*X*B", "X", lambda A, X, B: A @ X @ B, "kron(B', A)"),
    ("X.*X", "X", lambda X: X * X, "2*diag(vec(X))"),
    ("exp(X)", "X", lambda X: jnp.exp(X), "diag(vec(exp(X)))"),
    ("X'*X", "X", lambda X: X.T @ X, "kron(eye, X') + kron(X', eye)*commutation(m, n)"),
    ("X*D*X'", "X", lambda X, D: X @ D @ X.T, None),
    ("x*x'", "x", lambda x: jnp.outer(x, x), "kron(eye, x) + kron(x, eye)"),
    ("inv(Y)", "Y", lambda Y: jnp.linalg.inv(Y), "-kron(inv(Y)', inv(Y))"),
    ("kron(A, X)", "X", lambda A, X: jnp.kron(A, X), None),
    ("kron(X, A)", "X", lambda X, A: jnp.kron(X, A), None),
    ("kron(kron(A, X), V)", "X", lambda A, X, V: jnp.kron(jnp.kron(A, X), V), None),
    ("kron(A, x)", "x", lambda A, x: jnp.kron(A, x[:, None]), None),
    ("kron(y', A)", "y", lambda y, A: jnp.kron(y[None], A), None),
    ("X.*(C*X)", "X", lambda X, C: X * (C @ X), "diag(vec(X))*kron(eye, C) + diag(vec(C*X))"),
    ("A*exp(X)*B", "X", lambda A, X, B: A @ jnp.exp(X) @ B, "kron(B', A)*diag(vec(exp(X)))"),
    ("A*diag(y)*X", "y", lambda A, y, X: A @ jnp.diag(y) @ X, None),
    ("X*diag(x)", "x", lambda X, x: X * x, None),
    ("diag(x)", "x", lambda x: jnp.diag(x), None),
    ("diag(X*G)", "X", lambda X, G: jnp.diag(X @ G), None),
    ("diag(G'*X')", "X", lambda X, G: jnp.diag(G.T @ X.T), None),
    ("diag(Y)", "Y", lambda Y: jnp.diag(Y), None),
    ("tr(Y*D)*Y", "Y", lambda Y, D: jnp.trace(Y @ D) * Y, None),
    ("sum(H.*X)*X", "X", lambda H, X: jnp.sum(H * X) * X, None),
    ("X/norm2(X)", "X", lambda X: X / jnp.linalg.norm(X), "eye/norm2(X) - vec(X)*vec(X)'/norm2(X)^3"),
    ("c*tril(Y*D)", "Y", lambda c, Y, D: c * jnp.tril(Y @ D), None),
    ("softmax(X, dim=2)", "X", lambda X: jax.nn.softmax(X, axis=1), None),
    ("softmax(X, dim=1)", "X", lambda X: jax.nn.softmax(X, axis=0), None),
    ("logsumexp(X, dim=1)", "X", lambda X: jax.nn.logsumexp(X, axis=0), None),
    ("norm2(X*B, dim=1)", "X", lambda X, B: jnp.linalg.norm(X @ B, axis=0), None),
    ("mean(X, dim=2)", "X", lambda X: jnp.mean(X, axis=1), "kron(vector(1)', eye)/n"),
    ("y'*X", "X", lambda y, X: y @ X, "kron(eye, y')"),
    ("tanh(X*x)", "X", lambda X, x: jnp.tanh(X @ x), "kron(x', diag(1 - tanh(X*x).^2))"),
    ("vec(A*X*B)", "X", lambda A, X, B: (A @ X @ B).T.ravel(), "kron(B', A)"),
    ("kron(A, X)*kron(y, x)", "X", lambda A, X, y, x: jnp.kron(A, X) @ jnp.kron(y, x), None),
    ("X - mean(X, dim=2)*ones(n)'", "X", lambda X: X - X.mean(axis=1, keepdims=True), None),
    ("Y^3", "Y", lambda Y: Y @ Y @ Y, None),
    ("adj(Y)", "Y", lambda Y: jnp.linalg.det(Y) * jnp.linalg.inv(Y), None),
]  # fmt: skip


def _point(formula: matgrad.Formula) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    subjects = [Subject(n, v.type, frozenset(v.traits)) for n, v in formula.typed.variables.items()]
    return {s.name: np.asarray(draw(s, SIZES, rng, lambda r, shape: r.uniform(0.3, 1.5, shape))) for s in subjects}


@pytest.mark.parametrize(("text", "wrt", "function", "expected"), CASES, ids=[c[0] for c in CASES])
def test_the_forms_agree_with_jax(text: str, wrt: str, function: Callable[..., Any], expected: str | None) -> None:
    names = function.__code__.co_varnames
    d = matgrad.derive(text, wrt, where={n: WHERE[n] for n in names})
    at = _point(d.formula)
    wanted = derived(jax.jacobian, function, wrt, at)
    np.testing.assert_allclose(d(**at), wanted, rtol=1e-9, atol=1e-11)
    columns = at[wrt].size
    matrix = wanted.reshape(-1, columns, order="F")
    if wanted.ndim > 2:
        assert d.kronecker is not None
        assert expected in (None, d.kronecker)
        vec = matgrad.derive(text, wrt, where={n: WHERE[n] for n in names}, layout="vec")
        assert vec.text == d.kronecker
        again = read(d.kronecker, context=d.formula.typed, expect=vec.expr.type)
        np.testing.assert_allclose(evaluate(again.program, at, SIZES), matrix, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(vec(**at), matrix, rtol=1e-9, atol=1e-11)
    direction = np.random.default_rng(1).standard_normal(at[wrt].shape)
    moved = np.tensordot(wanted, direction, at[wrt].ndim)
    np.testing.assert_allclose(d.matvec(direction, **at), moved, rtol=1e-9, atol=1e-11)
    assert "einsum" not in d.matvec.text
    assert d.verify(points=3).passed is True


HESSIANS = [
    ("logdet(Y)", "Y", lambda Y: jnp.linalg.slogdet(Y)[1]),
    ("tr(X'*C*X*D)", "X", lambda X, C, D: jnp.trace(X.T @ C @ X @ D)),
    ("sum(exp(A*X))", "X", lambda A, X: jnp.sum(jnp.exp(A @ X))),
    ("norm2(A*X*B)^2", "X", lambda A, X, B: jnp.sum((A @ X @ B) ** 2)),
    ("sum(logsumexp(X*B, dim=2))", "X", lambda X, B: jnp.sum(jax.nn.logsumexp(X @ B, axis=1))),
    ("tr(inv(Y)*D)", "Y", lambda Y, D: jnp.trace(jnp.linalg.inv(Y) @ D)),
    ("sum(norm2(X, dim=2))", "X", lambda X: jnp.sum(jnp.linalg.norm(X, axis=1))),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wrt", "function"), HESSIANS, ids=[c[0] for c in HESSIANS])
def test_hessians_in_a_matrix(text: str, wrt: str, function: Callable[..., Any]) -> None:
    names = function.__code__.co_varnames
    h = matgrad.hessian(text, wrt, where={n: WHERE[n] for n in names})
    at = _point(h.formula)
    wanted = derived(jax.hessian, function, wrt, at)
    np.testing.assert_allclose(h(**at), wanted, rtol=1e-8, atol=1e-10)
    assert h.kronecker is not None
    vec = matgrad.derive(text, wrt, where={n: WHERE[n] for n in names}, order=2, layout="vec")
    np.testing.assert_allclose(vec(**at), wanted.reshape(at[wrt].size, -1, order="F"), rtol=1e-8, atol=1e-10)
    assert h.verify(points=3).passed is True


@pytest.mark.parametrize("form", ["on_vec", "action"])
def test_the_check_looks_at_the_other_forms(form: str) -> None:
    where = "A: matrix(n,n); B: matrix(n,n); X: matrix(n,n)"
    right, other = (matgrad.derive(text, "X", where=where) for text in ("A*X*B", "B*X*A"))
    assert right.verify(points=3).passed is True
    right._printed.__dict__[form] = getattr(other._printed, form)
    assert right.verify(points=3).passed is False


def test_symmetric_variables_in_vec_form() -> None:
    """The matrix on vec is that of the symmetrised derivative; the action takes a symmetric direction."""
    d = matgrad.derive("C*S*C", "S", where="S: symmetric(n); C: matrix(n,n)")
    assert d.verify(points=3).passed is True
    assert d.kronecker == "0.5*kron(C', C) + 0.5*kron(C', C)*commutation(n, n)"
    assert str(d.matvec) == "dS ↦ C*dS*C"
    free = matgrad.derive("C*S*C", "S", where="S: symmetric(n); C: matrix(n,n)", symmetric="ignore")
    assert (free.kronecker, str(free.matvec)) == ("kron(C', C)", "dS ↦ C*dS*C")
    assert free.verify(points=3).passed is True
    entries = matgrad.derive("tr(C*S)", "S", where="S: symmetric(n); C: matrix(n,n)", symmetric="entries")
    rng = np.random.default_rng(0)
    c, s = rng.standard_normal((2, 3, 3))
    s = s + s.T
    np.testing.assert_allclose(entries.matvec(s, C=c, S=s), np.trace(c @ s))


def _orthogonal(n: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(5).standard_normal((n, n)))[0]


def test_riemannian_gradient_on_orthogonal_matrices() -> None:
    """Against the derivative along geodesics X·expm(t·Ω), with the tangent space as the truth."""
    from scipy.linalg import expm

    d = matgrad.gradient("norm2(A*O - B)^2", "O", where="O: orthogonal(n)", riemannian=True)
    rng = np.random.default_rng(2)
    a, b, o = rng.standard_normal((4, 3)), rng.standard_normal((4, 3)), _orthogonal(3)
    g = d(A=a, B=b, O=o)
    np.testing.assert_allclose(o.T @ g + g.T @ o, 0, atol=1e-12)
    for k in range(3):
        omega = rng.standard_normal((3, 3))
        omega = omega - omega.T
        f = [np.sum((a @ o @ expm(t * omega) - b) ** 2) for t in (1e-5, -1e-5)]
        np.testing.assert_allclose(np.sum(g * (o @ omega)), (f[0] - f[1]) / 2e-5, rtol=1e-6, err_msg=str(k))
    assert d.verify(points=3).passed is True
    assert "tr(U'*V)" in d.conditions[0]


def test_on_the_manifold_a_matrix_times_its_transpose_is_the_identity() -> None:
    """Procrustes: min norm2(O*A - B)^2 has a gradient without A*A', since ‖O*A‖ does not vary."""
    where = "O: orthogonal(n)"
    for text, expected in (("norm2(O*A - B)^2", "O*A*B'*O - B*A'"), ("norm2(O)^2", "zeros(n, n)")):
        d = matgrad.gradient(text, "O", where=where, riemannian=True)
        assert d.text == expected
        assert d.verify().passed
    assert matgrad.gradient("tr(O'*A*O)", "O", where=where).text == "(A + A')*O"  # in all entries, free


def test_riemannian_gradient_on_positive_definite_matrices() -> None:
    """⟨grad, V⟩ in the affine-invariant metric is the derivative along every symmetric V."""
    d = matgrad.gradient("tr(A*S) - logdet(S)", "S", where="S: spd(n)", riemannian=True)
    rng = np.random.default_rng(4)
    a, root, v = rng.standard_normal((3, 3, 3))
    s, v = root @ root.T + np.eye(3), v + v.T
    inverse = np.linalg.inv(s)
    found = np.trace(inverse @ d(A=a, S=s) @ inverse @ v)
    np.testing.assert_allclose(found, np.trace(a @ v) - np.trace(inverse @ v))
    assert d.verify(points=3).passed is True


@pytest.mark.parametrize("options", [{"order": 2}, {"symmetric": "ignore"}, {"symmetric": "entries"}])
def test_what_riemannian_does_not_go_with(options: dict[str, Any]) -> None:
    with pytest.raises(matgrad.MatgradError):
        matgrad.derive("logdet(S)", "S", where="S: spd(n)", riemannian=True, **options)


@pytest.mark.parametrize("options", [{"symmetric": "entries"}, {"riemannian": True}])
def test_first_derivatives_only(options: dict[str, Any]) -> None:
    d = matgrad.derive("logdet(S)", "S", where="S: spd(n)", **options)
    with pytest.raises(matgrad.MatgradError, match="gradients only"):
        d.derive("S")


def test_code_takes_the_subgradient_at_the_kink_of_a_norm() -> None:
    d = matgrad.derive("norm2(A*x - b)", "x")
    at = {"A": np.ones((3, 2)), "x": np.zeros(2), "b": np.zeros(3)}
    source: dict[str, Any] = {}
    exec(d.code(), source)
    np.testing.assert_array_equal(source["gradient"](**at), 0)
    np.testing.assert_array_equal(d(**at), 0)
    # what is not 0/0 stays what it is
    other = matgrad.derive("a'*x/norm2(y)", "x")
    with np.errstate(divide="ignore"):
        assert np.all(np.isinf(other(a=np.ones(2), x=np.ones(2), y=np.zeros(3))))


def test_riemannian_is_no_convention_for_symmetric() -> None:
    with pytest.raises(matgrad.MatgradError, match="unknown convention 'riemannian'"):
        matgrad.derive("logdet(S)", "S", where="S: spd(n)", symmetric="riemannian")
    found = matgrad.derive("logdet(S)", "S", where="S: spd(n)", riemannian=True)
    assert (found.riemannian, found.symmetric) == (True, "projected")
    again = pickle.loads(pickle.dumps(found))
    assert (again.text, again.riemannian) == (found.text, True)
    assert found.in_layout("mixed").text == found.text


def test_the_short_form_of_a_riemannian_gradient_has_no_euclidean_signals() -> None:
    text = "H = tanh(A*O*B); R = tanh(C*H*K); norm2(tanh(R*D) - Y)^2 + norm2(tanh(R*E) - Z)^2"
    found = matgrad.derive(text, "O", where="O: orthogonal(n)", riemannian=True)
    names = "; ".join(f"{name} = {value}" for name, value in found.names.items())
    short = matgrad.parse(f"{names}; {found.short}" if names else found.short, context=found)
    rng = np.random.default_rng(3)
    sizes: dict[str, int] = {}
    arrays = {}
    for name, kind in found.formula.variables.items():
        dims = re.findall(r"[a-z]\w*", kind.partition("(")[2])
        dims = 2 * dims if kind.startswith("orthogonal") else dims
        arrays[name] = rng.normal(size=[sizes.setdefault(d, 2 + len(sizes)) for d in dims])
    arrays["O"] = np.linalg.qr(arrays["O"])[0]
    np.testing.assert_allclose(short(**arrays), found(**arrays), rtol=1e-9, atol=1e-12)
    tangent = arrays["O"].T @ found(**arrays)
    np.testing.assert_allclose(tangent, -tangent.T, atol=1e-10)


def test_the_next_derivative_keeps_the_layout() -> None:
    second = matgrad.jacobian("A*x.^2", "x", layout="vec").derive("x")
    assert second.layout == "vec"
    assert second.text == matgrad.derive("A*x.^2", "x", order=2, layout="vec").text
    assert second.verify().passed is True


@pytest.mark.parametrize(
    ("formula", "where", "wrt", "expected"),
    [
        ("X*S", "X: matrix(m,n); S: symmetric(n)", "X", "kron(S, eye)"),
        ("S*X*inv(S)", "X: matrix(n,n); S: spd(n)", "X", "kron(inv(S), S)"),
        ("inv(X)*S*X", "X: matrix(n,n); S: symmetric(n)", "X", "kron(eye, inv(X)*S) - kron(X'*S*inv(X)', inv(X))"),
    ],
)
def test_symmetric_matrices_are_not_transposed(formula: str, where: str, wrt: str, expected: str) -> None:
    derivative = matgrad.derive(formula, wrt, where=where)
    assert derivative.kronecker == expected
    assert derivative.verify().passed


VECTORS = [
    ("kron(x, y)'*C*kron(x, y)", "x", 1, "kron(eye, y)'*(C + C')*kron(x, y)"),
    ("kron(x, y)'*C*kron(x, y)", "y", 1, "kron(x, eye)'*(C + C')*kron(x, y)"),
    ("kron(x, y)'*C*kron(x, y)", "x", 2, "kron(eye, y)'*(C + C')*kron(eye, y)"),
    ("kron(x, y)'*c", "y", 1, "kron(x, eye)'*c"),
    ("kron(x, y)", "x", 1, "kron(eye, y)"),
    ("norm2(B*kron(x, y) - b)^2", "x", 1, "2*kron(eye, y)'*B'*(B*kron(x, y) - b)"),
    ("sum(exp(B*kron(x, y)))", "y", 2, "kron(x, eye)'*B'*diag(exp(B*kron(x, y)))*B*kron(x, eye)"),
    ("log(c'*kron(x, y))", "x", 1, "kron(eye, y)'*c/(c'*kron(x, y))"),
    ("kron(z, z)'*kron(z, w)", "w", 1, "(z'*z)*z"),
]
KINDS_OF = {"x": "vector(n)", "y": "vector(m)", "C": "matrix(n*m,n*m)", "c": "vector(n*m)", "B": "matrix(k,n*m)",
         "b": "vector(k)", "z": "vector(n)", "w": "vector(n)"}  # fmt: skip


@pytest.mark.parametrize(("formula", "name", "order", "text"), VECTORS)
def test_products_of_vectors_in_one_of_them(formula: str, name: str, order: int, text: str) -> None:
    """kron(x, y) = kron(eye, y)*x = kron(x, eye)*y."""
    names = set(re.findall(r"\b[a-zA-Z]\b", formula))
    d = matgrad.derive(formula, name, order=order, where={n: KINDS_OF[n] for n in names})
    assert d.text == text
    assert d.verify().passed
    assert matgrad.parse_latex(d.latex, context=d).node is matgrad.parse(text, context=d).node


@pytest.mark.parametrize(
    ("formula", "where", "wrt", "text"),
    [
        ("inv(Y)*A*inv(Y)", "Y: matrix(n,n); A: matrix(n,n)", "Y",
         '-einsum("ik,lj->ijkl", inv(Y), inv(Y)*A*inv(Y)) - einsum("lj,ik->ijkl", inv(Y), inv(Y)*A*inv(Y))'),
        ("tr(Y)*inv(Y)", "Y: matrix(n,n)", "Y",
         'einsum("ij,kl->ijkl", inv(Y), eye) - tr(Y)*einsum("ik,lj->ijkl", inv(Y), inv(Y))'),
        ("Y*A*Y*b", "A: matrix(n,n); Y: matrix(n,n)", "Y",
         'einsum("k,ij->ijk", A*Y*b, eye) + einsum("ij,k->ijk", Y*A, b)'),
        ("x*y'*A*x*y'/c", "A: matrix(n,n); x: vector(n); y: vector(n)", "x",
         '(y\'*A*x)*einsum("j,ik->ijk", y, eye)/c + einsum("i,j,k->ijk", x, y, A\'*y)/c'),
    ],
)  # fmt: skip
def test_index_notation_multiplies_out_what_is_one_matrix(formula: str, where: str, wrt: str, text: str) -> None:
    derivative = matgrad.derive(formula, wrt, where=where)
    assert derivative.text == text
    assert derivative.verify(points=2).passed is True
