"""Propagated means and tails of random ReLU networks against sampling of equal CPU time."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench import graph as graphs
from workbench import propagation
from workbench.bench.base import Bench, Column, Report, Row, one_thread
from workbench.bench.random_nets import (
    cpu_seconds,
    means,
    normalised_error,
    random_net,
    sampled,
    tail_error,
    tail_probabilities,
)
from workbench.propagation import Cumulant4
from workbench.rng import Rng

SIZES = ((64, 2), (64, 4), (128, 2), (128, 4), (256, 2), (256, 4))
"""Width, and number of hidden layers, of which figures were published."""
NARROW = (32, 3)
"""For propagators that go no wider."""
TAILS = (256, 3)
"""With draws enough for P of 1e-5."""
ENDS = (256, 8)
"""Whose last layer is a ReLU."""
DEEP = (256, 32)

PUBLISHED = {
    "covariance": dict(zip(SIZES, (9.7e-5, 7.1e-4, 1.8e-5, 1.7e-4, 4.5e-6, 4.9e-5), strict=True)),
    "cumulant": dict(zip(SIZES, (3.4e-6, 5.2e-5, 3.8e-7, 3.9e-6, 2e-8, 6.2e-7), strict=True)),
}
"""vnMSE of K = 2 and of factored K = 3 in the reference implementation of arXiv 2605.05179."""

_RARE, _RARER = (1e-4, 1e-3), (1e-5, 1e-4)
_ENOUGH = 1 << 19  # draws for the rarer ones


@dataclass(frozen=True)
class Amount:
    """How many networks a row, and how many draws for the sampled truth of each."""

    nets: int
    draws: int


FULL = {
    NARROW: Amount(20, 1 << 17),
    **dict.fromkeys(SIZES[:4], Amount(40, 1 << 16)),
    (256, 2): Amount(10, 1 << 17),
    (256, 4): Amount(10, 1 << 19),
    TAILS: Amount(6, 1 << 20),
    ENDS: Amount(6, 1 << 18),
    DEEP: Amount(3, 1 << 14),
}
QUICK = dict.fromkeys((NARROW, *SIZES[:2]), Amount(3, 1 << 15))


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a size and propagator, on one thread, in float32."""
    amounts = QUICK if quick else FULL
    with one_thread(), torch.inference_mode():
        for i, (size, amount) in enumerate(amounts.items()):

            def told(share: float, what: str, i: int = i) -> None:
                report((i + share) / len(amounts), what)

            yield from _rows(size, amount, told)


def _rows(size: tuple[int, int], amount: Amount, report: Report) -> Iterator[Row]:
    width, hidden = size
    methods = [cls() for cls in propagation.ALL if cls is not Cumulant4 or width <= Cumulant4.most]
    found: dict[str, list[Row]] = {m.name: [] for m in methods}
    chances: dict[str, list[Tensor]] = {m.name: [] for m in methods}
    per_draw, spreads, hits = [], [], []
    for k in range(amount.nets):
        report(k / amount.nets, f"{width} x {hidden}, network {k + 1}")
        rng = Rng(k).child("random relu", width, hidden)
        net = random_net(width, hidden, rng.child("weights"), ends=size == ENDS)
        truth = sampled(net, width, amount.draws, rng.child("inputs"))
        per_draw.append(truth.seconds)
        spreads.append(float(truth.var.mean()))
        hits.append(truth.beyond)
        graph = graphs.read(net)
        for m in methods:
            error = normalised_error(means(m, graph, width), truth)
            cpu = cpu_seconds(lambda m=m, g=graph: means(m, g, width))
            found[m.name].append({"error": error, "cpu": cpu})
            if size not in (ENDS, DEEP):
                chances[m.name].append(tail_probabilities(m, graph, width))
    for name, mine in found.items():
        errors = [r["error"] for r in mine]
        vnmse, cpu = statistics.fmean(errors), statistics.median(r["cpu"] for r in mine)
        row: Row = {
            "size": f"{width} x {hidden}" + (", ReLU" if size == ENDS else ""),
            "propagator": name,
            "nets": amount.nets,
            "vnmse": vnmse,
            "vnmse_se": statistics.stdev(errors) / amount.nets**0.5,
            "published": PUBLISHED.get(name, {}).get(size),
            "mse": statistics.fmean(e * v for e, v in zip(errors, spreads, strict=True)),
            "cpu_ms": 1e3 * cpu,
            "draw_us": 1e6 * statistics.median(per_draw),
            # Sampling's vnMSE is one over the draws that the same CPU time pushes through.
            "ratio": statistics.median(per_draw) / cpu / vnmse if vnmse > 0 else None,
        }
        if chances[name]:
            p, judge, q = (torch.cat(x) for x in (chances[name], chances["cumulant"], hits))
            row["tail"] = tail_error(p, judge, q, amount.draws, _RARE)
            if amount.draws >= _ENOUGH:
                row["far_tail"] = tail_error(p, judge, q, amount.draws, _RARER)
        yield row


def conclude(rows: list[Row]) -> Iterator[str]:
    """What the columns are, and where sampling is better."""
    yield (
        "Width x hidden layers of bias-free random networks, x ~ N(0, I), one thread, float32; "
        "over the means of the linear outputs, or of the last ReLU where it says so."
    )
    yield (
        "vnMSE: squared error of those means over the outputs' variance, the sampled truth's own "
        "taken away: below twice its ± it is not told from 0. Ratio: vnMSE of sampling for the "
        "same CPU time over the method's."
    )
    lost: dict[str, list[str]] = {}
    for r in rows:
        if r["ratio"] is not None and r["ratio"] < 1.0:
            lost.setdefault(r["propagator"], []).append(r["size"])
    for name, sizes in lost.items():
        yield f"Sampling for the same time is better than {name} at {'; '.join(sizes)}."
    yield (
        "Tail error: relative RMSE of P(output > 3) over the outputs where it is 1e-4 to 1e-3, "
        "and 1e-5 to 1e-4, by `cumulant`; the saddlepoint tail reads propagators of third "
        "cumulants, the Gaussian the others."
    )


PROPAGATION = Bench(
    name="propagation",
    about="output means and tails of random ReLU networks: error, CPU time, ratio to sampling",
    columns=(
        Column("size", "network"),
        Column("propagator", "propagator"),
        Column("nets", "nets", "count"),
        Column("vnmse", "vnMSE", "small"),
        Column("vnmse_se", "±", "small"),
        Column("published", "published", "small"),
        Column("mse", "MSE", "small"),
        Column("cpu_ms", "CPU ms", "ms"),
        Column("ratio", "ratio", "small"),
        Column("tail", "tail error", "small"),
        Column("far_tail", "far tail", "small"),
    ),
    run=run,
    conclude=conclude,
    sections=("size",),
)
