"""What a model makes of one input, found from shapes alone: what there is to read, and how much."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from workbench import graph as graphs
from workbench.errors import BadInput, Unsupported
from workbench.models import AttentionOnly, Automaton, Residue, Transformer

WHOLE = (Transformer, AttentionOnly, Automaton, Residue)
"""Models that a card holds as one node, and that are no graphs."""

MAX_VALUES = 1 << 24
"""The most numbers that a card's model may make of one input, over all of its nodes."""


@dataclass(frozen=True, eq=False)
class Scope:
    """What networks of a spec may read of a model.

    Args:
        module: M.
        dim: length of its input.
        dtype: of its input.
    """

    module: nn.Module
    dim: int
    dtype: torch.dtype

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Lengths of the values of M's nodes, the input first; of x and y alone where M is whole.

        Raises:
            BadInput: where two operations do not fit, or the values are more than `MAX_VALUES`.
            Unsupported: where M cannot be read.
        """
        if isinstance(self.module, WHOLE):
            with torch.no_grad():
                y = self.module(torch.zeros(2, self.dim, dtype=self.dtype))
            return self.dim, y.shape[1]
        widths = graphs.read(self.module, self.dim).widths(self.dim)
        check_size(sum(widths))
        return widths

    def width(self, source: str | int) -> int:
        """Length of what a network reads: "inputs", "outputs", "both", or node `source`'s value."""
        match source:
            case "inputs":
                return self.dim
            case "outputs":
                return self.widths[-1]
            case "both":
                return self.dim + self.widths[-1]
        if int(source) >= len(self.widths):
            raise BadInput(f"the model has nodes 0 to {len(self.widths) - 1}, not {source}")
        return self.widths[int(source)]

    def checked(self) -> "Scope":
        """The same, known to fit; nothing was computed for it. Raises `BadInput`."""
        if not isinstance(self.module, WHOLE):
            try:
                assert self.widths
            except Unsupported as error:
                raise BadInput(f"a model of the card cannot be read: {error}") from None
            except BadInput as error:
                raise BadInput(f"a model of the card does not fit: {error}") from None
        return self


def check_size(values: int) -> None:
    """Raises `BadInput` where a model makes more numbers of one input than a card may ask for."""
    if values > MAX_VALUES:
        raise BadInput(
            f"the model makes {values:,} numbers of one input, and cards hold models of up to "
            f"{MAX_VALUES:,}"
        )
