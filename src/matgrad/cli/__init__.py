"""The command line: ``matgrad derive``, ``explain``, ``check``, ``facts``, ``curvature``, ``minimize`` and more.

Exit status: 0 fine, 1 no, or a wrong answer, 2 bad input, 3 a check failed, 4 undecided or unknown, 70 a
fault of matgrad itself, 74 the output could not be written.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from matgrad.cli.arguments import Run
from matgrad.cli.options import not_an_option, parser
from matgrad.cli.printing import encodable, in_options
from matgrad.cli.status import BAD_INPUT, BROKEN_PIPE, FAULT, FINE, INTERRUPTED, NOT_WRITTEN
from matgrad.errors import MatgradError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command, print its answer or one error message, and give the exit status."""
    given = sys.argv[1:] if argv is None else list(argv)
    try:
        status = _run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
        return BROKEN_PIPE
    except OSError as error:
        _silence(sys.stdout)
        print(f"error: the output cannot be written: {error.strerror}", file=sys.stderr)
        return NOT_WRITTEN
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _run(given: Sequence[str]) -> int:
    known = parser()
    try:
        options = known.parse_args([not_an_option(word) for word in given])
        command: Run | None = options.command
        if command is None:
            known.print_help()
            return FINE
        return command(options)
    except SystemExit as stop:  # --help and --version
        return stop.code if isinstance(stop.code, int) else FINE
    except MatgradError as error:
        return _complain(in_options(str(error)), BAD_INPUT)
    except OSError:  # of the output: those of the input are told where they arise
        raise
    except Exception as error:  # a user is never shown a traceback, unless it is asked for
        if os.environ.get("MATGRAD_DEBUG"):
            raise
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        what = f"this is a fault of matgrad, not of the formula ({reason})"
        return _complain(f"{what}\n    MATGRAD_DEBUG=1 shows where it happened; please report it", FAULT)


def _complain(message: str, status: int) -> int:
    sys.stdout.flush()
    print(f"error: {encodable(message, sys.stderr)}", file=sys.stderr)
    return status


def _silence(stream: Any) -> None:
    """After a broken pipe: nothing more is written, so that the interpreter does not complain at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
