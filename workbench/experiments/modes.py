"""Which way of failing a failure belongs to, and which ways a sampler has missed."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.errors import Unsupported
from workbench.estimators import design_points
from workbench.estimators.witness import Failures
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Argmax

_MOST = 16
_TELLING = 0.05  # share of the failures below which a mode is not worth a sentence
_EXPECTED = 20.0  # draws that a sampler should have had there before it is said to miss it
_MISSED = 0.1


@dataclass(frozen=True, eq=False)
class Modes:
    """Ways of failing: the clauses of C, or, where it has one, the design points of its boundary.

    Attributes:
        names: of the modes.
        centres: `(k, noise_dim)` design points, or None where modes are clauses.
    """

    names: tuple[str, ...]
    centres: Tensor | None = None

    @torch.no_grad()
    def label(self, problem: Problem, z: Tensor) -> Tensor:
        """The mode `(n,)` of every failure `z` `(n, noise_dim)`: its likeliest clause or centre."""
        if self.centres is None:
            return torch.argmax(design_points.clause_margins(problem, z), dim=1)
        return torch.argmin(torch.cdist(z, self.centres), dim=1)


@dataclass(frozen=True)
class Shares:
    """How one method's failures are shared out among the modes.

    Attributes:
        method: whose.
        share: of every mode, summing to 1.
        effective: draws that the shares rest on, (sum w)^2 / sum w^2.
    """

    method: str
    share: tuple[float, ...]
    effective: float


def find(problem: Problem, rng: Rng) -> tuple[Modes, int]:
    """The modes of a problem, and the forwards that it took to find them.

    A search that finds no design point leaves one mode.
    """
    one = Modes(("all failures",))
    if not isinstance(problem.distribution, Reparameterised):
        return one, 0
    points = design_points.start(problem, rng)
    with torch.no_grad():
        clauses = design_points.clause_margins(problem, points.at).shape[1]
    if clauses > 1:
        return Modes(_clause_names(problem, clauses)), len(points.at)
    spent = len(points.at)
    try:
        for k in range(design_points.STEPS):
            points = design_points.advance(problem, points, k)
            spent += 2 * len(points.at)
    except Unsupported:  # a margin without gradient
        return one, spent
    centres, beta = design_points.distinct(points, _MOST)
    if not len(centres):
        return one, spent
    names = tuple(f"design point {k} at {float(b):.2f}" for k, b in enumerate(beta))
    return Modes(names, centres), spent


def shares(method: str, problem: Problem, modes: Modes, found: Sequence[Failures]) -> Shares | None:
    """The modes of the failures of several runs, every run weighing the same; None without any."""
    total, squares = torch.zeros(len(modes.names), dtype=torch.float64), 0.0
    runs = [f for f in found if len(f.noise)]
    for failures in runs:
        weight = torch.softmax(failures.log_w.double(), dim=0) / len(runs)
        labels = modes.label(problem, failures.noise) if len(modes.names) > 1 else None
        index = torch.zeros(len(weight), dtype=torch.long) if labels is None else labels
        total.index_add_(0, index, weight)
        squares += float(weight.square().sum())
    return Shares(method, tuple(total.tolist()), 1.0 / squares) if runs else None


def missed(modes: Modes, each: Sequence[Shares]) -> tuple[str, ...]:
    """One sentence for every mode that a method missed though another lives in it.

    A mode is missed where the method has less than a tenth of the largest share that another gives
    it, that share is 5% or more, and 20 of the method's effective draws should have been there.
    """
    said = []
    for k, name in enumerate(modes.names):
        for mine in each:
            best = max((o for o in each if o is not mine), key=lambda o: o.share[k], default=None)
            if best is None or best.share[k] < _TELLING:
                continue
            if mine.share[k] < _MISSED * best.share[k] and (
                best.share[k] * min(mine.effective, best.effective) >= _EXPECTED
            ):
                saw = f"{mine.share[k]:.1%}" if mine.share[k] else "none"
                said.append(
                    f"{mine.method} missed {name}: it has {saw} of its failures there, "
                    f"{best.method} {best.share[k]:.0%}"
                )
    return tuple(said)


def _clause_names(problem: Problem, clauses: int) -> tuple[str, ...]:
    spec = problem.spec
    if isinstance(spec, Argmax):
        rivals = [k for k in range(problem.outputs) if k != spec.label]
        return tuple(f"class {k}" for k in rivals)
    return tuple(f"clause {k}" for k in range(clauses))
