"""A regression whose output must stay below a bar."""

import torch

from workbench.distributions import Gaussian
from workbench.models import mlp
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Halfspace
from workbench.training.duty import Duty
from workbench.training.task import Task
from workbench.training.toys.learn import exceeded, learn

_DIM, _EXAMPLES, _WARM, _RATE = 8, 1024, 400, 5e-3


def regression(seed: int = 0, once_in: float = 1e-4) -> Duty:
    """A 32-wide network with three hidden ReLU layers learns a smooth function of 8 numbers; it is
    a catastrophe where its output exceeds a bar, which it does about once in 10,000 draws.

    The bar lies far beyond the targets of the training examples: to avoid it costs the task little.

    Args:
        seed: of data, initialisation and training.
        once_in: P[C] before any defence, by the empirical quantile of 2^18 draws.
    """
    rng = Rng(seed).child("regression")
    g = rng.child("data").generator()
    x = torch.randn(2 * _EXAMPLES, _DIM, generator=g, dtype=torch.float64)
    axes = torch.linalg.qr(torch.randn(_DIM, 3, generator=g, dtype=torch.float64))[0]
    y = (torch.tanh(x @ axes) @ torch.tensor([1.0, 0.7, 0.5], dtype=torch.float64))[:, None]
    half = _EXAMPLES
    task = Task(x[:half], y[:half], (x[half:], y[half:]), "mse")
    model = mlp([_DIM, 32, 32, 32, 1], rng.child("init").generator())
    learn(model, task, _WARM, _RATE)
    d = Gaussian(torch.zeros(_DIM, dtype=torch.float64), torch.ones(_DIM, dtype=torch.float64))
    with torch.no_grad():
        s = model(d.sample(1 << 18, rng.child("bar").generator()))[:, 0]
    bar = exceeded(s, once_in)
    about = "A small regression network whose output must never exceed a bar."
    one = torch.ones(1, dtype=torch.float64)
    return Duty(Problem(d, model, Halfspace(one, -bar), "regression", about), task)
