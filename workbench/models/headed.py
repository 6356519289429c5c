"""M and networks that read what it computes, as one network."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from workbench import graph as graphs
from workbench.errors import BadInput
from workbench.models.mlp import dense


class Headed(nn.Module):
    """x to [M(x); T_1(...); T_2(...); ...], where head i reads x, y = M(x), both or a hidden value.

    Built of operations that propagators read, so that the whole is a graph where its parts are.

    Args:
        model: M.
        heads: what each head reads ("inputs", "outputs", "both", or the number of a node of M's
            graph), and its network.
        dim: length of x.
        dtype: of x.

    Raises:
        BadInput: where a head does not fit.
        Unsupported: where a hidden value is asked for and M cannot be read.
    """

    def __init__(
        self,
        model: nn.Module,
        heads: Sequence[tuple[str | int, nn.Module]],
        dim: int,
        dtype: torch.dtype,
    ):
        super().__init__()
        self.model = model
        self.heads = nn.ModuleList(network for _, network in heads)
        self.sources = tuple(source for source, _ in heads)
        self.graph = None
        if any(isinstance(source, int) for source in self.sources):
            self.graph = graphs.read(model, dim)
            most = len(self.graph.nodes) - 1
            if any(isinstance(s, int) and s > most for s in self.sources):
                raise BadInput(f"the model has nodes 0 to {most}: {self.graph}")
        x = torch.zeros(2, dim, dtype=dtype)
        with torch.no_grad():
            values = self._values(x)
            outputs = values[-1].shape[1]
            self.widen = nn.ModuleList()
            if "both" in self.sources:
                total = dim + outputs
                self.widen.extend([place(total, dim, 0, dtype), place(total, outputs, dim, dtype)])
            widths = [outputs, *(self._said(i, x, values).shape[1] for i in range(len(heads)))]
        stops = torch.tensor(widths).cumsum(0).tolist()
        self.stops: tuple[int, ...] = tuple(stops)
        self.places = nn.ModuleList(
            place(stops[-1], w, stop - w, values[-1].dtype)
            for w, stop in zip(widths, stops, strict=True)
        )

    def _values(self, x: Tensor) -> list[Tensor]:
        """Every node's value, or x and y alone where no head reads further."""
        if self.graph is None:
            return [x, self.model(x)]
        values = [x]
        for node in self.graph.nodes[1:]:
            values.append(node.op(*(values[i] for i in node.inputs)))
        return values

    def _said(self, i: int, x: Tensor, values: list[Tensor]) -> Tensor:
        """What head i makes of the values."""
        match self.sources[i]:
            case "inputs":
                seen = x
            case "outputs":
                seen = values[-1]
            case "both":
                seen = self.widen[0](x) + self.widen[1](values[-1])
            case number:
                seen = values[int(number)].flatten(1)
        return self.heads[i](seen)

    def forward(self, x: Tensor) -> Tensor:
        values = self._values(x)
        out = self.places[0](values[-1])
        for i in range(len(self.heads)):
            out = out + self.places[i + 1](self._said(i, x, values))
        return out


def place(rows: int, width: int, start: int, dtype: torch.dtype) -> nn.Linear:
    """Writes a vector of this width into rows start, ... of a longer one of zeros."""
    matrix = torch.zeros(rows, width, dtype=dtype)
    matrix[start : start + width] = torch.eye(width, dtype=dtype)
    return dense(matrix).requires_grad_(False)
