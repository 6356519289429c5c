"""Which propagated terms account for a behaviour on trusted data, and what they leave of an input.

A behaviour is the half-space margins s of C. Under the trusted D the value h of one node of M has a
propagated mean m and covariance S = R R^T, and Var s is an estimate that is made of terms, one a
direction of w = R^+ (h - m): T = d Var s / d C, at C = I the covariance of w, has eigenvectors u_k
whose eigenvalues say by how much the estimate moves with the spread along each. An *explanation* is
the fewest of them that, held fixed, leave propagation next to nothing to account for:

    1 - E_t[Var(s | U w = t)] / Var(s) >= share.

On an input x the explained terms are set to what x makes of them and all else is presumed to be as
on trusted data: E[s | U w(x)], by propagation. What M says beyond that comes from terms that the
estimate on trusted data never needed. (After Christiano's mechanistic anomaly detection: an
explanation that suffices for the trusted distribution and not for x, Alignment Research Center
2022; law of total variance; Price's theorem for T.)
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.anomaly.account import Account
from workbench.anomaly.inner import Inner, inner
from workbench.distributions import Moments, Piece
from workbench.errors import BadInput, NotConverged, Unsupported
from workbench.math.nodes import normal_nodes
from workbench.problem import Problem
from workbench.propagation import Covariance
from workbench.specs import Polyhedral

SHARE = 0.9
"""Of the variance of a behaviour that an explanation accounts for, unless asked otherwise."""

_PROPAGATOR = Covariance(order=40)  # of pairs of steep ramps the series ends late
_NODES = 64
_CHUNK = 128


@dataclass(frozen=True, eq=False)
class Explanation:
    """The terms that account for a behaviour on trusted data; made by `explain`.

    Args:
        inner: the node at which terms are told apart, and what M makes of it.
        directions: `(k, n)`, orthonormal in w.
        strengths: `(n,)`, eigenvalues of T as shares of their absolute sum, the greatest first.
        shares: `(k + 1,)`: of the variance accounted for by the first 0, 1, ..., k terms.
        mean: `(r,)`, propagated E s under D.
        scale: `(r,)`, propagated standard deviation of s.
    """

    inner: Inner
    directions: Tensor
    strengths: Tensor
    shares: Tensor
    mean: Tensor
    scale: Tensor

    @property
    def share(self) -> float:
        """Of the variance of the behaviour that is accounted for."""
        return float(self.shares[-1])

    @torch.no_grad()
    def account(self, x: Tensor) -> Account:
        """What the terms account for on inputs x `(batch, d)`.

        Raises:
            BadInput: where x does not fit D.
        """
        d = self.inner.problem.distribution.dim
        if x.ndim != 2 or x.shape[1] != d:
            raise BadInput(f"inputs must have shape (batch, {d}), got {tuple(x.shape)}")
        h = self.inner.value(x)
        t = self.inner.whiten(h) @ self.directions.T
        laws = [_law(self.inner, self.directions, part) for part in t.split(_CHUNK)]
        mean, var = (torch.cat(parts) for parts in zip(*laws, strict=True))
        std = var.clamp(min=0.0).sqrt()
        return Account(self.inner.margins(h), mean, std, self.scale, t)

    def scores(self, x: Tensor) -> Tensor:
        """`(batch,)`: `Account.unexplained` of inputs x `(batch, d)`."""
        return self.account(x).unexplained


def explain(
    problem: Problem, layer: int = 0, share: float = SHARE, most: int | None = None
) -> Explanation:
    """The fewest propagated terms that account for C's margins under the trusted D.

    Found from the weights of M and the moments of D; no input is drawn or shown.

    Args:
        problem: the behaviour C of M under the trusted D.
        layer: number of the node of M's graph at which terms are told apart; 0 is the input.
        share: of the propagated variance of the margins that must be accounted for, in (0, 1).
        most: terms at most; what they then account for is `Explanation.share`.

    Raises:
        BadInput: for a share or layer that makes no sense, or a behaviour that never varies.
        Unsupported: where D has no single mean and covariance, C is not polyhedral, M cannot be
            read, or later values of M bypass the layer.

    >>> import workbench as wb
    >>> found = explain(wb.load("A_d10_1e-6"))
    >>> len(found.directions), round(found.share, 6)  # a linear M is one term
    (1, 1.0)
    """
    if not 0.0 < share < 1.0:
        raise BadInput(f"the share to account for must lie between 0 and 1, got {share!r}")
    if most is not None and most < 1:
        raise BadInput(f"an explanation needs at least one term, got most={most!r}")
    if not isinstance(problem.spec, Polyhedral) or not isinstance(problem.distribution, Moments):
        raise Unsupported("an explanation", "a D with moments and a C of half-spaces are needed")
    if len(problem.distribution.pieces()) != 1:
        raise Unsupported("an explanation under a mixture", "explain its components one by one")
    found = inner(problem, layer)
    terms, mean, var = _terms(found)
    scale = var.sqrt()
    values, vectors = torch.linalg.eigh(terms)
    order = values.abs().argsort(descending=True)
    vectors = vectors[:, order].T
    shares = [0.0]
    limit = len(vectors) if most is None else min(most, len(vectors))
    while shares[-1] < share and len(shares) <= limit:
        shares.append(_accounted(found, vectors[: len(shares)], scale))
    strengths = values[order] / values.abs().sum()
    return Explanation(
        found, vectors[: len(shares) - 1], strengths, mean.new_tensor(shares), mean, scale
    )


def _terms(found: Inner) -> tuple[Tensor, Tensor, Tensor]:
    """T `(n, n)`, of the margins' variances each in units of itself; mean and variance of s."""
    n = found.root.shape[1]
    spread = torch.eye(n, dtype=found.mean.dtype).requires_grad_()
    with torch.enable_grad():
        piece = Piece(found.mean.new_zeros(()), found.mean, found.root @ spread @ found.root.T)
        law, _ = _PROPAGATOR.law(found.after, piece, found.normals, found.offsets)
        var = law.cov.diagonal()
        if not bool((var > 0).all()):
            raise BadInput("the behaviour never varies under D: there is nothing to explain")
        slope = torch.autograd.grad((var / var.detach()).sum(), spread)[0]
    if not bool(torch.isfinite(slope).all()):
        raise NotConverged("the terms of the propagated variance are not finite")
    return 0.5 * (slope + slope.T), law.mean.detach(), var.detach()


def _law(found: Inner, directions: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of the margins, each `(m, r)`, given U w = t `(m, k)`."""
    held = found.root @ directions.T
    rest = found.root @ found.root.T - held @ held.T
    piece = Piece(t.new_zeros(len(t)), found.mean + t @ held.T, rest)
    law, _ = _PROPAGATOR.law(found.after, piece, found.normals, found.offsets)
    return law.mean, torch.diagonal(law.cov, dim1=-2, dim2=-1)


@torch.no_grad()
def _accounted(found: Inner, directions: Tensor, scale: Tensor) -> float:
    """1 - E_t[Var(s | U w = t)] / Var(s), the mean over margins, by a Sobol net of t."""
    t = normal_nodes(_NODES, len(directions), dtype=scale.dtype)
    _, var = _law(found, directions, t)
    return float(1.0 - (var.clamp(min=0.0).mean(0) / scale.square()).mean())
