"""Text by a prompted language model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from workbench.distributions.base import Density, Distribution, Sampleable, Sequences
from workbench.math.checks import check_text


class Speaks(Protocol):
    """A language model with a prompt, such as `models.speaker.Speaker`."""

    alphabet: int
    """V, how many tokens there are."""

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The weights that may be others, by name."""
        ...

    def speak(
        self,
        tensors: Mapping[str, Tensor],
        n: int,
        length: int,
        temperature: float,
        generator: torch.Generator,
    ) -> Tensor:
        """`(n, length)` token ids of n independent texts."""
        ...

    def log_prob(self, tensors: Mapping[str, Tensor], x: Tensor, temperature: float) -> Tensor:
        """log probability `(n,)` of texts `(n, length)`; carries the graph of `tensors`."""
        ...


@dataclass(frozen=True, eq=False)
class PromptedText(Sequences, Sampleable, Density, Distribution):
    """P(x) = prod_t p(x_t | prompt, x_1, ..., x_{t-1}), to the end token or to `length` tokens.

    x is int64 `(batch, length)`; what follows the end token is the end token again.

    Args:
        speaker: the model and its prompt.
        length: T.
        temperature: above 0.
        tensors: weights of the model's last blocks by name, where others than its own; they carry
            the graph.

    Raises:
        BadInput: on settings out of range.
    """

    speaker: Speaks
    length: int
    temperature: float = 1.0
    tensors: Mapping[str, Tensor] | None = None
    name: ClassVar[str] = "prompted"

    def __post_init__(self) -> None:
        check_text(self.length, 2, self.temperature)

    @property
    def alphabet(self) -> int:
        return self.speaker.alphabet

    @property
    def dim(self) -> int:
        return self.length

    @property
    def dtype(self) -> torch.dtype:
        return torch.int64

    @property
    def parameters(self) -> dict[str, Tensor]:
        """Of the last blocks, by name."""
        return self.speaker.tensors if self.tensors is None else dict(self.tensors)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return self.speaker.speak(self.parameters, n, self.length, self.temperature, generator)

    def log_prob(self, x: Tensor) -> Tensor:
        return self.speaker.log_prob(self.parameters, x, self.temperature)
