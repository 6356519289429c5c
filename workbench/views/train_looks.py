"""What training changed, computed from two models: the one now and the one to compare with."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from workbench.distributions import Distribution, Gaussian
from workbench.distributions import Moments as HasMoments
from workbench.errors import WorkbenchError
from workbench.estimators import Moments
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Halfspace, Or
from workbench.training import Duty, digits, toys
from workbench.views.pictures import shows_digits
from workbench.views.train_crowd import Crowd, crowd
from workbench.views.train_paths import Paths
from workbench.views.train_pictures import Curve, Image, Plane

_SIDE, _CURVE, _REACH = 61, 121, 6.0
_DRAWS, _WIDER, _SHOWN = 4096, 1.6, 14
Laws = Sequence[tuple[int, Distribution]]


@torch.no_grad()
def look(duty: Duty, now: Problem, then: Problem | None, laws: Laws) -> Any:
    """One of the pictures of `train_pictures` and `train_paths`.

    Args:
        duty: what is trained.
        now: the problem with the present weights.
        then: with those to compare with, or None.
        laws: every adversary's step and D.
    """
    own = LOOKS.get(now.name)
    if own is not None:
        return own(duty, now, then, laws)
    if now.distribution.dim == 2:
        return _plane(duty, now, then, laws)
    if shows_digits(now):
        return _images(now, then, laws)
    return _curve(duty, now, then, laws)


def _plane(duty: Duty, now: Problem, then: Problem | None, laws: Laws) -> Plane:
    data = duty.task.inputs
    low, high = data.min(0).values - 0.4, data.max(0).values + 0.4
    x, y = (torch.linspace(float(a), float(b), _SIDE) for a, b in zip(low, high, strict=True))
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2).to(data.dtype)
    clouds = [("D₀", now.distribution), *[("last adversary's D", law) for _, law in laws[-1:]]]
    return Plane(
        x, y, now.margin(grid).reshape(_SIDE, _SIDE),
        None if then is None else then.margin(grid).reshape(_SIDE, _SIDE),
        points=data, labels=duty.task.targets.tolist(),
        clouds=[(n, d.pieces()[0].mean, factor(d)) for n, d in clouds if isinstance(d, Gaussian)],
    )  # fmt: skip


def factor(d: Gaussian) -> Tensor:
    """Lower-triangular, `(d, d)`."""
    return torch.diag(d.scale) if d.scale.ndim == 1 else d.scale


def _images(now: Problem, then: Problem | None, laws: Laws) -> list[Image]:
    """The means of D0 and of the last adversaries, and P there before and now."""
    found = []
    for name, law in (("D₀", now.distribution), *[(f"step {k}", law) for k, law in laws[-7:]]):
        assert isinstance(law, HasMoments)
        was = None if then is None else log10_p(then, law)
        found.append(Image(name, law.pieces()[0].mean, log10_p(now, law), was))
    return found


def _curve(duty: Duty, now: Problem, then: Problem | None, laws: Laws) -> Curve:
    """The margin from the mean of D0 on: to the last adversary's, or up its gradient."""
    d = now.distribution
    assert isinstance(d, HasMoments)
    mean = d.pieces()[0].mean
    law = laws[-1][1] if laws else None
    if isinstance(law, HasMoments):
        way, towards = law.pieces()[0].mean - mean, "towards the last adversary's"
    else:
        with torch.enable_grad():
            point = mean[None].clone().requires_grad_()
            way = torch.autograd.grad((then or now).margin(point).sum(), point)[0][0]
        towards = "along the margin's gradient there"
    t = torch.linspace(-_REACH, _REACH, _CURVE, dtype=mean.dtype)
    x = mean + t[:, None] * way / way.norm().clamp_min(1e-12)
    return Curve(t, now.margin(x), None if then is None else then.margin(x), towards)


def _planted(duty: Duty, now: Problem, then: Problem | None, laws: Laws) -> Curve:
    """The margin from the mean of D0 through the planted trigger, and beyond it."""
    assert duty.watched is not None
    corner = duty.watched[0]
    far = float(corner.norm())
    t = torch.linspace(-0.5 * far, 2.0 * far, _CURVE, dtype=corner.dtype)
    x = t[:, None] * corner / far
    before = None if then is None else then.margin(x)
    return Curve(t, now.margin(x), before, "towards the planted trigger", far)


def _paths(duty: Duty, now: Problem, then: Problem | None, laws: Laws) -> Paths:
    """Rollouts under the likeliest starts and gusts, of draws of D0 spread wider, that had the
    controller to compare with leave the track, before and now."""
    d = now.distribution
    assert isinstance(d, Gaussian)
    g = Rng(0).child("paths").generator()
    wide = d.push(_WIDER * d.noise(_DRAWS, g))
    margin, far = (then or now).margin(wide), d.pull(wide).norm(dim=1)
    order = torch.argsort(torch.where(margin > 0, far, far.max() - margin))
    chosen, usual = wide[order[:_SHOWN]], _positions(now, d.sample(_DRAWS, g))
    halfspaces = now.spec
    assert isinstance(halfspaces, Or) and isinstance(halfspaces.parts[0], Halfspace)
    return Paths(
        now=_positions(now, chosen), before=None if then is None else _positions(then, chosen),
        track=-float(halfspaces.parts[0].b),
        usual=torch.quantile(usual, torch.tensor([0.025, 0.975], dtype=usual.dtype), dim=0),
    )  # fmt: skip


def _positions(problem: Problem, x: Tensor) -> Tensor:
    """Where the mass is from step to step, `(n, T + 1)`."""
    return torch.cat([x[:, :1], problem.model(x)[:, :: toys.STATE]], 1)


@torch.no_grad()
def log10_p(problem: Problem, law: Distribution) -> float | None:
    """By covariance propagation, in milliseconds; None where it has no answer."""
    try:
        return Moments()(problem.vary(distribution=law)).log10_p
    except WorkbenchError:
        return None


def _averaged(duty: Duty, now: Problem, then: Problem | None, laws: Laws) -> Crowd:
    """Held-out images, under the model to compare with and under the present one."""
    out = digits.held_out(duty)
    was = now if then is None else then
    return crowd(*(replace(out, model=problem.model) for problem in (now, was)))


LOOKS: dict[str, Callable[[Duty, Problem, Problem | None, Laws], Any]] = {
    "controller": _paths, "digits_average": _averaged, **dict.fromkeys(toys.PLANTED, _planted),
}  # fmt: skip
"""{name of a duty: its own picture}; the others go by what their inputs are."""
