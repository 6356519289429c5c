"""Every neuron of every layer twice over: as covariance propagation has it, and as it is seen."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.distributions import Moments as HasMoments
from workbench.distributions import Piece, Sampleable
from workbench.errors import Unsupported
from workbench.graph import Graph
from workbench.graph.base import activations_of
from workbench.graph.operations.elementwise import Elementwise
from workbench.problem import Problem
from workbench.propagation import Covariance
from workbench.rng import Rng

DRAWS = 16_384
_BLOCK = 2_048


@dataclass(frozen=True, eq=False)
class Layer:
    """One value of M: predicted and seen moments of each of its neurons, `(n,)` each."""

    name: str
    predicted_mean: Tensor
    predicted_std: Tensor
    seen_mean: Tensor
    seen_std: Tensor
    draws: int

    @property
    def moved(self) -> Tensor:
        """`(n,)`: whether the neuron was seen to take more than one value."""
        return self.seen_std > 1e-12 * (1.0 + self.seen_mean.abs())

    @property
    def unit(self) -> Tensor:
        """0-d: root mean square of the seen standard deviations of the layer."""
        return self.seen_std.square().mean().sqrt()

    @property
    def mean_error(self) -> Tensor:
        """(predicted - seen mean) / unit; NaN where the neuron never moved."""
        return torch.where(self.moved, (self.predicted_mean - self.seen_mean) / self.unit, math.nan)

    @property
    def std_error(self) -> Tensor:
        """(predicted - seen standard deviation) / unit; NaN where the neuron never moved."""
        return torch.where(self.moved, (self.predicted_std - self.seen_std) / self.unit, math.nan)

    @property
    def noise(self) -> float:
        """Standard error of the mean of a typical neuron, in the same unit: 1 / sqrt(draws)."""
        return 1.0 / math.sqrt(self.draws)


@torch.no_grad()
def layers(problem: Problem, seed: int, draws: int = DRAWS) -> tuple[Layer, ...]:
    """The layers of M from its input to its output, by `Covariance` and by `draws` samples.

    The pieces of a mixture D are joined by the law of total variance.

    Raises:
        Unsupported: where M cannot be read, or D has no moments or cannot be sampled.
    """
    d = problem.distribution
    if not (isinstance(d, HasMoments) and isinstance(d, Sampleable)):
        raise Unsupported(
            f"a look at the layers under the distribution {d.name!r}",
            "it takes one that has moments and can be sampled",
        )
    graph = problem.graph
    predicted = _predicted(graph, d.pieces())
    seen = _seen(graph, (
        d.sample(min(_BLOCK, draws - start), Rng(seed).child("layers", start).generator())
        for start in range(0, draws, _BLOCK)
    ))  # fmt: skip
    names = ["input", *(f"{i} {_kind(node.op)}" for i, node in enumerate(graph.nodes[1:], 1))]
    return tuple(
        Layer(name, mean, std, own_mean, own_std, draws)
        for name, (mean, std), (own_mean, own_std) in zip(names, predicted, seen, strict=True)
    )


def _kind(op: object) -> str:
    """What a reader calls an operation: the activation's own name where it is one."""
    return op.activation if isinstance(op, Elementwise) else type(op).__name__.lower()


def _predicted(graph: Graph, pieces: tuple[Piece, ...]) -> list[tuple[Tensor, Tensor]]:
    weight = torch.softmax(torch.stack([p.log_weight.detach() for p in pieces]), 0)[:, None]
    by_piece = [Covariance().laws(graph, p) for p in pieces]
    joined = []
    for laws in zip(*by_piece, strict=True):
        means = torch.stack([mean for mean, _ in laws])
        variances = torch.stack([var for _, var in laws])
        mean = (weight * means).sum(0)
        var = (weight * (variances + (means - mean).square())).sum(0)
        joined.append((mean, var.clamp(min=0.0).sqrt()))
    return joined


def _seen(graph: Graph, blocks: Iterable[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Mean and standard deviation of every value, about the first block's mean."""
    pivots: list[Tensor] = []
    sums: list[tuple[Tensor, Tensor]] = []
    n = 0
    for x in blocks:
        values = activations_of(graph, x)
        pivots = pivots or [v.mean(0) for v in values]
        own = [
            ((v - p).sum(0), (v - p).square().sum(0)) for v, p in zip(values, pivots, strict=True)
        ]
        sums = [(a + c, b + e) for (a, b), (c, e) in zip(sums, own, strict=True)] if sums else own
        n += len(x)
    return [
        (p + a / n, ((b - a.square() / n) / (n - 1)).clamp(min=0.0).sqrt())
        for p, (a, b) in zip(pivots, sums, strict=True)
    ]
