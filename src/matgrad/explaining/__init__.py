"""Derivations: how a derivative comes about, one named law a line, and every line checked by machine."""
