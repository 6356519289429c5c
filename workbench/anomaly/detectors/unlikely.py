"""Whether the usual terms, at usual values, account for the behaviour."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workbench.anomaly.detectors.base import Detector
from workbench.anomaly.explanation import SHARE, explain
from workbench.problem import Problem


@dataclass(frozen=True)
class Unlikely(Detector):
    """How unlikely, on trusted data, is what the explanation leaves, or what its terms show.

    `Account.surprise`. Where `Unexplained` is blind, a trigger that takes the usual path further
    than trusted inputs do, the terms themselves are far out; so are those of an input that is
    extreme in what the behaviour is usually made of. Sees no trusted input at all.

    Args:
        layer: node of M's graph at which terms are told apart; 0 is the input.
        share: of the behaviour's variance that they must account for.
    """

    layer: int = 0
    share: float = SHARE
    name: ClassVar[str] = "unlikely"

    def scores(self, problem: Problem, trusted: Tensor, inputs: Tensor) -> Tensor:
        return explain(problem, self.layer, self.share).account(inputs).surprise
