"""A network beside coordinates that it does not read."""

import torch
from torch import Tensor, nn

from workbench.models.headed import place
from workbench.models.mlp import dense


class Beside(nn.Module):
    """(x, z) to [network(x); z], for x `(batch, dim)` and z `(batch, extra)`.

    Built of linear maps around the network, so that it is a graph where the network is one.

    Args:
        network: from `(batch, dim)` to `(batch, k)`.
        dim: length of x.
        extra: length of z.
        dtype: of both.
    """

    def __init__(self, network: nn.Module, dim: int, extra: int, dtype: torch.dtype):
        super().__init__()
        self.network = network
        self.take = dense(torch.eye(dim, dim + extra, dtype=dtype)).requires_grad_(False)
        with torch.no_grad():
            outputs = network(torch.zeros(2, dim, dtype=dtype)).shape[1]
        rows = outputs + extra
        behind = torch.zeros(rows, dim + extra, dtype=dtype)
        behind[outputs:, dim:] = torch.eye(extra, dtype=dtype)
        self.behind = dense(behind).requires_grad_(False)
        self.first = place(rows, outputs, 0, dtype)

    def forward(self, v: Tensor) -> Tensor:
        return self.first(self.network(self.take(v))) + self.behind(v)
