"""Where in a row of numbers the one of a given rank stands, and what the middle one is."""

import torch
from torch import Tensor

from workbench.errors import BadInput


def position(x: Tensor, rank: int) -> Tensor:
    """Index `(batch,)` of the value of rank `rank` in every row of x `(batch, n)`, 0 the largest.

    Ties go to the earlier index.

    Raises:
        BadInput: unless 0 <= rank < n.

    >>> import torch
    >>> position(torch.tensor([[0.5, 2.0, 1.0], [3.0, 3.0, 3.0]]), 1)
    tensor([2, 1])
    """
    if not 0 <= rank < x.shape[-1]:
        raise BadInput(f"{x.shape[-1]} numbers have no rank {rank}: it counts from 0")
    first = x.argmax(-1)
    if rank == 0:
        return first
    if rank == 1:  # cheaper than sorting
        return x.scatter(-1, first[..., None], -torch.inf).argmax(-1)
    return x.argsort(dim=-1, descending=True, stable=True)[..., rank]


def middle(x: Tensor) -> Tensor:
    """The median `(batch,)` of every row of x `(batch, n)`: the mean of the two middle ones if n is
    even.

    >>> middle(torch.tensor([[4.0, 1.0, 2.0], [9.0, 0.0, 1.0]])), middle(torch.tensor([[1.0, 4.0]]))
    (tensor([2., 1.]), tensor([2.5000]))
    """
    n = x.shape[-1]
    ordered = torch.sort(x, dim=-1).values
    return 0.5 * (ordered[..., (n - 1) // 2] + ordered[..., n // 2])


def lead(y: Tensor, i: Tensor) -> Tensor:
    """y_i less the greatest of the others `(batch,)`, for y `(batch, k)` and indices i `(batch,)`.

    >>> lead(torch.tensor([[1.0, 3.0, 2.0]]), torch.tensor([2]))
    tensor([-1.])
    """
    i = i[:, None]
    return y.gather(1, i)[:, 0] - y.scatter(1, i, -torch.inf).amax(1)
