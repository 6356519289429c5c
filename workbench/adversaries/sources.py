"""Where the gradient of an adversary comes from that can only draw texts and judge them.

Every source is a rule that draws texts x_1, ..., x_n and gives each a coefficient a_i; then the
adversary moves along sum_i a_i d log D_theta(x_i) / d theta. The texts are judged by M, n calls.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor

from workbench.distributions import Density, Distribution, Sampleable, ShortText
from workbench.errors import BadInput, Unsupported
from workbench.estimators.base import check_positive
from workbench.estimators.reading import automaton_of, margins
from workbench.estimators.transitions import Transitions
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.settings import Settings
from workbench.specs import And

_FALLS = 1e-9  # of a margin that still belongs to the elites


@dataclass(frozen=True, eq=False)
class Drawn:
    """Texts and what the adversary learns from them.

    Args:
        x: `(n, T)` token ids.
        weight: `(n,)`, a_i.
        hits: how many of them fail.
        log_p: log P_D[C]: of the share that fails where they are draws from D.
    """

    x: Tensor
    weight: Tensor
    hits: int
    log_p: float


@dataclass(frozen=True)
class Source(Settings, ABC):
    """A rule that draws and weighs; subclasses are frozen dataclasses of settings."""

    name: ClassVar[str]

    @abstractmethod
    def draw(self, problem: Problem, d: Distribution, n: int, rng: Rng) -> Drawn:
        """n texts and their coefficients.

        Args:
            problem: (D0, M, C).
            d: D as it stands.
        """


@dataclass(frozen=True)
class Score(Source):
    """The score function: E_D[r] rises along E_D[(r - b) d log D / d theta] (Williams 1992).

    The baseline b of a text is the mean reward of the others (Kool, van Hoof & Welling 2019), so
    a_i = (r_i - mean r) / (n - 1).

    Args:
        shaped: reward the margin s, of a conjunction the sum of its parts' margins (their least
            would hide what becomes of the others), each within [-floor, cap]; else 1 where s > 0
            and 0 elsewhere, which learns nothing until a failure is seen.
        cap: margins above it earn no more.
        floor: margins below -floor cost no more.
        temperature: tau above 0 climbs log E_D[exp(r / tau)] instead, which heeds the best texts
            most and tends to log P: a_i = softmax(r / tau)_i - 1 / n. 0 climbs E_D[r].
    """

    shaped: bool = True
    cap: float = 0.5
    floor: float = 4.0
    temperature: float = 0.0
    name: ClassVar[str] = "score"

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise BadInput(f"score: temperature must be at least 0, got {self.temperature!r}")
        if not -self.floor < self.cap:
            raise BadInput(
                f"score: the cap must lie above minus the floor, got {self.cap!r} and "
                f"{self.floor!r}"
            )

    @torch.no_grad()
    def draw(self, problem: Problem, d: Distribution, n: int, rng: Rng) -> Drawn:
        x = _plain(d, n, rng)
        y = problem.answers(x)
        s = problem.judge(x, y).double()
        reward = self._shaped(problem, x, y) if self.shaped else (s > 0).double()
        if self.temperature:
            return _drawn(x, torch.softmax(reward / self.temperature, 0) - 1.0 / n, s)
        return _drawn(x, left_out(reward), s)

    def _shaped(self, problem: Problem, x: Tensor, y: Tensor) -> Tensor:
        parts = problem.spec.parts if isinstance(problem.spec, And) else (problem.spec,)
        margins = torch.stack([part.margin(x, y) for part in parts]).double()
        return margins.clamp(-self.floor, self.cap).sum(0)


@dataclass(frozen=True)
class Elites(Source):
    """Cross-entropy (Rubinstein 1997): fit D to its elites, weighed back to D0.

    Elites have margins among the highest `share` of the draws, or above 0 once so many fail; where
    many tie at that level, those above it. The weights D0 / D make them draws of D0 given the
    level, the D of least KL(D || D0) at that level.

    Args:
        share: of the draws, in (0, 1).
    """

    share: float = 0.1
    name: ClassVar[str] = "elites"

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise BadInput(f"elites: share must be in (0, 1), got {self.share!r}")

    @torch.no_grad()
    def draw(self, problem: Problem, d: Distribution, n: int, rng: Rng) -> Drawn:
        x = _plain(d, n, rng)
        s = problem.margin(x).double()
        level = _level(s, self.share)
        log_w = cast(Density, problem.distribution).log_prob(x) - cast(Density, d).log_prob(x)
        weight = torch.softmax(torch.where(s >= level, log_w.double(), -math.inf), 0)
        return _drawn(x, weight, s)


@dataclass(frozen=True)
class Tilted(Source):
    """Fit D to draws from D0(x) exp(s(x) / temperature), drawn by exact twists.

    The twist of a beginning of a text is the log of the expected weight of how it goes on (twisted
    sequential Monte Carlo; Zhao et al. 2024, arXiv 2404.17546): here exact, by products of
    transitions. Temperature 0 draws from D0 given C.

    Args:
        temperature: at least 0; margins are clamped to 1/2 above.
    """

    temperature: float = 0.0
    name: ClassVar[str] = "tilted"

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise BadInput(f"tilted: temperature must be at least 0, got {self.temperature!r}")

    @torch.no_grad()
    def draw(self, problem: Problem, d: Distribution, n: int, rng: Rng) -> Drawn:
        d0, s = problem.distribution, margins(problem).double()
        if not isinstance(d0, ShortText):
            raise Unsupported(f"twists of a {d0.name} D0", "a short_text D0 is needed")
        if self.temperature:
            last = s.clamp(max=0.5) / self.temperature
        else:
            last = torch.where(s > 0, 0.0, -math.inf).double()
        x = d0.tilted(n, rng.child("draws").generator(), automaton_of(problem).after, last)
        hits = int((problem.margin(x) > 0).sum())
        log_p = float(Transitions()(problem.vary(distribution=d)).log_p)
        return Drawn(x, torch.full((n,), 1.0 / n).double(), hits, log_p)


SOURCES: tuple[type[Source], ...] = (Score, Elites, Tilted)
"""Every source of gradients from draws."""


def _level(s: Tensor, share: float) -> float:
    """The least margin of an elite."""
    level = float(torch.quantile(s, 1.0 - share))
    above = s[s > level]
    if len(above) and float((s >= level).double().mean()) > 2.0 * share:
        level = float(above.min())
    return min(_FALLS, level)


def left_out(reward: Tensor) -> Tensor:
    """a_i = (r_i - mean of the others) / n = (r_i - mean) / (n - 1); sums to 0."""
    return (reward - reward.mean()) / max(1, len(reward) - 1)


def _drawn(x: Tensor, weight: Tensor, s: Tensor) -> Drawn:
    """Draws from D with margins s."""
    hits = int((s > 0).sum())
    return Drawn(x, weight, hits, math.log(hits / len(x)) if hits else -math.inf)


def _plain(d: Distribution, n: int, rng: Rng) -> Tensor:
    check_positive("a source of gradients", draws=n)
    if not isinstance(d, Sampleable) or not isinstance(d, Density):
        what = f"the score of a {d.name}"
        raise Unsupported(what, "samples and a density are needed")
    return d.sample(n, rng.child("draws").generator())
