"""The named laws of the normal form. Importing this package arms them: the modules register their laws."""

from matgrad.tensor.laws import (
    elementwise,
    exponentials,
    fractions,
    matrices,
    powers,
    products,
    projections,
    selections,
    steps,
    updates,
)

__all__ = [
    "elementwise",
    "exponentials",
    "fractions",
    "matrices",
    "powers",
    "products",
    "projections",
    "selections",
    "steps",
    "updates",
]
