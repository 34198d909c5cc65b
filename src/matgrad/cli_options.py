"""The commands and options of the command line, with their help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from matgrad import MatgradError, __version__
from matgrad.answer.layout import LAYOUTS
from matgrad.answer.options import SYMMETRIC
from matgrad.cli_curvature import add_curvature
from matgrad.cli_data import EXAMPLE
from matgrad.cli_jacobians import add_commands as add_jacobians
from matgrad.cli_minimize import add_minimize

Command = Callable[[argparse.Namespace], int]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise MatgradError(" ".join(message.split()), hint=f"{self.prog} --help")


def not_an_option(word: str) -> str:
    """A formula may begin with a minus: a blank before it keeps it from being read as an option."""
    if word.startswith("-") and word != "-h" and not word.startswith("--"):
        return " " + word
    return word if not word.startswith("--") or word[2:3].isalpha() or word == "--" else " " + word


def parser_for(
    derive: Command,
    evaluate: Command,
    explain: Command,
    facts: Command,
    curvature: Command,
    check: Command,
    minimize: Command,
    serve: Command,
    jacobians: Command,
) -> argparse.ArgumentParser:
    """The parser of all options; it sets ``command`` to one of the functions, or to None."""
    parser = _Parser(
        prog="matgrad",
        description="Matrix calculus in closed form, checked.",
        epilog="""examples:
  matgrad derive "norm2(A*x - b)^2" --wrt x
  matgrad explain "norm2(A*x - b)^2" --wrt x
  matgrad facts "logsumexp(A*x)" --in x
  matgrad check "norm2(A*x - b)^2" --wrt x --answer "2*A*(A*x - b)"
  matgrad minimize "norm2(A*x - b)^2" --over x --data data.npz
  matgrad eval "norm2(x)^2" --at "x=[1,2]"
  matgrad sensitivity "a*b^3/c" --at "a=2; b=5; c=4"

matgrad COMMAND --help says more.""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"matgrad {__version__}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_derive(commands).set_defaults(command=derive)
    _add_explain(commands).set_defaults(command=explain)
    _add_facts(commands).set_defaults(command=facts)
    add_curvature(commands, add_formula).set_defaults(command=curvature)
    _add_check(commands).set_defaults(command=check)
    _add_eval(commands).set_defaults(command=evaluate)
    add_jacobians(commands, jacobians)
    add_minimize(commands, add_formula).set_defaults(command=minimize)
    _add_mcp(commands).set_defaults(command=serve)
    return parser


def _add_derive(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
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
    add_formula(parser)
    parser.add_argument("--wrt", metavar="NAMES", action="append", help="the variable, or several: x,y")
    _add_conventions(parser)
    parser.add_argument("--riemannian", action="store_true", help="the gradient on orthogonal(n) or spd(n) matrices")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print everything as JSON")
    form.add_argument("--latex", action="store_true", help="print LaTeX only")
    form.add_argument("--code", choices=("numpy", "jax", "torch"), help="print source code only")
    return parser


def _add_explain(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "explain",
        help="how a derivative comes about, line by line",
        description="The derivation of a derivative, one named law a line; every line is checked at random points.",
        epilog="""examples:
  matgrad explain "norm2(A*x - b)^2" --wrt x
  matgrad explain "a1 = W1*x; y = W2*a1; 0.5*norm2(y - t)^2" --wrt W1,W2 --style backward
  matgrad explain "x'*A*x" --wrt x --style components
  matgrad explain "for l in 1..100 { a{l} = tanh(W{l}*a{l-1}) }; norm2(a100)^2" --wrt W1 --style backward

exit status: 0 fine, 2 bad input, 4 no point was found to check the lines at""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
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
    return parser


def _add_facts(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
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
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_formula(parser, at=False)
    parser.add_argument("--in", dest="names", metavar="NAMES", action="append", help="variables to vary jointly: x,t")
    parser.add_argument("--of", metavar="NAME", help="an intermediate to ask about in place of the value")
    parser.add_argument("--is", dest="property", metavar="FACT", help="one fact, answered by the exit status as well")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    return parser


def _add_check(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "check",
        help="whether an answer is the derivative, and what is wrong with it",
        description="Whether an answer is the derivative of a formula, and if not, what went wrong.",
        epilog="""examples:
  matgrad check "norm2(A*x - b)^2" --wrt x --answer "2*A*(A*x - b)"
  matgrad check "x'*A*x" --wrt x --order 2 --answer "2*A" --show
  matgrad check --latex-input '\\nabla_{\\mathbf{X}} \\log\\det \\mathbf{X}' --answer '\\mathbf{X}^{-1}'

exit status: 0 right, 1 wrong, 2 bad input, 4 undecided""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_formula(parser, at=False)
    parser.add_argument("--wrt", metavar="NAME", action="append", help="the variable")
    parser.add_argument("--answer", metavar="ANSWER", required=True, help="in text or LaTeX")
    _add_conventions(parser)
    parser.add_argument("--show", action="store_true", help="show the right answer, as near to this one as possible")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    return parser


def _add_eval(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "eval",
        help="the value of a formula",
        description="The value of a formula at given arrays.",
        epilog="""examples:
  matgrad eval "x'*A*x" --at "A=[1,2;2,3]; x=[1,2]"
  matgrad eval "r = A*x - b; r'*r" --at data.npz""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_formula(parser)
    parser.add_argument("--json", action="store_true", help="print the value as JSON")
    return parser


def _add_mcp(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "mcp",
        help="a server for language models",
        description="A server of the Model Context Protocol over stdio: derive, explain, check and evaluate.",
        epilog='needs the extra: pip install "matgrad[mcp]"',
        allow_abbrev=False,
    )
    parser.add_argument("--seconds", metavar="S", type=float, default=10.0, help="that a call may take (default 10)")
    return parser


_FORMULA = 'in quotes; definitions first: "r = A*x - b; r\'*r"'
_WHERE = 'what names are: "S: spd(n); x: vector(3); g: function"'


def _add_conventions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--order", metavar="K", type=int, default=1, help="of the derivative, 1 to 4 (default 1)")
    parser.add_argument("--layout", choices=LAYOUTS, default="mixed", help="how the axes stand (default mixed)")
    parser.add_argument(
        "--symmetric",
        choices=SYMMETRIC,
        default="projected",
        help="the convention for symmetric variables (default projected)",
    )


def add_formula(parser: argparse.ArgumentParser, *, at: bool = True) -> None:
    parser.add_argument("formula", metavar="FORMULA", help=_FORMULA)
    parser.add_argument("--where", metavar="DECLS", help=_WHERE)
    parser.add_argument("--latex-input", action="store_true", help="the formula is LaTeX; a ∇ or ∂ gives --wrt")
    if not at:
        return
    parser.add_argument("--at", metavar="POINT", help=f'values: "{EXAMPLE}", or a .npz, .json, .csv or .parquet file')
