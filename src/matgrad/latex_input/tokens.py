r"""LaTeX cut into tokens: groups, scripts, fonts, and which of two bars opens.

>>> [token.kind for token in tokenize(r"\|\mathbf{A} x_1\|_2^2", Names())]
['LNORM', 'NAME', 'NAME', 'RNORM', 'POW', 'LBRACE', 'NUMBER', 'RBRACE']
"""

from __future__ import annotations

import re
from collections.abc import Callable

from matgrad.errors import FormulaError
from matgrad.formula.tokens import MAX_CHARS
from matgrad.latex_input.names import BOLD, GREEK_COMMANDS, PLAIN, Name
from matgrad.latex_input.scanner import Names, Token
from matgrad.latex_input.vocabulary import (
    ACCENTS,
    BARS,
    BRACKETS,
    CLOSING,
    COMPARISONS,
    HINTS,
    MATRICES,
    OPERATORS,
    REFUSED,
    SKIP,
    STYLES,
    WORDS_OF_CASES,
    function_named,
    plain_script,
)
from matgrad.latex_input.words import Words

__all__ = ["Names", "Token", "tokenize"]


def tokenize(text: str, names: Names, *, limits: bool = True) -> list[Token]:
    """All tokens of the formula; what matgrad printed itself may be long."""
    if not isinstance(text, str):
        raise FormulaError(f"a formula is text, not {type(text).__name__}")
    if limits and len(text) > MAX_CHARS:
        raise FormulaError(f"the formula has {len(text)} characters: more than {MAX_CHARS} are not read")
    start, stop = _undelimited(text)
    scanner = _Commands(text, names)
    scanner.run(start, stop)
    scanner.closed()
    while scanner.tokens and scanner.tokens[-1].kind in ("STOP", "COMMA"):
        scanner.tokens.pop()
    return scanner.tokens


def _undelimited(text: str) -> tuple[int, int]:
    r"""The formula without ``$ … $``, ``\[ … \]``, ``\( … \)``, an environment around it, or a final full stop."""
    start, stop = 0, len(text)
    pairs = [("$$", "$$"), ("$", "$"), (r"\[", r"\]"), (r"\(", r"\)")]
    pairs += [(rf"\begin{{{e}}}", rf"\end{{{e}}}") for e in ("equation", "equation*", "align*", "align", "displaymath")]
    again = True
    while again:
        while start < stop and text[start].isspace():
            start += 1
        while start < stop and (text[stop - 1].isspace() or text[stop - 1] in ".,;") and text[stop - 2 : stop] != r"\,":
            stop -= 1
        again = False
        for opening, closing in pairs:
            inside = stop - start >= len(opening) + len(closing)
            if inside and text.startswith(opening, start) and text.endswith(closing, start, stop):
                start, stop, again = start + len(opening), stop - len(closing), True
                break
    return start, stop


_GOES_ON = re.compile(r"(?:\s|\\q?quad\b|\\[,;:! ])*[-+=]")
"""After a wide space: the formula goes on."""


_CASES = ("cases", "dcases")


class _Commands(Words):
    """Reads commands."""

    # -- commands

    def command(self, name: str, at: int) -> None:
        if name in SKIP:
            return None
        if self.cases and name in COMPARISONS:
            return self.add("CMP", COMPARISONS[name], at)
        if self.cases and name in WORDS_OF_CASES:
            return self.add(WORDS_OF_CASES[name], name, at)
        if name in ("quad", "qquad") and _GOES_ON.match(self.text, self.at):
            return None
        if name in ("quad", "qquad", "\\", "newline"):
            return self.separator("STOP", name, at) if not self.open and self.depth == 1 else self._row_end(name, at)
        if name in OPERATORS:
            return self.add("OP", OPERATORS[name], at)
        if name in GREEK_COMMANDS:
            base = GREEK_COMMANDS[name]
            if base == "pi" and name == "pi" and "pi" not in self.names.variables and self.peek() != "_":
                return self.add("CONSTANT", "pi", at)
            return self.name(Name(base, BOLD if self.bold else PLAIN, command=name if name != "ell" else "ell"), at)
        method: Callable[[int], None] | None = getattr(self, "_do_" + name, None) if name.isalpha() else None
        if method is not None:
            return method(at)
        if name in STYLES:
            return self.styled(name, at)
        if name in ACCENTS:
            return self.accented(name, at)
        return self._bracket_command(name, at)

    def _bracket_command(self, name: str, at: int) -> None:
        if name in BARS:
            what, side = BARS[name]
            return self.bar(what, at, side)
        if name in BRACKETS:
            return self.opening("LPAR", name, at)
        if name in CLOSING:
            return self.closing("RPAR", name, at)
        if name in ("langle", "rangle"):
            return self._angle(name, at)
        function = function_named(name)
        if function:
            return self.function(function, at)
        if name in REFUSED:
            raise self.unsupported(REFUSED[name], at, self.at, HINTS.get(name))
        raise self.error(
            f"the command \\{name} is not known", at, self.at, r"\operatorname{…} for a function, \mathit{…} for a name"
        )

    def _angle(self, name: str, at: int) -> None:
        if name == "langle":
            return self.opening("LANGLE", name, at)
        if not self.open or self.open[-1].kind != "LANGLE":
            raise self.error(r"'\rangle' closes nothing", at, self.at)
        self.open.pop()
        return self.add("RANGLE", name, at)

    def _row_end(self, name: str, at: int) -> None:
        if name in ("quad", "qquad"):
            return
        self.add("ROWEND", name, at)

    # One method per command with arguments of its own.

    def _do_frac(self, at: int) -> None:
        top, bottom = self.argument(), self.argument()
        self.add("FRAC", "/", at)
        self.braced(top)
        self.braced(bottom)

    _do_tfrac = _do_dfrac = _do_cfrac = _do_frac

    def _do_sqrt(self, at: int) -> None:
        root = None
        if self.peek() == "[":
            close = self.text.find("]", self.at, self.stop)
            if close < 0:
                raise self.error("'[' is never closed", self.at, self.at + 1)
            root, self.at = (self.at + 1, close), close + 1
        inside = self.argument()
        self.add("SQRT" if root is None else "ROOT", "sqrt", at)
        if root is not None:
            self.braced(root)
        self.braced(inside)

    def _do_underbrace(self, at: int) -> None:  # noqa: ARG002
        """What is only said of a part, below or above it, is left out."""
        self._annotated("_")

    def _do_overbrace(self, at: int) -> None:  # noqa: ARG002
        self._annotated("^")

    def _annotated(self, mark: str) -> None:
        span = self.argument()
        if self.peek() == mark:
            self.at += 1
            self.argument()
        self.braced(span)

    def _do_boxed(self, at: int) -> None:  # noqa: ARG002
        self.group()

    _do_ensuremath = _do_mathclap = _do_boxed

    def _do_textcolor(self, at: int) -> None:  # noqa: ARG002
        self.argument()
        self.group()

    def _do_label(self, at: int) -> None:  # noqa: ARG002
        self.argument()

    _do_tag = _do_hspace = _do_vspace = _do_phantom = _do_hphantom = _do_vphantom = _do_color = _do_label

    def _do_bf(self, at: int) -> None:  # noqa: ARG002
        self.bold = True

    _do_bfseries = _do_bf

    def _do_exponentialE(self, at: int) -> None:
        self.name(Name("e"), at)

    def _do_norm(self, at: int) -> None:
        span = self.argument()
        self.opening("LNORM", "NORM", at)
        outer = self.open
        self.open = []
        self.run(*span)
        self.closed()
        self.open = outer[:-1]
        self.add("RNORM", "", at)
        self.norm_scripts()

    def _do_abs(self, at: int) -> None:
        span = self.argument()
        self.tokens.append(Token("FCALL", ("abs", 0, None), at, self.at))
        self.braced(span)

    def _do_sum(self, at: int) -> None:
        self._over("sum", at)

    def _do_prod(self, at: int) -> None:
        if self.peek() != "_":
            return self.function("prod", at)
        return self._over("prod", at)

    def _do_max(self, at: int) -> None:
        self._extreme("max", at)

    def _do_min(self, at: int) -> None:
        self._extreme("min", at)

    def _extreme(self, name: str, at: int) -> None:
        r"""``\max_i x_i``, where the letter is an index of what follows; ``\max_w f(w)`` is no formula."""
        script = re.compile(r"\s*_\s*(?:([A-Za-z])|\{\s*([A-Za-z])\s*\})").match(self.text, self.at, self.stop)
        index = script and (script.group(1) or script.group(2))
        if script and re.search(rf"_\s*(?:{index}|\{{[^{{}}]*{index}[^{{}}]*\}})", self.text[script.end() : self.stop]):
            self._over(name, at)
        else:
            self.function(name, at)

    def _over(self, name: str, at: int) -> None:
        """A sum, product, maximum or minimum over an index, with its ends."""
        scripts: dict[str, tuple[int, int]] = {}
        while (char := self.peek()) and char in "_^" and char not in scripts:
            self.at += 1
            scripts[char] = self.argument()
        if "_" not in scripts:
            raise self.error("a sum needs its index", at, self.at, r"\sum_{i=1}^{n} …")
        low = plain_script(self.text[slice(*scripts["_"])])
        high = plain_script(self.text[slice(*scripts["^"])]) if "^" in scripts else ""
        found = re.fullmatch(r"(ell|[A-Za-z](?:,?[A-Za-z])*)(?:=1)?|([A-Za-z])=([1-9]\d*)", low)
        letters = (found.group(1) or found.group(2)).replace(",", "") if found else ""
        indices = ("ell",) if letters == "ell" else tuple(letters)
        if found is None or len(set(indices)) < len(indices):
            hint = r"\sum_{i=1}^{n}, with indices that count from 1"
            raise self.error(f"the sum over '{low}' cannot be read", *scripts["_"], hint)
        if high and not re.fullmatch(r"[A-Za-z]\w*(-[1-9]\d*)?|\d+", high):
            raise self.error(f"the sum up to '{high}' cannot be read", *scripts["^"], "a number or a name")
        start = found.group(3) or "1"
        if (
            high
            and len(indices) == 1
            and (start != "1" or "-" in high or (high.isdigit() and self._shifted(indices[0])))
        ):
            high = f"{start}:{high}"  # not over all there are
        elif start != "1":
            raise self.error(f"the sum over '{low}' cannot be read", *scripts["_"], r"its end, as in \sum_{i=2}^{n}")
        self.add("SUM", (indices, high, name), at)

    def _shifted(self, index: str) -> bool:
        """Whether an index is shifted in what follows: x_{i-1}."""
        return re.search(rf"_\s*\{{\s*{index}\s*[+-]\s*\d", self.text[self.at : self.stop]) is not None

    def _do_begin(self, at: int) -> None:
        start, stop = self.argument()
        kind = self.text[start:stop].strip()
        if kind not in MATRICES and kind not in _CASES:
            hint = {
                "vmatrix": r"\det\begin{bmatrix} … \end{bmatrix}",
                "Vmatrix": r"\left\|\begin{bmatrix} … \end{bmatrix}\right\|_F",
            }
            raise self.unsupported(
                f"the environment {kind}", at, self.at, hint.get(kind, r"\begin{bmatrix} … \end{bmatrix}")
            )
        if kind == "array" and self.peek() == "{":
            self.argument()
        closing = re.compile(r"\\(begin|end)\s*\{\s*" + re.escape(kind) + r"\s*\}")
        level, body = 1, self.at
        for found in closing.finditer(self.text, self.at, self.stop):
            level += 1 if found.group(1) == "begin" else -1
            if level == 0:
                break
        else:
            raise self.error(f"\\begin{{{kind}}} is never ended", at, self.at)
        self.at = found.end()
        self.add("CASES" if kind in _CASES else "BEGIN", kind, at, body)
        outer, self.open = self.open, []
        self.cases += kind in _CASES
        self.run(body, found.start())
        self.closed()
        self.cases -= kind in _CASES
        self.open = outer
        while self.tokens[-1].kind == "ROWEND":
            self.tokens.pop()
        self.add("END", kind, found.start())

    def _do_end(self, at: int) -> None:
        raise self.error(r"\end without its \begin", at, self.at)
