"""Options that several commands have, and what they mean: the formula, names, the conventions of a derivative."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from matgrad import Formula, MatgradError, parse, parse_latex
from matgrad.answer.layout import LAYOUTS
from matgrad.answer.options import SYMMETRIC
from matgrad.cli.data import EXAMPLE

Run = Callable[[argparse.Namespace], int]
"""What a command does; it gives the exit status."""

_FORMULA = 'in quotes; definitions first: "r = A*x - b; r\'*r"'
_WHERE = 'what names are: "S: spd(n); x: vector(3); g: function"'


def new_command(
    commands: Any, run: Run, name: str, *, help: str, description: str, epilog: str
) -> argparse.ArgumentParser:
    """The parser of one command, whose options set ``command`` to ``run``."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=run)
    return parser


def add_formula(parser: argparse.ArgumentParser, *, at: bool = True) -> None:
    parser.add_argument("formula", metavar="FORMULA", help=_FORMULA)
    parser.add_argument("--where", metavar="DECLS", help=_WHERE)
    parser.add_argument("--latex-input", action="store_true", help="the formula is LaTeX; a ∇ or ∂ gives --wrt")
    if not at:
        return
    parser.add_argument("--at", metavar="POINT", help=f'values: "{EXAMPLE}", or a .npz, .json, .csv or .parquet file')


def add_conventions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--order", metavar="K", type=int, default=1, help="of the derivative, 1 to 4 (default 1)")
    parser.add_argument("--layout", choices=LAYOUTS, default="mixed", help="how the axes stand (default mixed)")
    parser.add_argument(
        "--symmetric",
        choices=SYMMETRIC,
        default="projected",
        help="the convention for symmetric variables (default projected)",
    )


def formula_in(options: argparse.Namespace) -> Formula:
    """The formula, in text or in LaTeX."""
    return (parse_latex if options.latex_input else parse)(options.formula.strip(), where=options.where)


def value_only(formula: Formula, command: str) -> Formula:
    """The formula, if it does not ask for a derivative, of which these commands know nothing."""
    if formula.asks:
        raise MatgradError(
            f"the LaTeX asks for a derivative, but matgrad {command} is about the formula itself",
            hint="the formula without ∇ or ∂, or matgrad derive",
        )
    return formula


def wrt_in(options: argparse.Namespace, formula: Formula) -> list[str] | None:
    """The names after ``--wrt``; None where the formula says what to differentiate in."""
    if options.wrt is None and formula.asks:
        return None
    if options.wrt is None:
        known = formula.variables
        raise MatgradError(
            "say in which variable to differentiate",
            hint=f"--wrt {next(iter(known))}" if known else None,
        )
    return listed(options.wrt, "--wrt")


def listed(given: Sequence[str], option: str) -> list[str]:
    """The names after an option, which may be given several times, each time with commas between several."""
    names = [name.strip() for part in given for name in part.split(",")]
    if not all(names):
        raise MatgradError(f"{option} takes names with commas between them, not '{','.join(given)}'")
    return names


def listed_if_given(given: Sequence[str] | None, option: str) -> list[str] | None:
    """The same; None for an option that was not given."""
    return None if given is None else listed(given, option)
