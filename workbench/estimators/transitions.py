"""The exact log P of what an automaton decides about the text of a short-sighted language model."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from workbench.distributions import ShortText
from workbench.errors import Unsupported
from workbench.estimators.base import Estimate, Estimator, Needs
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.transitions import backward
from workbench.models import Automaton
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Polyhedral
from workbench.types import Grad, Kind, Pace


@dataclass(frozen=True, kw_only=True)
class Summed(State):
    """log P, once it is known."""

    log_p: Tensor


@dataclass(frozen=True)
class Transitions(Estimator):
    """P = sum over all texts x of P_D(x) 1[C(x, M(x))], by products of transitions: exact.

    D remembers k symbols, M is an automaton: the pair (context, state) is a Markov chain, and
    log P of its accepted states after T symbols takes T products (`math.transitions.backward`), no
    sample and no forward pass of a text. Differentiable in the parameters of D. States of M that
    decide the same are merged first (Moore 1956).
    """

    name: ClassVar[str] = "transitions"
    kind: ClassVar[Kind] = Kind.UNBIASED
    grad: ClassVar[Grad] = Grad.PATHWISE
    needs: ClassVar[Needs] = Needs((ShortText,), (Polyhedral,))
    pace: ClassVar[Pace] = Pace.LIVE

    def init(self, problem: Problem, rng: Rng) -> Summed:
        automaton_of(problem)
        return Summed(rng=rng, log_p=torch.zeros(0))

    def step(self, problem: Problem, state: Summed) -> Summed:
        d = problem.distribution
        assert isinstance(d, ShortText)
        after, accepted = merged(automaton_of(problem).after, margins(problem) > 0)
        last = torch.where(accepted, 0.0, -torch.inf).double()
        log_p = backward(d.log_probs, after, last, d.length)[-1][d.start, 0]
        return replace(state, log_p=log_p, forwards=state.forwards + 1)

    def finished(self, state: Summed) -> bool:
        return state.log_p.numel() > 0

    def read(self, state: Summed) -> Estimate:
        log_p = state.log_p if state.log_p.numel() else torch.tensor(-torch.inf).double()
        return Estimate(log_p, 0.0 if self.finished(state) else torch.inf, self.kind, Cost(1))


def automaton_of(problem: Problem) -> Automaton:
    """M. Raises `Unsupported` where it is no automaton."""
    if not isinstance(problem.model, Automaton):
        what = f"a {type(problem.model).__name__} that reads text"
        raise Unsupported(what, "an automaton is needed")
    return problem.model


def margins(problem: Problem) -> Tensor:
    """`(Q,)`: the margin of every state of the automaton M."""
    outputs = automaton_of(problem).outputs
    return problem.spec.margin(outputs[:, :0], outputs)


def merged(after: Tensor, accepted: Tensor) -> tuple[Tensor, Tensor]:
    """The least automaton that accepts the same texts, state 0 first (Moore 1956).

    Classes are split until all states of one have successors of the same classes.

    Args:
        after: `(Q, V)` int64.
        accepted: `(Q,)` bool.
    """
    classes = accepted.long()
    while True:
        seen = torch.cat([classes[:, None], classes[after]], 1)
        _, finer = torch.unique(seen, dim=0, return_inverse=True)
        if int(finer.max()) == int(classes.max()):
            break
        classes = finer
    ahead = torch.arange(len(classes) - 1, -1, -1)
    first = torch.zeros(int(classes.max()) + 1, dtype=torch.int64)
    first[classes.flip(0)] = ahead  # of every class the first state
    order = torch.argsort(first)
    rank = torch.argsort(order)
    first = first[order]
    return rank[classes][after[first]], accepted[first]
