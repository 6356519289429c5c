"""A controller that must keep a mass within its track."""

import math

import torch
from torch import Tensor

from workbench.distributions import Gaussian
from workbench.errors import NotConverged
from workbench.models import dense, mlp, rollout
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Polytope
from workbench.training.duty import Duty
from workbench.training.task import Task
from workbench.training.toys.learn import exceeded, learn

STEPS = 8
STATE = 3
"""Entries of y a step: position, speed and force, each times the root of its weight."""

_DT, _KICK, _START = 0.5, 0.2, 0.1
_WEIGHTS = (1.0, 0.1, 0.3)
_ROUNDS = 10_000
_EXAMPLES, _CLONED, _WIDE, _WARM, _RATE = 512, 400, 0.6, 60, 5e-3


def controller(seed: int = 0, once_in: float = 1e-4) -> Duty:
    """A network steers a mass on a track for eight steps of half a second while gusts push it.

    x is where the mass begins, how fast, and the gusts; y are its positions, speeds and forces, so
    weighed that |y|^2 is the quadratic cost (the task). C: at some step the mass has left the
    track. The network reads position and speed, and has learnt from the controller that is optimal
    for this cost on a track without an end (the discrete Riccati equation), and then the cost
    itself; so it pushes back in proportion, near the end of the track too.

    Args:
        seed: of data, initialisation and training.
        once_in: P[C] before any defence, by the empirical quantile of 2^16 rollouts.
    """
    rng = Rng(seed).child("controller")
    g = rng.child("data").generator()
    scale = torch.full((2 + STEPS,), _KICK, dtype=torch.float64)
    scale[0] = _START
    d = Gaussian(torch.zeros_like(scale), scale)
    dynamics, roots = _mass()
    best = dense(-riccati(dynamics[0], dynamics[1], *(r.T @ r for r in roots)))
    policy = mlp([2, 16, 16, 1], rng.child("init").generator())
    states = _WIDE * torch.randn(_EXAMPLES, 2, generator=g, dtype=torch.float64)
    with torch.no_grad():
        pushes = best(states)
    learn(policy, Task(states, pushes, (states, pushes), "mse"), _CLONED, _RATE)
    x = d.sample(2 * _EXAMPLES, g)
    with torch.no_grad():
        y = rollout(best, dynamics, roots, STEPS)(x)
    half = _EXAMPLES
    task = Task(x[:half], y[:half], (x[half:], y[half:]), "cost")
    model = rollout(policy, dynamics, roots, STEPS)
    learn(model, task, _WARM, _RATE)
    with torch.no_grad():
        drawn = model(d.sample(1 << 16, rng.child("track").generator()))
    track = exceeded(drawn[:, ::STATE].abs().amax(1), once_in)
    about = (
        "A network steers a mass through gusts, seen over eight steps of known dynamics. C: the "
        f"mass is once further than {track:.2f} from where it should be."
    )
    inside = torch.zeros(2 * STEPS, STATE * STEPS, dtype=torch.float64)
    for t in range(STEPS):
        inside[2 * t, STATE * t], inside[2 * t + 1, STATE * t] = 1.0, -1.0
    bar = torch.full((2 * STEPS,), track, dtype=torch.float64)
    return Duty(Problem(d, model, ~Polytope(inside, bar), "controller", about), task)


def _mass() -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]:
    """A double integrator whose speed the gusts change; roots of the cost's weights."""
    a = torch.tensor([[1.0, _DT], [0.0, 1.0]], dtype=torch.float64)
    b = torch.tensor([[_DT * _DT], [_DT]], dtype=torch.float64)
    gust = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    position, speed, force = torch.tensor(_WEIGHTS, dtype=torch.float64).sqrt()
    return (a, b, gust), (torch.diag(torch.stack([position, speed])), force.reshape(1, 1))


def riccati(a: Tensor, b: Tensor, q: Tensor, r: Tensor) -> Tensor:
    """The gain K `(k, m)` of u = -K s that is optimal for sum s.Q s + u.R u under s' = A s + B u.

    By iterating S = Q + A^T S (A - B K), K = (R + B^T S B)^-1 B^T S A (the discrete algebraic
    Riccati equation) until S stands still. Raises `NotConverged` where it never does.

    >>> one = torch.ones(1, 1, dtype=torch.float64)
    >>> round(float(riccati(one, one, one, one)), 6)  # S = 1 + S - S^2 / (1 + S): the golden ratio
    0.618034
    """
    s = q
    for _ in range(_ROUNDS):
        k = torch.linalg.solve(r + b.T @ s @ b, b.T @ s @ a)
        after = q + a.T @ s @ (a - b @ k)
        size = float(after.abs().max())
        if not math.isfinite(size):
            break
        if float((after - s).abs().max()) <= 1e-13 * size:
            return k
        s = after
    raise NotConverged("the Riccati equation did not settle: is the system stabilisable?")
