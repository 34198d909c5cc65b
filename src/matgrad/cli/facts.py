"""``matgrad facts``: what is certain about a formula."""

from __future__ import annotations

import argparse
from typing import Any

from matgrad.cli.arguments import add_formula, formula_in, listed, new_command, value_only
from matgrad.cli.output import Names, facts_report
from matgrad.cli.printing import print_json, print_report
from matgrad.cli.status import FINE, NO, UNDECIDED


def add(commands: Any) -> None:
    parser = new_command(
        commands,
        run,
        "facts",
        help="what is certain: convex, positive, symmetric, …",
        description="What is certain about a formula, for all values of its variables: yes with a proof, no with a "
        "counterexample, or unknown with what would have to be known besides.",
        epilog="""examples:
  matgrad facts "norm2(A*x - b)^2" --in x
  matgrad facts "x'*inv(S)*x" --in x,S --where "S: spd(n)"
  matgrad facts "r = A*x - b; r'*r" --of r
  matgrad facts "logsumexp(A*x)" --in x --is convex

exit status: 0 fine, 2 bad input; with --is: 0 yes, 1 no, 4 unknown""",
    )
    add_formula(parser, at=False)
    parser.add_argument("--in", dest="names", metavar="NAMES", action="append", help="variables to vary jointly: x,t")
    parser.add_argument("--of", metavar="NAME", help="an intermediate to ask about in place of the value")
    parser.add_argument("--is", dest="property", metavar="FACT", help="one fact, answered by the exit status as well")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(options: argparse.Namespace) -> int:
    formula = value_only(formula_in(options), "facts")
    names = listed(options.names or (), "--in")
    found = formula.facts(names or None, of=options.of)
    shown = found if options.property is None else found.only(options.property)
    if options.json:
        print_json(shown.to_dict())
    else:
        heading = Names(formula, tuple(names), True)
        print_report(lambda rich: facts_report(heading, shown, options.of, rich=rich))
    if options.property is None:
        return FINE
    return {"yes": FINE, "no": NO, "unknown": UNDECIDED}[shown[options.property].holds.value]
