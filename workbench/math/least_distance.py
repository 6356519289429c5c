"""The point of a polytope that is nearest to the origin."""

import math

import numpy as np
import torch
from torch import Tensor

_ZERO = 1e-12


def shortest(normals: Tensor, offsets: Tensor) -> Tensor | None:
    """Where {u: G u + h >= 0} is nearest to the origin, as a unit vector; None where it is empty.

    Least-distance programming by non-negative least squares (Lawson & Hanson 1974, chapter 23):
    with r = E w - e, E = [G^T; -h^T], e the last unit vector and w >= 0 least in |r|, the point is
    -r / r_last, and there is none where r = 0. Where the origin lies inside, the direction is
    inward across the nearest face.

    Args:
        normals: G, `(r, d)`.
        offsets: h, `(r,)`.

    >>> shortest(torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([-10.0, 5.0])).tolist()
    [0.6, 0.8]
    """
    size = torch.linalg.vector_norm(normals, dim=1)
    flat = size < _ZERO
    if bool((offsets[flat] < 0).any()) or bool(flat.all()):
        return None if bool((offsets[flat] < 0).any()) else _axis(normals)
    g = normals[~flat] / size[~flat, None]
    h = offsets[~flat] / size[~flat]
    if bool((h >= 0).all()):
        return g[int(h.argmin())]
    from scipy.optimize import nnls

    e = np.zeros(g.shape[1] + 1)
    e[-1] = 1.0
    matrix = np.vstack([g.T.cpu().numpy(), -h.cpu().numpy()[None]])
    w, _ = nnls(matrix, e, maxiter=30 * matrix.shape[1])
    r = matrix @ w - e
    if np.linalg.norm(r) < 1e-9 or r[-1] >= 0:
        return None
    point = torch.from_numpy(-r[:-1] / r[-1]).to(g.device)
    return point / torch.linalg.vector_norm(point)


def _axis(like: Tensor) -> Tensor:
    direction = torch.zeros_like(like[0])
    direction[0] = 1.0
    return direction


def nearest(normals: Tensor, offsets: Tensor, sweeps: int, most: float = math.inf) -> Tensor:
    """argmin |z| with normals . z + offsets >= 0, of many polytopes at once, `(m, d)`.

    Coordinate ascent on the dual, z = sum_j lambda_j normal_j with lambda >= 0 (Hildreth 1957):
    approximate after finitely many sweeps.

    Args:
        normals: of length 1, `(m, l, d)`.
        offsets: `(m, l)`.
        sweeps: over all l multipliers.
        most: that a multiplier may be, where polytopes may be empty.
    """
    gram = normals @ normals.transpose(1, 2)
    dual = torch.zeros_like(offsets)
    for _ in range(sweeps):
        for j in range(offsets.shape[1]):
            short = (gram[:, j] * dual).sum(1) + offsets[:, j]
            dual[:, j] = (dual[:, j] - short).clamp(0.0, most)
    return torch.einsum("ml,mld->md", dual, normals)
