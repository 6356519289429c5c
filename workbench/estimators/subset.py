"""Subset simulation: a rare event as a chain of conditional events that are not rare."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench import kernels
from workbench.distributions import Driven, Sequences
from workbench.errors import BadInput
from workbench.estimators import elsewhere
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.levels import quantile, refill
from workbench.estimators.monte_carlo import clopper_pearson
from workbench.estimators.witness import Failures, Witness
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind

KERNELS = {k.name: k for k in kernels.ALL}
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
    plan: tuple[float, ...] = ()
    """Thresholds of the pilot, where the levels are fixed, and the step sizes towards them."""
    plan_steps: tuple[float, ...] = ()
    planned: bool = False
    pilot_forwards: int = 0
    cut: bool = False
    """Whether the budget ended within a level."""
    looked: bool = False
    """Whether failures were looked for that no particle reaches."""
    log_elsewhere: float = -math.inf
    """log P as a few draws around such failures have it."""


@dataclass(frozen=True)
class Subset(Witness, Estimator):
    """Subset simulation (Au & Beck 2001), or multilevel splitting, with a choice of kernels.

    The threshold of each level is the (1 - keep) quantile of the margins of the last; survivors
    seed Markov chains that leave N(0, I) given margin > threshold invariant, their step size
    steered to the given acceptance. P-hat is the product of the levels' shares. Independent repeats
    fill the budget: the answer is their mean, its error their spread, its interval Student's.

    With `levels="fixed"` the first repeat is a pilot: it gives thresholds and step sizes to all
    others and is left out of the answer. P-hat is then unbiased for any number of particles
    (Del Moral 2004, section 7.4), and says so.

    A mode that no particle reaches is lost, and repeats agree on the wrong answer. So at the end,
    where the budget leaves a few hundred forward passes, climbs from all sides of D look for such
    failures, and a few draws around them contradict an answer that is far too low (see
    `elsewhere`); it also warns where most repeats saw nothing. What no gradient leads to is lost
    without a word.

    Args:
        particles: per level and repeat; fewer where the budget would not hold several repeats.
        keep: share of the particles that survives a level.
        acceptance: acceptance rate that the step size is steered to.
        max_levels: a repeat that needs more answers 0.
        kernel: how chains of numbers move: "pcn", "elliptical_slice", or "hamiltonian", which uses
            the margin's gradient and counts it as two forward passes; token sequences always take
            Gibbs moves.
        levels: "adaptive" or "fixed".
    """

    particles: int = 1000
    keep: float = 0.1
    acceptance: float = 0.45
    max_levels: int = 200
    kernel: str = "pcn"
    levels: str = "adaptive"
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "kernel": tuple(KERNELS),
        "levels": ("adaptive", "fixed"),
    }
    name: ClassVar[str] = "subset"
    kind: ClassVar[Kind] = Kind.CONSISTENT
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Driven,))

    def __post_init__(self) -> None:
        check_positive(self.name, particles=self.particles, max_levels=self.max_levels)
        for key in ("keep", "acceptance"):
            if not 0.0 < getattr(self, key) < 1.0:
                raise BadInput(f"subset: {key} must lie between 0 and 1, got {getattr(self, key)}")
        for what, known in self.choices.items():
            if getattr(self, what) not in known:
                raise BadInput(
                    f"unknown {what} {getattr(self, what)!r}: use one of {', '.join(known)}"
                )

    def _kernel(self, problem: Problem) -> type[kernels.Kernel]:
        tokens = isinstance(problem.distribution, Sequences)
        return kernels.TokenGibbs if tokens else KERNELS[self.kernel]

    def init(self, problem: Problem, rng: Rng) -> Levels:
        empty = torch.empty(0, dtype=problem.distribution.dtype)
        return Levels(rng=rng, noise=empty, margin=empty)

    @torch.no_grad()
    def step(self, problem: Problem, state: Levels) -> Levels:
        if self._ended(state):
            log_p, _ = _log_mean(state.repeats)
            found, spent = elsewhere.log_mean(problem, log_p, state.rng)
            spent += state.forwards
            return replace(state, looked=True, log_elsewhere=found, forwards=spent)
        if state.level == 0:
            return self._first_level(problem, state)
        if state.planned:
            k = state.level - 1
            if k >= len(state.plan):
                return self._last_level(state)
            return self._climb(problem, state, state.plan[k], state.plan_steps[k])
        threshold = quantile(state.margin, self.keep)
        if threshold >= 0.0:
            return self._last_level(state)
        if threshold <= state.threshold or state.level >= self.max_levels:
            return self._finish(state, -math.inf)
        return self._climb(problem, state, threshold, state.step_size)

    def _first_level(self, problem: Problem, state: Levels) -> Levels:
        kernel = self._kernel(problem)
        n = int(
            min(self.particles, max(_MIN_PARTICLES, state.left / (_LEVELS_IN_MIND * kernel.usual)))
        )
        n = int(min(state.margin.numel() or n, state.left))
        d = problem.distribution
        assert isinstance(d, Driven)
        z = d.noise(n, self._stream(state).generator())
        return replace(
            state, noise=z, margin=problem.margin_of_noise(z), level=1, log_p=0.0,
            threshold=-math.inf, step_size=kernel.start,
            forwards=state.forwards + n,
        )  # fmt: skip

    def _last_level(self, state: Levels) -> Levels:
        share = float((state.margin > 0).double().mean())
        return self._finish(state, state.log_p + math.log(share) if share else -math.inf)

    def _climb(self, problem: Problem, state: Levels, threshold: float, step: float) -> Levels:
        """Refill the level above `threshold` by chains from the survivors."""
        share = float((state.margin > threshold).double().mean())
        if share == 0.0:
            return self._finish(state, -math.inf)
        above = refill(
            problem, self._kernel(problem)(), state.noise, state.margin, threshold,
            self._stream(state), step_size=step,
            target=None if state.planned else self.acceptance, left=state.left,
        )  # fmt: skip
        if above is None:
            return replace(state, cut=True)
        if self.levels == "fixed" and not state.planned:
            state = replace(
                state,
                plan=(*state.plan, threshold),
                plan_steps=(*state.plan_steps, above.step_size),
            )
        return replace(
            state, noise=above.noise, margin=above.margin, level=state.level + 1,
            log_p=state.log_p + math.log(share), threshold=threshold, step_size=above.step_size,
            forwards=state.forwards + above.spent,
        )  # fmt: skip

    def _finish(self, state: Levels, log_p: float) -> Levels:
        """End this repeat with its answer, or the pilot; the next step starts another."""
        if self.levels == "fixed" and not state.planned:
            return replace(state, level=0, planned=True, pilot_forwards=state.forwards)
        return replace(state, level=0, repeats=(*state.repeats, log_p))

    def _stream(self, state: Levels) -> Rng:
        repeat = "pilot" if self.levels == "fixed" and not state.planned else len(state.repeats)
        return state.rng.child("repeat", repeat, "level", state.level)

    def finished(self, state: Levels) -> bool:
        unseen = state.looked or not state.repeats or state.left < elsewhere.COST
        return self._ended(state) and unseen

    def _ended(self, state: Levels) -> bool:
        """Whether the budget holds no further level or repeat: a cut one would bias the mean."""
        if state.cut:
            return True
        if state.limit is None:
            return False
        if state.level:
            return state.left < state.margin.numel()
        if not state.repeats:
            return False
        spent = state.forwards - state.pilot_forwards
        return state.left < _LONGEST * spent / len(state.repeats)

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
        log_p, log_err = _log_mean(state.repeats) if state.repeats else (-math.inf, math.inf)
        none = sum(p == -math.inf for p in state.repeats)
        if 2 * none > len(state.repeats) > none:
            info["warning"] = (
                f"{none} of {len(state.repeats)} repeats met no failure: the others found what "
                "particles seldom reach, and the error is a guess"
            )
        if contradicted := elsewhere.doubt(log_p, state.log_elsewhere):
            info["warning"] = contradicted
        if not state.repeats:
            # How far the first climb came is no estimate of P: as good as no hit seen.
            info["unfinished"] = (
                f"the budget ended at the level margin > {state.threshold:.3g}, of probability "
                f"10^{state.log_p / math.log(10.0):.3g}"
            )
            return Estimate(_scalar(-math.inf), math.inf, self.kind, cost, (-math.inf, 0.0), info)
        kind = Kind.UNBIASED if self.levels == "fixed" else self.kind
        interval = (-math.inf, 0.0)
        if math.isfinite(log_err):
            from scipy.special import stdtrit

            reach = float(stdtrit(len(state.repeats) - 1, 0.975)) * log_err
            interval = (log_p - reach, min(0.0, log_p + reach))
        return Estimate(_scalar(log_p), log_err, kind, cost, interval, info)


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
