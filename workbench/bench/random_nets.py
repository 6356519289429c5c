"""Random ReLU networks: made, sampled and propagated, and by how much the two part."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workbench import graph as graphs
from workbench import propagation, tails
from workbench.distributions import Piece
from workbench.graph import Graph
from workbench.math.gaussian import cdf
from workbench.models import chain, dense
from workbench.rng import Rng

THIRD = ("augmented", "cumulant", "cumulant4")
"""Propagators of third cumulants: their P(y_i > 3) is read by the saddlepoint tail."""

_LEVEL = 3.0
_BATCH = 4096
_REPEATS, _LONG = 7, 0.4


def random_net(width: int, hidden: int, rng: Rng, ends: bool = False) -> nn.Module:
    """A bias-free ReLU network R^n -> R^n: weights N(0, 1/n) in the first layer, then N(0, 2/n).

    Args:
        ends: whether its last layer is a ReLU, the `hidden`-th, and every weight N(0, 2/n).
    """
    generator = rng.generator()
    parts: list[nn.Module] = []
    for i in range(hidden + (not ends)):
        weight = torch.randn(width, width, generator=generator, dtype=torch.float32)
        parts.append(dense(weight * ((2.0 if i or ends else 1.0) / width) ** 0.5))
        if i < hidden:
            parts.append(nn.ReLU())
    return chain(parts).requires_grad_(False)


@dataclass(frozen=True, eq=False)
class Sample:
    """What draws of x ~ N(0, I) say of every output.

    Args:
        mean: `(n,)`.
        var: `(n,)`.
        beyond: `(n,)`: the share of draws in which it is above 3.
        draws: in all.
        seconds: CPU seconds a draw, its counting not included.
    """

    mean: Tensor
    var: Tensor
    beyond: Tensor
    draws: int
    seconds: float


def sampled(net: nn.Module, width: int, draws: int, rng: Rng) -> Sample:
    """Moments and tails of every output by plain sampling, in float32."""
    generator = rng.generator()
    total = torch.zeros(width, dtype=torch.float64)
    squares = torch.zeros_like(total)
    beyond = torch.zeros_like(total)
    spent = []
    for _ in range(draws // _BATCH):
        start = time.process_time()
        y = net(torch.randn(_BATCH, width, generator=generator, dtype=torch.float32))
        mean = y.mean(0)
        spent.append(time.process_time() - start)
        beyond += (y > _LEVEL).double().mean(0)
        total += mean.double()
        squares += y.square().mean(0, dtype=torch.float64)
    batches = len(spent)
    mean = total / batches
    var = (squares / batches - mean.square()) * (draws / (draws - 1))
    return Sample(mean, var, beyond / batches, draws, statistics.median(spent) / _BATCH)


def _standard(width: int) -> Piece:
    zero = torch.zeros(width, dtype=torch.float32)
    return Piece(zero[0], zero, torch.ones_like(zero))


def means(propagator: propagation.Propagator, graph: Graph, width: int) -> Tensor:
    """E M(x), `(n,)`; where the last layer is linear its covariance is never formed."""
    *before, last = graph.nodes
    if isinstance(last.op, graphs.Linear):
        return last.op.weight @ propagator.laws(Graph(tuple(before)), _standard(width))[-1][0]
    return propagator.laws(graph, _standard(width))[-1][0]


def tail_probabilities(propagator: propagation.Propagator, graph: Graph, width: int) -> Tensor:
    """P(y_i > 3) from the weights, `(n,)`."""
    zero = torch.zeros(width, dtype=torch.float32)
    law, _ = propagator.law(graph, _standard(width), torch.diag(zero + 1.0), zero - _LEVEL)
    tail = tails.Saddlepoint() if propagator.name in THIRD else tails.Gaussian()
    return cdf(tail.index(law).double())


def tail_error(
    estimate: Tensor, judge: Tensor, truth: Tensor, draws: int, within: tuple[float, float]
) -> float | None:
    """Relative RMSE of tail probabilities, over those that `judge` puts within two bounds.

    The sampled truth's own variance P / draws is taken away. None where there are none.
    """
    rare = (judge >= within[0]) & (judge < within[1])
    if not bool(rare.any()):
        return None
    p, q, scale = estimate[rare], truth[rare], judge[rare]
    square = ((p - q) / scale).square().mean() - (q / draws / scale.square()).mean()
    return float(torch.clamp(square, min=0.0).sqrt())


def normalised_error(estimate: Tensor, truth: Sample) -> float:
    """mean_i (estimate_i - mean_i)^2 / mean_i var_i - 1/draws.

    The last term takes away what the sampled mean's own variance var_i / draws adds.
    """
    square = (estimate.double() - truth.mean).square().mean()
    return float(square / truth.var.mean()) - 1.0 / truth.draws


def cpu_seconds(
    work: Callable[[], Any],
    repeats: int = _REPEATS,
    long: float = _LONG,
    clock: Callable[[], float] = time.process_time,
) -> float:
    """Median CPU seconds of a call, after two that warm up; of fewer calls where they are long.

    Args:
        long: seconds after which no further call is begun, once one was measured.
        clock: CPU seconds so far; `time.thread_time` beside other threads that work.
    """
    spent = []
    for i in range(repeats + 2):
        start = clock()
        work()
        if i >= 2:
            spent.append(clock() - start)
        if sum(spent) > long:
            break
    return statistics.median(spent)
