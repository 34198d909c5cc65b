"""The command line: ``matgrad derive`` and ``matgrad eval``.

Exit status: 0 fine, 2 bad input, 3 a check failed, 4 a check was undecided, 70 a fault of matgrad itself.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from matgrad import Derivative, Formula, MatgradError, __version__, derive
from matgrad.answer.derivative import SYMMETRIC
from matgrad.answer.layout import LAYOUTS
from matgrad.cli_data import EXAMPLE, read_point
from matgrad.cli_output import Names, Row, aligned, ascii_only, joined_code, latex_lines, plain_data, report, show_value
from matgrad.errors import DataError

FINE, BAD_INPUT, CHECK_FAILED, UNDECIDED = 0, 2, 3, 4
INTERRUPTED, BROKEN_PIPE, FAULT = 130, 141, 70


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command, print its answer or one error message, and give the exit status."""
    given = sys.argv[1:] if argv is None else list(argv)
    try:
        status = _run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _run(given: Sequence[str]) -> int:
    parser = _parser()
    try:
        options = parser.parse_args([_not_an_option(word) for word in given])
        command: Callable[[argparse.Namespace], int] | None = options.command
        if command is None:
            parser.print_help()
            return FINE
        return command(options)
    except SystemExit as stop:  # --help and --version
        return stop.code if isinstance(stop.code, int) else FINE
    except MatgradError as error:
        return _complain(_OPTION.sub(r"--\1 \2", str(error)), BAD_INPUT)
    except BrokenPipeError:
        raise
    except Exception as error:  # a user is never shown a traceback, unless it is asked for
        if os.environ.get("MATGRAD_DEBUG"):
            raise
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        what = f"this is a fault of matgrad, not of the formula ({reason})"
        return _complain(f"{what}\n    MATGRAD_DEBUG=1 shows where it happened; please report it", FAULT)


_OPTION = re.compile(r'\b(layout|symmetric)="(\w+)"')
"""Hints are written for Python: these are options here."""


def _complain(message: str, status: int) -> int:
    sys.stdout.flush()
    print(f"error: {_encodable(message, sys.stderr)}", file=sys.stderr)
    return status


def _silence(stream: Any) -> None:
    """After a broken pipe: nothing more is written, so that the interpreter does not complain at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


# -- options


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise MatgradError(" ".join(message.split()), hint=f"{self.prog} --help")


def _not_an_option(word: str) -> str:
    """A formula may begin with a minus: a blank before it keeps it from being read as an option."""
    if word.startswith("-") and word != "-h" and not word.startswith("--"):
        return " " + word
    return word if not word.startswith("--") or word[2:3].isalpha() or word == "--" else " " + word


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="matgrad",
        description="Matrix calculus in closed form, checked.",
        epilog="""examples:
  matgrad derive "norm2(A*x - b)^2" --wrt x
  matgrad eval "norm2(x)^2" --at "x=[1,2]"

matgrad derive --help and matgrad eval --help say more.""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"matgrad {__version__}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_derive(commands)
    _add_eval(commands)
    return parser


def _add_derive(commands: Any) -> None:
    parser = commands.add_parser(
        "derive",
        help="a derivative in matrix notation",
        description="The derivative of a formula in matrix notation, checked at random points.",
        epilog=f"""examples:
  matgrad derive "norm2(A*x - b)^2" --wrt x
  matgrad derive "logdet(S) - tr(S*X)" --wrt S,X --where "S: spd(n); X: symmetric(n)"
  matgrad derive "x'*A*x" --wrt x --order 2 --at "{EXAMPLE.rpartition(";")[0]}"

exit status: 0 fine, 2 bad input, 3 the check failed, 4 the check was undecided""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_formula(parser)
    parser.add_argument("--wrt", metavar="NAMES", action="append", help="the variable, or several: x,y")
    parser.add_argument("--order", metavar="K", type=int, default=1, help="of the derivative, 1 to 4 (default 1)")
    parser.add_argument("--layout", choices=LAYOUTS, default="mixed", help="how the axes stand (default mixed)")
    parser.add_argument(
        "--symmetric",
        choices=SYMMETRIC,
        default="projected",
        help="the convention for symmetric variables (default projected)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print everything as JSON")
    form.add_argument("--latex", action="store_true", help="print LaTeX only")
    form.add_argument("--code", choices=("numpy",), help="print source code only")
    parser.set_defaults(command=_derive)


def _add_eval(commands: Any) -> None:
    parser = commands.add_parser(
        "eval",
        help="the value of a formula",
        description="The value of a formula at given arrays.",
        epilog="""examples:
  matgrad eval "x'*A*x" --at "A=[1,2;2,3]; x=[1,2]"
  matgrad eval "r = A*x - b; r'*r" --at data.npz""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_formula(parser)
    parser.add_argument("--json", action="store_true", help="print the value as JSON")
    parser.set_defaults(command=_evaluate)


def _add_formula(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("formula", metavar="FORMULA", help='in quotes; definitions first: "r = A*x - b; r\'*r"')
    parser.add_argument("--where", metavar="DECLS", help='what names are: "S: spd(n); x: vector(3); g: function"')
    parser.add_argument("--at", metavar="POINT", help=f'values: "{EXAMPLE}", or a .npz or .json file')


# -- matgrad derive


def _derive(options: argparse.Namespace) -> int:
    wrt = _wrt(options)
    found = derive(
        options.formula.strip(),
        wrt,
        where=options.where,
        order=options.order,
        layout=options.layout,
        symmetric=options.symmetric,
    )
    derivatives = list(found.values())
    formula = derivatives[0].formula
    code = joined_code({d.wrt[0]: d.code(options.code) for d in derivatives}) if options.code else ""
    point = None if options.at is None else _point(formula, options.at)
    values = None if point is None else _values(formula, derivatives, point)
    checks = [d.verify() for d in derivatives]
    names = Names(formula, tuple(wrt), len(wrt) == 1)
    if options.json:
        _print_json(_as_data(derivatives, checks, values))
    elif options.latex:
        _print("\n".join(latex_lines(names, derivatives)))
    elif options.code:
        _print(code.rstrip("\n"))
    else:
        _print_report(names, derivatives, checks, values)
    if options.latex or options.code:
        _warn(derivatives, checks)
    return _status(checks)


def _wrt(options: argparse.Namespace) -> list[str]:
    """The names after ``--wrt``."""
    if options.wrt is None:
        known = Formula(options.formula.strip(), options.where).variables
        raise MatgradError(
            "say in which variable to differentiate",
            hint=f"--wrt {next(iter(known))}" if known else None,
        )
    names = [name.strip() for given in options.wrt for name in given.split(",")]
    if not all(names):
        raise MatgradError(f"--wrt takes names with commas between them, not '{','.join(options.wrt)}'")
    return names


def _status(checks: Sequence[Any]) -> int:
    if any(check.passed is False for check in checks):
        return CHECK_FAILED
    return UNDECIDED if any(check.passed is None for check in checks) else FINE


def _warn(derivatives: Sequence[Derivative], checks: Sequence[Any]) -> None:
    """Where only LaTeX or code is printed, a check that did not pass is said on stderr."""
    for d, check in zip(derivatives, checks, strict=True):
        if not check.passed:
            print(f"warning: the check of the derivative in {d.wrt[0]}: {check}", file=sys.stderr)


def _as_data(derivatives: Sequence[Derivative], checks: Sequence[Any], values: _Values | None) -> Any:
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


def _print_report(
    names: Names, derivatives: Sequence[Derivative], checks: Sequence[Any], values: _Values | None
) -> None:
    def build(rich: bool) -> str:
        blocks = report(names, list(zip(derivatives, checks, strict=True)), rich=rich)
        text = aligned(blocks if rich else _plain(blocks))
        return text if values is None else f"{text}\n\n{_at_point(names, derivatives, values, rich=rich)}"

    rich = build(True)
    _print(rich if _can_print(rich) else build(False))


def _plain(blocks: Sequence[Sequence[Row]]) -> list[list[Row]]:
    """Blocks without the signs that a poor terminal lacks."""
    return [[Row(ascii_only(r.label), ascii_only(r.text), ascii_only(r.remark), r.equation) for r in b] for b in blocks]


# -- values

_Values = tuple[Any, list[Any]]


def _point(formula: Formula, at: str) -> dict[str, Any]:
    functions = sorted(formula.typed.functions)
    if functions:
        raise DataError(
            f"{functions[0]} is an unspecified function: it has no values on the command line",
            hint=f"a known function in place of {functions[0]}, or Python: derivative({functions[0]}=(g0, g1), …)",
        )
    return read_point(at, {name: v.type for name, v in formula.typed.variables.items()})


def _values(formula: Formula, derivatives: Sequence[Derivative], point: Mapping[str, Any]) -> _Values:
    """The formula and its derivatives at a point; an error where they are not defined there."""
    value = _defined(formula(**point), "the formula", [])
    return value, [_defined(d(**point), f"the derivative in {d.wrt[0]}", d.conditions) for d in derivatives]


def _defined(value: Any, what: str, conditions: Sequence[str]) -> Any:
    import numpy as np

    if np.isnan(value).any():
        raise DataError(f"{what} is not defined at this point", details="\n".join(conditions) or None)
    return value


def _at_point(names: Names, derivatives: Sequence[Derivative], values: _Values, *, rich: bool) -> str:
    labels = [names.function, *(names.derivative(d, str) for d in derivatives)]
    labels = labels if rich else [ascii_only(label) for label in labels]
    title, width = "at this point  ", max(map(len, labels))
    lines: list[str] = []
    for label, value in zip(labels, [values[0], *values[1]], strict=True):
        head = f"{title if not lines else ' ' * len(title)}{label:<{width}} = "
        first, *others = show_value(value).split("\n")
        lines += [head + first, *(" " * len(head) + other for other in others)]
    return "\n".join(lines if rich else map(ascii_only, lines))


# -- matgrad eval


def _evaluate(options: argparse.Namespace) -> int:
    formula = Formula(options.formula.strip(), options.where)
    point = _point(formula, options.at or "")
    if options.at is None and formula.variables:
        example = "; ".join(f"{name}=…" for name in formula.variables)
        raise DataError(f"no values are given for {', '.join(formula.variables)}", hint=f'--at "{example}"')
    value = _defined(formula(**point), "the formula", [])
    if options.json:
        _print_json({"formula": formula.text, "shape": list(formula.shape), "value": plain_data(value)})
    else:
        _print(show_value(value))
    return FINE


# -- printing


def _print_json(data: Any) -> None:
    import json

    _print(json.dumps(data, indent=2, ensure_ascii=not _can_print("∇ᵀ‖₂π"), allow_nan=False))


def _print(text: str) -> None:
    print(_encodable(text, sys.stdout))


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _encodable(text: str, stream: Any) -> str:
    """The text with what the stream cannot encode written as escapes."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
