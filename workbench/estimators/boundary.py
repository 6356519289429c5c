"""What lines tell by how they enter C: where to lay more of them, and the gradient of P."""

from dataclasses import replace

import torch
from torch import Tensor

from workbench.estimators import aim, drawn, lines
from workbench.estimators.drawn import Lines
from workbench.problem import Problem


@torch.no_grad()
def learned(pieces: list[tuple[Tensor, Problem]], state: Lines, spare: int) -> Lines:
    """A Gaussian more across each direction, by how the lines so far enter C.

    The state itself where lines keep the spread of D, where M has no gradient, or where it would
    leave less than `spare` forward passes.
    """
    seen = len(state.rise)
    new = len(state.t) - seen
    if not state.root.shape[1] or state.left < 3 * new + spare:
        return state
    fresh = state.at.new_zeros(new, state.at.shape[1])
    for k in range(len(state.theta)):
        own = (state.owner[seen:] == k) & torch.isfinite(state.t[seen:])
        units, _, mine, piece = drawn.mates(state, k)
        follow = lines.follow(pieces[piece][1].margin_of_noise, state.at[seen:][own], units[mine])
        if follow is None:
            return state
        fresh[own] = lines.rise(state.t[seen:][own], follow.slope, units[mine])
    state = replace(state, rise=torch.cat([state.rise, fresh]), forwards=state.forwards + 3 * new)
    laid = []
    for k in range(len(state.theta)):
        known = (state.owner == k) & torch.isfinite(state.t)
        unit = drawn.unit_of(state, k)
        w = drawn.across(state, k)[torch.isfinite(state.t[state.owner == k])]
        laid.append(aim.learned(
            w, state.rise[known], state.log_p[known], unit, state.root[k, 0]
        ) if len(w) else (state.centre[k, -1], state.root[k, -1]))  # fmt: skip
    centre, root = (torch.stack(x)[:, None] for x in zip(*laid, strict=True))
    return replace(
        state,
        centre=torch.cat([state.centre, centre], 1),
        root=torch.cat([state.root, root], 1),
        taken=torch.cat([state.taken, torch.zeros_like(state.taken[:, :1])], 1),
    )


def drift(pieces: list[tuple[Tensor, Problem]], state: Lines) -> Tensor:
    """0 with the gradient of log P: every crossing follows the boundary of C."""
    log_w = state.log_weight.detach()
    each, total = drawn.log_parts(state, log_w)
    sum_ = state.drift
    for k in range(len(each)):
        units, index, mine, piece = drawn.mates(state, k)
        own = (state.owner == k) & torch.isfinite(state.t)
        if not bool(own.any()):
            continue
        used = int((state.owner == k).sum())
        log_p, t, z = state.log_p[own], state.t[own], state.at[own]
        follow = lines.follow(pieces[piece][1].margin_of_noise, z, units[mine])
        if follow is None:
            continue
        # d log P = -sum over lines of phi(t*) r_k(z*) dt* weight / P.
        weight = log_p - state.log_f[own]
        rate = lines.log_density_at(t, z, units, index, mine) + weight
        part = torch.exp(rate + log_w[k] - total) / used
        if len(each) == 1:
            part = part * lines.calibration(torch.exp(log_p - log_p.max()), t, z, follow.slope,
                                            units[mine])  # fmt: skip
        sum_ = sum_ - (part * (follow.move - follow.move.detach())).sum()
    return sum_
