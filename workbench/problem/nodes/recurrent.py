"""The card of recurrent layers."""

from typing import Annotated, Literal, Self

from pydantic import Field
from torch import nn

from workbench import graph as graphs
from workbench.models.recurrent import Recurrent
from workbench.problem.nodes.base import Making, Node, Size, Tensors, Writing


class RecurrentCard(Node[graphs.Recurrent]):
    """The states of PyTorch's RNN, LSTM or GRU at all steps, of x `(steps, width)`, from 0 on."""

    writes = (graphs.Recurrent,)

    op: Literal["rnn_tanh", "rnn_relu", "lstm", "gru"]
    width: Size
    hidden: Size
    layers: Annotated[int, Field(ge=1, le=16)]
    both: Literal[True] | None = Field(default=None, description="ways along the steps")
    tensors: Tensors

    @classmethod
    def written(cls, op: graphs.Recurrent, at: Writing) -> Self:
        layer = op.layer
        return cls.model_validate({
            "inputs": at.inputs, "op": op.kind, "width": layer.input_size,
            "hidden": layer.hidden_size, "layers": layer.num_layers,
            "both": layer.bidirectional or None, "tensors": at.tensors(layer),
        })  # fmt: skip

    def made(self, at: Making) -> nn.Module:
        tensors = at.tensors(self.tensors)
        return Recurrent(self.op, self.width, self.hidden, self.layers, bool(self.both), tensors)
