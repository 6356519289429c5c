"""Mixtures of Gaussians on base noise, as proposals: draws, densities, refits by cross-entropy."""

import math
from dataclasses import dataclass, replace

import torch
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
        means, covs = [], []
        for k, cov in enumerate(self.covariances):
            mean, w, n = self.means[k], part[:, k], float(effective[k])
            block = _orthonormal(torch.cat([mean[:, None], self.basis[k][:, :_BLOCK]], dim=1))
            wide = n / (n + _CAUTION * z.shape[1])
            near = n / (n + _CAUTION_BLOCK * block.shape[1])
            found = w @ z
            move = found - mean
            mean = mean + wide * move + max(0.0, near - wide) * block @ (block.T @ move)
            gap = (z - found) @ block
            old = block.T @ cov @ block
            new = (1.0 - near) * old + near * (gap.T * w) @ gap
            turn = torch.linalg.cholesky(_within(new, self.least)) @ torch.linalg.inv(
                torch.linalg.cholesky(old)
            )
            turn = block @ (turn - torch.eye(len(turn), dtype=turn.dtype)) @ block.T
            turn = turn + torch.eye(len(turn), dtype=turn.dtype)
            means.append(mean)
            covs.append(turn @ cov @ turn.T)
        fitted = of_gaussians(
            torch.stack(means), torch.stack(covs), self.share, self.plain, self.least
        )
        return replace(fitted, share=floored(total, floor))


def of_gaussians(
    means: Tensor, covs: Tensor, share: Tensor, plain: float, least: float = LEAST_VAR
) -> Proposal:
    """The mixture of N(mean_k, cov_k), each cut to the directions that matter most."""
    values, vectors = torch.linalg.eigh(0.5 * (covs + covs.transpose(1, 2)))
    values = values.clamp(least, _MOST_VAR)
    loss = 0.5 * (values - 1.0 - torch.log(values))
    r = int(min(_RANK, max(1, int((loss > _PLAIN).sum(1).max()))))
    order = torch.argsort(loss, dim=1, descending=True)[:, :r]
    basis = torch.gather(vectors, 2, order[:, None, :].expand(-1, means.shape[1], -1))
    return Proposal(means, basis, torch.gather(values, 1, order), share, plain, least)


def floored(share: Tensor, floor: float) -> Tensor:
    """Shares that sum to 1, none below about `floor`."""
    share = torch.clamp(share / share.sum(), min=floor)
    return share / share.sum()


def _orthonormal(columns: Tensor) -> Tensor:
    q, r = torch.linalg.qr(columns)
    sound = torch.diagonal(r).abs() > 1e-8 * float(torch.diagonal(r).abs().max())
    return q[:, sound]


def _within(cov: Tensor, least: float) -> Tensor:
    values, vectors = torch.linalg.eigh(0.5 * (cov + cov.T))
    return (vectors * values.clamp(least, _MOST_VAR)) @ vectors.T
