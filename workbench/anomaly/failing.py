"""Any problem as a testbed: its failures, which hardly a draw shows, against plain draws of D."""

import torch
from torch import Tensor

from workbench.anomaly.testbed import Testbed
from workbench.distributions import Reparameterised, Sampleable
from workbench.errors import Unsupported
from workbench.estimators.shown import shown
from workbench.problem import Problem
from workbench.rng import Rng

_TRUSTED, _FORWARDS = 2000, 20_000


def failing(problem: Problem, seed: int = 0, inputs: int = 500) -> Testbed:
    """Draws of D given C, by importance sampling, against draws of D.

    Why C occurs on them is not known, so that "anomalous" is a question here: whether the terms
    that account for the margin on draws of D account for it where C occurs. Failures are resampled
    by their weights from some tens of thousands of forward passes.

    Args:
        problem: D can be sampled and pushed from noise.
        seed: of all draws.
        inputs: of each kind.

    Raises:
        Unsupported: where D has no noise or C no margin to search along.
        NotConverged: where fewer than 50 failures were seen.
    """
    d = problem.distribution
    if not isinstance(d, Reparameterised):
        raise Unsupported("the failures of a problem", "a D that is pushed from noise is needed")
    rng = Rng(seed).child("failing", problem.name)
    seen = shown(problem, _FORWARDS, rng.child("search"))
    g = rng.child("resampled").generator()
    picked = torch.multinomial(torch.softmax(seen.log_w, 0), inputs, True, generator=g)
    about = (
        f"{problem.about} Anomalous stands for draws on which C occurs, for whatever reason; "
        "normal inputs are draws of D."
    )
    trusted, normal = drawn(problem, inputs, seed)
    failed = d.push(seen.noise[picked])
    return Testbed(
        problem.name, about.strip(), problem, trusted, normal, None, failed, matched=False
    )


def drawn(problem: Problem, inputs: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Trusted and normal inputs of a problem whose D is trusted: 2,000 and `inputs` draws of D.

    Raises:
        Unsupported: where D cannot be sampled.
    """
    d = problem.distribution
    if not isinstance(d, Sampleable):
        raise Unsupported("draws of D", "a D that can be sampled is needed")
    g = Rng(seed).child("drawn", problem.name).generator()
    return d.sample(_TRUSTED, g), d.sample(inputs, g)
