"""Relative entropies against torch.distributions, in value and gradient."""

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from workbench.adversaries import relative_entropy
from workbench.distributions import Gaussian
from workbench.rng import Rng

D = 5


def normal(seed, diagonal):
    g = torch.Generator().manual_seed(seed)
    mean = torch.randn(D, generator=g, dtype=torch.float64)
    scale = 0.5 + torch.rand(D, generator=g, dtype=torch.float64)
    if not diagonal:
        scale = torch.diag(scale) + torch.tril(
            torch.randn(D, D, generator=g, dtype=torch.float64), -1
        )
    return Gaussian(mean, scale)


def theirs(d):
    scale = torch.diag(d.scale) if d.diagonal else d.scale
    return MultivariateNormal(d.mean, scale_tril=scale, validate_args=False)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_gaussians_agree_with_torch(first, second):
    d, d0 = normal(1, first), normal(2, second)
    ours = relative_entropy(d, d0, Rng(0))
    assert ours.err == 0.0
    assert float(ours.value) == pytest.approx(
        float(kl_divergence(theirs(d), theirs(d0))), rel=1e-10
    )


@pytest.mark.parametrize("diagonal", [True, False])
def test_gradient_of_gaussians(diagonal):
    d, d0 = normal(3, diagonal), normal(4, False)

    def value(mean, scale):
        scale = scale if diagonal else torch.tril(scale)
        return relative_entropy(Gaussian(mean, scale), d0, Rng(0)).value

    leaves = d.mean.clone().requires_grad_(), d.scale.clone().requires_grad_()
    assert torch.autograd.gradcheck(value, leaves)
