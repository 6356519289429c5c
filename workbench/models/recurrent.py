"""Recurrent layers of PyTorch, as parts of a `Network`."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from workbench.models.attending import filled

_KINDS = {"lstm": nn.LSTM, "gru": nn.GRU}


class Recurrent(nn.Module):
    """y = the states of a recurrent layer at all steps, x `(steps, width)`, from states of 0 on.

    Args:
        kind: "rnn_tanh", "rnn_relu", "lstm" or "gru".
        both: whether another one of each layer runs from the last step back.
        tensors: by their names in PyTorch's module.
    """

    def __init__(
        self, kind: str, width: int, hidden: int, layers: int, both: bool,
        tensors: Mapping[str, Tensor],
    ):  # fmt: skip
        super().__init__()
        how = {"bias": "bias_ih_l0" in tensors, "batch_first": True, "bidirectional": both}
        with torch.device("meta"):
            if kind in _KINDS:
                layer: nn.Module = _KINDS[kind](width, hidden, layers, **how)
            else:
                bend = kind.removeprefix("rnn_")
                layer = nn.RNN(width, hidden, layers, nonlinearity=bend, **how)
        self.layer = filled(layer, tensors)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)[0]
