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
        size = min(self.sample, len(known))
        total = points.new_zeros(len(points))
        everyone = torch.arange(len(points))
        for tree in range(self.trees):
            rng = Rng(self.seed).child("forest", tree)
            rows = torch.randperm(len(known), generator=rng.generator())[:size]
            self._cut(known[rows], points, everyone, 1, math.ceil(math.log2(size)), total, rng)
        return 2.0 ** (-total / self.trees / _average(size))

    def _cut(
        self, known: Tensor, points: Tensor, here: Tensor, node: int, deepest: int,
        total: Tensor, rng: Rng,
    ) -> None:  # fmt: skip
        """Grow a node on `known` and send the points numbered `here` down, adding their depth.

        Nodes are numbered from 1 at the root, 2 i and 2 i + 1 below i; each has random numbers of
        its own, so that branches which no point enters need not be grown.
        """
        if len(here) == 0:
            return
        depth = node.bit_length() - 1
        wide = torch.zeros(0)
        if depth < deepest and len(known) > 1:
            wide = torch.nonzero(known.amax(0) > known.amin(0)).squeeze(1)
        if len(wide) == 0:
            total[here] += depth + _average(len(known))
            return
        which, share = torch.rand(2, generator=rng.child(node).generator()).tolist()
        axis = int(wide[int(which * len(wide))])
        bar = torch.lerp(*known[:, axis].aminmax(), share)
        below, left = known[:, axis] < bar, points[here, axis] < bar
        self._cut(known[below], points, here[left], 2 * node, deepest, total, rng)
        self._cut(known[~below], points, here[~left], 2 * node + 1, deepest, total, rng)


def _average(m: int) -> float:
    """c(m): mean depth of an unsuccessful search in a binary tree of m points."""
    if m < 2:
        return 0.0
    return 2.0 * (math.log(m - 1) + _EULER) - 2.0 * (m - 1) / m if m > 2 else 1.0
