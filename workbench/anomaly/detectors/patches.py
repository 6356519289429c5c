"""Local outliers among the effects of patching single neurons."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.anomaly.detectors.base import Detector, layers_of, standardised
from workbench.anomaly.inner import Inner, inner
from workbench.errors import BadInput
from workbench.problem import Problem


@dataclass(frozen=True)
class Patches(Detector):
    """Local outlier factor of e(x), e_i = s(x) - s(x with neuron i at its trusted mean).

    Every neuron behind an activation is patched by itself and the margins s are computed anew; an
    input is odd where its effects are thinly surrounded by trusted ones, compared with how these
    are surrounded (Breunig et al. 2000; features as in Johnston et al., arXiv 2504.08812).

    Args:
        neighbours: that the local density is taken from.
        most: trusted inputs that are compared with.
    """

    neighbours: int = 20
    most: int = 1000
    name: ClassVar[str] = "patch_outlier"

    def __post_init__(self) -> None:
        if not 1 <= self.neighbours < self.most:
            raise BadInput("patch_outlier needs fewer neighbours than trusted inputs, and one")

    def scores(self, problem: Problem, trusted: Tensor, inputs: Tensor) -> Tensor:
        known = trusted[: self.most]
        parts = [inner(problem, i) for i in layers_of(problem)]
        effects = [
            torch.cat([patched(p, x, p.value(known).mean(0)) for p in parts], 1)
            for x in (known, inputs)
        ]
        return local_outlier(*standardised(*effects), min(self.neighbours, len(known) - 1))


@torch.no_grad()
def patched(part: Inner, x: Tensor, mean: Tensor) -> Tensor:
    """Effects `(batch, n * r)` on the margins of putting each neuron of a layer at its mean."""
    h = part.value(x)
    seen = part.margins(h)
    effects = []
    for i in range(h.shape[1]):
        other = h.clone()
        other[:, i] = mean[i]
        effects.append(seen - part.margins(other))
    return torch.cat(effects, 1)


def local_outlier(known: Tensor, points: Tensor, k: int) -> Tensor:
    """Local outlier factor `(m,)` of points `(m, n)` among `known` `(l, n)`, k < l neighbours.

    LOF = mean over neighbours o of density(o) / density(x); density = 1 / mean reach distance,
    reach(x, o) = max(|x - o|, distance of o to its own k-th neighbour). About 1 for inliers.
    """
    own = torch.cdist(known, known)
    own.fill_diagonal_(torch.inf)
    near, who = own.topk(k, largest=False)
    radius = near[:, -1]
    density = 1.0 / torch.maximum(near, radius[who]).mean(1).clamp(min=1e-12)
    far, which = torch.cdist(points, known).topk(k, largest=False)
    here = 1.0 / torch.maximum(far, radius[which]).mean(1).clamp(min=1e-12)
    return density[which].mean(1) / here
