"""Many Gaussian pieces of D at once: their tangents to C, and where lines along those enter it.

Rows of a batch stand for a piece of D and a clause of C. In the noise z ~ N(0, I) of its piece a
row has the margin s(z), the least of its clause's literals; u is the direction, and beta the
distance, in which s meets 0 nearest to the origin.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.distributions import Gaussian, Mixture, Reparameterised
from workbench.errors import Unsupported
from workbench.math.checks import known
from workbench.math.least_distance import nearest
from workbench.math.slope import slope_of
from workbench.specs import Polyhedral

_LONGEST, _FAR = 3.0, 40.0
_TINY, _SWEEPS, _NEAR = 1e-12, 6, 3


@dataclass(frozen=True, eq=False)
class Pieces:
    """D = sum of exp(log_weight_i) N(mean_i, .), x = mean_i + scale_i z.

    Args:
        log_weight: `(n,)`.
        mean: `(n, d)`.
        scale: standard deviations `(n, d)`, or factors `(n, d, d)`.
        through: where D is one piece that is not Gaussian: x of its noise z, mean 0 and scale 1.
    """

    log_weight: Tensor
    mean: Tensor
    scale: Tensor
    through: Callable[[Tensor], Tensor] | None = None

    def push(self, z: Tensor, who: Tensor) -> Tensor:
        """x `(m, d)` for noise z `(m, d)` of the pieces `who` `(m,)`."""
        if self.through is not None:
            return self.through(z)
        scale = self.scale[who]
        moved = z * scale if scale.ndim == 2 else torch.einsum("mij,mj->mi", scale, z)
        return self.mean[who] + moved

    def some(self, who: Tensor) -> "Pieces":
        """The pieces `who` alone, each with the weight that it has."""
        return Pieces(self.log_weight[who], self.mean[who], self.scale[who], self.through)


def pieces_of(d: Reparameterised) -> Pieces:
    """The pieces of a Gaussian or of a mixture of scales of one kind; any other D as one piece."""
    parts = d.components if isinstance(d, Mixture) else (d,)
    gaussians = [p for p in parts if isinstance(p, Gaussian)]
    if len(gaussians) < len(parts) or len({p.scale.ndim for p in gaussians}) > 1:
        z = torch.zeros(1, d.noise_dim, dtype=d.dtype)
        return Pieces(z[0, :1] * 0.0, z, torch.ones_like(z), d.push)
    mean = torch.stack([p.mean for p in gaussians])
    log_weight = d.log_weights if isinstance(d, Mixture) else mean.new_zeros(1)
    return Pieces(log_weight, mean, torch.stack([p.scale for p in gaussians]))


@dataclass(frozen=True, eq=False)
class Event:
    """C as a union of clauses, each of which holds where all its literals are positive.

    Args:
        literals: `(m, r)` from outputs y `(m, k)` and the pieces that they belong to, `(m,)`.
        clauses: `(c, r)`: which literals a clause has.
    """

    literals: Callable[[Tensor, Tensor], Tensor]
    clauses: Tensor

    def margins(self, y: Tensor, who: Tensor) -> Tensor:
        """Of every clause, `(m, c)`."""
        all_of = self.literals(y, who)[:, None].masked_fill(~self.clauses, torch.inf)
        return all_of.amin(-1)


def event_of(spec: Polyhedral, outputs: int, like: Tensor) -> Event:
    """The same C for every piece."""
    half = spec.halfspaces(outputs, like)
    clauses = torch.zeros(len(half.clauses), len(half.b), dtype=torch.bool)
    for row, literals in zip(clauses, half.clauses, strict=True):
        row[list(literals)] = True
    return Event(lambda y, _: y @ half.a.T + half.b, clauses)


def mislabelled(labels: Tensor, outputs: int) -> Event:
    """Every piece has a class of its own, `(n,)`, and C is that it loses to another one."""

    def gaps(y: Tensor, who: Tensor) -> Tensor:
        own = labels[who, None]
        return (y - y.gather(1, own)).scatter(1, own, -torch.inf)

    return Event(gaps, torch.eye(outputs, dtype=torch.bool))


@dataclass(frozen=True, eq=False)
class Tangents:
    """Tangents of the boundary, `rivals` for every piece.

    Args:
        clause: `(n, r)`: the likeliest clauses of each piece.
        unit: u, `(n, r, d)`, into C.
        beta: `(n, r)`: distance of the tangent from the origin, negative where that is in C.
        slope: `(n, r)`: how fast the margin rises along u there.
        rows: passes through M that it took, a gradient counting as two.
    """

    clause: Tensor
    unit: Tensor
    beta: Tensor
    slope: Tensor
    rows: int


class Field:
    """Margins of one clause a row, on a model, pieces and an event."""

    def __init__(self, model: nn.Module, pieces: Pieces, event: Event):
        self.model, self.pieces, self.event = model, pieces, event
        self.members = _members(event.clauses)

    def margin(self, z: Tensor, who: Tensor, clause: Tensor) -> Tensor:
        """`(m,)` for noise z `(m, d)` of pieces `who` and clauses `clause`, each `(m,)`."""
        y = self.model(self.pieces.push(z, who))
        return known(self.event.margins(y, who).gather(1, clause[:, None])[:, 0])

    def sloped(self, z: Tensor, who: Tensor, clause: Tensor) -> tuple[Tensor, Tensor]:
        """Literals of each row's clause `(m, l)` and their gradients in z `(m, l, d)`, without M's
        graph; a clause with fewer than l literals repeats one."""
        members = self.members[clause]
        many = members.shape[1]
        with torch.enable_grad():
            z = z.detach().repeat_interleave(many, 0).requires_grad_()
            who = who.repeat_interleave(many)
            y = self.model(self.pieces.push(z, who))
            s = known(self.event.literals(y, who).gather(1, members.reshape(-1, 1))[:, 0])
            slope = slope_of(s, z)
        if slope is None:
            raise Unsupported(
                f"a margin through {type(self.model).__name__}, which has no gradient in the noise "
                "of D",
                "tangents are searched along it",
            )
        return s.detach().reshape(-1, many), slope.reshape(-1, many, z.shape[1])

    def tangents(self, rivals: int, steps: int) -> Tangents:
        """Search by `steps` moves to the nearest root of the linearised literals (Hasofer & Lind
        1974), from the origin, of the `rivals` clauses that are nearest as seen from there."""
        n, d = self.pieces.mean.shape
        c, many = self.members.shape
        who = torch.arange(n).repeat_interleave(c)
        clause = torch.arange(c).repeat(n)
        z = self.pieces.mean.new_zeros(n * c, d)
        s, slope, spent = *self.sloped(z, who, clause), 3 * many * n * c
        unit, beta, steep = _tangent(s, slope, z)
        r = min(rivals, c)
        if r < c:
            near = beta.reshape(n, c).topk(r, largest=False, sorted=True).indices
            kept = (torch.arange(n)[:, None] * c + near).flatten()
            who, clause = who[kept], clause[kept]
            unit, beta, steep = unit[kept], beta[kept], steep[kept]
        for _ in range(steps):
            z = beta[:, None] * unit
            s, slope = self.sloped(z, who, clause)
            unit, beta, steep = _tangent(s, slope, z)
            spent += 3 * many * len(z)
        shape = (n, r)
        return Tangents(
            clause.reshape(shape), unit.reshape(n, r, d), beta.reshape(shape),
            steep.reshape(shape), spent,
        )  # fmt: skip

    @torch.no_grad()
    def cross(self, found: Tangents, nodes: Tensor, secants: int) -> "Lines":
        """Where the lines w + t u enter C, w from `nodes` `(q, d)` across u, by secants."""
        n, r, d = found.unit.shape
        q = len(nodes)
        unit = found.unit[:, :, None].expand(n, r, q, d).reshape(-1, d)
        w = nodes.repeat(n * r, 1)
        w = w - (w * unit).sum(1, keepdim=True) * unit
        who = torch.arange(n).repeat_interleave(r * q)
        clause, steep, t = (
            v.flatten().repeat_interleave(q) for v in (found.clause, found.slope, found.beta)
        )
        before, last = t, None
        for _ in range(secants):
            s = self.margin(w + t[:, None] * unit, who, clause)
            rise = steep
            if last is not None:
                seen = (s - last) / (t - before)
                rise = torch.where((t != before) & (seen > 0.1 * steep), seen, steep)
            before, last = t, s
            t = t - (s / rise.clamp(min=_TINY)).clamp(-_LONGEST, _LONGEST)
        return Lines(who, clause, unit, w, t, secants * len(t))


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines w + t u of pieces and clauses, q by q, and where they enter C: t `(n r q,)`."""

    who: Tensor
    clause: Tensor
    unit: Tensor
    w: Tensor
    t: Tensor
    rows: int


def _members(clauses: Tensor) -> Tensor:
    """Which literals each clause has, `(c, l)`; shorter clauses repeat their first one."""
    rows = [torch.nonzero(row).squeeze(1) for row in clauses]
    most = max(len(row) for row in rows)
    return torch.stack([torch.cat([row, row[:1].expand(most - len(row))]) for row in rows])


def _tangent(s: Tensor, slope: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The nearest point to the origin at which all linearised literals are positive: its direction
    `(m, d)`, its distance `(m,)`, and how fast the margin rises along that.

    Where the origin is there itself, the nearest point at which one of them is 0, and minus its
    distance.
    """
    length = slope.norm(dim=2).clamp(min=_TINY)
    offset = (s - torch.einsum("mld,md->ml", slope, z)) / length
    offset = torch.where(torch.isfinite(offset), offset, -_FAR).clamp(min=-_FAR)
    normal = slope / length[..., None]
    least, which = offset.min(1)
    rows = torch.arange(len(s))
    unit, beta, steep = normal[rows, which], -least, length[rows, which]
    if s.shape[1] == 1:
        return unit, beta.clamp(-_FAR, _FAR), steep
    low = offset.topk(min(_NEAR, s.shape[1]), largest=False, sorted=False).indices
    wide = low[..., None].expand(*low.shape, z.shape[1])
    point = nearest(normal.gather(1, wide), offset.gather(1, low), _SWEEPS, _FAR)
    far = point.norm(dim=1)
    outside = far > _TINY
    unit = torch.where(outside[:, None], point / far.clamp(min=_TINY)[:, None], unit)
    rise = torch.einsum("mld,md->ml", slope, unit)[rows, which]
    steep = torch.where(outside & (rise > 0), rise, steep)
    return unit, torch.where(outside, far, beta).clamp(-_FAR, _FAR), steep
