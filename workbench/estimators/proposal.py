"""Mixtures of Gaussians on base noise, as proposals: draws, densities, refits by cross-entropy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.math.divisor import divisor
from workbench.math.logspace import log_sum

_RANK = 96
_PLAIN = 1e-3  # a direction is kept where leaving it out would cost this many nats
_CAUTION = 1.5  # a mean of n draws is off by sqrt(d / n): below n of about d keep the old one
_CAUTION_BLOCK = 2.0
_BLOCK = 6
LEAST_VAR, _MOST_VAR = 0.05, 9.0


@dataclass(frozen=True, eq=False)
class Proposal:
    """q = (1 - plain) sum_k share_k N(mean_k, C_k) + plain N(0, I).

    C_k = I + U_k (diag(var_k) - I) U_k^T: identity but for the r directions that matter most.
    Log densities are up to the constant of N(0, I), -(d / 2) log 2 pi.
    """

    means: Tensor
    """`(k, d)`."""
    basis: Tensor
    """`(k, d, r)`, orthonormal columns U_k."""
    var: Tensor
    """`(k, r)`."""
    share: Tensor
    """`(k,)`, sums to 1."""
    plain: float
    least: float = LEAST_VAR
    """Of any variance that a fit may find."""

    def draw(self, z: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draws `(n, d)` out of as many draws z of N(0, I), and which of them are plain."""
        weights = torch.cat([(1.0 - self.plain) * self.share, self.share.new_tensor([self.plain])])
        pick = torch.multinomial(weights, len(z), replacement=True, generator=generator)
        z = z.clone()
        for k, (mean, u, var) in enumerate(zip(self.means, self.basis, self.var, strict=True)):
            mine = pick == k
            e = z[mine]
            z[mine] = mean + e + ((e @ u) * (torch.sqrt(var) - 1.0)) @ u.T
        return z, pick == len(self.means)

    def distances(self, z: Tensor) -> Tensor:
        """Squared Mahalanobis distances `(n, k)` from every component."""
        found = []
        for mean, u, var in zip(self.means, self.basis, self.var, strict=True):
            gap = z - mean
            found.append(gap.square().sum(1) + (gap @ u).square() @ (1.0 / var - 1.0))
        return torch.stack(found, dim=1) if found else z.new_zeros(len(z), 0)

    def log_components(self, z: Tensor) -> Tensor:
        """log((1 - plain) share_k N(z; mean_k, C_k)), `(n, k)`."""
        heads = torch.log((1.0 - self.plain) * self.share) - 0.5 * torch.log(self.var).sum(1)
        return heads - 0.5 * self.distances(z)

    def log_density(self, z: Tensor) -> Tensor:
        """log q, `(n,)`."""
        plain = math.log(self.plain) - 0.5 * z.square().sum(1, keepdim=True)
        return torch.logsumexp(torch.cat([self.log_components(z), plain], dim=1), dim=1)

    @property
    def covariances(self) -> Tensor:
        """`(k, d, d)`."""
        eye = torch.eye(self.means.shape[1], dtype=self.means.dtype)
        return eye + (self.basis * (self.var - 1.0)[:, None, :]) @ self.basis.transpose(1, 2)

    def lifted(self, frame: Tensor) -> "Proposal":
        """That of noise in d dimensions, of this one in the coordinates of columns `(d, r)`."""
        return replace(self, means=self.means @ frame.T, basis=frame @ self.basis)

    def widened(self, share: float) -> "Proposal":
        """With a copy of every component that is nowhere narrower than N(0, I), of that share.

        Where a component is too narrow for the failures that it stands for, those at its edge are
        drawn seldom, with weights without bound; the copy draws them more often.
        """
        return Proposal(
            torch.cat([self.means, self.means]),
            torch.cat([self.basis, self.basis]),
            torch.cat([self.var, self.var.clamp(min=1.0)]),
            torch.cat([(1.0 - share) * self.share, share * self.share]),
            self.plain,
            self.least,
        )

    def refit(self, z: Tensor, log_w: Tensor, floor: float) -> "Proposal":
        """Fitted to weighted draws by cross-entropy, and shrunk to what it was by the evidence.

        Means move by their weighted means; covariances change in the span of the mean and of
        the `_BLOCK` directions that differ most from identity, where a few dozen effective draws
        are evidence enough. The largest weight is cut at sqrt(n) means, lest one draw decide.
        """
        if len(z) < 2:
            return self
        cap = log_sum(log_w) - 0.5 * math.log(len(log_w))
        weight = torch.exp(torch.minimum(log_w, cap) - log_w.max())
        part = weight[:, None] * torch.softmax(self.log_components(z), dim=1)
        total = part.sum(0)
        part = part / divisor(total)
        effective = torch.where(total > 0, 1.0 / divisor(part.square().sum(0)), 0.0)
        means, bases, variances = [], [], []
        for k, (u, var) in enumerate(zip(self.basis, self.var, strict=True)):
            mean, w, n = self.means[k], part[:, k], float(effective[k])
            block = _orthonormal(torch.cat([mean[:, None], self.basis[k][:, :_BLOCK]], dim=1))
            wide = n / (n + _CAUTION * z.shape[1])
            near = n / (n + _CAUTION_BLOCK * block.shape[1])
            found = w @ z
            move = found - mean
            mean = mean + wide * move + max(0.0, near - wide) * block @ (block.T @ move)
            gap = (z - found) @ block
            old = _seen(block, u, var)
            new = (1.0 - near) * old + near * (gap.T * w) @ gap
            turn = torch.linalg.cholesky(_within(new, self.least)) @ torch.linalg.inv(
                torch.linalg.cholesky(old)
            )
            # Of the new covariance T C T^T, T = I + block (turn - I) block^T, all that differs from
            # identity lies in the span of both: no d x d matrix is made.
            rest, size, _ = torch.linalg.svd(u - block @ (block.T @ u), full_matrices=False)
            span = torch.cat([block, rest[:, size > _rounding(u)]], dim=1)
            eye = torch.eye(span.shape[1], dtype=span.dtype)
            inner = span.T @ block
            turned = eye + inner @ (turn - torch.eye(len(turn), dtype=turn.dtype)) @ inner.T
            values, vectors = torch.linalg.eigh(turned @ _seen(span, u, var) @ turned.T)
            means.append(mean)
            bases.append(span @ vectors)
            variances.append(values)
        fitted = of_spectra(
            torch.stack(means), bases, variances, self.share, self.plain, self.least
        )
        return replace(fitted, share=floored(total, floor))


def of_gaussians(
    means: Tensor, covs: Tensor, share: Tensor, plain: float, least: float = LEAST_VAR
) -> Proposal:
    """The mixture of N(mean_k, cov_k), each cut to the directions that matter most."""
    values, vectors = torch.linalg.eigh(0.5 * (covs + covs.transpose(1, 2)))
    return of_spectra(means, list(vectors), list(values), share, plain, least)


def of_spectra(
    means: Tensor, bases: Sequence[Tensor], variances: Sequence[Tensor], share: Tensor,
    plain: float, least: float = LEAST_VAR,
) -> Proposal:  # fmt: skip
    """The same from the variances along orthonormal columns `(d, r_k)`, and 1 along all others."""
    values = [var.clamp(least, _MOST_VAR) for var in variances]
    loss = [0.5 * (var - 1.0 - torch.log(var)) for var in values]
    r = min(_RANK, max(1, *(int((one > _PLAIN).sum()) for one in loss)))
    order = [torch.argsort(one, descending=True)[:r] for one in loss]
    columns = [u[:, kept] for u, kept in zip(bases, order, strict=True)]
    kept = [var[first] for var, first in zip(values, order, strict=True)]
    return Proposal(
        means, torch.stack([_completed(u, r) for u in columns]),
        torch.stack([F.pad(var, (0, r - len(var)), value=1.0) for var in kept]),
        share, plain, least,
    )  # fmt: skip


def joined(a: Proposal, b: Proposal, share: Tensor) -> Proposal:
    """The Gaussians of both, with these shares; what `a` has besides."""
    r = max(a.var.shape[1], b.var.shape[1])
    basis = [torch.stack([_completed(u, r) for u in q.basis]) for q in (a, b)]
    var = [F.pad(q.var, (0, r - q.var.shape[1]), value=1.0) for q in (a, b)]
    return Proposal(
        torch.cat([a.means, b.means]), torch.cat(basis), torch.cat(var), share, a.plain, a.least
    )


def units(means: Tensor, share: Tensor, plain: float, r: int) -> Proposal:
    """The mixture of N(mean_k, I), with r directions along which a refit may change it."""
    k, d = means.shape
    some = torch.eye(d, min(r, d), dtype=means.dtype).expand(k, -1, -1)
    return Proposal(means, some, means.new_ones(k, some.shape[2]), share, plain)


def _completed(u: Tensor, r: int) -> Tensor:
    """Orthonormal columns `(d, k)` and others, r in all: a refit may change those too."""
    d, k = u.shape
    if k >= r:
        return u
    q, _ = torch.linalg.qr(torch.cat([u, torch.eye(d, r, dtype=u.dtype)], dim=1))
    return torch.cat([u, q[:, k:r]], dim=1)


def _seen(columns: Tensor, u: Tensor, var: Tensor) -> Tensor:
    """I + U (diag(var) - I) U^T in the coordinates of orthonormal columns."""
    inner = columns.T @ u
    return torch.eye(columns.shape[1], dtype=u.dtype) + (inner * (var - 1.0)) @ inner.T


def floored(share: Tensor, floor: float) -> Tensor:
    """Shares that sum to 1, none below about `floor`."""
    share = torch.clamp(share / share.sum(), min=floor)
    return share / share.sum()


def _orthonormal(columns: Tensor) -> Tensor:
    q, r = torch.linalg.qr(columns)
    sound = torch.diagonal(r).abs() > _rounding(q) * float(torch.diagonal(r).abs().max())
    return q[:, sound]


def _rounding(x: Tensor) -> float:
    """Share of a unit vector below which what is left of it may be rounding."""
    return torch.finfo(x.dtype).eps ** 0.5


def _within(cov: Tensor, least: float) -> Tensor:
    values, vectors = torch.linalg.eigh(0.5 * (cov + cov.T))
    return (vectors * values.clamp(least, _MOST_VAR)) @ vectors.T
