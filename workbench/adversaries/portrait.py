"""What a D looks like: draws from it, the ways in which they fail, its likeliest failure."""

from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.distributions import (
    ByContext,
    Distribution,
    Gaussian,
    Mixture,
    Reparameterised,
    Sampleable,
)
from workbench.errors import Unsupported
from workbench.estimators import design_points
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Argmax, Polyhedral

_ALIKE = 0.8  # cosine of two shifts that are one way
_WORTH = 0.01  # share of the failures below which a way is not told


@dataclass(frozen=True, eq=False)
class Gallery:
    """Draws of D, and what M makes of them.

    Args:
        x: `(n, dim)`.
        y: M(x), `(n, outputs)`.
        margin: `(n,)`; C holds where it is above 0.
    """

    x: Tensor
    y: Tensor
    margin: Tensor

    @property
    def failed(self) -> Tensor:
        """Whether C holds, `(n,)`."""
        return self.margin > 0


@dataclass(frozen=True, eq=False)
class Mode:
    """One way to fail.

    Args:
        share: of the failures of D, in [0, 1].
        told: what it is, in a few words.
        mean: of the failing draws that go this way, `(dim,)`.
    """

    share: float
    told: str
    mean: Tensor


@dataclass(frozen=True, eq=False)
class Likeliest:
    """The failure nearest to the centre of D.

    Args:
        x: `(dim,)`.
        distance: of its base noise from 0: that many standard deviations of D.
    """

    x: Tensor
    distance: float


@torch.no_grad()
def gallery(problem: Problem, d: Distribution, n: int, rng: Rng) -> Gallery:
    """Draws of D.

    Raises:
        Unsupported: where D cannot be sampled.
    """
    if not isinstance(d, Sampleable):
        raise Unsupported(f"draws of a {d.name}", "a distribution with samples is needed")
    x = d.sample(n, rng.child("gallery").generator())
    y = problem.answers(x)
    return Gallery(x, y, problem.spec.margin(x, y))


def modes(problem: Problem, d: Distribution, n: int, rng: Rng) -> tuple[Mode, ...]:
    """The ways in which n draws of D fail, the commonest first; none where no draw fails.

    Two failures go the same way where the same clause of C holds most clearly, and, for a mixture
    D, where they belong to parts that were moved the same way (cosine of their shifts above 0.8);
    of a law by context, where the context is the same.
    """
    seen = gallery(problem, d, n, rng)
    x, y = seen.x[seen.failed], seen.y[seen.failed]
    clause, names = _clauses(problem, x, y)
    part = _parts(d, problem.distribution, x)
    ways, which = torch.unique(torch.stack([part, clause], dim=1), dim=0, return_inverse=True)
    several = len(set(ways[:, 0].tolist())) > 1
    kind = "context" if isinstance(d, ByContext) else "part"
    found = []
    for k, (p, c) in enumerate(ways.tolist()):
        share = float((which == k).double().mean())
        if share >= _WORTH:
            told = f"{names[c]}, {kind} {p + 1}" if several else names[c]
            found.append(Mode(share, told, x[which == k].to(y.dtype).mean(0)))
    return tuple(sorted(found, key=lambda mode: -mode.share))


def design_point(problem: Problem, d: Distribution, rng: Rng) -> Likeliest | None:
    """The likeliest failure under D: the nearest to 0 in the base noise of D, at x = G(z*).

    None where the search, by the margin's gradient and then along rays, finds none.

    Raises:
        Unsupported: where D is not made of base noise.
    """
    if not isinstance(d, Reparameterised):
        raise Unsupported(f"the design point under a {d.name}", "base noise is needed")
    posed = problem.vary(distribution=d)
    centre = torch.zeros(1, d.noise_dim, dtype=d.dtype)
    with torch.no_grad():
        if bool(posed.margin_of_noise(centre) > 0):
            return Likeliest(d.push(centre)[0], 0.0)
    z, _ = design_points.nearest(posed, rng.child("design point"), float("inf"))
    return None if z is None else Likeliest(d.push(z[None])[0].detach(), float(z.norm()))


def _clauses(problem: Problem, x: Tensor, y: Tensor) -> tuple[Tensor, list[str]]:
    """Which clause of C holds most clearly at each failure, and what the clauses are called."""
    c = problem.spec
    if not isinstance(c, Polyhedral):
        return torch.zeros(len(x), dtype=torch.long), ["fails"]
    event = c.halfspaces(problem.outputs, y)
    s = y @ event.a.T + event.b
    each = torch.stack([s[:, list(rows)].amin(-1) for rows in event.clauses], dim=-1)
    if isinstance(c, Argmax) and c.event == "loses":
        names = [f"read as {int(event.a[rows[0]].argmax())}" for rows in event.clauses]
    else:
        names = [f"clause {k + 1}" for k in range(len(event.clauses))]
    return each.argmax(1), names if len(names) > 1 else ["fails"]


def _parts(d: Distribution, d0: Distribution, x: Tensor) -> Tensor:
    """Which way the part of a mixture D was moved that each x most likely comes from, `(n,)`."""
    if isinstance(d, ByContext):
        with torch.no_grad():
            return d.log_each(x).argmax(1)
    if not isinstance(d, Mixture) or not isinstance(d0, Gaussian):
        return torch.zeros(len(x), dtype=torch.long)
    shifts = torch.stack([d0.pull(c.mean[None])[0] for c in d.components]).detach()
    unit = shifts / shifts.norm(dim=1, keepdim=True).clamp(min=1e-12)
    alike = unit @ unit.T > _ALIKE
    first = alike.to(torch.int).argmax(1)  # the first part that was moved the same way
    with torch.no_grad():
        each = torch.stack([c.log_prob(x) for c in d.components], dim=-1) + d.log_weights
    own = torch.arange(len(first))
    first = torch.where(alike.any(1), first, own)
    return first[each.argmax(1)]
