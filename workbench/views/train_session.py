"""The whole state of the Train screen, and what follows from it. No interface in here."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import param
from torch import Tensor

from workbench.errors import BadInput
from workbench.experiments import Row, Run, lessons
from workbench.problem.codec import zipped
from workbench.training import Duty
from workbench.views import Given, number_cells
from workbench.views import train_engine as engine
from workbench.views.stepped_session import SteppedSession
from workbench.views.train_telling import Telling


@dataclass(frozen=True)
class Pinned:
    """A run as it was when it was pinned, to be compared with."""

    problem: str
    rows: tuple[Row, ...]
    weights: Tensor
    """Of its model, flat."""


class TrainSession(SteppedSession):
    """One visitor's training.

    Args:
        problem: a training problem's name, or a `Duty` of one's own; the first one by default.
    """

    in_url: Mapping[str, str] = {"problem_name": "of", "settings": "set", "seed": "seed"}
    """The token of the session stands in the link beside them, as `session`."""
    kinds = tuple(engine.TELLINGS)
    steers: ClassVar[tuple[str, ...]] = ("problem_name", "settings", "seed")

    problem_name = param.Selector(
        objects=[], check_on_set=True, label="Problem",
        doc="The task of the model, where its inputs come from, and what it must never do.",
    )  # fmt: skip
    settings = param.Dict({}, doc="Settings of the training that are not the defaults.")
    seed = param.Integer(
        0,
        bounds=(0, 2**31),
        label="Seed",
        doc="Determines every random number, those of the referee too.",
    )

    def __init__(self, problem: Given | Duty | None = None, **params: Any):
        self.own: dict[str, Duty] = {}
        self.pinned: Pinned | None = None
        self._made: tuple[Run | None, str] = (None, "")
        self._editions: dict[str, int] = {}
        self._first: Tensor | None = None
        super().__init__()
        self.param.problem_name.objects = list(engine.titles().values())
        name = self.add(problem) if isinstance(problem, Duty) else engine.chosen(problem)
        self.param.update(**{"problem_name": name, **params})

    def add(self, duty: Duty) -> str:
        """List a network of one's own, and its task; its name. A former one of one's own that
        had this name is replaced.

        Raises:
            BadInput: for the name of a training that the room has.
        """
        name = duty.problem.name
        if name in lessons.TITLES:
            raise BadInput(f"{name!r} is the name of a training here: save yours under another")
        self.own[name] = duty
        self._editions[name] = self._editions.get(name, 0) + 1
        if self.pinned and self.pinned.problem == name:
            self.unpin()
        self.param.problem_name.objects = list(engine.titles(self.own).values())
        if name == self.problem_name:
            self.param.trigger("problem_name")
        return name

    def source(self) -> str:
        if self.problem_name in self.own:
            raise BadInput(
                f"{self.problem_name} was brought into this session, and no cell could load it: "
                "hand the screen its `Duty`, or train it by `workbench train --data`"
            )
        return self.problem_name

    def numbers(self) -> Iterator[str]:
        yield number_cells.training(self.problem_name, self.settings, self.seed)

    def enabled(self) -> dict[str, bool]:
        return {"pin": bool(self.rows), "unpin": self.pinned is not None}

    @property
    def savable(self) -> bool:
        """Whether there is a model trained with the settings on the screen."""
        shown = self.found.get("problem") == self.problem_name
        return shown and "weights" in self.found and not self.stale

    def setting(self, key: str, value: Any) -> None:
        """Give one setting of the training; `settings` keeps only what is not usual.

        Raises:
            BadInput: for a value that the training refuses.
        """
        mine = {**self.settings, key: value}
        lessons.iteration(self.problem_name, mine)  # refuses what is out of range
        usual = lessons.settings_of(self.problem_name)
        self.settings = {k: v for k, v in mine.items() if usual[k] != v}

    @param.depends("problem_name", watch=True)
    def _settle(self) -> None:
        """Settings that the chosen training has not are let go."""
        usual = lessons.settings_of(self.problem_name)
        kept = {k: v for k, v in self.settings.items() if k in usual}
        if kept != self.settings:
            self.settings = kept

    @property
    def ticket(self) -> str:
        """What a run is about."""
        name = self.problem_name
        about = [name, self._editions.get(name, 0), self.settings, self.seed]
        return json.dumps(about, sort_keys=True)

    @property
    def stale(self) -> bool:
        return bool(self.found) and self.found.get("ticket") not in (None, self.ticket)

    @property
    def telling(self) -> Telling:
        """Who tells of the run; before there is one, of the chosen problem's."""
        return engine.TELLINGS[self.found.get("kind", lessons.way_of(self.problem_name).kind)]

    @property
    def about(self) -> str:
        """What the chosen problem is about, once its run has been made."""
        return self.found["about"] if self.found.get("problem") == self.problem_name else ""

    @property
    def before(self) -> tuple[Row, ...]:
        """Metrics of what is pinned, where it is of the same problem."""
        pinned = self.pinned
        return pinned.rows if pinned and pinned.problem == self.found.get("problem") else ()

    def pin(self) -> None:
        """Keep the run as it is now, to compare with.

        Raises:
            BadInput: where nothing has been trained.
        """
        weights = self.found.get("weights")
        if weights is None:
            raise BadInput("there is nothing to pin yet: run, or make a step, first")
        self.pinned = Pinned(self.found["problem"], self.rows, weights)

    def unpin(self) -> None:
        """Compare with the start of the run again."""
        self.pinned = None

    def card_archive(self) -> io.BytesIO:
        """The problem on the screen with M as it is trained: a zip of its card and tensors.

        Raises:
            BadInput: where nothing has been trained.
        """
        if not self.savable:
            raise BadInput("nothing is trained with these settings yet: run, or make a step, first")
        with self._beginning()() as fresh:
            return io.BytesIO(zipped(lessons.trained(fresh.subject, self.found["weights"])))

    def _beginning(self) -> Callable[[], Run]:
        """What makes the chosen training, before its first step."""
        name, settings, seed = self.problem_name, dict(self.settings), self.seed
        duty = self.own.get(name)
        if duty is None:
            return lambda: lessons.begin(name, settings, seed)
        return lambda: Run(lessons.own(duty, settings, seed), "train")

    def _prepare(self) -> Callable[[], Run]:
        begin, ticket = self._beginning(), self.ticket

        def make() -> Run:
            run = begin()
            self._made = (run, ticket)
            return run

        return make

    def _look(self, run: Run) -> dict[str, Any]:
        """Of a run: what the pictures show, and what a pin needs; in the worker's thread."""
        if self._made[0] is not run:  # it was opened: under the controls as they stand
            self._made = (run, self.ticket)
        telling = engine.TELLINGS[run.kind.name]
        told, weights = telling.told(run), telling.weights(run)
        problem = told["problem"]
        if self.found.get("problem") != problem or run.subject.state.steps == 0:
            self._first = weights
        pinned = self.pinned
        before = pinned.weights if pinned and pinned.problem == problem else self._first
        return {
            **told, "kind": run.kind.name, "weights": weights, "ticket": self._made[1],
            "picture": telling.picture(run, before), "met": telling.met(run, before),
        }  # fmt: skip
