"""``matgrad curvature``: the Hessian, and what follows from it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matgrad.analysis.local_curvature import curvature
from matgrad.answer.formula import Formula
from matgrad.cli.arguments import add_formula, formula_in, listed_if_given, new_command
from matgrad.cli.points import formula_and_values, values_at
from matgrad.cli.printing import print_json, print_report
from matgrad.cli.status import FINE
from matgrad.errors import DataError


def add(commands: Any) -> None:
    parser = new_command(
        commands,
        run,
        "curvature",
        help="minimum, saddle or valley; convex or not; what descent and Newton will do",
        description="The curvature of a scalar: its Hessian at a point with eigenvalues and what follows from them; "
        "whether the formula is convex, and why. Without a point there is the latter alone.",
        epilog="""examples:
  matgrad curvature "x[1]^2 + 2*x[1]*x[2] + 3*x[2]^2" --wrt x --at "x=[0,0]"
  matgrad curvature "sum(softplus(X*w)) - y'*X*w" --wrt w
  matgrad curvature "norm2(U*V - Y)^2" --wrt U,V --data factors.npz --method iterative --largest 4

exit status: 0 fine, 2 bad input""",
    )
    add_formula(parser)
    parser.add_argument("--data", metavar="FILE", help="arrays by name, in a file; --at adds to them")
    parser.add_argument("--wrt", metavar="NAMES", action="append", help="the variable, or several: U,V")
    parser.add_argument("--method", choices=("auto", "dense", "iterative"), default="auto", help="form the Hessian, or "
                        "use products H*v alone (default: by size)")  # fmt: skip
    parser.add_argument("--largest", metavar="K", type=int, default=10, help="eigenvalues at each end (default 10)")
    parser.add_argument("--progress", action="store_true", help="show a bar, for what takes long")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print everything as JSON")
    form.add_argument("--markdown", action="store_true", help="print Markdown")


def run(options: argparse.Namespace) -> int:
    formula = formula_in(options)
    wrt = listed_if_given(options.wrt, "--wrt")
    formula, at = (formula, None) if options.at is None else formula_and_values(formula, options.at, options)
    if options.data is not None:
        at = {**_named_in(formula, values_at(formula, _a_file(options.data))), **(at or {})}
    found = curvature(formula, wrt, at, method=options.method, largest=options.largest, progress=options.progress)
    if options.json:
        print_json(found.to_dict())
    else:
        text = found.markdown if options.markdown else found.text
        print_report(lambda rich: text)
    return FINE


def _a_file(path: str) -> str:
    """What ``--data`` was given, if it is the name of a file."""
    if "=" in path and not Path(path).is_file():
        raise DataError(f"--data takes the name of a file, not '{path}'", hint=f'--at "{path}"')
    return path


def _named_in(formula: Formula, held: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of a file that the formula names: a file may hold more."""
    known = {*formula.typed.variables, *formula.sizes_needed()}
    return {name: value for name, value in held.items() if name in known}
