"""The letters of a law, where the formula's own names would be mistaken for them."""

from __future__ import annotations

import re
from collections.abc import Collection

from matgrad.explaining.lines import Law

_LETTER = re.compile(r"(?<![\w.])([A-Za-z])(?![\w(])")
_POOLS = ("abcpqkst", "uvwzyxrh", "UVWPQABCXYZMN")


def fitted(law: Law, taken: Collection[str]) -> Law:
    """The law in letters that are not names of the formula; one that is about those names stays as it is.

    >>> fitted(Law("cyclic permutation of a trace", "tr(U*V) = tr(V*U)"), {"U", "x"}).law
    'tr(W*V) = tr(V*W)'
    """
    if law.instance or not law.law:
        return law
    own = list(dict.fromkeys(_LETTER.findall(law.law)))
    used = set(own)
    new: dict[str, str] = {}
    for letter in own:
        if letter not in taken:
            continue
        pool = next((p for p in _POOLS if letter in p), _POOLS[1] if letter.islower() else _POOLS[2])
        free = next((c for c in pool if c not in taken and c not in used), letter)
        new[letter] = free
        used.add(free)
    return law._replace(law=_LETTER.sub(lambda m: new.get(m.group(1), m.group(1)), law.law)) if new else law
