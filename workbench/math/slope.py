"""The gradient of margins in the points that they are margins of, where there is one."""

import torch
from torch import Tensor


def slope_of(value: Tensor, at: Tensor, keep: bool = False) -> Tensor | None:
    """Gradient of the sum of `value` in `at`, of the shape of `at`; None where there is none.

    There is none where no graph leads from `at` to `value`, or where an operation on the way has no
    derivative in torch (`torch.heaviside`).

    Args:
        keep: whether the graph is needed again.

    >>> x = torch.tensor([3.0], requires_grad=True)
    >>> slope_of(x.square(), x), slope_of((x > 0).double(), x)
    (tensor([6.]), None)
    """
    if not value.requires_grad:
        return None
    try:
        (slope,) = torch.autograd.grad(value.sum(), at, retain_graph=keep, allow_unused=True)
    except RuntimeError as error:
        if "is not implemented" not in str(error):
            raise
        return None
    return slope
