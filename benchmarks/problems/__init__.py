"""The problems of ``python -m benchmarks compile``, with their targets."""

from benchmarks.problems import likelihoods, matrices, regression
from benchmarks.problems.problem import Problem

PROBLEMS: list[Problem] = [*regression.PROBLEMS, *likelihoods.PROBLEMS, *matrices.PROBLEMS]
