"""Independent token gradient importance sampling: every position tilted by its mean gradient."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from workbench.distributions import IndependentTokens, Sequences
from workbench.errors import BadInput
from workbench.estimators import soft_tokens
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.weighing import Weighed, estimate_of, weighed
from workbench.math import simplex
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind

_KEPT = 0.9  # of the running gradient, a batch


@dataclass(frozen=True, kw_only=True)
class Tilted(Weighed):
    """The weights seen so far, and the running sum of gradients `(T, V)`."""

    slope: Tensor


@dataclass(frozen=True)
class ITGIS(Estimator):
    """P-hat = mean over all batches of 1_C prod_i p_i(x_i) / q_i(x_i), with q_i(v) proportional to
    p_i(v) exp(g_i[v] / T_j).

    (Wu & Hilton, arXiv 2410.13211, section 3.1.) g <- 0.9 g + the batch's mean of ds / d onehot;
    T_j = temperature (1 - 0.9^j) / (1 - 0.9) after j batches, so that g / T_j is an average over
    temperature; the first batch is of p itself. Every batch is weighed by the q that it was drawn
    from, which earlier ones fixed: unbiased, at any temperature. Where two tokens matter only
    together, one mean gradient a position misses it, and a few large weights carry the answer.

    Args:
        batch: sequences a step, each a forward pass and its gradient.
        temperature: logits that a factor e in q stands for; the smaller, the further q tilts.
    """

    batch: int = 256
    temperature: float = 1.0
    name: ClassVar[str] = "itgis"
    kind: ClassVar[Kind] = Kind.UNBIASED
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((IndependentTokens,))

    def __post_init__(self) -> None:
        check_positive(self.name, batch=self.batch)
        check_temperature(self.name, self.temperature)

    def init(self, problem: Problem, rng: Rng) -> Tilted:
        d = problem.distribution
        assert isinstance(d, Sequences)
        return Tilted(rng=rng, slope=torch.zeros(d.dim, d.alphabet, dtype=torch.float64))

    @torch.no_grad()
    def step(self, problem: Problem, state: Tilted) -> Tilted:
        n = int(min(self.batch, state.left // soft_tokens.COST))
        if n == 0:
            return replace(state, forwards=state.forwards + int(state.left))
        d = problem.distribution
        assert isinstance(d, IndependentTokens)
        log_p = d.log_probs().detach().double()
        scale = self.temperature * (1.0 - _KEPT**state.steps) / (1.0 - _KEPT)
        log_q = torch.log_softmax(log_p + state.slope / scale, 1) if state.steps else log_p
        generator = state.rng.child("batch", state.steps).generator()
        x = simplex.draw(torch.exp(log_q), n, generator)
        s, gradient = soft_tokens.margin_and_gradient(problem, x)
        log_w = simplex.log_prob((log_p - log_q).nan_to_num(nan=-math.inf), x)
        state = weighed(state, log_w[s > 0], n, n * soft_tokens.COST)
        return replace(state, slope=_KEPT * state.slope + gradient.double().mean(0))

    def read(self, state: Tilted) -> Estimate:
        return estimate_of(state, self.kind)


def check_temperature(name: str, temperature: float) -> None:
    """Raises `BadInput` where it is no positive number."""
    if isinstance(temperature, bool) or not isinstance(temperature, int | float):
        raise BadInput(f"{name}: temperature must be a number, got {temperature!r}")
    if not 0.0 < temperature < math.inf:
        raise BadInput(f"{name}: temperature must be above 0 and finite, got {temperature!r}")
