"""One row an estimate: what it says, how sure it is, what it cost, what it is doing.

The cheap deterministic estimates are made here, at once; all others are jobs for the worker.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from workbench.errors import WorkbenchError
from workbench.estimators import Estimate, Estimator
from workbench.iteration import Budget, steps
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Kind
from workbench.views.roster import Entry, Settings

_ANYTHING = (-math.inf, 0.0)
"""The interval of an estimate that leaves every P possible: it has no value to show."""


@dataclass(frozen=True)
class Row:
    """One line of the table and one marker in the chart; logarithms are to base 10."""

    key: str
    """Stable name, also the end of its css class: "moments" is covariance propagation."""
    title: str
    kind: Kind
    state: str
    """ready, running, paused, done, stale, idle, unsupported or error."""
    log10_p: float | None = None
    err: float | None = None
    interval: tuple[float, float] | None = None
    forwards: int = 0
    seconds: float = 0.0
    fraction: float = 0.0
    note: str = ""
    """Why there is no estimate, or what it is doing."""
    warning: str = ""
    """Why the estimate may not be what it seems."""
    indicator: float | None = None
    """Digits that a heuristic may be off, as its own defects have it."""

    @property
    def upper_only(self) -> float | None:
        """The upper confidence bound of a sampler that has seen nothing."""
        if self.log10_p == -math.inf and self.interval is not None and self.interval[1] < 0.0:
            return self.interval[1]
        return None


@torch.no_grad()
def live_rows(problem: Problem, settings: Settings, entries: Iterable[Entry]) -> dict[str, Row]:
    """Estimates made on the spot, or the sentence that says why there is none."""
    rows = {}
    for entry in entries:
        try:
            estimate = entry.build(settings)(problem)
            rows[entry.key] = _row(entry, estimate, "ready")
        except WorkbenchError as error:
            rows[entry.key] = _without(entry, "unsupported", str(error))
        except Exception as error:  # never an old number: whatever failed stands in the row
            rows[entry.key] = _without(entry, "error", f"{type(error).__name__}: {error}")
    return rows


def refused_row(entry: Entry, error: WorkbenchError) -> Row:
    """Nothing can be estimated, for one reason: there is no problem."""
    return _without(entry, "unsupported", str(error))


def idle_row(entry: Entry, problem: Problem, settings: Settings) -> Row:
    """What stands in a row that has not run: that it waits, or why it cannot run."""
    try:
        entry.build(settings).check(problem)
    except WorkbenchError as error:
        return _without(entry, "unsupported", str(error))
    return _without(entry, "idle")


def worker_row(entry: Entry, result: Mapping[str, Any], position: object) -> Row:
    """An estimate as the worker published it; stale where the sliders have moved on."""
    state = result["state"]
    if state != "error" and result.get("position") != position:
        state = "stale"
    estimate = result.get("estimate")
    if state == "error" or estimate is None:
        return _without(entry, state, result.get("message", ""))
    return _row(entry, estimate, state, result.get("fraction", 0.0))


def _without(entry: Entry, state: str, note: str = "") -> Row:
    return Row(entry.key, entry.title, entry.cls.kind, state, note=note)


def _row(entry: Entry, estimate: Estimate, state: str, fraction: float = 1.0) -> Row:
    note = str(estimate.info.get("unfinished", "")) and "no repeat has finished yet"
    cost = estimate.cost
    on_its_way = state == "running" and estimate.kind is Kind.HEURISTIC
    nothing_yet = on_its_way and estimate.log10_p == -math.inf  # it still searches
    log10_p = None if nothing_yet or estimate.log10_interval == _ANYTHING else estimate.log10_p
    return Row(
        entry.key, entry.title, estimate.kind, state, log10_p, estimate.log10_err,
        estimate.log10_interval, cost.forwards, cost.seconds, fraction, note, estimate.warning,
        estimate.indicator,
    )  # fmt: skip


@torch.no_grad()
def sampling(
    estimator: Estimator, problem: Problem, seed: int, budget: Budget
) -> Iterator[dict[str, Any]]:
    """A job for the worker: the estimate after every step."""
    estimator.check(problem)
    state = estimator.init(problem, Rng(seed))
    for latest, look in steps(estimator, problem, state, budget):
        yield {
            "estimate": estimator.report(problem, latest, look.seconds),
            "fraction": look.fraction,
        }
