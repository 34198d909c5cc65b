"""Generated code: it agrees with the reference evaluator, reads well, and executes nothing but formulas."""

from __future__ import annotations

import math
import pickle
import re
import tracemalloc
import warnings
from typing import Any

import numpy as np
import pytest
import tensor_evaluator
from compiling import V, given, loss, parsed
from formula_properties import Trial
from helpers import DECLARED, FORMULAS, SIZES, typed
from random_formulas import DECLARED as KINDS
from random_formulas import SIZES as RANDOM_SIZES
from random_formulas import drawn, random_formula, variables_of

import matgrad
from matgrad.codegen.python_text import python_names
from matgrad.errors import DataError, MatgradError, NotSupported
from matgrad.formula.reference import evaluate


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


def test_weights_times_a_number_of_unknown_sign() -> None:
    """The root of c·w was taken, and is nan where c < 0."""
    f = matgrad.parse("c*sum(log(1 + exp(X*w)))", where="X: matrix(m,n); w: vector(n); c: scalar")
    rng = np.random.default_rng(0)
    at = {"X": rng.normal(size=(5, 3)), "w": rng.normal(size=3), "c": -2.0}
    p = 1 / (1 + np.exp(-at["X"] @ at["w"]))
    found = matgrad.compile(matgrad.hessian(f, "w"))(**at)
    assert found == pytest.approx(-2 * at["X"].T @ np.diag(p * (1 - p)) @ at["X"])


@pytest.mark.parametrize("name", ["lu", "cholesky", "sigmoid", "product", "lapack", "softmax", "logsumexp", "warnings"])
def test_variables_named_as_what_the_code_calls(name: str) -> None:
    text = "x'*inv(#)*x + logdet(#) + det(#) + sum(sigmoid(x)) + norm2(x) + logsumexp(x)"
    at = {"X": np.array([[2.0, 1.0], [0.5, 4.0]]), "x": np.ones(2)}
    expected = matgrad.compile(matgrad.parse(text.replace("#", "X"), where="X: matrix(n,n); x: vector(n)"))(**at)
    f = matgrad.parse(text.replace("#", name), where=f"{name}: matrix(n,n); x: vector(n)")
    assert matgrad.compile(f)(**{name: at["X"], "x": at["x"]}) == pytest.approx(expected)


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
    _, both, at = loss()
    again = pickle.loads(pickle.dumps(both))
    assert again(**at)[1] == pytest.approx(both(**at)[1])


def test_products_are_ordered_by_the_sizes_of_the_arrays() -> None:
    found = matgrad.compile(matgrad.parse("A*B*C", where="A: matrix(k,l); B: matrix(l,m); C: matrix(m,n)"))
    a, b, c = np.ones((2, 50)), np.ones((50, 3)), np.ones((3, 60))
    found(A=a, B=b, C=c)
    assert "A @ B @ C" in found.source
    found(A=c.T, B=b.T, C=a.T)
    assert "A @ (B @ C)" in found.source


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


def test_what_is_made_of_symmetric_intermediates_is_symmetric() -> None:
    """The signal of S is not computed a second time for its transpose."""
    derivative = matgrad.gradient("S = B + R; logdet(S) + y'*inv(S)*y", "R", where="R: spd(k); B: spd(k)")
    source = derivative.code()
    assert (source.count("cholesky(S)"), source.count(".inverse()"), source.count("rank_one(t")) == (1, 1, 1)


def _slope_of_tanh2(x: float) -> float:
    """2*tanh(x)*(1 - tanh(x)^2), from exp(-2*abs(x))."""
    e = math.exp(-2 * abs(x))
    return 2 * math.tanh(x) * 4 * e / (1 + e) ** 2


def _slope_of_sigmoid2(x: float) -> float:
    """2*sigmoid(x)^2*sigmoid(-x), from exp(-abs(x))."""
    e = math.exp(-abs(x))
    return 2 * e / (1 + e) ** 3 * (e if x < 0 else 1)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize(
    ("function", "slope", "called"),
    [("tanh", _slope_of_tanh2, "sech2_of_tanh"), ("sigmoid", _slope_of_sigmoid2, "one_minus_sigmoid")],
)
@pytest.mark.parametrize("at", [[], [0.0, -1e-9, 3.0, -4.5], [0.5, -9.5, 1e-9, 12.0], [30.0, -300.0, 700.0]])
def test_a_function_and_its_derivative_of_a_matrix_share_work(
    backend: Any, function: str, slope: Any, called: str, at: list[float]
) -> None:
    """1 - tanh^2 is a difference where that has digits enough, and none where one entry has too few."""
    if backend == "jax":
        pytest.importorskip("jax")
    code = matgrad.compile(matgrad.gradient(f"sum({function}(X).^2)", "X", where="X: matrix(m, n)"), backend=backend)
    assert f"{called}(X, " in code.source or (backend, function) == ("jax", "sigmoid")
    wanted = np.array([[slope(x) for x in at]] * 2)
    np.testing.assert_allclose(np.asarray(code(X=np.array([at] * 2))), wanted, rtol=1e-11, atol=0)


def test_what_is_larger_than_the_result_is_not_formed_for_a_common_factor() -> None:
    """(a*b' + b*a')*X was made of a matrix with as many rows and columns as there are observations."""
    formula, where = "r = y - X*inv(X'*X)*X'*y; n*log(r'*r/n)", "y: vector(n); X: matrix(n, p)"
    code = matgrad.compile(matgrad.gradient(formula, "X", where=where))
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((9000, 3)), rng.standard_normal(9000)
    r = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    code(X=X, y=y)
    tracemalloc.start()
    found = code(X=X, y=y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 9000 * 9000
    weights = np.linalg.solve(X.T @ X, X.T @ y)
    np.testing.assert_allclose(found, -2 * 9000 * np.outer(r, weights) / (r @ r), rtol=1e-9, atol=1e-9)


def test_a_number_goes_into_the_terms_that_are_smaller_than_their_sum() -> None:
    """Not into the array of the result, in a pass of its own."""
    source = matgrad.compile(matgrad.hessian("exp(-norm2(x)^2)", "x")).source
    assert source.endswith(
        '    t2 = np.einsum("i,j->ij", 4 * t1 * x, x)\n    t2.ravel()[:: len(t2) + 1] += -2 * t1\n    return t2\n'
    )


def test_products_of_entries_that_are_needed_anyway() -> None:
    """a∘x∘y takes the x∘y of another term: here sech2∘dZ."""
    source = matgrad.compile(matgrad.hessian("norm2(V*tanh(W*X) - Y)^2", "W").matvec).source
    assert source.count("dW") == 2
    assert "t4 = t3 * (dW @ X)" in source
    assert (source.count("t3"), source.count("t4")) == (3, 3)


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
    for text in (
        "t = det(X); log(t)",
        "log(det(X)^3)",
        "log(det(inv(X)))",
        "log(det(X*(X + 9*eye)))",
        "sum(log([det(X); 1]))",
    ):
        assert np.isnan(matgrad.compile(matgrad.parse(text, where="X: matrix(n, n)"), backend=backend)(X=swapped)), text
    for text, wanted in (
        ("log(det(kron(X, X)))", 4 * np.log(6)),
        ("log(abs(det(X)))", np.log(6)),
        ("log(det(X)^2)", 2 * np.log(6)),
    ):
        found = matgrad.compile(matgrad.parse(text, where="X: matrix(n, n)"), backend=backend)(X=swapped)
        assert float(found) == pytest.approx(wanted), text
    outside = matgrad.objective("normF(X)^2 - log(det(X))", "X", {}, start={"X": np.eye(2)})
    assert outside.fun(swapped.ravel()) == np.inf
