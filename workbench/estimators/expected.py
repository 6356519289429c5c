"""The mean of an energy under a Gaussian of base noise."""

import torch
from torch import Tensor

from workbench import graph as graphs
from workbench.distributions import Gibbs, Piece
from workbench.errors import Unsupported
from workbench.math.nodes import normal_nodes
from workbench.propagation import Covariance

_NODES, _A_DIMENSION = 32, 2


class Expected:
    """E[U(x)] for base noise of law N(mean, cov), with gradients in both.

    Of a network made of known operations it is what covariance propagation says: exact for one
    layer of activations, else as good as propagated means are. Of any other module it is the mean
    over equidistributed nodes in pairs e and -e with unit covariance: exact for quadratic U.

    Args:
        law: D, whose energy it is.
    """

    def __init__(self, law: Gibbs):
        self.law, self.flops = law, 0.0
        self.graph, self.nodes = None, None
        try:
            self.graph = graphs.read(law.network, law.dim)
            self.graph.widths(law.dim)
        except Unsupported:
            e = normal_nodes(max(_NODES, _A_DIMENSION * law.dim), law.dim, dtype=law.dtype)
            e = torch.cat([e, -e])
            root = torch.linalg.cholesky(e.T @ e / len(e))
            self.nodes = torch.linalg.solve_triangular(root, e.T, upper=False).T

    def __call__(self, mean: Tensor, cov: Tensor) -> Tensor:
        """`()`, for a mean `(d,)` and a covariance `(d, d)`; counts its operations in `flops`."""
        base = self.law.base
        if self.nodes is not None:
            x = base.push(mean + self.nodes @ torch.linalg.cholesky(cov).T)
            weights = sum(p.numel() for p in self.law.network.parameters())
            self.flops += 2.0 * len(x) * max(1, weights)
            return self.law.energy(x).mean()
        assert self.graph is not None
        piece = Piece(mean.new_zeros(()), base.push(mean[None])[0], base.covariance_of(cov))
        one = mean.new_ones(1, 1)
        law, flops = Covariance().law(self.graph, piece, one, one.new_zeros(1))
        self.flops += flops
        return law.mean[0]
