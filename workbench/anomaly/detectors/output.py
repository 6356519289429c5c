"""How far the behaviour itself is from the trusted mean."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.anomaly.detectors.base import Detector
from workbench.problem import Problem


@dataclass(frozen=True)
class Output(Detector):
    """|s(x) - mean s| for the margin s: what shows without looking inside M."""

    name: ClassVar[str] = "output"

    @torch.no_grad()
    def scores(self, problem: Problem, trusted: Tensor, inputs: Tensor) -> Tensor:
        return (problem.margin(inputs) - problem.margin(trusted).mean()).abs()
