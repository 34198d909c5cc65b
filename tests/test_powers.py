"""Powers X^k with a symbolic k: derivatives against JAX for k = 2, 3, 4 and -1, on matrices that are not symmetric."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import matgrad
from matgrad.checking.sampling import Subject
from matgrad.deciding.equality import equal
from matgrad.errors import DataError, MatgradError, NotSupported
from matgrad.formula.infer import read

jax = pytest.importorskip("jax")
jnp = jax.numpy
jax.config.update("jax_enable_x64", True)

WHERE = {
    "X": "matrix(n,n)", "B": "matrix(n,n)", "A": "matrix(n,m)", "Z": "matrix(m,n)", "x": "vector(n)", "y": "vector(n)",
    "d": "vector(n)", "c": "scalar", "k": "scalar",
}  # fmt: skip
SIZES = {"n": 3, "m": 4}


def power(X: Any, k: int) -> Any:
    return jnp.linalg.matrix_power(jnp.linalg.inv(X) if k < 0 else X, abs(k))


Case = tuple[str, str, Callable[..., Any], str]
GRADIENTS: list[Case] = [
    ("tr(X^k)", "X", lambda X, k: jnp.trace(power(X, k)), "k*(X^(k - 1))'"),
    ("tr(X^(k - 1))", "X", lambda X, k: jnp.trace(power(X, k - 1)), "(k - 1)*(X^(k - 2))'"),
    ("tr(X^(2*k))", "X", lambda X, k: jnp.trace(power(X, 2 * k)), "2*k*(X^(2*k - 1))'"),
    ("tr(X^-k)", "X", lambda X, k: jnp.trace(power(X, -k)), "-k*(X^(-k - 1))'"),
    ("tr(X*X^k)", "X", lambda X, k: jnp.trace(power(X, k + 1)), "(k + 1)*(X^k)'"),
    ("tr(X^k*inv(X)^2)", "X", lambda X, k: jnp.trace(power(X, k - 2)), "(k - 2)*(X^(k - 3))'"),
    ("tr((X')^k*X')", "X", lambda X, k: jnp.trace(power(X, k + 1)), "(k + 1)*(X^k)'"),
    ("tr((X + eye)*X^k)", "X", lambda X, k: jnp.trace((X + jnp.eye(3)) @ power(X, k)),
     "(X^k + k*(X + eye)*X^(k - 1))'"),
    ("log(tr(X^k)^2 + 1)", "X", lambda X, k: jnp.log(jnp.trace(power(X, k)) ** 2 + 1),
     "2*k*tr(X^k)*(X^(k - 1))'/(tr(X^k)^2 + 1)"),
    ("tr((A*Z)^k)", "Z", lambda A, Z, k: jnp.trace(power(A @ Z, k)), "k*A'*((A*Z)^(k - 1))'"),
    ("tr((A*Z)^k)", "A", lambda A, Z, k: jnp.trace(power(A @ Z, k)), "k*((A*Z)^(k - 1))'*Z'"),
    ("tr((A*A')^k)", "A", lambda A, k: jnp.trace(power(A @ A.T, k)), "2*k*(A*A')^(k - 1)*A"),
    ("tr((X - B)^k)", "B", lambda X, B, k: jnp.trace(power(X - B, k)), "-k*((X - B)^(k - 1))'"),
    ("tr((c*X)^k)", "c", lambda c, X, k: jnp.trace(power(c * X, k)), "k*c^(k - 1)*tr(X^k)"),
    ("x'*(c*X)^k*y", "c", lambda c, X, k, x, y: x @ power(c * X, k) @ y, "k*(x'*X^k*y)*c^(k - 1)"),
    ("tr(diag(d)^k*B)", "d", lambda d, B, k: jnp.trace(power(jnp.diag(d), k) @ B), "k*d.^(k - 1).*diag(B)"),
    ("tr((exp(X).*B)^k)", "X", lambda X, B, k: jnp.trace(power(jnp.exp(X) * B, k)),
     "k*exp(X).*((exp(X).*B)^(k - 1))'.*B"),
    ("det(X^k)", "X", lambda X, k: jnp.linalg.det(power(X, k)), "k*det(X)^(k - 1)*adj(X)'"),
    ("logdet(X^k)", "X", lambda X, k: jnp.log(jnp.abs(jnp.linalg.det(power(X, k)))), "k*inv(X)'"),
    ("x'*X^k*y", "x", lambda x, X, y, k: x @ power(X, k) @ y, "X^k*y"),
    ("x'*X^k*y", "y", lambda x, X, y, k: x @ power(X, k) @ y, "(X^k)'*x"),
    ("norm2(X^k*x)^2", "x", lambda x, X, k: jnp.sum((power(X, k) @ x) ** 2), "2*(X^k)'*X^k*x"),
    ("tr(B*X^k)", "B", lambda B, X, k: jnp.trace(B @ power(X, k)), "(X^k)'"),
]  # fmt: skip
HESSIANS: list[Case] = [
    ("x'*X^k*x", "x", lambda x, X, k: x @ power(X, k) @ x, "X^k + (X^k)'"),
    ("norm2(X^k*x)^2", "x", lambda x, X, k: jnp.sum((power(X, k) @ x) ** 2), "2*(X^k)'*X^k"),
    ("exp(x'*X^(k - 1)*y)", "x", lambda x, X, y, k: jnp.exp(x @ power(X, k - 1) @ y),
     "exp(x'*X^(k - 1)*y)*X^(k - 1)*y*y'*(X^(k - 1))'"),
]  # fmt: skip
EXPONENTS = (2, 3, 4, -1)


def named(value: object) -> str:
    return value if isinstance(value, str) else ""


def arrays_for(function: Callable[..., Any], k: int) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    drawn = {}
    for name, kind in WHERE.items():
        sizes = kind[kind.index("(") + 1 : -1].split(",") if "(" in kind else []
        drawn[name] = rng.uniform(0.4, 1.2, [SIZES[s] for s in sizes]) + (np.eye(3) if name in ("X", "B") else 0)
    drawn["k"] = k
    return {name: drawn[name] for name in inspect.signature(function).parameters}


def where_for(function: Callable[..., Any]) -> str:
    return "; ".join(f"{name}: {WHERE[name]}" for name in inspect.signature(function).parameters)


def truth(derive: Callable[..., Any], function: Callable[..., Any], wrt: str, arrays: dict[str, Any]) -> Any:
    fixed = {name: value for name, value in arrays.items() if name != wrt}
    return np.asarray(derive(lambda v: function(**{**fixed, wrt: v}))(jnp.asarray(arrays[wrt])))


@pytest.mark.parametrize(
    ("formula", "wrt", "function", "text"), GRADIENTS, ids=[f"{c[0]} in {c[1]}" for c in GRADIENTS]
)
def test_gradient(formula: str, wrt: str, function: Callable[..., Any], text: str) -> None:
    found = matgrad.derive(formula, wrt, where=where_for(function))
    assert found.text == text
    assert found.verify().passed
    for k in EXPONENTS:
        arrays = arrays_for(function, k)
        np.testing.assert_allclose(found(**arrays), truth(jax.grad, function, wrt, arrays), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("formula", "wrt", "function", "text"), HESSIANS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_hessian(formula: str, wrt: str, function: Callable[..., Any], text: str) -> None:
    found = matgrad.hessian(formula, wrt, where=where_for(function))
    assert found.text == text
    assert found.verify().passed
    for k in EXPONENTS:
        arrays = arrays_for(function, k)
        np.testing.assert_allclose(found(**arrays), truth(jax.hessian, function, wrt, arrays), rtol=1e-9, atol=1e-11)


def test_symmetric_variable() -> None:
    found = matgrad.derive("tr(S^k)", "S", where="S: symmetric(n)")
    assert found.text == "k*S^(k - 1)"
    assert found.verify().passed


@pytest.mark.parametrize("formula", ["tr(B*X^k)", "x'*X^k*y", "sum(X^k)", "X^k*x", "X^k", "norm2(X^k)^2", "diag(X^k)"])
def test_no_closed_form_in_the_base(formula: str) -> None:
    with pytest.raises(NotSupported, match="a sum of k terms"):
        matgrad.derive(formula, "X")


def test_no_closed_form_of_the_second_derivative() -> None:
    with pytest.raises(NotSupported, match="a sum of k terms"):
        matgrad.hessian("tr(X^k)", "X")


@pytest.mark.parametrize("formula", ["tr(X^k)", "logdet(X^k)", "tr(X^k*X^-k*B)", "p = 2*k; tr(X^p)", "k*tr(X^(k + 1))"])
def test_not_in_the_exponent(formula: str) -> None:
    """Not even where a law takes the power away: k is an integer."""
    with pytest.raises(NotSupported) as error:
        matgrad.derive(formula, "k")
    lines = str(error.value).splitlines()
    assert lines[0] == "a power of a matrix cannot be differentiated in its exponent, which is an integer"
    assert set(lines[2].strip()) == {"^"}


@pytest.mark.parametrize(
    ("formula", "where", "wrt", "conditions"),
    [
        ("tr(X^k)", None, "X", ("k is an integer", "k ≥ 1 or det(X) ≠ 0")),
        ("x'*X^k*x", None, "x", ("k is an integer", "k ≥ 0 or det(X) ≠ 0")),
        ("x'*X^(k - 1)*x", None, "x", ("k is an integer", "k - 1 ≥ 0 or det(X) ≠ 0")),
        ("x'*X^(2*k)*x", "k: positive", "x", ("k is an integer",)),
        ("x'*X^(k/2)*x", None, "x", ("k/2 is an integer", "k/2 ≥ 0 or det(X) ≠ 0")),
        ("tr(S^k)", "S: spd(n)", "S", ("k is an integer",)),
        ("x'*X^length(x)*x", None, "x", ()),
        ("x'*X^(y'*z)*x", None, "x", ("y'*z is an integer", "y'*z ≥ 0 or det(X) ≠ 0")),
        ("x'*X^k*x + tr(X^m)", None, "x", ("k is an integer", "k ≥ 0 or det(X) ≠ 0", "m is an integer",
                                            "m ≥ 0 or det(X) ≠ 0")),
    ],
)  # fmt: skip
def test_conditions(formula: str, where: str | None, wrt: str, conditions: tuple[str, ...]) -> None:
    assert matgrad.derive(formula, wrt, where=where).conditions == conditions


@pytest.mark.parametrize("k", [2.5, 0.5])
def test_an_exponent_that_is_no_integer(k: float) -> None:
    """Never truncated without a word: neither by the answer nor by its code."""
    found = matgrad.derive("x'*X^k*x", "x")
    arrays = {"x": np.ones(2), "X": np.array([[1.0, 2], [0, 3]]), "k": k}
    with pytest.raises(DataError, match="a matrix power needs an integer exponent"):
        found(**arrays)
    namespace: dict[str, Any] = {}
    exec(found.code("numpy"), namespace)
    with pytest.raises(ValueError, match="must be an integer"):
        namespace["gradient"](**arrays)


def test_printed() -> None:
    found = matgrad.derive("tr((A*X)^(k + 1))", "X")
    assert found.text == "(k + 1)*A'*((A*X)^k)'"
    assert found.unicode == "(k + 1) Aᵀ ((A X)ᵏ)ᵀ"
    assert found.latex == r"(k + 1) \mathbf{A}^{\top} ((\mathbf{A} \mathbf{X})^{k})^{\top}"
    assert "np.linalg.matrix_power(A @ X, whole(1 + k))" in matgrad.compile(found.formula).source


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("k*(X^(k - 1))'", "k*(X')^(k - 1)", True),
        ("X^k*X^m", "X^(m + k)", True),
        ("inv(X)*X^k", "X^(k - 1)", True),
        ("k*(X^(k - 1))'", "k*X^(k - 1)", False),
        ("X^k", "X^(k + 1)", False),
        ("(k - 2)*(k - 3)*(k - 4)*X^k", "0*X^k", False),
        ("exp(k)*X^k", "X*X^(k - 1)*exp(k)", True),
        ("exp(k)*X^k", "X^(k - 1)*exp(k)", False),
    ],
)
def test_equality_is_decided(left: str, right: str, same: bool) -> None:
    typed = read(f"({left}) + 0*({right})", "X: matrix(n,n)")
    subjects = [Subject(n, v.type, frozenset(v.traits)) for n, v in typed.variables.items()]
    sides = [read(text, context=typed).program.body for text in (left, right)]
    assert equal(*sides, subjects) is same


EXPLAINED = ("tr(X^k)", "log(tr((B*X)^k))", "tr(2*X^k + B*X)", "tr(X*X^k)", "tr((X'*X)^k)", "det(X^k)", "logdet(X^k)")


@pytest.mark.parametrize("formula", EXPLAINED)
@pytest.mark.parametrize("style", ["differential", "backward"])
def test_explained(formula: str, style: str) -> None:
    """Every line of a derivation is checked when it is made; the last line is the answer."""
    lines = str(matgrad.explain(formula, "X", style=style))
    assert "of a power" in lines
    assert style == "backward" or matgrad.derive(formula, "X").unicode in lines


def test_law_of_the_trace_is_told() -> None:
    found = matgrad.explain("tr(X^k)", "X")
    assert "differential of the trace of a power" in str(found)
    with pytest.raises(MatgradError, match="style of components has no rule"):
        matgrad.explain("tr(X^k)", "X", style="components")


def test_facts() -> None:
    found = matgrad.parse("x'*S^k*x", where="S: spd(n)").facts("x")
    assert found["convex"].holds.value == "yes"
    assert "Sᵏ is positive semidefinite" in str(found)
    with pytest.raises(NotSupported, match="k is the exponent of a matrix"):
        matgrad.parse("tr(X^k)").facts("k")
    assert {v for f in matgrad.parse("tr(X^k)").facts().findings for v in f.variables} == {"X"}


VARIABLE_EXPONENTS: list[tuple[str, str, Callable[..., Any], str, str]] = [
    ("sum(x.^y)", "x", lambda x, y: jnp.sum(x**y), "x.^(y - 1).*y", "x > 0"),
    ("sum(x.^y)", "y", lambda x, y: jnp.sum(x**y), "log(x).*x.^y", "x > 0"),
    ("sum(c.^x)", "x", lambda c, x: jnp.sum(c**x), "log(c)*c.^x", "c > 0"),
    ("sum(c.^x)", "c", lambda c, x: jnp.sum(c**x), "(c.^(x - 1))'*x", "c > 0"),
    ("c^k", "c", lambda c, k: c**k, "k*c^(k - 1)", "c > 0"),
    ("c^k", "k", lambda c, k: c**k, "log(c)*c^k", "c > 0"),
    ("c^c", "c", lambda c: c**c, "(log(c) + 1)*c^c", "c > 0"),
    ("sum(X.^B)", "X", lambda X, B: jnp.sum(X**B), "X.^(B - 1).*B", "X > 0"),
    ("sum(X.^B)", "B", lambda X, B: jnp.sum(X**B), "log(X).*X.^B", "X > 0"),
    ("sum(2.^x)", "x", lambda x: jnp.sum(2.0**x), "log(2)*2.^x", ""),
    ("(1/2)^c", "c", lambda c: 0.5**c, "log(1/2)*(1/2)^c", ""),
    ("(x'*x)^c", "x", lambda x, c: (x @ x) ** c, "2*c*(x'*x)^(c - 1)*x", "x'*x > 0"),
]


@pytest.mark.parametrize(("formula", "wrt", "function", "text", "condition"), VARIABLE_EXPONENTS, ids=named)
def test_variable_exponents(formula: str, wrt: str, function: Callable[..., Any], text: str, condition: str) -> None:
    where = where_for(function)
    arrays = arrays_for(function, 1) | ({"k": 1.7} if "k" in formula else {})
    first, second = matgrad.derive(formula, wrt, where=where), matgrad.hessian(formula, wrt, where=where)
    assert first.text == text
    assert first.conditions == ((condition,) if condition else ())
    np.testing.assert_allclose(first(**arrays), truth(jax.grad, function, wrt, arrays), rtol=1e-10)
    np.testing.assert_allclose(second(**arrays), truth(jax.hessian, function, wrt, arrays), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("formula", ["(-2)^c", "0^c", "sum((-1).^x)*c^2 + (-1/2)^(c - 1)"])
def test_powers_of_negative_numbers_have_no_derivative_in_the_exponent(formula: str) -> None:
    with pytest.raises(NotSupported, match="only a power of a positive number"):
        matgrad.derive(formula, "c")


def test_power_of_a_negative_number() -> None:
    found = matgrad.derive("(-1)^k*x'*x", "x")
    assert found.text == "2*(-1)^k*x"
    assert found.conditions == ("k is an integer",)
    assert found.verify().passed
    np.testing.assert_allclose(found(x=np.array([1.0, 2]), k=3), [-2, -4])


def test_powers_of_objects() -> None:
    X, k = matgrad.matrix("X", "n", "n"), matgrad.scalar("k")
    found = matgrad.derive(np.trace(np.linalg.matrix_power(X.T, k + 1)), X)
    assert found.text == "(k + 1)*(X^k)'"
    values = np.array([[1.0, 2], [3, 5]])
    np.testing.assert_allclose(found(X=values, k=2), 3 * np.linalg.matrix_power(values, 2).T)


def test_powers_to_sympy_and_back() -> None:
    pytest.importorskip("sympy")
    found = matgrad.derive("tr((A*X)^k)", "X")
    back = matgrad.from_sympy(found.to_sympy())
    arrays = arrays_for(lambda A, Z, k: None, 3)
    arrays["X"] = arrays.pop("Z")
    np.testing.assert_allclose(back(**arrays), found(**arrays))
