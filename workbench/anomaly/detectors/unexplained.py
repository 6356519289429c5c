"""The detector that the workbench is for."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workbench.anomaly.detectors.base import Detector
from workbench.anomaly.explanation import SHARE, explain
from workbench.problem import Problem


@dataclass(frozen=True)
class Unexplained(Detector):
    """What the explanation of C under D leaves of the behaviour; sees no trusted input at all.

    Args:
        layer: node of M's graph at which terms are told apart; 0 is the input.
        share: of the behaviour's variance that they must account for.
    """

    layer: int = 0
    share: float = SHARE
    name: ClassVar[str] = "unexplained"

    def scores(self, problem: Problem, trusted: Tensor, inputs: Tensor) -> Tensor:
        return explain(problem, self.layer, self.share).scores(inputs)
