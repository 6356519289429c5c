"""Subset simulation: a rare event as a chain of conditional events that are not rare."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.errors import BadInput
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.monte_carlo import clopper_pearson
from workbench.estimators.witness import Failures, Witness
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind

_MIN_STEP, _MAX_STEP = 0.02, 1.0
_MIN_PARTICLES = 200
_LEVELS_IN_MIND = 80
_LONGEST = 1.25
_HOPELESS = 100.0
_TINY = -15.0 * math.log(10.0)


@dataclass(frozen=True, kw_only=True)
class Levels(State):
    """The particles of the present level, and the answers of the finished repeats."""

    noise: Tensor
    margin: Tensor
    level: int = 0
    log_p: float = 0.0
    """log P(margin > threshold of the present level) in this repeat."""
    threshold: float = -math.inf
    step_size: float = 0.6
    repeats: tuple[float, ...] = ()
    """log P-hat of every finished repeat."""


@dataclass(frozen=True)
class Subset(Witness, Estimator):
    """Adaptive subset simulation (Au & Beck 2001) with pCN moves in base noise.

    The threshold of each level is the (1 - keep) quantile of the margins of the last; survivors
    seed Markov chains z' = sqrt(1 - b^2) z + b xi (preconditioned Crank-Nicolson, which leaves
    N(0, I) invariant), accepted where the margin stays above the threshold, b steered to the given
    acceptance. P-hat is the product of the levels' shares. Independent repeats fill the budget: the
    answer is their mean, its error their spread, its interval Student's.

    A mode that no particle reaches is lost without a word: repeats agree on the wrong answer.

    Args:
        particles: per level and repeat; fewer where the budget would not hold several repeats.
        keep: share of the particles that survives a level.
        acceptance: acceptance rate that the step size is steered to.
        max_levels: a repeat that needs more answers 0.
    """

    particles: int = 1000
    keep: float = 0.1
    acceptance: float = 0.45
    max_levels: int = 200
    name: ClassVar[str] = "subset"
    kind: ClassVar[Kind] = Kind.CONSISTENT
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Reparameterised,))

    def __post_init__(self) -> None:
        check_positive(self.name, particles=self.particles, max_levels=self.max_levels)
        for key in ("keep", "acceptance"):
            if not 0.0 < getattr(self, key) < 1.0:
                raise BadInput(f"subset: {key} must lie between 0 and 1, got {getattr(self, key)}")

    def init(self, problem: Problem, rng: Rng) -> Levels:
        empty = torch.empty(0, dtype=problem.distribution.dtype)
        return Levels(rng=rng, noise=empty, margin=empty)

    @torch.no_grad()
    def step(self, problem: Problem, state: Levels) -> Levels:
        if state.level == 0:
            return self._first_level(problem, state)
        threshold, alive = self._next_threshold(state)
        if threshold >= 0.0:
            share = float((state.margin > 0).double().mean())
            return _finish(state, state.log_p + math.log(share) if share else -math.inf)
        if alive == 0 or threshold <= state.threshold or state.level >= self.max_levels:
            return _finish(state, -math.inf)
        return self._climb(problem, state, threshold, alive)

    def _first_level(self, problem: Problem, state: Levels) -> Levels:
        n = int(min(self.particles, max(_MIN_PARTICLES, state.left / _LEVELS_IN_MIND)))
        n = int(min(state.margin.numel() or n, state.left))
        d = problem.distribution
        assert isinstance(d, Reparameterised)
        z = d.noise(n, self._stream(state))
        return replace(
            state, noise=z, margin=problem.margin_of_noise(z), level=1, log_p=0.0,
            threshold=-math.inf, step_size=Levels.step_size, forwards=state.forwards + n,
        )  # fmt: skip

    def _next_threshold(self, state: Levels) -> tuple[float, int]:
        """The margin that about `keep` of the particles exceed, and how many do."""
        n = state.margin.numel()
        rank = max(1, int(self.keep * n))
        threshold = float(torch.topk(state.margin, min(rank + 1, n)).values[-1])
        return threshold, int((state.margin > threshold).sum())

    def _climb(self, problem: Problem, state: Levels, threshold: float, alive: int) -> Levels:
        """Refill the level above `threshold` by chains from the survivors."""
        n = state.margin.numel()
        seeds = torch.nonzero(state.margin > threshold).squeeze(1)
        z, s = state.noise[seeds], state.margin[seeds]
        generator = self._stream(state)
        kept_z, kept_s, b, spent = [z], [s], state.step_size, 0
        for _ in range(math.ceil(n / alive) - 1):
            xi = torch.randn(z.shape, generator=generator, dtype=z.dtype)
            proposal = math.sqrt(1.0 - b * b) * z + b * xi
            margin = problem.margin_of_noise(proposal)
            spent += alive
            accept = margin > threshold
            z = torch.where(accept[:, None], proposal, z)
            s = torch.where(accept, margin, s)
            kept_z.append(z)
            kept_s.append(s)
            rate = float(accept.double().mean())
            b = min(_MAX_STEP, max(_MIN_STEP, b * math.exp(0.4 * (rate - self.acceptance))))
        return replace(
            state,
            noise=torch.cat(kept_z)[:n],
            margin=torch.cat(kept_s)[:n],
            level=state.level + 1,
            log_p=state.log_p + math.log(alive / n),
            threshold=threshold,
            step_size=b,
            forwards=state.forwards + spent,
        )

    def _stream(self, state: Levels) -> torch.Generator:
        return state.rng.child("repeat", len(state.repeats), "level", state.level).generator()

    def finished(self, state: Levels) -> bool:
        """Whether the budget holds no further level or repeat: a cut one would bias the mean."""
        if state.limit is None:
            return False
        if state.level:
            return state.left < state.margin.numel()
        if not state.repeats:
            return False
        return state.left < _LONGEST * state.forwards / len(state.repeats)

    def failures(self, problem: Problem, state: Levels) -> Failures:
        """The particles that fail, of the last level of the last repeat."""
        z = state.noise[state.margin > 0]
        return Failures(z, z.new_zeros(len(z)))

    def read(self, state: Levels) -> Estimate:
        cost = Cost(forwards=state.forwards)
        info: dict[str, Any] = {
            "repeats": len(state.repeats),
            "particles": state.margin.numel(),
            "log10_p_repeats": [p / math.log(10.0) for p in state.repeats],
        }
        if max(state.repeats, default=state.log_p) < _TINY:
            # A hit among the plain draws would have shown in the answer.
            n = state.margin.numel() * (len(state.repeats) + (state.level > 0))
            bound = clopper_pearson(0, n)[1] / math.log(10.0)
            info["warning"] = (
                "a region without a gradient towards it is not excluded, and would outweigh an "
                f"answer so small; {n:,} plain draws without a hit bound P by 10^{bound:.2g}"
            )
        if not state.repeats:
            # How far the first climb came is no estimate of P: as good as no hit seen.
            info["unfinished"] = (
                f"the budget ended at the level margin > {state.threshold:.3g}, of probability "
                f"10^{state.log_p / math.log(10.0):.3g}"
            )
            return Estimate(_scalar(-math.inf), math.inf, self.kind, cost, (-math.inf, 0.0), info)
        log_p, log_err = _log_mean(state.repeats)
        interval = (-math.inf, 0.0)
        if math.isfinite(log_err):
            from scipy.special import stdtrit

            reach = float(stdtrit(len(state.repeats) - 1, 0.975)) * log_err
            interval = (log_p - reach, min(0.0, log_p + reach))
        return Estimate(_scalar(log_p), log_err, self.kind, cost, interval, info)


def _finish(state: Levels, log_p: float) -> Levels:
    """End this repeat with its answer; the next step starts another."""
    return replace(state, level=0, repeats=(*state.repeats, log_p))


def _log_mean(logs: tuple[float, ...]) -> tuple[float, float]:
    """Log of the mean of exp(logs), and that mean's relative standard error (inf where unknown).

    P-hat of a repeat is close to log-normal, and then sqrt(expm1(var(logs)) / n) is a far steadier
    error than the spread of P-hat itself, which a rare large repeat dominates.
    """
    top = max(logs)
    if top == -math.inf:
        return -math.inf, math.inf
    values = torch.exp(torch.tensor(logs, dtype=torch.float64) - top)
    mean, n = float(values.mean()), len(logs)
    if n == 1:
        return top + math.log(mean), math.inf
    if min(logs) == -math.inf:
        spread = float(values.var()) / mean**2
    else:
        variance = float(torch.tensor(logs, dtype=torch.float64).var())
        spread = math.expm1(variance) if variance < _HOPELESS else math.inf
    return top + math.log(mean), math.sqrt(spread / n)


def _scalar(log_p: float) -> Tensor:
    return torch.tensor(log_p, dtype=torch.float64)
