"""What compiled code is given and gives: arrays of any layout, type and size, or an error that names the argument."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from compiling import loss

import matgrad
from matgrad.errors import DataError


def test_arrays_of_any_layout_and_type() -> None:
    f, both, at = loss()
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
    _, both, _ = loss()
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
    _, both, at = loss()
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
    _, both, at = loss()
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
    _, both, at = loss()
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


def test_declared_structure_is_checked() -> None:
    h = matgrad.compile(matgrad.gradient("x'*S*x", "x", where="S: symmetric(n)"))
    for _ in range(2):
        with pytest.raises(DataError, match="declared symmetric"):
            h(S=np.array([[1.0, 2], [3, 4]]), x=np.ones(2))
        h(S=np.eye(2), x=np.ones(2))


@pytest.mark.parametrize("trait", ["symmetric", "spd", "psd", "diagonal", "lower", "orthogonal"])
@pytest.mark.parametrize("shape", [(2, 3), (3, 2)])
def test_a_matrix_that_is_not_square_is_told(trait: str, shape: tuple[int, int]) -> None:
    value = matgrad.compile(matgrad.parse("norm2(S*b)^2", where=f"S: {trait}(n)"))
    with pytest.raises(DataError, match="S has shape"):
        value(S=np.ones(shape), b=np.ones(shape[1]))


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch"])
def test_an_extreme_of_no_entries_has_no_value(backend: Any) -> None:
    if backend == "torch":
        pytest.importorskip("torch", reason="not for CI: torch is large")
    smallest = matgrad.compile(matgrad.parse("min(x)", where="x: vector(n)"), backend=backend)
    with pytest.raises(DataError, match="x without entries: this has no value"):
        smallest(x=np.zeros(0))


def test_a_constant_that_is_divided_by_zero_is_told() -> None:
    """The root of what is 0 for all arguments has no derivative anywhere."""
    derivative = matgrad.compile(matgrad.derive("sqrt(a^2*c/sqrt(a^2*c^2) - a)", "a", where="a: positive; c: positive"))
    with pytest.raises(DataError, match="there is no value at this point"):
        derivative(a=2.0, c=3.0)
