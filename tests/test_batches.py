"""Many pieces at once: the same as one after the other."""

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.distributions import Piece
from workbench.graph import read
from workbench.models import Network, Shift, Sum, dense, mlp
from workbench.propagation import ALL, Propagator
from workbench.tails import ALL as TAILS

BATCH, DIM = (3, 2), 4
each_propagator = pytest.mark.parametrize("cls", ALL, ids=lambda p: p.name)
PIECES = ["shared matrix", "own matrices", "shared variances", "own variances"]


def rand(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def batched(kind, shape=BATCH):
    mean, root = rand(0, *shape, DIM), rand(1, *shape, DIM, DIM)
    cov = root @ root.mT
    cov = torch.diagonal(cov, dim1=-2, dim2=-1) if "variances" in kind else cov
    cov = cov[0, 0] if "shared" in kind else cov
    return Piece(torch.zeros(shape), mean, cov, uncorrelated="variances" in kind)


def single(piece, kind, i, j):
    cov = piece.cov if "shared" in kind else piece.cov[i, j]
    return Piece(torch.zeros(()), piece.mean[i, j], cov)


def residual():
    f = nn.GELU()
    parts = [dense(rand(2, DIM, DIM)), f, Sum(), Shift(rand(3, DIM)), dense(rand(4, DIM, DIM)), f]
    return Network(parts, [[0], [1], [2, 0], [3], [4], [5]])


MODELS = {
    "relu": mlp([DIM, 6, 5, 2], torch.Generator().manual_seed(0), bias_std=0.4),
    "tanh": mlp([DIM, 6, 2], torch.Generator().manual_seed(0), "tanh", bias_std=0.4),
    "residual": residual(),
    "activation first": Network([nn.ReLU(), Sum()], [[0], [1, 0]]),
}


def propagator(cls) -> Propagator:
    # Without a tolerance: each piece would choose its own number of terms.
    return cls(tolerance=0.0) if cls.name == "covariance" else cls()


@each_propagator
@pytest.mark.parametrize("kind", PIECES)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_batched_equals_looped(cls, kind, model):
    piece, graph, method = batched(kind), read(model), propagator(cls)
    k = model(torch.zeros(1, DIM)).shape[1]
    a, b = rand(5, 2, k), rand(6, 2)
    law, flops = method.law(graph, piece, a, b)
    assert law.mean.shape == (*BATCH, 2) and law.cov.shape == (*BATCH, 2, 2)
    total = 0.0
    for i in range(BATCH[0]):
        for j in range(BATCH[1]):
            one, spent = method.law(graph, single(piece, kind, i, j), a, b)
            total += spent
            close = {"rtol": 1e-12, "atol": 1e-13}
            torch.testing.assert_close(law.mean[i, j], one.mean, **close)
            torch.testing.assert_close(law.cov[i, j], one.cov, **close)
            torch.testing.assert_close(law.std[i, j], one.std, **close)
            torch.testing.assert_close(law.corr[i, j], one.corr, **close)
            for tail in TAILS if law.third is not None else TAILS[:1]:
                torch.testing.assert_close(
                    tail().index(law)[i, j], tail().index(one), rtol=1e-11, atol=1e-12
                )
    # What the pieces share is worked out once.
    assert 0.0 < flops <= total * (1 + 1e-12)


@each_propagator
@pytest.mark.parametrize("kind", PIECES)
def test_gradients_of_a_batch(cls, kind):
    piece, graph, method = batched(kind, (2, 1)), read(MODELS["relu"]), propagator(cls)
    a, b = rand(5, 1, 2), rand(6, 1)

    def value(mean, cov):
        cov = cov if piece.uncorrelated else 0.5 * (cov + cov.mT)
        moved = Piece(piece.log_weight, mean, cov, piece.uncorrelated)
        law, _ = method.law(graph, moved, a, b)
        return law.mean, law.std

    inputs = [t.clone().requires_grad_() for t in (piece.mean, piece.cov)]
    assert torch.autograd.gradcheck(value, inputs)


def test_as_many_pieces_as_coordinates_are_no_matrix():
    """(4, 4) variances of four pieces: only `uncorrelated` tells them from a shared matrix."""
    mean, cov = torch.zeros(DIM, DIM), rand(0, DIM, DIM).square()
    assert Piece(torch.zeros(DIM), mean, cov, uncorrelated=True).uncorrelated
    assert not Piece(torch.zeros(DIM), mean, cov).uncorrelated


@pytest.mark.parametrize("shape", [(3,), (3, 4), (2, 4, 4), (3, 4, 3)])
def test_shapes_that_do_not_fit_are_refused(shape):
    with pytest.raises(wb.BadInput, match="cannot have covariances"):
        Piece(torch.zeros(3), torch.zeros(3, 4), torch.ones(shape))


def test_no_noise_has_no_margins_whatever_the_model_takes():
    class Reshaping(nn.Module):
        def forward(self, x):
            return x.reshape(len(x), -1)

    zero = torch.zeros(3)
    d = wb.Gaussian(zero, torch.ones_like(zero))
    problem = wb.Problem(d, Reshaping(), wb.Halfspace(torch.ones(3), -1.0))
    with pytest.raises(RuntimeError, match="0 elements"):
        problem.model(torch.zeros(0, 3))
    found = problem.margin_of_noise(torch.zeros(0, 3))
    assert found.shape == (0,) and found.dtype == torch.float64
