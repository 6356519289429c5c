"""A detector on a testbed: how well it tells anomalous inputs from normal ones."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from workbench.anomaly.auroc import Auroc, auroc
from workbench.anomaly.backdoor import backdoor
from workbench.anomaly.detectors import Detector
from workbench.anomaly.planted import planted
from workbench.anomaly.tampering import tampering
from workbench.anomaly.testbed import Testbed
from workbench.errors import BadInput
from workbench.training.toys import PLANTED

TESTBEDS: dict[str, Callable[[int, int], Testbed]] = {
    "backdoor": backdoor,
    "tampering": tampering,
    **{name: partial(planted, name) for name in PLANTED},
}
"""{name: makes it from a seed and a number of inputs of each kind}."""


def make_testbed(name: str, seed: int = 0, inputs: int = 500) -> Testbed:
    """A testbed by name. Raises `BadInput` with the known names."""
    if name not in TESTBEDS:
        raise BadInput(f"no testbed is called {name!r}: use one of {', '.join(TESTBEDS)}")
    return TESTBEDS[name](seed, inputs)


@dataclass(frozen=True, eq=False)
class Judged:
    """What a detector made of a testbed.

    Args:
        scores: {"normal", "unusual" (if any), "anomalous": `(m,)`}.
        against: {"normal", "unusual" (if any): AUROC of the anomalous inputs against these}.
        seconds: processor time of the scores.
    """

    scores: dict[str, Tensor]
    against: dict[str, Auroc]
    seconds: float


def judge(bed: Testbed, detector: Detector) -> Judged:
    """Score the labelled inputs of a testbed; the detector sees them mixed and unlabelled.

    Where scores depend on what else is judged, the anomalous inputs are mixed with the normal ones
    and then, in another batch, with the unusual ones; their scores are then those of the first.
    """
    start = time.process_time()
    kinds = {name: x for name, x in bed.kinds().items() if name != "trusted"}
    others = [name for name in kinds if name != "anomalous"]
    scores: dict[str, Tensor] = {}
    against: dict[str, Auroc] = {}
    for names in [[name] for name in others] if detector.pooled else [others]:
        mixed = [*names, "anomalous"]
        batch = torch.cat([kinds[name] for name in mixed])
        found = detector.scores(bed.problem, bed.trusted, batch)
        split = dict(zip(mixed, found.split([len(kinds[n]) for n in mixed]), strict=True))
        against |= {name: auroc(split["anomalous"], split[name]) for name in names}
        scores = split | scores
    return Judged(scores, against, time.process_time() - start)
