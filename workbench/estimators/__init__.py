"""Ways to estimate log P."""

from workbench.estimators.base import Estimate, Estimator, Needs
from workbench.estimators.gld import GLD
from workbench.estimators.importance import Importance
from workbench.estimators.moments import Moments
from workbench.estimators.monte_carlo import MonteCarlo
from workbench.estimators.subset import Subset

ALL: tuple[type[Estimator], ...] = (Moments, MonteCarlo, Importance, Subset, GLD)
"""Every estimator: the tests, the command line, the comparison and the screens go by this tuple."""

__all__ = [
    "ALL", "GLD", "Estimate", "Estimator", "Importance", "Moments", "MonteCarlo", "Needs", "Subset",
]  # fmt: skip
