"""Token sequences with independent positions."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from workbench.distributions.base import (
    Density,
    Distribution,
    Enumerable,
    IndependentTokens,
)
from workbench.distributions.discrete import MOST, Discrete
from workbench.errors import BadInput, Unsupported
from workbench.math import simplex
from workbench.math.checks import check_finite


@dataclass(frozen=True, eq=False)
class Tokens(IndependentTokens, Density, Enumerable, Distribution):
    """x_1, ..., x_T independent, P(x_i = v) = probs[i, v]; a row that is one-hot fixes its token.

    Rows are normalised to sum to 1. x is int64 `(batch, T)`. Outcomes are numbered in mixed radix,
    the last position the fastest, tokens of probability 0 left out.

    Args:
        probs: `(T, V)`, at least 0, with a positive sum in every row.

    Raises:
        BadInput: on wrong shapes or negative probabilities.
        Unsupported: where more than 2^62 outcomes are to be numbered.

    >>> import torch
    >>> law = Tokens(torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.25, 0.75]]))
    >>> law.log_prob(torch.tensor([[0, 2], [2, 2]])).exp()
    tensor([0.3750, 0.0000])
    >>> law.outcome(2, 2)[0].tolist()
    [[1, 1], [1, 2]]
    """

    probs: Tensor
    name: ClassVar[str] = "tokens"

    def __post_init__(self) -> None:
        p = self.probs
        if not isinstance(p, Tensor) or not p.is_floating_point() or p.ndim != 2 or not p.numel():
            got = f"{p.dtype} {tuple(p.shape)}" if isinstance(p, Tensor) else type(p).__name__
            raise BadInput(f"the probabilities of tokens must be floats (T, V), got {got}")
        check_finite("the probabilities of tokens", p)
        if bool((p < 0).any()) or not bool((p.sum(1) > 0).all()):
            raise BadInput(
                "the probabilities of tokens must be at least 0, and positive somewhere at every "
                "position"
            )

    @property
    def dim(self) -> int:
        return self.probs.shape[0]

    @property
    def alphabet(self) -> int:
        return self.probs.shape[1]

    @property
    def dtype(self) -> torch.dtype:
        return torch.int64

    def log_probs(self) -> Tensor:
        alive = self.probs > 0
        log_p = torch.log(torch.where(alive, self.probs, 1.0))
        log_p = log_p - torch.log(self.probs.sum(1, keepdim=True))
        return torch.where(alive, log_p, -math.inf)

    def log_prob(self, x: Tensor) -> Tensor:
        return simplex.log_prob(self.log_probs(), x)

    @cached_property
    def _law(self) -> Discrete:
        """The same law of the numbers 0, ..., V - 1."""
        p = self.probs.detach().double()
        digits = sum(math.log10(n) for n in (p > 0).sum(1).tolist())
        if digits > math.log10(MOST):
            raise Unsupported(
                f"counting 10^{digits:.0f} sequences of tokens", "at most 2^62 can be numbered"
            )
        return Discrete(torch.arange(self.alphabet).double().expand_as(p), p)

    @property
    def outcomes(self) -> int:
        return self._law.outcomes

    def outcome(self, start: int, n: int) -> tuple[Tensor, Tensor]:
        x, log_p = self._law.outcome(start, n)
        return x.long(), log_p
