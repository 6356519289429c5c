"""Lines w + t u through base noise: where each enters C, and how much probability lies beyond.

For z ~ N(0, I) and a unit vector u, t = u.z and w = z - t u are independent, so that

    P = E_w[ P(C | w) ],     P(C | w) = Phi(-t*(w)) where the line is in C beyond t*(w).

With several directions C is shared out among them by a partition of unity r_k(z), each line of the
k-th counting only its own share, integral over t > t* of phi(t) r_k(w + t u_k) dt.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.math.gaussian import log_cdf_inverse, log_cdf_value, log_pdf
from workbench.math.logspace import log_sum
from workbench.math.quadrature import legendre
from workbench.math.slope import slope_of

_FIRST, _LONGEST, _GROW = 0.25, 2.0, 1.7
_BRACKETS, _POLISH = 16, 8
_FINE, _FINER = 2e-2, 2e-3
_NODES = 8
_GRAZING, _DAMP = 0.15, 0.3
_UNSURE, _LOST = 0.3, 0.03  # digits
MOST = 1 + _BRACKETS + _POLISH
"""Evaluations of the margin that a line can cost."""


def doubt(log_p: Tensor, digits: float, lost: float = 0.0) -> str:
    """Why an answer that lines gave should not be trusted, in one sentence; else empty.

    Args:
        digits: its error by the spread of the lines.
        lost: digits that what they leave out may add.
    """
    if not bool(torch.isfinite(log_p)):
        return "no line enters C: it is impossible, or in a direction that the search did not see"
    if digits > _UNSURE:
        return f"the lines differ so much that the answer may be off by {digits:.1f} digits"
    if lost > _LOST:
        return (
            f"no line reaches some of the failures that were found, which may add {lost:.2g} digits"
        )
    return ""


@dataclass(frozen=True, eq=False)
class Crossings:
    """Where lines enter C.

    Args:
        t: `(n,)`; inf where a line does not enter below the highest t, -inf where it is in C
            down to the lowest.
        slope: how fast the margin usually rises there.
        evaluations: of the margin, in all.
        turns: `(n, 2)`: between which places the margin was highest on a line that does not enter,
            where it fell beyond: the search may have stepped over what lies in C; NaN elsewhere.
        top: `(n,)`: that highest margin.
    """

    t: Tensor
    slope: float
    evaluations: int
    turns: Tensor
    top: Tensor


def crossings(
    margin: Callable[[Tensor], Tensor],
    across: Tensor,
    unit: Tensor,
    start: Tensor,
    slope: float,
    reach: tuple[float, float],
    bent: bool = False,
) -> Crossings:
    """The root of margin(w + t u) on every line, by bracketing and Illinois' rule.

    Args:
        margin: of points `(m, d)`.
        across: w, `(n, d)`.
        unit: u, `(d,)`.
        start: `(n,)`: where to begin.
        slope: how fast the margin usually rises with t: the length of the first step.
        reach: lowest and highest t that are tried.
        bent: whether the margin may grow exponentially along a line, as where D stretches its noise
            into heavy tails: a root is then sought of its asinh, and to a tenth of the error.
    """
    low, high = reach
    t = torch.clamp(start, low, high)
    s = margin(across + t[:, None] * unit)
    evaluations = len(t)
    inside = s > 0
    near, near_s = t.clone(), s.clone()
    far, far_s = t.clone(), s.clone()
    step = torch.clamp(1.2 * s.abs() / slope, _FIRST, _LONGEST)
    top, before, after = s.clone(), t - _LONGEST, torch.full_like(t, torch.nan)
    open_ = torch.arange(len(t))
    for _ in range(_BRACKETS):
        sign = 1.0 - 2.0 * inside[open_].to(t.dtype)
        ahead = torch.clamp(far[open_] + sign * step[open_], low, high)
        value = margin(across[open_] + ahead[:, None] * unit)
        evaluations += len(open_)
        near[open_], near_s[open_] = far[open_], far_s[open_]
        far[open_], far_s[open_] = ahead, value
        higher, lower = value > top[open_], value < top[open_]
        first = lower & after[open_].isnan()
        after[open_] = torch.where(higher, torch.nan, torch.where(first, ahead, after[open_]))
        before[open_] = torch.where(higher, near[open_], before[open_])
        top[open_] = torch.maximum(top[open_], value)
        step[open_] = torch.clamp(_GROW * step[open_], max=2.0 * _LONGEST)
        crossed = (value > 0) != inside[open_]
        ended = (ahead <= low) | (ahead >= high)
        open_ = open_[~crossed & ~ended]
        if len(open_) == 0:
            break
    found = (far_s > 0) != inside
    rise = ((far_s - near_s) / (far - near))[found]
    usual = float(rise.median()) if len(rise) else slope
    root, spent = _illinois(margin, across, unit, near, near_s, far, far_s, found, bent)
    nowhere = torch.where(inside, -torch.inf, torch.inf).to(t.dtype)
    turned = ~found & ~inside & ~after.isnan()
    turns = torch.where(turned[:, None], torch.stack([before, after], 1), torch.nan)
    return Crossings(torch.where(found, root, nowhere), usual, evaluations + spent, turns, top)


def _illinois(
    margin: Callable[[Tensor], Tensor],
    across: Tensor,
    unit: Tensor,
    a: Tensor,
    fa: Tensor,
    b: Tensor,
    fb: Tensor,
    found: Tensor,
    bent: bool,
) -> tuple[Tensor, int]:
    """Regula falsi that halves the value of an end that stays (Dowell & Jarratt 1971)."""
    size = torch.minimum(fa.abs(), fb.abs()).clamp(min=torch.finfo(fa.dtype).tiny)
    fine = _FINER if bent else _FINE
    if bent:
        fa, fb = torch.asinh(fa / size), torch.asinh(fb / size)
    root, evaluations = _secant(a, fa, b, fb), 0
    scale = torch.maximum(fa.abs(), fb.abs())
    todo = torch.nonzero(found).squeeze(1)
    for _ in range(_POLISH):
        if len(todo) == 0:
            break
        c = root[todo]
        value = margin(across[todo] + c[:, None] * unit)
        evaluations += len(todo)
        if bent:
            value = torch.asinh(value / size[todo])
        swap = (value > 0) != (fb[todo] > 0)
        a[todo] = torch.where(swap, b[todo], a[todo])
        fa[todo] = torch.where(swap, fb[todo], 0.5 * fa[todo])
        b[todo], fb[todo] = c, value
        root[todo] = _secant(a[todo], fa[todo], b[todo], fb[todo])
        moved = (root[todo] - c).abs()
        todo = todo[(moved > fine) & (value.abs() > 1e-12 * scale[todo])]
    return root, evaluations


def _secant(a: Tensor, fa: Tensor, b: Tensor, fb: Tensor) -> Tensor:
    gap = fb - fa
    step = torch.where(gap != 0, fb * (b - a) / torch.where(gap != 0, gap, 1.0), 0.5 * (b - a))
    return b - step


def log_beyond(t: Tensor, across: Tensor, units: Tensor, index: Tensor, k: int) -> Tensor:
    """log of the integral of phi(t) r_k(w + t u_k) over t beyond each crossing, `(n,)`.

    Args:
        t: crossings `(n,)`.
        across: w, `(n, d)`.
        units: all directions, `(m, d)`.
        index: `(m,)`, see `log_share`.
        k: whose lines these are.
    """
    tail = log_cdf_value(-t)
    if len(units) == 1:
        return tail
    x, weight = legendre(_NODES, t.dtype, t.device)
    alive = torch.isfinite(tail)
    log_left = torch.where(alive, tail, -1.0)[:, None] + torch.log(0.5 * (x + 1.0))
    at = -log_cdf_inverse(log_left)
    share = log_share(across[:, None, :] + at[..., None] * units[k], units, index, k)
    total = log_sum(share + torch.log(0.5 * weight), dim=-1)
    return torch.where(alive, tail + total, -torch.inf)


def log_share(z: Tensor, units: Tensor, index: Tensor, k: int) -> Tensor:
    """log r_k at points z of C, `(..., d)`: the share of the k-th lines in all lines there.

    A line that enters C at t* has density phi(z) / Phi(-t*) beyond. r_k takes t* for the usual
    one, index_k, or for z.u_k where that is less.

    Args:
        units: `(m, d)`.
        index: `(m,)`: Phi(-index_k) is the mean of Phi(-t*) over the k-th lines.
    """
    return (-log_cdf_value(-torch.minimum(z @ units.T, index))).log_softmax(-1)[..., k]


def log_density_at(t: Tensor, z: Tensor, units: Tensor, index: Tensor, k: int) -> Tensor:
    """log(phi(t*) r_k(z*)): minus the derivative of the integral in t*, `(n,)`."""
    return log_pdf(t) + log_share(z, units, index, k)


@dataclass(frozen=True, eq=False)
class Follow:
    """How crossings follow the boundary of C.

    Args:
        move: -s / (ds/dt), `(n,)`: about 0, with the gradient of t* in what D, M and C are made of.
        slope: gradient of the margin in z over ds/dt, `(n, d)`; 0 where the line grazes.
    """

    move: Tensor
    slope: Tensor


def follow(margin: Callable[[Tensor], Tensor], z: Tensor, unit: Tensor) -> Follow | None:
    """How the crossings z `(n, d)` move; None where the margin has no gradient, or is flat at all.

    The unit vector `(d,)` is that of all lines, or each has its own, `(n, d)`. Lines that meet the
    boundary at less than about 9 degrees stand still: their moves are few and without bound.
    """
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        s = margin(z)
        slope = slope_of(s, z, keep=True)
        if slope is None or (len(z) and not bool(slope.any())):
            return None
        rise = slope @ unit if unit.ndim == 1 else (slope * unit).sum(1)
        clear = rise > _GRAZING * slope.norm(dim=1).clamp(min=1e-300)
        rise = torch.where(clear, rise, 1.0)
        move = torch.where(clear, -s / rise, 0.0)
    return Follow(move, torch.where(clear[:, None], slope / rise[:, None], 0.0))


def rise(t: Tensor, slope: Tensor, unit: Tensor) -> Tensor:
    """Gradient of log Phi(-t*(w)) in w, `(n, d)`; `slope` of `follow`."""
    hazard = torch.exp(log_pdf(t) - log_cdf_value(-t))
    return hazard[:, None] * (slope - (slope @ unit)[:, None] * unit)


def calibration(weight: Tensor, t: Tensor, z: Tensor, slope: Tensor, unit: Tensor) -> Tensor:
    """Factors for the lines of a single summit under which Stein's identity holds, `(n,)`.

    With f(w) = Phi(-t*(w)) the density phi f / P has the score S = -w + grad log f, and E[S] = 0.
    Finitely many lines miss that; regression on S takes out of any mean over the lines what it
    shares with S. The more the lines' weights differ, the more the regression is damped.

    Args:
        weight: the lines' shares of P, up to a factor, `(n,)`.
        slope: of `follow`.
    """
    across = z - t[:, None] * unit
    along = slope @ unit
    score = rise(t, slope, unit) - across
    share = weight / weight.sum()
    mean = share @ score
    centred = torch.where((along > 0)[:, None], score - mean, 0.0)
    cov = (centred * share[:, None]).T @ centred
    even = float(1.0 / share.square().sum()) / len(share)
    damped = (_DAMP * (1.0 - even) + 1e-9) * cov.diagonal().mean()
    solved = torch.linalg.solve(
        cov + damped * torch.eye(len(cov), dtype=cov.dtype) + torch.outer(unit, unit), mean
    )
    return 1.0 - centred @ solved
