"""Standard normal vectors by the order of their greatest entries.

Which entry of x has a given rank jumps where two entries change places. Fixing which entry is the
largest, which the second largest, and so on up to the q-th, cuts R^m into m! / (m - q)! cells that
are equally likely under N(0, I); inside one the entries are smooth functions of uniform numbers.
"""

import math

import torch
from torch import Tensor


def in_order(u: Tensor, q: int) -> tuple[Tensor, Tensor]:
    """N(0, I) in R^m from uniform numbers, of which one picks the cell and the others the point.

    The largest of m uniform numbers is U^(1/m); given it, the largest of the others is it times
    U^(1/(m-1)), and so on; what remains is uniform below. x = Phi^-1 of these.

    Args:
        u: in (0, 1), `(n, m + 1)`, the first column for the cell.
        q: how many entries are put in order, 0 to m.

    Returns:
        x `(n, m)`, and the entries in order: the q largest, then the others, `(n, m)`.
    """
    m = u.shape[1] - 1
    cell = (u[:, 0] * math.perm(m, q)).long()
    chosen: list[Tensor] = []
    for i in range(q):
        size = math.perm(m - i - 1, q - i - 1)
        pick, cell = cell // size, cell % size
        for earlier in torch.stack(chosen, 1).sort(1).values.T if chosen else ():
            pick = pick + (pick >= earlier)  # from a number among those left to one among all
        chosen.append(pick)
    taken = torch.stack(chosen, 1) if chosen else cell.new_zeros(len(u), 0)
    free = torch.ones(len(u), m, dtype=torch.bool).scatter_(1, taken, False)
    order = torch.cat([taken, torch.nonzero(free)[:, 1].view(len(u), m - q)], 1)
    parts, top = [], torch.ones_like(u[:, :1])
    for i in range(q):
        top = top * u[:, 1 + i : 2 + i] ** (1.0 / (m - i))
        parts.append(top)
    x = torch.special.ndtri(torch.cat([*parts, top * u[:, 1 + q :]], 1))
    return torch.empty_like(x).scatter_(1, order, x), order
