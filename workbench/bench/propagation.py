"""Propagated means of random ReLU networks against sampling of equal CPU time."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workbench import graph as graphs
from workbench import propagation, tails
from workbench.bench.base import Bench, Column, Report, Row
from workbench.distributions import Piece
from workbench.graph import Graph
from workbench.math.gaussian import cdf
from workbench.models import chain, dense
from workbench.propagation import Cumulant4
from workbench.rng import Rng

SIZES = ((64, 2), (64, 4), (128, 2), (128, 4), (256, 2), (256, 4))
"""Width, and number of hidden layers, of which figures were published."""
NARROW = (32, 3)
"""For propagators that go no wider."""

PUBLISHED = {
    "covariance": dict(zip(SIZES, (9.7e-5, 7.1e-4, 1.8e-5, 1.7e-4, 4.5e-6, 4.9e-5), strict=True)),
    "cumulant": dict(zip(SIZES, (3.4e-6, 5.2e-5, 3.8e-7, 3.9e-6, 2e-8, 6.2e-7), strict=True)),
}
"""vnMSE of K = 2 and of factored K = 3 in the reference implementation of arXiv 2605.05179."""

THIRD = ("augmented", "cumulant", "cumulant4")
"""Propagators of third cumulants: their P(y_i > 3) is read by the saddlepoint tail."""

_LEVEL, _RARE = 3.0, (1e-4, 1e-3)

_BATCH = 4096
_REPEATS = 7


@dataclass(frozen=True)
class Scale:
    """How much is measured: networks a row, and draws of the sampled reference."""

    nets: int
    draws: dict[tuple[int, int], int]


FULL = Scale(40, {s: (1 << 18 if s in (NARROW, (256, 2)) else 1 << 17) for s in (NARROW, *SIZES)})
QUICK = Scale(3, dict.fromkeys((NARROW, *SIZES[:2]), 1 << 15))


def random_net(width: int, hidden: int, rng: Rng) -> nn.Module:
    """A bias-free ReLU network R^n -> R^n: weights N(0, 1/n) in the first layer, then N(0, 2/n)."""
    generator = rng.generator()
    parts: list[nn.Module] = []
    for i in range(hidden + 1):
        weight = torch.randn(width, width, generator=generator, dtype=torch.float32)
        parts.append(dense(weight * ((2.0 if i else 1.0) / width) ** 0.5))
        if i < hidden:
            parts.append(nn.ReLU())
    return chain(parts).requires_grad_(False)


def sampled(net: nn.Module, width: int, draws: int, rng: Rng) -> tuple[Tensor, Tensor, float]:
    """Mean and variance of every output over x ~ N(0, I), and the CPU seconds a draw takes."""
    generator = rng.generator()
    total = torch.zeros(width, dtype=torch.float64)
    squares = torch.zeros_like(total)
    spent = []
    for _ in range(draws // _BATCH):
        start = time.process_time()
        y = net(torch.randn(_BATCH, width, generator=generator, dtype=torch.float32))
        mean = y.mean(0)
        spent.append(time.process_time() - start)
        y, mean = y.double(), mean.double()
        total += mean
        squares += y.square().mean(0)
    batches = len(spent)
    mean = total / batches
    var = (squares / batches - mean.square()) * (draws / (draws - 1))
    return mean, var, statistics.median(spent) / _BATCH


def means(propagator: propagation.Propagator, graph: Graph, width: int) -> Tensor:
    """E M(x), `(n,)`; the last layer is linear, so its covariance is never formed."""
    zero = torch.zeros(width, dtype=torch.float32)
    piece = Piece(zero[0], zero, torch.ones_like(zero))
    *before, last = graph.nodes
    op = last.op
    assert isinstance(op, graphs.Linear)
    return op.weight @ propagator.laws(Graph(tuple(before)), piece)[-1][0]


def exceeding(net: nn.Module, width: int, draws: int, rng: Rng) -> Tensor:
    """The share of draws in which each output is above 3, `(n,)`."""
    generator = rng.generator()
    total = torch.zeros(width, dtype=torch.float64)
    for _ in range(draws // _BATCH):
        y = net(torch.randn(_BATCH, width, generator=generator, dtype=torch.float32))
        total += (y > _LEVEL).double().mean(0)
    return total / (draws // _BATCH)


def tail_probabilities(propagator: propagation.Propagator, graph: Graph, width: int) -> Tensor:
    """P(y_i > 3) from the weights, `(n,)`."""
    zero = torch.zeros(width, dtype=torch.float32)
    piece = Piece(zero[0], zero, torch.ones_like(zero))
    law, _ = propagator.law(graph, piece, torch.diag(zero + 1.0), zero - _LEVEL)
    tail = tails.Saddlepoint() if propagator.name in THIRD else tails.Gaussian()
    return cdf(tail.index(law).double())


def tail_error(estimate: Tensor, judge: Tensor, sampled: Tensor, draws: int) -> float | None:
    """Relative RMSE of tail probabilities, over those that `judge` puts at 1e-4 to 1e-3.

    The sampled ones' own variance P / draws is taken away. None where there are none.
    """
    rare = (judge >= _RARE[0]) & (judge < _RARE[1])
    if not bool(rare.any()):
        return None
    p, q, scale = estimate[rare], sampled[rare], judge[rare]
    square = ((p - q) / scale).square().mean() - (q / draws / scale.square()).mean()
    return float(torch.clamp(square, min=0.0).sqrt())


def normalised_error(estimate: Tensor, mean: Tensor, var: Tensor, draws: int) -> float:
    """mean_i (estimate_i - mean_i)^2 / mean_i var_i - 1/draws.

    The last term takes away what the sampled mean's own variance var_i / draws adds.
    """
    return float((estimate.double() - mean).square().mean() / var.mean()) - 1.0 / draws


def cpu_seconds(work: Callable[[], Any], repeats: int = _REPEATS) -> float:
    """Median CPU seconds of a call, after two that warm up."""
    spent = []
    for i in range(repeats + 2):
        start = time.process_time()
        work()
        if i >= 2:
            spent.append(time.process_time() - start)
    return statistics.median(spent)


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a size and propagator, on one thread, in float32."""
    scale = QUICK if quick else FULL
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            for i, (size, draws) in enumerate(scale.draws.items()):
                yield from _rows(size, draws, scale, report, i)
    finally:
        torch.set_num_threads(threads)


def _rows(size: tuple[int, int], draws: int, scale: Scale, report: Report, i: int) -> Iterator[Row]:
    width, hidden = size
    methods = [cls() for cls in propagation.ALL if cls is not Cumulant4 or width <= Cumulant4.most]
    errors: dict[str, list[float]] = {m.name: [] for m in methods}
    spent: dict[str, list[float]] = {m.name: [] for m in methods}
    chances: dict[str, list[Tensor]] = {m.name: [] for m in methods}
    per_draw, hits = [], []
    for k in range(scale.nets):
        report((i + k / scale.nets) / len(scale.draws), f"{width} x {hidden}, network {k + 1}")
        rng = Rng(k).child("random relu", width, hidden)
        net = random_net(width, hidden, rng.child("weights"))
        mean, var, seconds = sampled(net, width, draws, rng.child("inputs"))
        per_draw.append(seconds)
        hits.append(exceeding(net, width, draws, rng.child("tails")))
        graph = graphs.read(net)
        for method in methods:
            chances[method.name].append(tail_probabilities(method, graph, width))
            errors[method.name].append(
                normalised_error(means(method, graph, width), mean, var, draws)
            )
            spent[method.name].append(cpu_seconds(lambda m=method, g=graph: means(m, g, width)))
    for method in methods:
        name = method.name
        vnmse, cpu = statistics.fmean(errors[name]), statistics.median(spent[name])
        # Sampling's vnMSE is one over the draws that the same CPU time pushes through.
        equal_time = statistics.median(per_draw) / cpu
        yield {
            "size": f"{width} x {hidden}",
            "propagator": name,
            "nets": scale.nets,
            "vnmse": vnmse,
            "vnmse_se": statistics.stdev(errors[name]) / scale.nets**0.5,
            "published": PUBLISHED.get(name, {}).get(size),
            "cpu_ms": 1e3 * cpu,
            "draw_us": 1e6 * statistics.median(per_draw),
            "ratio": equal_time / vnmse if vnmse > 0 else None,
            "tail": tail_error(
                torch.cat(chances[name]), torch.cat(chances["cumulant"]), torch.cat(hits), draws
            ),
        }


def conclude(rows: list[Row]) -> Iterator[str]:
    """What the columns are."""
    nets = rows[0]["nets"] if rows else 0
    yield (
        f"Width x hidden layers, {nets} bias-free random networks a row, x ~ N(0, I), one thread, "
        "float32."
    )
    yield (
        "vnMSE: squared error of the output means over the outputs' variance. Ratio: vnMSE of "
        "sampling for the same CPU time over the method's."
    )
    yield (
        "Tail error: relative RMSE of P(output > 3) over the outputs where it is 1e-4 to 1e-3 "
        "(by `cumulant`); the saddlepoint tail reads propagators of third cumulants, the Gaussian "
        "the others."
    )


PROPAGATION = Bench(
    name="propagation",
    about="output means and tails of random ReLU networks: error, CPU time, ratio to sampling",
    columns=(
        Column("size", "network"),
        Column("propagator", "propagator"),
        Column("vnmse", "vnMSE", "small"),
        Column("vnmse_se", "±", "small"),
        Column("published", "published", "small"),
        Column("cpu_ms", "CPU ms", "ms"),
        Column("ratio", "ratio", "small"),
        Column("tail", "tail error", "small"),
    ),
    run=run,
    conclude=conclude,
    sections=("size",),
)
