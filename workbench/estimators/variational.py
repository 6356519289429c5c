"""The Gaussian nearest to a law that is known by its energy.

For p(z) proportional to phi(z) exp(-U(z)), the Gaussian q = N(m, S) that is nearest in the
Kullback-Leibler divergence from q maximises

    -F(q) = -E_q[U] - KL(q || N(0, I))  <=  log Z        (Gibbs, Bogoliubov, Feynman)

and solves m = -grad_m E_q[U], S^-1 = I + 2 grad_S E_q[U] = I + E_q[Hess U] (Opper & Archambeau
2009). How E_q[U] is had is another matter (see `expected`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.math.divisor import divisor

_ROUNDS, _STILL = 100, 1e-5
_DAMPING, _TRUST = 0.7, 2.0
_LEAST, _MOST = 1e-3, 1e3  # eigenvalues of S


@dataclass(frozen=True, eq=False)
class Nearest:
    """q = N(mean, cov) in base noise, and -F(q) at it.

    Args:
        mean: `(d,)`.
        cov: `(d, d)`.
        log_z: -F(q), 0-d, in nats.
        settled: whether the iteration came to rest.
    """

    mean: Tensor
    cov: Tensor
    log_z: Tensor
    settled: bool


def nearest(energy: Callable[[Tensor, Tensor], Tensor], mean: Tensor, cov: Tensor) -> Nearest:
    """The fixed point from a start.

    Args:
        energy: E_q[U] `()` of a mean `(d,)` and a covariance `(d, d)` of noise, with gradients.
        mean, cov: the start.
    """
    eye = torch.eye(len(mean), dtype=mean.dtype)
    precision = torch.linalg.inv(cov)
    moved = float("inf")
    for _ in range(_ROUNDS):
        _, slope, bend = slopes(energy, mean, cov)
        wanted = (1.0 - _DAMPING) * precision + _DAMPING * (eye + 2.0 * bend)
        values, vectors = torch.linalg.eigh(0.5 * (wanted + wanted.T))
        values = values.clamp(1.0 / _MOST, 1.0 / _LEAST)
        precision = (vectors * values) @ vectors.T
        new = (vectors / values) @ vectors.T
        step = -_DAMPING * new @ (mean + slope)
        step = step * torch.clamp(_TRUST / divisor(step.norm()), max=1.0)
        moved = float(step.norm()) + float((new - cov).abs().max())
        mean, cov = mean + step, new
        if moved < _STILL:
            break
    return Nearest(mean, cov, -free_energy(energy, mean, cov), moved < 1e-3)


def free_energy(energy: Callable[[Tensor, Tensor], Tensor], mean: Tensor, cov: Tensor) -> Tensor:
    """F(q) = E_q[U] + KL(q || N(0, I)), 0-d; carries the energy's graph."""
    kl = 0.5 * (torch.trace(cov) + mean @ mean - len(mean) - torch.logdet(cov))
    return energy(mean, cov) + kl


def slopes(
    energy: Callable[[Tensor, Tensor], Tensor], mean: Tensor, cov: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """E_q[U], its gradient `(d,)` in the mean and the symmetric one `(d, d)` in the covariance."""
    with torch.enable_grad():
        m, c = mean.detach().requires_grad_(), cov.detach().requires_grad_()
        u = energy(m, 0.5 * (c + c.T))
        slope, bend = torch.autograd.grad(u, (m, c), allow_unused=True)
    slope = torch.zeros_like(mean) if slope is None else slope
    bend = torch.zeros_like(cov) if bend is None else bend
    return u.detach(), slope, 0.5 * (bend + bend.T)
