"""The law of a hidden vector as its mean and what each token adds to it: main effects."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.math.activations import Activation

_LEAST = 1e-12


@dataclass(frozen=True, eq=False)
class Effects:
    """h ~ mean + sum_i effect[i, x_i], tokens independent: E[h | x_i = v] = mean + effect[i, v].

    (Hoeffding 1948, to first order.) A batch of B product laws goes through at once. Linear maps
    are exact; a nonlinear one is taken at every conditional mean, over Gaussian fluctuations with
    the covariance that the other positions' effects have.

    Args:
        mean: `(B, d)`.
        effect: `(B, n, S, d)`, of mean 0 under q over S.
        q: `(B, n, S)`, probabilities.
    """

    mean: Tensor
    effect: Tensor
    q: Tensor

    @property
    def given(self) -> Tensor:
        """E[h | x_i = v], `(B, n, S, d)`."""
        return self.mean[:, None, None] + self.effect

    @staticmethod
    def of(rough: Tensor, given: Tensor, q: Tensor) -> "Effects":
        """From the mean that ignores single tokens `(B, d)` and means given every token.

        sum_v q_i(v) E[h | x_i = v] treats position i as it is and the others as Gaussian; what that
        corrects is added up over i.
        """
        over = (q[..., None] * given).sum(2)
        return Effects(rough + (over - rough[:, None]).sum(1), given - over[:, :, None], q)

    def linear(self, layer: nn.Linear) -> "Effects":
        """W h + b."""
        mapped = self.map(layer.weight)
        if layer.bias is None:
            return mapped
        return Effects(mapped.mean + layer.bias.double(), mapped.effect, self.q)

    def map(self, weight: Tensor) -> "Effects":
        """W h, W `(outputs, d)`."""
        w = weight.double().T
        return Effects(self.mean @ w, self.effect @ w, self.q)

    def __add__(self, other: "Effects") -> "Effects":
        return Effects(self.mean + other.mean, self.effect + other.effect, self.q)

    def covariances(self) -> Tensor:
        """Of every position's effect, `(B, n, d, d)`; they add up."""
        weighed = self.q[..., None] * self.effect
        return weighed.transpose(2, 3) @ self.effect

    def pointwise(self, row: Activation) -> "Effects":
        """f(h), f an activation, by its Gaussian mean."""
        own = (self.q[..., None] * self.effect.square()).sum(2)
        total = own.sum(1)

        def mean(mu: Tensor, var: Tensor) -> Tensor:
            return row.mean(mu, torch.sqrt(var.clamp(min=_LEAST)))

        rest = (total[:, None] - own)[:, :, None]
        return Effects.of(mean(self.mean, total), mean(self.given, rest), self.q)

    def layer_norm(self, norm: nn.LayerNorm) -> "Effects":
        """g P h / sqrt(S) + b with S = |P h|^2 / d + eps, P h = h less its average.

        E[P h / sqrt(S)] to second order in the deviation of S from its mean, which is exact:
        u / sqrt(S) - Cov(u, S) / (2 S^1.5) + 3 Var(S) u / (8 S^2.5), for Gaussian u = P h.
        """
        d = self.mean.shape[-1]
        mean = self.mean - self.mean.mean(-1, keepdim=True)
        effect = self.effect - self.effect.mean(-1, keepdim=True)
        own = Effects(mean, effect, self.q).covariances()
        total = own.sum(1)

        def normed(u: Tensor, cov: Tensor) -> Tensor:
            moved = u @ cov
            trace = torch.diagonal(cov, dim1=-2, dim2=-1).sum(-1)[..., None, None]
            square = cov.square().sum((-2, -1))[..., None, None]
            s = (u.square().sum(-1, keepdim=True) + trace) / d + norm.eps
            var = (4.0 * (u * moved).sum(-1, keepdim=True) + 2.0 * square) / d**2
            scale = s**-0.5
            return scale * (u - moved / (d * s) + 0.375 * var / s.square() * u)

        g, b = norm.weight.double(), norm.bias.double()
        rough = normed(mean[:, None], total)[:, 0] * g + b
        given = normed(mean[:, None, None] + effect, total[:, None] - own) * g + b
        return Effects.of(rough, given, self.q)
