"""A small transformer that goes on from a prompt."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.math.swapped import called_with, own_weights
from workbench.models.transformer import Past, Transformer


class Continuation:
    """Texts after a prompt, by a `Transformer`: what `PromptedText` speaks with.

    Args:
        network: any; its own weights are the default.
        prompt: token ids, at least one.
        end: the token that ends a text; what follows it is `end` again. Without one, all texts are
            of full length.

    Raises:
        BadInput: on an empty prompt, or tokens that are none.

    >>> from workbench.distributions import PromptedText
    >>> from workbench.models.transformer import Shape
    >>> M = Transformer(Shape(5, 8, 1, 2, 6, 16), torch.Generator().manual_seed(0))
    >>> text = PromptedText(Continuation(M, (3, 1)), length=4)
    >>> text.log_prob(text.sample(7, torch.Generator().manual_seed(0))).shape
    torch.Size([7])
    """

    def __init__(self, network: Transformer, prompt: tuple[int, ...], end: int | None = None):
        if not prompt or not all(0 <= v < network.shape.alphabet for v in prompt):
            raise BadInput(
                f"a prompt needs at least one token of 0, ..., {network.shape.alphabet - 1}, "
                f"got {prompt}"
            )
        if end is not None and not 0 <= end < network.shape.alphabet:
            raise BadInput(f"texts end with a token of 0, ..., {network.shape.alphabet - 1}: {end}")
        self.network, self.prompt, self.end = network, prompt, end
        self.alphabet = network.shape.alphabet
        self._extending = _Extending(network)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The network's own weights, by name."""
        return own_weights(self.network)

    def _go_on(
        self, tensors: Mapping[str, Tensor], x: Tensor, past: Past | None
    ) -> tuple[Tensor, Past]:
        named = {f"network.{name}": value for name, value in tensors.items()}
        return called_with(self._extending, named, (x, past))

    @torch.no_grad()
    def speak(
        self, tensors: Mapping[str, Tensor], n: int, length: int, temperature: float,
        generator: torch.Generator,
    ) -> Tensor:  # fmt: skip
        """`(n, length)` token ids of n independent texts; keys and values are computed once."""
        logits, past = self._go_on(tensors, torch.tensor(self.prompt).expand(n, -1), None)
        drawn: list[Tensor] = []
        for t in range(length):
            p = torch.softmax(logits[:, -1] / temperature, -1)
            v = torch.multinomial(p, 1, generator=generator)
            if self.end is not None and t:
                v = torch.where(drawn[-1] == self.end, self.end, v)
            drawn.append(v)
            if t < length - 1:
                logits, past = self._go_on(tensors, drawn[-1], past)
        return torch.cat(drawn, 1)

    def log_prob(self, tensors: Mapping[str, Tensor], x: Tensor, temperature: float) -> Tensor:
        """log probability `(n,)` of texts `(n, length)`; carries the graph of `tensors`.

        Tokens count up to the first `end`, it included; what goes on after it has no chance.
        """
        whole = torch.cat([torch.tensor(self.prompt).expand(len(x), -1), x], 1)
        logits, _ = self._go_on(tensors, whole[:, :-1], None)
        said = torch.log_softmax(logits[:, len(self.prompt) - 1 :] / temperature, -1)
        each = said.gather(2, x[:, :, None])[:, :, 0]
        if self.end is not None:
            over = (x[:, :-1] == self.end).cumsum(1) > 0
            filled = torch.where(x[:, 1:] == self.end, 0.0, -torch.inf).to(each)
            each = torch.cat([each[:, :1], torch.where(over, filled, each[:, 1:])], 1)
        return each.sum(1)


class _Extending(nn.Module):
    """`Transformer.extend` as a forward pass."""

    def __init__(self, network: Transformer):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, past: Past | None) -> tuple[Tensor, Past]:
        h, past = self.network.extend(x, past)
        return self.network.unembed(self.network.norm(h)), past
