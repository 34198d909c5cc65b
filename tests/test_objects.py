"""Python objects mean what NumPy means: the same function of arrays and of objects gives the same numbers.

Values are compared with NumPy, derivatives with JAX, both on the functions of ``objects_table``.
"""

import inspect
import math
import operator
import pickle
from functools import lru_cache

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from objects_table import ARRAYS, POSITIVE, SMOOTH, VALUES

import matgrad
from matgrad import fn
from matgrad.errors import MatgradError, NotSupported

jax.config.update("jax_enable_x64", True)
SIZES = {"m": 3, "n": 4, "k": 2}


@lru_cache(maxsize=1)
def objects():
    """Each name of ARRAYS as an object."""
    made = {}
    for name, sizes in ARRAYS.items():
        sign = {"positive": name in POSITIVE}
        make = (matgrad.scalar, matgrad.vector, matgrad.matrix)[len(sizes)]
        made[name] = make(name, *sizes, **sign)
    return made


def arrays(seed=0):
    draw = np.random.default_rng(seed)
    made = {}
    for name, sizes in ARRAYS.items():
        found = draw.normal(size=tuple(SIZES.get(s, s) for s in sizes))
        made[name] = np.abs(found) + 0.5 if name in POSITIVE else found
    made["P"] = made["P"] @ made["P"].T + np.eye(SIZES["n"])
    return made


class JaxFunctions:
    """matgrad.fn in JAX."""

    softmax = staticmethod(lambda x, axis=None: jnp.exp(x) / jnp.sum(jnp.exp(x), axis, keepdims=True))
    logsumexp = staticmethod(jax.scipy.special.logsumexp)
    log_softmax = staticmethod(lambda x, axis=None: x - jax.scipy.special.logsumexp(x, axis, keepdims=True))
    relu, softplus, sigmoid = map(staticmethod, (jax.nn.relu, jax.nn.softplus, jax.nn.sigmoid))
    gelu = staticmethod(lambda x: jax.nn.gelu(x, approximate=False))
    erf, normcdf, normpdf = map(
        staticmethod, (jax.scipy.special.erf, jax.scipy.stats.norm.cdf, jax.scipy.stats.norm.pdf)
    )
    logdet = staticmethod(lambda x: jnp.linalg.slogdet(x)[1])


def call(function, values, numpy=np, functions=fn):
    given = {"np": numpy, "fn": functions, **values}
    return function(*(given[name] for name in inspect.signature(function).parameters))


def source_of(table):
    """The text of each function, by the line on which it stands."""
    lines = inspect.getsourcelines(inspect.getmodule(table[0]))[0]
    return [lines[f.__code__.co_firstlineno - 1].strip().removeprefix("lambda ").removesuffix(",") for f in table]


def used(value, points):
    return {name: points[name] for name in value.names.declared if name in value.written()[1]}


@pytest.mark.parametrize("function", SMOOTH + VALUES, ids=source_of(SMOOTH + VALUES))
def test_values_and_shapes_are_those_of_numpy(function):
    points = arrays()
    found, expected = call(function, objects()), np.asarray(call(function, points))
    value = found(**used(found, points))
    assert np.shape(value) == expected.shape
    np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-10)
    assert tuple(d.evaluate(SIZES) for d in found.sizes) == expected.shape
    formula = matgrad.parse(found)  # what is written reads as the same kind of thing, of the same value
    assert formula.type == found.expr.type
    again = formula(**used(found, points))
    np.testing.assert_allclose(np.reshape(again, expected.shape), expected, rtol=1e-10, atol=1e-10)


DIFFERENTIATED = [*SMOOTH[::3], *SMOOTH[-7:]]  # JAX compiles each anew: all of them take a minute


@pytest.mark.parametrize("function", DIFFERENTIATED, ids=source_of(DIFFERENTIATED))
def test_derivatives_are_those_of_jax(function):
    """Compared in a random direction of the output, which one backward pass of JAX gives for all variables."""
    points = arrays(1)
    found = call(function, objects())
    given = used(found, points)
    weights = np.random.default_rng(2).normal(size=[d.evaluate(SIZES) for d in found.sizes])
    flat = weights.reshape([d.evaluate(SIZES) for d in found.expr.dims])
    pull = jax.jit(lambda z, w: jax.vjp(lambda z: call(function, {**points, **z}, jnp, JaxFunctions), z)[1](w))
    for name, expected in pull(given, weights)[0].items():
        try:
            jacobian = np.asarray(matgrad.derive(found, objects()[name])(**given))
            pulled = np.tensordot(flat, jacobian, flat.ndim)
        except NotSupported:  # of a slice or a stack, where it has no printable form: the gradient of a scalar has
            pulled, expected = gradient_of_squares(function, found, name, given, points)
        np.testing.assert_allclose(pulled, expected, rtol=1e-8, atol=1e-8, err_msg=name)


def gradient_of_squares(function, found, name, given, points):
    """By matgrad and by JAX."""
    squares = jax.jit(jax.grad(lambda z: (call(function, {**points, name: z}, jnp, JaxFunctions) ** 2).sum()))
    return matgrad.gradient((found**2).sum(), objects()[name])(**given), squares(points[name])


# -- what is refused, and how

x, y, b = matgrad.vector("x", "n"), matgrad.vector("y", "n"), matgrad.vector("b", "m")
A, B, S = matgrad.matrix("A", "m", "n"), matgrad.matrix("B", "m", "n"), matgrad.matrix("S", "n", symmetric=True)
c = matgrad.scalar("c")

REFUSED = [
    (lambda: A * B, "A @ B, the matrix product, or np.multiply(A, B)"),
    (lambda: bool(x), "np.where"),
    (lambda: x if x > 0 else y, "np.where"),
    (lambda: max(c, 0), "np.maximum"),
    (lambda: float(c), "np.exp(x) for math.exp(x)"),
    (lambda: math.exp(c), "np.exp(x) for math.exp(x)"),
    (lambda: int(c), "not a number"),
    (lambda: range(c), "not a whole number"),
    (lambda: [*x], "go through the entries"),
    (lambda: sum(x), "x.sum()"),
    (lambda: len(x), "the length n is a name"),
    (lambda: len(c), "a number has no length"),
    (lambda: np.array([x, y]), "np.stack([x, y])"),
    (lambda: np.asarray(x), "f(x=…)"),
    (lambda: np.array([1.0, 2.0]) @ x, "needs a name"),
    (lambda: np.array([1.0, 2.0]) * x, "needs a name"),
    (lambda: [1, 2] @ x, "needs a name"),
    (lambda: A @ np.diag([1.0, 2.0, 3.0]), 'matgrad.matrix("B", 3, 3)'),
    (lambda: operator.setitem(x, x > 0, 1), "np.where(x > 0, y, x)"),
    (lambda: x @ np.array([[1.0, 2.0]]), "needs a name"),
    (lambda: x + "y", 'matgrad.scalar("y")'),
    (lambda: x + 1j, "real"),
    (lambda: x * True, "True and False are no numbers"),
    (lambda: x + math.inf, "inf"),
    (lambda: x + None, "NoneType"),
    (lambda: np.where(x == 0, x, 1), "a test is a comparison"),
    (lambda: np.where(x > 0), "np.where(x > 0, x, 0)"),
    (lambda: np.equal(x, 0), "compares the formulas"),
    (lambda: x + b, "m and n differ"),
    (lambda: A + A.T, "differ"),
    (lambda: A @ b, "A.T @ B"),
    (lambda: x @ A, "A @ B.T"),
    (lambda: c @ x, "not numbers"),
    (lambda: x + matgrad.vector("x", "m"), "x is declared as vector(n) and as vector(m)"),
    (lambda: x @ matgrad.vector("x", "n", positive=True), "positive vector(n)"),
    (lambda: x + matgrad.scalar("n"), "n is a size of x"),
    (lambda: (2 * x).named("r") + (3 * x).named("r"), "two different intermediates"),
    (lambda: (2 * x).named("x"), "a variable and an intermediate"),
    (lambda: x[-1:2], "empty slice"),
    (lambda: x[3:-9:2], "step"),
    (lambda: x[::2], "step"),
    (lambda: matgrad.matrix("U", 3, 5)[[0, 1], [1, 2]], "two lists of indices"),
    (lambda: x[x > 0], "np.where"),
    (lambda: x[True], "bool"),
    (lambda: x[0.5], "float"),
    (lambda: x[0, 1], "2 indices"),
    (lambda: matgrad.vector("u", 5)[7], "outside"),
    (lambda: x[2:2], "empty"),
    (lambda: A[:, None] + A[None], "three axes"),
    (lambda: np.linalg.inv(A), "square"),
    (lambda: np.trace(A), "square"),
    (lambda: np.linalg.det(x), "matrix"),
    (lambda: np.linalg.norm(A, 2), "spectral norm"),
    (lambda: np.linalg.norm(A, "nuc"), "nuclear norm"),
    (lambda: np.linalg.norm(x, 0), "no derivative"),
    (lambda: np.linalg.svd(A), "singular values"),
    (lambda: np.linalg.eigvalsh(S), "eigenvalues"),
    (lambda: np.linalg.cholesky(S), "slogdet"),
    (lambda: np.linalg.pinv(A), "np.linalg.inv(X.T @ X) @ X.T"),
    (lambda: np.linalg.matrix_power(S, 100), "64"),
    (lambda: np.linalg.matrix_power(S, 2.5), "whole powers"),
    (lambda: np.linalg.matrix_power(S, x), "the exponent of a matrix is a scalar"),
    (lambda: np.cumprod(x), "np.cumsum"),
    (lambda: np.add.accumulate(x), "add.accumulate"),
    (lambda: np.floor(x), "constant between whole numbers"),
    (lambda: x // 2, "floor_divide"),
    (lambda: x % 2, "remainder"),
    (lambda: np.median(x), "x.mean()"),
    (lambda: np.argmax(x), "x.max()"),
    (lambda: np.sort(x), "x.max() and x.min()"),
    (lambda: np.fft.fft(x), "fft.fft"),
    (lambda: np.sum(x, initial=3), "initial"),
    (lambda: np.sum(x, where=x > 0), "where"),
    (lambda: np.exp(x, out=np.zeros(3)), "out"),
    (lambda: np.sum(x, axis=1), "no axis 1"),
    (lambda: np.diag(A, 1), "square"),
    (lambda: np.tril(A, 0.5), "whole number"),
    (lambda: x[[True, False]], "a list of them"),
    (lambda: np.roll(A, 1), "needs an axis"),
    (lambda: np.cumsum(x, 1), "no axis 1"),
    (lambda: np.vdot(c, x), "as many entries"),
    (lambda: np.moveaxis(A, [0, 0], [0, 1]), "as many different axes"),
    (lambda: np.tile(x, 0), "whole number"),
    (lambda: np.flip(x), "a number"),
    (lambda: A.reshape(2, 6), "vec(X')"),
    (lambda: A.ravel("K"), 'order="C"'),
    (lambda: np.einsum("..i", x), "letters"),
    (lambda: np.einsum("ij", x), "letter for each axis"),
    (lambda: np.einsum("i,i", x, b), "differ in size"),
    (lambda: np.einsum("i->j", x), "occur before"),
    (lambda: np.einsum(x, [0]), "letters"),
    (lambda: np.concatenate([A, x]), "cannot be stacked"),
    (lambda: np.concatenate([A, A.T]), "differ"),
    (lambda: np.stack([x, b]), "one shape"),
    (lambda: np.stack([A, B]), "three axes"),
    (lambda: np.outer(A, x), "two vectors"),
    (lambda: (x > 0) + (y > 0), "(x > 0) | (y > 0)"),
    (lambda: (x > 0) & True, "two tests"),
    (lambda: (x > 0) == (y > 0), "compared"),
    (lambda: not (x > 0), "np.where"),
    (lambda: x.astype(int), "real numbers"),
    (lambda: matgrad.vector("x", 0), "size"),
    (lambda: matgrad.vector("2x", "n"), "cannot be a name"),
    (lambda: matgrad.vector(1, "n"), "text"),
    (lambda: matgrad.vector("eye", "n"), "constant"),
    (lambda: matgrad.vector("pi", "n"), "constant"),
    (lambda: matgrad.matrix("S", "m", "n", symmetric=True), "square"),
    (lambda: matgrad.matrix("S", "n", spd=True, lower=True), "only a matrix can be spd"),
    (lambda: matgrad.vector("m", "m"), "m"),
    (lambda: matgrad.derive(x @ x, 2 * x), "differentiates in a variable"),
    (lambda: matgrad.derive(x @ x, matgrad.vector("x", "k")), "x is declared as"),
    (lambda: matgrad.derive(x @ x, y), "y"),
    (lambda: matgrad.derive(x @ x, x, where="x: vector(m)"), "x is declared as"),
    (lambda: matgrad.derive(3.0, x), "text or an object"),
    (lambda: matgrad.derive(x @ x, [x, "x"]), "twice"),
    (lambda: (x @ x)(x=[1.0, 2.0], y=3), "no variable y"),
]


@pytest.mark.parametrize(("function", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_is_refused_says_what_to_do(function, words):
    with pytest.raises(MatgradError) as error:
        function()
    assert words in str(error.value)


def test_scipy_functions():
    special = pytest.importorskip("scipy.special")
    points = arrays()
    z, w = matgrad.vector("x", "n"), matgrad.vector("w", "n", positive=True)
    for name in ("expit", "erf", "erfc", "ndtr", "log_expit"):
        function = getattr(special, name)
        np.testing.assert_allclose(function(z)(x=points["x"]), function(points["x"]), rtol=1e-12)
    for name in ("gammaln", "digamma", "gamma"):
        function = getattr(special, name)
        np.testing.assert_allclose(function(w)(w=points["w"]), function(points["w"]), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(matgrad.fn.polygamma(2, w)(w=points["w"]), special.polygamma(2, points["w"]), rtol=1e-12)
    for name in ("xlogy", "xlog1py", "rel_entr", "betaln", "beta"):
        function = getattr(special, name)
        np.testing.assert_allclose(
            function(w, 2 * w)(w=points["w"]), function(points["w"], 2 * points["w"]), rtol=1e-12
        )
    small = points["w"] / 9
    np.testing.assert_allclose(special.logit(w / 9)(w=points["w"]), special.logit(small), rtol=1e-12)
    np.testing.assert_allclose(special.entr(w)(w=points["w"]), special.entr(points["w"]), rtol=1e-12)
    with pytest.raises(NotSupported, match=r"scipy\.special\.gammainc"):
        special.gammainc(z, z)
    with pytest.raises(NotSupported, match=r"matgrad\.fn"):
        special.softmax(z)


def test_functions_of_numbers_and_of_objects_agree():
    points = arrays()
    for name in ("relu", "gelu", "step", "sigmoid", "softplus", "erf", "normcdf", "normpdf", "softmax", "logsumexp",
                 "log_softmax"):  # fmt: skip
        function = getattr(fn, name)
        np.testing.assert_allclose(function(x)(x=points["x"]), function(points["x"]), rtol=1e-12)
    np.testing.assert_allclose(fn.vec(A)(A=points["A"]), fn.vec(points["A"]))
    assert str(fn.eye("n") @ x + fn.zeros("n")) == "eye(n)*x + 0*ones(n)"


# -- objects wherever a formula can stand


def test_public_functions_take_objects():
    f = ((A @ x - b) ** 2).sum()
    assert matgrad.gradient(f, x).text == matgrad.gradient(f, "x").text == "2*A'*(A*x - b)"
    assert matgrad.hessian(f, x).text == "2*A'*A"
    assert matgrad.jacobian(A @ x - b, x).text == "A"
    assert set(matgrad.derive(f, [x, "b"])) == {"x", "b"}
    assert set(matgrad.hessian(f, [x, b])) == {("x", "x"), ("x", "b"), ("b", "x"), ("b", "b")}
    assert matgrad.parse(f).variables == {"A": "matrix(m, n)", "x": "vector(n)", "b": "vector(m)"}
    assert matgrad.parse(f).assumed == ()
    assert "∇f" in str(matgrad.explain(f, x))
    assert matgrad.gradient("x'*S*x", x, where="S: symmetric(n)").text == "2*S*x"
    assert matgrad.gradient(matgrad.parse("x'*S*x", where="S: symmetric(n)"), "x").text == "2*S*x"
    assert matgrad.gradient(x @ S @ x, x).text == "2*S*x"


def test_intermediates():
    r = (A @ x - b).named("r")
    f = r @ r
    assert str(f) == "r = A*x - b; r'*r"
    assert matgrad.derive(f, r).text == "2*(A*x - b)"
    assert matgrad.derive(f, x).short == "2*A'*r"
    points = arrays()
    expected = np.sum((points["A"] @ points["x"] - points["b"]) ** 2)
    assert math.isclose(f(A=points["A"], x=points["x"], b=points["b"]), expected)


def test_an_unspecified_function():
    g = matgrad.function("g")
    f = g(x**2).sum()
    assert matgrad.gradient(f, x).text == "2*x.*g'(x.^2)"
    assert str(g.prime(x)) == "g'(x)"
    assert f(x=np.array([1.0, 2.0]), g=(np.sin, np.cos)) == math.sin(1) + math.sin(4)


def test_answers_are_objects_again():
    f = x @ S @ x + c
    gradient = matgrad.gradient(f, x).object()
    step = matgrad.parse(x - 0.5 * gradient).object()
    assert matgrad.jacobian(step, x).text == "eye - S"
    assert str(matgrad.hessian((x**2).sum(), x).object()) == "2*eye(length(x))"
    assert matgrad.parse("r = A*x - b; r'*r").object().written()[0] == "r = A*x - b; r'*r"
    tensor = matgrad.derive(A @ S, A).object()
    assert tensor.ndim == 4


def test_sizes_are_numbers():
    assert x.shape[0] == y.shape[0] == A.shape[1] != A.shape[0]
    assert matgrad.matrix("U", 3, "n").shape[0] == 3
    assert matgrad.gradient((x / x.shape[0]).sum() * c, c).text == "mean(x)"
    # the size of a variable that is not in the formula is that variable's length
    assert str(c * x.shape[0]) == "c*length(x)"
    assert (c * x.shape[0])(c=2.0, x=np.ones(3)) == 6


def test_numbers_are_exact():
    assert str(0.1 * c + 0.5) == "0.1*c + 0.5"
    assert str(c / 3 + 1 / 3) == "c/3 + 1/3"
    assert str(np.float64(0.1) * c) == "0.1*c"
    assert str(np.float32(0.5) * c) == "0.5*c"
    assert (np.float32(0.1) * c)(c=1.0) == np.float32(0.1) * np.float64(1)
    assert (np.float32(1 / 3) * c)(c=1.0) == np.float32(1 / 3) * np.float64(1)
    assert str(np.pi * c) == "pi*c"
    assert str(c * 10**30) == "c*1e30"
    assert str(c * (10**30 + 1)) == f"c*{10**30 + 1}"


def test_equality_is_of_formulas():
    assert x @ y == x @ y
    assert x @ y != y @ x
    assert x != matgrad.vector("x", "m")
    assert len({x, matgrad.vector("x", "n"), y}) == 2
    assert (x == 0) is False
    assert x[:, None] != x


def test_objects_pickle_and_print():
    f = (A @ x - b).named("r") @ b
    assert pickle.loads(pickle.dumps(f)) == f
    assert repr(x[:, None]) == "<x: shape (n, 1)>"
    assert repr(x > 0) == "<test with the values step(x)>"
    assert x._repr_latex_().startswith("$")
    assert (A.T @ b).unicode == "Aᵀ b"


def test_long_formulas_ask_for_names():
    z = x
    for _ in range(60):
        z = z * z
    with pytest.raises(MatgradError, match="named"):
        str(z)


# -- random compositions


UNARY = [
    np.tanh,
    lambda z: np.exp(-(z**2)),
    lambda z: z.T,
    lambda z: z / 2 + 1,
    lambda z: np.where(z > 0, z, 0.5 * z),
    lambda z: z.sum(0),
    lambda z: z.mean(-1),
    lambda z: z.max(0, keepdims=True),
    lambda z: z.sum(),
    lambda z: z[0],
    lambda z: z[..., 1],
    lambda z: z[..., None],
    lambda z: z[None],
    lambda z: z.ravel(),
    np.squeeze,
    np.diag,
    np.tril,
]
BINARY = [
    lambda p, q: p + q,
    lambda p, q: p - q,
    lambda p, q: p @ q,
    np.multiply,
    lambda p, q: p / (q**2 + 1),
    np.maximum,
    np.kron,
    lambda p, q: np.dot(p, q.T),
    lambda *two: np.vstack(two),
    lambda *two: np.hstack(two),
    lambda p, q: np.where(p > q, p, q),
]
STEPS = st.lists(st.tuples(st.sampled_from(UNARY + BINARY), st.integers(0, 99), st.integers(0, 99)), max_size=8)


@given(STEPS)
@settings(max_examples=300, deadline=None)
def test_random_compositions_are_those_of_numpy(steps):
    """The same steps on objects and on arrays: what NumPy refuses is refused, what is not refused is equal."""
    points = {name: value for name, value in arrays(3).items() if name in ("A", "X", "K", "R", "x", "b", "o", "c")}
    made = [(objects()[name], value) for name, value in points.items()]
    for operation, *places in steps:
        chosen = [made[place % len(made)] for place in places[: 2 if operation in BINARY else 1]]
        try:
            number = np.asarray(operation(*(value for _, value in chosen)))
        except (ValueError, IndexError, TypeError):
            with pytest.raises(MatgradError):
                operation(*(symbol for symbol, _ in chosen))
            continue
        try:
            symbol = operation(*(symbol for symbol, _ in chosen))
            value = symbol(**used(symbol, points))
        except MatgradError:
            continue
        assert np.shape(value) == number.shape
        assert matgrad.parse(symbol).type == symbol.expr.type
        np.testing.assert_allclose(value, number, rtol=1e-8, atol=1e-8)
        made.append((symbol, number))


def test_dot_of_three_axes_is_refused_since_it_is_not_matmul():
    A = matgrad.matrix("A", 4, 3)
    with pytest.raises(MatgradError, match=r"np\.dot"):
        np.dot(A[..., None], A[None].T)
