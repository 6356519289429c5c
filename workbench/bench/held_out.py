"""Problems made the way the reference problems were, at other widths, points and thresholds.

Nothing was chosen by looking at them; their truth comes from the samplers, in the same run.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from safetensors.torch import load_file

from workbench import catalogue
from workbench.distributions import Gaussian
from workbench.estimators import Estimator, Importance, Subset
from workbench.models import mlp
from workbench.problem import Problem, Truth
from workbench.rng import Rng
from workbench.specs import Argmax, Halfspace

NETS = ((48, 3, 0.0), (96, 2, 0.1), (24, 5, 0.1), (64, 3, 0.0), (128, 4, 0.1))
"""Width, hidden layers, standard deviation of the biases."""
DEVIATIONS = (4.5, 6.5)
"""Thresholds, in standard deviations of the margin above its mean."""
IMAGES, NOISE = (5, 17, 42, 101, 256, 333), (0.12, 0.17)
"""Numbers among the held-out images, and the standard deviation of every pixel."""

_DRAWS = 20_000
_BY_SPLITTING, _BY_WEIGHTING = 3_000_000, 200_000


@dataclass(frozen=True)
class Scale:
    """How many of them, and the forward passes that a truth may cost."""

    nets: int
    images: int
    effort: float


FULL, QUICK = Scale(len(NETS), len(IMAGES), 1.0), Scale(1, 1, 0.02)


def problems(quick: bool) -> Iterator[Problem]:
    """Random networks, then noised digits, each with a sampled truth."""
    scale = QUICK if quick else FULL
    for width, hidden, bias in NETS[: scale.nets]:
        for k in DEVIATIONS:
            yield _known(random_net(width, hidden, bias, k), Subset(2000), _BY_SPLITTING, scale)
    for image in IMAGES[: scale.images]:
        for sigma in NOISE:
            yield _known(noised_digit(image, sigma), Importance(), _BY_WEIGHTING, scale)


def random_net(width: int, hidden: int, bias: float, deviations: float) -> Problem:
    """y0 - y1 of a He network on N(0, I) exceeds so many of its standard deviations."""
    rng = Rng(2026).child("held out", width, hidden)
    widths = [width] * (hidden + 1) + [2]
    model = mlp(widths, rng.child("weights").generator(), bias_std=bias).requires_grad_(False)
    normal = torch.tensor([1.0, -1.0], dtype=torch.float64)
    one = torch.ones(width, dtype=torch.float64)
    problem = Problem(Gaussian(0.0 * one, one), model, Halfspace(normal, 0.0))
    x = torch.randn(_DRAWS, width, generator=rng.child("inputs").generator(), dtype=torch.float64)
    s = problem.margin(x)
    tau = float(s.mean() + deviations * s.std())
    name = f"random {width} x {hidden}, {deviations:g} sd"
    return replace(problem, spec=Halfspace(normal, -tau), name=name)


def noised_digit(image: int, sigma: float) -> Problem:
    """The digits network misreads a held-out image with noise on its pixels."""
    data = load_file(catalogue.data_folder() / "digits.safetensors")
    held = torch.nonzero(data["held_out"]).squeeze(1)
    model = catalogue.load("digits").model
    pixels = data["images"][held[image]].to(torch.float64) / 16.0
    label = int(data["labels"][held[image]])
    return Problem(
        Gaussian(pixels, torch.full_like(pixels, sigma)),
        model,
        Argmax(label),
        name=f"digit {image}, sigma {sigma:g}",
    )


def _known(problem: Problem, sampler: Estimator, budget: int, scale: Scale) -> Problem:
    with torch.no_grad():
        estimate = sampler(problem, int(scale.effort * budget), 1)
    error = estimate.log10_err
    method = f"{sampler.name}, {estimate.cost.forwards:,} forwards"
    truth = Truth(estimate.log10_p, float("inf") if error is None else error, method)
    return replace(problem, truth=truth)
