"""M on a large batch, in portions: what it keeps in between need not fit into memory at once."""

import warnings

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

MOST = 2**28
"""Bytes that a portion of a batch may make M keep."""


def kept(model: nn.Module, x: Tensor) -> int:
    """Bytes that M keeps of one input between its operations, as autograd does for a gradient.

    Weights and buffers are not counted, what is made of them is. At least an input and an output.

    Args:
        x: a batch of inputs, on which it is measured.
    """
    own = {p.untyped_storage().data_ptr() for p in (*model.parameters(), *model.buffers())}
    sizes: dict[int, int] = {}

    def pack(saved: Tensor) -> Tensor:
        storage = saved.untyped_storage()
        if storage.data_ptr() not in own:
            sizes[storage.data_ptr()] = storage.nbytes()
        return saved

    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved)
    with warnings.catch_warnings(), torch.enable_grad(), hooks:
        warnings.simplefilter("ignore")  # of an M that reads numbers out of what has a gradient
        x = x.detach().clone()
        y = model(x.requires_grad_().clone() if x.is_floating_point() else x)
    return max(sum(sizes.values()), x.nbytes + y.nbytes) // len(x)


def run(model: nn.Module, x: Tensor, each: int) -> Tensor:
    """M(x), at most `MOST` bytes at a time.

    A gradient goes through every portion by itself, which is run once more for it.

    Args:
        each: bytes an input, by `kept`.
    """
    n = max(1, MOST // max(1, each))
    if len(x) <= n:
        return model(x)
    if not torch.is_grad_enabled():
        return torch.cat([model(part) for part in x.split(n)])
    return torch.cat(
        [
            checkpoint(model, part, use_reentrant=False, preserve_rng_state=False)
            for part in x.split(n)
        ]
    )
