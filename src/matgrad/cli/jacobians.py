"""``matgrad linearize``, ``sensitivity``, ``propagate``, ``implicit``, ``degeneracy``, ``slope``, ``maps``,
``contours``.

Each command is a parser of options, and a function from the formula and the options to an answer that prints itself.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from matgrad import analysis
from matgrad.answer.formula import Formula
from matgrad.cli.arguments import formula_in, listed, listed_if_given, new_command, value_only
from matgrad.cli.data import EXAMPLE, read_point
from matgrad.cli.output import plain_data
from matgrad.cli.points import formula_and_values
from matgrad.cli.printing import print_json, print_report
from matgrad.cli.status import FINE
from matgrad.errors import DataError

Answer = Callable[[Formula, argparse.Namespace], Any]
_FORMULA = 'in quotes; a vector by entries: "[x[1]^2 + x[2]; x[1]*x[2]]"'
_POINT = f'values: "{EXAMPLE}", or a file of them'


_PLAIN = str.maketrans({"κ": "kappa", "Σ": "Sigma", "ᵀ": "'", "±": "+-", "η": "eta", "λ": "lambda ", "½": "1/2 "})


def plain(text: str) -> str:
    """A report without the letters that a poor terminal lacks.

    >>> plain("Var(f) = J Σ Jᵀ"), plain("η < 2/λmax")
    ("Var(f) = J Sigma J'", 'eta < 2/lambda max')
    """
    return text.translate(_PLAIN)


def add(commands: Any) -> None:
    """Adds the parsers of all of them."""
    for add_one in (
        _add_linearize,
        _add_sensitivity,
        _add_propagate,
        _add_implicit,
        _add_degeneracy,
        _add_slope,
        _add_maps,
        _add_contours,
    ):
        add_one(commands)


def _command(
    commands: Any, name: str, answer: Answer, help: str, description: str, example: str, *, at: bool = True
) -> argparse.ArgumentParser:
    parser = new_command(
        commands,
        partial(_run, name, answer),
        name,
        help=help,
        description=description,
        epilog=f"example:\n  {example}\n\nexit status: 0 fine, 2 bad input",
    )
    parser.add_argument("formula", metavar="FORMULA", help=_FORMULA)
    parser.add_argument("--where", metavar="DECLS", help='what names are: "S: spd(n); x: vector(3)"')
    parser.add_argument("--latex-input", action="store_true", help="the formula is LaTeX")
    parser.add_argument("--wrt", metavar="NAMES", action="append", help="the variables that vary: x,y (default all)")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    if at:
        parser.add_argument("--at", metavar="POINT", help=_POINT)
    return parser


def _run(name: str, answer: Answer, options: argparse.Namespace) -> int:
    found = answer(value_only(formula_in(options), name), options)
    if options.json:
        print_json(plain_data(found.to_dict()))
    else:
        text = str(found)
        print_report(lambda rich: text if rich else plain(text))
    return FINE


def _add_linearize(commands: Any) -> None:
    parser = _command(
        commands,
        "linearize",
        _linearize,
        "Taylor models and their errors",
        "The Taylor models of first and second order at a point, with their errors over a ball.",
        'matgrad linearize "[x[1]^2 + x[2]; x[1]*x[2]]" --at "x=[1,2]" --radius 0.1',
    )
    parser.add_argument("--radius", metavar="R", type=float, help="of the ball (default a tenth of the point's norm)")
    parser.add_argument("--plot", metavar="FILE", help="draw the error over the distance: out.png, out.svg or out.pdf")


def _linearize(formula: Formula, options: argparse.Namespace) -> Any:
    formula, at = formula_and_values(formula, options.at, options)
    found = analysis.linearize(formula, at, listed_if_given(options.wrt, "--wrt"), radius=options.radius)
    if options.plot:
        analysis.plot_linearization(found, options.plot)
    return found


def _add_sensitivity(commands: Any) -> None:
    _command(
        commands,
        "sensitivity",
        _sensitivity,
        "which inputs matter most",
        "The relative condition number of every output in every input, ranked.",
        'matgrad sensitivity "a*b^3/c" --at "a=2; b=5; c=4"',
    )


def _sensitivity(formula: Formula, options: argparse.Namespace) -> Any:
    formula, at = formula_and_values(formula, options.at, options)
    return analysis.sensitivity(formula, at, listed_if_given(options.wrt, "--wrt"))


def _add_propagate(commands: Any) -> None:
    parser = _command(
        commands,
        "propagate",
        _propagate,
        "uncertainty of a value from that of its variables",
        "The mean and covariance of a value, to first and second order, from those of its variables.",
        'matgrad propagate "a*b^3/c" --at "a=2; b=5; c=4" --std "a=0.1; b=0.2" --samples 10000',
    )
    parser.add_argument("--std", metavar="VALUES", help='standard deviations: "a=0.1; x=[0.2,0.3]"')
    parser.add_argument(
        "--covariance", metavar="VALUES", help='(co)variances: "a=0.01; x=[0.04,0.01;0.01,0.09]", or a file'
    )
    parser.add_argument("--samples", metavar="N", type=int, default=0, help="of a Monte Carlo check (default none)")


def _propagate(formula: Formula, options: argparse.Namespace) -> Any:
    formula, at = formula_and_values(formula, options.at, options)
    return analysis.propagate(formula, at, _covariance(options), samples=options.samples)


def _covariance(options: argparse.Namespace) -> dict[Any, Any]:
    """Variances and covariances of ``--covariance``, and the squares of ``--std``."""
    import numpy as np

    if options.covariance is None and options.std is None:
        raise DataError("how uncertain the variables are is not said", hint='--std "a=0.1; x=[0.2,0.3]"')
    found: dict[Any, Any] = {}
    for name, value in ({} if options.covariance is None else read_point(options.covariance, {})).items():
        parts = tuple(part.strip() for part in name.split(","))
        found[parts if len(parts) > 1 else name] = value
    for name, value in ({} if options.std is None else read_point(options.std, {})).items():
        if name in found:
            raise DataError(f"{name} has both a covariance and a standard deviation", hint="one of the two")
        found[name] = np.asarray(value, dtype=float) ** 2
    return found


def _add_implicit(commands: Any) -> None:
    parser = _command(
        commands,
        "implicit",
        _implicit,
        "the derivative of what an equation defines",
        "dy/dx for the y that solves F(x, y) = 0; --at has a guess of y, from which F = 0 is solved.",
        'matgrad implicit "x^2 + y^2 - 25" --unknown y --wrt x --at "x=3; y=4"',
    )
    parser.add_argument("--unknown", metavar="NAMES", action="append", help="what F = 0 is solved for")


def _implicit(formula: Formula, options: argparse.Namespace) -> Any:
    at = None
    if options.at is not None:
        formula, at = formula_and_values(formula, options.at, options)
    wrt = listed_if_given(options.wrt, "--wrt")
    unknown = listed_if_given(options.unknown, "--unknown")
    if wrt is None or unknown is None:
        raise DataError("say what is unknown and what it depends on", hint="--unknown y --wrt x")
    return analysis.implicit(formula, unknown, wrt, at=at)


def _add_degeneracy(commands: Any) -> None:
    parser = _command(
        commands,
        "degeneracy",
        _degeneracy,
        "the rank of a Jacobian",
        "The rank of the Jacobian at a point, and the directions that the map loses there.",
        'matgrad degeneracy "[x[1]^2 + x[2]; x[1]*x[2]]" --at "x=[1,2]"',
    )
    parser.add_argument("--tolerance", metavar="T", type=float, help="smaller singular values, relatively, count as 0")


def _degeneracy(formula: Formula, options: argparse.Namespace) -> Any:
    formula, at = formula_and_values(formula, options.at, options)
    return analysis.degeneracy(formula, at, listed_if_given(options.wrt, "--wrt"), tolerance=options.tolerance)


def _add_slope(commands: Any) -> None:
    parser = _command(
        commands,
        "slope",
        _slope,
        "slopes of a scalar, and steps down",
        "The steepest direction of a scalar; with --along the slope in another, with --step a step down.",
        'matgrad slope "x[1]^2 + 3*x[2]^2" --at "x=[1,1]" --step 0.1',
    )
    parser.add_argument("--along", metavar="VALUES", help='a direction: "x=[1,0]"')
    parser.add_argument("--step", metavar="ETA", help="of x - ETA*gradient, or best")


def _slope(formula: Formula, options: argparse.Namespace) -> Any:
    formula, at = formula_and_values(formula, options.at, options)
    wrt = listed_if_given(options.wrt, "--wrt")
    if options.along is not None and options.step is not None:
        raise DataError(
            "--along asks for the slope along a direction, --step for a descent step", hint="one of the two"
        )
    if options.step is not None:
        return analysis.descent_step(formula, at, wrt, step=None if options.step == "best" else _number(options.step))
    if options.along is None:
        return analysis.steepest(formula, at, wrt)
    types = {name: variable.type for name, variable in formula.typed.variables.items()}
    along = read_point(options.along, types)
    return analysis.directional(formula, at, along, list(along) if wrt is None else wrt)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise DataError(f"the step is a number or 'best', not '{text}'", hint="--step 0.1") from error


class _Maps:
    """Both maps of a formula, as one answer."""

    def __init__(self, formula: Formula, wrt: list[str]) -> None:
        self.forward, self.backward = analysis.pushforward(formula, wrt), analysis.pullback(formula, wrt)

    def __str__(self) -> str:
        return f"pushforward  {self.forward}\npullback     {self.backward}"

    def to_dict(self) -> dict[str, Any]:
        """Text and LaTeX of both."""
        pairs = (("pushforward", self.forward), ("pullback", self.backward))
        return {name: {"text": str(map_), "latex": map_.latex} for name, map_ in pairs}


def _add_maps(commands: Any) -> None:
    parser = _command(
        commands,
        "maps",
        _maps,
        "pushforward and pullback",
        "The pushforward and the pullback in closed forms that never build the Jacobian.",
        'matgrad maps "y = tanh(A*x); sin(B*y)" --wrt x --through y',
        at=False,
    )
    parser.add_argument("--through", metavar="NAME", help="an intermediate: the Jacobian as a product of two")


def _maps(formula: Formula, options: argparse.Namespace) -> Any:
    wrt = listed_if_given(options.wrt, "--wrt") or list(formula.variables)
    if options.through is None:
        return _Maps(formula, wrt)
    return analysis.composition(formula, options.through, wrt)


class _Picture:
    """That a file was written, and where the methods on it arrived."""

    def __init__(self, path: str, found: dict[str, Any] | None = None) -> None:
        self.path = Path(path)
        self.found = found or {}

    def __str__(self) -> str:
        rows = [[name, f"{result.fun:.8g} after {result.nit} steps"] for name, result in self.found.items()]
        return "\n".join([*("  ".join(row) for row in rows), f"written to {self.path}"])

    def to_dict(self) -> dict[str, Any]:
        """The path, and the values that the methods found."""
        ends = {name: {"value": float(r.fun), "steps": int(r.nit)} for name, r in self.found.items()}
        return {"path": str(self.path), "methods": ends}


def _add_contours(commands: Any) -> None:
    parser = _command(
        commands,
        "contours",
        _contours,
        "a picture of the level lines",
        "Contours of a scalar around a point, with its quadratic model; of many variables, on a plane.",
        'matgrad contours "x[1]^2 - x[2]^2" --at "x=[0,0]" --plot saddle.png',
    )
    parser.add_argument("--plot", metavar="FILE", required=True, help="out.png, out.svg or out.pdf")
    parser.add_argument("--radius", metavar="R", type=float, help="of what is shown (default half the point's norm)")
    parser.add_argument(
        "--methods", metavar="NAMES", help="draw their paths from the point: gradient-descent,newton,l-bfgs"
    )
    parser.add_argument(
        "--plane", metavar="TWO", help='eigenvectors of the Hessian, "1,-1", or coordinates, "x[1]; x[3]"'
    )


def _contours(formula: Formula, options: argparse.Namespace) -> Any:
    formula, at = formula_and_values(formula, options.at, options)
    plane: list[Any] | None = None
    if options.plane is not None:
        parts = [part.strip() for part in options.plane.split(";" if ";" in options.plane else ",")]
        plane = [int(part) if part.lstrip("-").isdigit() else part for part in parts]
    wrt = listed_if_given(options.wrt, "--wrt") or list(formula.variables)
    if options.methods is None:
        analysis.plot_contours(formula, wrt, at, options.plot, radius=options.radius, plane=plane)
        return _Picture(options.plot)
    start = {name: at[name] for name in wrt if name in at}
    data = {name: value for name, value in at.items() if name not in start}
    methods = listed([options.methods], "--methods")
    found = analysis.compare_methods(formula, wrt, data, start, methods, options.plot, plane=plane)
    return _Picture(options.plot, found)
