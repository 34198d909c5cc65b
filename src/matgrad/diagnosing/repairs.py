"""Repairs of a wrong answer, kind by kind: each is a change to its tree that gives the truth.

Nothing here knows any answers: a repair is proposed by a general change (a transpose toggled, factors in another order,
an operator exchanged, a term or a factor added) and kept where the values at random points are the truth's.
"""

from __future__ import annotations

from collections.abc import Callable

from matgrad.diagnosing.factors import forgotten_factor
from matgrad.diagnosing.faults import Fault, Wrong
from matgrad.diagnosing.products import elementwise_or_matrix, wrong_order
from matgrad.diagnosing.terms import extra_term, missing_symmetric_term, missing_term
from matgrad.diagnosing.transposing import inverse_not_transposed, missing_transpose, only_if_symmetric
from matgrad.diagnosing.whole import constant_factor, sign, sign_inside

DIAGNOSES: tuple[Callable[[Wrong], Fault | None], ...] = (
    sign, constant_factor, sign_inside, inverse_not_transposed, missing_transpose, only_if_symmetric,
    missing_symmetric_term, wrong_order, elementwise_or_matrix, forgotten_factor, missing_term, extra_term,
)  # fmt: skip
"""In the order in which they are tried; layouts and shapes are between the second and the third."""
