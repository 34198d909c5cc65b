r"""Letters, fonts, names with their scripts, and the names of functions."""

from __future__ import annotations

import re

from matgrad.formula.printing import SPELLED
from matgrad.latex_input.names import BOLD, GREEK_COMMANDS, PLAIN, ROMAN, SCRIPT, Name
from matgrad.latex_input.scanner import Scanner
from matgrad.latex_input.vocabulary import (
    ACCENTS,
    COMMAND,
    GREEK_FUNCTIONS,
    NUMBERED,
    STYLES,
    TRANSPOSES,
    WORDS_OF_CASES,
    function_named,
    plain_script,
)


class Words(Scanner):
    """Reads names and functions."""

    # -- letters, names, functions

    def letter(self, at: int) -> None:
        """One letter is a name: ``Ax`` is a product. An accent pasted as a combining sign belongs to it."""
        name = self.text[at]
        greek = SPELLED.get(name)
        self.name(Name(greek or name, BOLD if self.bold else PLAIN, command=greek or ""), at)

    def name(self, name: Name, at: int) -> None:
        """A name with its scripts, or the function that it names."""
        self.add("NAME", name, at)
        self.scripts_of_name(len(self.tokens) - 1)

    def scripts_of_name(self, place: int) -> None:
        r"""Subscripts are part of a name, and so is a superscript in brackets, ``W^{(1)}``; others are powers."""
        if self.tokens[place].kind != "NAME":
            return
        powers: list[tuple[int, int]] = []
        seen = set()
        while (char := self.peek()) and char in "_^":
            name = self.tokens[place].value
            before = self.at
            self.at += 1
            span = self.argument()
            inner = plain_script(self.text[slice(*span)])
            turned = re.fullmatch(r"(\(\w+\))(.+)", inner) if char == "^" else None
            if turned and turned.group(2) in TRANSPOSES:  # x^{(i)\top}
                inner = turned.group(1)
                powers.append((self.text.index(")", *span) + 1, span[1]))
            bracketed = re.fullmatch(r"[(\[<](.+)[)\]>]|\\langle(.+)\\rangle", inner)
            if char == "^" and not bracketed:
                if powers or (inner in TRANSPOSES and "_" not in seen and self.peek() != "_"):
                    self.at = before
                    break
                powers.append(span)
                if self.peek() != "_":
                    break
                continue
            if char in seen:
                raise self.error("two scripts of one kind", *span, "{ } around the name that has the first")
            seen.add(char)
            content = (bracketed.group(1) or bracketed.group(2)) if bracketed and char == "^" else inner
            name = name._replace(sub=content) if char == "_" else name._replace(sup=content)
            self.tokens[place] = self.tokens[place]._replace(value=name, stop=self.at)
        for span in powers:
            self.power(span)
        self._function_at(place)

    def _function_at(self, place: int) -> None:
        """A declared function, or a Greek letter that names one, directly before a bracket."""
        if place != len(self.tokens) - 1 or self.tokens[place].kind != "NAME":
            return
        name: Name = self.tokens[place].value
        declared = name.base in self.names.functions and not (name.sub or name.sup or name.accent)
        letter = name._replace(sub="", sup="")
        numbered = self._is_unnamed(letter) and name.command in NUMBERED and not self._has(name)
        primes, ahead = 0, self.at
        while (declared or numbered) and self.peek() in ("'", "′", "’", "^"):
            if self.peek() == "^":
                self.at += 1
                inner = plain_script(self.text[slice(*self.argument())]).replace(r"\prime", "'")
                if set(inner) != {"'"}:
                    self.at = ahead
                    break
                primes += len(inner)
            else:
                self.at += 1
                primes += 1
        if not self.opens_bracket():
            self.at = ahead
            return
        count = primes or name.sup or name.sub
        if declared:
            self.tokens[place] = self.tokens[place]._replace(kind="FCALL", value=(name.base, primes, None))
        elif numbered and str(count).isdigit() and not (name.sup and name.sub):
            latex = name.latex + "'" * primes
            self.tokens[place] = self.tokens[place]._replace(
                kind="FCALL", value=(NUMBERED[name.command], int(count), latex)
            )
        elif not primes and self._is_unnamed(name) and name.command in GREEK_FUNCTIONS:
            known = GREEK_FUNCTIONS[name.command]
            self.tokens[place] = self.tokens[place]._replace(kind="FCALL", value=(known, 0, name.latex))
        else:
            self.at = ahead

    def _has(self, name: Name) -> bool:
        """Whether a letter with this script is a variable: psi1, psi_1."""
        return bool({name.base + name.sub, f"{name.base}_{name.sub}"} & self.names.variables)

    def _is_unnamed(self, name: Name) -> bool:
        """Whether it is a plain Greek letter that is no variable."""
        plain = name == Name(name.base, PLAIN, command=name.command)
        return plain and name.base not in self.names.variables

    def opens_bracket(self) -> bool:
        char = self.peek()
        if char in ("(", "["):
            return True
        found = COMMAND.match(self.text, self.at, self.stop)
        return bool(found and found.group(1) in ("{", "lbrace", "lbrack", "lparen"))

    def function(self, name: str, at: int) -> None:
        r"""A function's name, with a power on it as in ``\sin^2 x``; before a bracket it takes what is in there."""
        if name == "einsum":
            self._einsum(at)
            return
        name = "lgamma" if name == "log" and self._of_gamma() else name
        power = None
        if self.peek() == "^":
            self.at += 1
            span = self.argument()
            inner = plain_script(self.text[slice(*span)])
            if not inner.isdigit():
                hint = rf"\arc{name}, or ({name}(…))^{{-1}}" if inner == "-1" else f"({name}(…))^{{…}}"
                raise self.error(f"the power {inner} of a function's name has two readings", at, self.at, hint)
            power = int(inner)
        if self.peek() == "_":
            start = self.at
            self.at += 1
            self.argument()
            hint = "the objective alone" if name in ("min", "max", "argmin", "argmax") else f"{name}(…), without it"
            raise self.unsupported(f"a subscript of {name}", start, self.at, hint)
        called = self.opens_bracket() or self.peek() == "{"
        self.add("FCALL" if called else "FUNC", (name, 0, power), at)

    def _of_gamma(self) -> bool:
        r"""``\ln\Gamma(x) y`` is lgamma(x)*y: the two letters name one function."""
        found = re.compile(r"\s*(?:\\[,!]\s*)?\\Gamma(?![A-Za-z])").match(self.text, self.at, self.stop)
        if found is None or "Gamma" in self.names.variables | self.names.functions:
            return False
        before, self.at = self.at, found.end()
        if not self.opens_bracket():
            self.at = before
        return self.at != before

    def _einsum(self, at: int) -> None:
        found = re.compile(r"\s*\(\s*([A-Za-z(),\s]*?\\to[A-Za-z()\s]*?);").match(self.text, self.at, self.stop)
        if found is None:
            raise self.error("einsum takes letters, an arrow, a semicolon and arguments", at, self.at)
        self.at = found.end()
        subscripts = re.sub(r"\s+", "", found.group(1).replace(r"\to", "->"))
        self.add("FCALL", ("einsum", 0, subscripts), at)
        self.opening("LPAR", "(", at)

    def styled(self, name: str, at: int) -> None:
        """Letters in a font: bold ones are vectors and matrices, roman ones words."""
        style = STYLES[name]
        if name == "operatorname" and self.text.startswith("*", self.at):
            self.at += 1
        if name == "rm" and self.peek() != "{":
            word = re.compile(r"[A-Za-z]+").match(self.text, self.at, self.stop)
            span = (self.at, word.end()) if word else self.argument()
            self.at = span[1]
        else:
            span = self.argument()
        inner = self.text[slice(*span)].strip()
        if style == "board" or inner in ("1", "0"):
            return self._special(inner, at)
        if style == ROMAN:
            return self._word(inner, name, at)
        command = re.fullmatch(r"\\([A-Za-z]+)", inner)
        if command and command.group(1) in GREEK_COMMANDS:
            return self.name(Name(GREEK_COMMANDS[command.group(1)], style, command=command.group(1)), at)
        word = re.fullmatch(r"\\(?:mathit|mathrm|text)\{([A-Za-z]\w*(?:\\_\w+)*)\}", inner)
        if word:
            return self.name(Name(word.group(1).replace("\\_", "_"), style), at)
        if len(inner) == 1 and inner.isalpha():
            if inner == "e" and style == BOLD and self._unit_vector(at):
                return None
            if inner == "K" and style == BOLD and self._commutation(at):
                return None
            return self.name(Name(inner, style), at)
        if inner.isalpha() and inner.isascii() and inner in self.names.variables:
            return self.name(Name(inner, style), at)
        return self._styled_group(span, style, at)

    def _styled_group(self, span: tuple[int, int], style: str, at: int) -> None:
        r"""``\mathbf{Xw}``: the style holds for each letter in the group."""
        before, bold = len(self.tokens), self.bold
        self.bold = style == BOLD
        self.run(*span)
        self.bold = bold
        inner = self.tokens[before:]
        if not inner:
            raise self.error("nothing stands between the braces", at, self.at)
        if style == SCRIPT:
            self.tokens[before:] = [
                t._replace(value=t.value._replace(style=SCRIPT)) if t.kind == "NAME" else t for t in inner
            ]
        if len(inner) == 1:
            self.scripts_of_name(before)

    def _unit_vector(self, at: int) -> bool:
        r"""``\mathbf{e}_{2}`` is the second unit vector, unless it is a declared name."""
        found = re.compile(r"\s*_(?:\{\s*(\d+)\s*\}|(\d))").match(self.text, self.at, self.stop)
        if found is None:
            return False
        number = found.group(1) or found.group(2)
        if {"e", "e" + number, "e_" + number} & self.names.variables:
            return False
        self.at = found.end()
        self.add("CONSTANT", ("unit", int(number)), at)
        return True

    def _commutation(self, at: int) -> bool:
        r"""``\mathbf{K}_{m,n}`` with known sizes is the commutation matrix, unless K is a declared name."""
        size = r"\s*(?:(\d+)|([A-Za-z]\w*))\s*"
        found = re.compile(rf"\s*_\{{{size},{size}\}}").match(self.text, self.at, self.stop)
        if found is None or any(v == "K" or v.startswith("K_") for v in self.names.variables):
            return False
        sizes = (found.group(1) or found.group(2), found.group(3) or found.group(4))
        if not all(s.isdigit() or s in self.names.variables for s in sizes):
            return False
        self.at = found.end()
        self.add("CONSTANT", ("commutation", *sizes), at)
        return True

    def _special(self, inner: str, at: int) -> None:
        if inner in ("1", "0"):
            sizes = None
            if self.peek() == "_":
                self.at += 1
                sizes = plain_script(self.text[slice(*self.argument())])
            return self.add("ONES", (inner, sizes), at)
        if inner == "I":
            return self.name(Name("I", BOLD), at)
        what = {"E": "an expectation", "P": "a probability", "V": "a variance"}.get(inner, f"the set {inner}")
        raise self.unsupported(what, at, self.at, "a formula over arrays")

    def _word(self, inner: str, command: str, at: int) -> None:
        r"""``\operatorname{tr}``, ``\mathrm{loss}``: a function of that name, or a name of several letters."""
        word = inner.replace("\\_", "_").replace("\\", "").strip()
        in_cases = WORDS_OF_CASES.get(word.strip(" ,.~").lower()) if self.cases else None
        if in_cases is not None:
            return self.add(in_cases, word, at) if in_cases else None
        if not re.fullmatch(r"[^\W\d]\w*", word):
            raise self.error(f"'{inner}' is neither a function nor a name", at, self.at)
        declared = word in self.names.variables
        if word in self.names.functions or (word == "einsum" and command == "operatorname"):
            return self.function(word, at) if word == "einsum" else self.name(Name(word, ROMAN), at)
        function = function_named(word)
        if function and not declared and command != "mathit" and (len(word) > 1):
            return self.function(function, at)
        if command == "operatorname" and not declared:
            raise self.error(
                f"{word} is not a function that is known", at, self.at, f"\\mathit{{{word}}}, for a variable"
            )
        if word == "d" and command == "mathrm" and not declared:
            raise self.unsupported("a differential d", at, self.at, r"\nabla_x, or \frac{\partial}{\partial x}")
        if word == "e":
            return self.name(Name("e", PLAIN), at)
        style = PLAIN if len(word) == 1 else ROMAN
        return self.name(Name(word, style), at)

    def accented(self, command: str, at: int) -> None:
        before = len(self.tokens)
        self.run(*self.argument())
        inner = self.tokens[before:]
        if len(inner) != 1 or inner[0].kind != "NAME":
            raise self.unsupported(f"\\{command} over more than a name", at, self.at, "a name of its own")
        name = inner[0].value
        self.tokens.pop()
        self.name(name._replace(accent=ACCENTS[command]), at)
