"""Certificates: what is certain about a formula, with a proof or a counterexample."""
