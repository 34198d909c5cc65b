"""Random compositions against JAX in float64, away from kinks: value, first and second derivative."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from formula_properties import require, trials_of
from random_formulas import DECLARED, SIZES, arrays_of, drawn, random_formula, where_of

import matgrad

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
import jax_evaluator  # noqa: E402

CHUNKS, EACH = 20, 10


def _g() -> tuple[Any, ...]:
    return (lambda x: jnp.sin(1.3 * x + 0.4), lambda x: 1.3 * jnp.cos(1.3 * x + 0.4))


def compare(text: str, wrt: str, order: int, seed: int) -> bool:
    """Along a random direction: raise Failure where JAX has another value; False where it has none to compare."""
    where = where_of(text)
    derivative = matgrad.derive(text, wrt, where=where, order=order)
    formula, arrays = derivative.formula, arrays_of(text, seed)
    sizes = {name: SIZES[name] for name in formula.sizes_needed() if name in SIZES}
    given = {name: jnp.asarray(a) for name, a in arrays.items() if name != "g"} | ({"g": _g()} if "g" in arrays else {})

    def function(at: Any) -> Any:
        return jax_evaluator.evaluate(formula.program, {**given, wrt: at}, SIZES)

    direction = drawn(DECLARED[wrt].replace("orthogonal", "matrix"), np.random.default_rng(seed + 1))
    along = (jnp.asarray(direction),)

    def slope(at: Any) -> Any:
        return jax.jvp(function, (at,), along)[1]

    try:
        value = function(given[wrt])
        expected = slope(given[wrt]) if order == 1 else jax.jvp(slope, (given[wrt],), along)[1]
    except jax_evaluator.NearKink:
        return False
    if not np.isfinite(value).all() or not np.isfinite(expected).all():
        return False
    require("value against JAX", formula(**arrays, **sizes), value, text, 1e-9)
    found = derivative(**arrays, **sizes)
    for _ in range(order):
        found = np.tensordot(found, direction, direction.ndim)
    require(f"order {order} against JAX", found, expected, f"{derivative.text} of {text}", 1e-8)
    return True


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_formulas_agree_with_jax(chunk: int) -> None:
    compared = 0
    for seed in range(10**6 + chunk * EACH, 10**6 + (chunk + 1) * EACH):
        for wrt, order in trials_of(random_formula(seed), seed):
            if wrt in DECLARED and len(random_formula(seed).text) < 90:
                compared += compare(random_formula(seed).text, wrt, order, seed)
    assert compared >= EACH // 2
