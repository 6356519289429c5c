"""A recurrent network of one layer, unrolled over a sequence of known length."""

import copy

import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.models.mlp import activation_module, dense


class RNN(nn.Module):
    """h_t = f(U x_t + W h_{t-1} + b), h_0 = 0, and y = V h_T + c (Elman 1990).

    The T steps are written out, so that it reads as a graph in which the same weights stand at
    every step: propagators go through it, and gradients sum over the steps.

    Args:
        read: U and b, from m numbers to h.
        recur: W, from h to h, without a bias of its own.
        say: V and c, from h to k.
        steps: T.
        activation: f, "relu" or "tanh".

    Raises:
        BadInput: where the three maps do not fit together.

    >>> one = torch.ones(1, 1)
    >>> total = RNN(dense(one), dense(one), dense(one), steps=3)
    >>> total(torch.tensor([[1.0, 2.0, 3.0], [1.0, -5.0, 3.0]])).tolist()
    [[6.0], [3.0]]
    """

    def __init__(
        self, read: nn.Linear, recur: nn.Linear, say: nn.Linear, steps: int,
        activation: str = "relu",
    ):  # fmt: skip
        super().__init__()
        h = read.out_features
        widths = (recur.in_features, recur.out_features, say.in_features)
        if widths != (h, h, h) or recur.bias is not None or steps < 1:
            raise BadInput(
                f"an rnn needs maps m -> h, h -> h without bias, h -> k and a step or more, got "
                f"{read}, {recur}, {say} and {steps}"
            )
        if activation not in ("relu", "tanh"):
            raise BadInput(f"the activation of an rnn must be relu or tanh, got {activation!r}")
        self.read, self.recur, self.say = read, recur, say
        self.steps, self.activation = steps, activation
        self.bend = activation_module(activation, read.weight.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """x `(batch, T m)`, step after step, to y `(batch, k)`."""
        m = self.read.in_features
        h = self.bend(self.read(x[:, :m]))
        for t in range(1, self.steps):
            h = self.bend(self.read(x[:, t * m : (t + 1) * m]) + self.recur(h))
        return self.say(h)


def from_torch(layer: nn.RNN, say: nn.Linear, steps: int) -> RNN:
    """The same as `say` on the last output of a `torch.nn.RNN` of one layer and one direction.

    Its two biases count as their sum. The weights are copied.

    Raises:
        BadInput: where it has more layers, directions, or a projection.
    """
    if layer.num_layers != 1 or layer.bidirectional:
        raise BadInput("an rnn of one layer and one direction is needed")
    weights = {name: value.detach().clone() for name, value in layer.named_parameters()}
    bias = weights["bias_ih_l0"] + weights["bias_hh_l0"] if layer.bias else None
    read, recur = dense(weights["weight_ih_l0"], bias), dense(weights["weight_hh_l0"])
    return RNN(read, recur, copy.deepcopy(say), steps, layer.nonlinearity)


def random_rnn(
    inputs: int, hidden: int, outputs: int, steps: int, generator: torch.Generator,
    activation: str = "relu", dtype: torch.dtype = torch.float64,
) -> RNN:  # fmt: skip
    """Weights N(0, 1/fan_in), W and V N(0, 2/h) where f is a ReLU, which keeps h's size; no biases.

    Args:
        inputs, hidden, outputs, steps: m, h, k, T.
    """
    gain = 2.0 if activation == "relu" else 1.0

    def drawn(rows: int, cols: int, gain: float) -> nn.Linear:
        weight = torch.randn(rows, cols, generator=generator, dtype=dtype)
        return dense(weight * (gain / cols) ** 0.5)

    maps = drawn(hidden, inputs, 1.0), drawn(hidden, hidden, gain), drawn(outputs, hidden, gain)
    return RNN(*maps, steps, activation)
