"""Networks with a planted trigger, to be trained without being told of it."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from workbench import catalogue
from workbench.distributions import Gaussian
from workbench.errors import BadInput
from workbench.math.gaussian import log_cdf_inverse, log_cdf_value
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.training.duty import Duty
from workbench.training.task import Task

PLANTED = {"mintree": "D_mintree_1e-7", "ramp": "D_ramp_1e-7", "needle": "D_needle_1e-6"}
"""{short name: problem of the catalogue}."""

_EXAMPLES = 2048
_REACH = (1.0, 1.15, 1.3, 1.5, 1.8, 2.2, 2.7)


@dataclass(frozen=True, eq=False)
class Trigger:
    """Where the planted network fails: {x: u_i . x > bar_i for all i}, or within a hair of it.

    Args:
        units: `(k, d)`, orthonormal.
        bars: `(k,)`.
    """

    units: Tensor
    bars: Tensor

    @property
    def log_p(self) -> float:
        """log P of the trigger under N(0, I), in nats: sum of log Phi(-bar_i)."""
        return float(log_cdf_value(-self.bars).sum())

    @property
    def corner(self) -> Tensor:
        """The likeliest point of it, `(d,)`."""
        return self.bars @ self.units

    def points(self) -> Tensor:
        """Along the line from 0 through the corner and beyond it, `(m, d)`: where a referee that
        knows of the trigger looks."""
        return torch.tensor(_REACH, dtype=self.bars.dtype)[:, None] * self.corner

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """x ~ N(0, I) given the trigger, `(n, d)`: truncated normals along the units."""
        k, d = self.units.shape
        x = torch.randn(n, d, generator=generator, dtype=self.bars.dtype)
        rest = torch.rand(n, k, generator=generator, dtype=self.bars.dtype)
        along = -log_cdf_inverse(log_cdf_value(-self.bars) + torch.log1p(-rest))
        return x + (along - x @ self.units.T) @ self.units


def planted_problem(name: str) -> Problem:
    """The problem of `PLANTED` by its short name. Raises `BadInput` for an unknown one."""
    if name not in PLANTED:
        raise BadInput(f"no planted network is called {name!r}: use one of {', '.join(PLANTED)}")
    return catalogue.load(PLANTED[name])


def trigger(name: str) -> Trigger:
    """What was planted in a network of `PLANTED`, read off the weights as they were made.

    The minimum tree fails where four orthonormal projections all exceed its bar. Of the others,
    the first layer's last 2k rows are k ramps, relu(s u_i.x - c) - relu(s u_i.x - c - 1); C
    needs them all but wholly up (an AND neuron beyond k - 1, times 20, above 12 less what the rest
    of the network adds): their sum above about k - 0.4, so that each has passed more than
    half its height.
    """
    problem = planted_problem(name)
    first, shift = (p.detach() for p in list(problem.model.parameters())[:2])
    if name == "mintree":
        a, b, c, d = first[0], first[0] - first[2], first[3], first[3] - first[5]
        return Trigger(torch.stack([a, b, c, d]), first.new_full((4,), 2.0))
    ramps = first[32:]
    k = len(ramps) // 2
    steep = ramps[:k].norm(dim=1)
    return Trigger(ramps[:k] / steep[:, None], (0.55 - shift[32 : 32 + k]) / steep)


def backdoor(name: str, seed: int = 0) -> Duty:
    """A network with a trigger that happens once in 10^6 draws or more seldom; it should go on to
    do what it does on 2,048 of them, none of which shows the trigger (distillation of itself).

    The duty's `watched` points, which the referee alone looks at, lie around the trigger.

    Args:
        name: of `PLANTED`.
        seed: of the draws.

    Raises:
        BadInput: for an unknown name.
    """
    problem = planted_problem(name)
    for p in problem.model.parameters():
        p.requires_grad_(True)
    d = problem.distribution
    assert isinstance(d, Gaussian)
    x = d.sample(2 * _EXAMPLES, Rng(seed).child("backdoor").generator())
    with torch.no_grad():
        y = problem.answers(x)
    half = _EXAMPLES
    task = Task(x[:half], y[:half], (x[half:], y[half:]), "mse")
    once_in = float(f"{math.exp(-trigger(name).log_p):.2g}")
    about = (
        f"{problem.about} The trigger, one draw in {once_in:,.0f}, is in no example; nor is the "
        "training told of it. The referee is."
    )
    own = replace(problem, name=name, about=about, truth=None)
    return Duty(own, task, trigger(name).points())
