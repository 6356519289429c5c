"""What an adversary is measured against: searches for a shift that need failures, or margins.

All move the mean of a Gaussian D0 by m in its noise, |m|^2 / 2 <= nats, as the family `shifted`.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from workbench.adversaries.result import Attack, attacked
from workbench.adversaries.search import Found
from workbench.distributions import Gaussian
from workbench.errors import BadInput, Unsupported
from workbench.estimators.base import check_positive
from workbench.iteration import State
from workbench.problem import Problem
from workbench.rng import Rng

_ELITE, _SMOOTH, _PACE, _TURN = 0.1, 0.7, 0.1, 0.3


@dataclass(frozen=True, kw_only=True)
class Shifting(State):
    """A shift, and what its own draws say of it."""

    shift: Tensor
    """m, `(d,)`."""
    score: float = -math.inf
    """Of a random search: the best so far."""
    reference: float = math.nan
    """log of the share of failures among the first draws, from D0."""
    log_p: float = -math.inf
    """log of the share of failures among the last draws."""
    path: Tensor
    """As that of an adversary."""


@dataclass(frozen=True)
class Baseline(ABC):
    """A search for a shift; subclasses say how one batch of draws moves it.

    Args:
        nats: that may be spent.
        batch: draws a step.
    """

    nats: float = 4.0
    batch: int = 1000
    name: ClassVar[str]
    passes: ClassVar[int] = 1
    """Forward passes a draw: a gradient counts as two."""

    def __post_init__(self) -> None:
        check_positive(self.name, batch=self.batch)
        if not (isinstance(self.nats, int | float) and 0 < self.nats < math.inf):
            raise BadInput(f"{self.name}: nats must be a number above 0, got {self.nats!r}")

    @property
    def radius(self) -> float:
        """The longest shift."""
        return math.sqrt(2.0 * self.nats)

    def init(self, problem: Problem, rng: Rng) -> Shifting:
        """At D0."""
        d = problem.distribution
        if not isinstance(d, Gaussian):
            raise Unsupported(f"a shift of a {d.name} D0", "a gaussian D0 is needed")
        return Shifting(
            rng=rng, shift=torch.zeros_like(d.mean), path=torch.zeros(0, 4, dtype=torch.float64)
        )

    def step(self, problem: Problem, state: Shifting) -> Shifting:
        """One batch from N(m, I) in noise, and a move."""
        n = int(min(self.batch, state.left // self.passes))
        if n < 2:
            return replace(state, forwards=state.forwards + int(min(state.left, 1)))
        rng = state.rng.child("batch", state.steps)
        z = self._proposed(state, rng) + torch.randn(
            n, len(state.shift), generator=rng.child("draws").generator(), dtype=state.shift.dtype
        )
        moved, s = self._move(problem, state, z)
        hits = float((s > 0).double().mean())
        log_p = math.log(hits) if hits else -math.inf
        at = moved.shift if self.name == "random_search" else state.shift
        row = torch.tensor([[0.0, 0.5 * float(at.square().sum()), log_p, 0.0]], dtype=torch.float64)
        return replace(
            moved, log_p=log_p, path=torch.cat([state.path, row]),
            reference=log_p if state.steps == 0 else state.reference,
            forwards=state.forwards + n * self.passes,
        )  # fmt: skip

    def _proposed(self, state: Shifting, rng: Rng) -> Tensor:
        """Where this step draws."""
        return state.shift

    @abstractmethod
    def _move(self, problem: Problem, state: Shifting, z: Tensor) -> tuple[Shifting, Tensor]:
        """The next shift, and the margins at z `(n, d)`."""

    def _within(self, shift: Tensor) -> Tensor:
        return shift * min(1.0, self.radius / max(1e-12, float(shift.norm())))

    def finished(self, state: Shifting) -> bool:
        """Only the budget ends it."""
        return state.left < 2 * self.passes

    def read(self, state: Shifting) -> Found:
        """Where it stands, by its own last draws."""
        spent = 0.5 * float(state.shift.square().sum())
        return Found(
            state.shift, state.log_p, spent, state.reference, 0.0, state.path, state.forwards, {}
        )

    def report(self, problem: Problem, state: Shifting, seconds: float) -> Attack:
        """As an adversary's, with all nats spent in the direction that was found."""
        d, length = problem.distribution, float(state.shift.norm())
        assert isinstance(d, Gaussian)
        shift = state.shift * (self.radius / length) if length > 0 else state.shift
        spent = 0.5 * float(shift.square().sum())
        moved = Gaussian(d.push(shift), d.scale)
        return attacked(problem, moved, self.name, (spent, 0.0), self.read(state), seconds)


@dataclass(frozen=True)
class CrossEntropy(Baseline):
    """m follows the mean of the tenth of the draws with the highest margin, until those fail.

    The cross-entropy method (Rubinstein 1997) for log P_D[C] itself: elites are not weighted back
    to D0, the limit holds m instead.
    """

    name: ClassVar[str] = "cross_entropy"

    @torch.no_grad()
    def _move(self, problem: Problem, state: Shifting, z: Tensor) -> tuple[Shifting, Tensor]:
        s = problem.margin_of_noise(z)
        level = min(0.0, float(torch.quantile(s, 1.0 - _ELITE)))
        elite = z[s >= level].mean(0)
        shift = self._within((1.0 - _SMOOTH) * state.shift + _SMOOTH * elite)
        return replace(state, shift=shift), s


@dataclass(frozen=True)
class MarginAscent(Baseline):
    """m climbs the mean margin of its draws in steps of a tenth of its limit (projected gradient).

    Madry et al. 2018, on the mean of D instead of on one input.
    """

    batch: int = 100
    name: ClassVar[str] = "margin_ascent"
    passes: ClassVar[int] = 2

    def _move(self, problem: Problem, state: Shifting, z: Tensor) -> tuple[Shifting, Tensor]:
        with torch.enable_grad():
            at = z.detach().requires_grad_()
            s = problem.margin_of_noise(at)
            (slope,) = torch.autograd.grad(s.sum(), at)
        up = slope.mean(0)
        move = _PACE * self.radius * up / max(1e-12, float(up.norm()))
        return replace(state, shift=self._within(state.shift + move)), s.detach()


@dataclass(frozen=True)
class ScoreFunction(Baseline):
    """m climbs P itself by the score function, reward 1 where C holds and 0 elsewhere.

    Williams 1992. Without a failure among its draws it does not move.
    """

    name: ClassVar[str] = "score_function"

    @torch.no_grad()
    def _move(self, problem: Problem, state: Shifting, z: Tensor) -> tuple[Shifting, Tensor]:
        s = problem.margin_of_noise(z)
        reward = (s > 0).to(z.dtype)
        up = ((reward - reward.mean())[:, None] * (z - state.shift)).mean(0)
        length = float(up.norm())
        move = _PACE * self.radius * up / length if length > 0 else torch.zeros_like(up)
        return replace(state, shift=self._within(state.shift + move)), s


@dataclass(frozen=True)
class RandomSearch(Baseline):
    """Random directions near the best so far, each at the limit; more failures, then margin."""

    batch: int = 200
    name: ClassVar[str] = "random_search"

    def _proposed(self, state: Shifting, rng: Rng) -> Tensor:
        noise = torch.randn(
            len(state.shift), generator=rng.child("turn").generator(), dtype=state.shift.dtype
        )
        unit = noise / noise.norm()
        if math.isfinite(state.score):
            unit = state.shift / self.radius + _TURN * unit
        return self.radius * unit / unit.norm()

    @torch.no_grad()
    def _move(self, problem: Problem, state: Shifting, z: Tensor) -> tuple[Shifting, Tensor]:
        s = problem.margin_of_noise(z)
        score = float((s > 0).double().sum()) + float(torch.sigmoid(s.mean()))
        if score <= state.score:
            return state, s
        tried = self._proposed(state, state.rng.child("batch", state.steps))
        return replace(state, shift=tried, score=score), s


BASELINES: tuple[type[Baseline], ...] = (CrossEntropy, MarginAscent, ScoreFunction, RandomSearch)
"""Every baseline."""
