"""The rules by which a graph becomes stable: data, like the laws of the normal form, with formulas to try them on."""

from __future__ import annotations

from matgrad.tensor.law import Laws

BEFORE = Laws()
"""Rules for a node whose children are still as they were typed."""

RULES = Laws()
"""Rules for a node whose children are stable. ``rewrite`` gives what is to be computed instead of the node, or None."""
