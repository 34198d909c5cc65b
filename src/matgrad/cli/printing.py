"""How the command line prints: in Unicode, or in what the terminal can encode."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

from matgrad.cli.output import ascii_only


def print_json(data: Any) -> None:
    import json

    print_text(json.dumps(data, indent=2, ensure_ascii=not _can_print("∇ᵀ‖₂π"), allow_nan=False))


def print_text(text: str) -> None:
    print(encodable(text, sys.stdout))


def print_report(report: Callable[[bool], str]) -> None:
    """What ``report`` gives for a rich terminal, or for a poor one in ASCII."""
    rich = report(True)
    print_text(rich if _can_print(rich) else ascii_only(report(False)))


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def encodable(text: str, stream: Any) -> str:
    """The text with what the stream cannot encode written as escapes."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


_OPTION = re.compile(r"""\b(layout|symmetric|style|method)=["']([\w-]+)["']|\b(order)=(\d+)""")


def in_options(text: str) -> str:
    """Hints are written for Python; here they are options.

    >>> in_options('try layout="vec"')
    'try --layout vec'
    """
    found = _OPTION.sub(lambda m: f"--{m[1] or m[3]} {m[2] or m[4]}", text)
    return re.sub(
        r"\briemannian=(True|False)", lambda m: "--riemannian" if m[1] == "True" else "no --riemannian", found
    )
