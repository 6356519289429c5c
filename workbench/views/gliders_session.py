"""The laboratory of gliders: a board under way, and what was predicted of it. No interface here."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import param

from workbench.automata import Rule, mean_field, parse
from workbench.automata.board import Board, start
from workbench.views.laboratory import LabSession, Parsed

JOB = "board"
"""The job that steps."""
_BLOCK = 0.04  # seconds of stepping between two pictures
SPEEDS = {"10 a second": 10.0, "60 a second": 60.0, "as fast as it goes": 0.0}
"""{what a reader reads: generations a second, 0 for no limit}."""


@dataclass(frozen=True)
class Film:
    """A board as a screen shows it.

    Args:
        generation: how many it has gone.
        densities: of the generations 0 to this one.
        board: the present one.
        trail: for a line, its last generations, `(t, columns)`; else None.
    """

    generation: int
    densities: tuple[float, ...]
    board: Board
    trail: np.ndarray | None = None


class GlidersSession(LabSession):
    """One visitor's board. `close()` ends its worker."""

    in_url: ClassVar[tuple[str, ...]] = ("rule", "density", "seed", "side", "speed")

    rule = Parsed(
        "B3/S23", parse=parse, label="Rule",
        doc="B<counts>/S<counts> on the plane (B3/S23 is the Game of Life), or the number of an "
        "elementary automaton on the line (110).",
    )  # fmt: skip
    density = param.Number(
        0.3, bounds=(0.0, 1.0), label="Density",
        doc="The chance that a cell of the first generation lives, each independently.",
    )  # fmt: skip
    seed = param.Integer(0, bounds=(0, None), label="Seed", doc="Of the first generation.")
    side = param.Selector(
        objects=[256, 512, 1024], default=1024, label="Cells a side",
        doc="Of the plane, whose edges wrap around; a line has their square in all.",
    )  # fmt: skip
    speed = param.Selector(objects=SPEEDS, default=0.0, label="Speed", doc="How fast Run goes.")
    horizon = param.Integer(
        300, bounds=(1, 100_000), label="Stop at generation", doc="Run goes so far, and no further."
    )

    def __init__(self, **params: Any):
        super().__init__(**params)
        self._film: Film | None = None

    @property
    def law(self) -> Rule:
        """The rule."""
        return parse(self.rule)

    @property
    def film(self) -> Film | None:
        """The board as it was published last."""
        return self.found(JOB).get("film")

    @property
    def stepping(self) -> bool:
        """Whether it goes on by itself."""
        return self.running(JOB)

    @property
    def over(self) -> bool:
        """Whether Run would go no further."""
        film = self.film
        return film is not None and film.generation >= self.horizon

    def begin(self) -> None:
        """A first view without a click."""
        self.play()

    def settled(self) -> None:
        """Another rule, density or seed: from the start."""
        self.reset()

    def leave(self) -> None:
        """No one looks."""
        self.pause()

    def play(self) -> None:
        """Step on to the horizon."""
        self._start(self._steps(self.horizon))

    def step(self) -> None:
        """One generation, and no further."""
        film = self.film
        self._start(self._steps((film.generation if film else 0) + 1))

    def pause(self) -> None:
        """Stop after the present generation."""
        if self.stepping:
            self._start(iter(()))

    def reset(self) -> None:
        """A new first generation, as the controls say."""
        self._film = None
        self.worker.start(JOB, self._steps(0))

    def _start(self, blocks: Iterator[dict[str, Any]]) -> None:
        self.worker.start(JOB, blocks, film=self.film)

    def _first(self) -> Film:
        board = start(self.law, int(self.side), float(self.density), int(self.seed))
        return Film(0, (board.density,), board, board.trail(None))

    def _steps(self, end: int) -> Iterator[dict[str, Any]]:
        film = self._film or self._first()
        while True:
            self._film = film
            yield {"film": film}
            if film.generation >= end:
                return
            film = self._further(film, end)

    def _further(self, film: Film, end: int) -> Film:
        began, pause = time.monotonic(), 1.0 / self.speed if self.speed else 0.0
        board, trail, seen = film.board, film.trail, list(film.densities)
        while len(seen) <= end:
            board = board.next()
            seen.append(board.density)
            trail = board.trail(trail)
            if pause:
                time.sleep(pause)
            if time.monotonic() - began > _BLOCK:
                break
        return Film(len(seen) - 1, tuple(seen), board, trail)

    def presumed(self, generations: int) -> list[float]:
        """Densities of the generations 0 to this one, if cells stayed independent."""
        found = [float(self.density)]
        for _ in range(generations):
            found.append(mean_field(self.law, found[-1]))
        return found
