"""The contract of a Markov kernel on base noise, vectorised over chains."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.iteration import State
from workbench.problem import Problem
from workbench.rng import Rng

MIN_STEP, MAX_STEP = 0.02, 1.0


@dataclass(frozen=True, kw_only=True)
class Chains(State):
    """Where the chains stand; every one of them inside margin > threshold."""

    noise: Tensor
    """`(n, noise_dim)`."""
    margin: Tensor
    """`(n,)`, of that noise."""
    threshold: float
    step_size: float
    target: float | None = None
    """Share of moves that the step size is steered to; None leaves the step size as it is."""
    proposed: int = 0
    accepted: int = 0


@dataclass(frozen=True)
class Moves:
    """What the chains did.

    Attributes:
        noise: `(n, noise_dim)`, where they stand.
        margin: `(n,)`, of that noise.
        acceptance: share of the moves that moved, 0 before the first.
        step_size: of the next move.
        forwards: spent, a gradient counted as two.
    """

    noise: Tensor
    margin: Tensor
    acceptance: float
    step_size: float
    forwards: int


class Kernel(ABC):
    """A way to move; subclasses are frozen dataclasses of settings.

    A move leaves the law of z ~ N(0, I) given margin(z) > threshold invariant, exactly so while the
    step size is fixed. A steered step size depends on where the chains have been: then the law
    holds only as the number of chains grows. A threshold of -inf conditions on nothing.
    """

    name: ClassVar[str]
    start: ClassVar[float]
    """The first step size."""
    usual: ClassVar[float]
    """Forward passes that a move and chain usually costs far in a tail."""

    @abstractmethod
    def move(self, problem: Problem, chains: Chains, generator: torch.Generator) -> Chains:
        """One move of every chain, its randomness out of `generator`."""

    @abstractmethod
    def most(self, n: int) -> int:
        """The most forward passes that one move of n chains can cost."""

    @final
    def init(
        self,
        problem: Problem,
        noise: Tensor,
        rng: Rng,
        *,
        margin: Tensor | None = None,
        threshold: float = -math.inf,
        step_size: float | None = None,
        target: float | None = None,
    ) -> Chains:
        """The chains before their first move.

        Args:
            problem: the triple (D, M, C).
            noise: `(n, noise_dim)` starts, at least one.
            rng: a random stream.
            margin: `(n,)` margins of the starts, where known; else they cost n forward passes.
            threshold: the level.
            step_size: of the first move; the kernel's own by default.
            target: see `Chains`.

        Raises:
            BadInput: where a start lies outside the level, or there is none.
        """
        spent = 0
        if margin is None:
            with torch.no_grad():
                margin, spent = problem.margin_of_noise(noise), len(noise)
        outside = int((margin <= threshold).sum())
        if len(noise) == 0 or outside:
            raise BadInput(
                f"chains need starts with margin > {threshold:.4g}: {outside} of {len(noise)} "
                "lie outside; pass the survivors of that level alone"
            )
        return Chains(
            rng=rng, forwards=spent, noise=noise, margin=margin, threshold=threshold,
            step_size=self.start if step_size is None else step_size, target=target,
        )  # fmt: skip

    @final
    def step(self, problem: Problem, chains: Chains) -> Chains:
        """One move, drawn from the stream of its number."""
        return self.move(problem, chains, chains.rng.child("move", chains.steps).generator())

    @final
    def read(self, chains: Chains) -> Moves:
        """Where the chains stand, and how they moved."""
        share = chains.accepted / chains.proposed if chains.proposed else 0.0
        return Moves(chains.noise, chains.margin, share, chains.step_size, chains.forwards)

    @final
    def finished(self, chains: Chains) -> bool:
        """Whether the budget could be overrun by another move."""
        return chains.left < self.most(len(chains.noise))


def moved(chains: Chains, noise: Tensor, margin: Tensor, accept: Tensor, spent: int) -> Chains:
    """The chains at their new places, the step size steered by the share that moved."""
    b, here = chains.step_size, int(accept.sum())
    if chains.target is not None:
        rate = here / accept.numel()
        b = min(MAX_STEP, max(MIN_STEP, b * math.exp(0.4 * (rate - chains.target))))
    return replace(
        chains,
        noise=noise,
        margin=margin,
        step_size=b,
        proposed=chains.proposed + accept.numel(),
        accepted=chains.accepted + here,
        forwards=chains.forwards + spent,
    )
