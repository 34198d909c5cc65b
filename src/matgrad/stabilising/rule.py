"""The rules by which a graph becomes stable: data, like the laws of the normal form, with formulas to try them on."""

from __future__ import annotations

from matgrad.tensor.law import Laws

AHEAD = Laws()
"""Rules for what is typed that give functions of the language: code for a derivative is made of what they give."""

BEFORE = Laws()
"""Rules for a node whose children are still as they were typed."""

RULES = Laws()
"""Rules for a node whose children are stable. ``rewrite`` gives what is to be computed instead of the node, or None."""

LAST = Laws()
"""Rules for a node to which no other applies, once all is stable."""
