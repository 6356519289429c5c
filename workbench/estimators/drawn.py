"""The state of conditioned propagation: its summits, the lines drawn, and what they say of P."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from workbench.estimators.aim import Aim
from workbench.iteration import State
from workbench.math import pareto
from workbench.math.logspace import log_sum

_EVEN = 1e-6  # nats


@dataclass(frozen=True, kw_only=True)
class Lines(State):
    """The summits of the search, and every line drawn along them."""

    theta: Tensor
    """`(k, d)`: the summits."""
    clause: Tensor
    piece: Tensor
    """`(k,)`: which piece of D each belongs to."""
    log_weight: Tensor
    """`(k,)`: log of the weight of that piece; carries the graph."""
    centre: Tensor
    """`(k, r, d)`, and `(k, r, d, d)`, `(k, r)`: the Gaussians across each direction, see `aim`;
    none until one is worth its cost."""
    root: Tensor
    taken: Tensor
    index: Tensor
    """`(k,)`: Phi(-index) is the mean over the pilot's lines."""
    slope: Tensor
    """`(k,)`: how fast the margin usually rises along a line."""
    plain: Tensor
    """0-d: log P by propagation alone, where that can be had; carries the graph."""
    known: bool = False
    begun: bool = False
    flops: float = 0.0
    """Operations of that propagation."""
    searched: int = 0
    """Pieces of D whose summits are known."""
    pools: int = 0
    """Max poolings of M."""
    propagated: bool = True
    fitted: bool = False
    """Whether the summits and their spread are fitted by gradients, or are to be."""
    usual: float | None = None
    """Variance of a line's share before the fit, inf where no answer was had; None before one."""
    piloted: bool = False
    whole: bool = False
    """Whether all of a line that lies in C is counted, not only what lies beyond a crossing."""
    missed: float = 0.0
    """Share of P that probes say is miscounted, where whole lines would cost too much for that."""
    probing: int = 0
    """Forward passes of those probes."""
    looks: int = 0
    """How often what the lines leave out was looked for."""
    looked: bool = False
    starts: int = 0
    looking: int = 0
    """That looked for it, and the forward passes that it took."""
    tried: Tensor
    """`(m, d)`: unit vectors to what was found so; not looked at again."""
    unlooked: str = ""
    """Why the last look left something out, see `lookout`; else empty."""
    log_hidden: float = -math.inf
    """log of the probability of what was found and is not counted, roughly."""
    scouted: bool = False
    """Whether draws around scouts were asked, where no line tells P; see `fallback`."""
    log_scouted: float = -math.inf
    scouted_digits: float = math.inf
    scouted_doubt: str = ""
    """What they said, how far off that may be, and what is wrong with it."""
    shaped: bool = False
    followed: bool = False
    owner: Tensor
    """`(n,)`: whose line it is."""
    at: Tensor
    """`(n, d)`: where it enters C."""
    t: Tensor
    """`(n,)`: the same along the line."""
    log_f: Tensor
    """`(n,)`: log of its share of P."""
    log_p: Tensor
    """`(n,)`: the same, times its weight."""
    rise: Tensor
    """`(a, d)`: the gradient of log_f across the line, of the first `a` lines."""
    drift: Tensor
    """0-d: 0, with the gradient of log P."""


def only(state: Lines, kept: Tensor) -> Lines:
    """The state of these summits alone."""
    names = ("theta", "clause", "piece", "log_weight", "centre", "root", "taken", "index", "slope")
    return replace(state, **{name: getattr(state, name)[kept] for name in names})


def joined(
    state: Lines, theta: Tensor, clause: Tensor, piece: Tensor, log_weight: Tensor, root: Tensor
) -> Lines:
    """The state with further summits, of which nothing is learned yet.

    Args:
        theta: `(m, d)`.
        clause, piece, log_weight: `(m,)`.
        root: of all summits, `(k + m, r, d, d)`.
    """
    norm = theta.norm(dim=1)
    return replace(
        state,
        theta=torch.cat([state.theta, theta]),
        clause=torch.cat([state.clause, clause]),
        piece=torch.cat([state.piece, piece]),
        log_weight=torch.cat([state.log_weight, log_weight]),
        root=root,
        centre=torch.zeros_like(root[..., 0]),
        taken=torch.zeros_like(root[..., 0, 0]),
        index=torch.cat([state.index, norm]),
        slope=torch.cat([state.slope, torch.ones_like(norm)]),
    )


def afresh(state: Lines) -> Lines:
    """The state of its summits without a line."""
    none = state.index[:0]
    return replace(
        state, owner=state.owner[:0], at=state.at[:0], t=none, log_f=none, log_p=none,
        taken=torch.zeros_like(state.taken), piloted=False,
    )  # fmt: skip


def mates(state: Lines, k: int) -> tuple[Tensor, Tensor, int, int]:
    """Units and indices of the summits of k's piece, k's place among them, the piece."""
    mates = torch.nonzero(state.piece == state.piece[k]).squeeze(1)
    units = state.theta[mates] / state.theta[mates].norm(dim=1, keepdim=True)
    return units, state.index[mates], int((mates < k).sum()), int(state.piece[k])


def aim_of(state: Lines, k: int) -> Aim:
    """How the lines of summit k are laid."""
    return Aim(state.centre[k], state.root[k], state.taken[k])


def unit_of(state: Lines, k: int) -> Tensor:
    """u of the lines of summit k, `(d,)`."""
    return state.theta[k] / state.theta[k].norm()


def start_of(state: Lines, k: int) -> float:
    """Where lines of summit k usually enter C; those that lie in it all along cross nowhere."""
    start = float(state.index[k])
    return start if math.isfinite(start) else float(state.theta[k].norm())


def across(state: Lines, k: int) -> Tensor:
    """w of the lines of summit k, `(m, d)`."""
    own = state.owner == k
    t = state.t[own]
    return state.at[own] - torch.where(torch.isfinite(t), t, 0.0)[:, None] * unit_of(state, k)


def weighed(state: Lines) -> Lines:
    """The state with the weights that its lines have by all Gaussians that laid them."""
    log_p = state.log_f.clone()
    for k in range(len(state.theta)):
        log_p[state.owner == k] += aim_of(state, k).log_weight(across(state, k))
    return replace(state, log_p=log_p)


def log_means(state: Lines) -> Tensor:
    """log of the mean share of P of the lines of every summit, `(k,)`."""
    means = [state.log_p[state.owner == k] for k in range(len(state.theta))]
    if not means:
        return state.index
    return torch.stack([log_sum(m) - math.log(max(1, len(m))) if len(m) else
                        m.new_tensor(-math.inf) for m in means])  # fmt: skip


def log_parts(state: Lines, log_weight: Tensor) -> tuple[Tensor, Tensor]:
    """log of every summit's part of P `(k,)`, and log P, -inf where there is no summit."""
    each = log_weight + log_means(state)
    return each, log_sum(each) if len(each) else each.new_tensor(-math.inf)


def relative_variance(state: Lines) -> Tensor:
    """Variance of one line of every summit, over P^2, `(k,)`."""
    log_w = state.log_weight.detach()
    each, total = log_parts(state, log_w)
    if not bool(torch.isfinite(total)):
        return torch.zeros_like(each)
    own = [torch.exp(state.log_p[state.owner == k] + log_w[k] - total) for k in range(len(each))]
    return torch.stack([x.var(unbiased=False) if len(x) else x.new_zeros(()) for x in own])


def tail_index(state: Lines) -> float:
    """Tail index of the lines' shares of P, 1 where too few differ to tell; see `math.pareto`.

    Lines of one share have none: 0.
    """
    if not len(state.t):
        return 0.0
    used = torch.stack([(state.owner == k).sum() for k in range(len(state.theta))])
    share = state.log_p + state.log_weight.detach()[state.owner] - torch.log(used[state.owner])
    share = share[torch.isfinite(share)]
    if len(share) == 0 or float(share.max() - share.min()) < _EVEN:
        return 0.0
    return min(1.0, pareto.tail_index(share, len(state.t)))


def variance_of_mean(state: Lines) -> Tensor:
    """Var(P-hat) / P^2 by the lines' own spread, 0-d."""
    if not len(state.theta):
        return state.index.new_zeros(())
    used = torch.stack([(state.owner == k).sum() for k in range(len(state.theta))])
    return (relative_variance(state) / used.clamp(min=1)).sum()
