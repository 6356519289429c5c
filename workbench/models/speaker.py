"""A language model that goes on from one prompt: many texts at once, the prompt read once."""

from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.math.swapped import called_with, own_weights
from workbench.models.llama import Llama
from workbench.models.transformer import Past


class Speaker:
    """Texts after a prompt, by a model whose last blocks may have other weights.

    What the lower blocks make of the prompt is computed once and shared by all texts, all steps
    and all weights of the blocks above them.

    Args:
        network: frozen.
        prompt: token ids, at least one.
        end: the token that ends a text; what follows it is `end` again.
        tuned: how many of the last blocks may have other weights.

    Raises:
        BadInput: on an empty prompt, or where the model has fewer blocks.
    """

    def __init__(self, network: Llama, prompt: tuple[int, ...], end: int, tuned: int):
        layers = len(network.blocks)
        if not prompt:
            raise BadInput("a prompt needs at least one token")
        if not 1 <= tuned <= layers:
            raise BadInput(f"of {layers} blocks 1 to {layers} can be tuned, got {tuned!r}")
        self.network, self.prompt, self.end = network, prompt, end
        self.alphabet = network.shape.alphabet
        self._first = layers - tuned
        self._upper = _Upper(network, self._first)
        self._read: tuple[Tensor, Tensor] | None = None

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The weights of the last blocks, as they are in the network."""
        named = own_weights(self.network)
        above = tuple(f"blocks.{i}." for i in range(self._first, len(self.network.blocks)))
        return {name: p for name, p in named.items() if name.startswith(above)}

    @cached_property
    @torch.no_grad()
    def _low(self) -> tuple[Tensor, Past]:
        """Stream and past of the prompt below the tuned blocks."""
        return self.network.extend(torch.tensor([self.prompt]), last=self._first)

    def _above(
        self, tensors: Mapping[str, Tensor], h: Tensor, past: Past | None
    ) -> tuple[Tensor, Past]:
        """Logits `(n, t, V)` from the stream below the tuned blocks, and their past."""
        named = {f"network.{name}": value for name, value in tensors.items()}
        return called_with(self._upper, named, (h, past))

    @torch.no_grad()
    def speak(
        self, tensors: Mapping[str, Tensor], n: int, length: int, temperature: float,
        generator: torch.Generator,
    ) -> Tensor:  # fmt: skip
        """`(n, length)` token ids of n independent texts, filled up with `end`."""
        h, low = self._low
        logits, high = self._above(tensors, h, None)
        logits = logits[:, -1].expand(n, -1)
        x = torch.full((n, length), self.end)
        going = torch.ones(n, dtype=torch.bool)
        for t in range(length):
            drawn = torch.multinomial(
                torch.softmax(logits / temperature, -1), 1, generator=generator
            )[:, 0]
            x[:, t] = torch.where(going, drawn, self.end)
            going = going & (drawn != self.end)
            if t == length - 1 or not bool(going.any()):
                break
            h, low = self.network.extend(x[:, t : t + 1], low, last=self._first)
            logits, high = self._above(tensors, h, high)
            logits = logits[:, -1]
        return x

    def log_prob(self, tensors: Mapping[str, Tensor], x: Tensor, temperature: float) -> Tensor:
        """log probability `(n,)` of texts `(n, length)`; carries the graph of `tensors`.

        Tokens count up to the first `end`, it included.
        """
        prompt, low = self._low
        read = self._read  # held: another thread may put its own there meanwhile
        if read is None or not torch.equal(read[0], x):  # D and D0 read the same texts
            with torch.no_grad():
                read = self._read = x, self.network.extend(x[:, :-1], low, last=self._first)[0]
        h = read[1]
        first, past = self._above(tensors, prompt, None)
        rest, _ = self._above(tensors, h, past)
        logits = torch.cat([first[:, -1:].expand(len(x), -1, -1), rest], 1) / temperature
        said = logits.gather(2, x[:, :, None])[:, :, 0] - torch.logsumexp(logits, -1)
        ended = (x == self.end).cumsum(1) - (x == self.end).long()
        return torch.where(ended == 0, said, 0.0).sum(1)


class _Upper(nn.Module):
    """The tuned blocks and the unembedding."""

    def __init__(self, network: Llama, first: int):
        super().__init__()
        self.network, self.first = network, first

    def forward(self, h: Tensor, past: Past | None) -> tuple[Tensor, Past]:
        h, past = self.network.extend(h, past, self.first)
        return self.network.logits(h), past
