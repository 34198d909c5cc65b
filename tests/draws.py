"""What tests of numbers share: arrays drawn at random, and whether two agree."""

from __future__ import annotations

from typing import Any

import numpy as np

import matgrad

RNG = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


def spd(n: int) -> np.ndarray:
    half = normal(n, n)
    return half @ half.T + np.eye(n)


def close(got: Any, expected: Any, tolerance: float = 1e-9) -> None:
    assert np.shape(got) == np.shape(expected)
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


def arrays_of_size(formula: matgrad.Formula, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    found = {}
    for name, variable in formula.typed.variables.items():
        found[name] = normal(*(d.evaluate({n: sizes.get(n, 3) for n in d.names}) for d in variable.type.dims))
    return found
