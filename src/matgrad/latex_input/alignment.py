r"""Formulas set over several lines: ``align``, ``split`` and their like.

A line that begins with an operator goes on with the one before it; any other is a formula of its own. The text keeps
its length, so that places in it stay the same.

>>> unaligned(r"\begin{split}a &+ b \\ &+ c\end{split}").split()
['a', '+', 'b', '+', 'c']
>>> unaligned(r"\begin{aligned} r &= Ax-b \\ f &= r^\top r \end{aligned}").split()
['r', '=', 'Ax-b', ',', 'f', '=', 'r^\\top', 'r']
"""

from __future__ import annotations

import re

ENVIRONMENTS = ("align", "aligned", "split", "gather", "gathered", "equation", "multline", "eqnarray", "flalign")
_NAMES = "|".join(ENVIRONMENTS)
_EDGE = re.compile(rf"\\(?:begin|end)\s*\{{(?:{_NAMES})\*?\}}(?:\{{\d+\}})?")
_LABEL = re.compile(r"\\(?:label|tag)\*?\s*\{[^{}]*\}|\\(?:nonumber|notag)\b")
_MATRIX = re.compile(r"\\(begin|end)\s*\{(?!(?:" + _NAMES + r")\*?\})[A-Za-z]+\*?\}")
_BREAK = re.compile(r"\\\\(?:\s*\[[^\[\]]*\])?")
_GOES_ON = re.compile(r"(?:\s|&|\\(?:quad|qquad|left\.|,|;|!))*(?:[-+=*/]|\\(?:cdot|times|odot|otimes)\b|$)")


def unaligned(text: str) -> str:
    """The text with environments of lines blanked, if it has any."""
    edges = list(_EDGE.finditer(text))
    if not edges:
        return text
    out = list(text)
    for edge in [*edges, *_LABEL.finditer(text)]:
        _blank(out, *edge.span())
    depth, at = 0, 0
    while at < len(text):
        if inner := _MATRIX.match(text, at):
            depth += 1 if inner.group(1) == "begin" else -1
            at = inner.end()
        elif depth == 0 and (mark := _BREAK.match(text, at)):
            rest = "".join(out[mark.end() :])
            _blank(out, *mark.span())
            if not _GOES_ON.match(rest):
                out[at] = ","
            at = mark.end()
        elif text[at] == "\\":
            at += 2
        else:
            if text[at] == "&" and depth == 0:
                out[at] = " "
            at += 1
    return "".join(out)


def _blank(out: list[str], start: int, stop: int) -> None:
    out[start:stop] = " " * (stop - start)
