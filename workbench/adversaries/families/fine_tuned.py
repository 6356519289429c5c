"""A language model whose weights may move."""

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, nn

from workbench.adversaries.families.base import Family, Parameters
from workbench.distributions import Distribution, PromptedText, ShortText
from workbench.rng import Rng


@dataclass(frozen=True)
class FineTuned(Family):
    """D0 is text by a language model, D text by the same network with other weights.

    All of them for `short_text`; those of the last blocks for `prompted`, which says how many.
    What D becomes for one context it cannot keep from becoming for others that share weights with
    it, as when a language model is fine-tuned.
    """

    name: ClassVar[str] = "fine_tuned"
    natural: ClassVar[bool] = False

    def serves(self, reference: Distribution) -> bool:
        return isinstance(reference, ShortText | PromptedText)

    def needed(self) -> str:
        return "text of a language model as D0"

    def module(self, reference: Distribution, rng: Rng, points: Tensor) -> Parameters:
        assert isinstance(reference, ShortText | PromptedText)
        return _FineTuned(reference)


class _FineTuned(Parameters):
    def __init__(self, reference: ShortText | PromptedText):
        super().__init__()
        self.reference = reference
        self.names = list(reference.parameters)
        self.weights = nn.ParameterList(
            nn.Parameter(p.detach().clone()) for p in reference.parameters.values()
        )

    def forward(self) -> ShortText | PromptedText:
        return replace(self.reference, tensors=dict(zip(self.names, self.weights, strict=True)))
