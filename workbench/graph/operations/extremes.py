"""Maxima and minima: of two values, and over an axis, by max(a, b) = b + relu(a - b)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from workbench.graph.base import Composite, Op, Several, Shape, Step
from workbench.graph.call import Call, Constant, Feed, Missing, Number, constant
from workbench.graph.operations.bias import Bias
from workbench.graph.operations.elementwise import CLAMPS, Elementwise, clamped
from workbench.graph.operations.pairs import Ahead, Merged, measured, place
from workbench.graph.operations.rearranging import is_int
from workbench.graph.operations.reshape import Reshape
from workbench.graph.operations.scale import Scale
from workbench.graph.operations.steps import Steps
from workbench.graph.operations.sums import Add, Subtract
from workbench.math.activations import ReLU

_NAMES = {"maximum": False, "minimum": True, "fmax": False, "fmin": True, "max": False, "min": True}


@dataclass(frozen=True)
class Maximum(Composite):
    """y = the greater of two values, or the `least`: b + relu(a - b), b - relu(b - a).

    Mean and covariance are exact where the two are jointly Gaussian (Clark 1961), and bounds hold.
    """

    least: bool
    about: ClassVar[str] = "maximum, minimum"

    @classmethod
    def read(cls, call: Call) -> "Composite | Several | None":
        if call.name in CLAMPS and len(call.feeds) == 1:
            low, high = map(constant, clamped(call))
            held = [(low, False), (high, True)]
            return _beside([(c, least) for c, least in held if c is not None])
        if call.name not in _NAMES or len(call.feeds) == 0:
            return None
        least, given = _NAMES[call.name], (*call.args, *call.kwargs.values())
        if len(given) == 2 and all(type(a) is Feed for a in given):
            return cls(least)
        if len(given) == 2 and len(call.feeds) == 1:
            other = next((a for a in given if isinstance(a, Constant)), None)
            if other is not None:
                return _beside([(other, least)])
        if call.name in ("max", "min"):
            return None
        raise call.refuse(f"{call.name} other than of two values, of which the model has one")

    def steps(self, *shapes: Shape | None) -> tuple[Step, ...]:
        steps = Steps(2)
        gap = steps.put(Subtract(), *((1, 0) if self.least else (0, 1)))
        over = steps.put(Elementwise(ReLU()), gap)
        steps.put(Subtract() if self.least else Add(), 1, over)
        return tuple(steps.found)


def _beside(others: list[tuple[Constant, bool]]) -> Several:
    """The greater of a value and a tensor of the model, or the least, one after the other; every
    tensor becomes a value that stands still."""
    steps, x = Steps(), 0
    for other, least in others:
        still = steps.put(Bias(other), steps.put(Scale(Number(0.0)), x))
        x = steps.put(Maximum(least), x, still)
    return Several(tuple(steps.found))


@dataclass(frozen=True)
class Greatest(Composite):
    """y = the greatest entry along an axis (counted with the batch axis), or the `least` one; the
    axis is kept with length 1 or dropped.

    A tree of maxima of two, each presumed of jointly Gaussian values. As max pooling it is put
    before a ReLU, a tanh or a step that it follows.
    """

    axis: int
    keep: bool
    least: bool
    about: ClassVar[str] = "amax, amin, AdaptiveMaxPool to one"

    @staticmethod
    def before(op: Op) -> bool:
        return isinstance(op, Elementwise) and op.row.rises

    @classmethod
    def read(cls, call: Call) -> "Composite | Several | None":
        pooled = _pooled(call)
        if pooled:
            return _in_turn([cls(-k, True, False) for k in range(1, pooled + 1)])
        if call.name not in ("amax", "amin", "max", "min") or len(call.feeds) != 1:
            return None
        given: Any = call.argument(1, "dim")
        axes = list(given) if isinstance(given, list | tuple) else [given]
        keep = call.argument(2, "keepdim", False)
        if not axes or not all(is_int(k) and k != 0 for k in axes):
            raise call.refuse(f"{call.name} other than along axes that are not the batch's")
        if len(axes) > 1 and len({k > 0 for k in axes}) > 1:
            raise call.refuse(f"{call.name} along axes from both ends")
        # From the side where axes that are dropped leave the others their numbers.
        axes = sorted(axes, reverse=axes[0] > 0)
        least = call.name in ("amin", "min")
        each = [cls(k, bool(keep), least) for k in axes]
        return each[0] if len(each) == 1 else _in_turn(each)

    def results(self, call: Call, value: Feed) -> Any:
        return (value, Missing("the places of extremes")) if call.name in ("max", "min") else value

    def place(self, got: Shape) -> int:
        """The axis, without the batch axis, from 0 on. Raises `BadInput` where there is none."""
        return place("least" if self.least else "greatest", self.axis, got)

    def steps(self, *shapes: Shape | None) -> tuple[Step, ...]:
        (got,) = measured("amin" if self.least else "amax", *shapes)
        axis, sign = self.place(got), -1.0 if self.least else 1.0
        steps, x, n = Steps(), 0, got[self.place(got)]
        while n > 1:
            over = steps.put(Elementwise(ReLU()), steps.put(Ahead(axis, sign), x))
            x, n = steps.put(Merged(axis, sign), x, over), (n + 1) // 2
        rest = (*got[:axis], *((1,) if self.keep else ()), *got[axis + 1 :])
        if not self.keep or x == 0:
            steps.put(Reshape(rest), x)
        return tuple(steps.found)


def _in_turn(each: Sequence[Greatest]) -> Several:
    """Extremes along one axis after the other."""
    return Several(tuple((op, (k,)) for k, op in enumerate(each)))


def _pooled(call: Call) -> int:
    """Of how many axes it is the one maximum, by adaptive pooling; 0 where it is none of these."""
    match call.module:
        case nn.AdaptiveMaxPool1d() | nn.AdaptiveMaxPool2d() as m:
            to, places = m.output_size, m.return_indices
        case _ if call.name in ("adaptive_max_pool1d", "adaptive_max_pool2d"):
            to, places = call.argument(1, "output_size"), call.argument(2, "return_indices", False)
        case _:
            return 0
    axes = 1 if "1d" in call.what.lower() else 2
    if to not in (1, (1,) * axes, [1] * axes) or places:
        raise call.refuse(f"{call.what} to other than one maximum")
    return axes
