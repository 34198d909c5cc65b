"""A drawing of the computation graph: values forward, signals backward on the edges. Needs the extra ``graph``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matgrad.answer.formula import Formula
from matgrad.errors import MatgradError, NotSupported
from matgrad.explaining.backward_style import backward
from matgrad.explaining.lines import ANSWER, GIVEN, LET, STEP, Line
from matgrad.explaining.render import show_value
from matgrad.formula.declarations import Where
from matgrad.formula.syntax import walk

_FORMATS = ("svg", "pdf", "png")


def source(
    formula: str | Formula, wrt: Sequence[str], *, where: Where = None, at: Mapping[str, Any] | None = None
) -> str:
    """The graph in the language of Graphviz: one box for each value, one edge for each use of it.

    A box holds the value's formula, and its numbers where a point is given. What goes back along an edge is the
    signal that stands in red at the value it arrives at, once for all edges that leave it.
    """
    derivation = backward(formula, wrt, where, 1, at)
    words = derivation.words
    values = [line for line in derivation if line.part in (LET, GIVEN)]
    signals = {line.left.value.rpartition("/∂")[2]: line for line in derivation if line.part in (STEP, ANSWER)}
    known = {line.left.value for line in values}
    told: set[str] = set()
    out = [
        "digraph {",
        "  rankdir=LR; ranksep=0.9; nodesep=0.5;",
        '  node [shape=box, style=rounded, fontname="DejaVu Serif", fontsize=12];',
        '  edge [fontname="DejaVu Serif", fontsize=10];',
    ]
    leaves = dict.fromkeys(node for line in values for node in walk(line.right) if node.op == "name")
    for node in leaves:
        if node.value not in known:
            label = [words.unicode(node), *_leaf_numbers(node.value, at)]
            out.append(f'  {_quoted(node.value)} [label={_quoted(*label)}, shape=ellipse, style=""];')
    for line in values:
        label = [f"{words.unicode(line.left)} = {words.unicode(line.right)}", *_numbers(line)]
        out.append(f"  {_quoted(line.left.value)} [label={_quoted(*label)}];")
        for name in dict.fromkeys(node.value for node in walk(line.right) if node.op == "name"):
            back, edge = signals.get(name), f"  {_quoted(name)} -> {_quoted(line.left.value)}"
            if back is None:
                out.append(f"{edge};")
                continue
            signal = [f"{words.unicode(back.left)} = {words.unicode(back.right)}", *_numbers(back)]
            if name in told:  # the formula once, then the name alone
                signal = [words.unicode(back.left)]
            told.add(name)
            out.append(f"{edge} [label={_quoted(*signal)}, fontcolor=firebrick, color=firebrick, dir=both];")
    return "\n".join([*out, "}"])


def _numbers(line: Line) -> list[str]:
    return [] if line.numbers is None else show_value(line.numbers).split("\n")


def _leaf_numbers(name: str, at: Mapping[str, Any] | None) -> list[str]:
    return [] if at is None or name not in at else show_value(at[name]).split("\n")


def _quoted(*rows: str) -> str:
    """A string of Graphviz, with a line for each row."""
    return '"' + "\\n".join(row.replace("\\", "\\\\").replace('"', '\\"') for row in rows) + '"'


def draw(
    formula: str | Formula, wrt: Sequence[str], file: str, *, where: Where = None, at: Mapping[str, Any] | None = None
) -> None:
    """Write the drawing to a file; its ending says in which format."""
    path = Path(file)
    kind = path.suffix.removeprefix(".")
    if kind not in _FORMATS:
        raise MatgradError(f"the graph is drawn as {', '.join(_FORMATS)}, not {file}", hint="--graph out.svg")
    text = source(formula, wrt, where=where, at=at)
    try:
        import graphviz
    except ImportError as error:
        raise NotSupported("drawing needs the package graphviz", hint='pip install "matgrad[graph]"') from error
    try:
        path.write_bytes(graphviz.Source(text).pipe(format=kind))
    except graphviz.ExecutableNotFound as error:
        raise NotSupported(
            "drawing needs the program dot of Graphviz, which is not installed", hint="apt install graphviz"
        ) from error
