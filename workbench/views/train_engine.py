"""What the Train screen asks of duties and trainings: names, settings, runs, ledger, pictures."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from workbench.adversaries.families import at
from workbench.distributions import Distribution, Gaussian
from workbench.experiments import Run, duties, lessons
from workbench.problem import Problem
from workbench.training import Defender, Duty
from workbench.views import train_looks

CHOICES = {"follow": tuple(duties.FOLLOWED), "weigh": duties.WEIGHED}
DOCS = {
    "follow": "The estimate of log P whose gradient is followed: mean, covariance or conditioned "
    "propagation, where the next stricter one takes over if the referee catches it; or score and "
    "importance, gradients from the draws of an importance sampler.",
    "weigh": "How the price of a digit of P is set: raised until the target is met; the price as "
    "given; or so that no more of the task is lost than allowed.",
    "target": "log10 P to get below, under D₀ and under every adversary's D.",
    "allow": "What may be lost of the task where that weighs: 0.01 is a point of accuracy or of "
    "variance explained, or 1% more cost.",
    "nats": "How far from D₀ the adversary may go, KL(D || D₀); 0 leaves it out.",
    "steps": "Gradient steps.",
    "rate": "Learning rate of the model.",
    "price": "Of a digit of P, in units of the task loss; weighed by target: how fast it rises "
    "while that is missed. On average over many images: of a nat.",
    "power": "Of the mean over images: towards 0 that of log P, at 1 that of P, which sees the "
    "worst image alone.",
    "lines": "Lines followed an image across its tangent to C; none for the tangent's half-space.",
    "every": "Steps between two searches of the adversary, and between two looks of the referee.",
    "referee": "Forward passes of a look.",
}


def titles() -> dict[str, str]:
    """{what a reader reads: name} of what can be trained."""
    return {title: name for name, title in lessons.TITLES.items()}


def told(run: Run) -> dict[str, Any]:
    """What does not change along a run: its name here, what it is about, N, what the score is."""
    duty: Duty = run.subject.problem
    return {
        "problem": duty.problem.name,
        "about": duty.problem.about,
        "examples": duty.task.size,
        "measure": duty.task.measure,
        "target": run.subject.iteration.target,
    }


def begin(name: str, settings: Mapping[str, Any], seed: int) -> Run:
    """A run before its first step."""
    return Run(lessons.course(name, settings, seed), "train")


def met(run: Run) -> tuple[dict[str, Any], ...]:
    """The ledger of adversaries: the step at which each was met, its nats, log10 P under it then by
    the estimate that was followed, and now by covariance propagation."""
    state = run.subject.state
    problem = _present(run.subject.problem, state.theta)
    then = {int(row[0]): float(row[4]) for row in state.rows}
    found = []
    for step, law in _laws(run):
        now, met = train_looks.log10_p(problem, law), then.get(step, math.nan)
        found.append({
            "step": step, "nats": _nats(law, problem.distribution),
            "then": None if math.isnan(met) else met, "now": now,
        })  # fmt: skip
    return tuple(found)


def picture(run: Run, before: Tensor | None) -> Any:
    """What changed since the weights `before`."""
    duty, state = run.subject.problem, run.subject.state
    now = _present(duty, state.theta)
    then = None if before is None else _present(duty, before)
    return train_looks.look(duty, now, then, _laws(run))


def _present(duty: Duty, theta: Tensor) -> Problem:
    """The problem with these weights, in a model of its own."""
    made = duty.fresh()
    made.put(theta)
    return made.problem


def _laws(run: Run) -> list[tuple[int, Distribution]]:
    """Every adversary's step and D."""
    defender, state, duty = run.subject.iteration, run.subject.state, run.subject.problem
    if not isinstance(defender, Defender) or defender.adversary is None or not len(state.met):
        return []
    d = duty.problem.distribution
    none = torch.zeros(0, d.noise_dim, dtype=d.dtype)
    module = defender.adversary.family.module(d, state.rng.child("start", 0), none)
    return [(int(row[0]), at(module, row[1:])) for row in state.met]


def _nats(law: Distribution, reference: Distribution) -> float | None:
    """KL(D || D0) of two Gaussians."""
    if not (isinstance(law, Gaussian) and isinstance(reference, Gaussian)):
        return None
    own, base = (
        torch.distributions.MultivariateNormal(g.mean, scale_tril=train_looks.factor(g))
        for g in (law, reference)
    )
    return float(torch.distributions.kl_divergence(own, base))
