"""Students distilled from propagated moments against students distilled from draws."""

import statistics
import time
from collections.abc import Iterator

import torch

from workbench import propagation
from workbench.bench.base import Bench, Column, Report, Row, one_thread
from workbench.bench.random_nets import cpu_seconds
from workbench.distributions import Gaussian
from workbench.models import chain, dense
from workbench.rng import Rng
from workbench.training.distillation import beside, propagated, sampled

SIZES = ((64, 1), (128, 1), (256, 1), (64, 2), (128, 2), (256, 2), (256, 4), (64, 8))
"""Width of the teacher, and its hidden layers."""
QUICK = ((64, 1), (64, 2), (64, 8))
OUTPUTS, NARROWER = 16, 4
METHODS = ("covariance", "augmented", "cumulant")
_NETS, _REPEATS, _TRUTH = 3, 3, 1 << 17


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a size and propagator, on one thread, in float32."""
    sizes = QUICK if quick else SIZES
    with one_thread():
        for i, size in enumerate(sizes):
            report(i / len(sizes), f"{size[0]} x {size[1]}")
            yield from _rows(*size, nets=1 if quick else _NETS, truth=_TRUTH >> 2 * quick)


def _net(widths: list[int], rng: Rng, ends: bool) -> torch.nn.Module:
    """Bias-free, weights N(0, 1/n) in the first layer, then N(0, 2/n); a ReLU last if `ends`."""
    generator, parts = rng.generator(), []
    for i in range(len(widths) - 1):
        gain = (2.0 if i else 1.0) / widths[i]
        weight = torch.randn(widths[i + 1], widths[i], generator=generator) * gain**0.5
        parts.append(dense(weight))
        if ends or i < len(widths) - 2:
            parts.append(torch.nn.ReLU())
    return chain(parts).requires_grad_(False)


def pair(width: int, hidden: int, rng: Rng) -> tuple[torch.nn.Module, torch.nn.Module]:
    """A random teacher, and a student of a quarter of its width up to its last hidden layer.

    Args:
        width: of the teacher's hidden layers and of its input; it has 16 outputs.
        hidden: layers of both.
    """
    teacher = _net([width] * (hidden + 1) + [OUTPUTS], rng.child("teacher"), False)
    student = _net([width] + [width // NARROWER] * hidden, rng.child("student"), True)
    return teacher, student


def _rows(width: int, hidden: int, nets: int, truth: int) -> Iterator[Row]:
    found: dict[str, list[Row]] = {name: [] for name in METHODS}
    d = Gaussian(torch.zeros(width), torch.ones(width))
    for k in range(nets):
        rng = Rng(k).child("distillation", width, hidden)
        joint = beside(*pair(width, hidden, rng))
        start = time.process_time()
        known = sampled(joint, OUTPUTS, d, truth, rng.child("truth"))
        per_draw = (time.process_time() - start) / truth
        least, whole = known.left()
        for cls in propagation.ALL:
            if cls.name not in METHODS:
                continue

            def work(p: propagation.Propagator = cls(), j=joint):  # noqa: B008
                return propagated(j, OUTPUTS, d, p).readout()

            cpu = cpu_seconds(work, repeats=3)
            mine = known.excess(*work())
            draws = max(int(cpu / per_draw), width // NARROWER + 2)
            theirs = [
                known.excess(*sampled(joint, OUTPUTS, d, draws, rng.child("draws", r)).readout())
                for r in range(_REPEATS)
            ]
            row: Row = {"cpu": cpu, "draws": draws, "excess": mine / whole, "least": least / whole}
            found[cls.name].append(row | {"sampling": statistics.fmean(theirs) / whole})
    for name, rows in found.items():
        mean = {key: statistics.fmean(r[key] for r in rows) for key in rows[0]}
        yield {
            "size": f"{width} x {hidden}",
            "propagator": name,
            "cpu_ms": 1e3 * mean["cpu"],
            "draws": mean["draws"],
            "least": mean["least"],
            "excess": mean["excess"],
            "sampling": mean["sampling"],
            "ratio": mean["sampling"] / mean["excess"],
        }


def conclude(rows: list[Row]) -> Iterator[str]:
    """What was measured, and where draws are better."""
    yield (
        "A student with a quarter of the teacher's width, its hidden layers drawn, its last one "
        "fitted: to propagated moments, or to as many draws as the same CPU time allows. Least: "
        "error of the best such student, over the teacher's variance; excess: what is added to it."
    )
    for name in METHODS:
        mine = [r for r in rows if r["propagator"] == name]
        won = [f"{r['size']} ({r['ratio']:.2g} times)" for r in mine if r["ratio"] > 1.0]
        lost = [f"{r['size']} ({r['ratio']:.2g})" for r in mine if r["ratio"] <= 1.0]
        text = f"{name}: better than draws at {', '.join(won) or 'none'}"
        yield text + (f"; draws are better at {', '.join(lost)}." if lost else ".")


DISTILLATION = Bench(
    name="distillation",
    about="students fitted to propagated moments, against as much CPU time of draws",
    columns=(
        Column("size", "teacher"),
        Column("propagator", "propagator"),
        Column("cpu_ms", "CPU ms", "ms"),
        Column("draws", "draws", "count"),
        Column("least", "least", "small"),
        Column("excess", "excess", "small"),
        Column("sampling", "excess of draws", "small"),
        Column("ratio", "ratio", "small"),
    ),
    run=run,
    conclude=conclude,
    sections=("size",),
)
