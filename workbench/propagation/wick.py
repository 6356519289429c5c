"""Joint cumulants of neurons after an activation, diagram by diagram."""

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from workbench.math.activations import Activation
from workbench.propagation.blocks import outer, total
from workbench.propagation.diagrams import Diagram, Vector, diagrams, symmetries
from workbench.propagation.marginals import LEAST, MOST, STRAINED
from workbench.propagation.patterns import slice_of, spread
from workbench.propagation.series import enough

DEGREE = 4
"""The highest cumulants that are carried."""
BUDGET = 3
"""The cost of the diagrams that are kept: errors of means are of order n^-2 in random networks."""
_ORDERS = 6  # the most derivatives that diagrams of this budget take


@dataclass(frozen=True, eq=False)
class Expansion:
    """A layer's neurons g = f(X) - E f(X), in terms of X in standard units. `(*B, n)` unless said.

    Attributes:
        mean: E f(X).
        powers: E[g^p He_k(Z)], Z Gaussian, by p and k.
        b: E[f He_k] / sqrt(k!) for k = 1, 2, .., `(K, *B, n)`.
        gauss: Var f(X) if X were Gaussian.
        alive: whether X is not constant.
        units: cumulants of X / its standard deviations by their order, each cut to `MOST`.
        remainder: of the series of the covariances.
        strained: what to say where a cumulant was cut; else empty.
    """

    mean: Tensor
    powers: dict[tuple[int, int], Tensor]
    b: Tensor
    gauss: Tensor
    alive: Tensor
    units: dict[int, Tensor]
    remainder: float
    strained: str

    @classmethod
    def of(
        cls,
        row: Activation,
        mu: Tensor,
        sd: Tensor,
        alive: Tensor,
        cumulants: dict[int, Tensor],
        start: int,
        order: int,
    ) -> "Expansion":
        """f to the neurons from `start` on, x -> x to those before them."""
        inv = torch.where(alive, 1.0 / sd, 0.0)
        units = {}
        for d, x in cumulants.items():
            for axis in range(d):
                x = x * spread(inv, [axis], d)
            units[d] = x
        own = {d: slice_of(units[d], (d,)) for d in (3, 4) if d in units}
        limits = {2: 1.0, 3: MOST[0], 4: MOST[1]}
        strained = any(bool((x.abs() > limits[d]).any()) for d, x in own.items())
        units = {d: torch.clamp(x, -limits[d], limits[d]) for d, x in units.items()}

        after, scale = mu[..., start:], sd[..., start:]
        plain, gauss = row.moments(after, scale)
        b = row.coefficients(after, scale, max(order, DEGREE))
        mean = plain
        for d, x in own.items():
            cut = torch.clamp(x[..., start:], -limits[d], limits[d])
            mean = mean + cut * b[d - 1] / math.sqrt(math.factorial(d))
        found = row.powers(after, scale, mean, DEGREE, _ORDERS)
        powers = {}
        for p in range(1, DEGREE + 1):
            for k in range(_ORDERS + 1):
                same = _identity(p, k) * sd[..., :start] ** p
                powers[p, k] = torch.cat([same, math.sqrt(math.factorial(k)) * found[p, k]], -1)
        left = enough(units[2][..., start:, start:], b[:order], gauss, 0.0)[1]
        straight = torch.zeros_like(mu[..., :start]).expand(len(b), *mu[..., :start].shape)
        straight = torch.cat([sd[None, ..., :start], straight[1:]])
        return cls(
            torch.cat([mu[..., :start], mean], -1), powers, torch.cat([straight, b], -1)[:order],
            torch.cat([sd[..., :start].square(), gauss], -1), alive, units, left,
            STRAINED if strained else "",
        )  # fmt: skip

    def joint(self, powers: Vector) -> Tensor:
        """The joint cumulant of g_a^p, g_b^q, .. where a, b, .. differ; `(*B, n, .., n)`."""
        terms = [self._term(x, powers) for x in diagrams(powers, BUDGET, DEGREE)]
        found = total(x for x in terms if x is not None)
        lead = found.ndim - len(powers)
        swaps = symmetries(powers)
        if len(swaps) > 1:
            axes = list(range(lead))
            found = total(found.permute(*axes, *(lead + i for i in s)) for s in swaps) / len(swaps)
        if len(powers) == 1:
            found = torch.where(self.alive, found, 0.0)
        return found

    def _term(self, diagram: Diagram, powers: Vector) -> Tensor | None:
        d = len(powers)
        if any(sum(v) not in self.units for v in diagram.blocks):
            return None
        weights = dict(enumerate(zip(powers, diagram.orders, strict=True)))
        if not diagram.blocks:
            return self.powers[weights[0]]
        factors = []
        for block in diagram.blocks:
            axes = [i for i, k in enumerate(block) if k]
            x = spread(slice_of(self.units[sum(block)], block), axes, d)
            for axis in axes:
                if axis in weights:  # every weight once, on the smallest tensor that has the axis
                    x = x * spread(self.powers[weights.pop(axis)], [axis], d)
            factors.append(x)
        out = diagram.factor * factors[0]
        for x in factors[1:]:
            out = out * x
        return out

    def covariance(self) -> Tensor:
        """Cov(g_a, g_b), `(*B, n, n)`: the whole series in the correlation, exact variances."""
        rho, own = self.units[2], self.joint((2,))
        own = torch.where(own > LEAST * self.gauss, own, torch.where(self.alive, self.gauss, 0.0))
        rest = torch.zeros_like(rho)
        for k in reversed(range(BUDGET, len(self.b))):
            rest = (rest + outer(self.b[k])) * rho
        cov = self.joint((1, 1)) + rest * rho**BUDGET
        gap = torch.diagonal(cov, dim1=-2, dim2=-1) - own
        return cov - torch.diag_embed(gap)


@cache
def _identity(p: int, k: int) -> float:
    """E[Z^p He_k(Z)]."""
    if k > p or (p - k) % 2:
        return 0.0
    half = (p - k) // 2
    return math.factorial(p) / (math.factorial(half) * 2**half)
