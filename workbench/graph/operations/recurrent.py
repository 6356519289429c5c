"""Recurrent layers, their steps written out one after the other."""

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from workbench.errors import BadInput
from workbench.graph.base import Composite, Op, Several, Shape, Step
from workbench.graph.call import Call, Constant, Feed, Finals, Missing, Ref, Zeros, part_of
from workbench.graph.operations.bias import Bias
from workbench.graph.operations.cat import Cat
from workbench.graph.operations.elementwise import Elementwise
from workbench.graph.operations.linear import Linear
from workbench.graph.operations.pairs import measured
from workbench.graph.operations.pick import Pick
from workbench.graph.operations.products import Product
from workbench.graph.operations.reshape import Axes
from workbench.graph.operations.scale import Scale
from workbench.graph.operations.steps import Steps
from workbench.graph.operations.sums import Add, Subtract
from workbench.math.activations import Sigmoid, activation

KINDS: dict[str, type[nn.RNNBase]] = {
    "rnn_tanh": nn.RNN, "rnn_relu": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Recurrent(Composite):
    """y = the states of an `nn.RNN`, `nn.LSTM` or `nn.GRU` at all steps, x `(steps, width)`.

    It begins with states of 0. Every step is a linear map, its sigmoids and tanhs, and for gates
    the products of two values: in propagation each presumes jointly Gaussian values.
    """

    layer: nn.RNNBase
    about: ClassVar[str] = "RNN, LSTM, GRU"

    @property
    def kind(self) -> str:
        """Its name on cards."""
        return self.layer.mode.lower()

    @classmethod
    def read(cls, call: Call) -> "Composite | Several | None":
        m = call.module
        if not isinstance(m, nn.RNN | nn.LSTM | nn.GRU):
            return None
        start = call.argument(1, "hx")
        starts = start if isinstance(start, tuple) else (start,)
        if len(call.feeds) != 1 or not all(s is None or isinstance(s, Zeros) for s in starts):
            raise call.refuse(f"{call.what} that begins with other states than 0")
        if m.batch_first == call.time_first:
            raise call.refuse(f"{call.what} {call.misplaced}")
        if m.proj_size:
            raise call.refuse(f"{call.what} with proj_size")
        if m.training and m.dropout:
            raise call.refuse(f"{call.what} in training mode (call model.eval() first)")
        return cls(m)

    def results(self, call: Call, value: Feed) -> Any:
        m = self.layer
        ends = Finals(value, m.hidden_size, m.num_layers, m.bidirectional)
        return value, (ends, Missing("states of cells")) if self.kind == "lstm" else ends

    def steps(self, *shapes: Shape | None) -> tuple[Step, ...]:
        (got,) = measured(self.about.split(", ")[0], *shapes)
        m, steps, x = self.layer, Steps(), 0
        if len(got) != 2 or got[1] != m.input_size:
            raise BadInput(f"takes (steps, {m.input_size}) but is fed {got}")
        for k in range(m.num_layers):
            ways = [self._run(steps, x, got[0], f"_l{k}")]
            if m.bidirectional:
                ways.append(self._run(steps, x, got[0], f"_l{k}_reverse"))
            x = ways[0] if len(ways) == 1 else steps.put(Cat(2), *ways)
        return tuple(steps.found)

    def _run(self, steps: Steps, x: int, length: int, end: str) -> int:
        """Put one layer in one direction; the value `(steps, hidden)`."""
        moments = list(range(length))
        if end.endswith("reverse"):
            moments.reverse()
        fed = steps.put(Linear(self._ref("weight_ih", end), self._bias("bias_ih", end)), x)
        cell = _Cell(self, steps, end)
        states: dict[int, int] = {}
        for t in moments:
            states[t] = cell.step(steps.put(Pick((t,)), fed))
        rows = [steps.put(Axes("unsqueeze", (1,)), states[t]) for t in range(length)]
        return steps.put(Cat(1), *rows)

    def _ref(self, name: str, end: str) -> Constant:
        return Ref(self.layer, name + end)

    def _bias(self, name: str, end: str) -> Constant | None:
        return self._ref(name, end) if self.layer.bias else None


class _Cell:
    """What is known between the steps of one layer."""

    def __init__(self, of: Recurrent, steps: Steps, end: str):
        self.of, self.steps, self.n = of, steps, of.layer.hidden_size
        self.weight, self.bias = of._ref("weight_hh", end), of._bias("bias_hh", end)
        self.state: int | None = None
        self.memory: int | None = None

    def step(self, fed: int) -> int:
        """The next state, given what the input feeds into it."""
        kind = self.of.kind
        if kind == "gru":
            self.state = self._gated(fed)
        elif kind == "lstm":
            self.state = self._remembering(fed)
        else:
            bend = Elementwise(activation(kind.removeprefix("rnn_")))
            self.state = self.steps.put(bend, self._driven(fed))
        return self.state

    def _driven(self, fed: int) -> int:
        """What is fed plus what the state adds."""
        if self.state is not None:
            own = self.steps.put(Linear(self.weight, self.bias), self.state)
            return self.steps.put(Add(), fed, own)
        return fed if self.bias is None else self.steps.put(Bias(self.bias), fed)

    def _part(self, x: int, i: int, count: int = 1) -> int:
        return self.steps.put(Pick((slice(i * self.n, (i + count) * self.n),)), x)

    def _times(self, u: int, v: int) -> int:
        made = [u, v]
        for op, inputs in Product().steps():
            assert isinstance(op, Op)
            made.append(self.steps.put(op, *(made[i] for i in inputs)))
        return made[-1]

    def _remembering(self, fed: int) -> int:
        """c = sigmoid(f) c + sigmoid(i) tanh(g), h = sigmoid(o) tanh(c)."""
        driven, n, put = self._driven(fed), self.n, self.steps.put
        open_ = tuple(k for i in (0, 1, 3) for k in range(i * n, (i + 1) * n))
        gates = put(Elementwise(Sigmoid()), put(Pick((open_,)), driven))
        new = put(Elementwise(activation("tanh")), self._part(driven, 2))
        memory = self._times(self._part(gates, 0), new)
        if self.memory is not None:
            kept = self._times(self._part(gates, 1), self.memory)
            memory = put(Add(), kept, memory)
        self.memory = memory
        return self._times(self._part(gates, 2), put(Elementwise(activation("tanh")), memory))

    def _gated(self, fed: int) -> int:
        """h = n + sigmoid(z) (h - n), n = tanh(fed + sigmoid(r) (what the state adds))."""
        n, put = self.n, self.steps.put
        tanh, sigmoid = Elementwise(activation("tanh")), Elementwise(Sigmoid())
        first, last = self._part(fed, 0, 2), self._part(fed, 2)
        if self.state is None:
            if self.bias is None:
                gates, new = put(sigmoid, first), put(tanh, last)
            else:
                early = part_of(self.bias, slice(0, 2 * n))
                late = part_of(self.bias, slice(2 * n, 3 * n))
                gates = put(sigmoid, put(Bias(early), first))
                added = put(Scale(late), self._part(gates, 0))
                new = put(tanh, put(Add(), last, added))
            return put(Subtract(), new, self._times(self._part(gates, 1), new))
        own = put(Linear(self.weight, self.bias), self.state)
        gates = put(sigmoid, put(Add(), first, self._part(own, 0, 2)))
        added = self._times(self._part(gates, 0), self._part(own, 2))
        new = put(tanh, put(Add(), last, added))
        back = self._times(self._part(gates, 1), put(Subtract(), self.state, new))
        return put(Add(), new, back)
