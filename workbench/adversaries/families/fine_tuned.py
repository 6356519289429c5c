"""A language model whose every weight may move."""

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, nn

from workbench.adversaries.families.base import Family, Parameters
from workbench.distributions import Distribution, ShortText
from workbench.rng import Rng


@dataclass(frozen=True)
class FineTuned(Family):
    """D0 is text by a small language model, D text by the same network with other weights.

    What D becomes for one context it cannot keep from becoming for others that share weights with
    it, as when a language model is fine-tuned.
    """

    name: ClassVar[str] = "fine_tuned"
    natural: ClassVar[bool] = False

    def serves(self, reference: Distribution) -> bool:
        return isinstance(reference, ShortText)

    def needed(self) -> str:
        return "text of a language model with a short context as D0"

    def module(self, reference: Distribution, rng: Rng, points: Tensor) -> Parameters:
        assert isinstance(reference, ShortText)
        return _FineTuned(reference)


class _FineTuned(Parameters):
    def __init__(self, reference: ShortText):
        super().__init__()
        self.reference = reference
        self.names = list(reference.parameters)
        self.weights = nn.ParameterList(
            nn.Parameter(p.detach().clone()) for p in reference.parameters.values()
        )

    def forward(self) -> ShortText:
        return replace(self.reference, tensors=dict(zip(self.names, self.weights, strict=True)))
