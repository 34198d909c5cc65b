"""What is known of an answer when it is explained."""

from __future__ import annotations

from typing import NamedTuple

from matgrad.answer.derivative import Derivative
from matgrad.diagnosing.faults import Fault
from matgrad.diagnosing.reading import Answer
from matgrad.diagnosing.testing import Bench


class Lesson(NamedTuple):
    """What is known of an answer when it is explained."""

    derivative: Derivative
    bench: Bench
    given: Answer
    fault: Fault | None
    right: bool = False
