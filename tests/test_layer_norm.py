"""What propagation makes of LayerNorm, the operation that it linearises."""

import math

import pytest
import torch
from torch import nn

from workbench.distributions import Piece
from workbench.graph import read
from workbench.propagation import Covariance


def norm(n):
    torch.manual_seed(0)
    layer = nn.LayerNorm(n)
    with torch.no_grad():
        layer.weight.uniform_(0.5, 2.0)
        layer.bias.normal_()
    return layer


def rand(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("n, scale", [(8, 0.2), (8, 1.0), (64, 0.2), (64, 1.0)])
def test_layer_norm_is_near_what_is_sampled(n, scale):
    """Means and covariances of LayerNorm's output against 200,000 draws, x = mean + scale z.

    As measured: the worst error of a mean and of a covariance, over the root mean square of y's
    deviations. The sampled values' own errors reach 0.007 of it.
    """
    stated = {
        (8, 0.2): (0.007, 0.05), (8, 1.0): (0.04, 0.3), (64, 0.2): (0.01, 0.02),
        (64, 1.0): (0.01, 0.08),
    }[n, scale]  # fmt: skip
    module, mean, root = norm(n), rand(1, n), scale * rand(2, n, n) / math.sqrt(n)
    with torch.no_grad():
        y = module(mean + rand(3, 200_000, n) @ root.T)
        piece = Piece(torch.zeros(()), mean, root @ root.T)
        law, _ = Covariance().law(read(module), piece, torch.eye(n), torch.zeros(n))
        cov = torch.cov(y.T)
        spread = float(cov.diagonal().mean())
        error = float((y.mean(0) - law.mean).abs().max()) / spread**0.5
        off = float((cov - law.cov).abs().max()) / spread
    assert error < stated[0] and off < stated[1], (error, off)


def test_layer_norm_of_what_is_certain_is_exact():
    module = norm(6)
    mean = rand(1, 2, 6)
    with torch.no_grad():
        law, _ = Covariance().law(
            read(module), Piece(torch.zeros(2), mean, torch.zeros(6)), torch.eye(6), torch.zeros(6)
        )
        torch.testing.assert_close(law.mean, module(mean))
    assert not law.cov.any()
