"""How many terms of the Hermite series `covariance` takes, and what it says of the rest."""

import math

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.distributions import Piece
from workbench.graph import read
from workbench.models import chain
from workbench.propagation import Covariance


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6])
def test_a_tolerance_drops_no_more_than_it_says(tolerance):
    """Against 40 terms, whose own remainder is below 0.4^41; and fewer terms cost less."""
    corr = 0.4 * torch.ones(6, 6) + 0.6 * torch.eye(6)
    mean = torch.linspace(-2.0, 2.0, 6)
    graph = read(chain([nn.ReLU()]))
    piece = Piece(torch.zeros(()), mean, corr)
    eye, zero = torch.eye(6), torch.zeros(6)
    whole, most = Covariance(40, tolerance=0.0).law(graph, piece, eye, zero)
    some, fewer = Covariance(40, tolerance).law(graph, piece, eye, zero)
    dropped = (whole.cov - some.cov).abs() / torch.outer(whole.std, whole.std)
    assert 0.0 < float(dropped.max()) <= tolerance + 1e-12
    assert fewer < most


@pytest.mark.parametrize("order", [0, 41, -1, 2.5, "a", None])
def test_orders_out_of_range_are_refused(order):
    with pytest.raises(wb.BadInput, match="must be 1 to 40"):
        Covariance(order)


@pytest.mark.parametrize("tolerance", [-1e-9, 1.0, math.nan])
def test_tolerances_out_of_range_are_refused(tolerance):
    with pytest.raises(wb.BadInput, match="tolerance must be 0 or more"):
        Covariance(8, tolerance)
