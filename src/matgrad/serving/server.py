"""The server: four tools over stdio, with the official SDK of the Model Context Protocol."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

from matgrad import __version__
from matgrad.serving.worker import Refused, Worker

Formula = Annotated[str, Field(description="the formula, in text or LaTeX", max_length=20_000)]
Wrt = Annotated[str | None, Field(description="the variable; not needed if LaTeX begins with ∇ or ∂")]
Where = Annotated[str | None, Field(description='declarations: "S: spd(n); x: vector(n)"', max_length=20_000)]
Order = Annotated[int, Field(description="of the derivative; 2 is the Hessian", ge=1, le=4)]
Latex = Annotated[bool, Field(description="whether the formula is LaTeX")]
Answer = Annotated[str, Field(description="the answer to check, in text or LaTeX", max_length=20_000)]
Point = Annotated[dict[str, Any], Field(description='arrays by name: {"A": [[1, 2], [3, 4]], "x": [1, 2]}')]
Layout = Literal["mixed", "numerator", "denominator", "vec"]
Symmetric = Literal["projected", "entries", "ignore"]
Style = Literal["differential", "backward", "components"]

INSTRUCTIONS = """\
Matrix calculus in closed form, checked numerically. A formula is text such as norm2(A*x - b)^2, x'*A*x or
logdet(X) - tr(S*X) (* is the matrix product, .* entry by entry, ' the transpose), or LaTeX with latex_input=true.
What is not declared in `where` ("A: matrix(m,n); S: spd(n); x: vector(n); c: scalar") is inferred, and `assumed` says
how. Quote `conditions` with a derivative, and `check` as its evidence: passed is true, false, or null if undecided."""


def server(seconds: float = 10.0) -> MCPServer:
    """The server with its tools; each call may take so many seconds."""
    worker = Worker(seconds)
    found = MCPServer("matgrad", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING")
    harmless = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

    def ask(tool: str, **arguments: Any) -> dict[str, Any]:
        try:
            return worker.call(tool, arguments)
        except Refused as error:
            raise ToolError(str(error)) from None

    def derive(
        formula: Formula, wrt: Wrt = None, where: Where = None, order: Order = 1, layout: Layout = "mixed",
        symmetric: Symmetric = "projected", latex_input: Latex = False,
    ) -> dict[str, Any]:  # fmt: skip
        """A derivative in closed matrix notation: text, LaTeX, shape, conditions, and a numerical check."""
        return ask(
            "derive", formula=formula, wrt=wrt, where=where, order=order, layout=layout, symmetric=symmetric,
            latex_input=latex_input,
        )  # fmt: skip

    def explain(
        formula: Formula, wrt: Wrt = None, where: Where = None, order: Order = 1, style: Style = "differential",
        brief: bool = False, latex_input: Latex = False,
    ) -> dict[str, Any]:  # fmt: skip
        """The derivation of a derivative, one named law a line, every line checked at random points."""
        return ask(
            "explain", formula=formula, wrt=wrt, where=where, order=order, style=style, brief=brief,
            latex_input=latex_input,
        )  # fmt: skip

    def check(
        formula: Formula, answer: Answer, wrt: Wrt = None, where: Where = None, order: Order = 1,
        layout: Layout = "mixed", symmetric: Symmetric = "projected", latex_input: Latex = False,
    ) -> dict[str, Any]:  # fmt: skip
        """Whether an answer is the derivative, in any equivalent form; if not, what is wrong, and the correction."""
        return ask(
            "check", formula=formula, answer=answer, wrt=wrt, where=where, order=order, layout=layout,
            symmetric=symmetric, latex_input=latex_input,
        )  # fmt: skip

    def evaluate(
        formula: Formula, at: Point, wrt: Wrt = None, where: Where = None, order: Order = 1, latex_input: Latex = False
    ) -> dict[str, Any]:
        """The value of a formula at given arrays, and of its derivative in `wrt` if that is given."""
        return ask("evaluate", formula=formula, at=at, wrt=wrt, where=where, order=order, latex_input=latex_input)

    for tool in (derive, explain, check, evaluate):
        found.add_tool(tool, annotations=harmless)
    return found


def run(seconds: float = 10.0) -> None:
    """Serve over standard input and output until the client leaves."""
    server(seconds).run("stdio")
