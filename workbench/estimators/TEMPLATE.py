"""Monte Carlo, stratified along one coordinate: a worked example to copy for an estimator of yours.

1. Copy this file to `workbench/estimators/<yours>.py`; rename the class, its `name` and its state.
2. Import it in `workbench/estimators/__init__.py` and add it to `ALL`.
3. Add a row to `tests/cases.py`, and a line to CHANGELOG.md.

The contract tests, the command line, the comparison table and the screens then pick it up. This
file is not in `ALL`, but the contract tests run on it as on the others.
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from workbench.distributions import Reparameterised
from workbench.errors import BadInput
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.monte_carlo import clopper_pearson
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind


# The state is all that the next step needs, and nothing else: tensors, numbers, tuples of numbers.
# It is saved and loaded between steps, and the resumed run must equal the straight one bit for bit.
@dataclass(frozen=True, kw_only=True)
class Hits(State):
    """Draws are counted by `forwards`."""

    hits: int = 0


# The fields are the settings. They turn up by themselves as `--set axis=1` and as sliders.
@dataclass(frozen=True)
class Stratified(Estimator):
    """P-hat = hits / n, one draw in each of n equally likely slices of one base-noise coordinate.

    z_axis = Phi^-1((i + U_i) / n) for i = 0..n-1, the other coordinates free. Unbiased, and never
    worse than plain Monte Carlo: Var = sum_i p_i (1 - p_i) / n^2 <= P (1 - P) / n. The hits are a
    sum of independent unequal coins, more concentrated than a binomial (Hoeffding 1956), so the
    error and the Clopper-Pearson interval of plain Monte Carlo are kept as safe ones.

    Args:
        batch: draws, and slices, a step.
        axis: the coordinate of the base noise that is sliced, from 0.

    >>> import workbench as wb
    >>> low, high = Stratified()(wb.load("A_d10_1e-3"), budget=20_000).log10_interval
    >>> low < -3 < high
    True
    """

    batch: int = 1024
    axis: int = 0
    name: ClassVar[str] = "stratified"
    kind: ClassVar[Kind] = Kind.UNBIASED
    grad: ClassVar[Grad] = Grad.NONE
    # What D, M and C must be able to do; the base class refuses all others, naming alternatives.
    needs: ClassVar[Needs] = Needs((Reparameterised,))
    # Its answer depends on the seed, so the screen waits to be asked for it: `pace` stays ASKED. A
    # deterministic one says `pace: ClassVar[Pace] = Pace.LIVE` (milliseconds) or `Pace.AT_REST`.

    def __post_init__(self) -> None:
        check_positive(self.name, batch=self.batch)
        if not isinstance(self.axis, int) or self.axis < 0:
            raise BadInput(f"{self.name}: axis must be a whole number from 0, got {self.axis!r}")

    def init(self, problem: Problem, rng: Rng) -> Hits:
        d = problem.distribution
        assert isinstance(d, Reparameterised)
        if self.axis >= d.noise_dim:
            raise BadInput(
                f"{self.name}: axis {self.axis} is not among the {d.noise_dim} coordinates of noise"
            )
        return Hits(rng=rng)

    @torch.no_grad()
    def step(self, problem: Problem, state: Hits) -> Hits:
        # `left` keeps the promise that no step goes past the budget.
        n = int(min(self.batch, state.left))
        d = problem.distribution
        assert isinstance(d, Reparameterised)
        # A stream of its own for every step: draws depend on the seed and the step alone.
        generator = state.rng.child("batch", state.steps).generator()
        z = d.noise(n, generator)
        u = (torch.arange(n) + torch.rand(n, generator=generator, dtype=torch.float64)) / n
        z[:, self.axis] = torch.special.ndtri(u.clamp(min=1e-300)).to(z.dtype)
        # `margin_of_noise` refuses NaN by itself.
        hits = int((problem.margin_of_noise(z) > 0).sum())
        # The runner counts `steps`; a step counts its forward passes, which end the run. What ends
        # by itself says so in `finished(self, state) -> bool`, once another step would change
        # nothing; the usual one is False, until the budget is spent.
        return replace(state, hits=state.hits + hits, forwards=state.forwards + n)

    def read(self, state: Hits) -> Estimate:
        # Called between any two steps, the first included. log P = -inf is an answer, NaN is not.
        hits, n = state.hits, state.forwards
        return Estimate(
            log_p=torch.tensor(math.log(hits / n) if hits else -math.inf, dtype=torch.float64),
            log_err=math.sqrt((1.0 - hits / n) / hits) if hits else math.inf,
            kind=self.kind,
            cost=Cost(forwards=n),
            interval=clopper_pearson(hits, n),
            info={"hits": hits, "draws": n},
        )
