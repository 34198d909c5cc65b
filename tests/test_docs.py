"""Every example in README.md and docs/ runs, and prints what stands there.

* ```` ```python ```` blocks are doctests; those of one file share their names.
* ```` ```console ```` blocks are commands, ``$ matgrad …``, each followed by what it prints. ``…`` stands for anything
  on its line, and an error figure such as ``4e-16`` for any that is as good as zero.

Text that is not to run goes into another kind of block.
"""

import doctest
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from commands import Outcome

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
KINDS = {"python", "console", "text", "sh", "toml"}
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

_FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\w*)\n(?P<body>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_ERROR_FIGURE = re.compile(r"\d(?:\.\d+)?e-\d\d+|(?<=error )0\b")


class Block(NamedTuple):
    page: Path
    line: int
    kind: str
    body: str


class Command(NamedTuple):
    where: str
    line: str
    output: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text[: m.start()].count("\n") + 2, m["kind"], re.sub(f"(?m)^{m['indent']}", "", m["body"]))
        for m in _FENCE.finditer(text)
    ]


def commands(block: Block) -> list[Command]:
    """The commands of a console block, each with its output; a line that ends in a backslash goes on."""
    body = block.body.replace("\\\n", "")
    where = f"{block.page.relative_to(ROOT)}:{block.line}"
    parts = re.split(r"(?m)^\$ ", body)
    assert not parts[0].strip(), f"{where}: a console block starts with a command"
    return [Command(where, *part.partition("\n")[::2]) for part in parts[1:]]


def pattern(expected: str) -> re.Pattern[str]:
    """What an expected output matches: itself, but for ``…`` and the figures of errors."""
    marked = _ERROR_FIGURE.sub("\0", expected).replace("…", "\1")
    # Nothing worse than 1e-9 counts as the small error that the page shows.
    small = r"(?:0|0\\.0|\\d(?:\\.\\d+)?e-(?:09|[1-9]\\d+))"
    return re.compile(re.sub("\0", small, re.escape(marked)).replace("\1", ".*"))


def tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines()).rstrip()


ALL_BLOCKS = [block for page in PAGES for block in blocks(page)]
ALL_COMMANDS = [command for block in ALL_BLOCKS if block.kind == "console" for command in commands(block)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_examples(page: Path) -> None:
    names: dict[str, object] = {}
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    output: list[str] = []
    for block in blocks(page):
        if block.kind == "python":
            test = doctest.DocTestParser().get_doctest(block.body, names, page.name, str(page), block.line - 1)
            assert test.examples, f"{page.name}:{block.line}: a python block without >>> would never run"
            runner.run(test, out=output.append, clear_globs=False)
            names = test.globs
    assert runner.summarize(verbose=False).failed == 0, "".join(output)


@pytest.mark.parametrize("command", ALL_COMMANDS, ids=lambda command: f"{command.where} {command.line[:40]}")
def test_console_examples(command: Command, run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    program, *arguments = shlex.split(command.line)
    assert program == "matgrad", f"{command.where}: only matgrad runs here"
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(ROOT)
    found = run(*arguments)
    printed = tidy(found.out + found.err)
    assert "Traceback" not in printed, printed
    assert pattern(tidy(command.output)).fullmatch(printed), f"{command.where}: printed\n{printed}"


@pytest.mark.parametrize("block", ALL_BLOCKS, ids=lambda block: f"{block.page.name}:{block.line}")
def test_blocks_are_of_a_known_kind(block: Block) -> None:
    """An unnamed block would be an example that nothing runs."""
    assert block.kind in KINDS


def test_every_fence_is_read() -> None:
    for page in PAGES:
        fences = re.findall(r"(?m)^ *```", page.read_text(encoding="utf-8"))
        assert len(fences) == 2 * len(blocks(page)), page


def test_readme_has_both_kinds_of_example() -> None:
    kinds = {block.kind for block in ALL_BLOCKS if block.page.name == "README.md"}
    assert {"python", "console"} <= kinds


def test_pattern_forgives_error_figures_and_nothing_else() -> None:
    shown = pattern("check  relative error 4e-16 at 8 points (…)")
    assert shown.fullmatch("check  relative error 1.2e-13 at 8 points (seed 0)")
    assert shown.fullmatch("check  relative error 0 at 8 points (seed 0)")
    assert not shown.fullmatch("check  relative error 1e-3 at 8 points (seed 0)")
    assert not shown.fullmatch("check  relative error 4e-16 at 9 points (seed 0)")
    assert not pattern("text  2*x").fullmatch("text  3*x")
    assert not pattern("a…").fullmatch("ab\nc")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"
