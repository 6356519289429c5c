"""The margin at token sequences, with what a substitution would do to it to first order."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from workbench.distributions import Sequences
from workbench.errors import NotConverged, Unsupported
from workbench.problem import Problem

COST = 2
"""Forward passes that a margin with its gradient counts as."""


def margin_and_gradient(problem: Problem, x: Tensor) -> tuple[Tensor, Tensor]:
    """s `(n,)` and ds / d onehot `(n, T, V)` at token ids x `(n, T)`.

    M is evaluated on the one-hots as soft tokens: entry (i, v) of the gradient is the rate at which
    s changes as token v is mixed in at position i.

    Raises:
        Unsupported: where M takes no soft tokens, or the margin carries no gradient.
        NotConverged: where either is NaN.
    """
    d = problem.distribution
    assert isinstance(d, Sequences)
    with torch.enable_grad():
        soft = one_hot(x, d.alphabet).to(problem.dtype).requires_grad_()
        try:
            y = problem.model(soft)
        except Exception as error:  # any failure of the user's own forward
            raise Unsupported(
                f"{type(problem.model).__name__} on soft tokens ({error!r})",
                "a model that takes floats (batch, positions, tokens) besides token ids is needed",
            ) from error
        s = problem.judge(x, y)
        if not s.requires_grad:
            raise Unsupported("a margin without gradient", "one that follows soft tokens is needed")
        (gradient,) = torch.autograd.grad(s.sum(), soft)
    if not bool(torch.isfinite(gradient).all()):
        raise NotConverged("the gradient of the margin in the tokens is not finite")
    return s.detach(), gradient
