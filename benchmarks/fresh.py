"""A process of its own that imports, derives and evaluates the gradient of a logistic loss: CPU time, start to end."""

from __future__ import annotations

import compileall
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import matgrad

TARGETS = {"jax": 2.5, "torch": 4.0}
_DATA = """
import numpy as np
rng = np.random.default_rng(0)
X, y, w = rng.standard_normal((1000, 100)), (rng.random(1000) < 0.5).astype(float), rng.standard_normal(100)
"""
PROGRAMS = {
    "matgrad": """
import matgrad
gradient = matgrad.compile(matgrad.gradient("z = X*w; sum(log(1 + exp(z))) - y'*z", "w"))
print(gradient(X=X, y=y, w=w).sum())
""",
    "jax": """
import jax
def loss(w):
    z = X @ w
    return jax.nn.softplus(z).sum() - y @ z
print(jax.jit(jax.grad(loss))(w).sum())
""",
    "torch": """
import torch
X, y, w = (torch.from_numpy(a) for a in (X, y, w))
def loss(w):
    z = X @ w
    return torch.nn.functional.softplus(z).sum() - y @ z
print(torch.func.grad(loss)(w).sum().item())
""",
}


def measured(libraries: Sequence[str], repeat: int) -> dict[str, float]:
    """Seconds of CPU time, the median; interleaved. NumPy and the data are part of all of them.

    matgrad's modules are compiled before, as ``pip`` does when it installs a package: so are those of the others.
    """
    compileall.compile_dir(Path(matgrad.__file__).parent, quiet=1)
    names = ["matgrad", *(name for name in PROGRAMS if name in libraries)]
    times: dict[str, list[float]] = {name: [] for name in names}
    values = {}
    for round_ in range(repeat + 1):
        for name in names:
            seconds, values[name] = _once(_DATA + PROGRAMS[name])
            if round_:  # the first one reads the files from the disk
                times[name].append(seconds)
    worst = max(abs(value - values["matgrad"]) for value in values.values())
    if worst > 1e-6:
        raise AssertionError(f"the fresh processes disagree: {values}")
    return {name: statistics.median(found) for name, found in times.items()}


def _once(program: str) -> tuple[float, float]:
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"a fresh process failed:\n{program}")
    return usage.ru_utime + usage.ru_stime, float(printed)
