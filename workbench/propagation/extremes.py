"""A polyhedral margin of a vector whose main effects are known."""

import torch
from torch import Tensor

from workbench.math.greatest import greatest
from workbench.propagation.effects import Effects
from workbench.specs import Halfspaces

_LEAST = 1e-24


def margin(h: Effects, event: Halfspaces, rivals: int) -> tuple[Tensor, Tensor]:
    """E[s] `(B,)` and the main effects of s `(B, n, S)`, s = max over clauses of min over rows.

    Of all rows only those count, in every product law, that are likeliest to be the extreme one:
    the `rivals` of greatest mean plus standard deviation.
    """
    a, b = event.a.double(), event.b.double()
    if all(len(c) == 1 for c in event.clauses):
        rows = [c[0] for c in event.clauses]
        found = _greatest(h, a[rows], b[rows], rivals)
    else:
        least = [_least(h, a[list(c)], b[list(c)], rivals) for c in event.clauses]
        found = least[0]
        if len(least) > 1:
            mean, effect = (torch.cat([getattr(e, k) for e in least], -1) for k in _PARTS)
            each = Effects(mean, effect, h.q)
            found = _greatest(each, torch.eye(len(least)).to(mean), mean.new_zeros(1), rivals)
    return found.mean[:, 0], found.effect[..., 0]


_PARTS = ("mean", "effect")


def _least(h: Effects, a: Tensor, b: Tensor, rivals: int) -> Effects:
    found = _greatest(h, -a, -b, rivals)
    return Effects(-found.mean, -found.effect, h.q)


def _greatest(h: Effects, a: Tensor, b: Tensor, rivals: int) -> Effects:
    """max_r a_r . h + b_r by Clark's moments, those of greatest mean first."""
    mean = h.mean @ a.T + b
    if len(a) == 1:
        return Effects(mean, h.effect @ a.T, h.q)
    with torch.no_grad():
        var = (h.q[..., None] * h.effect.square()).sum((1, 2))
        likely = mean + torch.sqrt(var @ a.square().T)
        chosen = likely.topk(min(rivals, len(a)), -1).indices
        order = mean.gather(1, chosen).argsort(-1, descending=True)
        chosen = chosen.gather(1, order)
    flat = h.effect.flatten(1, 2) @ a[chosen].mT
    some = Effects(mean.gather(1, chosen), flat.unflatten(1, h.effect.shape[1:3]), h.q)
    own = some.covariances()
    total = own.sum(1)
    ridge = _LEAST * torch.eye(total.shape[-1]).to(total)
    rough = greatest(some.mean, total + ridge)
    given = greatest(some.given, (total[:, None] - own + ridge)[:, :, None])
    return Effects.of(rough[:, None], given[..., None], h.q)
