"""Entries and pieces of a value: indexing, chunk, split, select, narrow."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.graph.base import Op, Shape
from workbench.graph.call import Call, Constant, Feed, Pieces
from workbench.graph.operations.rearranging import Rearranging, is_int

Entry = int | slice | tuple[int, ...] | None
"""What is taken along an axis: one entry (the axis is dropped), a run, a list; None is a new one of
length 1."""
_WHOLE = slice(None)


@dataclass(frozen=True, eq=False)
class Pick(Rearranging):
    """y = x[:, *index], the batch axis kept whole.

    Args:
        index: what is taken along each axis but the first: an `Entry`, an `Ellipsis`, a tensor of
            the model that lists entries, or a `_Piece`.
    """

    index: tuple[Any, ...]
    about: ClassVar[str] = "indexing"

    @classmethod
    def read(cls, call: Call) -> "Op | None":
        match call.name:
            case "getitem" if isinstance(call.args[0], Pieces):
                whole, i = call.args
                if not isinstance(i, int) or isinstance(i, bool):
                    raise call.refuse(f"{whole.kind} of which more than one piece is taken at once")
                return cls(_along(call, whole.axis, _Piece(whole.kind, whole.size, i)))
            case "getitem" if isinstance(call.args[0], Feed):
                given = call.args[1]
                given = given if isinstance(given, tuple) else (given,)
                if given and given[0] == _WHOLE:
                    given = given[1:]
                elif not given or given[0] is not Ellipsis:
                    raise call.refuse("indexing that does not keep the batch axis")
                index = tuple(tuple(e) if isinstance(e, list) else e for e in given)
            case "select" if len(call.feeds) == 1:
                index = _along(call, call.argument(1, "dim"), call.argument(2, "index"))
            case "narrow" if len(call.feeds) == 1:
                start, length = call.argument(2, "start"), call.argument(3, "length")
                if not isinstance(start, int) or not isinstance(length, int):
                    raise call.refuse()
                end = None if start < 0 <= start + length else start + length
                index = _along(call, call.argument(1, "dim"), slice(start, end))
            case "index_select" if len(call.feeds) == 1:
                index = _along(call, call.argument(1, "dim"), call.argument(2, "index"))
            case _:
                return None
        listed = sum(isinstance(e, Constant | tuple) for e in index)
        plain = not any(is_int(e) for e in index)
        if not all(map(_known, index)) or sum(e is Ellipsis for e in index) > 1:
            raise call.refuse("indexing by other than numbers, slices, lists of numbers")
        if listed > 1 or (listed and not plain):
            raise call.refuse("indexing by a list beside another list or number")
        return cls(index)

    def entries(self, got: Shape) -> tuple[Entry, ...]:
        """What is taken along every axis of a value of this shape, as whole numbers from 0 on.

        Raises:
            BadInput: where there is no such entry, or nothing is taken.
        """
        taken = sum(e is not None and e is not Ellipsis for e in self.index)
        full = list(self.index)
        rest = [_WHOLE] * (len(got) - taken)
        if taken > len(got):
            raise BadInput(f"takes entries along {taken} axes of a value of shape {got}")
        if Ellipsis in full:
            i = full.index(Ellipsis)
            full[i : i + 1] = rest
        else:
            full += rest
        lengths = iter(got)
        return tuple(None if e is None else _entry(e, next(lengths), got) for e in full)

    def shape(self, *inputs: Shape) -> Shape:
        out: list[int] = []
        for e in self.entries(inputs[0]):
            match e:
                case slice():
                    out.append(len(range(e.start, e.stop, e.step)))
                case tuple():
                    out.append(len(e))
                case None:
                    out.append(1)
        return tuple(out)

    def moved(self, x: Tensor) -> Tensor:
        index = self.entries(tuple(x.shape[1:]))
        return x[(_WHOLE, *(list(e) if isinstance(e, tuple) else e for e in index))]


@dataclass(frozen=True)
class _Piece:
    """Piece i of an axis that is cut into so many (chunk), into such lengths (split), or all
    (unbind)."""

    kind: str
    size: Any
    i: int

    def of(self, n: int) -> int | slice:
        """The entries of an axis of length n. Raises `BadInput` where there is no such piece."""
        if self.kind == "unbind":
            return self.i
        if isinstance(self.size, int):
            step = math.ceil(n / self.size) if self.kind == "chunk" else self.size
            ends = [min(k + step, n) for k in range(0, n, step)]
        else:
            ends = [sum(self.size[: k + 1]) for k in range(len(self.size))]
        if not -len(ends) <= self.i < len(ends):
            raise BadInput(f"takes piece {self.i} of {len(ends)}")
        i = self.i % len(ends)
        return slice(ends[i - 1] if i else 0, ends[i])


def pieces(call: Call) -> Pieces | None:
    """What chunk, split and unbind make, of which code then takes one piece each."""
    sizes = {"chunk": "chunks", "split": "split_size_or_sections", "unbind": ""}
    if call.name not in sizes or len(call.feeds) != 1:
        return None
    if call.name == "unbind":
        size, axis = 0, call.argument(1, "dim", 0)
    else:
        size = call.argument(1, sizes[call.name], call.kwargs.get("split_size"))
        axis = call.argument(2, "dim", 0)
        each = list(size) if isinstance(size, list | tuple) else [size]
        if not each or not all(is_int(k) and k > 0 for k in each):
            raise call.refuse()
        size = size if is_int(size) else tuple(each)
    if not is_int(axis) or axis == 0:
        raise call.refuse(f"{call.name} along the batch axis")
    return Pieces(call.feeds[0], call.name, size, axis)


def piece(kind: str, size: int, i: int, axis: int) -> Pick:
    """Piece i of an axis, counted with the batch axis from 1 on, or from -1 backward."""
    return Pick(_at(axis, _Piece(kind, size, i)))


def _along(call: Call, axis: Any, entry: Any) -> tuple[Any, ...]:
    """The index that takes an entry along one axis, counted with the batch axis."""
    if not is_int(axis) or axis == 0:
        raise call.refuse(f"{call.name} along the batch axis")
    return _at(axis, entry)


def _at(axis: int, entry: Any) -> tuple[Any, ...]:
    if axis > 0:
        return (*[_WHOLE] * (axis - 1), entry)
    return (Ellipsis, entry, *[_WHOLE] * (-axis - 1))


def _known(e: Any) -> bool:
    match e:
        case slice():
            ends = (e.start, e.stop, e.step)
            return all(k is None or is_int(k) for k in ends) and e.step != 0
        case tuple():
            return bool(e) and all(map(is_int, e))
        case _:
            return e is None or e is Ellipsis or is_int(e) or isinstance(e, Constant | _Piece)


def _entry(e: Any, n: int, got: Shape) -> Entry:
    e = e.of(n) if isinstance(e, _Piece) else _listed(e) if isinstance(e, Constant) else e
    if isinstance(e, slice):
        run = range(*e.indices(n))
        if not run or run.step < 0:
            raise BadInput(f"takes nothing along an axis of a value of shape {got}")
        return slice(run.start, run[-1] + 1, run.step)
    each = (e,) if isinstance(e, int) else e
    if not each or not all(-n <= k < n for k in each):
        raise BadInput(f"takes entries {list(each)} along an axis of {n} of a value of shape {got}")
    each = tuple(k % n for k in each)
    return each[0] if isinstance(e, int) else each


def _listed(c: Constant) -> tuple[int, ...]:
    value = c.value
    if value.dtype == torch.bool and value.ndim == 1:
        value = value.nonzero()[:, 0]
    if value.ndim != 1 or value.is_floating_point():
        raise BadInput(f"takes entries by a tensor of {value.dtype} and shape {tuple(value.shape)}")
    return tuple(int(k) for k in value.tolist())
