"""Loops over layers: ``for l in 1..3 { a{l} = tanh(W{l}*a{l-1} + b{l}) }``.

The body stands once for every number of the range. In it a name may carry indices in braces: ``W{l}`` are the
variables W1, W2, W3, and ``a{l-1}`` is a0 in the first layer. ``a{3}`` is a3, in a loop and outside. Loops are
expanded among the tokens, which keep their places: errors point into the text as it was typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from matgrad.errors import FormulaError
from matgrad.formula.token import Token

MOST_LAYERS, MOST_TOKENS = 1000, 100_000
EXAMPLE = "for l in 1..3 { a{l} = tanh(W{l}*a{l-1}) }"
_WORDS = re.compile(r"for\s+([^\W\d]\w*)\s+in\b\s*")
_FIRST, _DOTS = re.compile(r"(\d{1,9})\s*"), re.compile(r"(\.\.+|…)\s*")
_NAME = re.compile(r"([^\W\d]\w*)")
_INDEX = re.compile(r"\{\s*(?:(?P<name>[^\W\d]\w*)\s*(?P<shift>[+-]\s*\d{1,4})?|(?P<number>\d{1,9}))\s*\}")


class Indexed(NamedTuple):
    """A name whose indices wait for their numbers: ``W{l-1}`` is ("W", ("l", -1, span)); ``call`` counts primes."""

    parts: tuple[str | tuple[str, int, tuple[int, int]], ...]
    call: int | None = None


class Loop(NamedTuple):
    """The head of a loop: its index, its range, and where the text of its body starts."""

    name: str
    first: int
    last: int
    span: tuple[int, int]
    body: int


def loop_at(text: str, at: int) -> Loop | None:
    """The loop whose head starts here.

    >>> loop_at("for l in 1..3 { a{l} = x }", 0)[:3]
    ('l', 1, 3)
    """
    words = _WORDS.match(text, at)
    if words is None:
        return None

    def error(what: str, start: int, stop: int) -> FormulaError:
        return FormulaError(what, source=text, span=(start, max(stop, start + 1)), hint=EXAMPLE)

    first = _FIRST.match(text, words.end())
    if first is None:
        raise error("a loop runs over whole numbers, from one to another", at, words.end())
    dots = _DOTS.match(text, first.end())
    if dots is None or dots[1] not in ("..", "…"):
        stop = dots.end(1) if dots else first.end(1)
        raise error("between the first and the last number of a loop stand two dots", first.start(), stop)
    last = _FIRST.match(text, dots.end())
    if last is None:
        name = _NAME.match(text, dots.end())
        if name is not None:
            what = f"the range of a loop needs numbers: {name[1]} has no value when the layers are written out"
            raise error(what, name.start(1), name.end(1))
        raise error("the range of a loop has no end", first.start(), dots.end(1))
    span = (first.start(), last.end(1))
    low, high = int(first[1]), int(last[1])
    if not low <= high < low + MOST_LAYERS:
        what = "runs upwards" if high < low else f"has {MOST_LAYERS} layers at most"
        raise error(f"a loop {what}: {low}..{high}", *span)
    if not text.startswith("{", last.end()):
        raise error("the body of a loop stands in braces { }", last.end(), last.end() + 1)
    return Loop(words[1], low, high, span, last.end() + 1)


def indices_at(text: str, at: int, loops: Sequence[str]) -> tuple[list[Any], int]:
    """The indices in braces that directly follow a name, and where they end."""
    parts: list[Any] = []
    while text.startswith("{", at):
        found = _INDEX.match(text, at)
        name = found["name"] if found else None
        if found is None or (name is not None and name not in loops):
            raise _no_index(text, at, loops)
        shift = int((found["shift"] or "0").replace(" ", ""))
        parts.append(found["number"] if name is None else (name, shift, found.span()))
        at = found.end()
    return parts, at


def _no_index(text: str, at: int, loops: Sequence[str]) -> FormulaError:
    close = text.find("}", at)
    stop = close + 1 if close >= 0 else at + 1
    shown = text[at:stop]
    if not loops:
        if re.fullmatch(r"\{\s*[^\W\d]\w*(\s*[+-]\s*\d+)?\s*\}", shown):
            return FormulaError(f"the index {shown} stands outside of a loop", source=text, span=(at, stop),
                                hint=EXAMPLE)  # fmt: skip
        return FormulaError("the character '{' is not part of a formula", source=text, span=(at, at + 1), hint="( )")
    ways = [f"{{{name}}}, {{{name}-1}} or {{{name}+1}}" for name in loops]
    what = f"{shown} is not an index here: the loop is over {' and '.join(loops)}"
    return FormulaError(what, source=text, span=(at, stop), hint=", ".join(ways))


def repeated(loop: Loop, body: Sequence[Token], text: str) -> list[Token]:
    """The tokens of the body, once for every number, with a STOP after each layer."""
    if not body:
        raise FormulaError("the body of this loop is empty", source=text, span=loop.span, hint=EXAMPLE)
    _each_layer_its_own(loop, body, text)
    count = loop.last - loop.first + 1
    if count * (len(body) + 1) > MOST_TOKENS:
        what = f"the loop written out has more than {MOST_TOKENS} parts"
        raise FormulaError(what, source=text, span=loop.span, hint="fewer layers")
    stop = body[-1]._replace(kind="STOP", value=";")
    out: list[Token] = []
    for number in range(loop.first, loop.last + 1):
        out += [_numbered(token, loop.name, number, text) if isinstance(token.value, Indexed) else token
                for token in body]  # fmt: skip
        out.append(stop)
    return out


def _each_layer_its_own(loop: Loop, body: Sequence[Token], text: str) -> None:
    if loop.first == loop.last:
        return
    for k, token in enumerate(body[:-1]):
        starts = token.kind == "NAME" and (k == 0 or body[k - 1].kind == "STOP")
        if starts and body[k + 1].kind == "EQUALS" and not _mentions(token.value, loop.name):
            shown = text[token.start : token.stop]
            raise FormulaError(
                f"{shown} is defined again in each layer of the loop over {loop.name}",
                source=text, span=(token.start, token.stop), hint=f"{shown}{{{loop.name}}} = …",
            )  # fmt: skip


def _mentions(value: Any, name: str) -> bool:
    return isinstance(value, Indexed) and any(part[0] == name for part in value.parts if isinstance(part, tuple))


def _numbered(token: Token, name: str, number: int, text: str) -> Token:
    """The token in one layer; indices of loops around this one still wait."""
    value: Indexed = token.value
    parts = tuple(
        _place(part, number, text) if isinstance(part, tuple) and part[0] == name else part for part in value.parts
    )
    if any(isinstance(part, tuple) for part in parts):
        return token._replace(value=value._replace(parts=parts))
    whole = "".join(map(str, parts))
    return token._replace(value=whole if value.call is None else (whole, value.call))


def _place(index: tuple[str, int, tuple[int, int]], number: int, text: str) -> str:
    """The number that an index such as {l-1} stands for in one layer."""
    place = number + index[1]
    if place < 0:
        what = f"{text[slice(*index[2])]} is {place} in layer {number}: layers are counted from 0"
        raise FormulaError(what, source=text, span=index[2], hint="a range that starts later")
    return str(place)


def statements(text: str, separators: str = ";\n") -> Iterator[tuple[str, tuple[int, int]]]:
    """The parts of a list of declarations, its loops written out, each with its place in the text as typed.

    >>> [part for part, _ in statements("x: vector(n); for l in 1..2 { W{l}: matrix(n{l},n{l-1}) }")]
    ['x: vector(n)', 'W1: matrix(n1,n0)', 'W2: matrix(n2,n1)']
    """
    yield from _statements(text, 0, len(text), {}, separators)


def _statements(
    text: str, at: int, stop: int, numbers: dict[str, int], separators: str
) -> Iterator[tuple[str, tuple[int, int]]]:
    while at < stop:
        if text[at].isspace() or text[at] in separators:
            at += 1
            continue
        loop = loop_at(text, at) if text.startswith("for", at) else None
        if loop is not None:
            end = _closing(text, loop.body)
            for number in range(loop.first, loop.last + 1):
                yield from _statements(text, loop.body, end, {**numbers, loop.name: number}, separators)
            at = end + 1
            continue
        end = min((k for s in separators if (k := text.find(s, at, stop)) >= 0), default=stop)
        end = at + len(text[at:end].rstrip())
        yield _with_numbers(text, at, end, numbers), (at, end)
        at = end


def _closing(text: str, start: int) -> int:
    depth = 1
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if not depth:
            return at
    what = "the body of this loop is never closed: } is missing"
    raise FormulaError(what, source=text, span=(start - 1, start))


def _with_numbers(text: str, start: int, stop: int, numbers: dict[str, int]) -> str:
    if "{" not in text[start:stop]:
        return text[start:stop]
    out, at = [], start
    while at < stop:
        if text[at] != "{":
            out.append(text[at])
            at += 1
            continue
        parts, at = indices_at(text, at, list(numbers))
        out += [part if isinstance(part, str) else _place(part, numbers[part[0]], text) for part in parts]
    return "".join(out)
