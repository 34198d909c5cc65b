"""The rules of composition, by subject; importing this package registers them, in the order in which they are tried."""

from matgrad.certificates.rules import elementwise, linear, logarithms, matrices, products, sums

__all__ = ["elementwise", "linear", "logarithms", "matrices", "products", "sums"]
