"""``matgrad curvature``: its options, and what it is asked."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matgrad.analysis.local_curvature import Curvature, curvature
from matgrad.answer.formula import Formula
from matgrad.errors import DataError


def curvature_of(
    formula: Formula,
    wrt: Sequence[str] | None,
    point: Mapping[str, Any] | None,
    data: Mapping[str, Any] | None,
    options: argparse.Namespace,
) -> Curvature:
    """The answer at the values of ``--data`` and ``--at``; for all points where there is neither."""
    at = None if point is None and data is None else {**(data or {}), **(point or {})}
    return curvature(
        formula,
        list(wrt) if wrt else None,
        at,
        method=options.method,
        largest=options.largest,
        progress=options.progress,
    )


def a_file(path: str) -> str:
    """What ``--data`` was given, if it is the name of a file."""
    if "=" in path and not Path(path).is_file():
        raise DataError(f"--data takes the name of a file, not '{path}'", hint=f'--at "{path}"')
    return path


def data_of(formula: Formula, held: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of a file that the formula names: a file may hold more."""
    known = {*formula.typed.variables, *formula.sizes_needed()}
    return {name: value for name, value in held.items() if name in known}


def add_curvature(commands: Any, add_formula: Callable[[argparse.ArgumentParser], None]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "curvature",
        help="minimum, saddle or valley; convex or not; what descent and Newton will do",
        description="The curvature of a scalar: its Hessian at a point with eigenvalues and what follows from them; "
        "whether the formula is convex, and why. Without a point there is the latter alone.",
        epilog="""examples:
  matgrad curvature "x[1]^2 + 2*x[1]*x[2] + 3*x[2]^2" --wrt x --at "x=[0,0]"
  matgrad curvature "sum(softplus(X*w)) - y'*X*w" --wrt w
  matgrad curvature "norm2(U*V - Y)^2" --wrt U,V --data factors.npz --method iterative --largest 4

exit status: 0 fine, 2 bad input""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
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
    return parser
