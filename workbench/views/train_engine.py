"""What the Train screen asks of duties and trainings: names, settings, runs, ledger, pictures."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from workbench.adversaries.families import at
from workbench.distributions import Distribution, Gaussian
from workbench.distributions import Moments as HasMoments
from workbench.errors import WorkbenchError
from workbench.estimators import Moments
from workbench.experiments import Run, duties
from workbench.experiments.kinds import lesson
from workbench.problem import Problem
from workbench.training import Duty
from workbench.views.pictures import shows_digits
from workbench.views.train_pictures import Curve, Image, Plane

_SIDE, _CURVE, _REACH = 61, 81, 6.0
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
    "while that is missed.",
    "every": "Steps between two searches of the adversary, and between two looks of the referee.",
    "referee": "Forward passes of a look.",
}


def titles() -> dict[str, str]:
    """{what a reader reads: name} of what can be trained."""
    return {duties.TITLES[name]: name for name in duties.DUTIES}


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
    chosen = {**duties.settings_of(name), **settings}
    return Run(lesson(duties.fresh(name), duties.defender(**chosen), seed), "train")


def met(run: Run) -> tuple[dict[str, Any], ...]:
    """The ledger of adversaries: step, nats, and log10 P now by covariance propagation."""
    problem = _present(run.subject.problem, run.subject.state.theta)
    found = []
    for step, law in _laws(run):
        nats = _nats(law, problem.distribution)
        found.append({"step": step, "nats": nats, "now": _log10_p(problem, law)})
    return tuple(found)


def picture(run: Run, before: Tensor | None) -> Any:
    """What changed since the weights `before`."""
    duty, state = run.subject.problem, run.subject.state
    now = _present(duty, state.theta)
    then = None if before is None else _present(duty, before)
    laws = _laws(run)
    with torch.no_grad():
        if now.distribution.dim == 2:
            return _plane(duty, now, then, laws)
        if shows_digits(now):
            return _images(now, then, laws)
        return _curve(now, then, laws)


def _present(duty: Duty, theta: Tensor) -> Problem:
    """The problem with these weights, in a model of its own."""
    made = duty.fresh()
    made.put(theta)
    return made.problem


def _laws(run: Run) -> list[tuple[int, Distribution]]:
    """Every adversary's step and D."""
    defender, state, duty = run.subject.iteration, run.subject.state, run.subject.problem
    if defender.adversary is None or not len(state.met):
        return []
    d = duty.problem.distribution
    none = torch.zeros(0, d.noise_dim, dtype=d.dtype)
    module = defender.adversary.family.module(d, state.rng.child("start", 0), none)
    return [(int(row[0]), at(module, row[1:])) for row in state.met]


def _plane(
    duty: Duty, now: Problem, then: Problem | None, laws: list[tuple[int, Distribution]]
) -> Plane:
    data = duty.task.inputs
    low, high = data.min(0).values - 0.4, data.max(0).values + 0.4
    x, y = (torch.linspace(float(a), float(b), _SIDE) for a, b in zip(low, high, strict=True))
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2).to(data.dtype)
    clouds = [("D₀", now.distribution), *[("last adversary's D", law) for _, law in laws[-1:]]]
    return Plane(
        x, y, now.margin(grid).reshape(_SIDE, _SIDE),
        None if then is None else then.margin(grid).reshape(_SIDE, _SIDE),
        points=data, labels=duty.task.targets.tolist(),
        clouds=[(n, d.pieces()[0].mean, _factor(d)) for n, d in clouds if isinstance(d, Gaussian)],
    )  # fmt: skip


def _factor(d: Gaussian) -> Tensor:
    return torch.diag(d.scale) if d.scale.ndim == 1 else d.scale


def _images(
    now: Problem, then: Problem | None, laws: list[tuple[int, Distribution]]
) -> list[Image]:
    """The means of D0 and of the last adversaries, and P there before and now."""
    found = []
    for name, law in (("D₀", now.distribution), *[(f"step {k}", law) for k, law in laws[-7:]]):
        assert isinstance(law, HasMoments)
        was = None if then is None else _log10_p(then, law)
        found.append(Image(name, law.pieces()[0].mean, _log10_p(now, law), was))
    return found


def _curve(now: Problem, then: Problem | None, laws: list[tuple[int, Distribution]]) -> Curve:
    """The margin on the way from the mean of D0 to the last adversary's, or up its gradient."""
    d = now.distribution
    assert isinstance(d, HasMoments)
    mean = d.pieces()[0].mean
    law = laws[-1][1] if laws else None
    if isinstance(law, HasMoments):
        way = law.pieces()[0].mean - mean
    else:
        with torch.enable_grad():
            point = mean[None].clone().requires_grad_()
            way = torch.autograd.grad(now.margin(point).sum(), point)[0][0]
    t = torch.linspace(-_REACH, _REACH, _CURVE, dtype=mean.dtype)
    x = mean + t[:, None] * way / way.norm().clamp_min(1e-12)
    return Curve(t, now.margin(x), None if then is None else then.margin(x))


def _nats(law: Distribution, reference: Distribution) -> float | None:
    """KL(D || D0) of two Gaussians."""
    if not (isinstance(law, Gaussian) and isinstance(reference, Gaussian)):
        return None
    own, base = (
        torch.distributions.MultivariateNormal(g.mean, scale_tril=_factor(g))
        for g in (law, reference)
    )
    return float(torch.distributions.kl_divergence(own, base))


@torch.no_grad()
def _log10_p(problem: Problem, law: Distribution) -> float | None:
    """By covariance propagation, in milliseconds; None where it has no answer."""
    try:
        return Moments()(problem.vary(distribution=law)).log10_p
    except WorkbenchError:
        return None
