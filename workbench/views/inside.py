"""What conditioned propagation did on one problem: its summits, its lines, how its answer settled.

A job for the worker, and the data behind the panel "Inside the network". No interface in here.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.errors import WorkbenchError
from workbench.estimators import Conditioned, Estimate, drawn, lines
from workbench.estimators.by_part import pieces_of
from workbench.estimators.drawn import Lines
from workbench.iteration import Budget, steps
from workbench.math.logspace import LN10, log_sum
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Argmax, Polyhedral
from workbench.views import ladder, ribbon

_POINTS = 40
_REACH = 12.0


@dataclass(frozen=True, eq=False)
class Summit:
    """One dominant direction.

    Args:
        name: what happens there: the rival class, or which clause of C.
        part: its share of P.
        norm: how far it lies from the mean of D, in standard deviations.
        lines: how many were drawn along it.
        mean, direction, point: `(d,)` in x: the mean of D, the way to the summit scaled to 1 at its
            largest entry, and where the line through the mean of D enters C.
    """

    name: str
    part: float
    norm: float
    lines: int
    mean: Tensor
    direction: Tensor
    point: Tensor


@dataclass(frozen=True, eq=False)
class Look:
    """One run of `Conditioned`, finished or not.

    Args:
        summits: the likeliest first.
        shares: `(n,)` of P, one a line, the largest first.
        owners: `(n,)`: which of `summits` each line belongs to.
        counts, log10_p, digits: `(m,)`: the answer from so many of the lines, and the standard
            error in digits that the lines' spread gives it.
        estimate: what the estimator says.
    """

    summits: tuple[Summit, ...]
    shares: Tensor
    owners: Tensor
    counts: Tensor
    log10_p: Tensor
    digits: Tensor
    estimate: Estimate

    @property
    def effective(self) -> float:
        """How many equal lines would rest the answer on as many: (sum s)^2 / sum s^2."""
        square = float(self.shares.square().sum())
        return float(self.shares.sum()) ** 2 / square if square > 0 else 0.0

    @property
    def few(self) -> float:
        """Share of P on the heaviest tenth of the lines."""
        return float(self.shares[: math.ceil(len(self.shares) / 10)].sum())


@torch.no_grad()
def looking(problem: Problem, settings: dict[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    """A job for the worker: the layers, then the look after every step that drew lines.

    Publishes `layers` or `layers_note`, `look` or `look_note`, and `ladder`.
    """
    try:
        yield {"layers": ribbon.layers(problem, seed)}
    except WorkbenchError as error:
        yield {"layers_note": str(error)}
    last: tuple[ladder.Rung, ...] = ()
    try:
        estimator = Conditioned(**settings)
        estimator.check(problem)
        state, latest = estimator.init(problem, Rng(0)), None
        for latest, seen in steps(estimator, problem, state, Budget()):
            estimate = estimator.report(problem, latest, seen.seconds)
            yield {"look": look(problem, latest, estimate)} if len(latest.t) else {}
        if latest is None or not len(latest.t):
            yield {"look_note": "No line was drawn: no direction was found that leads to C."}
        else:
            last = (ladder.rung(ladder.LINES, estimator.report(problem, latest, 0.0)),)
    except WorkbenchError as error:
        yield {"look_note": str(error)}
    found: tuple[ladder.Rung, ...] = ()
    for rung in ladder.rungs(problem):
        found = (*found, rung)
        yield {"ladder": (*found, *last)}


@torch.no_grad()
def look(problem: Problem, state: Lines, estimate: Estimate) -> Look:
    """What a state of `Conditioned` that has drawn lines shows."""
    k = len(state.theta)
    used = torch.stack([(state.owner == i).sum() for i in range(k)])
    each = state.log_weight + drawn.log_means(state)
    total = log_sum(each)
    part = torch.exp(each - total).nan_to_num()
    rank = torch.argsort(part, descending=True)
    place = torch.argsort(rank)
    log_share = state.log_weight[state.owner] + state.log_p - torch.log(used[state.owner]) - total
    shares, order = torch.sort(torch.exp(log_share).nan_to_num(), descending=True)
    counts, log10_p, digits = _settling(state, used)
    return Look(
        tuple(_summit(problem, state, int(i), float(part[i]), int(used[i])) for i in rank),
        shares, place[state.owner[order]], counts, log10_p, digits, estimate,
    )  # fmt: skip


def _settling(state: Lines, used: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The answer from the first lines of every summit, in equal shares of those it has."""
    n = int(used.max())
    shares = torch.unique(
        torch.logspace(math.log10(min(4, n)), math.log10(n), _POINTS, dtype=torch.float64).round()
    )
    shares = shares / n
    counts, terms = torch.zeros_like(shares), []
    for i, mine in enumerate(used.tolist()):  # every summit here has lines of its own
        first = torch.ceil(shares * mine).long().clamp(min=1)
        sums = torch.logcumsumexp(state.log_p[state.owner == i], 0)
        terms.append(state.log_weight[i] + sums[first - 1] - torch.log(first))
        counts = counts + first
    log10_p = log_sum(torch.stack(terms, -1), -1) / LN10
    own = float(drawn.variance_of_mean(state))
    return counts, log10_p, torch.sqrt(own * used.sum() / counts) / LN10


def _summit(problem: Problem, state: Lines, i: int, part: float, used: int) -> Summit:
    own = pieces_of(problem)[int(state.piece[i])][1]
    d, theta = own.distribution, state.theta[i]
    assert isinstance(d, Reparameterised)
    unit = theta / theta.norm()
    start = state.index[i : i + 1].nan_to_num(posinf=float(theta.norm())).clamp(-_REACH, 2 * _REACH)
    cut = lines.crossings(
        own.margin_of_noise, torch.zeros_like(unit)[None], unit, start, float(state.slope[i]),
        (-_REACH, float(start) + _REACH),
    )  # fmt: skip
    t = cut.t[0]
    at = t * unit if bool(torch.isfinite(t)) else state.at[_heaviest(state, i)]
    zero, there, point = d.push(torch.stack([torch.zeros_like(theta), theta, at]))
    way = there - zero
    way = way / way.abs().max().clamp(min=1e-300)
    name = clause_name(problem, int(state.clause[i]))
    return Summit(name, part, float(theta.norm()), used, zero, way, point)


def _heaviest(state: Lines, i: int) -> int:
    return int(torch.argmax(torch.where(state.owner == i, state.log_p, -math.inf)))


def clause_name(problem: Problem, clause: int) -> str:
    """What happens where this clause of C holds."""
    c = problem.spec
    one = torch.zeros(1, dtype=problem.distribution.dtype)
    clauses = c.halfspaces(problem.outputs, one).clauses if isinstance(c, Polyhedral) else ((0,),)
    if isinstance(c, Argmax):
        rivals = [k for k in range(problem.outputs) if k != c.label]
        return f"read as {rivals[clause] if c.event == 'loses' else c.label}"
    return "the catastrophe" if len(clauses) == 1 else f"clause {clause + 1} of C"
