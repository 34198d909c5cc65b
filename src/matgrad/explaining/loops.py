"""Repeated layers, shown once with their index."""

from __future__ import annotations

import re
from collections.abc import Sequence

from matgrad.explaining.lines import ANSWER, GIVEN, LET, Line
from matgrad.explaining.trees import rebuilt
from matgrad.explaining.words import Word
from matgrad.formula.latex import to_latex
from matgrad.formula.syntax import Expr, fold, walk
from matgrad.formula.unicode import to_unicode


def folded(lines: Sequence[Line]) -> list[Line]:
    """Lines that differ by the number of their layer only, shown once with the index l."""
    out: list[Line] = []
    seen: dict[tuple[Expr, Expr, str], int] = {}
    counts: dict[int, list[int]] = {}
    shapes: dict[int, set[str]] = {}
    for line in lines:
        number = _index(line.left.value) if line.left.op == "name" else None
        if number is None or line.part not in (LET, GIVEN, ANSWER, "step"):
            out.append(line)
            continue
        left, right = (_with_index(expr, number) for expr in (line.left, line.right))
        key = (left, right, line.part)
        if key in seen:
            counts[seen[key]].append(number)
            shapes[seen[key]] &= {line.remark}
            continue
        seen[key] = len(out)
        counts[len(out)] = [number]
        shapes[len(out)] = {line.remark}
        out.append(line)
    for place, numbers in counts.items():
        if len(numbers) > 1:
            line = out[place]
            first = _index(line.left.value) or 0
            span = f"l = {min(numbers)}, …, {max(numbers)}"
            remark = "; ".join(part for part in (line.remark if line.remark in shapes[place] else "", span) if part)
            out[place] = line._replace(
                left=_with_index(line.left, first), right=_with_index(line.right, first), remark=remark,
                numbers=None, before=None, where=(),
            )  # fmt: skip
    return out


def layer_words(lines: Sequence[Line]) -> dict[str, Word]:
    """How the names of layer l are written: a signal is a quotient, and its index a superscript in brackets."""
    found: dict[str, Word] = {}
    nodes = (node for line in lines for side in (line.left, line.right) for node in walk(side))
    for node in nodes:
        if node.op != "name" or "⁽" not in node.value:
            continue
        base, _, index = node.value.removesuffix("⁾").partition("⁽")
        top, _, below = base.rpartition("/∂")
        # in braces, so that a transpose can be raised on it
        shown = "{" + to_latex(Expr("name", value=below, type=node.type)) + f"^{{({index})}}}}"
        latex = rf"\frac{{\partial {top.removeprefix('∂')}}}{{\partial {shown}}}" if top else shown
        raised = "".join(_RAISED.get(c, c) for c in index)
        text = to_unicode(Expr("name", value=below, type=node.type)) + f"⁽{raised}⁾"
        found[node.value] = Word(f"{top}/∂{text}" if top else text, latex, bool(top))
    return found


_RAISED = dict(zip("l+-0123456789", "ˡ⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True))
_NUMBERED = re.compile(r"(?P<base>.*?[^\W\d])(?P<number>\d+)")


def _index(name: str) -> int | None:
    found = _NUMBERED.fullmatch(name)
    return int(found["number"]) if found else None


def _with_index(expr: Expr, layer: int) -> Expr:
    """The formula with numbers of layers relative to this one: W8 in layer 7 is W{l+1}."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        found = _NUMBERED.fullmatch(node.value) if node.op == "name" else None
        if found is None:
            return rebuilt(node, args)
        shift = int(found["number"]) - layer
        index = "l" if not shift else f"l{shift:+d}"
        return Expr("name", value=f"{found['base']}⁽{index}⁾", type=node.type)

    result: Expr = fold(expr, visit)
    return result
