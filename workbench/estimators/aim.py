"""Where lines are laid across a direction: Gaussians, the later ones learned from earlier lines.

Lines w + t u are wanted where failures are, with the density phi(w) f(w) / P, f(w) = Phi(-t*(w)).
Where a line enters C the slope of the boundary gives grad log f(w), d numbers a line. A linear fit
a + H w to those gradients is a quadratic one to log f, and so the Gaussian of precision I - H and
mean (I - H)^-1 a: the score matching of Hyvarinen (J. Mach. Learn. Res. 6, 2005), with f's own
scores. Lines of several Gaussians are weighed by the mixture of all (the balance heuristic: Veach
and Guibas, SIGGRAPH 1995), so that a Gaussian that was learned badly costs little.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.math.divisor import divisor

_PLAIN_FIRST, _PLAIN = 0.3, 0.1  # shares of the lines that keep the spread of D
_SHARP = 0.5  # power of the weights in the fit
_PRIOR = 6.0  # lines a dimension that the first Gaussian is worth
_FLATTER = 0.75  # power of the covariance: failures have heavier tails than a Gaussian
_LEAST, _MOST, _FURTHEST = 0.05, 4.0, 2.0
_STEEP = 3.0  # medians of the gradients' lengths at which they are cut


@dataclass(frozen=True, eq=False)
class Aim:
    """Gaussians across u in the order of their lines, `r` of them; none: the spread of D.

    Args:
        centre: `(r, d)`, orthogonal to u.
        root: `(r, d, d)`: symmetric roots of the covariances, 1 along u.
        taken: `(r,)`: how many lines each was given so far.
    """

    centre: Tensor
    root: Tensor
    taken: Tensor

    def lay(self, unit: Tensor, e: Tensor, first: int) -> Tensor:
        """w `(n, d)` by the last Gaussian, from nodes e of N(0, I), numbered from `first`.

        A share of them keeps the spread of D, so that no weight is large.
        """
        e = e - (e @ unit)[:, None] * unit
        if not len(self.root):
            return e
        number = torch.arange(first, first + len(e), dtype=e.dtype)
        share = _plain(len(self.root) - 1)
        plain = torch.floor((number + 1) * share) > torch.floor(number * share)
        return torch.where(plain[:, None], e, self.centre[-1] + e @ self.root[-1])

    def log_weight(self, w: Tensor) -> Tensor:
        """log of phi(w) over the density of all lines that were laid, `(n,)`."""
        if not len(self.root) or not len(w):
            return w.new_zeros(len(w))
        own = -0.5 * w.square().sum(1)
        each = []
        for k in torch.nonzero(self.taken).squeeze(1).tolist():
            y = torch.linalg.solve(self.root[k], (w - self.centre[k]).T).square().sum(0)
            shaped = -0.5 * y - torch.linalg.slogdet(self.root[k]).logabsdet
            share = _plain(k)
            mixed = torch.logaddexp(own + math.log(share), shaped + math.log1p(-share))
            each.append(mixed + torch.log(self.taken[k] / self.taken.sum()))
        return own - torch.logsumexp(torch.stack(each), 0)


def around(root: Tensor) -> Aim:
    """The single Gaussian about 0 of a root `(d, d)`, which lays all lines."""
    return Aim(torch.zeros_like(root[:1]), root[None], torch.ones_like(root[0, :1]))


def _plain(k: int) -> float:
    return _PLAIN if k else _PLAIN_FIRST


def learned(
    w: Tensor, rise: Tensor, log_p: Tensor, unit: Tensor, root: Tensor
) -> tuple[Tensor, Tensor]:
    """Centre `(d,)` and root `(d, d)` of a Gaussian near phi f.

    A ridge draws H towards that of the first Gaussian.

    Args:
        w: lines `(n, d)`.
        rise: grad log f at each, `(n, d)`.
        log_p: log of their weights times f, `(n,)`.
        root: of the first Gaussian.
    """
    d = len(unit)
    eye = torch.eye(d, dtype=w.dtype)
    across = eye - torch.outer(unit, unit)
    length = rise.norm(dim=1)
    steep = _STEEP * length.median() / divisor(length)
    rise = rise * steep.clamp(max=1.0)[:, None]
    prior = across @ (eye - torch.linalg.inv(root @ root)) @ across
    share = torch.softmax(_SHARP * log_p, 0) * len(w)
    x = torch.cat([w, torch.ones_like(w[:, :1])], 1)
    ridge = torch.diag(torch.cat([w.new_full((d,), _PRIOR * d), w.new_full((1,), 1e-9 * len(w))]))
    gram = (x * share[:, None]).T @ x + ridge
    fit = torch.linalg.solve(gram, (x * share[:, None]).T @ (rise - w @ prior))
    hessian = prior + 0.5 * (fit[:d] + fit[:d].T)
    values, vectors = torch.linalg.eigh(eye - across @ hessian @ across)
    values = torch.where(values > 1.0 / _MOST, 1.0 / values, _MOST).clamp(_LEAST, _MOST)
    cov = vectors @ torch.diag(values) @ vectors.T
    centre = across @ cov @ fit[d]
    centre = centre * torch.clamp(_FURTHEST / divisor(centre.norm()), max=1.0)
    bent = vectors @ torch.diag(values ** (0.5 * _FLATTER)) @ vectors.T
    return centre, across @ bent @ across + torch.outer(unit, unit)
