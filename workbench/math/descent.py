"""Plain training by Adam.

By torch's function `adam`: the first use of an optimiser class of `torch.optim` imports torch's
compiler, one to two seconds that a command or a first press of a button would wait for.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam


def descend(loss: Callable[[], Tensor], weights: Sequence[Tensor], rate: float, steps: int) -> None:
    """Move `weights` in place by so many steps of Adam (Kingma and Ba 2015) down a scalar loss.

    Args:
        loss: made anew from the weights at every step.
        weights: leaves that require gradients.
        rate: learning rate.
        steps: how many.

    >>> w = torch.tensor([3.0], requires_grad=True)
    >>> descend(lambda: (w - 1.0).square().sum(), [w], rate=0.1, steps=200)
    >>> round(float(w.detach()), 2)
    1.0
    """
    held = list(weights)
    means = [torch.zeros_like(w) for w in held]
    squares = [torch.zeros_like(w) for w in held]
    taken = [torch.tensor(0.0) for _ in held]
    for _ in range(steps):
        slopes = list(torch.autograd.grad(loss(), held))
        with torch.no_grad():
            adam(held, slopes, means, squares, [], taken, lr=rate, **ADAM)


ADAM = {
    "foreach": False, "amsgrad": False, "beta1": 0.9, "beta2": 0.999, "weight_decay": 0.0,
    "eps": 1e-8, "maximize": False,
}  # fmt: skip
"""What `torch.optim.Adam` presumes."""
