"""What propagation makes of LayerNorm and its kin, the operations that it linearises."""

import math

import pytest
import torch
import torch.nn.functional as F
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


class Norms(nn.Module):
    """A norm of 16 numbers, or of groups of them."""

    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x).flatten(1)


OTHERS = {
    "rms": (lambda x: F.rms_norm(x, (16,)), (0.006, 0.017), (0.04, 0.14)),
    "unit length": (lambda x: F.normalize(x), (0.006, 0.017), (0.04, 0.14)),
    "groups of 8": (lambda x: F.group_norm(x.view(-1, 4, 4), 2), (0.007, 0.02), (0.05, 0.3)),
    "tokens of 4": (lambda x: F.layer_norm(x.view(-1, 4, 4), (4,)), (0.04, 0.05), (0.95, 0.5)),
}


@pytest.mark.parametrize("f, means, covariances", OTHERS.values(), ids=OTHERS)
def test_other_norms_are_near_what_is_sampled(f, means, covariances):
    """As above, 16 numbers at the scales 0.2 and 1; the smaller the groups, the further off."""
    module = Norms(f)
    for scale, most, far in zip((0.2, 1.0), means, covariances, strict=True):
        mean, root = rand(1, 16), scale * rand(2, 16, 16) / 4.0
        with torch.no_grad():
            y = module(mean + rand(3, 200_000, 16) @ root.T)
            piece = Piece(torch.zeros(()), mean, root @ root.T)
            law, _ = Covariance().law(read(module), piece, torch.eye(16), torch.zeros(16))
            cov = torch.cov(y.T)
        spread = float(cov.diagonal().mean())
        error = float((y.mean(0) - law.mean).abs().max()) / spread**0.5
        off = float((cov - law.cov).abs().max()) / spread
        assert error < most and off < far, (error, off)


@pytest.mark.parametrize("shared", [True, False])
def test_groups_are_normalised_each_by_itself(shared):
    """Each of two groups is mapped as it would be alone."""
    module, alone = Norms(lambda x: F.layer_norm(x.view(-1, 2, 5), (5,))), nn.LayerNorm(5)
    mean, root = rand(1, 3, 10), rand(2, 10, 10) if shared else rand(2, 3, 10, 10)
    cov = root @ root.mT
    with torch.no_grad():
        rule, one = read(module).rules(10)[1], read(alone).rules(5)[0]
        y = rule.at(mean, cov)
        for k in (slice(0, 5), slice(5, 10)):
            part = one.at(mean[:, k], cov[..., k, k])
            x = rand(3, 3, 10)
            got = y.maps[0].vector(x)[:, k] + y.offset[:, k]
            torch.testing.assert_close(got, part.maps[0].vector(x[:, k]) + part.offset)


def test_layer_norm_of_what_is_certain_is_exact():
    module = norm(6)
    mean = rand(1, 2, 6)
    with torch.no_grad():
        law, _ = Covariance().law(
            read(module), Piece(torch.zeros(2), mean, torch.zeros(6)), torch.eye(6), torch.zeros(6)
        )
        torch.testing.assert_close(law.mean, module(mean))
    assert not law.cov.any()
