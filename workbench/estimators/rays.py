"""Where rays from the centre of a factor of D run inside C.

Along a ray x(t) = offset + t A u, 0 <= t <= end, C holds on finitely many intervals. Where M is
piecewise linear (affine maps and ReLUs) and C polyhedral they are exact: layer by layer the ray is
cut where a pre-activation changes sign, and between cuts every margin of a half-space is linear.
Otherwise signs are read off a grid and their changes refined by bisection; an interval that fits
between two grid points is not seen.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.errors import Unsupported
from workbench.graph.rules import Affine, Pointwise
from workbench.problem import Problem
from workbench.specs import Polyhedral

_CHUNK = 1 << 16  # points a forward pass
_BISECTIONS = 60


class OutOfForwards(Exception):
    """The budget does not hold the next forward pass."""


@dataclass
class Meter:
    """Forward passes spent, and how many may be."""

    most: float
    spent: int = 0

    def pay(self, points: int) -> None:
        """Raises `OutOfForwards` where they do not fit."""
        if self.spent + points > self.most:
            raise OutOfForwards
        self.spent += points


@dataclass(frozen=True, eq=False)
class Runs:
    """Where l rays are in C: from `low` to `high`, each `(l, k)`; empty where they are equal."""

    low: Tensor
    high: Tensor


Push = Callable[[Tensor], Tensor]
"""x `(n, d)` from places `(n, k)` in the coordinates of the rays."""


def piecewise_linear(problem: Problem) -> bool:
    """Whether cuts can be exact: M of affine maps and ReLUs, C polyhedral."""
    if not isinstance(problem.spec, Polyhedral):
        return False
    try:
        rules = problem.graph.rules(problem.distribution.dim)
        problem.spec.halfspaces(problem.outputs, torch.zeros(1, dtype=problem.distribution.dtype))
    except Unsupported:
        return False
    return all(
        isinstance(rule, Affine) or (isinstance(rule, Pointwise) and rule.row.name == "relu")
        for rule in rules
    )


@torch.no_grad()
def exact(problem: Problem, push: Push, unit: Tensor, end: Tensor, meter: Meter) -> Runs:
    """Runs of the rays along `unit` `(l, k)` up to `end` `(l,)`, exact to rounding.

    `push` must be affine.

    Raises:
        OutOfForwards: where `meter` runs out.
    """
    nodes = problem.graph.nodes
    rules = problem.graph.rules(problem.distribution.dim)
    t = torch.stack([torch.zeros_like(end), end], dim=1)
    for i, rule in enumerate(rules, start=1):
        if isinstance(rule, Pointwise):
            before = _values(problem, push, unit, t, meter, nodes[i].inputs[0])
            t = _cut(t, before)
    spec = problem.spec
    assert isinstance(spec, Polyhedral)
    y = _values(problem, push, unit, t, meter, len(nodes) - 1)
    event = spec.halfspaces(problem.outputs, y)
    literals = y @ event.a.T + event.b
    cut = _cut(t, literals)
    # Linear in between, so that the middle of a piece has the mean of its ends.
    middle = _interpolate(t, literals, 0.5 * (cut[:, 1:] + cut[:, :-1]))
    margins = [middle[..., list(clause)].amin(-1) for clause in event.clauses]
    inside = torch.stack(margins, dim=-1).amax(-1) > 0
    return Runs(cut[:, :-1], torch.where(inside, cut[:, 1:], cut[:, :-1]))


@torch.no_grad()
def on_grid(
    problem: Problem, push: Push, unit: Tensor, end: Tensor, points: int, meter: Meter
) -> Runs:
    """Runs of the rays along `unit` `(l, k)` up to `end` `(l,)`, of signs at `points` places.

    Raises:
        OutOfForwards: where `meter` runs out.
    """
    share = torch.linspace(0.0, 1.0, points, dtype=end.dtype)
    t = end[:, None] * share
    inside = _margins(problem, push, unit, t, meter) > 0
    ray, k = torch.nonzero(inside[:, 1:] != inside[:, :-1], as_tuple=True)
    low, high, rising = t[ray, k], t[ray, k + 1], inside[ray, k + 1]
    for _ in range(_BISECTIONS if len(ray) else 0):
        middle = 0.5 * (low + high)
        if bool(((middle == low) | (middle == high)).all()):
            break
        beyond = (_margins(problem, push, unit[ray], middle[:, None], meter)[:, 0] > 0) == rising
        low, high = torch.where(beyond, low, middle), torch.where(beyond, middle, high)
    # On a piece without a change C holds throughout or nowhere; else from or up to the change.
    start, stop = t[:, :-1].clone(), torch.where(inside[:, :-1], t[:, 1:], t[:, :-1])
    start[ray[rising], k[rising]] = high[rising]
    stop[ray[rising], k[rising]] = t[ray[rising], k[rising] + 1]
    stop[ray[~rising], k[~rising]] = low[~rising]
    return Runs(start, stop)


def _values(
    problem: Problem, push: Push, unit: Tensor, t: Tensor, meter: Meter, node: int
) -> Tensor:
    """Value of a node of M at every cut, `(l, k, n)`."""
    graph = problem.graph
    needed = _ancestors(graph.nodes, node)

    def at(x: Tensor) -> Tensor:
        values: dict[int, Tensor] = {0: x}
        for i in needed[1:]:
            values[i] = graph.nodes[i].op(*(values[j] for j in graph.nodes[i].inputs))
        return values[node].flatten(1)

    return _along(at, push, unit, t, meter)


def _ancestors(nodes: tuple, node: int) -> list[int]:
    """The nodes that one depends on, in order, itself included, the input first."""
    found, todo = {0}, [node]
    while todo:
        i = todo.pop()
        if i not in found:
            found.add(i)
            todo += nodes[i].inputs
    return sorted(found)


def _margins(problem: Problem, push: Push, unit: Tensor, t: Tensor, meter: Meter) -> Tensor:
    return _along(lambda x: problem.margin(x)[:, None], push, unit, t, meter)[..., 0]


def _along(
    f: Callable[[Tensor], Tensor], push: Push, unit: Tensor, t: Tensor, meter: Meter
) -> Tensor:
    """f `(n, d) -> (n, m)` at every place t along the rays, `(l, k, m)`."""
    places = (t[..., None] * unit[:, None, :]).flatten(0, 1)
    parts = []
    for part in places.split(_CHUNK):
        meter.pay(len(part))
        parts.append(f(push(part)))
    return torch.cat(parts).unflatten(0, t.shape)


def _cut(t: Tensor, values: Tensor) -> Tensor:
    """t with a cut wherever a value that is linear between cuts changes sign, `(l, k')`.

    Rays with fewer cuts than others have their end several times.
    """
    a, b = values[:, :-1], values[:, 1:]
    changes = (a < 0) & (b > 0) | (a > 0) & (b < 0)
    share = torch.where(changes, a / torch.where(changes, a - b, 1.0), 0.0)
    step = t[:, 1:] - t[:, :-1]
    at = t[:, :-1, None] + share * step[..., None]
    new = torch.where(changes, at, torch.inf).flatten(1)
    most = int(changes.flatten(1).sum(1).max())
    # The smallest ones, which are the finite ones.
    new = torch.topk(new, most, dim=1, largest=False).values if most else new[:, :0]
    both = torch.minimum(torch.cat([t, new], dim=1), t[:, -1:])
    return torch.sort(both, dim=1).values


def _interpolate(t: Tensor, values: Tensor, at: Tensor) -> Tensor:
    """Values, linear between the cuts t, at other places, `(l, m, n)`."""
    right = torch.searchsorted(t.contiguous(), at.contiguous()).clamp(1, t.shape[1] - 1)
    t0, t1 = t.gather(1, right - 1), t.gather(1, right)
    width = torch.where(t1 > t0, t1 - t0, 1.0)
    share = torch.where(t1 > t0, (at - t0) / width, 0.0)[..., None]
    index = right[..., None].expand(-1, -1, values.shape[-1])
    return values.gather(1, index - 1) * (1.0 - share) + values.gather(1, index) * share
