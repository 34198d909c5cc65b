"""What tests of compiled code share: formulas of declared variables, and their values."""

from __future__ import annotations

from typing import Any

import numpy as np
from helpers import DECLARED, SIZES, arrays, typed

import matgrad
from matgrad.answer.compiled import Compiled
from matgrad.formula.syntax import walk

V = arrays()
DECLARATIONS = dict(entry.strip().split(": ") for entry in DECLARED.replace("\n", " ").split(";"))


def parsed(text: str) -> matgrad.Formula:
    used = {node.value for node in walk(typed(text, DECLARED)) if node.op == "name"}
    return matgrad.parse(text, where={name: DECLARATIONS[name] for name in DECLARATIONS if name in used})


def given(formula: matgrad.Formula, **more: Any) -> dict[str, Any]:
    known = {**SIZES, **V, **more}
    return {name: known[name] for name in (*formula.variables, *formula.sizes_needed()) if name in known}


def loss() -> tuple[matgrad.Formula, Compiled, dict[str, Any]]:
    f = matgrad.parse("norm2(A*x - b)^2 + c*sum(x)", where="c: scalar")
    rng = np.random.default_rng(3)
    at = {"A": rng.normal(size=(4, 3)), "x": rng.normal(size=3), "b": rng.normal(size=4), "c": 0.5}
    return f, matgrad.compile([f, matgrad.gradient(f, "x")]), at
