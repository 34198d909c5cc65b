"""A drawing of the computation graph: values forward, signals backward on the edges. Needs the extra ``graph``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matgrad.answer.formula import Where
from matgrad.errors import MatgradError, NotSupported
from matgrad.explaining.lines import LET, Line
from matgrad.formula.syntax import walk

_FORMATS = ("svg", "pdf", "png")


def source(formula: str, wrt: Sequence[str], *, where: Where = None, at: Mapping[str, Any] | None = None) -> str:
    """The graph in the language of Graphviz: one box for each value, one edge for each use of it."""
    from matgrad.explaining.styles import explained

    derivation = explained(formula, wrt, where, 1, "backward", at)
    words = derivation.words
    boxes = [line for line in derivation if line.part in (LET, "given")]
    signals = {line.left.value.partition("/∂")[2]: line for line in derivation if line not in boxes}
    out = ["digraph {", "  rankdir=LR; node [shape=box, fontname=serif]; edge [fontname=serif, fontsize=10];"]
    known = {line.left.value for line in boxes}
    leaves = dict.fromkeys(n.value for line in boxes for n in walk(line.right) if n.op == "name")
    out += [f'  "{name}" [shape=ellipse];' for name in leaves if name not in known]
    for line in boxes:
        value = _values(line)
        label = f"{words.unicode(line.left)} = {words.unicode(line.right)}" + (f"\\n{value}" if value else "")
        out.append(f'  "{line.left.value}" [label="{_quoted(label)}"];')
        for name in dict.fromkeys(n.value for n in walk(line.right) if n.op == "name"):
            back = signals.get(name)
            if back is None:
                out.append(f'  "{name}" -> "{line.left.value}";')
                continue
            text = f"{words.unicode(back.left)} = {words.unicode(back.right)}"
            value = _values(back)
            shown = _quoted(text + (f"\\n{value}" if value else ""))
            out.append(f'  "{name}" -> "{line.left.value}" [label="{shown}", fontcolor=firebrick];')
    return "\n".join([*out, "}"])


def _values(line: Line) -> str:
    from matgrad.explaining.render import show_value

    return "" if line.numbers is None else show_value(line.numbers).replace("\n", "\\n")


def _quoted(text: str) -> str:
    return text.replace('"', "'")


def draw(
    formula: str, wrt: Sequence[str], file: str, *, where: Where = None, at: Mapping[str, Any] | None = None
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
