"""``matgrad eval``: the value of a formula."""

from __future__ import annotations

import argparse
from typing import Any

from matgrad.cli.arguments import add_formula, formula_in, new_command, value_only
from matgrad.cli.output import plain_data, show_value
from matgrad.cli.points import defined, values_at
from matgrad.cli.printing import print_json, print_text
from matgrad.cli.status import FINE
from matgrad.errors import DataError


def add(commands: Any) -> None:
    parser = new_command(
        commands,
        run,
        "eval",
        help="the value of a formula",
        description="The value of a formula at given arrays.",
        epilog="""examples:
  matgrad eval "x'*A*x" --at "A=[1,2;2,3]; x=[1,2]"
  matgrad eval "r = A*x - b; r'*r" --at data.npz""",
    )
    add_formula(parser)
    parser.add_argument("--json", action="store_true", help="print the value as JSON")


def run(options: argparse.Namespace) -> int:
    formula = value_only(formula_in(options), "eval")
    point = values_at(formula, options.at or "")
    if options.at is None and formula.variables:
        example = "; ".join(f"{name}=…" for name in formula.variables)
        raise DataError(f"no values are given for {', '.join(formula.variables)}", hint=f'--at "{example}"')
    value = defined(formula(**point), "the formula")
    if options.json:
        print_json({"formula": formula.text, "shape": list(formula.shape), "value": plain_data(value)})
    else:
        print_text(show_value(value))
    return FINE
