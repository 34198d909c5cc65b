r"""A derivative that LaTeX asks for: ``\nabla_{\mathbf{x}} …``, ``\frac{\partial …}{\partial \mathbf{x}}``.

>>> asked_for(r"\nabla_{\mathbf{x}} \mathbf{a}^\top \mathbf{x}").wrt[0][0]
'\\mathbf{x}'
"""

from __future__ import annotations

import re
from typing import NamedTuple

from matgrad.errors import FormulaError, NotSupported

Span = tuple[int, int]


class Asked(NamedTuple):
    """The text, blanked where the request stood so that places stay the same, and the names in their order."""

    text: str
    wrt: tuple[tuple[str, Span], ...] = ()


_NABLA = re.compile(r"\s*\\(?:nabla|partial)\s*(?=_|\^\s*\{?\s*\d\s*\}?\s*_)")
_FRACTION = re.compile(r"\s*\\[dt]?frac\s*\{")
_OF = re.compile(r"[A-Za-z}]\s*(?:\\left\s*)?\(([^=]*)\)[\s&]*$")
"""The arguments in a left side."""
_ARGUMENTS = re.compile(r"(?<=[A-Za-z}])\s*((?:\\left\s*)?\(([^()=]*)\))\s*&?\s*=")
_D = r"(?:\\partial|\\mathrm\s*\{?\s*d\s*\}?|\\differentialD|d)"
_TOP = re.compile(rf"\s*{_D}\s*(?:\^\s*(?:\{{\s*(\d)\s*\}}|(\d)))?\s*")


def asked_for(text: str) -> Asked:
    """The request at the start of a formula, if there is one."""
    text = _without_arguments(_without_condition(text))
    start = re.match(r"\s*(?:\$\$?|\\\[|\\\()?\s*", text)
    at = start.end() if start else 0
    if found := _NABLA.match(text, at):
        return _nabla(text, found.end(), at)
    if found := _FRACTION.match(text, at):
        return _fraction(text, found.end() - 1, at)
    return Asked(text)


def _without_condition(text: str) -> str:
    r"""The text without a left side that says what the formula is of: ``\log p(y \mid X) =``, ``f(x; w) =``."""
    left, equals, _ = text.partition("=")
    if not equals:
        return text
    of = _OF.search(left)
    conditional = (of and _is_parted(of.group(1))) or re.search(r"\\(?:mid|given|vert|parallel)\b", left)
    return _blank(text, (0, len(left) + 1)) if conditional and left.count("{") == left.count("}") else text


def _without_arguments(text: str) -> str:
    r"""The text with ``f =`` for each ``f(x, y) =``."""
    spans = [found.span(1) for found in _ARGUMENTS.finditer(text) if _is_parted(found.group(2))]
    return _blank(text, *spans)


def _is_parted(arguments: str) -> bool:
    return bool(re.search(r"[;,]", arguments.replace(r"\,", "").replace(r"\;", ""))) or (
        len(re.findall(r"\\?\|", arguments)) % 2 == 1
    )


def _blank(text: str, *spans: Span) -> str:
    for start, stop in spans:
        text = text[:start] + " " * (stop - start) + text[stop:]
    return text


def _nabla(text: str, at: int, start: int) -> Asked:
    scripts: dict[str, Span] = {}
    while (mark := re.compile(r"\s*([_^])").match(text, at)) and mark.group(1) not in scripts:
        scripts[mark.group(1)], at = _script(text, mark.end())
    sub, order = scripts["_"], 1
    if "^" in scripts:
        digits = text[slice(*scripts["^"])].strip(" {}")
        if not digits.isdigit() or not 1 <= int(digits) <= 4:
            raise FormulaError(f"∇ to the power {digits} is not a derivative", source=text, span=scripts["^"])
        order = int(digits)
    _one_term(text, at)
    return Asked(_blank(text, (start, at)), ((text[slice(*sub)].strip(), sub),) * order)


def _fraction(text: str, at: int, start: int) -> Asked:
    top = _group(text, at)
    if (below := re.match(r"\s*\{", text[top[1] + 1 :])) is None:
        return Asked(text)
    bottom = _group(text, top[1] + below.end())
    first = _TOP.match(text, top[0], top[1])
    names = _denominator(text, bottom)
    if (
        first is None
        or names is None
        or (text[top[0] : top[1]].strip()[:1] == "d" and not text[slice(*bottom)].strip().startswith("d"))
    ):
        return Asked(text)
    order = int(first.group(1) or first.group(2) or 1)
    if order != len(names):
        raise FormulaError(
            f"a derivative of order {order} in {len(names)} variables", source=text, span=(top[0], bottom[1])
        )
    inside = text[first.end() : top[1]].strip()
    end = bottom[1] + 1
    if inside:
        if text[end:].strip(" .,$\\])"):
            raise _apart(text, start, end)
        return Asked(_blank(text, (start, first.end()), (top[1], end)), names)
    _one_term(text, end)
    return Asked(_blank(text, (start, end)), names)


def _denominator(text: str, span: Span) -> tuple[tuple[str, Span], ...] | None:
    r"""The names after each ∂; ``∂x ∂x^\top`` and ``∂x^2`` are x twice."""
    inner = text[slice(*span)]
    if re.match(rf"\s*{_D}\s*\S", inner) is None:
        return None
    marks = list(re.finditer(r"\\partial|\\mathrm\s*\{\s*d\s*\}|\\differentialD", inner)) or list(
        re.finditer(r"^\s*d(?=\s*\S)", inner)
    )
    found: list[tuple[str, Span]] = []
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        part = (span[0] + mark.end(), span[0] + (after.start() if after else len(inner)))
        name = text[slice(*part)].strip()
        power = re.search(r"\^\s*\{?\s*(\\top|\\intercal|T|\d|\\mathsf\s*\{?T\}?)\s*\}?$", name)
        count = 1
        if power:
            count = int(power.group(1)) if power.group(1).isdigit() else 1
            name = name[: power.start()].strip()
        if re.fullmatch(r"\((.*)\)", name):
            name = name[1:-1]
        if not re.match(r"\\?[A-Za-z]", name) or re.search(r"[-+*/=]", re.sub(r"[_^]\s*\{[^{}]*\}", "", name)):
            return None  # a fraction of things called d
        found += [(name, part)] * count
    return tuple(found)


def _apart(text: str, start: int, end: int) -> NotSupported:
    return NotSupported(
        "a derivative inside a formula",
        source=text,
        span=(start, end),
        hint="the derivative alone; then the rest with its answer",
    )


def _one_term(text: str, at: int) -> None:
    """What follows is one term, or all in brackets: else how far ∇ reaches has two readings."""
    level, previous = 0, ""
    place = at
    while place < len(text):
        char = text[place]
        if char == "\\":
            command = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL).match(text, place)
            assert command is not None
            name = command.group(1)
            level += (name in ("begin", "langle", "lvert", "lVert")) - (name in ("end", "rangle", "rvert", "rVert"))
            place = command.end()
            previous = "operand" if name not in ("left", "right") else previous
            continue
        level += (char in "({[") - (char in ")}]")
        if char in "+-" and level == 0 and previous == "operand":
            raise FormulaError(
                "how far the derivative reaches has two readings", source=text, span=(place, place + 1),
                hint=r"\left( … \right) around what is derived",
            )  # fmt: skip
        if not char.isspace():
            previous = "operand"
        place += 1


def _script(text: str, at: int) -> tuple[Span, int]:
    """A script's content, and where it ends."""
    while at < len(text) and text[at].isspace():
        at += 1
    if text[at : at + 1] == "{":
        span = _group(text, at)
        return span, span[1] + 1
    command = re.compile(r"\\[A-Za-z]+(\s*\{[^{}]*\})?").match(text, at)
    stop = command.end() if command else at + 1
    if at >= len(text):
        raise FormulaError("an argument is missing at the end", source=text, span=(len(text) - 1, len(text)))
    return (at, stop), stop


def _group(text: str, at: int) -> Span:
    """The content of the group that opens here."""
    level, place = 0, at
    while place < len(text):
        if text[place] == "\\":
            place += 2
            continue
        level += (text[place] == "{") - (text[place] == "}")
        if level == 0:
            return at + 1, place
        place += 1
    raise FormulaError("'{' is never closed", source=text, span=(at, at + 1))
