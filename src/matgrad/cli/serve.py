"""``matgrad mcp``: a server for language models."""

from __future__ import annotations

import argparse
from typing import Any

from matgrad.cli.arguments import new_command
from matgrad.cli.status import FINE
from matgrad.errors import MatgradError, NotSupported


def add(commands: Any) -> None:
    parser = new_command(
        commands,
        run,
        "mcp",
        help="a server for language models",
        description="A server of the Model Context Protocol over stdio: derive, explain, check and evaluate.",
        epilog='needs the extra: pip install "matgrad[mcp]"',
    )
    parser.add_argument("--seconds", metavar="S", type=float, default=10.0, help="that a call may take (default 10)")


def run(options: argparse.Namespace) -> int:
    if not options.seconds > 0:
        raise MatgradError("the limit on time is a number of seconds above 0", hint="--seconds 10")
    try:
        from matgrad.serving import server
    except ImportError as error:
        raise NotSupported("the server needs the package mcp", hint='pip install "matgrad[mcp]"') from error
    server.run(options.seconds)
    return FINE
