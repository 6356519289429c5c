"""log P as an objective: its value and its gradient in parameters of D or M."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from workbench.errors import BadInput, Unsupported
from workbench.estimators.base import Estimate, Estimator
from workbench.iteration import Budget
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad

_WITH_BACKWARD = 3  # a reverse pass takes about twice the operations of the pass it reverses


def log_p_and_grad(
    problem: Problem,
    estimator: Estimator,
    parameters: Sequence[Tensor],
    budget: Budget | int | None = None,
    rng: Rng | int = 0,
) -> tuple[Estimate, list[Tensor]]:
    """log P and d log P / d parameters, through a deterministic estimate.

    Args:
        parameters: leaf tensors that D, M or C were built from, with `requires_grad`; log P must
            depend on one of them at least.

    Returns:
        The estimate, and one gradient per parameter, zero where log P does not depend on it. The
        backward pass through a pathwise estimate is charged at twice what the estimate cost; an
        implicit one has counted its gradient itself.

    Raises:
        Unsupported: where the estimator carries no gradient, or the answer is -inf.
        BadInput: for a parameter that asks for no gradient, or where none is one of this problem.
    """
    parameters = list(parameters)
    frozen = sum(not p.requires_grad for p in parameters)
    if frozen:
        raise BadInput(
            f"{frozen} of {len(parameters)} parameters ask for no gradient: leave them out or call "
            "`requires_grad_()` on each"
        )
    if estimator.grad not in (Grad.PATHWISE, Grad.IMPLICIT):
        raise Unsupported(
            f"the gradient of {estimator.name!r}",
            "an estimator with pathwise or implicit gradients is needed",
        )
    with torch.enable_grad():
        estimate = estimator(problem, budget, rng)
        if not math.isfinite(estimate.log10_p):
            raise Unsupported(
                f"the gradient of log10 P = {estimate.log10_p}", "a finite log P is needed"
            )
        if not estimate.log_p.requires_grad:
            if estimator.grad is Grad.IMPLICIT and "proof" not in estimate.info:
                raise Unsupported(
                    f"the gradient of {estimator.name!r} on {problem.name!r}",
                    "a margin that has a gradient is needed, and a budget that holds it",
                )
            return estimate, [torch.zeros_like(p) for p in parameters]
        slopes = torch.autograd.grad(estimate.log_p, parameters, allow_unused=True)
    if parameters and all(slope is None for slope in slopes):
        raise BadInput(
            f"log P depends on none of the {len(parameters)} parameters: pass those of this "
            "problem's own D, M or C"
        )
    found = _filled(slopes, parameters)
    if estimator.grad is Grad.PATHWISE:
        cost = replace(
            estimate.cost, forwards=_WITH_BACKWARD * estimate.cost.forwards,
            flops=_WITH_BACKWARD * estimate.cost.flops,
        )  # fmt: skip
        estimate = replace(estimate, cost=cost)
    return estimate, found


def gradients(value: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """d value / d parameters, zero where value does not depend on one."""
    return _filled(torch.autograd.grad(value, list(parameters), allow_unused=True), parameters)


def _filled(slopes: Sequence[Tensor | None], parameters: Sequence[Tensor]) -> list[Tensor]:
    """Zeros where a value did not depend on a parameter."""
    pairs = zip(slopes, parameters, strict=True)
    return [torch.zeros_like(p) if slope is None else slope for slope, p in pairs]
