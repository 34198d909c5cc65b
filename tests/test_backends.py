"""Code for JAX and PyTorch: the values of NumPy's, and what these libraries do with functions."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

import matgrad
from matgrad.errors import DataError

# formula, declarations, variable, order
CASES = [
    ("norm2(A*x - b)", None, "x", 1),
    ("sum(log(1 + exp(-y.*(X*w)))) + c/2*w'*w", "y: vector(m); X: matrix(m,n); w: vector(n); c: scalar", "w", 2),
    ("logsumexp(A*x)", None, "x", 2),
    ("sum(softmax(A*X, dim=2)[:,1])", "A: matrix(m,n); X: matrix(n,p)", "X", 1),
    ("y'*inv(K)*y + logdet(K)", "K: spd(n); y: vector(n)", "K", 1),
    ("tr(inv(S)*H)", "S: matrix(n,n); H: matrix(n,n)", "S", 2),
    ("x'*inv(L)*x + det(L)", "L: lower(n); x: vector(n)", "x", 2),
    ("norm2([A; eye]*x)^2 + sum(x[2:3].^3)", "A: matrix(m,n); x: vector(n)", "x", 2),
    ("vec(A*B)'*vec(C) + tr(kron(B, B))", "A: matrix(m,n); B: matrix(n,n); C: matrix(m,n)", "B", 1),
    ("max(x) + norm1(x) + sum(relu(x) + gelu(x))", "x: vector(n)", "x", 1),
    ("norm2(softplus(X*W')*v - y)^2", "X: matrix(m,n); W: matrix(h,n); v: vector(h); y: vector(m)", "W", 2),
    ("sum(triu(B).^2) + log(2*pi)*sum(diag(B))", "B: matrix(n,n)", "B", 2),
    ("tr(X^k)", "X: matrix(n,n); k: scalar", "X", 1),
    ("r = A*x - b; h = tanh(r); h'*h/length(b)", None, "x", 2),
    ("sum(exp(tril(ones(n,n))).*B) + sum(diag(triu(B)).^2)", "B: matrix(n,n)", "B", 2),
    ("c*sum(log(1 + exp(X*w)))", "c: scalar; X: matrix(m,n); w: vector(n)", "w", 2),
    ("logsumexp(B) - 2*B[1,2] + B[2,1]", "B: matrix(m,n)", "B", 1),
    ("log(det(A'*A)) + det(A'*A)^(1/2)", "A: matrix(m,n)", "A", 1),
]
SIZES = {"m": 5, "n": 3, "p": 4, "h": 2}


def items_of(text: str, where: str | None, wrt: str, order: int) -> tuple[matgrad.Formula, list[Any]]:
    f = matgrad.parse(text, where=where)
    first = matgrad.derive(f, wrt)
    return f, [f, first, first.matvec, *([first.derive(wrt)] if order == 2 else [])]


@cache
def arrays_for(text: str, where: str | None, wrt: str, order: int) -> dict[str, Any]:
    f, items = items_of(text, where, wrt, order)
    rng = np.random.default_rng(len(text))
    found: dict[str, Any] = {}
    known: dict[str, int] = {}
    sizes = iter((5, 3, 4, 2))
    for name, variable in {**f.typed.variables}.items():
        shape = []
        for dim in variable.type.dims:
            if str(dim) not in known:
                known[str(dim)] = SIZES.get(str(dim)) or next(sizes)
            shape.append(known[str(dim)])
        value = rng.normal(size=shape)
        if "spd" in variable.traits:
            value = value @ value.T + np.eye(len(value))
        found[name] = np.tril(value) if "lower" in variable.traits else value
    if "k" in found:
        found["k"] = np.float64(3)
    direction = items[2].direction
    shape = found[wrt].shape
    found[direction] = rng.normal(size=shape)
    if "spd" in f.typed.variables[wrt].traits:
        found[direction] = found[direction] + found[direction].T
    return found


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_jax_agrees(case: tuple[str, str | None, str, int]) -> None:
    with jax.enable_x64(True):
        _, items = items_of(*case)
        at = arrays_for(*case)
        for ours, theirs in zip(matgrad.compile(items, "jax")(**at), matgrad.compile(items)(**at), strict=True):
            assert isinstance(ours, jax.Array)
            assert np.asarray(ours) == pytest.approx(np.asarray(theirs), rel=1e-9, abs=1e-11)


def test_jax_functions_are_traced_mapped_and_differentiated() -> None:
    with jax.enable_x64(True):
        f = matgrad.parse("norm2(A*x - b)^2")
        value = matgrad.compile(f, "jax")
        gradient = matgrad.compile(matgrad.gradient(f, "x"), "jax")
        rng = np.random.default_rng(0)
        a, b = jnp.asarray(rng.normal(size=(4, 3))), jnp.asarray(rng.normal(size=4))
        xs = jnp.asarray(rng.normal(size=(7, 3)))
        many = jax.vmap(lambda x: gradient(A=a, x=x, b=b))(xs)
        assert many == pytest.approx(jax.vmap(jax.grad(lambda x: value(A=a, x=x, b=b)))(xs))
        once = jax.jit(lambda x: gradient(A=a, x=x, b=b))(xs[0])
        assert once == pytest.approx(many[0])


def test_jax_quotients_of_quotients_do_not_overflow() -> None:
    """XLA makes x/y/z to x/(y*z)."""
    angle = matgrad.hessian("arctan(y/x)", "x", where="x: scalar; y: scalar")
    share = matgrad.hessian("-log(2*x^2/(x^2 + y^2))", "x", where="x: positive; y: positive")
    with jax.enable_x64(True):
        far = [(angle, {"x": 1e200, "y": 1e200}), (angle, {"x": -3.0, "y": 1e100}), (share, {"x": 1.0, "y": 1e120})]
        for item, at in far:
            once = jax.jit(lambda item=item, **at: matgrad.compile(item, "jax")(**at))
            assert float(once(**at)) == pytest.approx(matgrad.compile(item)(**at), rel=1e-12), at


def test_jax_logarithms_of_normal_probabilities() -> None:
    """To the last digits in both tails, and differentiated: jax.scipy.special.log_ndtr has nine digits at 6 and -30."""
    value = matgrad.compile(matgrad.parse("log(normcdf(x))", where="x: scalar"), "jax")
    with jax.enable_x64(True):
        for x in (-1e6, -30.0, -3.0, -1.0, 0.0, 6.0):
            assert float(value(x=x)) == pytest.approx(scipy.special.log_ndtr(x), rel=1e-14)
            slope = np.sqrt(2 / np.pi) / scipy.special.erfcx(-x / np.sqrt(2))
            assert float(jax.grad(lambda z: value(x=z))(x)) == pytest.approx(slope, rel=1e-13)


def test_a_jax_matrix_that_is_not_definite_goes_through_lu() -> None:
    with jax.enable_x64(True):
        f = matgrad.parse("y'*inv(K)*y + logdet(K)", where="K: spd(n)")
        at = {"K": np.diag([1.0, -2.0, 3.0]), "y": np.array([1.0, 2, 3])}
        assert float(matgrad.compile(f, "jax")(**at)) == pytest.approx(1 - 2 + 3 + np.log(6))


def test_jax_single_precision_and_what_does_not_fit() -> None:
    f = matgrad.parse("sum(log(1 + exp(A*x))) + log(2*pi)")
    found = matgrad.compile([f, matgrad.gradient(f, "x")], "jax")
    at = {"A": np.ones((2, 3), np.float32), "x": np.arange(3, dtype=np.float32)}
    assert [v.dtype for v in found(**at)] == [jnp.float32, jnp.float32]
    with pytest.raises(DataError, match="x must have 1 axis"):
        found(**{**at, "x": jnp.ones((3, 1))})
    with pytest.raises(DataError, match="complex"):
        found(**{**at, "x": jnp.ones(3) * 1j})
    with pytest.raises(DataError, match="x must hold real numbers"):
        found(**{**at, "x": jax.random.key(0)})


UNUSUAL = ["f2", "i4", "u8", "g", ">f8", ">f4", ">i4"]
"""Types that libraries do not have, or have in another order of bytes."""


def test_jax_takes_arrays_of_any_kind() -> None:
    """After two calls at arrays of the machine, jit read those in another order of bytes as if they were."""
    with jax.enable_x64(True):
        found = matgrad.compile(matgrad.parse("x'*A*x"), "jax")
        at = {"x": np.array([1.0, 2.0]), "A": np.array([[1.0, 2.0], [4.0, 8.0]])}
        for kind in UNUSUAL:
            for _ in range(3):
                assert float(found(**at)) == 45
            assert float(found(**{**at, "x": at["x"].astype(kind)})) == 45
            assert float(found(**{n: v.astype(kind) for n, v in at.items()})) == 45


def test_torch_takes_arrays_of_any_kind() -> None:
    torch = pytest.importorskip("torch", reason="not for CI: torch is large")
    found = matgrad.compile(matgrad.parse("x'*A*x"), "torch")
    at = {"x": np.array([1.0, 2.0]), "A": np.array([[1.0, 2.0], [4.0, 8.0]])}
    for kind in UNUSUAL:
        assert float(found(**{n: v.astype(kind) for n, v in at.items()})) == 45
    frozen = np.broadcast_to(2.0, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert float(found(**{**at, "x": frozen})) == 60
        assert float(found(**{n: v[::-1] for n, v in at.items()})) == 4 * 4 + 8 * 2 + 1 * 2 + 2 * 1
    assert isinstance(found(**at), torch.Tensor)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_torch_looks_at_structure_where_there_are_values() -> None:
    torch = pytest.importorskip("torch", reason="not for CI: torch is large")
    found = matgrad.compile(matgrad.parse("norm2(x)^4 + x'*S*x", where="S: spd(n)"), "torch")
    x, s = torch.tensor([1.0, 2.0], dtype=torch.float64), torch.tensor([[2.0, 1], [1, 3]], dtype=torch.float64)
    wanted = 4 * x @ x * torch.eye(2) + 8 * torch.outer(x, x) + 2 * s
    assert torch.allclose(torch.func.hessian(lambda z: found(x=z, S=s))(x), wanted)
    assert float(torch.func.jvp(lambda z: found(x=z, S=s), (x,), (x,))[1]) == pytest.approx(4 * 25 + 2 * 18)
    assert found(x=x.to("meta"), S=s.to("meta")).device.type == "meta"
    assert float(found(x=x, S=s.to_sparse())) == 25 + 18
    assert float(found(x=x.to(torch.bfloat16), S=s.to(torch.bfloat16))) == pytest.approx(43, rel=0.01)
    with pytest.raises(DataError, match="declared symmetric"):
        found(x=x, S=torch.tensor([[2.0, 1], [0, 3]], dtype=torch.bfloat16))


@pytest.mark.filterwarnings("ignore:a matrix that should be positive definite")
@pytest.mark.parametrize("declared", ["S: spd(n)", "S: matrix(n,n)"])
def test_torch_says_that_a_matrix_is_singular(declared: str) -> None:
    torch = pytest.importorskip("torch", reason="not for CI: torch is large")
    found = matgrad.compile(matgrad.parse("x'*inv(S)*x", where=declared), "torch")
    with pytest.raises(DataError, match="a matrix that is inverted is singular at this point"):
        found(x=torch.ones(2), S=torch.ones(2, 2))


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_torch_agrees(case: tuple[str, str | None, str, int]) -> None:
    torch = pytest.importorskip("torch", reason="not for CI: torch is large")
    _, items = items_of(*case)
    at = arrays_for(*case)
    tensors = {name: torch.as_tensor(value) for name, value in at.items()}
    for ours, theirs in zip(matgrad.compile(items, "torch")(**tensors), matgrad.compile(items)(**at), strict=True):
        assert np.asarray(ours) == pytest.approx(np.asarray(theirs), rel=1e-9, abs=1e-11)


def test_torch_functions_are_differentiated_and_mapped() -> None:
    torch = pytest.importorskip("torch", reason="not for CI: torch is large")
    f = matgrad.parse("norm2(A*x - b)^2 + sum(exp(x))")
    value = matgrad.compile(f, "torch")
    gradient = matgrad.compile(matgrad.gradient(f, "x"), "torch")
    rng = np.random.default_rng(0)
    a, b = torch.as_tensor(rng.normal(size=(4, 3))), torch.as_tensor(rng.normal(size=4))
    x = torch.as_tensor(rng.normal(size=3)).requires_grad_()
    value(A=a, x=x, b=b).backward()
    assert x.grad.numpy() == pytest.approx(gradient(A=a, x=x.detach(), b=b).numpy())
    xs = torch.as_tensor(rng.normal(size=(7, 3)))
    many = torch.func.vmap(lambda x: gradient(A=a, x=x, b=b))(xs)
    assert many[2].numpy() == pytest.approx(gradient(A=a, x=xs[2], b=b).numpy())


@pytest.mark.parametrize("noise", [0.3, 40.0])
def test_torch_differentiates_products_of_kernels_with_their_inverses(noise: float) -> None:
    """Of large kernels they take no product where the noise is small; the next derivative is right in either case."""
    torch = pytest.importorskip("torch", reason="not for CI: torch is large")
    text = "K0 = exp(a)*exp(-D); K = K0 + c*eye; y'*inv(K)*y + logdet(K)"
    f = matgrad.parse(text, where="D: symmetric(n); a: scalar; c: scalar")
    curvature = matgrad.derive(f, "a").derive("a")
    code = matgrad.compile(curvature, "torch")
    points = np.random.default_rng(2).normal(size=(80, 2))
    at = {"D": ((points[:, None] - points) ** 2).sum(-1), "y": np.sin(np.arange(80.0)), "a": 0.2, "c": noise}
    tensors = {name: torch.as_tensor(value, dtype=torch.float64) for name, value in at.items()}
    c = tensors["c"].requires_grad_()
    found = code(**tensors)
    assert "smooth(" in code.source
    assert float(found.detach()) == pytest.approx(float(matgrad.compile(curvature)(**at)), rel=1e-11)
    (slope,) = torch.autograd.grad(found, c)
    assert float(slope) == pytest.approx(float(matgrad.compile(curvature.derive("c"))(**at)), rel=1e-9)


def test_numbers_that_stand_among_zeros_are_tensors() -> None:
    """Of ``1[None, None]`` Python warns when it reads the source."""
    source = matgrad.gradient("logsumexp(B) - B[1,2]", "B", where="B: matrix(m,n)").code("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile(source, "<source>", "exec")
