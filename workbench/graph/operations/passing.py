"""What hands its input on: nothing of it stands in the graph."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from workbench.graph.base import Op, Shape
from workbench.graph.call import Call
from workbench.graph.rules import Affine, Identity, Rule


@dataclass(frozen=True)
class Passing(Op):
    """y = x; the input of the graph too."""

    about: ClassVar[str] = "Identity, Dropout in eval mode"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        match call.module:
            case nn.Identity():
                return cls()
            case nn.Dropout() | nn.Dropout1d() | nn.Dropout2d() as m:
                if m.training:
                    raise call.refuse(f"{call.what} in training mode (call model.eval() first)")
                return cls()
        if call.name == "dropout" and len(call.feeds) == 1:
            if call.kwargs.get("training", True) is not False:
                raise call.refuse()
            return cls()
        return None

    def shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def __call__(self, *inputs: Tensor) -> Tensor:
        return inputs[0]

    def flops(self, *inputs: Shape) -> float:
        return 0.0

    def rule(self, *inputs: Shape) -> Rule:
        return Affine((Identity(),))


@dataclass(frozen=True)
class Packed(Passing):
    """y = x, laid out anew in memory: kernels of other layouts differ in the last bit."""

    about: ClassVar[str] = ""

    @classmethod
    def read(cls, call: Call) -> Op | None:
        return cls() if call.name == "contiguous" and not call.kwargs else None

    def __call__(self, *inputs: Tensor) -> Tensor:
        return inputs[0].contiguous()


class Input(Passing):
    """The input x, node 0."""

    @classmethod
    def read(cls, call: Call) -> Op | None:
        return None
