"""Laurent series at 0 with rational coefficients: of functions, of their products, powers and compositions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import factorial, floor, gcd, log2

from matgrad.tensor.builders import rational_power

Numbers = list[Fraction]


@dataclass(frozen=True)
class Series:
    """c₀·x^v + c₁·x^(v+1) + …, as far as is known; ``first`` is v. The leading coefficient may be 0."""

    first: int
    numbers: Numbers

    def __add__(self, other: Series) -> Series:
        first = min(self.first, other.first)
        known = min(self.first + len(self.numbers), other.first + len(other.numbers))
        return Series(first, [self.at(k) + other.at(k) for k in range(first, known)])

    def __mul__(self, other: Series) -> Series:
        return Series(self.first + other.first, _product(self.numbers, other.numbers))

    def at(self, k: int) -> Fraction:
        """The coefficient of x^k."""
        return self.numbers[k - self.first] if k >= self.first else Fraction(0)

    def scaled(self, factor: Fraction) -> Series:
        return Series(self.first, [factor * c for c in self.numbers])

    def trimmed(self) -> Series | None:
        """Without leading zeros; None where all that is known is 0."""
        for k, c in enumerate(self.numbers):
            if c.numerator:
                return Series(self.first + k, self.numbers[k:])
        return None

    def power(self, exponent: Fraction) -> Series | None:
        """None where the power has no such series."""
        base = self.trimmed()
        if base is None:
            return None
        first, root = base.first * exponent, rational_power(base.numbers[0], exponent)
        if first.denominator != 1 or root is None:
            return None
        # f = g^p: f'·g = p·g'·f, so that the coefficients of f follow from those before.
        a, found = base.numbers, [root]
        for n in range(1, len(a)):
            terms = [(exponent * k - n + k) * a[k] * found[n - k] for k in range(1, n + 1) if a[k].numerator]
            found.append(sum(terms, Fraction(0)) / (n * a[0]))
        return Series(int(first), found)

    def inside(self, function: str) -> Series | None:
        """f(self); None where self is not 0 at 0."""
        base = self.trimmed()
        if base is None or base.first < 1:
            return None
        outer = of_function(function, base.first + len(base.numbers))
        known = min(base.first + len(base.numbers), base.first * len(outer))
        if not any(c.numerator for c in base.numbers[1:]):  # a monomial
            numbers = [Fraction(0)] * known
            for k in range(0, known, base.first):
                numbers[k] = outer[k // base.first] * base.numbers[0] ** (k // base.first)
            return Series(0, numbers)
        numbers = ([Fraction(0)] * base.first + base.numbers)[:known]
        if function in ("exp", "decay", "expm1"):  # f' = g'·f
            found = [Fraction(1)]
            for n in range(1, known):
                terms = [k * numbers[k] * found[n - k] for k in range(1, n + 1) if numbers[k].numerator]
                found.append(sum(terms, Fraction(0)) / n)
            return Series(0, [found[0] - (function == "expm1"), *found[1:]])
        if function == "log1p":  # f' = g'/(1 + g)
            slope = [k * c for k, c in enumerate(numbers)][1:]
            return Series(0, _integral([*_over(slope, [numbers[0] + 1, *numbers[1:-1]]), Fraction(0)]))
        total = [Fraction(0)] * known
        for c in reversed(outer[: known // base.first + 1]):
            total = _product(total, numbers)
            total[0] += c
        return Series(0, total)


def _product(a: Numbers, b: Numbers) -> Numbers:
    length = min(len(a), len(b))
    found = [Fraction(0)] * length
    for i, left in enumerate(a[:length]):
        if left.numerator:
            for j, right in enumerate(b[: length - i]):
                if right.numerator:
                    found[i + j] += left * right
    return found


def _integral(a: Numbers) -> Numbers:
    return [Fraction(0), *(c / (k + 1) for k, c in enumerate(a[:-1]))]


def _over(a: Numbers, b: Numbers) -> Numbers:
    below = Series(0, b).power(Fraction(-1))
    assert below is not None
    return _product(a, below.numbers)


def _exp(count: int) -> Numbers:
    return [Fraction(1, factorial(k)) for k in range(count)]


def _part(function: Callable[[int], Numbers], start: int, alternating: bool = False) -> Callable[[int], Numbers]:
    """The odd or the even terms."""

    def found(count: int) -> Numbers:
        return [c * (-1) ** (k // 2 if alternating else 0) if k % 2 == start else Fraction(0)
                for k, c in enumerate(function(count))]  # fmt: skip

    return found


_sinh, _cosh, _sin, _cos = _part(_exp, 1), _part(_exp, 0), _part(_exp, 1, True), _part(_exp, 0, True)


def _of_square(factor: int, exponent: Fraction) -> Callable[[int], Numbers]:
    """∫(1 + c·x²)^p."""

    def found(count: int) -> Numbers:
        base = Series(0, [Fraction(1), Fraction(0), Fraction(factor), *[Fraction(0)] * count][:count])
        power = base.power(exponent)
        assert power is not None
        return _integral(power.numbers)

    return found


_FUNCTIONS: dict[str, Callable[[int], Numbers]] = {
    "exp": _exp,
    "decay": _exp,
    "expm1": lambda n: [Fraction(0), *_exp(n)[1:]],
    "log1p": lambda n: [Fraction((-1) ** (k + 1), k) if k else Fraction(0) for k in range(n)],
    "sin": _sin,
    "cos": _cos,
    "sinh": _sinh,
    "cosh": _cosh,
    "tan": lambda n: _over(_sin(n), _cos(n)),
    "tanh": lambda n: _over(_sinh(n), _cosh(n)),
    "sech2": lambda n: _over(_over([Fraction(1), *[Fraction(0)] * (n - 1)], _cosh(n)), _cosh(n)),
    "log_cosh": lambda n: _integral(_over(_sinh(n), _cosh(n))),
    "sigmoid": lambda n: _over(_exp(n), [c + (not k) for k, c in enumerate(_exp(n))]),
    "arctan": _of_square(1, Fraction(-1)),
    "arctanh": _of_square(-1, Fraction(-1)),
    "arcsin": _of_square(-1, Fraction(-1, 2)),
    "arcsinh": _of_square(1, Fraction(-1, 2)),
    "log1p_square": lambda n: [Fraction(2 * (-1) ** (k // 2 + 1), k) if k and not k % 2 else Fraction(0)
                               for k in range(n)],
}  # fmt: skip

FUNCTIONS = frozenset(_FUNCTIONS)
"""Functions that have a series with rational coefficients at 0."""


@cache
def of_function(name: str, count: int) -> Numbers:
    """The coefficients at 0.

    >>> [str(c) for c in of_function("tanh", 6)]
    ['0', '1', '0', '-1/3', '0', '2/15']
    """
    if name == "erf":  # sqrt(pi)/2 times that
        return _integral([Fraction((-1) ** (k // 2), factorial(k // 2)) if k % 2 == 0 else Fraction(0)
                          for k in range(count)])  # fmt: skip
    return _FUNCTIONS[name](count)


LONGEST = 22
"""Coefficients that code has at most."""


def near(numbers: Numbers) -> tuple[float, tuple[Fraction, ...]] | None:
    """A radius, and the coefficients with which the series is right to the last digit for smaller x.

    None where too little is known of how the coefficients fall: at least two that are negligible, or 0 where the ones
    before are not.
    """
    bound = [float(abs(c / numbers[0])) for c in numbers]
    step = gcd(*[k for k, c in enumerate(bound) if c])
    if not 0 < 6 * step <= len(bound):
        return None
    scale = min((c ** (-1 / k) for k, c in enumerate(bound) if k and c), default=1.0)
    for smaller in range(8):
        radius = 2.0 ** (floor(log2(scale / 1.5)) - smaller)
        left = [c * radius**k for k, c in enumerate(bound)]
        if max(left[-2 * step :]) < 2.0**-58 and max(left) < 4:
            count = next(k for k in range(len(left), 0, -1) if sum(left[k - 1 :]) > 2.0**-54)
            if count <= LONGEST:
                return radius, tuple(numbers[:count])
    return None
