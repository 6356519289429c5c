"""What an autoencoder of trusted activations fails to put out again."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.anomaly.detectors.base import Detector, hidden, standardised
from workbench.models import mlp
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.training.task import Task
from workbench.training.toys.learn import learn


@dataclass(frozen=True)
class Autoencoder(Detector):
    """|h - decode(encode(h))|^2 of standardised hidden activations h (Sakurada & Yairi 2014).

    Encoder and decoder are one hidden layer each, trained on trusted activations by Adam.

    Args:
        width: of both hidden layers.
        bottleneck: length of the code.
        steps: of the optimiser, all trusted inputs at once.
        rate: learning rate.
        seed: of the initialisation.
    """

    width: int = 64
    bottleneck: int = 16
    steps: int = 150
    rate: float = 5e-3
    seed: int = 0
    name: ClassVar[str] = "autoencoder"

    def scores(self, problem: Problem, trusted: Tensor, inputs: Tensor) -> Tensor:
        seen = (torch.cat(hidden(problem, x), 1) for x in (trusted, inputs))
        known, new = standardised(*seen)
        n = known.shape[1]
        widths = [n, self.width, self.bottleneck, self.width, n]
        net = mlp(widths, Rng(self.seed).child("autoencoder").generator(), activation="gelu")
        learn(net, Task(known, known, (known[:2], known[:2]), "mse"), self.steps, self.rate)
        with torch.no_grad():
            return (net(new) - new).square().sum(1)
