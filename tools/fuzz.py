"""Random and mutated inputs: nothing but MatgradError comes out, soon, in bounded memory.

    python tools/fuzz.py 1000000 [--seed N] [--jobs K]

Input number N is the same in every run. What raises anything else, takes over a second of processor time, or grows the
process is printed. With ``atheris`` installed, ``--atheris`` lets it choose the inputs.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from itertools import starmap
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from helpers import DECLARED as HELPED
from helpers import FORMULAS
from random_formulas import DECLARED, random_formula, where_of

import matgrad
from matgrad.errors import MatgradError
from matgrad.functions import CARDS

SECOND = 1.0
CHUNK = 5000
GROWTH = 400_000
"""Kilobytes that a process may grow over the inputs of a chunk."""
PIECES = [
    *"+-*/^'.()[],;:=!?_ \n\t\"\\#$%&@~`{}|<>0123456789abxyzABXYI", *CARDS,
    ".*", "./", ".^", ".'", "⊗", "'*", "inv(", "sum(", "dim=1", "dim=2", ", dim=3", "[1:2]", "[1,2]", "[:,1]",
    "[0]", "[-1]", "einsum(\"ij,jk->ik\", ", "eye", "eye(n)", "ones(n)", "vector(1)", "matrix(2)", "unit(1)",
    "1e9", "1e400", "0.5", "1/0", "9" * 30, "2^64", "for l in 1..3 { ", " }", "a{l}", "g(x)", "g'(x)", "r = ", "; ",
    "π", "λ", "ᵀ", "⁻¹", "²", "−", "×", "·", "∘", "⊙", "‖x‖", "Σ", "∇", "\u200b", "\x00", "𝐀", "é",
    "e\u0301", "\ufeff", "🙂", "\u202e", "½", "ﬁ", "١",
]  # fmt: skip
WORDS = [
    "matrix(m,n)", "vector(n)", "scalar", "symmetric(n)", "spd(n)", "psd(n)", "diagonal(n)", "lower(n)", "upper(n)",
    "orthogonal(n)", "positive", "nonnegative vector(n)", "function", "matrix(3,n)", "vector(0)", "vector(-1)",
    "matrix(n)", "tensor", "", "vector(1e9)", "symmetric(m,n)", "matrix(m*n,2)", "scalar(n)", "vector(x)",
]  # fmt: skip
BROKEN = [3, {"x": 3}, {3: "vector(n)"}, ["x"], {"x": ""}, b"x", "x", ":", "x:", ":;", "x: x: x"]
OPTIONS: dict[str, list[Any]] = {
    "layout": ["mixed", "numerator", "denominator", "vec", "", "Mixed", None, 3],
    "symmetric": ["projected", "entries", "ignore", "yes", None, True],
    "order": [1, 2, 3, 0, 5, -1, "1", None, True, 1.0],
}


class Input:
    """One input: a formula, declarations, a variable, options."""

    def __init__(self, number: int) -> None:
        self.rng = rng = random.Random(number)
        self.text, self.where = rng.choice(
            [self._valid, self._mutated, self._mutated, self._mutated, self._soup, self._odd]
        )()
        names = [*(where_of(self.text) if isinstance(self.text, str) else ()), "x", "A", "", "m", "∂", "sum", "g"]
        self.wrt: Any = rng.choice([names[0]] * 6 + names + [[names[0], "x"], [], None, 3, ["x", "x"]])
        chosen = {name: rng.choice(values) for name, values in OPTIONS.items() if rng.random() < 0.08}
        second = len(str(self.text)) < 25 and rng.random() < 0.1
        self.options: dict[str, Any] = {"order": 2, **chosen} if second else chosen

    def _valid(self) -> tuple[str, Any]:
        if self.rng.random() < 0.3:
            text = self.rng.choice(FORMULAS)
            known = [d for d in HELPED.split(";") if d.split(":")[0].strip() in text]
            return text, self.rng.choice([";".join(known), None])
        text = random_formula(self.rng.randrange(10**6), depth=1).text
        return text, self._declared(text)

    def _mutated(self) -> tuple[str, Any]:
        """A formula with pieces taken out, doubled, exchanged or put in."""
        text, where = self._valid()
        for _ in range(self.rng.choice([1, 1, 1, 2, 3, 6])):
            a, b = sorted(self.rng.randrange(len(text) + 1) for _ in range(2))
            b = min(b, a + 6)
            match self.rng.randrange(5):
                case 0:
                    text = text[:a] + text[b:]
                case 1:
                    text = text[:b] + text[a:]
                case 2:
                    text = text[:a] + text[a:b][::-1] + text[b:]
                case _:
                    text = text[:a] + self.rng.choice(PIECES) + text[a if self.rng.random() < 0.5 else b :]
        return text, where

    def _soup(self) -> tuple[str, Any]:
        """Pieces in any order, or any characters at all."""
        if self.rng.random() < 0.3:
            size = self.rng.choice([3, 10, 40])
            kinds = [range(32, 127), range(0xD800), range(32)]
            return "".join(chr(self.rng.choice(self.rng.choice(kinds))) for _ in range(size)), None
        text = "".join(self.rng.choices(PIECES, k=self.rng.randrange(1, 14)))
        return text, self._declared(text)

    def _odd(self) -> tuple[str, Any]:
        """Deep, long, or not text."""
        rng, many = self.rng, self.rng.choice([3, 30, 190, 210, 1000])
        return rng.choice([
            lambda: ("(" * many + "x" + ")" * (many - rng.randrange(2)), None),
            lambda: ("sin(" * many + "x" + ")" * many, None),
            lambda: ("-" * many + "x", None),
            lambda: ("x" + "'" * many, None),
            lambda: ("x" + "[1:2]" * many, None),
            lambda: ("+".join(["x", "A*x", "2"] * (many // 3)), None),
            lambda: ("*".join(["A"] * min(many, 300)), None),
            lambda: ("(x + 1)^" + "9" * min(many, 60), None),
            lambda: ("r = x; " * many + "r", None),
            lambda: ("x" * many * 25, None),
            lambda: ("[" * min(many, 100) + "x", None),
            lambda: (rng.choice([None, 3, b"x", ["x"], 1.5]), None),
            lambda: ("x'*A*x", rng.choice(BROKEN)),
            lambda: ("".join(rng.choices(["x", "A", "*", "+", "'", " "], k=min(many, 60))), None),
        ])()  # fmt: skip

    def _declared(self, text: str) -> Any:
        where = where_of(text)
        for name in list(where):
            if self.rng.random() < 0.05:
                where[name] = self.rng.choice(WORDS)
        if self.rng.random() < 0.05:
            where[self.rng.choice([*DECLARED, "sum", "for", "2", ""])] = self.rng.choice(WORDS)
        as_text = "; ".join(f"{name}: {what}" for name, what in where.items())
        return self.rng.choice([where, where, None, as_text, as_text[: self.rng.randrange(len(as_text) + 1)]])

    def run(self) -> None:
        """Read; and where it is read, one in four is derived and printed: reading is what meets most of it."""
        if self.options or not isinstance(self.where, str | dict | None) or self.rng.random() < 0.25:
            self._derived()
        else:
            matgrad.parse(self.text, where=self.where)

    def _derived(self) -> None:
        derived = matgrad.derive(self.text, self.wrt, where=self.where, **self.options)
        for one in derived.values() if isinstance(derived, dict) else [derived]:
            assert one.text
            assert one.unicode

    @property
    def key(self) -> str:
        """Equal for equal inputs: deep and long ones come again."""
        return repr((self.text, self.where, self.wrt, self.options))

    def __str__(self) -> str:
        return f"derive({self.text!r:.300}, {self.wrt!r}, where={self.where!r:.300}, **{self.options})"


def outcome(number: int, patience: float = SECOND, tried: set[str] | None = None) -> str | None:
    """What is wrong with an input, or None; with ``tried``, an input that is in there is not tried again."""
    given = Input(number)
    if tried is not None:
        if given.key in tried:
            return None
        tried.add(given.key)
    began = time.process_time()
    try:
        given.run()
    except MatgradError as error:
        if not str(error).strip():
            return f"{number}  an error that says nothing: {given}"
    except Exception as error:
        return f"{number}  {type(error).__name__}: {str(error)[:200]}\n    {given}"
    took = time.process_time() - began
    return f"{number}  SLOW {took:.1f} s  {given}" if took > patience else None


def run(start: int, stop: int, patience: float = SECOND) -> list[str]:
    """What is wrong with the inputs from ``start`` to ``stop``."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tried: set[str] = set()
    found = [said for n in range(start, stop) if (said := outcome(n, patience, tried)) is not None]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return found if grown < GROWTH else [*found, f"{start}  the process grew by {grown // 1000} MB"]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--seed", type=int, default=0, help="number of the first input")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--atheris", action="store_true", help="let atheris choose the numbers of the inputs")
    options = parser.parse_args(arguments)
    if options.atheris:
        return _atheris()
    last, total = options.seed + options.count, 0
    chunks = [(n, min(n + CHUNK, last)) for n in range(options.seed, last, CHUNK)]
    with ProcessPoolExecutor(options.jobs) as pool:
        for found in pool.map(run, *zip(*chunks, strict=True)) if options.jobs > 1 else starmap(run, chunks):
            total += len(found)
            print("\n".join(found), end="\n" if found else "", flush=True)
    print(f"{options.count} inputs, {total} findings")
    return 1 if total else 0


def _atheris() -> int:
    import atheris  # type: ignore[import-not-found]

    def one(data: bytes) -> None:
        given = Input(0)
        provider = atheris.FuzzedDataProvider(data)
        given.text, given.where, given.wrt, given.options = provider.ConsumeUnicodeNoSurrogates(200), None, "x", {}
        with suppress(MatgradError):
            given.run()

    atheris.instrument_all()
    atheris.Setup(sys.argv[:1], one)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
