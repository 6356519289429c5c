"""Two classes on the plane."""

import torch

from workbench.distributions import Gaussian
from workbench.models import mlp
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Argmax
from workbench.training.duty import Duty
from workbench.training.task import Task
from workbench.training.toys.learn import learn

_WARM, _RATE = 400, 1e-2


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
    learn(model, task, _WARM, _RATE)
    mean, spread = torch.tensor([[0.0, 0.9], [0.2, 0.2]], dtype=torch.float64)
    about = (
        "Two arcs of points to be told apart. D₀ is a cloud within the inner arc; C: one of its "
        "points is read as the outer class."
    )
    return Duty(Problem(Gaussian(mean, spread), model, Argmax(0, "loses"), "plane", about), task)
