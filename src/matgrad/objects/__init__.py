"""Formulas as Python objects, with NumPy's operators, methods and functions: see docs/python-objects.md."""
