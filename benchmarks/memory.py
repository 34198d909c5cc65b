"""The most memory that a call holds beyond what was there before, as the operating system sees it."""

from __future__ import annotations

import ctypes
from pathlib import Path

from benchmarks.measure import Task

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


def peak_megabytes(task: Task) -> float | None:
    """The growth of the resident set's peak in one call; None where the system (not Linux) does not tell."""
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what the allocator keeps of earlier calls would hide what this one needs
        _CLEAR.write_text(_RESET_PEAK)
        before = _kilobytes("VmRSS")
        result = task()
        after = _kilobytes("VmHWM")
    except (OSError, AttributeError):
        return None
    del result
    return max(0, after - before) / 1024


def _kilobytes(field: str) -> int:
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise OSError(f"no {field} in {_STATUS}")
