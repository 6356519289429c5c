"""The few directions of noise in many dimensions in which failures differ from D.

A Gaussian around failures has d^2 / 2 entries, and a gradient says d numbers: in thousands of
dimensions, those of an image, neither draws nor time are there for all of them. A margin that
varies along r directions alone has failures that differ from N(0, I) in those (Constantine, Dow and
Wang 2014, "active subspaces"; Zahm et al. 2022). They are taken from the gradients at draws around
the starts; along all others failures are presumed to have the law of D.
"""

import torch
from torch import Tensor

from workbench.estimators.design_points import margin_and_gradient
from workbench.estimators.tilt import Look
from workbench.problem import Problem

WIDE = 1024
"""Dimensions of noise from which Gaussians are fitted in such a subspace."""
_RANK, _ASKED = 64, 16  # dimensions of it, and gradients a start
_LITTLE = 1e-3  # of a unit vector, below which a direction is held already


def basis_around(
    problem: Problem, means: Tensor, clause: Tensor, generator: torch.Generator
) -> tuple[Tensor, int]:
    """Orthonormal columns `(d, r)`, and what they cost in forward passes.

    They hold the means `(k, d)`, and as much as they can of the directions of gradients of the
    margins of clauses `(k,)` at draws around them.
    """
    around = means.repeat_interleave(_ASKED, 0)
    z = around + torch.randn(around.shape, generator=generator, dtype=means.dtype)
    _, slope = margin_and_gradient(problem, z, clause.repeat_interleave(_ASKED))
    size = slope.norm(dim=1, keepdim=True)
    slope = slope / torch.where(size > 0, size, 1.0)
    own, stretch, _ = torch.linalg.svd(means.T, full_matrices=False)
    own = own[:, stretch > _LITTLE * stretch.max()]
    rest, stretch, _ = torch.linalg.svd(slope.T - own @ (own.T @ slope.T), full_matrices=False)
    rest = rest[:, stretch > _LITTLE][:, : max(0, _RANK - own.shape[1])]
    basis, _ = torch.linalg.qr(torch.cat([own, rest], dim=1))  # as orthonormal as rounding lets it
    return basis, 2 * len(z)


def look_within(problem: Problem, basis: Tensor, generator: torch.Generator) -> Look:
    """Margins and gradients in the coordinates of a subspace, at draws of N(0, I) across it."""

    def look(v: Tensor, clause: Tensor) -> tuple[Tensor, Tensor]:
        e = torch.randn(len(v), len(basis), generator=generator, dtype=v.dtype)
        z = v @ basis.T + e - (e @ basis) @ basis.T
        s, g = margin_and_gradient(problem, z, clause)
        return s, g @ basis

    return look
