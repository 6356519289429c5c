"""Numbers of a value in other places, some of them several times."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.graph.base import Composite, Several, Shape, Step
from workbench.graph.call import Call
from workbench.graph.operations.pairs import measured
from workbench.graph.operations.pick import Pick
from workbench.graph.operations.rearranging import is_int
from workbench.graph.operations.reshape import Reshape
from workbench.graph.operations.steps import Steps

_SHUFFLES = (nn.PixelShuffle, nn.PixelUnshuffle, nn.ChannelShuffle)


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
        axes: Any = ()
        match name:
            case "pixel_shuffle" | "pixel_unshuffle" | "channel_shuffle":
                shuffle = getattr(F, name)
                return cls(name, lambda x: shuffle(x, *rest))
            case "roll":
                axes = call.argument(2, "dims")
            case "repeat_interleave":
                axes = call.argument(2, "dim")
            case "unfold" if call.target == "unfold":
                axes = call.argument(1, "dimension")
            case "repeat" | "tile":
                axes = 1
            case _:
                return None
        axes = axes if isinstance(axes, list | tuple) else (axes,)
        if not axes or not all(is_int(k) and k != 0 for k in axes):
            raise call.refuse(f"{name} other than along axes that are not the batch's")
        numbers = [k for a in rest for k in (a if isinstance(a, list | tuple) else [a])]
        if not all(map(is_int, numbers)):
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
