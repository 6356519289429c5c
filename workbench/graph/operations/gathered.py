"""Numbers of a value in other places, some of them several times."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.graph.base import Composite, Several, Shape, Step
from workbench.graph.call import Call, leaves
from workbench.graph.operations.pairs import measured
from workbench.graph.operations.pick import Pick
from workbench.graph.operations.rearranging import is_int
from workbench.graph.operations.reshape import Reshape
from workbench.graph.operations.steps import Steps

_SHUFFLES = (nn.PixelShuffle, nn.PixelUnshuffle, nn.ChannelShuffle)
_FUNCTIONS = ("pixel_shuffle", "pixel_unshuffle", "channel_shuffle")
_ALONG = {"roll": (2, "dims"), "repeat_interleave": (2, "dim"), "unfold": (1, "dimension")}
"""{what goes along axes: which argument names them}; `F.unfold`, of images, is another."""
_WHOLE = ("repeat", "tile")


@dataclass(frozen=True, eq=False)
class Gathered(Composite):
    """y = numbers of x by a list of their places, which the function itself is asked for.

    Args:
        name: of the function.
        move: it, on any batch.
    """

    name: str
    move: Callable[[Tensor], Tensor]
    about: ClassVar[str] = "roll, repeat, unfold, PixelShuffle"
    spelled: ClassVar[bool] = True

    @classmethod
    def read(cls, call: Call) -> "Composite | Several | None":
        if isinstance(call.module, _SHUFFLES):
            return cls(call.what, call.module.forward)
        if len(call.feeds) != 1:
            return None
        name, rest = call.name, (*call.args[1:], *call.kwargs.values())
        if name in _FUNCTIONS:
            return cls(name, lambda x: getattr(F, name)(x, *rest))
        if name in _ALONG and (name != "unfold" or call.target == name):
            axes = list(leaves(call.argument(*_ALONG[name]), object))
            if not axes or not all(is_int(k) and k != 0 for k in axes):
                raise call.refuse(f"{name} other than along axes that are not the batch's")
        elif name not in _WHOLE:
            return None
        if not all(map(is_int, leaves(rest, object))):
            raise call.refuse(f"{name} by other than whole numbers")
        return cls(name, lambda x: getattr(x, name)(*call.args[1:], **call.kwargs))

    def steps(self, *shapes: Shape | None) -> tuple[Step, ...]:
        (got,) = measured(self.name, *shapes)
        found, n = self._places(got), math.prod(got)
        steps = Steps()
        flat = steps.put(Reshape((n,)), 0) if len(got) > 1 else 0
        taken = steps.put(Pick((tuple(int(k) for k in found.flatten().tolist()),)), flat)
        if found.ndim > 1:
            steps.put(Reshape(tuple(found.shape)), taken)
        return tuple(steps.found)

    def _places(self, got: Shape) -> Tensor:
        """Of every number of y, where it stands in x."""
        n = math.prod(got)
        # In floating point, which all of them take; two inputs, so that a moved batch axis shows.
        two = torch.arange(2.0 * n, dtype=torch.float64).reshape(2, *got)
        try:
            found = self.move(two)
        except (RuntimeError, IndexError) as error:
            raise BadInput(f"takes other shapes than {got}: {str(error).splitlines()[0]}") from None
        if len(found) != 2 or not found.numel() or not torch.equal(found[1], found[0] + n):
            raise BadInput("moves the batch axis")
        return found[0]
