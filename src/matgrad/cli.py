"""The command line: ``matgrad derive``, ``explain``, ``check``, ``facts``, ``curvature``, ``minimize`` and more.

Exit status: 0 fine, 1 no, or a wrong answer, 2 bad input, 3 a check failed, 4 undecided or unknown, 70 a
fault of matgrad itself, 74 the output could not be written.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matgrad import Derivative, Formula, MatgradError, check_answer, derive, explain, parse, parse_latex
from matgrad.answer.evaluation import kinks_at
from matgrad.cli_curvature import a_file, curvature_of, data_of
from matgrad.cli_data import read_point
from matgrad.cli_jacobians import plain, point_of
from matgrad.cli_options import Command, not_an_option, parser_for
from matgrad.cli_output import (
    Names,
    Row,
    aligned,
    ascii_only,
    facts_report,
    joined_code,
    latex_lines,
    plain_data,
    report,
    show_value,
    verdict_report,
)
from matgrad.errors import DataError, NotSupported
from matgrad.explaining.graph import draw

FINE, NO, BAD_INPUT, CHECK_FAILED, UNDECIDED = 0, 1, 2, 3, 4
FAULT, NOT_WRITTEN, INTERRUPTED, BROKEN_PIPE = 70, 74, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command, print its answer or one error message, and give the exit status."""
    given = sys.argv[1:] if argv is None else list(argv)
    try:
        status = _run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
        return BROKEN_PIPE
    except OSError as error:
        _silence(sys.stdout)
        print(f"error: the output cannot be written: {error.strerror}", file=sys.stderr)
        return NOT_WRITTEN
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _run(given: Sequence[str]) -> int:
    parser = parser_for(_derive, _evaluate, _explain, _facts, _curvature, _check, _minimize, _serve, _jacobians)
    try:
        options = parser.parse_args([not_an_option(word) for word in given])
        command: Command | None = options.command
        if command is None:
            parser.print_help()
            return FINE
        return command(options)
    except SystemExit as stop:  # --help and --version
        return stop.code if isinstance(stop.code, int) else FINE
    except MatgradError as error:
        return _complain(_OPTION.sub(r"--\1 \2", str(error)), BAD_INPUT)
    except OSError:  # of the output: those of the input are told where they arise
        raise
    except Exception as error:  # a user is never shown a traceback, unless it is asked for
        if os.environ.get("MATGRAD_DEBUG"):
            raise
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        what = f"this is a fault of matgrad, not of the formula ({reason})"
        return _complain(f"{what}\n    MATGRAD_DEBUG=1 shows where it happened; please report it", FAULT)


_OPTION = re.compile(r"""\b(layout|symmetric|style|method)=["']([\w-]+)["']""")
"""Hints are written for Python: these are options here."""


def _complain(message: str, status: int) -> int:
    sys.stdout.flush()
    print(f"error: {_encodable(message, sys.stderr)}", file=sys.stderr)
    return status


def _silence(stream: Any) -> None:
    """After a broken pipe: nothing more is written, so that the interpreter does not complain at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


# -- matgrad derive


def _derive(options: argparse.Namespace) -> int:
    known = _formula(options)
    wrt = _wrt(options, known)
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


def _formula(options: argparse.Namespace) -> Formula:
    """The formula, in text or in LaTeX."""
    return (parse_latex if options.latex_input else parse)(options.formula.strip(), where=options.where)


def _value_only(formula: Formula, command: str) -> Formula:
    """The formula, if it does not ask for a derivative, of which these commands know nothing."""
    if formula.asks:
        raise MatgradError(
            f"the LaTeX asks for a derivative, but matgrad {command} is about the formula itself",
            hint="the formula without ∇ or ∂, or matgrad derive",
        )
    return formula


def _wrt(options: argparse.Namespace, formula: Formula) -> list[str] | None:
    """The names after ``--wrt``; None where the formula says what to differentiate in."""
    if options.wrt is None and formula.asks:
        return None
    if options.wrt is None:
        known = formula.variables
        raise MatgradError(
            "say in which variable to differentiate",
            hint=f"--wrt {next(iter(known))}" if known else None,
        )
    return _listed(options.wrt, "--wrt")


def _listed(given: Sequence[str], option: str) -> list[str]:
    """The names after an option, which may be given several times."""
    names = [name.strip() for part in given for name in part.split(",")]
    if not all(names):
        raise MatgradError(f"{option} takes names with commas between them, not '{','.join(given)}'")
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

_Values = tuple[Any, list[Any], Iterable[str]]


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
    value = _defined(formula(**point), "the formula", derivatives[0].conditions)
    found = [_defined(d(**point), f"the derivative in {d.wrt[0]}", d.conditions) for d in derivatives]
    return value, found, dict.fromkeys(met for d in derivatives for met in kinks_at(formula, d.wrt, point))


def _defined(value: Any, what: str, conditions: Sequence[str]) -> Any:
    import numpy as np

    if np.isnan(value).any() or (conditions and np.isinf(value).any()):  # inf without conditions is an overflow
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
    lines += [" " * len(title) + remark for remark in values[2]]
    return "\n".join(lines if rich else map(ascii_only, lines))


# -- matgrad explain


def _explain(options: argparse.Namespace) -> int:
    formula = _formula(options)
    wrt = _wrt(options, formula)
    point = None if options.at is None else _point(formula, options.at)
    derivation = explain(formula, wrt, order=options.order, style=options.style, brief=options.brief, at=point)
    if options.graph:
        draw(formula, derivation.wrt[:1] if wrt is None else wrt, options.graph, at=point)
    if options.json:
        _print_json(derivation.to_dict())
    else:
        forms = {"latex": derivation.latex, "markdown": derivation.markdown, "html": derivation.html}
        _print(next((text for name, text in forms.items() if getattr(options, name)), derivation.text))
    return FINE if derivation.points else UNDECIDED


# -- matgrad check


def _check(options: argparse.Namespace) -> int:
    formula = _formula(options)
    wrt = _wrt(options, formula)
    if wrt is not None and len(wrt) > 1:
        raise MatgradError(f"an answer is checked in one variable, not in {', '.join(wrt)}", hint=f"--wrt {wrt[0]}")
    verdict = check_answer(
        formula,
        None if wrt is None else wrt[0],
        options.answer.strip(),
        order=options.order,
        layout=options.layout,
        symmetric=options.symmetric,
    )
    if options.json:
        _print_json({"formula": formula.text, "assumed": list(formula.assumed), **verdict.to_dict()})
    else:
        names = Names(formula, tuple(dict.fromkeys(formula.asks)) if wrt is None else tuple(wrt), True)
        text = verdict_report(names, verdict, show=options.show, rich=True)
        plain = verdict_report(names, verdict, show=options.show, rich=False)
        _print(text if _can_print(text) else ascii_only(plain))
    return UNDECIDED if verdict.correct is None else FINE if verdict.correct else NO


# -- matgrad facts


def _facts(options: argparse.Namespace) -> int:
    formula = _value_only(_formula(options), "facts")
    names = [name.strip() for given in options.names or () for name in given.split(",")]
    if not all(names):
        raise MatgradError(f"--in takes names with commas between them, not '{','.join(options.names)}'")
    found = formula.facts(names or None, of=options.of)
    shown = found if options.property is None else found.only(options.property)
    if options.json:
        _print_json(shown.to_dict())
    else:
        heading = Names(formula, tuple(names), True)
        text = facts_report(heading, shown, options.of, rich=True)
        _print(text if _can_print(text) else ascii_only(facts_report(heading, shown, options.of, rich=False)))
    if options.property is None:
        return FINE
    return {"yes": FINE, "no": NO, "unknown": UNDECIDED}[shown[options.property].holds.value]


# -- matgrad curvature


def _curvature(options: argparse.Namespace) -> int:
    formula = _formula(options)
    wrt = _wrt(options, formula) if options.wrt is not None else None
    formula, point = (formula, None) if options.at is None else point_of(formula, options.at, options)
    held = None if options.data is None else data_of(formula, _point(formula, a_file(options.data)))
    found = curvature_of(formula, wrt, point, held, options)
    if options.json:
        _print_json(found.to_dict())
    else:
        text = found.markdown if options.markdown else found.text
        _print(text if _can_print(text) else ascii_only(text))
    return FINE


# -- matgrad minimize


def _minimize(options: argparse.Namespace) -> int:
    from matgrad.cli_minimize import minimized, table

    formula = _value_only(_formula(options), "minimize")
    over = _listed(options.over, "--over")
    found = minimized(formula, over, options)
    if options.json:
        _print_json(found.to_dict())
    else:
        text = f"{found}\n\n{table(found)}" if options.history else str(found)
        text = _OPTION.sub(r"--\1 \2", text)
        _print(text if _can_print(text) else ascii_only(text))
    return FINE if found.success else INTERRUPTED if found.status < 0 else UNDECIDED


# -- matgrad eval


def _evaluate(options: argparse.Namespace) -> int:
    formula = _value_only(_formula(options), "eval")
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


# -- matgrad linearize, sensitivity, propagate, implicit, degeneracy, slope, maps, contours


def _jacobians(options: argparse.Namespace) -> int:
    formula = _value_only(_formula(options), options.answer.__name__.strip("_"))
    found = options.answer(formula, options)
    if options.json:
        _print_json(plain_data(found.to_dict()))
    else:
        text = str(found)
        _print(text if _can_print(text) else ascii_only(plain(text)))
    return FINE


# -- matgrad mcp


def _serve(options: argparse.Namespace) -> int:
    if not options.seconds > 0:
        raise MatgradError("the limit on time is a number of seconds above 0", hint="--seconds 10")
    try:
        from matgrad.serving.server import run
    except ImportError as error:
        raise NotSupported("the server needs the package mcp", hint='pip install "matgrad[mcp]"') from error
    run(options.seconds)
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
