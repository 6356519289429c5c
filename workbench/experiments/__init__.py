"""Several estimates set side by side."""

from workbench.experiments.attempt import Attempt, Row, error_in_digits, runs
from workbench.experiments.compare import compare
from workbench.experiments.reference import best_truth
from workbench.experiments.summary import summarise, truth_row

__all__ = [
    "Attempt", "Row", "best_truth", "compare", "error_in_digits", "runs", "summarise", "truth_row",
]  # fmt: skip
