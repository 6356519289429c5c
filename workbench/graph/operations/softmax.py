"""Softmax and what belongs to it, by a tree: log(exp a + exp b) = b + softplus(a - b)."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from workbench.graph.base import Composite, Op, Several, Shape, Step
from workbench.graph.call import Call, Number
from workbench.graph.operations.bias import Bias
from workbench.graph.operations.elementwise import Elementwise
from workbench.graph.operations.pairs import Above, Ahead, Merged, Others, measured, place
from workbench.graph.operations.permute import Flip
from workbench.graph.operations.rearranging import is_int
from workbench.graph.operations.reshape import Reshape
from workbench.graph.operations.scale import Scale
from workbench.graph.operations.steps import Steps
from workbench.graph.operations.sums import Subtract
from workbench.math.activations import Sigmoid, Softplus

_OVER = Elementwise(Softplus(threshold=40.0))


def in_tree(op: Op) -> bool:
    """Whether it is a step of the tree of a softmax, and no layer of a network."""
    return op == _OVER


def _summed(steps: Steps, x: int, axis: int, n: int) -> int:
    """log sum exp of n entries of an axis of value x, kept as an axis of length 1."""
    while n > 1:
        over = steps.put(_OVER, steps.put(Ahead(axis), x))
        x, n = steps.put(Merged(axis), x, over), (n + 1) // 2
    return x


def softmaxed(steps: Steps, x: int, axis: int, n: int) -> int:
    """The softmax of value x along an axis of length n: sigmoid(x_i - log sum_{j != i} exp x_j)."""
    if n == 1:
        return steps.put(Bias(Number(1.0)), steps.put(Scale(Number(0.0)), x))
    levels = [(x, n)]
    while levels[-1][1] > 2:
        below, m = levels[-1]
        over = steps.put(_OVER, steps.put(Ahead(axis), below))
        levels.append((steps.put(Merged(axis), below, over), (m + 1) // 2))
    others = steps.put(Flip((axis + 1,)), levels.pop()[0])
    for members, _ in reversed(levels):
        over = steps.put(_OVER, steps.put(Above(axis), others, members))
        others = steps.put(Others(axis), others, members, over)
    return steps.put(Elementwise(Sigmoid()), steps.put(Subtract(), x, others))


@dataclass(frozen=True)
class _Exponential(Composite):
    """An operation along one axis, counted with the batch axis."""

    axis: int
    call: ClassVar[str]
    module: ClassVar[type[nn.Module] | None]

    @classmethod
    def read(cls, call: Call) -> "Composite | Several | None":
        if cls.module is not None and isinstance(call.module, cls.module):
            return cls._of(call, call.module.dim)
        if call.name != cls.call or len(call.feeds) != 1:
            return None
        if call.kwargs.get("dtype") is not None:
            raise call.refuse(f"{call.what} in another dtype")
        return cls._of(call, call.argument(1, "dim"))

    @classmethod
    def _of(cls, call: Call, axis: object) -> "Composite":
        if isinstance(axis, list | tuple) and len(axis) == 1:
            (axis,) = axis
        if not isinstance(axis, int) or not is_int(axis) or axis == 0:
            raise call.refuse(f"{call.what} other than along one axis that is not the batch's")
        return cls(axis, *cls.more(call))

    @classmethod
    def more(cls, call: Call) -> tuple[bool, ...]:
        """Other settings."""
        return ()

    def place(self, got: Shape) -> int:
        """The axis, without the batch axis, from 0 on. Raises `BadInput` where there is none."""
        return place(self.call, self.axis, got)

    def steps(self, *shapes: Shape | None) -> tuple[Step, ...]:
        (got,) = measured(self.call, *shapes)
        steps = Steps()
        self.lay(steps, self.place(got), got)
        return tuple(steps.found)

    @abstractmethod
    def lay(self, steps: Steps, axis: int, got: Shape) -> None:
        """Put the steps."""


@dataclass(frozen=True)
class Softmax(_Exponential):
    """y_i = exp(x_i) / sum_j exp(x_j) along one axis.

    y_i = sigmoid(x_i - o_i) with o_i = log sum_{j != i} exp(x_j), which a tree finds: upward the
    sum of every pair, log(exp a + exp b) = b + softplus(a - b), downward for each member of a pair
    the sum of all others. Of n values 2 log2(n) - 1 layers; two values make one sigmoid. In
    propagation the pairs are presumed jointly Gaussian in turn; bounds hold and stay in [0, 1].
    """

    call: ClassVar[str] = "softmax"
    module: ClassVar[type[nn.Module] | None] = nn.Softmax
    about: ClassVar[str] = "Softmax"

    @classmethod
    def read(cls, call: Call) -> "Composite | Several | None":
        if isinstance(call.module, nn.Softmax2d):
            return cls(-3)
        if isinstance(call.module, nn.Softmin) or call.name == "softmin":
            axis = call.module.dim if call.module else call.argument(1, "dim")
            return Several(((Scale(Number(-1.0)), (0,)), (cls._of(call, axis), (1,))))
        return super().read(call)

    def lay(self, steps: Steps, axis: int, got: Shape) -> None:
        softmaxed(steps, 0, axis, got[axis])


@dataclass(frozen=True)
class LogSoftmax(_Exponential):
    """y_i = x_i - log sum_j exp(x_j) along one axis: differences of two are those of x, exactly."""

    call: ClassVar[str] = "log_softmax"
    module: ClassVar[type[nn.Module] | None] = nn.LogSoftmax
    about: ClassVar[str] = "LogSoftmax"

    def lay(self, steps: Steps, axis: int, got: Shape) -> None:
        steps.put(Subtract(), 0, _summed(steps, 0, axis, got[axis]))


@dataclass(frozen=True)
class LogSumExp(_Exponential):
    """y = log sum_j exp(x_j) along one axis, kept with length 1 or dropped."""

    keep: bool = False
    call: ClassVar[str] = "logsumexp"
    module: ClassVar[type[nn.Module] | None] = None
    about: ClassVar[str] = "logsumexp"

    @classmethod
    def more(cls, call: Call) -> tuple[bool, ...]:
        return (bool(call.argument(2, "keepdim", False)),)

    def lay(self, steps: Steps, axis: int, got: Shape) -> None:
        x = _summed(steps, 0, axis, got[axis])
        rest = (*got[:axis], *got[axis + 1 :])
        if not self.keep:
            steps.put(Reshape(rest), x)
        elif x == 0:
            steps.put(Reshape(got), x)
