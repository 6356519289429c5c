"""Layer normalisation, linearised where its input lies: the one operation that is approximate."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.graph.base import Op, Shape
from workbench.graph.call import Call, Constant
from workbench.graph.rules import Affine, Linearised, LinearMap, Rule
from workbench.math import cost


@dataclass(frozen=True)
class LayerNorm(Op):
    """y = gamma z / sqrt(|z|^2 / n + eps) + beta, z = x less its mean over all n values.

    Approximate in propagation. With q = |z|^2 / n and g(q) = (q + eps)^(-1/2), and z presumed
    Gaussian with mean m and covariance S, Stein's lemma gives

        E[z g] = m E[g] + 2 S E[g' z] / n,      E[d(z g)/dz] = E[g] 1 + 2 E[g' z z^T] / n.

    E[g] is taken to second order in q's spread, the terms with g' to first. y is then the affine
    function of x with that mean and that slope: its covariance lacks what is not linear in x, of
    relative order 1/n where no direction dominates S.
    """

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

    def shape(self, *inputs: Shape) -> Shape:
        (got,) = inputs
        if got != self.over:
            raise BadInput(f"normalises {self.over} but is fed {got}")
        return got

    def __call__(self, *inputs: Tensor) -> Tensor:
        weight, bias = (None if r is None else r.value for r in (self.weight, self.bias))
        return F.layer_norm(inputs[0], self.over, weight, bias, self.eps)

    def flops(self, *inputs: Shape) -> float:
        return 8.0 * math.prod(inputs[0])

    def rule(self, *inputs: Shape) -> Rule:
        weight, bias = (
            None if r is None else r.value.reshape(-1) for r in (self.weight, self.bias)
        )
        return _Normalising(weight, bias, self.eps)


@dataclass(frozen=True, eq=False)
class _Normalising(Linearised):
    weight: Tensor | None
    bias: Tensor | None
    eps: float

    def at(self, mean: Tensor, cov: Tensor) -> Affine:
        n = mean.shape[-1]
        m = _centred(mean)
        s = _centred(_centred(cov).mT)
        sm = (s @ m[..., None]).squeeze(-1)
        level = (m.square().sum(-1) + s.diagonal(dim1=-2, dim2=-1).sum(-1)) / n + self.eps
        spread = (2.0 * s.square().sum((-2, -1)) + 4.0 * (m * sm).sum(-1)) / n**2
        g = level**-0.5
        own = g * (1.0 + 0.375 * spread / level**2)
        cross = g**3 / n
        slope = _Slope(m, s, own, cross, self.weight)
        out = own[..., None] * m - cross[..., None] * sm
        out = out if self.weight is None else out * self.weight
        out = out if self.bias is None else out + self.bias
        return Affine((slope,), out - slope.vector(mean))


@dataclass(frozen=True, eq=False)
class _Slope(LinearMap):
    """gamma (own 1 - cross (S + m m^T)) on the centred input."""

    m: Tensor
    s: Tensor
    own: Tensor
    cross: Tensor
    weight: Tensor | None

    def __call__(self, rows: Tensor) -> Tensor:
        z = _centred(rows)
        along = (z @ self.m[..., None]) * self.m[..., None, :]
        out = self.own[..., None, None] * z - self.cross[..., None, None] * (z @ self.s + along)
        return out if self.weight is None else out * self.weight

    def flops(self, vectors: int) -> float:
        n = self.m.shape[-1]
        return cost.matmul(n, n, vectors) + 8.0 * n * vectors


def _centred(x: Tensor) -> Tensor:
    return x - x.mean(-1, keepdim=True)
