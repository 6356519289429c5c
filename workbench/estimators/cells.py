"""Cells of known mass, and sound bounds on the probability of C in each of them.

In coordinates w in which D is a standard normal law (or uniform on the unit cube) a cell is a box;
coordinates along which it was never cut are taken together in a ball. Its tails are cut off at a
share eps of its mass, which leaves a bounded region T. On T the margins lie between two linear
functions (`propagation.linear_bounds`), whose half-spaces have known probabilities:

    mass (Phi(index of the lower one) - eps)  <=  P(s > 0, cell)  <=  mass (Phi(upper) + eps).

A clause is bounded above by its unlikeliest literal and below by Bonferroni's inequality; the event
above by the sum of its clauses and below by the likeliest one.
"""

import math
from dataclasses import dataclass

import torch
from scipy.special import gammainccinv
from torch import Tensor

from workbench.graph import Graph
from workbench.math.gaussian import cdf, log_cdf_inverse, log_cdf_value
from workbench.math.logspace import log_sub
from workbench.math.region import Region
from workbench.propagation.linear_bounds import Frame, LinearBounds, bound
from workbench.specs import Halfspaces

EASY = 0.01
"""The greatest share of a cell's mass that is cut off."""
_LEAST = 1e-290


@dataclass(frozen=True, eq=False)
class Cells:
    """m boxes low <= w <= high, `(m, d)`, with infinite ends where nothing was cut."""

    low: Tensor
    high: Tensor

    def log_mass(self, normal: bool) -> Tensor:
        """log P(w in cell), `(m,)`."""
        if not normal:
            return torch.log(self.high - self.low).sum(-1)
        flip = self.low > 0  # the smaller tails, where nothing cancels
        top = torch.where(flip, -self.low, self.high)
        bottom = torch.where(flip, -self.high, self.low)
        return log_sub(log_cdf_value(top), log_cdf_value(bottom)).sum(-1)

    def cut(self, axis: Tensor) -> "Cells":
        """Each cell in two along its `axis` `(m,)`: at 0, one beyond a lone end, or midway."""
        rows = torch.arange(len(axis))
        a, b = self.low[rows, axis], self.high[rows, axis]
        at = torch.where(
            torch.isinf(a) & torch.isinf(b),
            0.0,
            torch.where(torch.isinf(b), a + 1.0, torch.where(torch.isinf(a), b - 1.0, (a + b) / 2)),
        )
        low, high = self.low.repeat(2, 1), self.high.repeat(2, 1)
        high[rows, axis] = at
        low[rows + len(axis), axis] = at
        return Cells(low, high)

    def truncated(self, eps: Tensor, normal: bool) -> Region:
        """A bounded region that misses at most the share `eps` `(m,)` of each cell's mass.

        Where eps is 0 nothing is cut off.
        """
        if not normal:
            return Region.box(self.low, self.high)
        ball = torch.isinf(self.low) & torch.isinf(self.high)
        up, down = torch.isinf(self.high) & ~ball, torch.isinf(self.low) & ~ball
        parts = (up | down).sum(-1) + ball.any(-1)
        share = (eps / parts.clamp(min=1)).clamp(min=_LEAST)
        log_share = torch.log(share)[:, None]
        far_up = -log_cdf_inverse(log_share + log_cdf_value(-self.low))
        far_down = log_cdf_inverse(log_share + log_cdf_value(self.high))
        count = ball.sum(-1).clamp(min=1)
        square = gammainccinv(0.5 * count.numpy(), share.numpy())
        radius = torch.sqrt(2.0 * torch.as_tensor(square, dtype=eps.dtype)) * (1.0 + 1e-9)
        whole = (eps == 0)[:, None]
        return Region(
            torch.where(down & ~whole, far_down, self.low),
            torch.where(up & ~whole, far_up, self.high),
            ball,
            torch.where(whole[:, 0], math.inf, radius),
        )


@dataclass(frozen=True, eq=False)
class Verdict:
    """What is known of P(C, cell) for m cells, all `(m,)`; `axis` is the one to cut along."""

    log_lower: Tensor
    log_upper: Tensor
    axis: Tensor


def judge(
    graph: Graph, frame: Frame, event: Halfspaces, cells: Cells, eps: Tensor, normal: bool,
    steps: int,
) -> Verdict:  # fmt: skip
    """Bounds on P(C, cell), each cell's tails cut off at the share `eps` `(m,)` of its mass."""
    region = cells.truncated(eps, normal)
    found = bound(graph, frame, region, event.a, event.b, steps)
    log_mass = cells.log_mass(normal)
    above = region.index(found.upper_slope, found.upper_offset)
    below = -region.index(-found.lower_slope, -found.lower_offset, ties=True)
    eps = eps[:, None]
    upper = (torch.where(found.most <= 0, 0.0, cdf(above)) + eps).clamp(max=1.0)
    lower = (torch.where(found.least > 0, 1.0, cdf(below)) - eps).clamp(min=0.0)
    clauses = [list(c) for c in event.clauses]
    any_upper = torch.stack([upper[:, c].amin(-1) for c in clauses], -1).sum(-1).clamp(max=1.0)
    lows = [1.0 - (1.0 - lower[:, c]).sum(-1) if len(c) > 1 else lower[:, c[0]] for c in clauses]
    any_lower = torch.stack(lows, -1).amax(-1).clamp(min=0.0)
    axis = _axis(region, found, above)
    return Verdict(log_mass + torch.log(any_lower), log_mass + torch.log(any_upper), axis)


def _axis(region: Region, found: LinearBounds, above: Tensor) -> Tensor:
    """The coordinate along which the likeliest literal is known least well."""
    row = above.argmax(-1)
    rows = torch.arange(len(row))
    up, down = found.upper_slope[rows, row], found.lower_slope[rows, row]
    extent = torch.where(region.ball, 3.0, 0.5 * (region.high - region.low))
    extent = torch.where(torch.isfinite(extent), extent, 3.0)
    inside = torch.where(region.ball, 0.0, up.abs())
    return (((up - down).abs() + 0.5 * inside) * extent + 1e-9 * extent).argmax(-1)
