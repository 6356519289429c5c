"""One cell of a comparison, an estimator on a problem: a job for the worker, and how it stands."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.estimators import Estimator
from workbench.experiments import Row, runs, summarise
from workbench.iteration import Budget
from workbench.problem import Problem

MARKS = 10.0 ** (1.0 / 8.0)
"""A run is looked at each time its forwards have grown by this."""

Trace = tuple[tuple[int, float], ...]
"""(forwards, log10 P-hat) along a run."""


@dataclass(frozen=True)
class Cell:
    """How a problem and an estimator stand."""

    problem: str
    key: str
    title: str
    state: str
    """idle, waiting, running, stopped, done, stale or refused."""
    fraction: float = 0.0
    rows: tuple[Row, ...] = ()
    """The finished runs."""
    traces: tuple[Trace, ...] = ()
    summary: Row | None = None
    """Of the finished runs; None where there is none."""
    note: str = ""
    """Why there is no estimate."""


def job(
    problem: Problem,
    estimator: Estimator,
    budget: Budget,
    seeds: Sequence[int],
    rows: Sequence[Row] = (),
    traces: Sequence[Trace] = (),
) -> Iterator[dict[str, Any]]:
    """Run seed after seed; publishes finished runs, their traces, and the share that is done.

    Args:
        seeds: those still to run.
        rows, traces: of the runs that there are.
    """
    rows, traces, whole = tuple(rows), tuple(traces), len(rows) + len(seeds)
    trace: Trace = ()
    mark = 0.0
    for attempt, share in runs(problem, estimator, budget, seeds):
        if share == 0.0:
            trace, mark = (), 0.0
        if share == 1.0 or (attempt.started and attempt.state.forwards >= mark):
            row = attempt.row()
            if math.isfinite(row["log10_p"]):
                trace = (*trace, (row["forwards"], row["log10_p"]))
            mark = MARKS * attempt.state.forwards
            if share == 1.0:
                rows, traces = (*rows, row), (*traces, trace)
        done = share == 1.0
        yield {
            "rows": rows, "traces": traces,
            "fraction": (len(rows) + (0.0 if done else share)) / whole,
        }  # fmt: skip


def stand(
    problem: str, key: str, title: str, result: Mapping[str, Any] | None, ticket: Any, seeds: int
) -> Cell:
    """The cell as the worker's last publication has it.

    Args:
        result: of the worker, or None.
        ticket: what the result must carry to be about the present budget and settings.
        seeds: how many runs are asked for.
    """
    if result is None:
        return Cell(problem, key, title, "idle")
    rows: tuple[Row, ...] = result.get("rows", ())[:seeds]
    summary = summarise(rows)[0] if rows else None
    state, fraction = result["state"], result.get("fraction", 0.0)
    if state == "error":
        note = result.get("message", "")
        return Cell(problem, key, title, "refused", fraction, rows, (), summary, note)
    if state == "running" and fraction == 0.0:
        state = "waiting"
    if state == "paused":
        state = "stopped"
    if state == "done" and len(rows) < seeds:
        state = "idle"
    if result.get("ticket") != ticket:
        state = "stale"
    traces = result.get("traces", ())[:seeds]
    return Cell(problem, key, title, state, fraction, rows, traces, summary)
