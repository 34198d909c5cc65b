"""Formulas near the examples of laws and rules: their code has the value of the formula, and of its derivative.

``python tools/soak.py COUNT --near`` tries more of them.
"""

from __future__ import annotations

import pytest
from near_examples import failure_near, false_fact, near_example

EACH = 20


@pytest.mark.parametrize("start", range(0, 200, EACH))
def test_code_is_right_near_the_examples(start: int) -> None:
    found = {}
    for number in range(start, start + EACH):
        made = near_example(number)
        for order in (0, 1) if made is not None else ():
            assert made is not None
            failure = failure_near(*made, number, order)
            failure = failure or (false_fact(*made, number) if order else None)
            if failure is not None:
                found[number, *made] = failure
    assert not found
