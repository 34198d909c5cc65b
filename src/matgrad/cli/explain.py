"""``matgrad explain``: how a derivative comes about."""

from __future__ import annotations

import argparse
from typing import Any

from matgrad import explain
from matgrad.cli.arguments import add_formula, formula_in, new_command, wrt_in
from matgrad.cli.points import values_at
from matgrad.cli.printing import print_json, print_text
from matgrad.cli.status import FINE, UNDECIDED
from matgrad.explaining.graph import draw


def add(commands: Any) -> None:
    parser = new_command(
        commands,
        run,
        "explain",
        help="how a derivative comes about, line by line",
        description="The derivation of a derivative, one named law a line; every line is checked at random points.",
        epilog="""examples:
  matgrad explain "norm2(A*x - b)^2" --wrt x
  matgrad explain "a1 = W1*x; y = W2*a1; 0.5*norm2(y - t)^2" --wrt W1,W2 --style backward
  matgrad explain "x'*A*x" --wrt x --style components
  matgrad explain "for l in 1..100 { a{l} = tanh(W{l}*a{l-1}) }; norm2(a100)^2" --wrt W1 --style backward

exit status: 0 fine, 2 bad input, 4 no point was found to check the lines at""",
    )
    add_formula(parser)
    parser.add_argument("--wrt", metavar="NAMES", action="append", help="the variable, or several: W1,W2")
    parser.add_argument("--order", metavar="K", type=int, default=1, help="1, or 2 for a Hessian (default 1)")
    styles = ("differential", "backward", "components")
    parser.add_argument("--style", choices=styles, default=styles[0], help="of the derivation (default differential)")
    parser.add_argument("--brief", action="store_true", help="main lines only")
    parser.add_argument("--graph", metavar="FILE", help="draw the computation graph: out.svg, out.pdf or out.png")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print everything as JSON")
    form.add_argument("--latex", action="store_true", help="print LaTeX (align*)")
    form.add_argument("--markdown", action="store_true", help="print Markdown")
    form.add_argument("--html", action="store_true", help="print HTML")


def run(options: argparse.Namespace) -> int:
    formula = formula_in(options)
    wrt = wrt_in(options, formula)
    point = None if options.at is None else values_at(formula, options.at)
    derivation = explain(formula, wrt, order=options.order, style=options.style, brief=options.brief, at=point)
    if options.graph:
        draw(formula, derivation.wrt[:1] if wrt is None else wrt, options.graph, at=point)
    if options.json:
        print_json(derivation.to_dict())
    else:
        forms = {"latex": derivation.latex, "markdown": derivation.markdown, "html": derivation.html}
        print_text(next((text for name, text in forms.items() if getattr(options, name)), derivation.text))
    return FINE if derivation.points else UNDECIDED
