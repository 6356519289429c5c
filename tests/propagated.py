"""Small networks and Gaussians, and the law that a propagator gives of them, for its tests."""

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.distributions import Piece
from workbench.propagation import ALL, Covariance

each_propagator = pytest.mark.parametrize(
    "propagator", [cls() for cls in ALL], ids=lambda p: p.name
)
each_activation = pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
FUNCTIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


def rand(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def covariance(n, seed):
    a = rand(seed, n, 2 * n)
    return a @ a.T / (2 * n)


def problem(model, distribution, outputs=1, b=-1.0):
    return wb.Problem(distribution, model, wb.Halfspace(torch.ones(outputs), b))


def standard(d):
    return wb.Gaussian(torch.zeros(d), torch.ones(d))


def law(model, mean, cov, propagator=None, outputs=None):
    """Mean and covariance of the model's outputs."""
    d = len(mean)
    with torch.no_grad():
        k = outputs or model(torch.zeros(2, d)).shape[1]
        graph = problem(model, standard(d), k).graph
        piece = Piece(torch.zeros(()), mean, cov)
        found, _ = (propagator or Covariance()).law(graph, piece, torch.eye(k), torch.zeros(k))
    return found.mean, found.cov
