"""All commands and their options; each command is a module that adds its own parser, and runs."""

from __future__ import annotations

import argparse
from typing import NoReturn

from matgrad import MatgradError, __version__
from matgrad.cli import check, curvature, derive, evaluate, explain, facts, jacobians, minimize, serve


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise MatgradError(" ".join(message.split()), hint=f"{self.prog} --help")


def not_an_option(word: str) -> str:
    """A formula may begin with a minus: a blank before it keeps it from being read as an option."""
    if word.startswith("-") and word != "-h" and not word.startswith("--"):
        return " " + word
    return word if not word.startswith("--") or word[2:3].isalpha() or word == "--" else " " + word


def parser() -> argparse.ArgumentParser:
    """The parser of all options; it sets ``command`` to what one of the commands does, or to None."""
    whole = _Parser(
        prog="matgrad",
        description="Matrix calculus in closed form, checked.",
        epilog="""examples:
  matgrad derive "norm2(A*x - b)^2" --wrt x
  matgrad explain "norm2(A*x - b)^2" --wrt x
  matgrad facts "logsumexp(A*x)" --in x
  matgrad check "norm2(A*x - b)^2" --wrt x --answer "2*A*(A*x - b)"
  matgrad minimize "norm2(A*x - b)^2" --over x --data data.npz
  matgrad eval "norm2(x)^2" --at "x=[1,2]"
  matgrad sensitivity "a*b^3/c" --at "a=2; b=5; c=4"

matgrad COMMAND --help says more.""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    whole.add_argument("--version", action="version", version=f"matgrad {__version__}")
    whole.set_defaults(command=None)
    commands = whole.add_subparsers(title="commands", metavar="COMMAND")
    for command in (derive, explain, facts, curvature, check, evaluate, jacobians, minimize, serve):
        command.add(commands)
    return whole
