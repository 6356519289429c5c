"""Isolation forest."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.anomaly.detectors.base import Detector, hidden
from workbench.errors import BadInput
from workbench.problem import Problem
from workbench.rng import Rng

_EULER = 0.5772156649015329


@dataclass(frozen=True)
class IsolationForest(Detector):
    """2^(-E depth / c(sample)): inputs that random cuts isolate soon are odd (Liu et al. 2008).

    Trees of random cuts grow on subsamples of trusted hidden activations, to depth
    log2(sample); a leaf of m points counts c(m) more, c(m) = 2 H_{m-1} - 2 (m - 1) / m.

    Args:
        trees: how many.
        sample: trusted inputs a tree.
        seed: of subsamples and cuts.
    """

    trees: int = 100
    sample: int = 256
    seed: int = 0
    name: ClassVar[str] = "isolation_forest"

    def __post_init__(self) -> None:
        if self.trees < 1 or self.sample < 2:
            raise BadInput("an isolation forest needs a tree and two inputs a tree")

    def scores(self, problem: Problem, trusted: Tensor, inputs: Tensor) -> Tensor:
        seen = torch.cat(hidden(problem, trusted), 1)
        return self.isolation(seen, torch.cat(hidden(problem, inputs), 1))

    def isolation(self, known: Tensor, points: Tensor) -> Tensor:
        """Scores `(m,)` of points `(m, n)` by a forest grown on `known` `(k, n)`."""
        g = Rng(self.seed).child("forest").generator()
        size = min(self.sample, len(known))
        deepest = math.ceil(math.log2(size))
        total = points.new_zeros(len(points))
        everyone = torch.arange(len(points))
        for _ in range(self.trees):
            rows = torch.randperm(len(known), generator=g)[:size]
            self._cut(known[rows], points, everyone, 0, deepest, total, g)
        return 2.0 ** (-total / self.trees / _average(size))

    def _cut(
        self, known: Tensor, points: Tensor, here: Tensor, depth: int, deepest: int,
        total: Tensor, g: torch.Generator,
    ) -> None:  # fmt: skip
        """Grow one node on `known` and send the points numbered `here` down, adding their depth."""
        if len(here) == 0:
            return
        low, high = known.amin(0), known.amax(0)
        open_ = torch.nonzero(high > low).squeeze(1)
        if depth == deepest or len(known) < 2 or len(open_) == 0:
            total[here] += depth + _average(len(known))
            return
        axis = int(open_[int(torch.randint(len(open_), (), generator=g))])
        share = float(torch.rand((), generator=g))
        bar = float(low[axis]) + share * float(high[axis] - low[axis])
        below, left = known[:, axis] < bar, points[here, axis] < bar
        self._cut(known[below], points, here[left], depth + 1, deepest, total, g)
        self._cut(known[~below], points, here[~left], depth + 1, deepest, total, g)


def _average(m: int) -> float:
    """c(m): mean depth of an unsuccessful search in a binary tree of m points."""
    if m < 2:
        return 0.0
    return 2.0 * (math.log(m - 1) + _EULER) - 2.0 * (m - 1) / m if m > 2 else 1.0
