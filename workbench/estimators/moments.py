"""Propagator x tail: log P from the weights, without a sample."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench import propagation, tails
from workbench.distributions import Moments as HasMoments
from workbench.errors import BadInput
from workbench.estimators import limits
from workbench.estimators.base import Estimate, Estimator, Needs
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.logspace import log_sum
from workbench.math.orthant import log_union
from workbench.problem import Problem, before_softmax
from workbench.rng import Rng
from workbench.specs import Polyhedral
from workbench.types import Grad, Kind, Pace

PROPAGATORS = {p.name: p for p in propagation.ALL}
TAILS = {t.name: t for t in tails.ALL}


@dataclass(frozen=True, kw_only=True)
class MomentsState(State):
    """Holds the answer once the one step is done."""

    log_p: Tensor
    beta: Tensor
    margin_mean: Tensor
    margin_std: Tensor
    flops: float = 0.0
    remainder: float = -1.0
    """Of the Hermite series; below 0 where there was none."""
    doubts: str = ""
    done: bool = False


@dataclass(frozen=True)
class Moments(Estimator):
    """Propagate moments of D through M, read log P from the Gaussian law of the margins.

    For every half-space margin s_i of C the propagator leaves mean, variance and correlations; the
    tail turns them into a reliability index beta_i with P(s_i > 0) = Phi(beta_i). A single
    half-space then has log P = log Phi(beta). Several rivals are joined under that Gaussian law: a
    union by Hunter's bound (sum of P_i minus the bivariate joint probabilities along the maximum
    spanning tree: an upper bound on the union, exact for two rivals), an intersection by
    Mendell-Elston sequential conditioning (exact for two). D's pieces are summed by the law of
    total probability.

    Where M ends in a softmax and C compares classes, margins are of the values before it: the event
    is the same.

    Deterministic, differentiable in the parameters of D, M and C; exact where M is linear and D
    Gaussian with at most two rivals. On ReLU networks it can be digits off in the tail. A
    covariance is a series, whose proven remainder is `info["series_remainder"]`: the greatest of
    all layers, as a share of the product of two standard deviations. What is presumed besides, that
    neurons are jointly Gaussian or nearly so, has no bound; the warning says where it was measured
    to fail.

    Args:
        propagator: "covariance", "mean"; "augmented" or "cumulant" (third cumulants too);
            "cumulant4" (fourth ones too, up to 32 neurons wide).
        tail: "gaussian"; with third cumulants also "edgeworth", "pearson3" or "saddlepoint".
        order: terms of the Hermite series of a covariance.

    >>> import torch, workbench as wb
    >>> D = wb.Gaussian(torch.zeros(2).double(), torch.ones(2).double())
    >>> C = wb.Halfspace(torch.tensor([1.0]).double(), -5.0)
    >>> M = torch.nn.Linear(2, 1, bias=False).double()
    >>> _ = torch.nn.init.constant_(M.weight, 0.5**0.5)
    >>> round(Moments()(wb.Problem(D, M, C)).log10_p, 6)  # log10 Phi(-5)
    -6.542646
    """

    propagator: str = "covariance"
    tail: str = "gaussian"
    order: int = 8
    name: ClassVar[str] = "moments"
    kind: ClassVar[Kind] = Kind.HEURISTIC
    grad: ClassVar[Grad] = Grad.PATHWISE
    needs: ClassVar[Needs] = Needs((HasMoments,), (Polyhedral,), readable=True, covariances=True)
    pace: ClassVar[Pace] = Pace.LIVE
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "propagator": tuple(PROPAGATORS),
        "tail": tuple(TAILS),
    }

    def __post_init__(self) -> None:
        for what, known in self.choices.items():
            if (value := getattr(self, what)) not in known:
                raise BadInput(f"unknown {what} {value!r}: use one of {', '.join(known)}")
        propagation.Covariance(self.order)
        self._build()

    def _build(self) -> propagation.Propagator:
        return PROPAGATORS[self.propagator](
            **({} if self.propagator == "mean" else {"order": self.order})
        )

    def init(self, problem: Problem, rng: Rng) -> MomentsState:
        zero = torch.zeros((), dtype=problem.distribution.dtype)
        empty = zero.reshape(1)
        return MomentsState(rng=rng, log_p=zero, beta=empty, margin_mean=empty, margin_std=empty)

    def step(self, problem: Problem, state: MomentsState) -> MomentsState:
        problem = before_softmax(problem)
        d, c = problem.distribution, problem.spec
        assert isinstance(d, HasMoments) and isinstance(c, Polyhedral)
        pieces = d.pieces()
        event = c.halfspaces(problem.outputs, pieces[0].mean)
        propagator, tail = self._build(), TAILS[self.tail]()
        terms, laws, flops, remainder = [], [], 0.0, -1.0
        doubts = [limits.too_deep(problem, propagator.name)]
        doubts.append(limits.tangled(problem, propagator.name))
        for piece in pieces:
            law, spent = propagator.law(problem.graph, piece, event.a, event.b)
            beta = tail.index(law)
            doubts += [law.doubt, tail.doubt(law)]
            remainder = max(remainder, -1.0 if law.remainder is None else law.remainder)
            terms.append(piece.log_weight + log_union(beta, law.corr, event.clauses))
            laws.append((law.mean.detach(), law.std.detach(), beta.detach()))
            flops += spent
        log_p = torch.clamp(log_sum(torch.stack(terms)), max=0.0)  # rounding may pass 1
        each = torch.stack(terms).detach()
        far = _how_far(each, torch.stack([p.log_weight.detach() for p in pieces]))
        narrow = limits.too_narrow(problem, far, self.tail)
        doubts += [narrow or limits.unmeasured(problem, far), limits.bounded(problem, far)]
        doubts += [limits.few_normalised(problem), limits.stepwise(problem, far)]
        top = int(torch.argmax(each))
        mean, std, beta = laws[top]
        return replace(
            state,
            log_p=log_p,
            beta=beta,
            margin_mean=mean,
            margin_std=std,
            flops=flops,
            remainder=remainder,
            doubts="; ".join(dict.fromkeys(d for d in doubts if d)),
            done=True,
        )

    def read(self, state: MomentsState) -> Estimate:
        info: dict[str, Any] = {
            "reliability_index": state.beta.tolist(),
            "margin_mean": state.margin_mean.tolist(),
            "margin_std": state.margin_std.tolist(),
        }
        if state.remainder >= 0.0:
            info["series_remainder"] = state.remainder
        if state.doubts:
            info["warning"] = f"{state.doubts[0].upper()}{state.doubts[1:]}."
        return Estimate(state.log_p, None, self.kind, Cost(flops=state.flops), info=info)

    def finished(self, state: MomentsState) -> bool:
        return state.done


def _how_far(terms: Tensor, log_weights: Tensor) -> float:
    """The mean of log P(C | piece) over the pieces, as they share P; -inf where P is 0.

    Args:
        terms: log of weight times P of every piece.
    """
    known = torch.isfinite(terms)
    given, share = (terms - log_weights)[known], torch.softmax(terms, 0)[known]
    return float(share @ given) if bool(known.any()) else -math.inf
