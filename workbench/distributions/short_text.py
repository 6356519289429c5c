"""Text of a fixed length by a language model that sees only its last few symbols."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench.distributions.base import Density, Distribution, Sampleable, Sequences
from workbench.errors import BadInput
from workbench.math.checks import check_text
from workbench.math.swapped import called_with, own_weights
from workbench.math.transitions import backward


@dataclass(frozen=True, eq=False)
class ShortText(Sequences, Sampleable, Density, Distribution):
    """P(x) = prod_t p(x_t | the k symbols before x_t), p = softmax(network / temperature).

    The first symbols follow the prompt, which is no part of x; x is int64 `(batch, length)`. With
    V^k contexts the law is a finite Markov chain, so that the probability of whatever an automaton
    decides is a product of transitions.

    Args:
        network: logits `(n, V)` of the next symbol for contexts `(n, k)`, with `alphabet` V,
            `context` k and all `contexts` `(V^k, k)`, as `models.ShortContext` has them.
        prompt: symbols; the last k of them are the first context.
        length: T.
        temperature: above 0.
        tensors: the network's parameters by name, where others than its own; they carry the graph.

    Raises:
        BadInput: on a prompt shorter than the context, or settings out of range.

    >>> from workbench.models.short_context import ShortContext
    >>> text = ShortText(ShortContext(3, 2, generator=torch.Generator().manual_seed(0)), (0, 0), 5)
    >>> text.sample(4, torch.Generator().manual_seed(0)).shape
    torch.Size([4, 5])
    """

    network: nn.Module
    prompt: tuple[int, ...]
    length: int
    temperature: float = 1.0
    tensors: Mapping[str, Tensor] | None = None
    name: ClassVar[str] = "short_text"

    def __post_init__(self) -> None:
        if len(self.prompt) < self.memory or not all(0 <= v < self.alphabet for v in self.prompt):
            raise BadInput(
                f"a prompt needs at least {self.memory} symbols of 0, ..., {self.alphabet - 1}, "
                f"got {self.prompt}"
            )
        check_text(self.length, 1, self.temperature)

    @property
    def alphabet(self) -> int:
        """V, how many symbols there are."""
        return int(self.network.alphabet)  # pyright: ignore[reportArgumentType]

    @property
    def memory(self) -> int:
        """k, how many symbols the network sees."""
        return int(self.network.context)  # pyright: ignore[reportArgumentType]

    @property
    def dim(self) -> int:
        return self.length

    @property
    def dtype(self) -> torch.dtype:
        return torch.int64

    @property
    def parameters(self) -> dict[str, Tensor]:
        """Of the network, by name."""
        return own_weights(self.network) if self.tensors is None else dict(self.tensors)

    @cached_property
    def log_probs(self) -> Tensor:
        """`(V^k, V)` float64: log p(v | context); carries the graph of `tensors`."""
        contexts = self.network.contexts
        logits = called_with(self.network, self.parameters, (contexts,))
        return torch.log_softmax(logits.double() / self.temperature, -1)

    @property
    def start(self) -> int:
        """Number of the first context."""
        return int(self._number(torch.tensor([self.prompt[-self.memory :]]))[0])

    def _number(self, contexts: Tensor) -> Tensor:
        """Numbers of contexts `(..., k)`."""
        base = self.alphabet ** torch.arange(self.memory - 1, -1, -1)
        return (contexts * base).sum(-1)

    def log_prob(self, x: Tensor) -> Tensor:
        before = torch.tensor(self.prompt[-self.memory :]).expand(len(x), -1)
        windows = torch.cat([before, x], 1)[:, :-1].unfold(1, self.memory, 1)
        return self.log_probs[self._number(windows), x].sum(1)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return self.tilted(n, generator)

    @torch.no_grad()
    def tilted(
        self,
        n: int,
        generator: torch.Generator,
        after: Tensor | None = None,
        last: Tensor | None = None,
    ) -> Tensor:
        """`(n, length)` exact draws from P(x) exp(last(final state)) / its sum.

        The next symbol is v with p(v | c) exp(b_{t-1}(cv, after(q, v)) - b_t(c, q)): the twisted
        proposal whose twist b is the exact one (`math.transitions.backward`). Without an automaton
        they are draws of P itself.

        Args:
            after: `(Q, V)`, an automaton's next states.
            last: `(Q,)`, log weights.
        """
        if after is None or last is None:
            after, last = torch.zeros(1, self.alphabet, dtype=torch.int64), torch.zeros(1).double()
            ahead = [torch.zeros(len(self.log_probs), 1).double()] * self.length
        else:
            ahead = backward(self.log_probs, after, last, self.length)
        states, heads = after.shape[0], self.alphabet ** (self.memory - 1)
        context = torch.full((n,), self.start)
        state = torch.zeros(n, dtype=torch.int64)
        symbols, drawn = torch.arange(self.alphabet), []
        for t in range(self.length - 1, -1, -1):
            to = (context % heads)[:, None] * self.alphabet + symbols
            weight = self.log_probs[context]
            if states > 1:
                weight = weight + ahead[t][to, after[state]]
            v = torch.multinomial(torch.softmax(weight, -1), 1, generator=generator)
            context, state = to.gather(1, v)[:, 0], after[state, v[:, 0]]
            drawn.append(v)
        return torch.cat(drawn, 1)
