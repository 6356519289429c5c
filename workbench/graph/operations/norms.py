"""Normalisations of values by their own mean and size, linearised where their input lies: the
operations that are approximate."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.graph.base import Op, Shape
from workbench.graph.call import Call, Constant, present
from workbench.graph.operations.broadcast import by_channel
from workbench.graph.rules import Affine, Linearised, LinearMap, Rule
from workbench.math import cost


class Norm(Op):
    """y = gamma z / sqrt(|z|^2 / n + eps) + beta in groups of n neighbouring values of x.

    z is a group of x, or x less the group's mean. Approximate in propagation. With q = |z|^2 / n
    and g(q) = (q + eps)^(-1/2), and z presumed Gaussian with mean m and covariance S, Stein's lemma
    gives

        E[z g] = m E[g] + 2 S E[g' z] / n,      E[d(z g)/dz] = E[g] 1 + 2 E[g' z z^T] / n.

    E[g] is taken to second order in q's spread, the terms with g' to first. y is then the affine
    function of x with that mean and that slope: its covariance lacks what is not linear in x, of
    relative order 1/n where no direction dominates S.
    """

    @abstractmethod
    def groups(self, got: Shape) -> int:
        """How many groups there are of a value of shape `got`. Raises `BadInput`."""

    @abstractmethod
    def normalising(self, got: Shape) -> "Normalising":
        """The rule for values of shape `got`."""

    def values(self, got: Shape) -> int:
        """How many values there are in a group."""
        return math.prod(got) // self.groups(got)

    def shape(self, *inputs: Shape) -> Shape:
        (got,) = inputs
        assert self.groups(got)
        return got

    def flops(self, *inputs: Shape) -> float:
        return 8.0 * math.prod(inputs[0])

    def rule(self, *inputs: Shape) -> Rule:
        return self.normalising(inputs[0])


def _over_last(over: Shape, got: Shape) -> int:
    if not over or len(over) > len(got) or got[len(got) - len(over) :] != over:
        raise BadInput(f"normalises {over} but is fed {got}")
    return math.prod(got) // math.prod(over)


def _by_channel(c: Constant | None, got: Shape) -> Tensor | None:
    """One number a channel for every value of shape `got`, in a row."""
    return None if c is None else by_channel(c.value, got)


def _repeated(c: Constant | None, times: int) -> Tensor | None:
    return None if c is None else c.value.reshape(-1).repeat(times)


@dataclass(frozen=True)
class LayerNorm(Norm):
    """A group is what the last axes `over` hold; its mean is taken off."""

    over: Shape
    weight: Constant | None
    bias: Constant | None
    eps: float
    about: ClassVar[str] = "LayerNorm"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        match call.module:
            case nn.LayerNorm() as m:
                over, eps = m.normalized_shape, m.eps
            case _ if call.name == "layer_norm" and len(call.feeds) == 1:
                over, eps = call.argument(1, "normalized_shape"), call.argument(4, "eps", 1e-5)
                if not isinstance(over, list | tuple):
                    raise call.refuse()
            case _:
                return None
        weight, bias = call.tensors(2, "weight", "bias")
        return cls(tuple(over), weight, bias, eps)

    def groups(self, got: Shape) -> int:
        return _over_last(self.over, got)

    def __call__(self, *inputs: Tensor) -> Tensor:
        return F.layer_norm(inputs[0], self.over, *present(self.weight, self.bias), eps=self.eps)

    def normalising(self, got: Shape) -> "Normalising":
        n = self.groups(got)
        return Normalising(n, True, _repeated(self.weight, n), _repeated(self.bias, n), self.eps)


@dataclass(frozen=True)
class RMSNorm(Norm):
    """A group is what the last axes `over` hold; `eps` None is the least of the precision."""

    over: Shape
    weight: Constant | None
    eps: float | None
    about: ClassVar[str] = "RMSNorm"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        match call.module:
            case nn.RMSNorm() as m:
                over, eps = m.normalized_shape, m.eps
            case _ if call.name == "rms_norm" and len(call.feeds) == 1:
                over, eps = call.argument(1, "normalized_shape"), call.argument(3, "eps")
                if not isinstance(over, list | tuple):
                    raise call.refuse()
            case _:
                return None
        (weight,) = call.tensors(2, "weight")
        return cls(tuple(over), weight, eps)

    def groups(self, got: Shape) -> int:
        return _over_last(self.over, got)

    def __call__(self, *inputs: Tensor) -> Tensor:
        return F.rms_norm(inputs[0], self.over, *present(self.weight), eps=self.eps)

    def normalising(self, got: Shape) -> "Normalising":
        n = self.groups(got)
        return Normalising(n, False, _repeated(self.weight, n), None, self.eps)


@dataclass(frozen=True)
class GroupNorm(Norm):
    """A group is a run of channels of x `(channels, ...)`; its mean is taken off."""

    count: int
    weight: Constant | None
    bias: Constant | None
    eps: float
    about: ClassVar[str] = "GroupNorm"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        match call.module:
            case nn.GroupNorm() as m:
                count, eps = m.num_groups, m.eps
            case _ if call.name == "group_norm" and len(call.feeds) == 1:
                count, eps = call.argument(1, "num_groups"), call.argument(4, "eps", 1e-5)
            case _:
                return None
        weight, bias = call.tensors(2, "weight", "bias")
        return cls(count, weight, bias, eps)

    def groups(self, got: Shape) -> int:
        channels = [len(c.value) for c in (self.weight, self.bias) if c is not None]
        if got[0] % self.count or any(n != got[0] for n in channels):
            raise BadInput(f"normalises {self.count} groups of channels but is fed {got}")
        return self.count

    def __call__(self, *inputs: Tensor) -> Tensor:
        # Not F.group_norm: its second derivatives fail where vmap takes many of them at once.
        (x,) = inputs
        groups = x.reshape(len(x), self.count, -1)
        y = F.layer_norm(groups, groups.shape[2:], eps=self.eps).reshape(x.shape)
        for_each = (-1, *(1,) * (x.ndim - 2))
        y = y if self.weight is None else y * self.weight.value.reshape(for_each)
        return y if self.bias is None else y + self.bias.value.reshape(for_each)

    def normalising(self, got: Shape) -> "Normalising":
        weight, bias = _by_channel(self.weight, got), _by_channel(self.bias, got)
        return Normalising(self.groups(got), True, weight, bias, self.eps)


@dataclass(frozen=True)
class InstanceNorm(Norm):
    """A group is a channel of x `(channels, ...)`; its mean is taken off."""

    weight: Constant | None
    bias: Constant | None
    eps: float
    about: ClassVar[str] = "InstanceNorm"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        m = call.module
        if not isinstance(m, nn.InstanceNorm1d | nn.InstanceNorm2d):
            return None
        if m.track_running_stats:
            raise call.refuse(f"{call.what} with running statistics")
        weight, bias = call.tensors(1, "weight", "bias")
        return cls(weight, bias, m.eps)

    def groups(self, got: Shape) -> int:
        channels = [len(c.value) for c in (self.weight, self.bias) if c is not None]
        if len(got) not in (2, 3) or math.prod(got[1:]) < 2 or any(n != got[0] for n in channels):
            raise BadInput(f"normalises channels of two values or more but is fed {got}")
        return got[0]

    def __call__(self, *inputs: Tensor) -> Tensor:
        weight, bias = present(self.weight, self.bias)
        return F.instance_norm(inputs[0], weight=weight, bias=bias, eps=self.eps)

    def normalising(self, got: Shape) -> "Normalising":
        weight, bias = _by_channel(self.weight, got), _by_channel(self.bias, got)
        return Normalising(self.groups(got), True, weight, bias, self.eps)


@dataclass(frozen=True)
class UnitLength(Norm):
    """y = x / |x| along the last axis, |x| at least `eps`; `axis` counts the batch axis."""

    axis: int
    eps: float
    about: ClassVar[str] = "normalize"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        if call.name != "normalize":
            return None
        p, axis = call.argument(1, "p", 2.0), call.argument(2, "dim", 1)
        if p != 2 or not isinstance(axis, int) or axis == 0 or len(call.feeds) != 1:
            raise call.refuse("normalize but to length 1 along an axis that is not the batch's")
        return cls(axis, call.argument(3, "eps", 1e-12))

    def groups(self, got: Shape) -> int:
        if self.axis not in (-1, len(got)) or not got:
            raise BadInput(f"normalises along the last axis alone, not along axis {self.axis}")
        return math.prod(got[:-1])

    def __call__(self, *inputs: Tensor) -> Tensor:
        return F.normalize(inputs[0], dim=-1, eps=self.eps)

    def normalising(self, got: Shape) -> "Normalising":
        scale = torch.tensor(got[-1] ** -0.5, dtype=torch.float64)
        return Normalising(self.groups(got), False, scale, None, self.eps**2)


@dataclass(frozen=True, eq=False)
class Normalising(Linearised):
    """The rule of a norm of `groups` groups; weight and bias of all values in a row, or 0-d."""

    groups: int
    centred: bool
    weight: Tensor | None
    bias: Tensor | None
    eps: float | None

    def at(self, mean: Tensor, cov: Tensor) -> Affine:
        parts = (self.groups, mean.shape[-1] // self.groups)
        n = parts[1]
        whole = cov.unflatten(-1, parts).unflatten(-3, parts)
        s = torch.diagonal(whole, dim1=-4, dim2=-2).movedim(-1, -3)
        m = mean.unflatten(-1, parts)
        if self.centred:
            m, s = _centred(m), _centred(_centred(s).mT)
        eps = torch.finfo(mean.dtype).eps if self.eps is None else self.eps
        sm = (s @ m[..., None]).squeeze(-1)
        level = (m.square().sum(-1) + s.diagonal(dim1=-2, dim2=-1).sum(-1)) / n + eps
        spread = (2.0 * s.square().sum((-2, -1)) + 4.0 * (m * sm).sum(-1)) / n**2
        g = level**-0.5
        own = g * (1.0 + 0.375 * spread / level**2)
        cross = g**3 / n
        slope = _Slope(m, s, own, cross, self.weight, self.centred)
        out = (own[..., None] * m - cross[..., None] * sm).flatten(-2)
        out = out if self.weight is None else out * self.weight
        out = out if self.bias is None else out + self.bias
        return Affine((slope,), out - slope.vector(mean))


@dataclass(frozen=True, eq=False)
class _Slope(LinearMap):
    """gamma (own 1 - cross (S + m m^T)) on every group of the input, centred where it is."""

    m: Tensor
    s: Tensor
    own: Tensor
    cross: Tensor
    weight: Tensor | None
    centred: bool

    def __call__(self, rows: Tensor) -> Tensor:
        z: Any = rows.unflatten(-1, self.m.shape[-2:]).movedim(-2, -3)
        z = _centred(z) if self.centred else z
        along = (z @ self.m[..., None]) * self.m[..., None, :]
        out = self.own[..., None, None] * z - self.cross[..., None, None] * (z @ self.s + along)
        out = out.movedim(-3, -2).flatten(-2)
        return out if self.weight is None else out * self.weight

    def flops(self, vectors: int) -> float:
        groups, n = self.m.shape[-2:]
        return groups * (cost.matmul(n, n, vectors) + 8.0 * n * vectors)


def _centred(x: Tensor) -> Tensor:
    return x - x.mean(-1, keepdim=True)
