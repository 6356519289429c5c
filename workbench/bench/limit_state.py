"""A problem as reliability packages want it: a limit state in standard noise, batched, counted."""

import time

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.distributions import Reparameterised
from workbench.errors import NotConverged
from workbench.problem import Problem

_BATCH = 8192
_TINY = float(np.finfo(np.float64).tiny)


class LimitState:
    """g(u) = -margin(G(u)): the catastrophe is g < 0 for u ~ N(0, I).

    g is never 0, so packages that count g <= 0 and those that count g < 0 see one event.

    Args:
        problem: whose D is a push of standard noise.
        most: forward-equivalents after which every call is refused.
        seconds: of wall clock after which every call is refused.

    Attributes:
        evaluations: values computed.
        gradients: gradients computed.
        stopped: why calls are refused, or None.
    """

    def __init__(self, problem: Problem, most: int, seconds: float):
        assert isinstance(problem.distribution, Reparameterised)
        self.problem, self.most, self.seconds = problem, most, seconds
        self.dim = problem.distribution.noise_dim
        self.evaluations = self.gradients = 0
        self.stopped: str | None = None
        self._dtype = problem.distribution.dtype
        self._start = time.perf_counter()

    @property
    def forwards(self) -> int:
        """Forward-equivalents spent: a gradient, with its value, is two."""
        return self.evaluations + 2 * self.gradients

    @torch.no_grad()
    def values(self, u: object) -> NDArray[np.float64]:
        """g at the rows of `u` `(n, dim)`; shape `(n,)`.

        Raises:
            NotConverged: once the forwards or the seconds are used up.
        """
        rows = torch.from_numpy(np.array(u, dtype=np.float64, ndmin=2)).to(self._dtype)
        parts = []
        for part in rows.split(_BATCH):
            self._spend()
            parts.append(self.problem.margin_of_noise(part))
            self.evaluations += len(part)
        return _never_zero(-torch.cat(parts).double().numpy())

    @torch.enable_grad()
    def gradient(self, u: object) -> tuple[float, NDArray[np.float64]]:
        """g and its gradient `(dim,)` at one point `u` `(dim,)`.

        Raises:
            NotConverged: as `values`.
        """
        self._spend()
        row = torch.from_numpy(np.array(u, dtype=np.float64).reshape(1, -1)).to(self._dtype)
        row.requires_grad_(True)
        g = -self.problem.margin_of_noise(row)
        self.gradients += 1
        slope = torch.zeros_like(row)
        if g.requires_grad:
            found = torch.autograd.grad(g.sum(), row, allow_unused=True)[0]
            slope = slope if found is None else found
        value = _never_zero(g.detach().double().numpy())
        return float(value[0]), slope[0].double().numpy()

    def _spend(self) -> None:
        if self.forwards >= self.most:
            self.stopped = f"had no answer after {self.forwards:,} forwards"
        elif time.perf_counter() - self._start > self.seconds:
            self.stopped = f"had no answer after {self.seconds:.0f} seconds"
        if self.stopped is not None:
            raise NotConverged(self.stopped)


def _never_zero(g: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(g == 0.0, _TINY, g)
