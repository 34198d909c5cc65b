"""Long signals have names in ``short``: each derivative is as long as its own step, and the program is right."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

import matgrad

jax.config.update("jax_enable_x64", True)


def _layers(count: int) -> tuple[str, str]:
    steps = "; ".join(f"h{k + 1} = tanh(W{k + 1}*h{k})" for k in range(count))
    sizes = "; ".join(f"W{k}: matrix(n{k},n{k - 1})" for k in range(1, count + 1))
    return f"{steps}; norm2(h{count} - y)^2", f"h0: vector(n0); {sizes}"


def _gradients(count: int) -> dict[str, matgrad.Derivative]:
    source, where = _layers(count)
    return matgrad.derive(source, [f"W{k + 1}" for k in range(count)], where=where)


def test_a_deep_program_has_short_derivatives() -> None:
    for count in (10, 30):
        found = _gradients(count)
        assert max(len(d.short) for d in found.values()) < 120
        assert found["W1"].short == "((1 - h1.^2).*δ_h1)*h0'"
        assert found["W1"].names["δ_h1"] == "W2'*((1 - h2.^2).*δ_h2)"
    assert found["W30"].short == "2*(1 - h30.^2).*(h30 - y)*h29'"


def test_a_program_with_named_signals_is_right() -> None:
    count = 8
    rng = np.random.default_rng(0)
    sizes = [3, 5, 4, 6, 2, 7, 3, 5, 4]
    weights = {f"W{k}": rng.standard_normal((sizes[k], sizes[k - 1])) / 2 for k in range(1, count + 1)}
    start, target = rng.standard_normal(3), rng.standard_normal(4)

    def loss(weights: dict[str, jax.Array]) -> jax.Array:
        h = jnp.asarray(start)
        for k in range(1, count + 1):
            h = jnp.tanh(weights[f"W{k}"] @ h)
        return jnp.sum((h - target) ** 2)

    truth = jax.grad(loss)({name: jnp.asarray(w) for name, w in weights.items()})
    for name, derivative in _gradients(count).items():
        got = derivative(h0=start, y=target, **weights)
        assert np.allclose(got, truth[name], rtol=1e-10, atol=1e-14), name
        assert len(derivative.code()) < 1000


def test_a_signal_takes_no_name_of_the_formula() -> None:
    source, where = _layers(8)
    found = matgrad.derive(source.replace("y)", "δ_h1)"), "W1", where=where)
    assert found.short == "((1 - h1.^2).*δ_h1_)*h0'"
    assert "δ_h1" in found.formula.variables


def test_a_short_program_is_written_out() -> None:
    found = matgrad.derive("r = tanh(A*x) - b; r'*r", "A")
    assert "δ" not in found.short
    assert set(found.names) == {"r"}


def test_constants_get_no_names() -> None:
    """zeros(n - 1) stands twice, and says what it is."""
    d = matgrad.derive("x[1:n-1].*x[2:n]", "x", where="x: vector(n)")
    assert d.short == "[diag(x[2:n]), zeros(n - 1)] + [zeros(n - 1), diag(x[1:n-1])]"
