"""Derivatives by JAX in float64, as the truth.

They are compiled as a whole: JAX compiles each operation by itself otherwise, which takes several times as long.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")


def derived(how: Callable[..., Any], function: Callable[..., Any], wrt: str, at: Mapping[str, Any]) -> np.ndarray:
    """``how`` (``jax.grad``, ``jax.jacobian``, ``jax.hessian``) of a function of some of the names in ``at``."""
    names = list(inspect.signature(function).parameters)
    return derived_at(how, function, names.index(wrt), [at[name] for name in names])


def derived_at(how: Callable[..., Any], function: Callable[..., Any], place: int, at: Sequence[Any]) -> np.ndarray:
    """The same in the argument at a place. A Python int, such as an exponent, is known when the function is traced."""
    fixed = [k for k, value in enumerate(at) if isinstance(value, int)]
    return np.asarray(jax.jit(how(function, argnums=place), static_argnums=fixed)(*at))
