"""How fast matgrad is, and how right, with others beside it: ``python -m benchmarks derive``."""
