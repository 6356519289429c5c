"""Poses the problems of families E and S, whose truth is counted or integrated.

    python data/exact_problems.py

writes their cards into problems/. Nothing of the workbench's oracles is used for the truths:
outcomes are counted with itertools and math.fsum, and the plane is integrated in Cartesian
coordinates, roots by scipy's brentq along one axis, adaptive quadrature along the other. Under a
Student t the tail of a linear model is that of one t, and the plane is integrated in polar
coordinates, where the law of the radius is (1 + r^2 / df)^(-df / 2).
"""

import itertools
import math
from pathlib import Path

import numpy as np
import torch
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm, t

import workbench as wb
from workbench.models import dense, mlp

HERE = Path(__file__).parent
MADE = {"made": "2026-11-24", "command": "python data/exact_problems.py"}
STUDENT = {**MADE, "made": "2026-11-30"}


def product() -> wb.Problem:
    """Eight coordinates of four values, a random ReLU network, P near 1e-6."""
    g = torch.Generator().manual_seed(1)
    values = torch.randn(8, 4, generator=g, dtype=torch.float64).sort(1).values.float().double()
    probs = torch.tensor([[0.01, 0.59, 0.35, 0.05]], dtype=torch.float64).repeat(8, 1)
    model = _short(mlp([8, 32, 32, 1], g, bias_std=0.1))
    d = wb.Discrete(values, probs)
    outcomes = list(itertools.product(range(4), repeat=8))
    x = torch.stack([values[range(8), list(pick)] for pick in outcomes])
    with torch.no_grad():
        y = model(x)[:, 0].tolist()
    p = [math.prod(probs[i, k].item() for i, k in enumerate(pick)) for pick in outcomes]
    order = sorted(range(len(y)), key=lambda i: -y[i])
    mass = itertools.accumulate(p[i] for i in order)
    last = next(k for k, m in enumerate(mass) if m > 1e-6)
    bar = np.float32(0.5 * (y[order[last]] + y[order[last + 1]])).item()
    hits = [p[i] for i in range(len(y)) if y[i] > bar]
    truth = wb.Truth(
        math.log10(math.fsum(hits) / math.fsum(p)), 0.0,
        f"exact: {len(hits)} of {len(p)} outcomes, counted one by one", MADE,
    )  # fmt: skip
    about = (
        "A random ReLU network (8-32-32-1) on eight independent coordinates of four values each: "
        "65,536 outcomes, which can be enumerated."
    )
    return wb.Problem(d, model, _above(bar), "E_product_1e-6", about, truth)


def plane() -> wb.Problem:
    """A random ReLU network on the plane, P near 1e-8."""
    g = torch.Generator().manual_seed(1)
    model = _short(mlp([2, 16, 16, 1], g, bias_std=0.3))
    bar = 10.0

    def margin(a: float, b: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            z = torch.from_numpy(np.stack([np.full_like(b, a), b], axis=1))
            return model(z)[:, 0].numpy() - bar

    grid = np.linspace(-13.0, 13.0, 1301)

    def along(a: float) -> float:
        s = margin(a, grid)
        change = np.nonzero((s[1:] > 0) != (s[:-1] > 0))[0]
        ends = [
            brentq(lambda b: margin(a, np.array([b]))[0], grid[k], grid[k + 1], xtol=1e-14)
            for k in change
        ]
        ends = ([-np.inf] if s[0] > 0 else []) + ends + ([np.inf] if s[-1] > 0 else [])
        pairs = zip(ends[::2], ends[1::2], strict=True)
        return sum(
            norm.sf(u) - norm.sf(v) if u > 0 else norm.cdf(v) - norm.cdf(u) for u, v in pairs
        )

    marks = np.linspace(-10.0, 10.0, 81)
    value = math.fsum(
        quad(lambda a: along(a) * norm.pdf(a), u, v, epsabs=1e-19, epsrel=1e-8, limit=100)[0]
        for u, v in itertools.pairwise(marks)
    )
    truth = wb.Truth(
        math.log10(value), 0.0,
        "exact to 1e-8: nested adaptive quadrature in Cartesian coordinates", MADE,
    )  # fmt: skip
    about = "A random ReLU network (2-16-16-1) on the plane, which can be integrated."
    d = wb.Gaussian(torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64))
    return wb.Problem(d, model, _above(bar), "E_plane_1e-8", about, truth)


def heavy_linear() -> wb.Problem:
    """A linear model of ten numbers under a multivariate t with three degrees of freedom."""
    df, g = 3.0, torch.Generator().manual_seed(2)
    scale = torch.eye(10) + 0.3 * torch.randn(10, 10, generator=g, dtype=torch.float64).tril(-1)
    scale = scale.float().double()
    weight = torch.randn(1, 10, generator=g, dtype=torch.float64).float().double()
    spread = float((weight @ scale).norm())
    bar = np.float32(spread * t.isf(1e-8, df)).item()
    truth = wb.Truth(
        float(t.logsf(bar / spread, df)) / math.log(10.0), 0.0,
        "exact: the tail of Student's t with three degrees of freedom", STUDENT,
    )  # fmt: skip
    about = (
        "A linear model of ten correlated numbers with heavy tails: a t with 3 degrees of freedom."
    )
    d = wb.StudentT(torch.zeros(10, dtype=torch.float64), scale, df)
    return wb.Problem(d, dense(weight), _above(bar), "S_linear_1e-8", about, truth)


def heavy_plane() -> wb.Problem:
    """A random ReLU network on the plane under a t with four degrees of freedom, P near 1e-6."""
    df, g = 4.0, torch.Generator().manual_seed(3)
    model = _short(mlp([2, 16, 16, 1], g, bias_std=0.3))
    bar, reach = 28.0, np.concatenate([[0.0], np.geomspace(1e-2, 1e6, 2001)])

    def along(angle: float) -> float:
        """Share of the ray on which the network is above the bar."""
        u = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)

        def margin(r: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                return model(torch.from_numpy(np.atleast_1d(r))[:, None] * u)[:, 0].numpy() - bar

        s = margin(reach)
        change = np.nonzero((s[1:] > 0) != (s[:-1] > 0))[0]
        roots = [brentq(lambda r: margin(r)[0], reach[k], reach[k + 1], rtol=1e-14) for k in change]
        ends = ([0.0] if s[0] > 0 else []) + roots + ([np.inf] if s[-1] > 0 else [])
        beyond = [(1.0 + r * r / df) ** (-0.5 * df) for r in ends]
        return math.fsum(a - b for a, b in zip(beyond[::2], beyond[1::2], strict=True))

    marks = np.linspace(-math.pi, math.pi, 65)
    value = math.fsum(
        quad(along, u, v, epsabs=1e-17, epsrel=1e-8, limit=100)[0]
        for u, v in itertools.pairwise(marks)
    ) / (2.0 * math.pi)
    truth = wb.Truth(
        math.log10(value), 0.0, "exact to 1e-8: adaptive quadrature in polar coordinates", STUDENT
    )
    about = (
        "A random ReLU network (2-16-16-1) on the plane, its inputs a t with 4 degrees of freedom."
    )
    d = wb.StudentT(torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64), df)
    return wb.Problem(d, model, _above(bar), "S_plane_1e-6", about, truth)


def _above(bar: float) -> wb.Halfspace:
    return wb.Halfspace(torch.ones(1, dtype=torch.float64), -bar)


def _short(model: torch.nn.Module) -> torch.nn.Module:
    """Weights that float32 holds exactly, as cards store them."""
    with torch.no_grad():
        for w in model.parameters():
            w.copy_(w.float().double())
    return model


if __name__ == "__main__":
    for pose in (product, plane, heavy_linear, heavy_plane):
        problem = pose()
        print(problem, problem.truth.log10_p, problem.save(HERE / "problems"))
