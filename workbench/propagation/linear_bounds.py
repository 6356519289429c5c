"""Linear bounds of a network on a region, composed backward through its graph.

With every activation held between two lines, a margin s(w) of a network on a region of w has

    lower_slope . w + lower_offset  <=  s(w)  <=  upper_slope . w + upper_offset,

found by carrying the coefficients from the output to the input: a positive coefficient takes the
line above, a negative one the line below (CROWN: Zhang et al. 2018, arXiv 1811.00866; for DAGs Xu
et al. 2020, arXiv 2002.12920). The lines need bounds on the values that enter the activations;
those are found the same way, layer by layer, and met with interval arithmetic. Below an unstable
ReLU any line y = alpha x with 0 <= alpha <= 1 will do; `bound` can choose alpha for each margin by
gradient descent (alpha-CROWN: Xu et al. 2021, arXiv 2011.13824), here on the reliability index of
the half-space that the linear bound leaves under a standard normal w.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.errors import NotConverged
from workbench.math import cost
from workbench.math.region import SLACK, Region
from workbench.math.relaxations import Lines, Relaxation, ReLU
from workbench.propagation.intervals import Curve, Interval, Move, Sum, head, strays

NONE: Mapping[int, Tensor] = {}
RATE = 0.15
"""Of the descent on the lower lines, whose slopes lie in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Frame:
    """How w makes the input: x = offset + matrix w; offset `(k,)`, matrix `(k, d)`."""

    offset: Tensor
    matrix: Tensor


@dataclass(frozen=True, eq=False)
class LinearBounds:
    """Bounds on r margins over B regions.

    Args:
        lower_slope, upper_slope: `(B, r, d)`.
        lower_offset, upper_offset: `(B, r)`, rounded outward; infinite where nothing is known.
        least, most: `(B, r)`, the sharpest bounds on each margin over the whole region.
    """

    lower_slope: Tensor
    lower_offset: Tensor
    upper_slope: Tensor
    upper_offset: Tensor
    least: Tensor
    most: Tensor

    def without(self, astray: Tensor) -> "LinearBounds":
        """Nothing is known where `astray` `(B,)`."""
        if not bool(astray.any()):
            return self
        row, inf = astray[:, None], torch.inf
        return LinearBounds(
            self.lower_slope.masked_fill(row[..., None], 0.0),
            self.lower_offset.masked_fill(row, -inf),
            self.upper_slope.masked_fill(row[..., None], 0.0),
            self.upper_offset.masked_fill(row, inf),
            self.least.masked_fill(row, -inf), self.most.masked_fill(row, inf),
        )  # fmt: skip


@torch.no_grad()
def bound(
    path: list[Move], frame: Frame, region: Region, a: Tensor, b: Tensor, steps: int = 0
) -> LinearBounds:
    """Linear bounds on the margins a y + b (`a` `(r, k)`, `b` `(r,)`), all in float64.

    Args:
        path: the network, by `intervals.moves`.
        steps: of gradient descent on the lower lines of the ReLUs, for these margins alone.

    Raises:
        NotConverged: where a bound is NaN; names the node.
    """
    run = _Run(path, frame, region)
    last = len(path)
    rough = head(last, a, b)(run.value(last))
    a, b = a.detach().double(), b.detach().double()
    found = run.linear(last, a, b, rough)
    alphas = run.alphas(2 * len(b))
    if steps and alphas:
        found = run.linear(last, a, b, rough, run.descend(last, a, b, alphas, steps))
    return found.without(strays(path, run.values))


def flops(path: list[Move], widths: tuple[int, ...], margins: int, steps: int = 0) -> float:
    """Operations of one call of `bound` on one region, about; a step is three backward passes."""
    targets = [move.inputs[0] for move in path if isinstance(move, Curve)]
    last = (len(path), margins * (1 + 3 * steps))
    total = 0.0
    for target, rows in [*((t, widths[t]) for t in targets), last]:
        for i in range(1, target + 1):
            move = path[i - 1]
            for j in move.inputs:
                if isinstance(move, Sum):
                    total += cost.matmul(2 * rows, widths[i], widths[j])
                else:
                    total += 12.0 * rows * widths[i]
        total += cost.matmul(2 * rows, widths[0], widths[0])
    return total


class _Run:
    """The bounds found so far for one batch of regions."""

    def __init__(self, path: list[Move], frame: Frame, region: Region):
        self.path, self.frame, self.region = path, frame, region
        self.values: dict[int, Interval] = {}
        self.shapes: dict[int, Lines] = {}

    def value(self, i: int) -> Interval:
        """Bounds on node i by one step from the bounds on its inputs; linear ones where needed."""
        if i in self.values:
            return self.values[i]
        if i == 0:
            slope = self.frame.matrix.expand(len(self.region.radius), -1, -1)
            reach = self.region.least(slope), self.region.most(slope)
            found = (reach[0] + self.frame.offset, reach[1] + self.frame.offset)
        else:
            move = self.path[i - 1]
            for j in move.inputs:
                self.value(j)
                if isinstance(move, Curve):
                    self.sharpen(j, move.row)
            found = move(*(self.values[j] for j in move.inputs))
        if bool(torch.isnan(torch.stack(found)).any()):
            raise NotConverged(f"bounds left a NaN at {self.path[i - 1].name!r}")
        self.values[i] = found
        return found

    def sharpen(self, i: int, row: Relaxation) -> None:
        """Meet the bounds on value i, which enters an activation, with linear ones."""
        if i in self.shapes:
            return
        n = self.values[i][0].shape[1]
        eye = torch.eye(n, dtype=torch.float64, device=self.frame.offset.device)
        if i > 0:
            found = self.linear(i, eye, eye.new_zeros(n), self.values[i])
            self.values[i] = found.least, found.most
        self.shapes[i] = row.lines(*self.values[i])

    def linear(
        self, i: int, a: Tensor, b: Tensor, rough: Interval, alphas: Mapping[int, Tensor] = NONE
    ) -> LinearBounds:
        """Linear bounds on a (value i) + b, met with the `rough` ones."""
        r = len(b)
        # The lower bound is minus the upper bound of what is negated: both in one pass.
        slope, offset = self.upper(i, torch.cat([a, -a]), torch.cat([b, -b]), alphas)
        top = self.region.most(slope) + offset
        most = torch.minimum(top[:, :r], rough[1])
        least = torch.maximum(-top[:, r:], rough[0])
        return LinearBounds(
            -slope[:, r:], -offset[:, r:], slope[:, :r], offset[:, :r], least, most
        )  # fmt: skip

    def alphas(self, rows: int) -> dict[int, Tensor]:
        """For every value that enters a ReLU: the lower slopes, for each row its own."""
        found = {}
        for move in self.path:
            if isinstance(move, Curve) and isinstance(move.row, ReLU):
                j = move.inputs[0]
                shape = (-1, rows, -1)
                found[j] = self.shapes[j].lower_slope[:, None].expand(shape).clone()
        return found

    def descend(
        self, i: int, a: Tensor, b: Tensor, alphas: dict[int, Tensor], steps: int
    ) -> dict[int, Tensor]:
        """Better `alphas`, by Adam with steps clipped into [0, 1]; stable ReLUs keep theirs.

        Any choice is sound, so it matters little when the descent stops; the best seen is kept.
        """
        a, b = torch.cat([a, -a]), torch.cat([b, -b])
        free = {j: (self.values[j][0] < 0) & (self.values[j][1] > 0) for j in alphas}
        best, least = alphas, torch.full((len(self.region.radius), len(b)), torch.inf).to(a)
        first = {j: torch.zeros_like(x) for j, x in alphas.items()}
        second = {j: torch.zeros_like(x) for j, x in alphas.items()}
        for k in range(1, steps + 2):
            held = {j: x.requires_grad_() for j, x in alphas.items()}
            with torch.enable_grad():
                slope, offset = self.upper(i, a, b, held)
                index = self.region.index(slope, offset)
                grads = torch.autograd.grad(index.sum(), list(held.values()))
            better = index.detach() < least
            least = torch.where(better, index.detach(), least)
            best = {j: torch.where(better[..., None], x.detach(), best[j]) for j, x in held.items()}
            alphas = {}
            for (j, x), g in zip(held.items(), grads, strict=True):
                g = torch.where(free[j][:, None] & torch.isfinite(g), g, 0.0)
                first[j] = 0.9 * first[j] + 0.1 * g
                second[j] = 0.99 * second[j] + 0.01 * g.square()
                move = first[j] / (1 - 0.9**k) / ((second[j] / (1 - 0.99**k)).sqrt() + 1e-12)
                alphas[j] = (x.detach() - RATE * move).clamp(0.0, 1.0)
                alphas[j] = torch.where(free[j][:, None], alphas[j], x.detach())
        return best

    def upper(
        self, i: int, a: Tensor, b: Tensor, alphas: Mapping[int, Tensor] = NONE
    ) -> tuple[Tensor, Tensor]:
        """slope `(B, r, d)` and offset `(B, r)` with a (value i) + b <= slope . w + offset."""
        batch = len(self.region.radius)
        open_ = {i: a.expand(batch, *a.shape)}
        offset = b.expand(batch, -1)
        size = offset.abs()
        for k in range(i, 0, -1):
            if k not in open_:
                continue
            mine, move = open_.pop(k), self.path[k - 1]
            if isinstance(move, Sum):
                for matrix, j in zip(move.matrices, move.inputs, strict=True):
                    part = mine if matrix is None else mine @ matrix
                    open_[j] = open_[j] + part if j in open_ else part
                if move.offset is not None:
                    c = move.offset
                    offset, size = offset + mine @ c, size + mine.abs() @ c.abs()
            else:
                j = move.inputs[0]
                s = self.shapes[j]
                up, down = mine.clamp(min=0.0), mine.clamp(max=0.0)
                under = alphas[j] if j in alphas else s.lower_slope[:, None]
                part = up * s.upper_slope[:, None] + down * under
                open_[j] = open_[j] + part if j in open_ else part
                above = torch.where(up > 0, up * s.upper_offset[:, None], 0.0)
                below = torch.where(down < 0, down * s.lower_offset[:, None], 0.0)
                offset = offset + (above + below).sum(-1)
                size = size + (above.abs() + below.abs()).sum(-1)
        x = open_.get(0)
        if x is None:
            x = b.new_zeros(batch, len(b), len(self.frame.offset))
        offset = offset + x @ self.frame.offset
        size = size + x.abs() @ self.frame.offset.abs()
        slack = torch.where(torch.isfinite(size), SLACK * size, 0.0)
        return x @ self.frame.matrix, offset + slack
