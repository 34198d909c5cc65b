"""A process of its own that does the work, so that it can be ended when it takes too long or too much memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

from matgrad.errors import MatgradError

MEMORY = 4 * 2**30
START = 60.0
"""Seconds that a new process has to get ready, apart from the limit on the work."""


class Refused(Exception):
    """The work was not done; the message says why, for the one who asked."""


class Worker:
    """Calls one at a time, each within ``seconds``; a process that does not answer in time is replaced.

    >>> with Worker(seconds=10) as worker:
    ...     worker.call("derive", {"formula": "x'*x", "wrt": "x"})["text"]
    '2*x'
    """

    def __init__(self, seconds: float = 10.0) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._process: Any = None
        self._pipe: Connection | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The answer of a tool. Raises Refused with the message of an error, or where the time is up."""
        with self._lock:
            pipe = self._ready()
            try:
                pipe.send((tool, arguments))
                if not pipe.poll(self.seconds):
                    self.close()
                    raise Refused(f"this takes longer than {self.seconds:g} seconds\n    try  a shorter formula")
                done, answer = pipe.recv()
            except (EOFError, OSError):
                self.close()
                raise Refused("the work needed too much memory, or failed\n    try  a shorter formula") from None
        if not done:
            raise Refused(answer)
        found: dict[str, Any] = answer
        return found

    def _ready(self) -> Connection:
        if self._pipe is None or not self._process.is_alive():
            self.close()
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
            if not self._pipe.poll(START):
                self.close()
                raise Refused("the process that does the work did not start")
            self._pipe.recv()
        return self._pipe

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._process.is_alive():
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None


def serve(pipe: Connection) -> None:
    """What the process does: answer until nobody asks any more."""
    sys.stdout = sys.stderr  # the standard output belongs to the protocol
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    from matgrad.serving.answers import TOOLS, shortened

    matgrad_is_warm = TOOLS["derive"]("x'*x", "x")
    pipe.send(bool(matgrad_is_warm))
    while True:
        try:
            tool, arguments = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer = (True, shortened(TOOLS[tool](**arguments)))
        except MatgradError as error:
            answer = (False, str(error))
        except MemoryError:
            answer = (False, "the work needed too much memory\n    try  a shorter formula")
        except Exception as error:
            answer = (False, f"this is a fault of matgrad, not of the formula ({type(error).__name__}: {error})")
        pipe.send(answer)
