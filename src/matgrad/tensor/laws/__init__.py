"""The named laws of the normal form. Importing this package arms them: the modules register their laws."""

from matgrad.tensor.laws import (
    distribution,
    elementwise,
    exponentials,
    fractions,
    function_products,
    matrices,
    powers,
    products,
    projections,
    selections,
    stacks,
    steps,
    updates,
    vec,
)

__all__ = [
    "distribution", "elementwise", "exponentials", "fractions", "function_products", "matrices", "powers", "products",
    "projections", "selections", "stacks", "steps", "updates", "vec",
]  # fmt: skip
