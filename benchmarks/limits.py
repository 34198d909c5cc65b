"""What this machine can do at the most, on one core: general and symmetric products, reading and copying memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.problems.problem import Work

SPANS = tuple(2**k for k in range(16, 28, 2))
"""Bytes: the bandwidth is that of the cache that they fit in."""


@dataclass(frozen=True)
class Limits:
    """Operations in a second; bytes in a second by how many there are."""

    gemm: float
    syrk: float
    reading: Mapping[int, float]
    copying: Mapping[int, float]

    def seconds(self, work: Work) -> float:
        """The least time: arithmetic and memory may overlap."""
        arithmetic = work.gemm / self.gemm + work.syrk / self.syrk
        held = work.held or work.read + work.written
        memory = work.read / _rate(self.reading, held) + 2 * work.written / _rate(self.copying, held)
        return max(arithmetic, memory)


def _rate(rates: Mapping[int, float], held: float) -> float:
    return rates[min(rates, key=lambda span: abs(np.log(span / max(held, 1.0))))]


def measured(repeat: int = 5) -> Limits:
    from scipy.linalg import blas

    rng = np.random.default_rng(0)
    A, B, C = rng.standard_normal((1000, 1000)), rng.standard_normal((1000, 1000)), np.empty((1000, 1000))
    gemm = _least(lambda: np.matmul(A, B, out=C), repeat)
    X = rng.standard_normal((5000, 500))
    syrk = _least(lambda: blas.dsyrk(1.0, X.T), repeat)
    reading, copying = {}, {}
    for span in SPANS:
        v, w = rng.standard_normal(span // 8), np.empty(span // 16)
        calls = max(1, SPANS[-1] // 8 // span)
        reading[span] = span * calls / _least(lambda v=v, n=calls: [v @ v for _ in range(n)], repeat)
        copying[span] = (
            span * calls / _least(lambda v=v, w=w, n=calls: [np.copyto(w, v[: len(w)]) for _ in range(n)], repeat)
        )
    return Limits(2e9 / gemm, 5000 * 500**2 / syrk, reading, copying)


def _least(task: Callable[[], Any], repeat: int) -> float:
    task()
    found = []
    for _ in range(repeat):
        start = time.process_time()
        task()
        found.append(time.process_time() - start)
    return min(found)
