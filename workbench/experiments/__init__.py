"""Several estimates set side by side."""

from workbench.experiments.compare import Attempt, compare, error_in_digits, summarise, truth_row

__all__ = ["Attempt", "compare", "error_in_digits", "summarise", "truth_row"]
