"""What can be trained by name, and defenders from a few settings: for command line and screens."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from workbench import catalogue
from workbench.adversaries import KL, Adversary
from workbench.distributions import Gaussian
from workbench.errors import BadInput
from workbench.estimators import Conditioned, Estimator, Moments
from workbench.models import mlp
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Argmax
from workbench.training import Defender, Duty, Referee, Task, toys

FOLLOWED: dict[str, Callable[[], Estimator]] = {
    "mean": lambda: Moments(propagator="mean"),
    "covariance": Moments,
    "conditioned": Conditioned,
}
"""Estimates that a defender may follow, each stricter than the one before it."""
_SEARCH = 10  # steps of an adversary within a training
_WARM, _RATE = 400, 1e-2


def defender(
    follow: str = "covariance", target: float | None = -8.0, nats: float = 1.0, steps: int = 150,
    rate: float = 3e-3, price: float = 3e-3, every: int = 25, referee: int = 20_000,
) -> Defender:  # fmt: skip
    """A defender from a few numbers; the ladder are the stricter estimates.

    Args:
        follow: one of `FOLLOWED`.
        target: log10 P to get below.
        nats: how far from D0 its adversary may go; 0 for none.
        steps: of the optimiser.
        rate: learning rate.
        price: how fast the price of a digit of P rises while the target is missed.
        every: steps between two searches of the adversary, and between two looks of the referee.
        referee: forward passes of a look.

    Raises:
        BadInput: for what is out of range.
    """
    if follow not in FOLLOWED:
        raise BadInput(f"no defender is called {follow!r}: use one of {', '.join(FOLLOWED)}")
    if not (math.isfinite(nats) and nats >= 0.0):
        raise BadInput(f"a defender's adversary spends 0 nats or more, got {nats!r}")
    names = list(FOLLOWED)
    own = FOLLOWED[follow]()
    ladder = tuple(FOLLOWED[name]() for name in names[names.index(follow) + 1 :])
    adversary = Adversary(region=KL(nats), estimator=own, steps=_SEARCH) if nats else None
    return Defender(
        own, adversary, steps, rate, target=target, price=price, renew=every, ladder=ladder,
        then="go on", referee=Referee(every, referee),
    )  # fmt: skip


@cache
def duty(name: str) -> Duty:
    """What is trained, by its name, or by the path of a card whose model does a digits task.

    Training writes into the model of a duty, so that two runs at once need one each: see `fresh`.

    Raises:
        BadInput: for an unknown name.

    >>> duty("plane").task.size
    300
    """
    if name in DUTIES:
        return DUTIES[name]()
    problem = catalogue.load(name)
    if problem.distribution.dim != 64 or problem.outputs != 10:
        raise BadInput(
            f"{problem.name} has no task to train for: use {', '.join(DUTIES)}, or a problem whose "
            "model reads digits"
        )
    return Duty(problem, _digits_task())


def fresh(name: str) -> Duty:
    """A duty with a model of its own; errors as `duty`."""
    made = duty(name)
    return Duty(made.problem, made.task)


def plane(seed: int = 0) -> Duty:
    """Two arcs of points, one around the other, and a trained network that tells them apart.

    D0 is a cloud within the inner arc; C: one of its points is read as the outer class.

    Args:
        seed: of data and network.
    """
    rng = Rng(seed).child("plane")
    g = rng.child("data").generator()
    turn = 3.1 * torch.rand(600, generator=g, dtype=torch.float64)
    labels = torch.arange(600) % 2
    radius = torch.where(labels == 0, 0.8, 2.5)
    radius = radius + 0.2 * torch.randn(600, generator=g, dtype=torch.float64)
    x = torch.stack([radius * turn.cos(), radius * turn.sin()], 1)
    task = Task(x[:300], labels[:300], (x[300:], labels[300:]))
    model = mlp([2, 24, 24, 2], rng.child("init").generator())
    adam = torch.optim.Adam(model.parameters(), lr=_RATE)
    for _ in range(_WARM):
        adam.zero_grad()
        task.error(model).backward()
        adam.step()
    cloud = Gaussian(_vector(0.0, 0.9), _vector(0.2, 0.2))
    about = (
        "Two arcs of points to be told apart. D₀ is a cloud within the inner arc; C: one of its "
        "points is read as the outer class."
    )
    return Duty(Problem(cloud, model, Argmax(0, "loses"), "plane", about), task)


def _digits_task() -> Task:
    """To read the training images, and to be judged on the held-out ones."""
    data = load_file(catalogue.data_folder() / "digits.safetensors")
    x, y, out = data["images"].double() / 16.0, data["labels"].long(), data["held_out"].bool()
    return Task(x[~out], y[~out], (x[out], y[out]))


def _vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


DUTIES: dict[str, Callable[[], Duty]] = {
    "plane": plane,
    "regression": toys.regression,
    "digits": lambda: Duty(catalogue.load("digits"), _digits_task()),
}
"""What can be trained by name."""
TITLES: dict[str, str] = {
    "plane": "Two classes on a plane", "regression": "Regression below a bar",
    "digits": "One noised digit",
}  # fmt: skip


def settings_of() -> dict[str, Any]:
    """{setting: usual value} of `defender`."""
    import inspect

    return {k: p.default for k, p in inspect.signature(defender).parameters.items()}
