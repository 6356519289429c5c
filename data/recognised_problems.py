"""Poses the problems of families F and G: a D that can be recognised but not sampled.

    python data/recognised_problems.py                 write the cards that need no sampling
    python data/recognised_problems.py F_nets_1e-6     climb for one truth anew, minutes each

F: a Gaussian base given that another network's rare output occurred. G: spin glasses of 20 spins,
counted state by state with numpy, not with the workbench's oracles.
"""

from pathlib import Path

import numpy as np
import torch

import workbench as wb
from workbench.models import dense

HERE = Path(__file__).parent
MADE = {"made": "2026-11-24", "command": "python data/recognised_problems.py"}


def orthant() -> wb.Problem:
    """Two linear maps in ten dimensions, correlated 0.6: a bivariate orthant."""
    import mpmath as mp

    g = torch.Generator().manual_seed(1)
    d, rho, far, beyond = 10, 0.6, 5.612, 7.0
    q = torch.linalg.qr(torch.randn(d, d, generator=g, dtype=torch.float64)).Q
    r, s = q[0].float().double(), (rho * q[0] + 0.8 * q[1]).float().double()
    with mp.workdps(40):
        rr, ss, rs = (_dot(u, v) for u, v in ((r, r), (s, s), (r, s)))
        a = mp.mpf(np.float32(far).item()) / mp.sqrt(rr)
        b = mp.mpf(np.float32(beyond).item()) / mp.sqrt(ss)
        c = rs / mp.sqrt(rr * ss)
        joint = mp.quad(
            lambda t: mp.npdf(t) * mp.ncdf((c * t - b) / mp.sqrt(1 - c * c)),
            [a, a + 2, a + 8, a + 30],
        )
        log10_p = float(mp.log10(joint / mp.ncdf(-a)))
    law = wb.Conditional(_standard(d), dense(r[None]), _above(far))
    truth = wb.Truth(
        log10_p, 0.0, "exact: the bivariate normal orthant by quadrature in 40 digits", MADE
    )
    about = (
        "Two linear maps of ten Gaussian inputs, correlated 0.6; D is the inputs on which the "
        "first passes 5.6 standard deviations (one in 10^8), the catastrophe that the second "
        "passes 7."
    )
    return wb.Problem(law, dense(s[None]), _above(beyond), "F_orthant_1e-8", about, truth)


def _dot(u: torch.Tensor, v: torch.Tensor):
    import mpmath as mp

    return mp.fsum(mp.mpf(a) * mp.mpf(b) for a, b in zip(u.tolist(), v.tolist(), strict=True))


def _standard(d: int) -> wb.Gaussian:
    return wb.Gaussian(torch.zeros(d, dtype=torch.float64), torch.ones(d, dtype=torch.float64))


def _above(bar: float) -> wb.Halfspace:
    return wb.Halfspace(torch.ones(1, dtype=torch.float64), -np.float32(bar).item())


if __name__ == "__main__":
    for pose in (orthant,):
        problem = pose()
        print(problem, problem.truth.log10_p, problem.save(HERE / "problems"))
