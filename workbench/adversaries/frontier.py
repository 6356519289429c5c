"""The price list of failure: log P against nats, every point checked."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from workbench.adversaries.adversary import Adversary
from workbench.adversaries.baselines import Baseline
from workbench.adversaries.checking import BUDGET
from workbench.adversaries.region import KL
from workbench.adversaries.result import Attack
from workbench.device import on
from workbench.iteration import UNLIMITED, Budget, run
from workbench.problem import Problem
from workbench.rng import Rng, as_rng


def sweep(
    problem: Problem, adversary: Adversary, limits: Sequence[float], rng: Rng | int = 0,
    check: int = BUDGET,
) -> Iterator[Attack]:  # fmt: skip
    """One search after another at rising limits, each from where the last one found its best.

    Args:
        limits: nats, in any order; they are taken in rising order.
        check: forward passes of each check; 0 leaves them out.

    Yields:
        An attack a limit; its cost is that of the sweep so far.
    """
    rng, seconds = as_rng(rng), 0.0
    with on(problem):
        state = adversary.init(problem, rng)
    for k, nats in enumerate(sorted(limits)):
        one = replace(adversary, region=KL(float(nats)))
        with on(problem):  # left before whoever asked has its turn
            if k:
                state = one.carried(state)
            state, spent = run(one, problem, state, UNLIMITED)
            seconds += spent
            found = one.report(problem, state, seconds)
            found = found.check(rng.child("check", k), check) if check else found
        yield found


def baseline(
    problem: Problem, search: Baseline, forwards: int, rng: Rng | int = 0, check: int = BUDGET
) -> Attack:
    """What a baseline finds with so many forward passes, checked as an adversary's D is."""
    rng = as_rng(rng)
    with on(problem):
        state, seconds = run(search, problem, search.init(problem, rng), Budget(forwards))
        found = search.report(problem, state, seconds)
        return found.check(rng.child("check"), check) if check else found
