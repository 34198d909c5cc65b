"""``matgrad mcp``, asked by a real client over stdio."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

anyio = pytest.importorskip("anyio")
mcp = pytest.importorskip("mcp")

from mcp.client.stdio import stdio_client  # noqa: E402

from matgrad.serving.worker import Refused, Worker  # noqa: E402

SLOW = (
    "; ".join(f"a{k} = sin(a{k - 1}*a{k - 1}')*a{k - 1} + cos(a{k - 1}).*a{k - 1}" for k in range(1, 40)) + "; sum(a39)"
)


def served(body: Callable[[Any], Coroutine[Any, Any, None]], *options: str) -> None:
    """Run a conversation with a server that is started for it."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parameters = mcp.StdioServerParameters(command=sys.executable, args=["-m", "matgrad", "mcp", *options], env=env)

    async def talk() -> None:
        with anyio.fail_after(120):
            async with mcp.Client(stdio_client(parameters)) as client:
                await body(client)

    anyio.run(talk)


def test_a_conversation() -> None:
    async def body(client: Any) -> None:
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["derive", "explain", "check", "evaluate"]
        assert all(tool.description and tool.annotations.read_only_hint for tool in tools)

        async def ask(tool: str, **arguments: Any) -> Any:
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, result.content
            return result.structured_content

        data = await ask("derive", formula="log(det(X))", wrt="X")
        assert data["text"] == "inv(X)'"
        assert data["latex"] == r"\mathbf{X}^{-\top}"
        assert data["conditions"] == ["det(X) > 0"]
        assert data["check"]["passed"] is True
        assert data["check"]["max_relative_error"] < 1e-9

        data = await ask("derive", formula=r"\nabla_{\mathbf{x}} \mathbf{x}^\top A \mathbf{x}", latex_input=True)
        assert data["text"] == "(A + A')*x"
        assert "bold letters are read as vectors and matrices" in data["assumed"]

        data = await ask("explain", formula="norm2(A*x - b)^2", wrt="x")
        assert "= 2 Aᵀ(A x − b)" in data["text"].splitlines()[-1]
        assert data["check"]["passed"] is True

        data = await ask("check", formula="x'*A*x", wrt="x", answer="2*A*x")
        assert (data["correct"], data["kind"]) == (False, "only-valid-if-symmetric")
        assert data["condition"] == "A is symmetric"

        data = await ask("evaluate", formula="x'*A*x", wrt="x", at={"A": [[1, 2], [3, 4]], "x": [1, 2]})
        assert data["value"] == 27
        assert np.allclose(data["derivative"]["value"], np.array([[2, 5], [5, 8]]) @ [1, 2])

    served(body)


def test_errors_are_errors_of_the_tool_and_the_server_goes_on() -> None:
    async def body(client: Any) -> None:
        for arguments, message in [
            ({"formula": "A*x + b'", "wrt": "x"}, "cannot be added"),
            ({"formula": "x'*x", "wrt": "y"}, "y does not occur"),
            ({"formula": "x'*x"}, "say in which variable"),
            ({"formula": "x'*x", "wrt": "x", "order": 9}, "order"),
            ({"formula": "x" * 30_000, "wrt": "x"}, "20000"),
        ]:
            result = await client.call_tool("derive", arguments)
            assert result.is_error
            assert message in result.content[0].text
        result = await client.call_tool("evaluate", {"formula": "log(x)", "at": {"x": [[1], "a"]}})
        assert result.is_error
        result = await client.call_tool("derive", {"formula": "x'*x", "wrt": "x"})
        assert result.structured_content["text"] == "2*x"

    served(body)


def test_what_takes_too_long_is_ended() -> None:
    """The limit holds in code that never gives way; the next call has a process of its own."""
    with Worker(seconds=0.01) as worker:
        with pytest.raises(Refused, match=r"longer than 0\.01 seconds"):
            worker.call("derive", {"formula": SLOW, "wrt": "a0", "where": "a0: vector(n)", "order": 2})
        worker.seconds = 20
        assert worker.call("derive", {"formula": "x'*x", "wrt": "x"})["text"] == "2*x"


def test_sizes_are_limited() -> None:
    with Worker(seconds=20) as worker:
        with pytest.raises(Refused, match="more than 10,000 numbers"):
            worker.call("evaluate", {"formula": "sum(x)", "at": {"x": [0.0] * 10_001}})
        with pytest.raises(Refused, match="more than 10,000 entries"):
            worker.call("evaluate", {"formula": "x*x'", "at": {"x": [0.0] * 101}})
        with pytest.raises(Refused, match="not defined"):
            worker.call("evaluate", {"formula": "log(x)", "at": {"x": -1}, "where": "x: scalar"})
