"""Text by a short-sighted language model, given that a finite automaton accepts it."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from workbench.distributions.base import Density, Distribution, Sampleable, Sequences
from workbench.distributions.short_text import ShortText
from workbench.errors import BadInput
from workbench.math.transitions import backward


@dataclass(frozen=True, eq=False)
class AcceptedText(Sequences, Sampleable, Density, Distribution):
    """P(x) = base(x) / Z where the automaton ends in an accepting state, Z = base's P of that.

    Exact, by products of the base's and the automaton's transitions: log Z, its draws, and
    log P(x) with its gradient in the base's parameters.

    Args:
        base: the text.
        after: `(Q, V)` int64, the automaton's next states; it starts in state 0.
        accepting: `(Q,)` bool.

    Raises:
        BadInput: where the automaton does not fit the text, or never accepts.

    >>> from workbench.models.short_context import ShortContext
    >>> net = ShortContext(3, 2, generator=torch.Generator().manual_seed(0))
    >>> odd = torch.tensor([[0, 1, 0], [1, 0, 1]])  # 1 after an odd number of ones
    >>> text = AcceptedText(ShortText(net, (0, 0), 5), odd, torch.tensor([False, True]))
    >>> x = text.sample(100, torch.Generator().manual_seed(0))
    >>> set(((x == 1).sum(1) % 2).tolist())
    {1}
    """

    base: ShortText
    after: Tensor
    accepting: Tensor
    name: ClassVar[str] = "accepted_text"

    def __post_init__(self) -> None:
        a, states = self.after, len(self.accepting)
        if a.shape != (states, self.base.alphabet) or a.dtype != torch.int64:
            raise BadInput(
                f"an automaton of {states} states over {self.base.alphabet} symbols needs next "
                f"states ({states}, {self.base.alphabet}) int64, got {a.dtype} {tuple(a.shape)}"
            )
        if bool(((a < 0) | (a >= states)).any()) or self.accepting.dtype != torch.bool:
            raise BadInput(f"next states must be among 0, ..., {states - 1}, accepting ones bools")
        if not bool(torch.isfinite(self.log_z.detach())):
            raise BadInput(f"the automaton accepts no text of {self.dim} symbols")

    @property
    def dim(self) -> int:
        return self.base.dim

    @property
    def alphabet(self) -> int:
        return self.base.alphabet

    @property
    def dtype(self) -> torch.dtype:
        return torch.int64

    @property
    def _last(self) -> Tensor:
        return torch.where(self.accepting, 0.0, -torch.inf).double()

    @cached_property
    def log_z(self) -> Tensor:
        """log of the base's probability of being accepted, 0-d; carries the graph."""
        b = self.base
        return backward(b.log_probs, self.after, self._last, b.length)[-1][b.start, 0]

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return self.base.tilted(n, generator, self.after, self._last)

    def log_prob(self, x: Tensor) -> Tensor:
        state = torch.zeros(len(x), dtype=torch.int64)
        for symbol in x.T:
            state = self.after[state, symbol]
        return torch.where(self.accepting[state], self.base.log_prob(x) - self.log_z, -torch.inf)
