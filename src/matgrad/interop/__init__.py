"""Formulas to and from other systems: SymPy."""
