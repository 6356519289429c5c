"""Cards of what lays numbers out anew: shapes, entries, orders, padding, other sizes."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, FiniteFloat
from torch import nn

from workbench import graph as graphs
from workbench.errors import BadInput
from workbench.models import Flipped, Joined, Padded, Permuted, Picked, Reshaped
from workbench.problem.nodes.base import Axes, Axis, Making, Node, Per, Place, Size, Strict, Writing


class ReshapeCard(Node[graphs.Reshape | graphs.Axes]):
    """The same numbers in another shape, without the batch axis."""

    writes = (graphs.Reshape, graphs.Axes)

    op: Literal["reshape"] = "reshape"
    to: Annotated[list[Size], Field(min_length=1, max_length=8)]

    @classmethod
    def written(cls, op: graphs.Reshape | graphs.Axes, at: Writing) -> Self:
        return cls(inputs=at.inputs, to=list(op.shape(*at.shapes)))

    def made(self, at: Making) -> nn.Module:
        return Reshaped(tuple(self.to))


class Run(Strict):
    """Entries start, start + step, ... before stop."""

    start: Place = 0
    stop: Size
    step: Size = 1


class PickCard(Node[graphs.Pick]):
    """Entries of x: along each axis one (which drops it), a run or a list; null adds an axis."""

    writes = (graphs.Pick,)

    op: Literal["pick"] = "pick"
    index: list[Place | Run | Annotated[list[Place], Field(min_length=1)] | None] = Field(
        min_length=1, max_length=16, description="an entry an axis, without the batch axis"
    )

    @classmethod
    def written(cls, op: graphs.Pick, at: Writing) -> Self:
        return cls(inputs=at.inputs, index=[_picked(e) for e in op.entries(at.shapes[0])])

    def made(self, at: Making) -> nn.Module:
        return Picked([slice(*e.model_dump().values()) if isinstance(e, Run) else e
                       for e in self.index])  # fmt: skip


def _picked(e: Any) -> Any:
    """An entry of a `Pick` as a card has it."""
    if isinstance(e, slice):
        return Run(start=e.start, stop=e.stop, step=e.step)
    return list(e) if isinstance(e, tuple) else e


class PermuteCard(Node[graphs.Permute]):
    """x with its axes in another order."""

    writes = (graphs.Permute,)

    op: Literal["permute"] = "permute"
    order: Axes

    @classmethod
    def written(cls, op: graphs.Permute, at: Writing) -> Self:
        return cls(inputs=at.inputs, order=list(op.order(len(at.shapes[0]))))

    def made(self, at: Making) -> nn.Module:
        if sorted(self.order) != list(range(len(self.order))):
            raise BadInput(
                f"node {at.number} puts its axes in the order {self.order}, which is none"
            )
        return Permuted(self.order)


class FlipCard(Node[graphs.Flip]):
    """x backward along some axes."""

    writes = (graphs.Flip,)

    op: Literal["flip"] = "flip"
    axes: Axes

    @classmethod
    def written(cls, op: graphs.Flip, at: Writing) -> Self:
        return cls(inputs=at.inputs, axes=list(op.places(len(at.shapes[0]))))

    def made(self, at: Making) -> nn.Module:
        if min(self.axes) < 0:
            raise BadInput(f"node {at.number} flips axes {self.axes}: they are counted from 0")
        return Flipped(self.axes)


class CatCard(Node[graphs.Cat]):
    """Values one after the other along an axis."""

    writes = (graphs.Cat,)

    op: Literal["cat"] = "cat"
    axis: Axis

    @classmethod
    def written(cls, op: graphs.Cat, at: Writing) -> Self:
        return cls(inputs=at.inputs, axis=op.place(len(at.shapes[0])))

    def made(self, at: Making) -> nn.Module:
        return Joined(self.axis)


class PadCard(Node[graphs.Pad]):
    """x with so many values around it along each of its last axes."""

    writes = (graphs.Pad,)

    op: Literal["pad"] = "pad"
    before: list[Place] = Field(min_length=1, max_length=8)
    after: list[Place] = Field(min_length=1, max_length=8)
    mode: Literal["zeros", "reflect", "replicate", "circular"]

    @classmethod
    def written(cls, op: graphs.Pad, at: Writing) -> Self:
        told = {"before": list(op.before), "after": list(op.after), "mode": op.mode}
        return cls.model_validate({"inputs": at.inputs, **told})

    def made(self, at: Making) -> nn.Module:
        if len(self.before) != len(self.after):
            raise BadInput(f"before and after of node {at.number} must be of one length")
        return Padded(self.before, self.after, self.mode)


class ResizeCard(Node[graphs.Resize]):
    """x `(channels, *size)` interpolated at other sizes, or at sizes times a factor."""

    writes = (graphs.Resize,)

    op: Literal["resize"] = "resize"
    to: Per | None = None
    by: list[Annotated[FiniteFloat, Field(gt=0.0, le=1 << 12)]] | None = Field(
        default=None, min_length=1, max_length=2
    )
    mode: Literal["nearest", "nearest-exact", "linear", "bilinear", "bicubic"]
    corners: bool | None = Field(default=None, description="whether corners stay where they are")

    @classmethod
    def written(cls, op: graphs.Resize, at: Writing) -> Self:
        to, by = op.each(len(at.shapes[0]) - 1)
        told = {"to": to, "by": by, "mode": op.mode, "corners": op.corners}
        return cls.model_validate({"inputs": at.inputs, **told})

    def made(self, at: Making) -> nn.Module:
        if (self.to is None) == (self.by is None):
            raise BadInput(f"node {at.number} needs sizes, or factors, and not both")
        to = None if self.to is None else tuple(self.to)
        by: Any = None if self.by is None else tuple(self.by)
        return nn.Upsample(to, by, self.mode, self.corners)
