"""np.einsum and np.tensordot: sums of products over axes that share a letter."""

from __future__ import annotations

from collections.abc import Sequence

from matgrad.dims import ONE, Dim
from matgrad.errors import ShapeError
from matgrad.formula.syntax import Expr
from matgrad.objects.elementwise import multiply
from matgrad.objects.names import joined
from matgrad.objects.value import Value, clash, literal, squeezed
from matgrad.translate.algebra import of_order


def einsum(pattern: str, values: Sequence[Value]) -> Value:
    """NumPy's subscripts; without an arrow, the letters that occur once, in the order of the alphabet.

    >>> einsum("ij,j", [_example("A", "m", "n"), _example("x", "n")]).expr.value
    'ij,j->i'
    """
    inputs, output = _letters(_without_dots(pattern, values), len(values))
    sizes: dict[str, Dim] = {}
    for letters, value in zip(inputs, values, strict=True):
        if len(letters) != len(value.axes):
            raise clash(f"{letters or 'no letters'} is not a letter for each axis", value)
        for letter, dim in zip(letters, value.sizes, strict=True):
            if sizes.setdefault(letter, dim) == ONE:
                sizes[letter] = dim
            if dim not in (ONE, sizes[letter]):
                raise clash(f"the axes {letter} differ in size: {sizes[letter]} and {dim}", *values)
    operands = [_without_ones(letters, value, sizes) for letters, value in zip(inputs, values, strict=True)]
    return _contracted(operands, output, joined([v.names for v in values]))


def _contracted(operands: list[tuple[str, Value]], output: str, names: object) -> Value:
    """One einsum; numbers among the operands stand in front, and letters that only NumPy sees come back as axes."""
    present = {letter for letters, _ in operands for letter in letters}
    kept = "".join(letter for letter in output if letter in present)
    sizes = {letter: d for letters, v in operands for letter, d in zip(letters, v.expr.dims, strict=True)}
    arrays = [(letters, v) for letters, v in operands if letters]
    found = Value(literal(1).expr, (), names)  # type: ignore[arg-type]
    for letters, value in operands:
        if not letters:
            found = multiply(found, value.but(value.expr, ()))
    if arrays:
        text = ",".join(letters for letters, _ in arrays) + "->" + kept
        type_ = of_order([sizes[letter] for letter in kept])
        whole = Expr("einsum", tuple(v.expr for _, v in arrays), text, type=type_)
        found = multiply(found, Value(whole, None, names))  # type: ignore[arg-type]
    return found.but(found.expr, tuple(kept.index(a) if a in kept else None for a in output))


def _without_ones(letters: str, value: Value, sizes: dict[str, Dim]) -> tuple[str, Value]:
    """An operand without the axes that only NumPy sees, and without those of size 1 that stand for a larger one."""
    shrink = [k for k, (a, d) in enumerate(zip(letters, value.sizes, strict=True)) if d == ONE != sizes[a]]
    value = squeezed(value, shrink)
    own = sorted((axis, letter) for axis, letter in zip(value.axes, letters, strict=True) if axis is not None)
    return "".join(letter for _, letter in own), value


def _without_dots(pattern: str, values: Sequence[Value]) -> str:
    """``...`` as letters: those axes that an array has besides, the last ones alike in all arrays.

    >>> _without_dots("...j,j->...", [_example("A", "m", "n"), _example("x", "n")])
    'Aj,j->A'
    """
    left, arrow, output = pattern.replace(" ", "").partition("->")
    parts = left.split(",")
    if "..." not in left or len(parts) != len(values):
        return pattern
    spare = "".join(letter for letter in "ABCDEFGH" if letter not in pattern)
    counts = [max(0, len(v.axes) - len(p) + 3) if "..." in p else 0 for p, v in zip(parts, values, strict=True)]
    parts = [part.replace("...", spare[:count][::-1]) for part, count in zip(parts, counts, strict=True)]
    whole = spare[: max(counts)][::-1]
    if not arrow:
        text = "".join(parts)
        output = whole + "".join(sorted(a for a in set(text) - set(whole) if text.count(a) == 1))
    return f"{','.join(parts)}->{output.replace('...', whole)}"


def _letters(pattern: str, count: int) -> tuple[list[str], str]:
    text = pattern.replace(" ", "")
    left, arrow, output = text.partition("->")
    inputs = left.split(",")
    if not (left + output).replace(",", "").isalpha() and left.replace(",", "") + output:
        raise ShapeError(f"{pattern!r} is not letters for np.einsum", hint='np.einsum("ij,jk->ik", A, B)')
    if len(inputs) != count:
        raise ShapeError(f"np.einsum has letters for {len(inputs)} arrays, but {count} are given")
    joined_letters = "".join(inputs)
    if not arrow:
        output = "".join(sorted(a for a in set(joined_letters) if joined_letters.count(a) == 1))
    if len(set(output)) != len(output) or not set(output) <= set(joined_letters):
        raise ShapeError("letters after the arrow stand once each, and occur before it")
    return inputs, output


def tensordot(left: Value, right: Value, axes: object = 2) -> Value:
    """Sums over the last axes of the first and the first of the second, or over pairs of axes."""
    n, m = len(left.axes), len(right.axes)
    first, second = _paired(axes, n)
    a = "abcdefghijkl"[:n]
    b = list("mnopqrstuvwxyz"[:m])
    if len(first) != len(second) or not all(-n <= k < n for k in first) or not all(-m <= k < m for k in second):
        raise clash(f"np.tensordot cannot sum over the axes {axes!r}", left, right)
    for i, j in zip(first, second, strict=True):
        if left.sizes[i] != right.sizes[j]:
            raise clash(f"the axes {i} and {j} differ in size", left, right)
        b[j] = a[i]
    summed = {a[i] for i in first}
    output = "".join(letter for letter in [*a, *b] if letter not in summed)
    return einsum(f"{a},{''.join(b)}->{output}", [left, right])


def _paired(axes: object, order: int) -> tuple[list[int], list[int]]:
    if isinstance(axes, int):
        return list(range(order - axes, order)), list(range(axes))
    if isinstance(axes, list | tuple) and len(axes) == 2:
        first, second = ([one] if isinstance(one, int) else list(one) for one in axes)
        return first, second
    raise ShapeError(f"np.tensordot takes a number of axes or two lists of them, not {axes!r}")


def _example(name: str, *dims: str) -> Value:
    return Value(Expr("name", value=name, type=of_order([Dim.of(d) for d in dims])))
