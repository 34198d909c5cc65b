"""Random compositions against JAX in float64, away from kinks: value, first and second derivative."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import jax_evaluator
import numpy as np
import pytest
from formula_properties import require, trials_of
from random_formulas import DECLARED, SIZES, arrays_of, drawn, random_formula, where_of

import matgrad

CHUNKS, EACH = 20, 10
NEAR = 1e-6
"""How near a kink nothing is compared."""


def _g() -> tuple[Any, ...]:
    return (lambda x: jnp.sin(1.3 * x + 0.4), lambda x: 1.3 * jnp.cos(1.3 * x + 0.4))


def compare(text: str, wrt: str, order: int, seed: int) -> bool:
    """Along a random direction: raise Failure where JAX has another value; False where it has none to compare."""
    where = where_of(text)
    derivative = matgrad.derive(text, wrt, where=where, order=order)
    formula, arrays = derivative.formula, arrays_of(text, seed)
    sizes = {name: SIZES[name] for name in formula.sizes_needed() if name in SIZES}
    given = {name: jnp.asarray(a) for name, a in arrays.items() if name != "g"} | ({"g": _g()} if "g" in arrays else {})

    direction = drawn(DECLARED[wrt].replace("orthogonal", "matrix"), np.random.default_rng(seed + 1))

    def function(at: Any) -> tuple[Any, Any]:
        return jax_evaluator.evaluate(formula.program, {**given, wrt: at}, SIZES)

    def slope(at: Any) -> tuple[Any, tuple[Any, Any]]:
        value, found, kink = jax.jvp(function, (at,), (jnp.asarray(direction),), has_aux=True)
        return found, (value, kink)

    def curvature(at: Any) -> tuple[Any, tuple[Any, Any]]:
        _, found, beside = jax.jvp(slope, (at,), (jnp.asarray(direction),), has_aux=True)
        return found, beside

    try:
        expected, (value, kink) = jax.jit(slope if order == 1 else curvature)(given[wrt])
    except jax_evaluator.NotHere:
        return False
    if kink < NEAR or not np.isfinite(value).all() or not np.isfinite(expected).all():
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
