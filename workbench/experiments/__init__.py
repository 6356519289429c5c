"""Several estimates set side by side, and runs on disk."""

from workbench.experiments.attempt import Attempt, Row, error_in_digits, runs, seeds_of
from workbench.experiments.compare import compare
from workbench.experiments.export import to_csv, to_parquet
from workbench.experiments.folder import Folder
from workbench.experiments.recipe import recipe, recipes
from workbench.experiments.reference import best_truth
from workbench.experiments.run import Run
from workbench.experiments.shelf import shelf
from workbench.experiments.summary import summarise, truth_row

__all__ = [
    "Attempt", "Folder", "Row", "Run", "best_truth", "compare", "error_in_digits", "recipe",
    "recipes", "runs", "seeds_of", "shelf", "summarise", "to_csv", "to_parquet", "truth_row",
]  # fmt: skip
