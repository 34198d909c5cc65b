"""The command line in tests: what a command left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import NamedTuple


class Outcome(NamedTuple):
    """The exit status of a command, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def refused(outcome: Outcome) -> str:
    """The message of a command that must refuse: one error, nothing printed, no traceback."""
    assert outcome.status == 2, outcome.out + outcome.err
    assert outcome.out == ""
    assert outcome.err.count("error:") == 1
    assert outcome.err.startswith("error: ")
    assert "Traceback" not in outcome.err
    return outcome.err


def shell(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    return subprocess.run([sys.executable, "-m", "matgrad", *arguments], capture_output=True, env=env)
