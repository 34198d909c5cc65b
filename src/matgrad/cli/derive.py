"""``matgrad derive``: a derivative in matrix notation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matgrad import Derivative, Formula, derive
from matgrad.answer.evaluation import kinks_at
from matgrad.cli.arguments import add_conventions, add_formula, formula_in, new_command, wrt_in
from matgrad.cli.data import EXAMPLE
from matgrad.cli.output import Names, Row, aligned, ascii_only, joined_code, latex_lines, plain_data, report, show_value
from matgrad.cli.points import defined, values_at
from matgrad.cli.printing import print_json, print_report, print_text
from matgrad.cli.status import CHECK_FAILED, FINE, UNDECIDED

Values = tuple[Any, list[Any], Iterable[str]]
"""Of the formula and of its derivatives at a point, and what was used at its kinks."""


def add(commands: Any) -> None:
    parser = new_command(
        commands,
        run,
        "derive",
        help="a derivative in matrix notation",
        description="The derivative of a formula in matrix notation, checked at random points.",
        epilog=f"""examples:
  matgrad derive "norm2(A*x - b)^2" --wrt x
  matgrad derive "logdet(S) - tr(S*X)" --wrt S,X --where "S: spd(n); X: symmetric(n)"
  matgrad derive "x'*A*x" --wrt x --order 2 --at "{EXAMPLE.rpartition(";")[0]}"

exit status: 0 fine, 2 bad input, 3 the check failed, 4 the check was undecided""",
    )
    add_formula(parser)
    parser.add_argument("--wrt", metavar="NAMES", action="append", help="the variable, or several: x,y")
    add_conventions(parser)
    parser.add_argument("--riemannian", action="store_true", help="the gradient on orthogonal(n) or spd(n) matrices")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print everything as JSON")
    form.add_argument("--latex", action="store_true", help="print LaTeX only")
    form.add_argument("--code", choices=("numpy", "jax", "torch"), help="print source code only")


def run(options: argparse.Namespace) -> int:
    known = formula_in(options)
    wrt = wrt_in(options, known)
    found = derive(
        known,
        wrt,
        order=options.order,
        layout=options.layout,
        symmetric=options.symmetric,
        riemannian=options.riemannian,
    )
    derivatives = list(found.values()) if isinstance(found, dict) else [found]
    formula = derivatives[0].formula
    wrt = list(dict.fromkeys(derivatives[0].wrt)) if wrt is None else wrt
    code = joined_code({d.wrt[0]: d.code(options.code) for d in derivatives}) if options.code else ""
    point = None if options.at is None else values_at(formula, options.at)
    values = None if point is None else _values(formula, derivatives, point)
    checks = [d.verify() for d in derivatives]
    names = Names(formula, tuple(wrt), len(wrt) == 1)
    if options.json:
        print_json(_as_data(derivatives, checks, values))
    elif options.latex:
        print_text("\n".join(latex_lines(names, derivatives)))
    elif options.code:
        print_text(code.rstrip("\n"))
    else:
        print_report(lambda rich: _report(names, derivatives, checks, values, rich=rich))
    if options.latex or options.code:
        _warn(derivatives, checks)
    return _status(checks)


def _status(checks: Sequence[Any]) -> int:
    if any(check.passed is False for check in checks):
        return CHECK_FAILED
    return UNDECIDED if any(check.passed is None for check in checks) else FINE


def _warn(derivatives: Sequence[Derivative], checks: Sequence[Any]) -> None:
    """Where only LaTeX or code is printed, a check that did not pass is said on stderr."""
    for d, check in zip(derivatives, checks, strict=True):
        if not check.passed:
            print(f"warning: the check of the derivative in {d.wrt[0]}: {check}", file=sys.stderr)


def _as_data(derivatives: Sequence[Derivative], checks: Sequence[Any], values: Values | None) -> Any:
    """What --json prints: a derivative, or an object of them by name."""
    found = {}
    for k, (d, check) in enumerate(zip(derivatives, checks, strict=True)):
        data = d.to_dict()
        data["check"] = {
            "passed": check.passed,
            "method": check.method,
            "points": check.points,
            "max_relative_error": plain_data(check.max_relative_error),
        }
        if values is not None:
            data["at"] = {"value": plain_data(values[0]), "derivative": plain_data(values[1][k])}
        found[d.wrt[0]] = data
    return found if len(found) > 1 else next(iter(found.values()))


def _report(
    names: Names, derivatives: Sequence[Derivative], checks: Sequence[Any], values: Values | None, *, rich: bool
) -> str:
    blocks = report(names, list(zip(derivatives, checks, strict=True)), rich=rich)
    text = aligned(blocks if rich else _plain(blocks))
    return text if values is None else f"{text}\n\n{_at_point(names, derivatives, values, rich=rich)}"


def _plain(blocks: Sequence[Sequence[Row]]) -> list[list[Row]]:
    """Blocks without the signs that a poor terminal lacks."""
    return [[Row(ascii_only(r.label), ascii_only(r.text), ascii_only(r.remark), r.equation) for r in b] for b in blocks]


def _values(formula: Formula, derivatives: Sequence[Derivative], point: Mapping[str, Any]) -> Values:
    """The formula and its derivatives at a point; an error where they are not defined there."""
    value = defined(formula(**point), "the formula", derivatives[0].conditions)
    found = [defined(d(**point), f"the derivative in {d.wrt[0]}", d.conditions) for d in derivatives]
    return value, found, dict.fromkeys(met for d in derivatives for met in kinks_at(formula, d.wrt, point))


def _at_point(names: Names, derivatives: Sequence[Derivative], values: Values, *, rich: bool) -> str:
    labels = [names.function, *(names.derivative(d, str) for d in derivatives)]
    labels = labels if rich else [ascii_only(label) for label in labels]
    title, width = "at this point  ", max(map(len, labels))
    lines: list[str] = []
    for label, value in zip(labels, [values[0], *values[1]], strict=True):
        head = f"{title if not lines else ' ' * len(title)}{label:<{width}} = "
        first, *others = show_value(value).split("\n")
        lines += [head + first, *(" " * len(head) + other for other in others)]
    lines += [" " * len(title) + remark for remark in values[2]]
    return "\n".join(lines if rich else map(ascii_only, lines))
