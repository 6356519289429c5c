"""What a row of the table of activations gives.

For X ~ N(mu, sigma^2) with Z = (X - mu) / sigma a row gives the mean and variance of f(X) and the
coefficients b_k = E[f(X) He_k(Z)] / sqrt(k!) = sigma^k E[f^(k)(X)] / sqrt(k!), k = 1..K. Then for
jointly Gaussian X_i, X_j of correlation rho (Mehler 1866)

    Cov(f(X_i), f(X_j)) = sum_{k>=1} b_k(i) b_k(j) rho^k        and  Var f(X_i) = sum_k b_k(i)^2.

Every partial sum with the exact variance on its diagonal is positive semi-definite, and the
dropped part of entry (i, j) is at most |rho|^(K+1) sqrt(tail_i tail_j), where tail_i is
Var f(X_i) - sum_{k<=K} b_k(i)^2.

It also gives f' and the points between which f' rises or falls throughout: bounds of f on an
interval follow from these (`math.relaxations`).
"""

import functools
import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench.math.gaussian import cdf, pdf
from workbench.settings import Settings

FLAT = 40.0  # phi(40) underflows: beyond it every derivative of order 2 and more is 0.


class Activation(Settings, ABC):
    """One row of the table: an elementwise function and its Gaussian integrals.

    A row is a frozen dataclass; its fields, if any, are the settings of the function, named as
    PyTorch names them.
    """

    name: ClassVar[str]
    """Of the function in `torch` or `torch.nn.functional`."""
    torch_module: ClassVar[type[nn.Module] | None] = None
    """The module of PyTorch that applies it, with the same settings."""
    rounding: ClassVar[float] = 0.0
    """How far PyTorch's own values are from f by design."""

    @classmethod
    def takes(cls) -> tuple[str, ...]:
        """The names of the settings."""
        return tuple(f.name for f in fields(cls))  # type: ignore[arg-type]

    @property
    def rises(self) -> bool:
        """Whether f never falls: the maximum of f(x)s is then f of the maximum."""
        return True

    @property
    def turns(self) -> tuple[float, ...]:
        """Points in order, between which f' exists and is monotone: inflections and corners."""
        return ()

    @property
    def reach(self) -> tuple[float, float]:
        """Values that f never passes, below and above."""
        return -math.inf, math.inf

    @abstractmethod
    def derivative(self, x: Tensor) -> Tensor:
        """f'(x), elementwise; either one-sided value at a corner."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """f(x), elementwise."""

    @abstractmethod
    def moments(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """E f(X) and Var f(X), each of mu's shape; sigma > 0."""

    def mean(self, mu: Tensor, sigma: Tensor) -> Tensor:
        """E f(X) alone."""
        return self.moments(mu, sigma)[0]

    @abstractmethod
    def coefficients(self, mu: Tensor, sigma: Tensor, order: int) -> Tensor:
        """b_1 .. b_order, shape `(order, *mu.shape)`."""

    @abstractmethod
    def powers(self, mu: Tensor, sigma: Tensor, centre: Tensor, degree: int, order: int) -> Tensor:
        """E[(f(X) - centre)^p He_k(Z)] / sqrt(k!) for p = 0..degree and k = 0..order.

        Shape `(degree + 1, order + 1, *mu.shape)`.
        """


def hermite_normalised(x: Tensor, order: int) -> list[Tensor]:
    """He_0 .. He_order at x, each over sqrt(k!), by the three-term recurrence (differentiable)."""
    h = [torch.ones_like(x), x]
    for k in range(1, order):
        h.append((x * h[k] - math.sqrt(k) * h[k - 1]) / math.sqrt(k + 1))
    return h[: order + 1]


def segment_powers(
    mu: Tensor, sigma: Tensor, centre: Tensor, corners: Sequence[float],
    lines: Sequence[tuple[float, float]], degree: int, order: int,
) -> Tensor:  # fmt: skip
    """`powers` of a function that is linear between corners, in closed form.

    Args:
        corners: c_1 < c_2 < ...
        lines: (u, v) for each segment from the left: f(x) = u + v x there.

    On a segment from a to b in units of Z, with g(z) = f - centre, integration by parts gives

        sqrt(k) V[p, k] = g(a)^p he_{k-1}(a) phi(a) - g(b)^p he_{k-1}(b) phi(b)
                          + p v sigma V[p-1, k-1],
        V[p, 0] = g(0) V[p-1, 0] + v sigma V[p-1, 1],

    with he_k = He_k / sqrt(k!), and no term from an end that is infinite.
    """
    width = max(order, 1)  # V[p, 0] needs V[p-1, 1]
    ends = [torch.clamp((c - mu) / sigma, -FLAT, FLAT) for c in corners]
    edges = [[h * pdf(e) for h in hermite_normalised(e, width)] for e in ends]
    total = torch.zeros((), dtype=mu.dtype, device=mu.device)
    last = len(corners)
    for j, (u, v) in enumerate(lines):
        slope, at_zero = v * sigma, u + v * mu - centre
        # (sign, end, He_k phi at it, g at it) of the ends of this segment that are finite.
        sides = [
            (sign, edges[i], u + v * corners[i] - centre)
            for sign, i in ((1.0, j - 1), (-1.0, j))
            if 0 <= i < last
        ]
        if j == 0:
            mass = cdf(ends[0])
        elif j == last:
            mass = cdf(-ends[-1])
        else:
            a, b = ends[j - 1], ends[j]
            mass = torch.where(a > 0, cdf(-a) - cdf(-b), cdf(b) - cdf(a))
        # Column k needs column k + 1 of the power below: one more of them for every lower power.
        row = [mass]
        for k in range(width + 1):
            row.append(_total(s * edge[k] for s, edge, _ in sides) / math.sqrt(k + 1))
        rows, jumps = [row], [torch.ones_like(mu) for _ in sides]
        for p in range(1, degree + 1):
            below = rows[-1]
            jumps = [jump * g for jump, (_, _, g) in zip(jumps, sides, strict=True)]
            row = [at_zero * below[0] + (slope * below[1] if v else 0.0)]
            for k in range(1, width + 1):
                part = _total(
                    s * jump * edge[k - 1] for jump, (s, edge, _) in zip(jumps, sides, strict=True)
                )
                row.append(((part + p * slope * below[k - 1]) if v else part) / math.sqrt(k))
            rows.append(row)
        total = total + torch.stack([torch.stack(r[: order + 1]) for r in rows])
    return total


def _total(parts: Iterable[Tensor]) -> Tensor:
    return functools.reduce(operator.add, parts)
