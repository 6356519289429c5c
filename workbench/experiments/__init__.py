"""Several estimates set side by side."""

from workbench.experiments.attempt import Attempt, Row, error_in_digits, runs, seeds_of
from workbench.experiments.compare import compare
from workbench.experiments.export import to_csv, to_parquet
from workbench.experiments.recipe import recipe, recipes
from workbench.experiments.reference import best_truth
from workbench.experiments.summary import summarise, truth_row

__all__ = [
    "Attempt", "Row", "best_truth", "compare", "error_in_digits", "recipe", "recipes", "runs",
    "seeds_of", "summarise", "to_csv", "to_parquet", "truth_row",
]  # fmt: skip
