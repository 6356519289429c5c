"""Failures of a problem, as importance sampling shows them."""

from workbench.errors import NotConverged
from workbench.estimators.importance import Importance
from workbench.estimators.witness import Failures
from workbench.iteration import Budget, run
from workbench.problem import Problem
from workbench.rng import Rng

FEWEST = 50


def shown(problem: Problem, forwards: int, rng: Rng) -> Failures:
    """Weighted draws of the noise of D given C.

    Args:
        problem: one that `Importance` serves.
        forwards: passes of M for the search and the fit of its proposal.
        rng: of all draws.

    Raises:
        Unsupported: where `Importance` cannot serve.
        NotConverged: where fewer than 50 failures are seen.
    """
    sampler = Importance()
    sampler.check(problem)
    state, _ = run(sampler, problem, sampler.init(problem, rng), Budget(forwards))
    seen = sampler.failures(problem, state)
    if len(seen.noise) < FEWEST:
        raise NotConverged(
            f"{len(seen.noise)} failures of {problem.name} were seen where {FEWEST} are needed"
        )
    return seen
