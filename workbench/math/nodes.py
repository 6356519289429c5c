"""Equidistributed nodes of the cube and of N(0, I): integration without a random number."""

import numpy as np
import torch
from torch import Tensor

from workbench.math.gaussian import SQRT_2

_MOST = torch.quasirandom.SobolEngine.MAXDIM


def sobol_nodes(n: int, d: int, net: int = 0, first: int = 0) -> Tensor:
    """Points first .. first + n - 1 of a scrambled Sobol net in [0, 1)^d, `(n, d)`, in float64.

    (Owen 1998; Joe & Kuo 2008.) Equal arguments give equal nodes; `net` numbers the scramblings,
    each as good as another. Coordinates past the 21,201st, where such nets end, are pseudo-random.
    """
    with torch.device("cpu"):  # where the engine is
        engine = torch.quasirandom.SobolEngine(min(d, _MOST), scramble=True, seed=net)
        origin = engine.quasi.double() / 2**engine.MAXBIT  # it rounds it to the default dtype
        u = engine.fast_forward(first).draw(n, dtype=torch.float64)
    if n and not first:
        u[0] = origin
    if d > _MOST:
        # A stream of its own for every row, so that rows are the same wherever a call begins.
        rows = [np.random.Philox(key=[net, first + i]) for i in range(n)]
        rest = [np.random.Generator(row).random(d - _MOST) for row in rows]
        u = torch.cat([u, torch.from_numpy(np.stack(rest))], dim=1)
    return u.to(torch.get_default_device())


def normal_nodes(
    n: int, d: int, net: int = 0, first: int = 0, dtype: torch.dtype = torch.float64
) -> Tensor:
    """`sobol_nodes` mapped to N(0, I), `(n, d)`.

    >>> normal_nodes(4, 3).shape
    torch.Size([4, 3])
    """
    tiny = torch.finfo(torch.float64).eps
    u = torch.clamp(sobol_nodes(n, d, net, first), tiny, 1.0 - tiny)
    return (SQRT_2 * torch.erfinv(2.0 * u - 1.0)).to(dtype)
