"""Attention whose queries, keys and values are sums of what independent tokens do."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.math.divisor import divisor
from workbench.propagation.attention import softmax_average
from workbench.propagation.effects import Effects


@dataclass(frozen=True, eq=False)
class Seen:
    """What a query sees: o positions whose tokens are open, and e whose tokens are given.

    Keys and values of the open ones are given for each of their S tokens; axis k below counts the
    o S of them, position by position, then the e.

    Args:
        mean: `(R, k, c)`.
        effect: `(R, k, o, S, c)`, of the tokens at the open positions; 0 for a position's own.
    """

    mean: Tensor
    effect: Tensor


def attend(query: Effects, keys: Seen, values: Seen, heads: int) -> Effects:
    """The law of softmax(Q K') V of one query `(R, h c)` whose own token is given.

    The token that stands at each open position is summed over exactly, by the integral of
    `softmax_average`; what the tokens at other positions add to scores and values is taken to
    second order: with d the deviation of a score from all scores' weighed mean, its weight is
    multiplied by exp(Var(d) / 2), and Cov(d, v) is added to its value. Given a token x_i = v its
    position is known, scores and values are moved by its effects, and its share of the variances is
    left out.

    Args:
        query: over the o open positions; its effect of the token that a key belongs to adds to that
            key's score.
        keys, values: what is seen.
        heads: that share the last axis.
    """
    q = query.q
    r, o, s = q.shape
    n = o * s
    e = keys.mean.shape[1] - n

    def split(x: Tensor) -> Tensor:
        return x.unflatten(-1, (heads, -1))

    qm, qe = split(query.mean), split(query.effect)  # (R, h, c), (R, o, S, h, c)
    km, ke = split(keys.mean), split(keys.effect)  # (R, k, h, c), (R, k, o, S, h, c)
    vm, ve = split(values.mean), split(values.effect)
    root = math.sqrt(qm.shape[-1])
    none = qe.new_zeros(r, e, *qe.shape[3:])
    asked = (qm[:, None] + torch.cat([qe.flatten(1, 2), none], 1)) / root  # (R, k, h, c)
    own = torch.zeros(n + e, o, dtype=torch.bool, device=q.device)
    own[torch.arange(n), torch.arange(n) // s] = True  # the position that a key stands at
    other = (~own)[None, :, :, None, None]
    score = (asked * km).sum(-1)  # (R, k, h)
    first = torch.einsum("rkhc,rkishc->rkish", asked, ke)
    first = (first + torch.einsum("rishc,rkhc->rkish", qe, km) / root) * other
    both = torch.einsum("rishc,rkishc->rkish", qe, ke) / root * other
    weigh = q[:, None, :, :, None]
    cov = (weigh * both).sum(3)  # (R, k, o, h): Cov(q, k), a share from every position
    log_q = torch.log(q.flatten(1).clamp(min=1e-300))[..., None]
    log_q = torch.cat([log_q, log_q.new_zeros(r, e, 1)], 1)
    share = torch.softmax(log_q + score + cov.sum(2), 1)
    apart = (first - (share[:, :, None, None] * first).sum(1, keepdim=True)) * other
    var = (weigh * apart.square()).sum(3)  # (R, k, o, h)
    calm = 1.0 / (1.0 + var.sum(2))  # no deviation counts as more than 1: of higher order
    var = var * calm[:, :, None]
    apart = apart * torch.sqrt(calm)[:, :, None, None]
    drawn = torch.einsum("ris,rkish,rkishc->rkihc", q, apart, ve)

    # Without a condition, then given each token at each open position.
    extra = cov + 0.5 * var
    base = score + extra.sum(2)
    moved = base[:, :, None, None] + first + both - extra[:, :, :, None]
    logit = torch.cat([base[:, None], moved.flatten(2, 3).movedim(2, 1)], 1)  # (R, 1 + n, k, h)
    value = vm + drawn.sum(2)
    given = value[:, :, None, None] + ve - drawn[:, :, :, None]
    value = torch.cat([value[:, None], given.flatten(2, 3).movedim(2, 1)], 1)
    known = q[:, None].expand(r, 1 + n, o, s).clone()
    at = torch.arange(n, device=q.device)
    known[:, 1 + at, at // s] = 0.0
    known[:, 1 + at, at // s, at % s] = 1.0
    mixed = _mixed(logit.flatten(0, 1), value.flatten(0, 1), known.flatten(0, 1))
    mixed = mixed.unflatten(0, (r, 1 + n)).flatten(2)
    return Effects.of(mixed[:, 0], mixed[:, 1:].unflatten(1, (o, s)), q)


def _mixed(logit: Tensor, value: Tensor, q: Tensor) -> Tensor:
    """E[sum_k a_k v_k] `(R, h, c)` over the open positions' tokens, `logit` `(R, k, h)`."""
    _, o, s = q.shape
    n = o * s
    weight = torch.exp(logit - logit.detach().amax(1, keepdim=True))
    own, rest = weight[:, n:].sum(1), weight[:, n:, :, None] * value[:, n:]
    own_value = rest.sum(1) / divisor(own)[..., None]
    split = (o, s)
    return softmax_average(
        weight[:, :n].unflatten(1, split), value[:, :n].unflatten(1, split), own, own_value, q
    )
