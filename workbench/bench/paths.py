"""The paths that are taken most: how long each takes, the first time and again, and in what."""

import cProfile
import importlib
import importlib.util
import pstats
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from workbench import catalogue
from workbench.adversaries import Adversary
from workbench.bench.base import Bench, Column, Report, Row, one_thread
from workbench.estimators import Conditioned, Estimator, Importance, Moments, MonteCarlo, Subset
from workbench.experiments import Course, compare, lessons, pursuit
from workbench.iteration import Budget

HELP, PAINT = 0.5, 3.0
"""Seconds that `workbench --help` and the first paint of Explore may take."""
_PROBLEM = "digits"
_AGAIN = {True: 1, False: 5}
_BUDGET = 10_000
_BUSIEST = 3

Act = Callable[[], Any]


@dataclass(frozen=True)
class Way:
    """One path.

    Args:
        name: in the table.
        ready: makes what is timed; what it takes itself is not.
        inside: whether it runs in this process, where it can be profiled.
        target: seconds that it may take, where there is such a figure.
    """

    name: str
    ready: Callable[[], Act]
    inside: bool = True
    target: float | None = None


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a path: seconds of the first time, the median of the others, the busiest functions.

    One thread. The paths of screens are left out where the views are not installed.
    """
    paths = _paths()
    with one_thread():
        for i, path in enumerate(paths):
            report(i / len(paths), path.name)
            yield measured(path, _AGAIN[quick])


def measured(path: Way, again: int) -> Row:
    """The row of one path, timed so many times after the first."""
    act = path.ready()
    times = [_seconds(act) for _ in range(1 + again)]
    return {
        "path": path.name, "first": times[0], "again": statistics.median(times[1:]),
        "target": path.target, "busiest": busiest(act) if path.inside else "",
    }  # fmt: skip


def busiest(act: Act) -> str:
    """The functions that one more time spends most in, themselves, each with its share."""
    profile = cProfile.Profile()
    profile.runcall(act)
    found: Any = pstats.Stats(profile)
    whole = found.total_tt or 1.0
    # {(file, line, function): (calls, calls, own seconds, seconds, callers)}
    own = sorted(found.stats.items(), key=lambda item: -item[1][2])[:_BUSIEST]
    return ", ".join(f"{_named(where)} {100 * t[2] / whole:.0f}%" for where, t in own)


def _named(where: tuple[str, int, str]) -> str:
    file, line, function = where
    if file.startswith("~") or not line:  # of C: <built-in method torch._C._nn.linear>
        words = function.strip("<>").replace("built-in method ", "").replace("method ", "")
        return words.split(" of ")[0].strip("'").split(".")[-1]
    return f"{Path(file).stem}.{function}"


def _seconds(act: Act) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _paths() -> tuple[Way, ...]:
    found = [
        Way("workbench --help", lambda: lambda: _program("-m", "workbench", "--help"), False,
              HELP),
        Way("import workbench, load digits", lambda: lambda: _program(
            "-c", f"import workbench as wb; wb.load('{_PROBLEM}')"), False),
        *(_estimate(one) for one in (
            Moments(), Conditioned(), MonteCarlo(), Importance(), Subset())),
        Way("compare, four estimators", _compared),
        Way("a step of attack", _attacked),
        Way("a step of train", _trained),
    ]  # fmt: skip
    if importlib.util.find_spec("panel") is not None:
        found += [
            Way("Explore painted first", lambda: _painted, target=PAINT),
            Way("a slider moved in Explore", _slid),
        ]
    return tuple(found)


def _program(*words: str) -> None:
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)


def _estimate(estimator: Estimator) -> Way:
    problem = catalogue.load(_PROBLEM)

    @torch.no_grad()
    def act() -> None:
        estimator(problem, Budget(_BUDGET))

    return Way(f"{estimator.name} on {_PROBLEM}", lambda: act)


def _compared() -> Act:
    problem = catalogue.load(_PROBLEM)
    methods = [Moments(), MonteCarlo(), Importance(), Subset()]
    return lambda: list(compare(problem, methods, Budget(_BUDGET), (0,)))


def _attacked() -> Act:
    return _stepped(lambda: pursuit(catalogue.load(_PROBLEM), Adversary(), 0))


def _trained() -> Act:
    return _stepped(lambda: lessons.course("plane", {}, 0))


def _stepped(make: Callable[[], Course]) -> Act:
    """One step after another of a course; the first, which prepares the others, is made before."""
    walk = make().walk()
    next(walk)
    return lambda: next(walk)


def _painted() -> None:
    screen = importlib.import_module("workbench.views.screen")
    session = importlib.import_module("workbench.views.state").Session(_PROBLEM)
    try:
        screen.Explore(session)
    finally:
        session.close()


def _slid() -> Act:
    screen = importlib.import_module("workbench.views.screen")
    session = importlib.import_module("workbench.views.state").Session(_PROBLEM)
    view = screen.Explore(session)
    places = iter(range(1, 1000))

    def act() -> None:
        session.sigma = 1.0 + 0.001 * next(places)
        view.paint()

    return act


def conclude(rows: list[Row]) -> Iterator[str]:
    """What has a target beside it."""
    for row in rows:
        if row["target"] is not None:
            met = "met" if row["first"] <= row["target"] else "missed"
            yield f"{row['path']}: {row['first']:.2f} s (target {row['target']:g} s: {met})."


PATHS = Bench(
    name="paths",
    about="the paths taken most, from --help to a step of training, and what is busiest in them",
    columns=(
        Column("path", "path"),
        Column("first", "first time s", "seconds"),
        Column("again", "again s", "seconds"),
        Column("busiest", "busiest, of its own time"),
    ),
    run=run,
    conclude=conclude,
)
