"""Poses the problems of families F and G: a D that can be recognised but not sampled.

    python data/recognised_problems.py

F: a Gaussian base restricted or weighted by a rare output of another map. G: spin glasses of 20
spins, counted state by state with numpy, not with the workbench's oracles; and an energy that is a
network, summed over the plane.
"""

import math
from pathlib import Path

import numpy as np
import torch

import workbench as wb
from workbench.models import dense, mlp

SPINS = 20
HERE = Path(__file__).parent
MADE = {"made": "2026-11-24", "command": "python data/recognised_problems.py"}


def orthant(softness: float = 0.0) -> wb.Problem:
    """Two linear maps in ten dimensions, correlated 0.6: a bivariate orthant.

    Weighted by Phi((r - far) / softness) it is one too, of r + softness z with one more normal z.
    """
    import mpmath as mp

    g = torch.Generator().manual_seed(1)
    d, rho, far, beyond = 10, 0.6, 5.612, 7.0
    q = torch.linalg.qr(torch.randn(d, d, generator=g, dtype=torch.float64)).Q
    r, s = q[0].float().double(), (rho * q[0] + 0.8 * q[1]).float().double()
    with mp.workdps(40):
        rr, ss, rs = (_dot(u, v) for u, v in ((r, r), (s, s), (r, s)))
        rr += mp.mpf(softness) ** 2
        a = mp.mpf(np.float32(far).item()) / mp.sqrt(rr)
        b = mp.mpf(np.float32(beyond).item()) / mp.sqrt(ss)
        c = rs / mp.sqrt(rr * ss)
        joint = mp.quad(
            lambda t: mp.npdf(t) * mp.ncdf((c * t - b) / mp.sqrt(1 - c * c)),
            [a, a + 1, a + 2, a + 4, a + 8, a + 30],
        )
        log10_p = float(mp.log10(joint / mp.ncdf(-a)))
    law = wb.Conditional(_standard(d), dense(r[None]), _above(far), softness)
    truth = wb.Truth(
        log10_p, 0.0, "exact: the bivariate normal orthant by quadrature in 40 digits", MADE
    )
    about = (
        "Two linear maps of ten Gaussian inputs, correlated 0.6; D is the inputs on which the "
        "first passes 5.6 standard deviations (one in 10^8), the catastrophe that the second "
        "passes 7."
    )
    if softness:
        about = (
            "Two linear maps r, s of ten Gaussian inputs, correlated 0.6; D is the inputs weighted "
            f"by Phi((r - 5.6) / {softness:g}), the catastrophe that s passes 7."
        )
    name = "F_weighted_1e-7" if softness else "F_orthant_1e-8"
    return wb.Problem(law, dense(s[None]), _above(beyond), name, about, truth)


def glass(beta: float, coupled: bool = True) -> wb.Problem:
    """A linear margin of twenty spins, with its bar where P is near 1e-6; all states weighed."""
    g = torch.Generator().manual_seed(7)
    j = torch.randn(SPINS, SPINS, generator=g, dtype=torch.float64).triu(1) / SPINS**0.5
    j = _short(j + j.T) * float(coupled)
    h = _short(0.2 * torch.randn(SPINS, generator=g, dtype=torch.float64))
    a = _short(torch.randn(SPINS, generator=g, dtype=torch.float64))
    codes = np.arange(2**SPINS)
    x = (((codes[:, None] >> np.arange(SPINS)) & 1) * 2 - 1).astype(float)
    energy = beta * (0.5 * ((x @ j.numpy()) * x).sum(1) + x @ h.numpy())
    p = np.exp(energy - energy.max())
    s = x @ a.numpy()
    order = np.argsort(-s)
    mass = np.cumsum(p[order]) / p.sum()
    last = int(np.searchsorted(mass, 1e-6))
    bar = float(np.float32(0.5 * (s[order[last]] + s[order[last + 1]])))
    hit = s > bar
    truth = wb.Truth(
        math.log10(math.fsum(p[hit]) / math.fsum(p)), 0.0,
        f"exact: {int(hit.sum())} of 2^{SPINS} states, weighed one by one", MADE,
    )  # fmt: skip
    name = f"G_glass_b{round(10 * beta):02d}_1e-6" if coupled else "G_free_1e-6"
    about = (
        f"{SPINS} spins with random couplings and fields at inverse temperature {beta:g}"
        if coupled
        else f"{SPINS} independent spins in random fields"
    )
    about += ", known by their energy alone; C is a weighted sum of spins above a bar."
    return wb.Problem(wb.SpinGlass(j, h, beta), dense(a[None]), _above(bar), name, about, truth)


def network() -> wb.Problem:
    """An energy that is a network, on the plane, with its bar where P is near 1e-6.

    The truth is a Riemann sum over a grid, which for kinks of exp(-U) errs as its step squared; a
    cell at the edge of C counts by the share that lies in C were the margin linear.
    """
    g = torch.Generator().manual_seed(11)
    energy, model = mlp([2, 10, 8, 1], g, bias_std=0.5), mlp([2, 12, 12, 1], g, bias_std=0.3)
    for net, factor in ((energy, 2.0), (model, 1.0)):
        for p in net.parameters():
            p.requires_grad_(False).copy_(p.float())
        net.parts[-1].weight.mul_(factor)
    law = wb.Gibbs(_standard(2), energy)
    rows = torch.linspace(-10.0, 10.0, 8001, dtype=torch.float64)
    log_w, s = [], []
    for row in rows.split(100):
        x = torch.cartesian_prod(row, rows)
        log_w.append(law.log_weight(x).numpy())
        s.append(model(x)[:, 0].numpy())
    weight = np.exp(np.concatenate(log_w))
    margin = np.concatenate(s)
    order = np.argsort(-margin)
    mass = np.cumsum(weight[order]) / weight.sum()
    bar = float(np.float32(margin[order[int(np.searchsorted(mass, 1e-6))]]))
    grid, m = (v.reshape(len(rows), -1) for v in (weight, margin - bar))
    steep = np.hypot(*np.gradient(m))
    share = np.clip(0.5 + m / np.maximum(steep, 1e-300), 0.0, 1.0)
    log10_p = math.log10(float((grid * share).sum() / grid.sum()))
    about = (
        "Two Gaussian inputs weighed by exp(-U), U a ReLU network (2-10-8-1), known by that energy "
        "alone; C is the output of another (2-12-12-1) above a bar."
    )
    method = "exact: a sum over 8001 x 8001 points of the plane, to 1e-5 of P"
    truth = wb.Truth(log10_p, 0.0, method, MADE)
    return wb.Problem(law, model, _above(bar), "G_network_1e-6", about, truth)


def _short(t: torch.Tensor) -> torch.Tensor:
    """Numbers that float32 holds exactly, as cards store them."""
    return t.float().double()


def _dot(u: torch.Tensor, v: torch.Tensor):
    import mpmath as mp

    return mp.fsum(mp.mpf(a) * mp.mpf(b) for a, b in zip(u.tolist(), v.tolist(), strict=True))


def _standard(d: int) -> wb.Gaussian:
    return wb.Gaussian(torch.zeros(d, dtype=torch.float64), torch.ones(d, dtype=torch.float64))


def _above(bar: float) -> wb.Halfspace:
    return wb.Halfspace(torch.ones(1, dtype=torch.float64), -np.float32(bar).item())


if __name__ == "__main__":
    betas = (0.5, 1.0, 2.0, 3.0)
    for problem in (
        orthant(),
        orthant(0.5),
        network(),
        glass(1.0, coupled=False),
        *(glass(beta) for beta in betas),
    ):
        print(problem, problem.truth.log10_p, problem.save(HERE / "problems"))
