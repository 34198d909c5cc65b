"""What a benchmark is: a formula, what is asked of it, the programs of the others, the targets, and the limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Arrays = dict[str, Any]
Size = tuple[int, ...]
BEST, JAX, TORCH, AUTOGRAD, UNJITTED = "best", "jax", "torch", "autograd", "unjitted"


@dataclass(frozen=True)
class Target:
    """The time of a peer over that of matgrad is to be at least this; ``ours`` is BEST or the backend that counts."""

    ratio: float
    peer: str = BEST
    ours: str = BEST


@dataclass(frozen=True)
class Work:
    """What has to be done at the least: operations in general and in symmetric products (an m×n matrix times its
    transpose counts m n²), bytes read and bytes of the result, and how many bytes lie in memory meanwhile."""

    gemm: float = 0.0
    syrk: float = 0.0
    read: float = 0.0
    written: float = 0.0
    held: float = 0.0


@dataclass(frozen=True)
class Problem:
    """One row of the table.

    ``ask`` is gradient, hessian, jacobian or product (of the Hessian in the one variable of ``wrt`` and ``v``).
    ``losses`` are the programs that the others differentiate, in a dialect and the arrays by name: several where it is
    not clear which one is fastest for them. ``by_hand`` is what an expert writes, by backend: what can be reached.
    """

    name: str
    formula: str
    wrt: tuple[str, ...]
    ask: str
    data: Callable[..., Arrays]
    losses: tuple[Callable[..., Any], ...]
    targets: Mapping[Size, tuple[Target, ...]]
    where: str = ""
    work: Callable[..., Work] = lambda *size: Work()
    by_hand: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    note: str = ""
    limit: float | None = None
    """The share of the limit that is to be reached at the largest size."""
    numpy_in_and_out: bool = False
    """Everyone takes NumPy arrays and gives them."""

    def arrays(self, size: Size) -> Arrays:
        """The same numbers in every run, aligned as JAX and PyTorch align theirs, so that nobody is at a loss."""
        found = self.data(np.random.default_rng(0), *size)
        return {name: aligned(value) if isinstance(value, np.ndarray) else value for name, value in found.items()}


ALIGNMENT = 64


def aligned(array: np.ndarray) -> np.ndarray:
    """A copy that starts at a multiple of 64 bytes."""
    buffer = np.empty(array.nbytes + ALIGNMENT, dtype=np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    result = buffer[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    result[...] = array
    return result
