"""Generated code: it agrees with the reference evaluator, reads well, and executes nothing but formulas."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import tensor_evaluator
from formula_properties import Trial
from helpers import DECLARED, FORMULAS, SIZES, arrays, typed
from random_formulas import DECLARED as KINDS
from random_formulas import SIZES as RANDOM_SIZES
from random_formulas import drawn, random_formula, variables_of

import matgrad
from matgrad.answer.compiled import Compiled
from matgrad.codegen.python_text import python_names
from matgrad.errors import DataError, MatgradError, NotSupported
from matgrad.formula.reference import evaluate
from matgrad.formula.syntax import walk

V = arrays()
DECLARATIONS = dict(entry.strip().split(": ") for entry in DECLARED.replace("\n", " ").split(";"))


def parsed(text: str) -> matgrad.Formula:
    used = {node.value for node in walk(typed(text, DECLARED)) if node.op == "name"}
    return matgrad.parse(text, where={name: DECLARATIONS[name] for name in DECLARATIONS if name in used})


def given(formula: matgrad.Formula, **more: Any) -> dict[str, Any]:
    known = {**SIZES, **V, **more}
    return {name: known[name] for name in (*formula.variables, *formula.sizes_needed()) if name in known}


@pytest.mark.parametrize("formula", FORMULAS)
def test_it_agrees_with_the_reference(formula: str) -> None:
    expected = evaluate(typed(formula, DECLARED), V, SIZES)
    f = parsed(formula)
    got = matgrad.compile(f)(**given(f))
    assert np.shape(got) == np.shape(expected)
    assert got == pytest.approx(expected, rel=1e-11, abs=1e-13)


@pytest.mark.parametrize(
    ("formula", "body"),
    [
        ("2*A'*(A*x - b)", "return 2 * ((A @ x - b) @ A)"),
        ("diag(x)*y", "return x * y"),
        ("inv(X)*x", "return np.linalg.solve(X, x)"),
        ("x'*inv(X)", "return np.linalg.solve(X.T, x)"),
        ("A*X*x", "return A @ (X @ x)"),
        ("x'*X*Y", "return x @ X @ Y"),
        ("A*x*y'*A'", 'return np.einsum("i,j->ij", A @ x, A @ y)'),
        ("tr(A'*B)", "return np.vdot(A, B)"),
        ("tr(x*y')", "return x @ y"),
        ("a - (-c)", "return a + c"),
        ("logdet(X)", "return np.linalg.slogdet(X)[1]"),
        ("sum(X, dim=1)", "return np.sum(X, axis=0)"),
        ("X'*diag(x)*Y", 'return np.einsum("ij,i->ij", X, x).T @ Y'),
        ("[A; B]*x", "t1[:m] = A @ x\n    t1[m:] += B @ x\n    return t1"),
        ("x[2]*x[1:2]", "return x[1] * x[:2]"),
    ],
)
def test_it_reads_well(formula: str, body: str) -> None:
    assert matgrad.compile(parsed(formula)).source.rstrip().endswith(body)


def test_equal_parts_are_computed_once() -> None:
    text = matgrad.compile(parsed("sigmoid(X*x).*(1 - sigmoid(X*x)).*log(sigmoid(X*x))")).source
    assert text.count("sigmoid(t1)") == text.count("X @ x") == 1


def test_value_gradient_and_hessian_share_their_work() -> None:
    f = matgrad.parse("sum(log(1 + exp(-y.*(X*w)))) + c/2*w'*w", where="y: vector(n); w: vector(p); c: positive")
    both = matgrad.compile([f, matgrad.gradient(f, "w"), matgrad.hessian(f, "w")])
    assert both.source.count("X @ w") == 1
    assert ".T @ " in both.source
    assert "np.sqrt" in both.source, "the weights are nonnegative: a symmetric product"
    rng = np.random.default_rng(0)
    at = {"X": rng.normal(size=(7, 3)), "y": np.sign(rng.normal(size=7)), "w": rng.normal(size=3), "c": 0.3}
    value, gradient, hessian = both(**at)
    assert value == pytest.approx(f(**at))
    assert gradient == pytest.approx(matgrad.gradient(f, "w")(**at))
    assert hessian == pytest.approx(matgrad.hessian(f, "w")(**at))


def test_a_mapping_gives_a_dict_and_an_action_takes_a_direction() -> None:
    f = matgrad.parse("sum(exp(A*x))")
    h = matgrad.hessian(f, "x")
    found = matgrad.compile({"value": f, "hv": h.matvec})
    rng = np.random.default_rng(0)
    at = {"A": rng.normal(size=(4, 3)), "x": rng.normal(size=3)}
    direction = rng.normal(size=3)
    got = found(**at, dx=direction)
    assert set(got) == {"value", "hv"}
    assert got["hv"] == pytest.approx(h(**at) @ direction)


def test_definitions_keep_their_names() -> None:
    f = matgrad.parse("r = A*x - b; r'*r")
    text = matgrad.compile([f, matgrad.gradient(f, "x")]).source
    assert "    r = A @ x - b\n    return r @ r, 2 * (r @ A)\n" in text


def test_names_that_python_keeps_for_itself() -> None:
    f = matgrad.parse("lambda*np + t1*f", where="lambda: scalar; np: scalar; t1: scalar; f: scalar")
    found = matgrad.compile(f)
    assert "# lambda_ stands for lambda" in found.source
    assert found(**{"lambda": 2.0, "np": 3.0, "t1": 4.0, "f": 5.0}) == 26.0
    assert python_names(["lambda", "lambda_"]) == {"lambda": "lambda__", "lambda_": "lambda_"}


def test_unspecified_functions() -> None:
    f = matgrad.parse("sum(g(x))", where="g: function; x: vector(n)")
    found = matgrad.compile([f, matgrad.gradient(f, "x")])
    value, gradient = found(x=np.zeros(2), g=(np.sin, np.cos))
    assert value == 0
    assert gradient == pytest.approx([1, 1])


def test_sizes_come_from_shapes_or_are_given() -> None:
    assert "    n = x.shape[0]\n" in matgrad.compile(parsed("mean(x)")).source
    found = matgrad.compile(matgrad.parse("c*ones(m, n)", where="c: scalar"))
    assert np.array_equal(found(c=2.0, m=2, n=3), np.full((2, 3), 2.0))
    with pytest.raises(DataError, match="the size m is not known"):
        found(c=2.0, n=3)


def test_long_sums_and_deep_calls_compile() -> None:
    long = matgrad.parse(" + ".join(f"sin(c + {k})" for k in range(1000)), where="c: scalar")
    assert matgrad.compile(long)(c=1.0) == pytest.approx(long(c=1.0))
    layers = "; ".join(f"h{k + 1} = tanh(h{k} + c)" for k in range(300))
    deep = matgrad.parse(f"{layers}; h300", where="h0: scalar; c: scalar")
    assert matgrad.compile(deep)(h0=0.5, c=0.1) == pytest.approx(deep(h0=0.5, c=0.1))


def test_only_names_reach_the_source() -> None:
    with pytest.raises(ValueError, match="not a name"):
        python_names(["__import__('os')"])


# -- arrays that users have


def _loss() -> tuple[matgrad.Formula, Compiled, dict[str, Any]]:
    f = matgrad.parse("norm2(A*x - b)^2 + c*sum(x)", where="c: scalar")
    rng = np.random.default_rng(3)
    at = {"A": rng.normal(size=(4, 3)), "x": rng.normal(size=3), "b": rng.normal(size=4), "c": 0.5}
    return f, matgrad.compile([f, matgrad.gradient(f, "x")]), at


def test_arrays_of_any_layout_and_type() -> None:
    f, both, at = _loss()
    truth = both(**at)[1]
    assert both(**{**at, "A": np.asfortranarray(at["A"])})[1] == pytest.approx(truth)
    wide = np.zeros((8, 6))
    wide[::2, ::2] = at["A"]
    frozen = wide[::2, ::2]
    frozen.flags.writeable = False
    assert both(**{**at, "A": frozen})[1] == pytest.approx(truth)
    assert both(**{**at, "A": at["A"].tolist(), "c": np.float64(0.5)})[1] == pytest.approx(truth)
    whole = {"A": np.arange(12).reshape(4, 3), "x": np.array([1, 2, 3]), "b": np.zeros(4, bool), "c": 2}
    assert both(**whole)[0] == pytest.approx(f(**whole))
    single = {name: np.float32(value) for name, value in at.items()}
    value, gradient = both(**single)
    assert gradient.dtype == value.dtype == np.float32
    assert gradient == pytest.approx(truth, rel=1e-5)


@pytest.mark.parametrize("m, n", [(0, 3), (4, 0), (1, 1), (1, 3), (4, 1), (0, 0)])  # noqa: PT006
def test_dimensions_of_0_and_1(m: int, n: int) -> None:
    _, both, _ = _loss()
    rng = np.random.default_rng(1)
    at = {"A": rng.normal(size=(m, n)), "x": rng.normal(size=n), "b": rng.normal(size=m), "c": 0.5}
    value, gradient = both(**at)
    residual = at["A"] @ at["x"] - at["b"]
    assert value == pytest.approx(residual @ residual + 0.5 * np.sum(at["x"]))
    assert gradient == pytest.approx(2 * at["A"].T @ residual + 0.5)


def test_numbers_of_python_overflow_as_arrays_do() -> None:
    f = matgrad.parse("x^2 + log(p/(1 - p)) + 1/q", where="x: scalar; p: scalar; q: scalar")
    assert matgrad.compile(f)(x=1e200, p=0.5, q=1.0) == np.inf
    assert matgrad.compile(f)(x=1.0, p=1e-200, q=0.0) == np.inf


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("sqrt(x)", {"x": -1.0}),
        ("x^1.5", {"x": -1.0}),
        ("x^n", {"x": -2.0, "n": 0.5}),
        ("sqrt(1 - x^2)", {"x": 2.0}),
        ("arcsin(x)", {"x": 2.0}),
        ("abs(x^(1/3)) + x", {"x": -8.0}),
    ],
)
def test_outside_of_the_domain_numbers_of_python_give_nan(text: str, at: dict[str, float]) -> None:
    """(-1.0)**0.5 is a complex number, and abs of one looks as if it were right."""
    f = matgrad.parse(text, where=dict.fromkeys(at, "scalar"))
    items = [f, matgrad.derive(f, "x"), matgrad.derive(f, "x", order=2)]
    found = matgrad.compile(items)
    for _ in range(2):
        assert np.all(np.isnan(found(**at)))
        assert all(type(value) is float for value in found(**at))
        inside = dict.fromkeys(at, 0.25)
        assert found(**inside) == pytest.approx([item(**inside) for item in items])


@pytest.mark.parametrize("text", ["-y'*log(softmax(x))", "sum(log(softmax(A, dim=2)).*B)", "logsumexp(x) + norm2(y)"])
def test_single_precision_stays_single(text: str) -> None:
    f = matgrad.parse(text, where={n: d for n, d in {"A": "matrix(m,n)", "B": "matrix(m,n)"}.items() if n in text})
    at = {n: np.float32([[1, 2, 3], [0, 1, 1]]) if n.isupper() else np.float32([1, 2, 2]) for n in f.variables}
    for found in matgrad.compile([f, matgrad.derive(f, min(f.variables))])(**at):
        assert found.dtype == np.float32


@pytest.mark.parametrize("text", ["log(1 - exp(a))", "log(cosh(a))", "sin(a)/a", "relu(a)", "a", "log(1 + a^2)"])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_scalars_are_floats(text: str, order: int) -> None:
    f = matgrad.parse(text, where="a: scalar")
    found = matgrad.compile(matgrad.derive(f, "a", order=order) if order else f)
    assert type(found(a=-0.7)) is float
    assert np.asarray(found(a=np.float32(-0.7))).shape == ()


def test_no_product_has_more_axes_than_it_needs() -> None:
    """P∘D with an axis between them was formed, of n³ entries: the order of products passed Hadamard products over."""
    kernel = "K = exp(a)*exp(-exp(l)*D) + exp(s)*eye; y'*inv(K)*y + logdet(K)"
    f = matgrad.parse(kernel, where="D: symmetric(n); a: scalar; l: scalar; s: scalar")
    text = matgrad.compile(matgrad.hessian(f, ["a", "l", "s"])).source
    assert not re.search(r"->[a-z]{3}", text)
    assert len(re.findall(r"= t\d+\.inverse\(\)", text)) == 1
    assert len(re.findall(r"= t\d+ @ t\d+$", text, re.MULTILINE)) <= 5  # K⁻¹E, K⁻¹(E∘D), and products with vectors


def test_a_product_with_a_matrix_on_both_sides_is_made_once() -> None:
    """The action of the Hessian of a network multiplied by X' twice, and formed V'V, which nothing else needs."""
    where = "V: matrix(m,h); W: matrix(h,i); X: matrix(i,k); Y: matrix(m,k)"
    action = matgrad.hessian("norm2(V*tanh(W*X) - Y)^2", "W", where=where).matvec
    rng = np.random.default_rng(0)
    sizes = {"V": (2, 5), "W": (5, 4), "X": (4, 30), "Y": (2, 30), "dW": (5, 4)}
    at = {name: rng.standard_normal(shape) for name, shape in sizes.items()}
    found = matgrad.compile(action)
    gradient = matgrad.gradient("norm2(V*tanh(W*X) - Y)^2", "W", where=where)
    there, back = ({n: v for n, v in at.items() if n != "dW"} | {"W": at["W"] + h * at["dW"]} for h in (1e-6, -1e-6))
    assert np.allclose(found(**at), (gradient(**there) - gradient(**back)) / 2e-6, rtol=1e-6)
    assert found.source.count("X.T") == 1
    assert "V.T @ V" not in found.source


def test_mixed_blocks_are_computed_once() -> None:
    blocks = matgrad.hessian("norm2(U*V' - Y)^2", ["U", "V"])
    rng = np.random.default_rng(0)
    at = {"U": rng.standard_normal((4, 2)), "V": rng.standard_normal((3, 2)), "Y": rng.standard_normal((4, 3))}
    found = matgrad.compile(blocks)(**at)
    assert np.allclose(found["V", "U"], found["U", "V"].transpose(2, 3, 0, 1))
    direct = matgrad.derive("norm2(U*V' - Y)^2", "V").derive("U")
    assert np.allclose(found["V", "U"], direct(**at))
    assert not np.shares_memory(found["V", "U"], found["U", "V"])


def test_sums_of_outer_products_are_one_product() -> None:
    hessian = matgrad.hessian("tr(inv(X)*A)", "X", where="X: matrix(n,n); A: matrix(n,n)")
    rng = np.random.default_rng(0)
    at = {"X": rng.standard_normal((3, 3)), "A": rng.standard_normal((3, 3))}
    found = matgrad.compile(hessian)
    P = np.linalg.inv(at["X"])
    Q = P @ at["A"] @ P
    wanted = np.einsum("li,jk->ijkl", P, Q) + np.einsum("jk,li->ijkl", P, Q)
    assert np.allclose(found(**at), wanted)
    assert "np.stack" in found.source


def test_what_is_given_sees_its_own_context() -> None:
    """Warnings are off in generated code, but a function that is given runs in the context of its caller."""
    seen = ContextVar("seen", default=0)
    seen.set(7)
    f = matgrad.compile(matgrad.parse("g(x)", where="g: function; x: scalar"))
    assert f(x=2.0, g=lambda x: x * seen.get()) == 14
    assert f(x=2.0, g=lambda x: seen.set(8) and x) == 2
    assert seen.get() == 8


@pytest.mark.parametrize("text", ["y'*inv(K)*y + logdet(K)", "logsumexp(y)", "max(y)", "det(K)*sum(y)"])
def test_what_has_no_value_without_entries(text: str) -> None:
    f = matgrad.parse(text, where={n: d for n, d in {"K": "spd(n)", "y": "vector(n)"}.items() if n in text})
    at = {n: v for n, v in {"K": np.zeros((0, 0)), "y": np.zeros(0)}.items() if n in f.variables}
    try:
        found = matgrad.compile(f)(**at)
    except DataError as error:
        assert "without entries" in str(error)  # noqa: PT017
    else:
        assert found == 0


def test_nan_and_inf_are_passed_on() -> None:
    _, both, at = _loss()
    broken = at["b"].copy()
    broken[0] = np.nan
    assert np.isnan(both(**{**at, "b": broken})[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"A": np.ones((4, 3, 2))}, "A must have 2 axes"),
        ({"A": np.ones((4, 2))}, "A has shape|x has shape"),
        ({"b": np.ones(5)}, "b has shape"),
        ({"x": np.ones(3) * 1j}, "x must hold real numbers, and is complex"),
        ({"x": np.array(["a", "b", "c"])}, "x must hold real numbers"),
        ({"c": np.ones(2)}, "c must be a number"),
        ({"x": [[1, 2], [3]]}, "x "),
        ({"X": 1.0}, "there is no variable X"),
    ],
)
def test_arrays_that_do_not_fit(change: dict[str, Any], message: str) -> None:
    _, both, at = _loss()
    for _ in range(2):  # with and without what an earlier call has learnt
        with pytest.raises(DataError, match=message):
            both(**{**at, **change})
        both(**at)


@pytest.mark.parametrize(
    "odd", ["number", "0-d array", "bytes swapped", "float16", "integers", "list", "strided", "read-only"]
)
def test_a_later_call_takes_what_a_first_one_takes(odd: str) -> None:
    """A function that is ready for arrays of some types and shapes is run for those only."""
    f = matgrad.compile(matgrad.parse("c*sum(x.^2)", where="c: scalar; x: vector(n)"))
    x = np.array([1.0, 2.0, 4.0])
    given = {
        "number": (np.float64(3.0), x), "0-d array": (np.array(3.0), x), "bytes swapped": (3.0, x.astype(">f8")),
        "float16": (3.0, x.astype(np.float16)), "integers": (3, x.astype(int)), "list": (3.0, [1, 2, 4]),
        "strided": (3.0, np.repeat(x, 2)[::2]), "read-only": (3.0, np.frombuffer(x.tobytes())),
    }[odd]  # fmt: skip
    for _ in range(2):
        for c, value in (3.0, x), given:
            found = f(c=c, x=value)
            assert (type(found), found) == (float, 63.0)
        with pytest.raises(DataError, match="complex"):
            f(c=3.0, x=x.astype(complex))
        with pytest.raises(DataError, match="x must have 1 axis"):
            f(c=3.0, x=x[:, None])
        with pytest.raises(DataError, match="c must be a number"):
            f(c=x, x=x)
        with pytest.raises(DataError, match="no variable y"):
            f(c=3.0, y=x)


def test_a_missing_array_is_named() -> None:
    _, both, at = _loss()
    del at["b"]
    with pytest.raises(DataError, match="no value is given for b"):
        both(**at)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_what_the_code_does_not_use_need_not_be_given(backend: str) -> None:
    """The Hessian of a square is X'*X, whatever w and y are."""
    X, dw = np.random.default_rng(0).normal(size=(4, 3)), np.array([1.0, 2, 3])
    hessian = matgrad.hessian("norm2(X*w - y)^2", "w")
    action = matgrad.compile(hessian.matvec, backend)
    assert "w=None, y=None" in action.source
    for more in ({}, {"y": np.ones(4)}, {"w": dw}, {"y": np.ones(4), "w": dw}) * 2:
        assert np.allclose(action(X=X, dw=dw, **more), 2 * X.T @ X @ dw, rtol=1e-6)
        assert np.allclose(matgrad.compile(hessian, backend)(X=X, **more), 2 * X.T @ X, rtol=1e-6)
    for _ in range(2):
        with pytest.raises(DataError, match="y has shape"):
            action(X=X, dw=dw, y=np.ones(5))
        with pytest.raises(DataError, match="y must hold real numbers"):
            action(X=X, dw=dw, y=["a"] * 4)
        with pytest.raises(DataError, match=r"no value is given for dw\n"):
            action(X=X)
    size = matgrad.compile(matgrad.hessian("x'*x", "x"), backend)  # x shows the size
    with pytest.raises(DataError, match="no value is given for x"):
        size()
    assert np.allclose(size(x=dw), 2 * np.eye(3))
    structured = matgrad.compile(matgrad.gradient("x'*S*x + tr(S)", "S", where="S: spd(n)"), backend)
    assert np.allclose(structured(x=dw), np.outer(dw, dw) + np.eye(3))
    with pytest.raises(DataError, match="declared symmetric"):
        structured(x=dw, S=np.arange(9.0).reshape(3, 3))


def test_sizes_of_what_is_not_given_are_not_mixed_up() -> None:
    """Plans are kept by the sizes that are known, with their names."""
    f = matgrad.parse("A*B*x + C*y", where="A: matrix(m,k); B: matrix(k,n); x: vector(n); C: matrix(m,j); y: vector(j)")
    found = matgrad.compile(matgrad.derive(f, "x"))
    A, B = np.ones((3, 2)), np.arange(8.0).reshape(2, 4)
    for more in ({}, {"y": np.ones(4)}, {"C": np.ones((3, 5))}, {"x": np.ones(4)}, {}):
        assert np.array_equal(found(A=A, B=B, **more), A @ B)
    with pytest.raises(DataError, match="shape"):
        found(A=A, B=B, C=np.ones((2, 5)))


def test_results_are_the_callers_own() -> None:
    x = np.arange(3.0)
    same = matgrad.compile(matgrad.parse("x", where="x: vector(n)"))
    same(x=x)[0] = 7
    part = matgrad.compile(matgrad.parse("x[1:2]", where="x: vector(n)"))
    part(x=x)[0] = 7
    gradient = matgrad.compile(matgrad.gradient("sum(x)", "x"))
    gradient(x=x)[0] = 7
    assert np.array_equal(x, np.arange(3.0))


def test_weights_times_a_number_of_unknown_sign() -> None:
    """The root of c·w was taken, and is nan where c < 0."""
    f = matgrad.parse("c*sum(log(1 + exp(X*w)))", where="X: matrix(m,n); w: vector(n); c: scalar")
    rng = np.random.default_rng(0)
    at = {"X": rng.normal(size=(5, 3)), "w": rng.normal(size=3), "c": -2.0}
    p = 1 / (1 + np.exp(-at["X"] @ at["w"]))
    found = matgrad.compile(matgrad.hessian(f, "w"))(**at)
    assert found == pytest.approx(-2 * at["X"].T @ np.diag(p * (1 - p)) @ at["X"])


def test_arguments_are_never_changed() -> None:
    """NumPy's power with the exponent 1, and a function that is given, may give their argument itself."""
    x = np.arange(4.0).reshape(2, 2)
    power = matgrad.parse("X^k + eye", where="X: matrix(n,n); k: scalar")
    assert np.array_equal(matgrad.compile(power)(X=x, k=1.0), x + np.eye(2))
    alone = matgrad.compile(matgrad.parse("X^k", where="X: matrix(n,n); k: scalar"))(X=x, k=1.0)
    alone[0] = 9
    given = matgrad.compile(matgrad.parse("g(y)", where="g: function; y: vector(n)"))
    y = np.ones(2)
    given(y=y, g=(lambda v: v,))[0] = 9
    assert np.array_equal(x, np.arange(4.0).reshape(2, 2))
    assert np.array_equal(y, np.ones(2))


def test_results_are_not_parts_of_each_other() -> None:
    f = matgrad.parse("sum(exp(x))")
    first, second = matgrad.compile([matgrad.gradient(f, "x"), matgrad.gradient(f, "x")])(x=np.zeros(2))
    first[0] = 9
    assert np.array_equal(second, np.ones(2))
    g = matgrad.parse("inv(X)")
    inverse, turned = matgrad.compile([g, matgrad.parse("inv(X)'")])(X=np.array([[2.0, 1.0], [0.0, 4.0]]))
    inverse[0, 1] = 9
    assert turned[1, 0] == -0.125


@pytest.mark.parametrize("name", ["lu", "cholesky", "sigmoid", "product", "lapack", "softmax", "logsumexp", "warnings"])
def test_variables_named_as_what_the_code_calls(name: str) -> None:
    text = "x'*inv(#)*x + logdet(#) + det(#) + sum(sigmoid(x)) + norm2(x) + logsumexp(x)"
    at = {"X": np.array([[2.0, 1.0], [0.5, 4.0]]), "x": np.ones(2)}
    expected = matgrad.compile(matgrad.parse(text.replace("#", "X"), where="X: matrix(n,n); x: vector(n)"))(**at)
    f = matgrad.parse(text.replace("#", name), where=f"{name}: matrix(n,n); x: vector(n)")
    assert matgrad.compile(f)(**{name: at["X"], "x": at["x"]}) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum(diag(tril(X)))", np.trace),
        ("tril(ones(n,n)) + X", lambda x: np.tril(np.ones(x.shape)) + x),
        ("diag(triu(X))", np.diagonal),
        ("exp(triu(ones(n,n))).*X", lambda x: np.exp(np.triu(np.ones(x.shape))) * x),
    ],
)
def test_triangles_as_arrays(text: str, expected: Callable[[Any], Any]) -> None:
    x = np.random.default_rng(0).normal(size=(3, 3))
    assert matgrad.compile(matgrad.parse(text, where="X: matrix(n,n)"))(X=x) == pytest.approx(expected(x))


def test_arrays_of_mixed_precision_give_the_larger_one() -> None:
    """Parts of an array were rounded to float32, since its type was that of the first argument."""
    stack = matgrad.compile(matgrad.parse("[A*x; b]", where="A: matrix(m,n); x: vector(n); b: vector(k)"))
    at = {"A": np.ones((2, 3), np.float32), "x": np.ones(3) / 3, "b": np.ones(2) / 3}
    for _ in range(2):
        found = stack(**at)
        assert found.dtype == np.float64
        assert np.array_equal(found[2:], at["b"])


def test_masked_arrays_are_refused() -> None:
    value = matgrad.compile(matgrad.parse("sum(x)", where="x: vector(n)"))
    with pytest.raises(DataError, match="x has masked entries"):
        value(x=np.ma.masked_array([1.0, 2.0], [False, True]))


def test_numbers_of_any_kind() -> None:
    value = matgrad.compile(matgrad.parse("c*sum(x)", where="c: scalar; x: vector(n)"))
    one = np.array([0.5, 1.5])
    for number in (2**70, Fraction(1, 3), Decimal("0.25"), np.float16(0.5), np.longdouble(3), True, np.uint64(2**63)):
        assert value(c=number, x=one) == 2 * float(number)
    for array in (one.astype(">f8"), one.astype("f2"), one.astype(object), [Fraction(1, 2), 1.5], one.astype("g")):
        assert value(c=1.0, x=array) == 2
        assert type(value(c=1.0, x=array)) is float
    with pytest.raises(DataError, match=r"c holds a number beyond 1.8e308"):
        value(c=10**400, x=one)
    with pytest.raises(DataError, match=r"c must hold real numbers.*None"):
        value(c=None, x=one)
    with pytest.raises(DataError, match=r"x must hold real numbers.*'b', of the type str"):
        value(c=1.0, x=np.array([1.0, "b"], dtype=object))
    with pytest.raises(DataError, match=r"x is sparse(.|\n)*x\.toarray\(\)"):
        value(c=1.0, x=scipy.sparse.coo_array(one))


def test_what_is_nan_has_no_structure() -> None:
    value = matgrad.compile(matgrad.parse("logdet(S)", where="S: spd(n)"))
    with pytest.raises(DataError, match="S holds nan, and is declared symmetric positive definite"):
        value(S=np.array([[1, np.nan], [np.nan, 1]]))


def test_a_factorisation_without_entries_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """LAPACK printed "DPOTRI parameter number 4 had an illegal value"."""
    for declared in ("spd", "symmetric", "matrix"):
        size = "n,n" if declared == "matrix" else "n"
        f = matgrad.parse("y'*inv(K)*y + logdet(K)", where=f"K: {declared}({size}); y: vector(n)")
        for wrt in ("K", "y"):
            with pytest.raises(DataError, match="without entries"):
                matgrad.compile([f, matgrad.gradient(f, wrt)])(K=np.zeros((0, 0)), y=np.zeros(0))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch"])
def test_an_extreme_of_no_entries_has_no_value(backend: Any) -> None:
    if backend != "numpy":
        pytest.importorskip(backend)
    smallest = matgrad.compile(matgrad.parse("min(x)", where="x: vector(n)"), backend=backend)
    with pytest.raises(DataError, match="x without entries: this has no value"):
        smallest(x=np.zeros(0))


def test_declared_structure_is_checked() -> None:
    h = matgrad.compile(matgrad.gradient("x'*S*x", "x", where="S: symmetric(n)"))
    for _ in range(2):
        with pytest.raises(DataError, match="declared symmetric"):
            h(S=np.array([[1.0, 2], [3, 4]]), x=np.ones(2))
        h(S=np.eye(2), x=np.ones(2))


# -- square matrices


def test_a_matrix_that_is_not_definite_goes_through_lu_and_says_so() -> None:
    f = matgrad.parse("y'*inv(K)*y + logdet(K)", where="K: spd(n)")
    both = matgrad.compile([f, matgrad.gradient(f, "y")])
    assert "cholesky(K)" in both.source
    rng = np.random.default_rng(0)
    a = rng.normal(size=(3, 3))
    at = {"K": a @ a.T + np.eye(3), "y": rng.normal(size=3)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert both(**at)[0] == pytest.approx(
            at["y"] @ np.linalg.solve(at["K"], at["y"]) + np.linalg.slogdet(at["K"])[1]
        )
    indefinite = {**at, "K": np.diag([1.0, -2.0, 3.0])}
    with pytest.warns(UserWarning, match="LU in place of Cholesky"):
        value, gradient = both(**indefinite)
    assert value == pytest.approx(at["y"] @ (at["y"] / [1, -2, 3]) + np.log(6))
    assert gradient == pytest.approx(2 * at["y"] / [1, -2, 3])


def test_a_singular_matrix() -> None:
    f = matgrad.parse("x'*inv(X)*x + logdet(X)")
    both = matgrad.compile([f, matgrad.gradient(f, "X")])
    for _ in range(2):
        with pytest.raises(DataError, match="singular"):
            both(X=np.ones((2, 2)), x=np.ones(2))


@pytest.mark.parametrize("kind", ["matrix", "symmetric", "spd", "lower", "upper", "diagonal"])
def test_one_factorisation_serves_all(kind: str) -> None:
    f = matgrad.parse(
        "x'*inv(X)*y + logdet(X) + det(X)", where=f"X: {kind}(n,n)" if kind == "matrix" else f"X: {kind}(n)"
    )
    rng = np.random.default_rng(5)
    a = rng.normal(size=(4, 4))
    full = {"symmetric": a + a.T, "spd": a @ a.T + np.eye(4), "lower": np.tril(a), "upper": np.triu(a),
            "diagonal": np.diag(np.diag(a))}.get(kind, a)  # fmt: skip
    at = {"X": full, "x": rng.normal(size=4), "y": rng.normal(size=4)}
    items = [f, matgrad.gradient(f, "x"), matgrad.gradient(f, "y")]
    found = matgrad.compile(items)
    assert len(re.findall(r"lu\(X\)|cholesky\(X\)|lower\(X\)|upper\(X\)", found.source)) <= 1
    value, gx, gy = found(**at)
    assert value == pytest.approx(
        at["x"] @ np.linalg.solve(full, at["y"]) + np.linalg.slogdet(full)[1] + np.linalg.det(full)
    )
    assert gx == pytest.approx(np.linalg.solve(full, at["y"]))
    assert gy == pytest.approx(np.linalg.solve(full.T, at["x"]))


# -- what can be compiled


def test_items_that_disagree() -> None:
    with pytest.raises(MatgradError, match="A is matrix"):
        matgrad.compile([matgrad.parse("A*x"), matgrad.parse("x'*A*x")])
    with pytest.raises(MatgradError, match="cannot be compiled"):
        matgrad.compile("x'*x")  # type: ignore[arg-type]
    with pytest.raises(MatgradError, match="nothing to compile"):
        matgrad.compile([])
    with pytest.raises(NotSupported, match="no backend"):
        matgrad.compile(matgrad.parse("x'*x"), backend="fortran")


def test_pickling() -> None:
    _, both, at = _loss()
    again = pickle.loads(pickle.dumps(both))
    assert again(**at)[1] == pytest.approx(both(**at)[1])


def test_products_are_ordered_by_the_sizes_of_the_arrays() -> None:
    found = matgrad.compile(matgrad.parse("A*B*C", where="A: matrix(k,l); B: matrix(l,m); C: matrix(m,n)"))
    a, b, c = np.ones((2, 50)), np.ones((50, 3)), np.ones((3, 60))
    found(A=a, B=b, C=c)
    assert "A @ B @ C" in found.source
    found(A=c.T, B=b.T, C=a.T)
    assert "A @ (B @ C)" in found.source


# -- random formulas: values, derivatives and actions against the graph


@pytest.mark.parametrize("chunk", range(10))
def test_random_formulas(chunk: int) -> None:
    compared = 0
    for seed in range(chunk * 30, chunk * 30 + 30):
        compared += _compare(seed)
    assert compared > 30


def _compare(seed: int) -> int:
    part = random_formula(seed)
    trial = Trial(part.text, seed)
    items: list[tuple[Any, Any]] = [(trial.formula, trial.formula.node)]
    asked = {*trial.formula.variables, *trial.formula.typed.functions, *trial.formula.sizes_needed()}
    known = {name: value for name, value in trial.arrays.items() if name in asked}
    rng = np.random.default_rng(seed)
    try:
        for name in [n for n in variables_of(part.text) if n in trial.formula.variables][:2]:
            d = matgrad.derive(trial.formula, name)
            items += [(d, d.node), (d.matvec, d.matvec.node)]
            known[d.matvec.direction] = drawn(KINDS[name].replace("orthogonal", "matrix"), rng)
            if len(part.text) < 45:
                h = d.derive(name)
                items.append((h, h.node))
    except NotSupported:
        return 0
    values = matgrad.compile([item for item, _ in items])(**known)
    for (item, node), got in zip(items, values, strict=True):
        with np.errstate(all="ignore"):
            expected = tensor_evaluator.evaluate(node, {**trial.arrays, **known}, RANDOM_SIZES)
        if np.all(np.isfinite(expected)):
            scale = max(1e-3, float(np.max(np.abs(expected), initial=0)))
            assert np.shape(got) == expected.shape, (seed, part.text, item)
            assert np.max(np.abs(got - expected), initial=0) / scale < 1e-7, (seed, part.text, item)
    return len(items)


@pytest.mark.parametrize("trait", ["symmetric", "spd", "psd", "diagonal", "lower", "orthogonal"])
@pytest.mark.parametrize("shape", [(2, 3), (3, 2)])
def test_a_matrix_that_is_not_square_is_told(trait: str, shape: tuple[int, int]) -> None:
    value = matgrad.compile(matgrad.parse("norm2(S*b)^2", where=f"S: {trait}(n)"))
    with pytest.raises(DataError, match="S has shape"):
        value(S=np.ones(shape), b=np.ones(shape[1]))


def test_what_is_made_of_symmetric_intermediates_is_symmetric() -> None:
    """The signal of S is not computed a second time for its transpose."""
    derivative = matgrad.gradient("S = B + R; logdet(S) + y'*inv(S)*y", "R", where="R: spd(k); B: spd(k)")
    source = derivative.code()
    assert (source.count("cholesky(S)"), source.count(".inverse()"), source.count('np.einsum("i,j->ij"')) == (1, 1, 1)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_the_logarithm_of_a_negative_determinant_is_no_number(backend: Any) -> None:
    """The normal form has log(abs(det(X))) for it, as for logdet(X)."""
    if backend == "jax":
        pytest.importorskip("jax")
    swapped = np.array([[0.0, 2.0], [3.0, 0.0]])
    typed, log_abs = (
        matgrad.compile(matgrad.parse(text, where="X: matrix(n, n)"), backend=backend)
        for text in ("log(det(2*X + 1)) + tr(X)", "logdet(2*X + 1) + tr(X)")
    )
    assert float(log_abs(X=swapped)) == pytest.approx(np.log(34))
    assert np.isnan(float(typed(X=swapped)))
    assert float(typed(X=swapped[::-1])) == pytest.approx(np.log(34) + 5)
    outside = matgrad.objective("normF(X)^2 - log(det(X))", "X", {}, start={"X": np.eye(2)})
    assert outside.fun(swapped.ravel()) == np.inf
