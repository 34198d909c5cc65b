"""Every law of the normal form, on its own examples: the formula as typed against the graph, read back.

The reference evaluator knows nothing of the laws, so a law that is wrong, or turned round, shows here.
"""

from __future__ import annotations

import numpy as np
import pytest

from matgrad.answer.formula import Formula
from matgrad.checking.sampling import Subject, points
from matgrad.formula.reference import evaluate
from matgrad.tensor import builders, laws
from matgrad.tensor.law import Law
from matgrad.tensor.rebuild import rebuild
from matgrad.translate.recover import Recovery

assert laws
KINDS = (
    builders.NETWORK_LAWS,
    builders.MAP_LAWS,
    builders.APPLY_LAWS,
    builders.SUM_LAWS,
    builders.POWER_LAWS,
    builders.READING_LAWS,
    builders.UPDATE_LAWS,
)
ALL = [law for kind in KINDS for law in kind]
EXAMPLES = [(law, formula, where) for law in ALL for formula, where in law.examples]


@pytest.mark.parametrize(("law", "text", "where"), EXAMPLES, ids=[f"{law.name}: {text}" for law, text, _ in EXAMPLES])
def test_law_keeps_the_value(law: Law, text: str, where: str) -> None:
    formula = Formula(text, where)
    recovery = Recovery(list(formula.symbols), formula.recovery.sizes, {})
    after = recovery.formula(rebuild(formula.node, {}, expand=True))
    subjects = [Subject(n, v.type, frozenset(v.traits)) for n, v in formula.typed.variables.items()]
    count = 0
    for point in points(formula.program, subjects, (), seed=3):
        before = np.asarray(evaluate(formula.program, point.arrays, point.sizes))
        rewritten = np.asarray(evaluate(after, point.arrays, point.sizes))
        np.testing.assert_allclose(rewritten, before, rtol=1e-8, atol=1e-12 + 1e-9 * np.max(np.abs(before)))
        count += 1
        if count == 5:
            break
    assert count == 5


@pytest.mark.parametrize("law", ALL, ids=lambda law: law.name)
def test_law_applies_to_an_example(law: Law, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the law the graph, or for the reader's laws the text, is another one: no example is decided by others."""
    (kind,) = [k for k in KINDS if law in k.all]
    with_law = [_normal(text, where) for text, where in law.examples]
    monkeypatch.setattr(kind, "all", [other for other in kind.all if other is not law])
    without = []
    for text, where in law.examples:
        try:
            without.append(_normal(text, where))
        except Exception as error:
            without.append(error)
    assert any(a != b for a, b in zip(with_law, without, strict=True))


def _normal(text: str, where: str) -> object:
    """What becomes of a formula: its graph, and how that is read without knowing how it was typed."""
    formula = Formula(text, where)
    recovery = Recovery(list(formula.symbols), formula.recovery.sizes, {})
    return formula.node, formula.print(recovery.formula(formula.node))


def test_laws_are_told() -> None:
    assert len({law.name for law in ALL}) == len(ALL) > 15
    assert all(law.law and law.because and law.examples for law in ALL)
