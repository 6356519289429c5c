"""What the heat-flow defect of output means tells of their error, on random networks."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench import graph as graphs
from workbench import propagation
from workbench.bench.base import Bench, Column, Report, Row
from workbench.bench.random_nets import random_net, sampled
from workbench.coherence import mean_defect
from workbench.distributions import Piece
from workbench.rng import Rng


@dataclass(frozen=True)
class Nets:
    """Networks a row, and draws for the truth of each."""

    sizes: tuple[tuple[int, int], ...]
    nets: int
    draws: int


FULL = Nets(((16, 2), (16, 3), (64, 2), (64, 4), (128, 2)), 20, 1 << 19)
QUICK = Nets(((16, 2),), 3, 1 << 16)
_NOTHING = 0.8  # of the MSE left
_FOURTH = 16  # widest network whose fourth cumulants are formed at all of its shifted D


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a size and propagator: the defect delta of output means against their error."""
    scale = QUICK if quick else FULL
    for i, (width, hidden) in enumerate(scale.sizes):
        chosen = {p.name: p for p in (cls() for cls in propagation.ALL)}
        if width > _FOURTH:
            del chosen["cumulant4"]
        pairs: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in chosen}
        spreads = []
        for k in range(scale.nets):
            report((i + k / scale.nets) / len(scale.sizes), f"{width} x {hidden}, network {k}")
            rng = Rng(k).child("heat", width, hidden)
            net = random_net(width, hidden, rng.child("net"))
            truth = sampled(net, width, scale.draws, rng.child("x"))
            spreads.append(truth.var)
            graph = graphs.read(net.double())
            for name, propagator in chosen.items():

                def means(
                    m: Tensor, graph: graphs.Graph = graph, p: propagation.Propagator = propagator
                ) -> Tensor:
                    piece = Piece(m.new_zeros(()), m, m.new_ones(m.shape[1]), uncorrelated=True)
                    return p.laws(graph, piece)[-1][0]

                e, delta = mean_defect(means, width)
                pairs[name].append((e - truth.mean, delta))
        for name, found in pairs.items():
            error, delta = (torch.stack(x) for x in zip(*found, strict=True))
            yield {
                "size": f"{width} x {hidden}",
                "propagator": name,
                **energy(error, delta, torch.stack(spreads), scale.draws),
            }


def energy(error: Tensor, delta: Tensor, variance: Tensor, draws: int) -> Row:
    """How much of the error's energy the defect explains; the sampled truth's own is taken off.

    An error that the sampled truth does not tell from 0, or a defect of 0, explains nothing: what
    would divide by it is None.

    Args:
        error: e - truth, delta: the defect, variance: of the outputs; each `(nets, outputs)`.
    """
    noise = float(variance.mean()) / draws
    own = float(error.square().mean()) - noise
    square, both = float(delta.square().mean()), float((error * delta).mean())
    told: Row = {"vnmse": own / float(variance.mean())}
    if own <= 0.0 or square == 0.0:
        return told | dict.fromkeys(("correlation", "explained", "c", "left"))
    explained = both * both / (own * square)
    return told | {
        "correlation": both / math.sqrt(own * square),
        "explained": explained,
        "c": -both / square,
        "left": max(0.0, 1.0 - explained),
    }


def conclude(rows: list[Row]) -> Iterator[str]:
    """What the columns are."""
    yield (
        "Bias-free random ReLU networks, x ~ N(0, I). delta = Laplacian of the estimated output "
        "means in the mean of D, less the estimate: 0 for the truth. Explained: the share of the "
        "error's energy that is along delta. Left: MSE of e + c delta over that of e, one c a row."
    )
    kept = [r for r in rows if r["left"] is not None and r["left"] > _NOTHING]
    if kept:
        named = "; ".join(f"{r['propagator']} at {r['size']}" for r in kept)
        yield (
            f"The correction gains next to nothing for {named}: where cumulants that no series "
            "follows are cut, the estimate has kinks, and second differences see those."
        )


HEAT = Bench(
    name="heat",
    about="output means of random networks: the heat-flow defect against the error; e + c delta",
    columns=(
        Column("size", "network"),
        Column("propagator", "propagator"),
        Column("vnmse", "vnMSE", "small"),
        Column("correlation", "correlation", "error"),
        Column("explained", "explained", "small"),
        Column("c", "c", "error"),
        Column("left", "left", "small"),
    ),
    run=run,
    conclude=conclude,
    sections=("size",),
)
