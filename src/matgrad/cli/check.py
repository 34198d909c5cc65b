"""``matgrad check``: whether an answer is the derivative."""

from __future__ import annotations

import argparse
from typing import Any

from matgrad import MatgradError, check_answer
from matgrad.cli.arguments import add_conventions, add_formula, formula_in, new_command, wrt_in
from matgrad.cli.output import Names, verdict_report
from matgrad.cli.printing import print_json, print_report
from matgrad.cli.status import FINE, NO, UNDECIDED


def add(commands: Any) -> None:
    parser = new_command(
        commands,
        run,
        "check",
        help="whether an answer is the derivative, and what is wrong with it",
        description="Whether an answer is the derivative of a formula, and if not, what went wrong.",
        epilog="""examples:
  matgrad check "norm2(A*x - b)^2" --wrt x --answer "2*A*(A*x - b)"
  matgrad check "x'*A*x" --wrt x --order 2 --answer "2*A" --show
  matgrad check --latex-input '\\nabla_{\\mathbf{X}} \\log\\det \\mathbf{X}' --answer '\\mathbf{X}^{-1}'

exit status: 0 right, 1 wrong, 2 bad input, 4 undecided""",
    )
    add_formula(parser, at=False)
    parser.add_argument("--wrt", metavar="NAME", action="append", help="the variable")
    parser.add_argument("--answer", metavar="ANSWER", required=True, help="in text or LaTeX")
    add_conventions(parser)
    parser.add_argument("--show", action="store_true", help="show the right answer, as near to this one as possible")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(options: argparse.Namespace) -> int:
    formula = formula_in(options)
    wrt = wrt_in(options, formula)
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
        print_json({"formula": formula.text, "assumed": list(formula.assumed), **verdict.to_dict()})
    else:
        names = Names(formula, tuple(dict.fromkeys(formula.asks)) if wrt is None else tuple(wrt), True)
        print_report(lambda rich: verdict_report(names, verdict, show=options.show, rich=rich))
    return UNDECIDED if verdict.correct is None else FINE if verdict.correct else NO
