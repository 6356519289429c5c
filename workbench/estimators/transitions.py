"""log P of what an automaton and a residue decide about text by a short-sighted language model."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import ShortText
from workbench.errors import BadInput
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.reading import Reading, reading
from workbench.iteration import State
from workbench.math import residues
from workbench.math.cost import Cost
from workbench.math.logspace import LN10
from workbench.math.transitions import backward
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Polyhedral
from workbench.types import Grad, Kind, Pace

_ROOM = 4_000_000
"""Numbers in the largest table of one product of transitions, 32 MB."""
_UNSURE = 0.1  # digits


@dataclass(frozen=True, kw_only=True)
class Summed(State):
    """log P, once it is known."""

    log_p: Tensor
    flops: float = 0.0
    tracked: int = 1
    presumed: int = 1
    """The part of the modulus modulo which the text is presumed uniform, whatever else it is."""
    defect: float = 0.0
    """By how much of P that may be off."""


@dataclass(frozen=True)
class Transitions(Estimator):
    """P = sum over all texts x of P_D(x) 1[C(x, M(x))], by products of transitions: exact.

    D remembers k symbols, M is an automaton: the pair (context, state) is a Markov chain, and
    log P of its accepted states after T symbols takes T products (`math.transitions.backward`), no
    sample and no forward pass of a text. Differentiable in the parameters of D. States of M that
    decide the same are merged first (Moore 1956).

    C may also ask for a residue r modulo q of the number that the text spells (`models.Residue`).
    As much of q as tables have room for is tracked exactly, first what shares primes with the
    alphabet: the last symbols settle it, and C may turn on them. The coprime rest q' is presumed
    uniform and independent, a factor 1 / q'; `presumed_modulus` says so, and `spread_digits`
    how far P given a residue modulo q' lies from P in the root mean square over residues, as far
    as some of their characters tell (Parseval).

    Args:
        states: the most residues that are tracked.
        characters: how many are looked at.
    """

    states: int = 1024
    characters: int = 32
    name: ClassVar[str] = "transitions"
    kind: ClassVar[Kind] = Kind.UNBIASED
    grad: ClassVar[Grad] = Grad.PATHWISE
    needs: ClassVar[Needs] = Needs((ShortText,), (Polyhedral,))
    pace: ClassVar[Pace] = Pace.LIVE

    def __post_init__(self) -> None:
        check_positive(self.name, states=self.states, characters=self.characters)

    def init(self, problem: Problem, rng: Rng) -> Summed:
        reading(problem)
        return Summed(rng=rng, log_p=torch.zeros(0))

    def step(self, problem: Problem, state: Summed) -> Summed:
        d, read = problem.distribution, reading(problem)
        assert isinstance(d, ShortText)
        if read.residue is not None and read.residue.alphabet != d.alphabet:
            raise BadInput(
                f"a residue of numbers in base {read.residue.alphabet} is asked of text of "
                f"{d.alphabet} symbols"
            )
        after, last = read.after, torch.where(read.accepted, 0.0, -torch.inf).double()
        tracked, rest = 1, 1
        if read.residue is not None:
            room = _ROOM // (d.alphabet ** (d.memory + 1) * len(after))
            most = min(self.states, room)
            tracked, rest = residues.split(read.residue.modulus, d.alphabet, most)
            after, last = residues.beside(after, last, tracked, read.residue.target)
        log_p = backward(d.log_probs, after, last, d.length)[-1][d.start, 0] - math.log(rest)
        if read.residue is None and bool(read.accepted.all()):
            log_p = log_p - log_p.detach()  # surely, without rounding
        return replace(
            state, log_p=log_p, forwards=state.forwards + 1, tracked=tracked, presumed=rest,
            defect=self._defect(d, read, rest),
            flops=2.0 * d.length * d.alphabet ** (d.memory + 1) * len(after),
        )  # fmt: skip

    def _defect(self, d: ShortText, read: Reading, rest: int) -> float:
        """The spread of P over residues modulo the part that is presumed."""
        if rest == 1:
            return 0.0
        n = min(self.characters, rest - 1)
        numbers = torch.cat([torch.zeros(1).long(), 1 + torch.arange(n) * (rest - 1) // n])
        last = torch.where(read.accepted, 0.0, -torch.inf).double()
        found = residues.characters(
            d.log_probs.detach(), read.after, last, d.length, d.start, rest, numbers
        )
        total = float(found[0].real)
        return residues.spread(found[1:], total, rest) if total > 0.0 else 0.0

    def finished(self, state: Summed) -> bool:
        return state.log_p.numel() > 0

    def read(self, state: Summed) -> Estimate:
        if not self.finished(state):
            nothing = torch.tensor(-torch.inf).double()
            return Estimate(nothing, torch.inf, self.kind, Cost(0))
        cost = Cost(state.forwards, state.flops)
        if state.presumed == 1 or not bool(torch.isfinite(state.log_p)):
            return Estimate(state.log_p, 0.0, self.kind, cost)
        off = math.log1p(state.defect) / LN10
        info: dict[str, Any] = {
            "tracked_modulus": state.tracked, "presumed_modulus": state.presumed,
            "spread_digits": off,
        }  # fmt: skip
        if off > _UNSURE:
            info["warning"] = (
                f"independence of the residue modulo {state.presumed} was presumed, and P differs "
                f"between such residues by {off:.1f} digits"
            )
        return Estimate(state.log_p, None, Kind.HEURISTIC, cost, None, info)
