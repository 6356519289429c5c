"""Which estimator to begin with, where none is named."""

import torch

from workbench.distributions import Reparameterised
from workbench.errors import Unsupported
from workbench.estimators.base import Estimator, serving
from workbench.estimators.conditioned import Conditioned
from workbench.estimators.design_points import margin_and_gradient
from workbench.estimators.last_input import LastInput
from workbench.estimators.leaves import Leaves
from workbench.estimators.mean_field import MeanField
from workbench.estimators.monte_carlo import MonteCarlo
from workbench.estimators.partition import Partition
from workbench.estimators.ratio import Ratio
from workbench.estimators.subset import Subset
from workbench.estimators.transitions import Transitions
from workbench.problem import Problem

ORDER: tuple[type[Estimator], ...] = (
    LastInput, Transitions, Leaves, Ratio, Partition, MeanField, Conditioned, Subset, MonteCarlo,
)  # fmt: skip
"""Those made for one kind of D or C, then the one for the rest, then samplers of anything."""


def first_choice(problem: Problem) -> Estimator:
    """The first estimator of `ORDER` that serves a problem, with its usual settings.

    `conditioned` in most cases: from the weights, or the margin's gradient alone. One choice for
    whatever needs a default: the command line takes this one.

    Raises:
        Unsupported: where none serves.

    >>> import workbench as wb
    >>> first_choice(wb.load("digits")).name, first_choice(wb.load("F_digits_1e-6")).name
    ('conditioned', 'ratio')
    """
    able = serving(problem)
    for cls in ORDER:
        if cls.name in able and (cls is not Conditioned or _has_gradient(problem)):
            return cls()
    raise Unsupported(
        f"a problem on the distribution {problem.distribution.name!r} without an estimator named",
        "none of the usual ones serves it: name one",
        able,
    )


def _has_gradient(problem: Problem) -> bool:
    """Whether the margin has one in the noise of D, along which failures can be searched."""
    d = problem.distribution
    assert isinstance(d, Reparameterised)
    try:
        whole = torch.full((1,), -1)
        margin_and_gradient(problem, torch.zeros(1, d.noise_dim, dtype=d.dtype), whole)
    except Unsupported:
        return False
    return True
