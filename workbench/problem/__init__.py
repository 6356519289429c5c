"""The triple (D, M, C) and its card."""

from workbench.problem.before_softmax import before_softmax
from workbench.problem.card import Card
from workbench.problem.core import Problem, Truth

__all__ = ["Card", "Problem", "Truth", "before_softmax"]
