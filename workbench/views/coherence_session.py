"""The whole state of the Coherence screen, and what follows from it. No interface in here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import param

from workbench import catalogue
from workbench.coherence import CHECKS, Defect, Heat, heat_flow, measure
from workbench.coherence.base import require_deterministic
from workbench.coherence.checks import HEAT_LAW
from workbench.errors import WorkbenchError
from workbench.estimators.base import serving
from workbench.problem import Problem
from workbench.types import Kind
from workbench.views import Given, number_cells
from workbench.views.known import Known, bring, first_problem
from workbench.views.room_session import RoomSession
from workbench.views.roster import Entry, roster
from workbench.views.worker import RUNNING, Worker

_FEW = 8
"""Probes for each problem when the whole catalogue is asked for."""


def entries() -> dict[str, Entry]:
    """The rows whose coherence can be asked for: deterministic presumptions."""
    found = {}
    for key, entry in roster().items():
        try:
            require_deterministic(entry.build({}))
        except WorkbenchError:
            continue
        if entry.cls.kind is Kind.HEURISTIC:
            found[key] = entry
    return found


def serves(problem: Problem) -> bool:
    """Whether any of these rows can be asked about this problem."""
    return not {entry.cls.name for entry in entries().values()}.isdisjoint(serving(problem))


@dataclass(frozen=True)
class Point:
    """One estimate: how far off its defect says it is, and how far off it is."""

    problem: str
    key: str
    heat: Heat
    truth: float | None

    @property
    def error(self) -> float | None:
        """log10 P-hat - log10 P, where the truth is stored."""
        return None if self.truth is None else self.heat.log10_p - self.truth


class CoherenceSession(RoomSession):
    """One visitor's screen. `close()` ends its worker.

    Args:
        problem: a catalogue name, the path of a card, or a Problem.
    """

    in_url: Mapping[str, str] = {"problem_name": "of", "key": "by", "probes": "probes"}

    problem_name = param.Selector(
        objects=[], check_on_set=True, label="Problem",
        doc="The triple (D, M, C) whose estimate is checked for contradictions.",
    )  # fmt: skip
    key = param.Selector(
        objects=[], check_on_set=True, label="Estimator",
        doc="Deterministic estimators only: the noise of a sampler would look like a defect.",
    )  # fmt: skip
    probes = param.Integer(
        0, bounds=(0, 10_000), label="Probes",
        doc="How many random directions the heat flow integrates, besides the one along which "
        "log P rises most; 0 takes every direction of D, which is exact.",
    )  # fmt: skip

    def __init__(self, problem: Given | None = None, **params: Any):
        self.known = Known(serves)
        name, *_ = self.known.add_all(first_problem() if problem is None else problem)
        self.worker = Worker()
        self._points: dict[tuple[str, str], Point] = {}
        super().__init__()
        self.param.problem_name.objects = self.known.names
        self.param.key.objects = list(entries())
        self.param.update(**{"problem_name": name, "key": "moments", **params})

    def source(self) -> str:
        return self.known.source(self.problem_name)

    def numbers(self) -> Iterator[str]:
        yield number_cells.defects(self.source(), entries()[self.key].build({}), self.probes)

    def enabled(self) -> dict[str, bool]:
        return {"hold": self.worker.busy}

    def bring(self, problem: Problem) -> None:
        bring(self, problem)

    @property
    def problem(self) -> Problem:
        """The chosen one."""
        return self.known.problem(self.problem_name)

    @property
    def position(self) -> tuple[tuple[str, int], str, int]:
        """What a result is about."""
        return self.known.edition(self.problem_name), self.key, self.probes

    def start(self) -> None:
        """Measure every defect of the chosen estimate, in place of an earlier request."""
        problem, method = self.problem, entries()[self.key].build({})
        method.check(problem)
        job = self._measuring(problem, self.key, method, self.probes or None)
        self.worker.start("defects", job, position=self.position, defects=(), share=0.0)

    def start_all(self) -> None:
        """The heat flow of the chosen estimator on every catalogue problem with a truth."""
        job = self._sweeping(self.key)
        self.worker.start("sweep", job, position=self.key, share=0.0, at="")

    def stop(self) -> None:
        """Drop what is running; what was measured stays."""
        running = [n for n, r in self.worker.results.items() if r["state"] == RUNNING]
        self.worker.drop(*running) if running else None

    def _measuring(
        self, problem: Problem, key: str, method: Any, probes: int | None
    ) -> Iterator[dict[str, Any]]:
        defects: tuple[Defect, ...] = ()
        for news in measure(problem, method, probes):
            if isinstance(news, Defect):
                defects = (*defects, news)
                yield {"defects": defects}
            elif isinstance(news, Heat):
                self._note(problem, key, news)
                yield {"heat": news, "share": 1.0}
            else:
                yield {"share": news}

    def _sweeping(self, key: str) -> Iterator[dict[str, Any]]:
        names = [n for n in catalogue.names() if not n.startswith("A_")]
        for i, name in enumerate(names):
            yield {"share": i / len(names), "at": name}
            problem = catalogue.load(name)
            if problem.truth is None or (name, key) in self._points:
                continue
            try:
                heat = heat_flow(problem, entries()[key].build({}), _FEW)
            except WorkbenchError:
                continue  # refused: the table of defects says why, when that problem is chosen
            self._note(problem, key, heat)
        yield {"share": 1.0, "at": ""}

    def _note(self, problem: Problem, key: str, heat: Heat) -> None:
        truth = None if problem.truth is None else problem.truth.log10_p
        point = Point(problem.name, key, heat, truth)
        self._points = {**self._points, (problem.name, key): point}

    @property
    def points(self) -> tuple[Point, ...]:
        """All heat flows measured so far whose truth is stored."""
        return tuple(p for p in self._points.values() if p.error is not None)

    @property
    def found(self) -> Mapping[str, Any]:
        """What is published about the present choice; empty where nothing is."""
        result = self.worker.results.get("defects", {})
        return result if result.get("position") == self.position else {}

    @property
    def sweep(self) -> Mapping[str, Any]:
        """The state of the sweep over the catalogue."""
        return self.worker.results.get("sweep", {})

    def defects(self) -> tuple[Defect, ...]:
        """One a law, in order; those that are not measured yet have no digits and no reason."""
        known = {d.name: d for d in self.found.get("defects", ())}
        blank = Defect("heat flow", HEAT_LAW, None)
        laws = [Defect(name, law, None) for name, (law, _) in CHECKS.items()]
        return tuple(known.get(d.name, replace(d)) for d in (*laws, blank))

    @property
    def heat(self) -> Heat | None:
        """The heat flow of the present choice, once it is known."""
        return self.found.get("heat")
