r"""Walking LaTeX: groups, brackets, which of two bars opens, numbers and scripts."""

from __future__ import annotations

from typing import Any, NamedTuple

from matgrad.errors import FormulaError, NotSupported
from matgrad.formula.tokens import MAX_DIGITS
from matgrad.latex_input.names import BOLD
from matgrad.latex_input.vocabulary import (
    ACCENTS,
    CLOSING,
    COMMAND,
    COMPARISONS,
    ENDS_OPERAND,
    NUMBER,
    SKIP,
    STARS,
    STYLES,
    TRANSPOSES,
    plain_script,
)

MAX_DEPTH = 60


class Token(NamedTuple):
    """A piece of the text and what it means."""

    kind: str
    value: Any
    start: int
    stop: int


class Names(NamedTuple):
    """What is known of names before reading: variables, and those of them that are functions."""

    variables: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()


class Scanner:
    """Walks the text: spaces, groups, brackets, bars, numbers, scripts. Subclasses read words and commands."""

    def __init__(self, text: str, names: Names) -> None:
        self.text = text
        self.names = names
        self.tokens: list[Token] = []
        self.open: list[Token] = []
        self.depth = 0
        self.bold = False
        self.cases = 0  # environments of cases around this place
        self.at = 0
        self.stop = 0

    # -- walking the text

    def run(self, start: int, stop: int) -> None:
        """Add the tokens of text[start:stop]."""
        outer = self.at, self.stop
        self.at, self.stop = start, stop
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"groups are nested more than {MAX_DEPTH} deep", start, stop)
        while self.at < self.stop:
            self._one()
        self.depth -= 1
        self.at, self.stop = outer

    def error(self, message: str, start: int, stop: int, hint: str | None = None) -> FormulaError:
        return FormulaError(message, source=self.text, span=(start, max(stop, start + 1)), hint=hint)

    def unsupported(self, what: str, start: int, stop: int, hint: str | None = None) -> NotSupported:
        return NotSupported(f"{what} is not part of formulas here", source=self.text, span=(start, stop), hint=hint)

    def add(self, kind: str, value: Any, start: int, stop: int | None = None) -> None:
        self.tokens.append(Token(kind, value, start, self.at if stop is None else stop))

    def after_operand(self) -> bool:
        return bool(self.tokens) and self.tokens[-1].kind in ENDS_OPERAND

    def closed(self) -> None:
        if self.open:
            first = self.open[-1]
            raise self.error(f"'{self.text[first.start : first.stop]}' is never closed", first.start, first.stop)

    def skip_space(self) -> None:
        while self.at < self.stop:
            if self.text[self.at].isspace() or self.text[self.at] == "~":
                self.at += 1
                continue
            found = COMMAND.match(self.text, self.at, self.stop)
            if found and found.group(1) in SKIP:
                self.at = found.end()
                if found.group(1) in ("left", "right", "mleft", "mright", "middle") and self.text.startswith(
                    ".", self.at
                ):
                    self.at += 1
                continue
            return

    def peek(self) -> str:
        self.skip_space()
        return self.text[self.at] if self.at < self.stop else ""

    def _one(self) -> None:
        char = self.peek()
        if not char:
            return None
        at = self.at
        if char == "\\":
            found = COMMAND.match(self.text, at, self.stop)
            if found is None:
                raise self.error("'\\' ends the formula", at, at + 1)
            self.at = found.end()
            return self.command(found.group(1), at)
        if char == "{":
            return self.group()
        if char == "}":
            raise self.error("'}' closes nothing", at, at + 1, "an opening '{' before it")
        if char.isdigit() or (char == "." and self.text[at + 1 : at + 2].isdigit()):
            return self._number()
        if char in "^_":
            return self._script(char)
        self.at += 1
        if char in "'′’":
            return self.add("TICK", "'", at)
        if char in "([":
            return self.opening("LPAR", char, at)
        if char in ")]":
            return self.closing("RPAR", char, at)
        if char == "|":
            if self.text.startswith("|", self.at) and not (
                self.open and self.open[-1].kind == "LBAR" and self.after_operand()
            ):
                self.at += 1
                return self.bar("NORM", at)
            return self.bar("BAR", at)
        if char == "‖":
            return self.bar("NORM", at)
        simple = {"+": "PLUS", "-": "MINUS", "−": "MINUS", ",": "COMMA", "=": "EQUALS", "&": "AMP", ";": "STOP"}
        if char in simple:
            return self.separator(simple[char], char, at)
        operators = {"/": "/", "*": "*", "·": "·", "⋅": "·", "×": "×", "∘": ".*", "⊙": ".*", "⊗": "⊗", "∗": "*"}
        if char in operators:
            return self.add("OP", operators[char], at)
        if char.isalpha():
            return self.letter(at)
        if self.cases and char in COMPARISONS:
            return self.add("CMP", COMPARISONS[char], at)
        if self.cases and char == ".":
            return None
        hint = {"<": "one formula, without a comparison", ">": "one formula, without a comparison"}.get(char)
        raise self.error(f"the character '{char}' is not part of a formula", at, at + 1, hint)

    def separator(self, kind: str, char: str, at: int) -> None:
        if kind == "COMMA" and not self.open and self.depth == 1:
            kind = "STOP"
        if kind == "EQUALS" and self.cases:
            raise self.unsupported("an equation as a condition", at, self.at, r"x > 0, x \le 0, or \text{otherwise}")
        if kind == "STOP" and (self.open or self.depth > 1):
            raise self.error("';' cannot stand inside brackets", at, at + 1)
        if kind == "STOP" and (not self.tokens or self.tokens[-1].kind == "STOP"):
            return
        self.add(kind, char, at)

    # -- groups, brackets, bars

    def argument(self) -> tuple[int, int]:
        """Where the next argument stands: a group without its braces, a command, or one character."""
        char = self.peek()
        at = self.at
        if not char:
            raise self.error("an argument is missing at the end", max(at - 1, 0), at)
        if char == "{":
            stop = self._matching(at)
            self.at = stop + 1
            return at + 1, stop
        if char == "\\":
            found = COMMAND.match(self.text, at, self.stop)
            if found is None:
                raise self.error("'\\' ends the formula", at, at + 1)
            self.at = found.end()
            name = found.group(1)
            if name in STYLES or name in ACCENTS or name in ("sqrt", "frac"):
                for _ in range(2 if name == "frac" else 1):
                    self.argument()
            return at, self.at
        if char in "^_}":
            raise self.error(f"an argument is missing before '{char}'", at, at + 1)
        self.at += 1
        return at, self.at

    def _matching(self, at: int) -> int:
        """Where the brace that opens here is closed."""
        level, place = 0, at
        while place < self.stop:
            char = self.text[place]
            if char == "\\":
                place += 2
                continue
            level += (char == "{") - (char == "}")
            if level == 0:
                return place
            place += 1
        raise self.error("'{' is never closed", at, at + 1)

    def braced(self, span: tuple[int, int]) -> None:
        """The tokens of an argument, in braces."""
        start, stop = span
        if not self.text[start:stop].strip():
            raise self.error("nothing stands between the braces", max(start - 1, 0), stop + 1)
        outer, bold = self.open, self.bold
        self.open = []
        self.tokens.append(Token("LBRACE", "{", start, start))
        self.run(start, stop)
        self.closed()
        self.tokens.append(Token("RBRACE", "}", stop, stop))
        self.open, self.bold = outer, bold

    def group(self) -> None:
        span = self.argument()
        if self.text[slice(*span)].strip():
            before = len(self.tokens)
            self.braced(span)
            inner = self.tokens[before + 1 : -1]
            if len(inner) == 1:  # {x} is x
                self.tokens[before:] = inner
                self.scripts_of_name(len(self.tokens) - 1)

    def opening(self, kind: str, bracket: str, at: int) -> None:
        self.add(kind, bracket, at)
        self.open.append(self.tokens[-1])

    def closing(self, kind: str, bracket: str, at: int) -> None:
        wanted = CLOSING[bracket]
        if not self.open or self.open[-1].kind != "LPAR" or self.open[-1].value != wanted:
            inside = self.open[-1] if self.open else None
            what = f"'{self.text[at : self.at]}' closes nothing"
            if inside is not None:
                what = f"'{self.text[at : self.at]}' cannot close '{self.text[inside.start : inside.stop]}'"
            raise self.error(what, at, self.at)
        self.open.pop()
        self.add(kind, bracket, at)
        if bracket in ("]", "rbrack") and self.peek() == "_":
            self.at += 1
            start, stop = self.argument()
            self.add("INDEX", self.text[start:stop].strip(), start, stop)

    def bar(self, what: str, at: int, side: str | None = None) -> None:
        """A bar opens where an operand is expected, and else closes the one that is open."""
        opens = side == "L" or (
            side is None and not (self.after_operand() and self.open and self.open[-1].kind == "L" + what)
        )
        if opens:
            self.opening("L" + what, what, at)
            return
        if not self.open or self.open[-1].kind != "L" + what:
            raise self.error("this bar closes nothing", at, self.at)
        self.open.pop()
        self.add("R" + what, "", at)
        if what == "NORM":
            self.norm_scripts()

    def norm_scripts(self) -> None:
        r"""The subscript of a norm belongs to it, wherever it stands: ``\|x\|_2^2`` is ``\|x\|^2_2``."""
        place = len(self.tokens) - 1
        powers: list[tuple[int, int]] = []
        sub = ""
        while (char := self.peek()) and char in "_^":
            self.at += 1
            span = self.argument()
            if char == "_" and not sub:
                sub = plain_script(self.text[slice(*span)])
            elif char == "^" and not powers:
                powers.append(span)
            else:
                raise self.error("two scripts of one kind", *span, "{ } around the part that has the first")
        self.tokens[place] = self.tokens[place]._replace(value=sub)
        for span in powers:
            self.power(span)

    # -- numbers, scripts

    def _number(self) -> None:
        found = NUMBER.match(self.text, self.at, self.stop)
        assert found is not None
        start, self.at = self.at, found.end()
        if len(found.group()) > MAX_DIGITS:
            raise self.error("this number is too long", start, self.at)
        self.add("NUMBER", found.group(), start)

    def _script(self, char: str) -> None:
        at = self.at
        self.at += 1
        if not self.after_operand():
            raise self.error(f"'{char}' has nothing before it", at, at + 1)
        span = self.argument()
        if char == "_":
            raise self.error(
                "a subscript belongs to a name, a norm, or an indexed [ ]", at, self.at, r"[X]_{1,2}, for an entry"
            )
        self.power(span)

    def power(self, span: tuple[int, int]) -> None:
        inner = plain_script(self.text[slice(*span)])
        base = self.tokens[-1]
        primes = inner.replace(r"\prime", "'")
        if inner in TRANSPOSES and not (inner == "T" and "T" in self.names.variables):
            self.add("TICK", "'", *span)
        elif primes and set(primes) == {"'"}:
            for _ in primes:
                self.add("TICK", "'", *span)
        elif inner.startswith("-") and inner[1:] in TRANSPOSES:
            self.add("INVT", "-T", *span)
        else:
            self._proper_power(inner, base, span)

    def _proper_power(self, inner: str, base: Token, span: tuple[int, int]) -> None:
        """A power, entry by entry where the exponent begins with a circle."""
        if inner == "t" and base.kind == "NAME" and self.named_like_an_array(base) and "t" not in self.names.variables:
            raise self.error(
                "the superscript t has two readings: a transpose, or a power", base.start, span[1],
                r"x^\top, or (x)^t for the power",
            )  # fmt: skip
        star = next((s for s in STARS if inner == s or (inner.startswith(s) and inner[len(s) :] in TRANSPOSES)), None)
        if star is not None:
            hint = {"+": "inv(X'*X)*X', for full column rank"}.get(
                star, r"X^\top for a transpose; \tilde{x} for a point of its own"
            )
            raise self.unsupported(f"the superscript {star}, {STARS[star]},", base.start, span[1], hint)
        start = span[0]
        for mark in (r"\odot", r"\circ", "∘", "⊙"):
            if inner.startswith(mark):
                start = self.text.index(mark, *span) + len(mark)
                self.tokens.append(Token("EPOW", ".^", *span))
                self.braced((start, span[1]))
                return
        self.tokens.append(Token("POW", "^", *span))
        self.braced(span)

    # What subclasses read.

    def letter(self, at: int) -> None:
        raise NotImplementedError

    def command(self, name: str, at: int) -> None:
        raise NotImplementedError

    @staticmethod
    def named_like_an_array(token: Token) -> bool:
        """Whether a name is bold, or a Latin letter that is a vector's or a matrix's by habit."""
        name = token.value
        return name.style == BOLD or (not name.command and (name.upper or name.base[:1] in "uvwxyz"))

    def scripts_of_name(self, place: int) -> None:
        raise NotImplementedError
