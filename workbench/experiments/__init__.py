"""Several estimates set side by side, and runs on disk."""

from workbench.experiments.attempt import Attempt, Row, error_in_digits, runs, seeds_of
from workbench.experiments.compare import compare, told_apart
from workbench.experiments.config import decode, encode
from workbench.experiments.course import Course, Subject
from workbench.experiments.export import table_csv, table_parquet, to_csv, to_parquet
from workbench.experiments.folder import Folder
from workbench.experiments.kinds import pursuit
from workbench.experiments.notebooks import publish
from workbench.experiments.recipe import recipe, recipes
from workbench.experiments.reference import best_truth
from workbench.experiments.run import Run
from workbench.experiments.shelf import shelf
from workbench.experiments.summary import beware, summarise, truth_row, unanswered
from workbench.experiments.sweep import estimated, grid, sweep

__all__ = [
    "Attempt", "Course", "Folder", "Row", "Run", "Subject", "best_truth", "beware", "compare",
    "decode", "encode", "error_in_digits", "estimated", "grid", "publish", "pursuit", "recipe",
    "recipes", "runs", "seeds_of", "shelf", "summarise", "sweep", "table_csv", "table_parquet",
    "to_csv", "to_parquet", "told_apart", "truth_row", "unanswered",
]  # fmt: skip
