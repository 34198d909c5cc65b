"""Which machine this is, and one core of it, with one thread everywhere."""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
XLA = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def one_thread() -> None:
    """Before NumPy, JAX and PyTorch are imported: they read these variables then."""
    for variable in THREADS:
        os.environ[variable] = "1"
    os.environ["XLA_FLAGS"] = XLA
    os.environ["JAX_PLATFORMS"], os.environ["JAX_ENABLE_X64"] = "cpu", "1"


def pin(core: int | None = None) -> None:
    """Stay on one core, the last by default; systems other than Linux have no such call, and run unpinned."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0)) if core is None else core})


def described() -> dict[str, Any]:
    names = ("matgrad", "numpy", "scipy", "jax", "torch", "autograd")
    return {
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in names},
    }


def cpu() -> str:
    """The name of the processor; its numbers where a virtual machine hides the name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    numbers = "-".join(facts[key] for key in ("cpu family", "model", "stepping") if key in facts)
    return f"{facts.get('model name', platform.machine())} {numbers}".strip()


def results() -> Path:
    """The figures that are stored for machines of this kind: same processor, same number of cores."""
    slug = re.sub(r"[^a-z0-9]+", "-", f"{cpu()} {os.cpu_count()} cores".lower()).strip("-")
    return Path(__file__).parent / "results" / f"compile-{slug}.json"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
