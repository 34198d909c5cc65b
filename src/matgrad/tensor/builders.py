"""The only way to make nodes. Builders check shapes, rename summed labels apart and keep the normal form.

What is normal: Einsum operands are flattened into their users (up to a size), deltas are eliminated by
joining labels, equal factors are powers, like terms are merged, the rational content and the sign stand
in front of a Sum, a transpose stands outside of Sum, Map and matrix functions, and is dropped from what
is symmetric. Rewriting by named laws is in ``laws``.
"""

from matgrad.tensor.arithmetic import (
    add,
    broadcast,
    collect,
    einsum,
    is_symmetric,
    linear_terms,
    map_,
    matmul,
    multiply,
    power,
    scalar_of,
    size,
    split_power,
    subtract,
    transpose,
)
from matgrad.tensor.form import as_number, is_zero
from matgrad.tensor.law import (
    APPLY_LAWS,
    MAP_LAWS,
    NETWORK_LAWS,
    POWER_LAWS,
    READING_LAWS,
    SUM_LAWS,
    UPDATE_LAWS,
)
from matgrad.tensor.matrix_functions import UNROLLED, apply, matrix_power
from matgrad.tensor.network import FLATTEN, IllegalNode, Network, Operand
from matgrad.tensor.numbers import ONE, as_fraction, rational_power, times
from matgrad.tensor.simple import (
    constant,
    identity,
    named,
    number,
    primitive,
    scaled,
    symbol,
    triangle,
    unit,
    zeros,
)

__all__ = [
    "APPLY_LAWS", "FLATTEN", "MAP_LAWS", "NETWORK_LAWS", "ONE", "POWER_LAWS", "READING_LAWS", "SUM_LAWS", "UNROLLED",
    "UPDATE_LAWS", "IllegalNode", "Network", "Operand", "add", "apply", "as_fraction", "as_number", "broadcast",
    "collect", "constant", "einsum", "identity", "is_symmetric", "is_zero", "linear_terms", "map_", "matmul",
    "matrix_power", "multiply", "named", "number", "power", "primitive", "rational_power", "scalar_of", "scaled",
    "size", "split_power", "subtract", "symbol", "times", "transpose", "triangle", "unit", "zeros",
]  # fmt: skip
