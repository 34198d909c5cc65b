"""Text cut into tokens: what pasted symbols mean, which brackets are open, where a statement ends.

All that the grammar cannot say well is decided here, so that an error can point at the one character
that causes it.

>>> [token.kind for token in tokenize("2.*x'*A")]
['NUMBER', 'TIMES', 'NAME', 'TICK', 'TIMES', 'NAME']
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from matgrad.errors import FormulaError, MatgradError, NotSupported
from matgrad.formula.loops import EXAMPLE, Indexed, Loop, indices_at, loop_at, repeated
from matgrad.formula.token import Token

MAX_CHARS = 20_000
MAX_NESTING = 200
MAX_DIGITS = 400


_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_TICKS = "'′’ᵀ⊤"
_OPERATORS = {
    "*": "*", "@": "*", "·": "*", "⋅": "*", "×": "*", "∗": "*", "/": "/", "∕": "/", "÷": "/",
    ".*": ".*", "⊙": ".*", "∘": ".*", "./": "./", "⊗": "⊗",
}  # fmt: skip
_SIMPLE = {
    "(": "LPAR", ")": "RPAR", "[": "LSQB", "]": "RSQB", ",": "COMMA", ";": "SEMI", ":": "COLON", "=": "EQUALS",
    "+": "PLUS", "-": "MINUS", "−": "MINUS", "–": "MINUS", "^": "POW", ".^": "POW",
}  # fmt: skip
_CLOSES = {")": "(", "]": "["}
_NUMBER = re.compile(r"(?:[0-9]+(?:\.(?![.*/^'′’ᵀ⊤⊙∘]|T\b)[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]+)$")
_SUPER = re.compile("[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_STRING = re.compile(r"\"[^\"\n]*\"|'[A-Za-z, ]*->[A-Za-z ]*'")
_TRANSPOSE = re.compile(r"\.['′’ᵀ⊤]|\.T(?!\w)")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?![A-Za-z0-9_{]|[^\x00-\x7f])")
_CALL = re.compile(r"(['′’]*)\(|[ \t]*\(")
_ENDS_OPERAND = {"NAME", "NUMBER", "RPAR", "RSQB", "TICK", "SUPER", "STRING"}
_INFIX = {"PLUS", "MINUS", "TIMES", "POW", "EQUALS", "COMMA", "COLON"}
_CONTINUES = {"TIMES", "POW", "TICK", "SUPER", "COMMA", "EQUALS", "COLON"}
_FLAT = {"NAME", "NUMBER", "STRING", "LPAR", "RPAR", "RSQB"}
"""Tokens that nest nothing deeper, and end no chain of signs and postfix operators."""
_MODULES = {"np", "numpy", "jnp", "jax", "math", "torch", "tf", "sp", "scipy", "F", "matgrad", "fn"}
_INSTEAD = {
    "|": "abs(x), norm2(x) or det(X)", "‖": "norm2(x) or norm1(x)", "√": "sqrt(x)", "∑": "sum(x)",
    "{": "( )", "}": f"( ), or {EXAMPLE}",
    "$": "the formula without $, or parse_latex", "∂": "derive(formula, wrt)", "<": "step(x - y)",
    "∇": "gradient(formula, wrt)", ">": "step(x - y)", "¹": "inv(X)", "∞": "a number", "%": "a product with 0.01",
    "!": "a product", "~": "a name of letters and digits", "#": "the formula without comments", "&": "a product",
}  # fmt: skip


def is_name_start(char: str) -> bool:
    return char == "_" or (char.isalpha() and char not in _TICKS)


def _is_name_part(char: str) -> bool:
    if char.isalpha() or char == "_":
        return char not in _TICKS
    if char.isdigit() or char.isdecimal():
        return char not in "⁰¹²³⁴⁵⁶⁷⁸⁹"
    return unicodedata.category(char) in ("Mn", "Mc")


def scan_name(text: str, start: int) -> int:
    """Where the name that starts here ends."""
    stop = start + 1
    while stop < len(text) and _is_name_part(text[stop]):
        stop += 1
    return stop


def normalise_name(raw: str) -> str | None:
    """The name as it is known everywhere (NFKC), or None where it is no identifier."""
    name = raw if raw.isascii() else unicodedata.normalize("NFKC", raw)
    return name if name.isidentifier() else None


def tokenize(text: str, *, limits: bool = True) -> list[Token]:
    """All tokens; statements end with STOP, rows of a stack with SEMI, whether by ``;`` or by a new line."""
    if not isinstance(text, str):
        raise FormulaError(f"a formula is text, not {type(text).__name__}")
    if limits and len(text) > MAX_CHARS:
        raise FormulaError(f"the formula has {len(text)} characters: more than {MAX_CHARS} are not read")
    return _Tokenizer(text, limits).run()


class _Tokenizer:
    def __init__(self, text: str, limits: bool) -> None:
        self.text = text
        self.limits = limits
        self.tokens: list[Token] = []
        self.open: list[Token] = []
        self.chain = [0]  # signs and postfix operators since the last infix operator, per open bracket
        self.newline: int | None = None
        self.loops: list[str] = []

    def run(self) -> list[Token]:
        self._read(0)
        while self.tokens and self.tokens[-1].kind == "STOP":
            self.tokens.pop()
        return self.tokens

    def _read(self, at: int) -> int:
        """Tokens up to the end of the text, or of the body of a loop; the position there."""
        while at < len(self.text):
            char = self.text[at]
            if char == "}" and self.loops and not self.open:
                return at
            if char == "\n" or char == "\r":
                self.newline = at if self.newline is None else self.newline
                at += 1
            elif char.isspace() or char in "\u200b\u200c\u200d\u2060\ufeff":
                at += 1
            else:
                at = self._token(at)
        if self.open:
            bracket = self.open[-1]
            raise self._error(f"'{bracket.value}' is never closed", bracket.start, bracket.stop)
        return at

    def _error(self, message: str, start: int, stop: int, hint: str | None = None) -> FormulaError:
        return FormulaError(message, source=self.text, span=(start, stop), hint=hint)

    def _token(self, at: int) -> int:
        """Add the token that starts here; the position after it."""
        text = self.text
        char = text[at]
        if char in _SIMPLE and char != "=":
            return self._add(_SIMPLE[char], char, at, at + 1)
        if is_name_start(char):
            return self._name(at)
        if char.isdigit() or char == ".":
            found = _NUMBER.match(text, at)
            if found:
                return self._number(at, found.end())
        if char in "\"'":
            found = _STRING.match(text, at)
            if found:
                return self._add("STRING", found.group()[1:-1].replace(" ", ""), at, found.end())
        if char in _TICKS:
            return self._add("TICK", "'", at, at + 1)
        found = _TRANSPOSE.match(text, at)
        if found:
            return self._add("TICK", "'", at, found.end())
        found = _SUPER.match(text, at)
        if found:
            return self._number(at, found.end(), "SUPER")
        return self._symbol(at)

    def _symbol(self, at: int) -> int:
        if self.text.startswith("**", at):
            raise self._error("'**' is not an operator here", at, at + 2, "x^2, or x.^2 entry by entry")
        if self.text.startswith(("==", "<=", ">=", "!="), at):
            raise self._error("comparisons are not part of formulas", at, at + 2, "one formula, without a comparison")
        for size in (2, 1):
            piece = self.text[at : at + size]
            size = len(piece)
            if piece in _OPERATORS:
                return self._add("TIMES", _OPERATORS[piece], at, at + size)
            if piece in _SIMPLE:
                return self._add(_SIMPLE[piece], piece, at, at + size)
        raise self._stray(at)

    def _name(self, at: int) -> int:
        loop = loop_at(self.text, at) if self.text.startswith("for", at) and not self.open else None
        if loop is not None:
            return self._loop(loop, at)
        name, stop = self._indexed(at)
        call = _CALL.match(self.text, stop)
        if call is None:
            return self._add("NAME", name, at, stop)
        primes = len(call.group(1) or "")
        value = name._replace(call=primes) if isinstance(name, Indexed) else (name, primes)
        return self._add("CALL", value, at, stop + primes)

    def _indexed(self, at: int) -> tuple[str | Indexed, int]:
        """A name with the indices in braces that belong to it."""
        plain = _PLAIN_NAME.match(self.text, at)
        if plain is not None:
            return plain.group(), plain.end()
        parts: list[Any] = []
        stop = at
        while True:
            start, stop = stop, scan_name(self.text, stop) if self._goes_on(stop, parts) else stop
            if stop > start:
                # what follows an index may begin with a digit: it is normalised like the end of a name
                name = normalise_name("_" * bool(parts) + self.text[start:stop])
                if name is None:
                    raise self._error(f"'{self.text[start:stop]}' cannot be a name", at, stop, "letters, digits and _")
                parts.append(name[bool(parts) :])
            if not self.text.startswith("{", stop):
                break
            found, stop = indices_at(self.text, stop, self.loops)
            parts += found
        if any(isinstance(part, tuple) for part in parts):
            return Indexed(tuple(parts)), stop
        return "".join(parts), stop

    def _goes_on(self, at: int, parts: list[Any]) -> bool:
        return not parts or (at < len(self.text) and _is_name_part(self.text[at]))

    def _loop(self, loop: Loop, at: int) -> int:
        """The tokens of a loop, written out; the position after it."""
        if self.newline is not None:
            self._line_break("NAME", at, at + 3)
        if self.tokens and self.tokens[-1].kind != "STOP":
            raise self._error("a loop is a statement of its own", at, at + 3, "';' before it")
        if loop.name in self.loops:
            raise self._error(f"a loop over {loop.name} inside of another", at, loop.span[1], "another letter")
        mark = len(self.tokens)
        self.loops.append(loop.name)
        end = self._read(loop.body)
        if end >= len(self.text):
            raise self._error("the body of this loop is never closed: } is missing", loop.body - 1, loop.body)
        self.loops.pop()
        self.newline = None
        body = self.tokens[mark:]
        while body and body[-1].kind == "STOP":
            body.pop()
        self.tokens[mark:] = repeated(loop, body, self.text)
        self.chain[-1] = 0
        return end + 1

    def _number(self, at: int, stop: int, kind: str = "NUMBER") -> int:
        digits = self.text[at:stop].translate(_SUPERSCRIPTS) if kind == "SUPER" else self.text[at:stop]
        exponent = _EXPONENT.search(digits)
        if len(digits) > MAX_DIGITS or (exponent and abs(int(exponent.group(1))) > MAX_DIGITS):
            raise self._error("this number is too long", at, stop, f"a number of at most {MAX_DIGITS} digits")
        return self._add(kind, digits, at, stop)

    def _stray(self, at: int) -> MatgradError:
        char = self.text[at]
        before = self.tokens[-1] if self.tokens else None
        if char == "\\":
            if before is None or before.kind not in _ENDS_OPERAND:
                return self._error(
                    "'\\' is not part of a formula", at, at + 1, "for LaTeX: parse_latex, or --latex-input"
                )
            left = self.text[before.start : before.stop] if before.kind == "NAME" else "A"
            after = re.match(r"\s*(\w+)", self.text[at + 1 :])
            right = after.group(1) if after and before.kind == "NAME" else "b"
            return NotSupported(
                "'\\' (solving a linear system) is not an operator here",
                source=self.text, span=(at, at + 1), hint=f"inv({left})*{right}",
            )  # fmt: skip
        if char == "}" and self.loops:
            bracket = self.open[-1]
            return self._error(f"'{bracket.value}' is never closed", bracket.start, bracket.stop)
        if char in "\"'":
            return self._error("this quote is never closed", at, at + 1, 'einsum("ij,jk->ik", A, B)')
        if char == "{" and before is not None and before.kind == "POW":
            return self._braced_exponent(at)
        hint = self._method(at, before) if char == "." else _INSTEAD.get(char)
        return self._error(f"the character '{char}' is not part of a formula", at, at + 1, hint)

    def _method(self, at: int, before: Token | None) -> str | None:
        """np.exp(x) is exp(x), x.sum() is sum(x); Python's own code is for objects."""
        found = re.compile(r"\.(?:[A-Za-z]\w*\.)*([A-Za-z]\w*)(?:\(([^()]*)\))?").match(self.text, at)
        if found is None or before is None or before.kind != "NAME":
            return None
        owner = self.text[before.start : before.stop]
        return f"{found.group(1)}({(found.group(2) or '…') if owner in _MODULES else owner})"

    def _braced_exponent(self, at: int) -> MatgradError:
        """X^{2} is LaTeX; so are X^{T} and X^{-T}."""
        end = self.text.find("}", at)
        inner = self.text[at + 1 : end] if end > 0 else "2"
        base = self.tokens[-2] if len(self.tokens) > 1 and self.tokens[-2].kind == "NAME" else None
        name = self.text[base.start : base.stop] if base is not None else "X"
        signs = {"T": f"{name}'", "-T": f"inv({name})'", "-1": f"inv({name})"}
        hint = signs.get(inner.replace(" ", ""), f"^({inner})")
        return self._error("exponents are written without braces", at, max(end, at) + 1, f"{hint}, or parse_latex")

    def _add(self, kind: str, value: Any, start: int, stop: int) -> int:
        if self.newline is not None:
            self._line_break(kind, start, stop)
        if kind in ("RPAR", "RSQB"):
            self._close(value, start, stop)
        if kind == "SEMI" and not self._semicolon(start, stop):
            return stop
        if self.limits and kind not in _FLAT:
            self._count(kind, value, start, stop)
        token = Token("STOP" if kind == "SEMI" and not self.open else kind, value, start, stop)
        self.tokens.append(token)
        if kind in ("LPAR", "LSQB"):
            self.open.append(token)
            self.chain.append(0)
            if self.limits and len(self.open) > MAX_NESTING:
                raise self._error(f"brackets are nested more than {MAX_NESTING} deep", start, stop, _NAME_PARTS)
        return stop

    def _close(self, bracket: str, start: int, stop: int) -> None:
        if not self.open:
            raise self._error(f"'{bracket}' closes nothing", start, stop, f"an opening '{_CLOSES[bracket]}' before it")
        opened = self.open[-1]
        if opened.value != _CLOSES[bracket]:
            raise self._error(f"'{bracket}' cannot close '{opened.value}'", start, stop)
        self.open.pop()
        self.chain.pop()

    def _semicolon(self, start: int, stop: int) -> bool:
        """Whether this ``;`` separates anything (an empty statement is none)."""
        if self.open and self.open[-1].value == "(":
            raise self._error("';' cannot stand inside ( )", start, stop, "',' between arguments")
        return bool(self.open) or bool(self.tokens and self.tokens[-1].kind != "STOP")

    def _line_break(self, kind: str, start: int, stop: int) -> None:
        """A new line ends a statement, or a row of a stack, unless an operator shows that it goes on."""
        at, self.newline = self.newline, None
        before = self.tokens[-1] if self.tokens else None
        if before is None or at is None or before.kind not in _ENDS_OPERAND or kind in _CONTINUES or kind == "SEMI":
            return
        if self.open:
            if self.open[-1].value == "[" and kind not in ("RSQB", "PLUS", "MINUS"):
                self.tokens.append(Token("SEMI", ";", at, at + 1))
            return
        if kind in ("PLUS", "MINUS"):
            message = "does this line continue the one above, or begin a new formula?"
            raise self._error(message, start, stop, "the sign at the end of the line above to go on, or ';' to end it")
        if kind not in ("RPAR", "RSQB"):
            self.tokens.append(Token("STOP", "\n", at, at + 1))
            self.chain[-1] = 0

    def _count(self, kind: str, value: Any, start: int, stop: int) -> None:
        before = self.tokens[-1].kind if self.tokens else "STOP"
        deeper = value[1] if kind == "CALL" else kind in ("TICK", "POW", "SUPER")
        if kind == "LSQB" or kind == "MINUS":
            deeper = (before in _ENDS_OPERAND) == (kind == "LSQB")
        elif kind in ("PLUS", "TIMES", "COMMA", "SEMI", "EQUALS"):
            self.chain[-1] = 0
        if kind == "MINUS" and not deeper:
            self.chain[-1] = 0
        self.chain[-1] += int(deeper)
        if self.chain[-1] > MAX_NESTING:
            raise self._error(
                f"signs, powers and primes are nested more than {MAX_NESTING} deep", start, stop, _NAME_PARTS
            )


_NAME_PARTS = "naming parts of it, as in r = A*x - b; r'*r"
