"""The laboratory of gliders: a board under way, and what was predicted of it. No interface here."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import param

from workbench.automata import LifeLike, Rule, parse, predicted, presumptions
from workbench.automata.blocks import Closure
from workbench.automata.board import Board, start
from workbench.automata.look import Look, look, looks_ahead
from workbench.views.lab import LabSession, Parsed

JOB, FOUND, FORETOLD = "board", "found", "foretold"
"""The jobs: what steps, what looks for structures, what predicts."""
DEAR = 60
"""Generations that the dearest presumption, 3 x 3 blocks, is followed for."""
_BLOCK = 0.04  # seconds of stepping between two pictures
SPEEDS = {"10 per second": 10.0, "60 per second": 60.0, "full speed": 0.0}
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

    kept: ClassVar[tuple[str, ...]] = (
        "rule", "density", "seed", "side", "speed", "horizon", "against",
    )  # fmt: skip

    rule = Parsed(
        "B3/S23", parse=parse, label="Rule",
        doc="B<counts>/S<counts> on the plane (B3/S23 is the Game of Life), or the number of an "
        "elementary automaton on the line (110).",
    )  # fmt: skip
    density = param.Number(
        0.3, bounds=(0.0, 1.0), label="Density",
        doc="Probability that a cell of the first generation is alive, independently of the "
        "others.",
    )  # fmt: skip
    seed = param.Integer(0, bounds=(0, None), label="Seed", doc="Determines the first generation.")
    side = param.Selector(
        objects=[256, 512, 1024], default=1024, label="Cells per side",
        doc="Size of the plane, whose edges wrap around; a line has 64 times as many cells.",
    )  # fmt: skip
    speed = param.Selector(objects=SPEEDS, default=0.0, label="Speed", doc="How fast Run goes.")
    horizon = param.Integer(
        300, bounds=(1, 100_000), label="Stop at generation", doc="Run ends there."
    )

    against = param.Selector(
        objects={"independent cells": "cell", "pairs of neighbours": "pair", "2 × 2 blocks": "2x2"},
        default="pair", label="Surprising compared with",
        doc="The presumption that a structure must break to stand out: independent cells, pairs or "
        "blocks; on a line, segments of 1, 2 or 4 cells.",
    )  # fmt: skip

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
        self.reset()
        self.play()

    def settled(self) -> None:
        """Another rule, density or seed: from the start."""
        self.reset()

    def leave(self) -> None:
        """No one looks."""
        self.pause()

    def play(self) -> None:
        """Step on to the horizon."""
        self._start(self._steps(self.film, self.horizon))

    def step(self) -> None:
        """One generation, and no further."""
        film = self.film
        self._start(self._steps(film, (film.generation if film else 0) + 1))

    def pause(self) -> None:
        """Stop at the board that is shown."""
        if self.stepping:
            self._start(iter(()))

    def reset(self) -> None:
        """A new first generation, as the controls say."""
        self.worker.drop(FOUND)
        self.worker.start(JOB, self._steps(None, 0))
        self.worker.start(FORETOLD, self._foretelling(), curves={})

    def find(self) -> None:
        """Look for what stands out on the present board, and forecast from it."""
        film = self.film or self._first()
        self.worker.start(FOUND, self._finding(film), generation=film.generation)

    def _start(self, blocks: Iterator[dict[str, Any]]) -> None:
        self.worker.start(JOB, blocks, film=self.film)

    def _first(self) -> Film:
        board = start(self.law, int(self.side), float(self.density), int(self.seed))
        return Film(0, (board.density,), board, board.trail(None))

    def _steps(self, shown: Film | None, end: int) -> Iterator[dict[str, Any]]:
        film, rest = shown or self._first(), 0.0
        while True:
            yield {"film": film, "rest": rest}
            if film.generation >= end:
                if end == self.horizon:
                    self.find()
                return
            began, before, speed = time.monotonic(), film.generation, self.speed
            picture = before + max(1, round(speed * _BLOCK)) if speed else end
            film = self._further(film, min(picture, end))
            gone = film.generation - before
            rest = gone / speed - (time.monotonic() - began) if speed else 0.0

    def _further(self, film: Film, end: int) -> Film:
        """Up to generation `end`, or as far as a block of work goes."""
        began = time.monotonic()
        board, trail, seen = film.board, film.trail, list(film.densities)
        while len(seen) <= end:
            board = board.next()
            seen.append(board.density)
            trail = board.trail(trail)
            if time.monotonic() - began > _BLOCK:
                break
        return Film(len(seen) - 1, tuple(seen), board, trail)

    def _finding(self, film: Film) -> Iterator[dict[str, Any]]:
        law, order = self.law, str(self.against)
        found = look(law, film.board, film.trail, cast(Closure, order))
        yield {"look": found, "generation": film.generation}
        if isinstance(law, LifeLike) and film.generation >= 4:
            board = start(law, int(self.side), float(self.density), int(self.seed))
            yield {"forecast": looks_ahead(law, board, film.generation // 2)}

    def _foretelling(self) -> Iterator[dict[str, Any]]:
        law, p, curves = self.law, float(self.density), dict[str, tuple[float, ...]]()
        for name in presumptions(law):
            end = min(self.horizon, DEAR) if name == "3x3" else min(self.horizon, 1000)
            seen: list[float] = []
            for value in predicted(law, p, name):
                seen.append(value)
                if len(seen) > end:
                    break
                if name == "3x3":
                    yield {"curves": {**curves, name: tuple(seen)}}
            curves = {**curves, name: tuple(seen)}
            yield {"curves": curves}

    @property
    def curves(self) -> dict[str, tuple[float, ...]]:
        """{presumption: the densities that it foretells from generation 0 on}."""
        return self.found(FORETOLD).get("curves", {})

    @property
    def look(self) -> Look | None:
        """What stood out when it was looked for last."""
        return self.found(FOUND).get("look")
