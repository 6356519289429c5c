"""One level of splitting: the survivors of a threshold refill the population by Markov chains."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from workbench.kernels import Kernel
from workbench.problem import Problem
from workbench.rng import Rng


@dataclass(frozen=True, eq=False)
class Population:
    """Particles above a threshold, and the step size that their next moves start from."""

    noise: Tensor
    """`(n, noise_dim)`."""
    margin: Tensor
    """`(n,)`."""
    step_size: float
    spent: int
    """Forward passes of the refill."""


def quantile(margin: Tensor, keep: float) -> float:
    """The margin that about a share `keep` of the particles exceeds."""
    n = margin.numel()
    rank = max(1, int(keep * n))
    return float(torch.topk(margin, min(rank + 1, n)).values[-1])


def refill(
    problem: Problem,
    kernel: Kernel,
    noise: Tensor,
    margin: Tensor,
    threshold: float,
    rng: Rng,
    *,
    step_size: float,
    target: float | None,
    left: float,
) -> Population | None:
    """As many particles as before, all above `threshold`; None where `left` does not hold it.

    Every survivor seeds a chain, all of whose places are kept; in random order, so that the few
    chains that give one place more are no particular ones. The law of N(0, I) given margin >
    threshold is left invariant up to the steering of the step size towards acceptance `target`.
    """
    n = len(margin)
    alive = torch.nonzero(margin > threshold).squeeze(1)
    alive = alive[torch.randperm(len(alive), generator=rng.child("order").generator())]
    chains = kernel.init(
        problem, noise[alive], rng, margin=margin[alive], threshold=threshold,
        step_size=step_size, target=target,
    )  # fmt: skip
    chains = replace(chains, limit=None if math.isinf(left) else int(left))
    places, margins = [chains.noise], [chains.margin]
    for _ in range(math.ceil(n / len(alive)) - 1):
        if kernel.finished(chains):
            return None
        chains = replace(kernel.step(problem, chains), steps=chains.steps + 1)
        places.append(chains.noise)
        margins.append(chains.margin)
    return Population(
        torch.cat(places)[:n], torch.cat(margins)[:n], chains.step_size, chains.forwards
    )
