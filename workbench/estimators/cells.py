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

from workbench.distributions import Factor
from workbench.estimators.proofs import frame_of
from workbench.graph import Linear
from workbench.math.gaussian import cdf, log_cdf_inverse, log_cdf_value
from workbench.math.logspace import log_sub
from workbench.math.region import Region
from workbench.problem import Problem
from workbench.propagation.intervals import Move
from workbench.propagation.linear_bounds import Frame, LinearBounds, bound
from workbench.specs import Halfspaces

EASY = 0.01
"""The greatest share of a cell's mass that is cut off."""
_LEAST = 1e-290
_NOTHING = 1e-13  # of the greatest weight: below it a coordinate is not read
_SPREAD = 3.0  # how far a coordinate that was never cut is thought to reach
_NEW = 1e-6  # of a row's length that must stick out of the span of those before it


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

    def truncated(self, eps: Tensor, normal: bool, live: Tensor) -> Region:
        """A bounded region that misses at most the share `eps` `(m,)` of each cell's mass.

        Where eps is 0 nothing is cut off, and nothing is along coordinates that are not `live`
        `(d,)`, on which no margin depends.
        """
        if not normal:
            return Region.box(self.low, self.high)
        ball = torch.isinf(self.low) & torch.isinf(self.high)
        up, down = torch.isinf(self.high) & ~ball, torch.isinf(self.low) & ~ball
        parts = (up | down).sum(-1) + (ball & live).any(-1)
        share = (eps / parts.clamp(min=1)).clamp(min=_LEAST)
        log_share = torch.log(share)[:, None]
        far_up = -log_cdf_inverse(log_share + log_cdf_value(-self.low))
        far_down = log_cdf_inverse(log_share + log_cdf_value(self.high))
        count = (ball & live).sum(-1).clamp(min=1)
        square = gammainccinv(0.5 * count.cpu().numpy(), share.cpu().numpy())
        radius = torch.sqrt(2.0 * torch.as_tensor(square, dtype=eps.dtype, device=eps.device)) * (
            1.0 + 1e-9
        )
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
    path: list[Move], frame: Frame, event: Halfspaces, cells: Cells, eps: Tensor, normal: bool,
    live: Tensor, steps: int,
) -> Verdict:  # fmt: skip
    """Bounds on P(C, cell), each cell's tails cut off at the share `eps` `(m,)` of its mass."""
    region = cells.truncated(eps, normal, live)
    found = bound(path, frame, region, event.a, event.b, steps)
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
    axis = _axis(region, found, any(len(c) > 1 for c in clauses))
    return Verdict(log_mass + torch.log(any_lower), log_mass + torch.log(any_upper), axis)


def _axis(region: Region, found: LinearBounds, joint: bool) -> Tensor:
    """The coordinate along which the literals that are still open are known least well.

    Two linear bounds far apart count most; then what is lost in taking the extremes of a linear
    function over a box, and, where literals must hold together, in looking at each alone.
    """
    extent = torch.where(region.ball, _SPREAD, 0.5 * (region.high - region.low))
    extent = torch.where(torch.isfinite(extent), extent, _SPREAD)
    lost = torch.where(region.ball, 0.25 if joint else 0.0, 0.5)[:, None]
    open_ = ((found.least <= 0) & (found.most > 0))[..., None]
    up, down = found.upper_slope, found.lower_slope
    unknown = torch.where(open_, (up - down).abs() + lost * up.abs(), 0.0).sum(1)
    return ((unknown + 1e-9) * extent).argmax(-1)


def basis(problem: Problem, factor: Factor, dominant: Tensor | None) -> Tensor:
    """An orthonormal basis `(d, d)`: the dominant direction if given, then the inputs of the first
    neurons, one after the other (Gram-Schmidt), then whatever is left."""
    rows = first_weights(problem, frame_of(factor))
    n = rows.shape[1]
    found = torch.zeros(n, n, dtype=torch.float64)
    k = 0
    first = rows[:0] if dominant is None else dominant[None]
    for row in torch.cat([first, rows, torch.eye(n, dtype=torch.float64)]):
        rest = row
        for _ in range(2):  # twice is enough (Kahan)
            rest = rest - found[:, :k] @ (found[:, :k].T @ rest)
        if k < n and rest.norm() > _NEW * row.norm():
            found[:, k] = rest / rest.norm()
            k += 1
    return found


def first_weights(problem: Problem, frame: Frame) -> Tensor:
    """What M reads of w, `(rows, d)`: the weights of its first layers, or w itself."""
    readers = [node for node in problem.graph.nodes if 0 in node.inputs]
    if not all(isinstance(node.op, Linear) for node in readers):
        return frame.matrix
    weights = [node.op.weight for node in readers if isinstance(node.op, Linear)]
    return torch.cat([w.detach().double() @ frame.matrix for w in weights])


def live(problem: Problem, frame: Frame) -> Tensor:
    """Which coordinates of w the network reads at all, to rounding; `(d,)`."""
    size = first_weights(problem, frame).norm(dim=0)
    return size > _NOTHING * size.max()
