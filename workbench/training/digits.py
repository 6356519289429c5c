"""Local robustness on average: noise around every image, training or held out, at once."""

import math
from collections.abc import Sequence

import torch
from safetensors.torch import load_file
from torch import Tensor

from workbench import catalogue
from workbench.distributions import Gaussian, Mixture
from workbench.models import mlp
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Argmax
from workbench.training.duty import Duty
from workbench.training.task import Task

WIDTHS = (64, 64, 64, 10)
SIGMA, FORBIDDEN = 0.2, 0
"""Standard deviation of the noise (pixels lie in [0, 1]), and the class that must not be read."""
HELD_OUT = 360
"""Images that no step learns from: the first so many of those that the data hold out."""


def task() -> Task:
    """To read 1,437 images, and to be judged on 360 held-out ones."""
    data = load_file(catalogue.data_folder() / "digits.safetensors")
    x, y = data["images"].double() / 16.0, data["labels"].long()
    out = data["held_out"].bool()
    more, kept = x[out][HELD_OUT:], x[out][:HELD_OUT]
    return Task(
        torch.cat([x[~out], more]), torch.cat([y[~out], y[out][HELD_OUT:]]),
        (kept, y[out][:HELD_OUT]),
    )  # fmt: skip


def around(x: Tensor, sigma: float) -> Mixture:
    """The mean over images `(n, d)` of N(x_i, sigma^2 I)."""
    scale = torch.full_like(x[0], sigma)
    return Mixture(x.new_ones(len(x)), tuple(Gaussian(row.clone(), scale) for row in x))


def duty(seed: int = 0, forbidden: int = FORBIDDEN, sigma: float = SIGMA) -> Duty:
    """An untrained 64-64-64-10 network is to read digits, and no 0 where there is none.

    D0 is Gaussian pixel noise around all training images that are no 0, each equally likely; C is
    that a 0 is read, whatever else the image is taken for. P is the mean over the images, so that
    training has to see to its worst ones.

    Args:
        seed: of the weights.
        forbidden: the class, 0 as a rule.
        sigma: of the noise.
    """
    work = task()
    model = mlp(WIDTHS, Rng(seed).child("digits").generator())
    d = around(work.inputs[work.targets != forbidden], sigma)
    about = (
        f"Gaussian pixel noise of standard deviation {sigma} on {len(d.components)} images that "
        f"are no {forbidden}; a catastrophe is that a {forbidden} is read."
    )
    spec = Argmax(forbidden, "wins")
    return Duty(Problem(d, model, spec, "digits_average", about), work)


def held_out(trained: Duty) -> Problem:
    """The same catastrophe on noise around the held-out images, every one of them that counts."""
    (x, y), problem = trained.task.held_out, trained.problem
    assert isinstance(problem.spec, Argmax) and isinstance(problem.distribution, Mixture)
    sigma = float(problem.distribution.components[0].scale[0])
    return problem.vary(distribution=around(x[y != problem.spec.label], sigma))


def label_changes(
    trained: Duty, sigma: float, right: Tensor | None = None
) -> list[tuple[float, Problem]]:
    """Noise takes a held-out image out of its class: a problem for each class, and its weight.

    Args:
        trained: with the model that is judged.
        sigma: of the noise.
        right: `(360,)`, which held-out images count; all of them by default.
    """
    x, y = trained.task.held_out
    counts = torch.ones_like(y, dtype=torch.bool) if right is None else right
    found = []
    for k in range(WIDTHS[-1]):
        mine = x[(y == k) & counts]
        if len(mine):
            problem = Problem(around(mine, sigma), trained.problem.model, Argmax(k), f"class {k}")
            found.append((len(mine) / int(counts.sum()), problem))
    return found


def mean_log10(parts: Sequence[tuple[float, float]]) -> float:
    """log10 of sum of w 10^v over (w, v)."""
    total = sum(w * 10.0**v for w, v in parts)
    return math.log10(total) if total > 0 else -math.inf
