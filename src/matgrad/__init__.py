"""matgrad: matrix calculus in closed form, checked.

>>> import matgrad
>>> matgrad.derive("norm2(A*x - b)^2", "x").text
"2*A'*(A*x - b)"

Names are loaded when they are first used, so that ``import matgrad`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matgrad.analysis.local_curvature import Curvature, curvature
    from matgrad.analysis.minimize import minimize
    from matgrad.analysis.objective import objective
    from matgrad.answer.compiled import Compiled
    from matgrad.answer.derivative import Derivative
    from matgrad.answer.formula import Formula
    from matgrad.api import (
        check_answer,
        check_gradient,
        compile,
        derive,
        explain,
        from_sympy,
        gradient,
        hessian,
        jacobian,
        parse,
        parse_latex,
    )
    from matgrad.checking.verify import Check
    from matgrad.diagnosing.verdict import Verdict
    from matgrad.errors import MatgradError
    from matgrad.explaining.derivation import Derivation
    from matgrad.objects import fn
    from matgrad.objects.array import Array
    from matgrad.objects.declare import function, matrix, scalar, vector

__version__ = "0.1.0"

__all__ = [
    "Array",
    "Check",
    "Compiled",
    "Curvature",
    "Derivation",
    "Derivative",
    "Formula",
    "MatgradError",
    "Verdict",
    "check_answer",
    "check_gradient",
    "compile",
    "curvature",
    "derive",
    "explain",
    "fn",
    "from_sympy",
    "function",
    "gradient",
    "hessian",
    "jacobian",
    "matrix",
    "minimize",
    "objective",
    "parse",
    "parse_latex",
    "scalar",
    "vector",
]

_HOMES = {
    "Array": "matgrad.objects.array",
    "Check": "matgrad.checking.verify",
    "Compiled": "matgrad.answer.compiled",
    "Curvature": "matgrad.analysis.local_curvature",
    "Derivation": "matgrad.explaining.derivation",
    "Derivative": "matgrad.answer.derivative",
    "Formula": "matgrad.answer.formula",
    "MatgradError": "matgrad.errors",
    "Verdict": "matgrad.diagnosing.verdict",
    "check_answer": "matgrad.api",
    "check_gradient": "matgrad.api",
    "compile": "matgrad.api",
    "curvature": "matgrad.analysis.local_curvature",
    "derive": "matgrad.api",
    "explain": "matgrad.api",
    "fn": "matgrad.objects.fn",
    "from_sympy": "matgrad.api",
    "function": "matgrad.objects.declare",
    "gradient": "matgrad.api",
    "hessian": "matgrad.api",
    "jacobian": "matgrad.api",
    "matrix": "matgrad.objects.declare",
    "minimize": "matgrad.analysis.minimize",
    "objective": "matgrad.analysis.objective",
    "parse": "matgrad.api",
    "parse_latex": "matgrad.api",
    "scalar": "matgrad.objects.declare",
    "vector": "matgrad.objects.declare",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'matgrad' has no attribute {name!r}")
    home = import_module(_HOMES[name])
    found = home if name == "fn" else getattr(home, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
