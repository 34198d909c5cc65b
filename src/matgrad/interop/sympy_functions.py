"""What each function of one number is in SymPy. Imported on use only: SymPy is an extra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from matgrad.errors import NotSupported


def load() -> Any:
    """SymPy, or an error that says how to get it."""
    try:
        import sympy
    except ImportError as error:
        raise NotSupported("SymPy is not installed", hint="pip install 'matgrad[sympy]'") from error
    return sympy


@cache
def elementary() -> Mapping[str, Any]:
    """Functions that SymPy has under a name."""
    s = load()
    return {
        "exp": s.exp, "log": s.log, "sin": s.sin, "cos": s.cos, "tan": s.tan, "arcsin": s.asin, "arccos": s.acos,
        "arctan": s.atan, "sinh": s.sinh, "cosh": s.cosh, "tanh": s.tanh, "abs": s.Abs, "sign": s.sign, "erf": s.erf,
        "arcsinh": s.asinh, "arccosh": s.acosh, "arctanh": s.atanh, "erfc": s.erfc,
        "gamma": s.gamma, "lgamma": s.loggamma, "digamma": s.digamma,
    }  # fmt: skip


@cache
def reciprocals() -> Mapping[Any, Any]:
    """SymPy's functions that are 1 over others."""
    s = load()
    return {s.sec: s.cos, s.csc: s.sin, s.cot: s.tan, s.sech: s.cosh, s.csch: s.sinh, s.coth: s.tanh}


@cache
def composed() -> Mapping[str, Callable[[Any], Any]]:
    """Functions that are written with others; from SymPy, they are recognised as they are written here."""
    s = load()
    return {
        "sqrt": s.sqrt,
        "log1p": lambda x: s.log(1 + x),
        "expm1": lambda x: s.exp(x) - 1,
        "step": lambda x: s.Heaviside(x, 0),
        "relu": lambda x: s.Max(x, 0),
        "sigmoid": lambda x: 1 / (1 + s.exp(-x)),
        "softplus": lambda x: s.log(1 + s.exp(x)),
        "normcdf": lambda x: (1 + s.erf(x / s.sqrt(2))) / 2,
        "normpdf": lambda x: s.exp(-(x**2) / 2) / s.sqrt(2 * s.pi),
        "silu": lambda x: x / (1 + s.exp(-x)),
        "gelu": lambda x: x * (1 + s.erf(x / s.sqrt(2))) / 2,
    }


def entrywise(name: str) -> Callable[[Any], Any] | None:
    """A function of one number in SymPy, or None where there is none."""
    return elementary().get(name) or composed().get(name)
