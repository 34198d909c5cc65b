"""``matgrad minimize``: the minimum of a formula over some of its variables."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matgrad.analysis.data import gathered, load_data
from matgrad.answer.formula import Formula
from matgrad.cli.arguments import add_formula, formula_in, listed, new_command, value_only
from matgrad.cli.data import read_point
from matgrad.cli.printing import in_options, print_json, print_report
from matgrad.cli.status import FINE, INTERRUPTED, UNDECIDED
from matgrad.errors import DataError

if TYPE_CHECKING:
    from matgrad.analysis.result import Result

BOUNDS = "x: 0..1; c: 0.."
SHOWN = 60
"""Iterations up to which all are printed."""


def add(commands: Any) -> None:
    parser = new_command(
        commands,
        run,
        "minimize",
        help="the minimum of a formula over some of its variables",
        description="The minimum of a formula over some of its variables, with exact derivatives; of a vector, the "
        "least squares. The method fits the structure of the formula, unless one is asked for.",
        epilog="""examples:
  matgrad minimize "norm2(X*w - y)^2" --over w --data table.csv
  matgrad minimize "norm2(X*w - y)^2/(2*m) + c*norm1(w)" --over w --where "X: matrix(m,n); c: positive" \\
      --data diabetes.csv --columns "y=target; X=*" --at "c=0.1"
  matgrad minimize "100*(x[2] - x[1]^2)^2 + (1 - x[1])^2" --over x --start "x=[-1.2,1]" --method newton --plot path.png

exit status: 0 fine, 2 bad input, 4 no minimum was found, 130 interrupted (the best point so far is printed)""",
    )
    add_formula(parser)
    parser.add_argument("--over", metavar="NAMES", action="append", required=True, help="what varies: w, or w,b")
    parser.add_argument("--data", metavar="FILE", action="append", help="arrays: .csv, .npz, .json or .parquet")
    parser.add_argument("--columns", metavar="WHICH", help='variables made of columns: "y=target; X=age,bmi", or "X=*"')
    parser.add_argument("--start", metavar="POINT", help='where to start: "w=[0,0]", or a file')
    parser.add_argument("--method", metavar="NAME", default="auto", help="auto, newton, gradient-descent, l-bfgs, "
                        "trust-exact, trust-krylov, least-squares, natural-gradient, proximal-gradient")  # fmt: skip
    parser.add_argument("--bounds", metavar="BOUNDS", help='"x: 0..1; c: 0.."')
    parser.add_argument("--tolerance", metavar="EPS", type=float, help="of the gradient, relative to that at the start")
    parser.add_argument("--iterations", metavar="K", type=int, help="at most")
    parser.add_argument("--step", metavar="ETA", type=float, help="a fixed step for gradient-descent")
    parser.add_argument("--response", metavar="NAME", help="the random variable, for natural-gradient")
    parser.add_argument("--plot", metavar="FILE", help="draw the path, or how it converges: out.png, …")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--history", action="store_true", help="print the iterations")
    form.add_argument("--json", action="store_true", help="print everything as JSON")


def run(options: argparse.Namespace) -> int:
    formula = value_only(formula_in(options), "minimize")
    found = _minimized(formula, listed(options.over, "--over"), options)
    if options.json:
        print_json(found.to_dict())
    else:
        text = in_options(f"{found}\n\n{_table(found)}" if options.history else str(found))
        print_report(lambda rich: text)
    return FINE if found.success else INTERRUPTED if found.status < 0 else UNDECIDED


def _minimized(formula: Formula, over: list[str], options: argparse.Namespace) -> Result:
    """The minimum that the options ask for; the picture is drawn where one is wanted."""
    from matgrad import minimize
    from matgrad.analysis.figures import checked

    if options.plot:
        checked(options.plot)
    types = {name: variable.type for name, variable in formula.typed.variables.items()}
    found = minimize(
        formula,
        over,
        _data(formula, over, options),
        None if options.start is None else read_point(options.start, types),
        options.method,
        None if options.bounds is None else _bounds(options.bounds),
        tolerance=options.tolerance,
        iterations=options.iterations,
        step=options.step,
        response=options.response,
    )
    if options.plot:
        from matgrad.analysis.minimize_plot import plot_minimize

        plot_minimize(found, Path(options.plot))
    return found


def _data(formula: Formula, over: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """What the files hold of what the formula needs, and all that is typed."""
    variables = formula.typed.variables
    axes = {name: len(v.type.dims) for name, v in variables.items() if name not in over}
    sizes = formula.sizes_needed() | {n for v in variables.values() for d in v.type.dims for n in d.names}
    data: dict[str, Any] = {}
    for path in options.data or ():
        held = gathered(load_data(path, options.columns), axes)
        data |= {name: value for name, value in held.items() if name in axes or name in sizes}
    if options.columns is not None and not options.data:
        raise DataError("--columns says what the columns of a file are", hint="--data table.csv")
    if options.at is not None:
        data |= read_point(options.at, {name: v.type for name, v in variables.items()})
    return data


def _bounds(text: str) -> dict[str, tuple[float | None, float | None]]:
    """Bounds by name, from ``x: 0..1; c: 0..``, either side left out where there is none.

    >>> _bounds("x: -1..1; c: 0..")
    {'x': (-1.0, 1.0), 'c': (0.0, None)}
    """
    found: dict[str, tuple[float | None, float | None]] = {}
    for part in (part for part in text.split(";") if part.strip()):
        name, colon, span = part.partition(":")
        low, dots, high = span.partition("..")
        if not colon or not dots or name.strip() in found:
            raise DataError(f"'{part.strip()}' is no bound, or one of a name that has one", hint=f'--bounds "{BOUNDS}"')
        try:
            found[name.strip()] = (float(low) if low.strip() else None, float(high) if high.strip() else None)
        except ValueError as error:
            raise DataError(f"'{span.strip()}' is no pair of numbers", hint=f'--bounds "{BOUNDS}"') from error
    return found


def _table(result: Result) -> str:
    """The history: one line for each iteration, in a long one only at both ends."""
    lines = [f"{k:9d}  {value:18.10g}  {slope:9.2e}  {step:9.2e}" for k, value, slope, step, _ in result.history]
    if len(lines) > SHOWN:
        lines = [*lines[: SHOWN // 2], f"{'…':>9}", *lines[-SHOWN // 2 :]]
    return "\n".join([f"{'iteration':>9}  {'value':>18}  {'gradient':>9}  {'step':>9}", *lines])
