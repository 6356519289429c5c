"""Where in a row of numbers the one of a given rank stands."""

from torch import Tensor

from workbench.errors import BadInput


def position(x: Tensor, rank: int) -> Tensor:
    """Index `(batch,)` of the value of rank `rank` in every row of x `(batch, n)`, 0 the largest.

    Ties go to the earlier index.

    Raises:
        BadInput: unless 0 <= rank < n.

    >>> import torch
    >>> position(torch.tensor([[0.5, 2.0, 1.0]]), 1)
    tensor([2])
    """
    if not 0 <= rank < x.shape[-1]:
        raise BadInput(f"{x.shape[-1]} numbers have no rank {rank}: it counts from 0")
    if rank == 0:
        return x.argmax(-1)
    if rank == 1:  # cheaper than sorting
        return x.topk(2, -1).indices[..., 1]
    return x.argsort(dim=-1, descending=True, stable=True)[..., rank]
