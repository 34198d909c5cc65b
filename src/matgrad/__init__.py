"""matgrad: matrix calculus in closed form, checked.

>>> import matgrad
>>> matgrad.derive("norm2(A*x - b)^2", "x").text
"2*A'*(A*x - b)"
"""

from __future__ import annotations

from matgrad.answer.derivative import Derivative
from matgrad.answer.formula import Formula
from matgrad.api import derive, gradient, hessian, jacobian, parse
from matgrad.errors import MatgradError

__version__ = "0.1.0"

__all__ = [
    "Derivative",
    "Formula",
    "MatgradError",
    "derive",
    "gradient",
    "hessian",
    "jacobian",
    "parse",
]
