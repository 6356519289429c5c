"""Maxima and minima: of two values, and over an axis, by max(a, b) = b + relu(a - b)."""

from dataclasses import dataclass
from typing import Any, ClassVar

from workbench.graph.base import Composite, Op, Several, Shape, Step
from workbench.graph.call import Call, Feed, Missing
from workbench.graph.operations.elementwise import Elementwise
from workbench.graph.operations.pairs import Ahead, Merged, measured, place
from workbench.graph.operations.rearranging import is_int
from workbench.graph.operations.reshape import Reshape
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
        if call.name not in _NAMES or len(call.feeds) == 0:
            return None
        if len(call.args) != 2 or call.kwargs or not all(type(a) is Feed for a in call.args):
            if call.name in ("max", "min"):
                return None
            raise call.refuse(f"{call.name} other than of two values that depend on the input")
        return cls(_NAMES[call.name])

    def steps(self, *shapes: Shape | None) -> tuple[Step, ...]:
        steps = Steps(2)
        gap = steps.put(Subtract(), *((1, 0) if self.least else (0, 1)))
        over = steps.put(Elementwise(ReLU()), gap)
        steps.put(Subtract() if self.least else Add(), 1, over)
        return tuple(steps.found)


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
    about: ClassVar[str] = "amax, amin"

    @staticmethod
    def before(op: Op) -> bool:
        return isinstance(op, Elementwise) and op.row.rises

    @classmethod
    def read(cls, call: Call) -> "Composite | Several | None":
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
        if len(each) == 1:
            return each[0]
        return Several(tuple((op, (k,)) for k, op in enumerate(each)))

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
