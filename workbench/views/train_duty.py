"""What the Train screen shows of a defender on a duty."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from workbench.adversaries.families import at
from workbench.distributions import Distribution, Gaussian
from workbench.experiments import Row, Run
from workbench.problem import Problem
from workbench.training import Defender, Duty
from workbench.views import train_looks, train_plots, train_words
from workbench.views.style import Figure
from workbench.views.train_telling import Telling


class DutyTelling(Telling):
    """Estimates beside the referee's samplers, the score of the task, adversaries by step."""

    met_title = "Adversaries so far"

    def told(self, run: Run) -> dict[str, Any]:
        """Besides the name: N, what the score is called, the target, whether D is searched."""
        duty: Duty = run.subject.problem
        return {
            "problem": duty.problem.name,
            "about": duty.problem.about,
            "examples": duty.task.size,
            "measure": duty.task.measure,
            "target": run.subject.iteration.target,
            "adversary": getattr(run.subject.iteration, "adversary", None) is not None,
        }

    def weights(self, run: Run) -> Tensor:
        """As the last step left them."""
        return run.subject.state.theta

    def met(self, run: Run, before: Tensor | None) -> tuple[dict[str, Any], ...]:
        """The step at which each adversary was met, its nats, log10 P under it then by the estimate
        that was followed, and now by covariance propagation."""
        state = run.subject.state
        problem = _present(run.subject.problem, state.theta)
        then = {int(row[0]): float(row[4]) for row in state.rows}
        found = []
        for step, law in _laws(run):
            now, met = train_looks.log10_p(problem, law), then.get(step, math.nan)
            found.append({
                "step": step, "nats": _nats(law, problem.distribution),
                "then": None if math.isnan(met) else met, "now": now,
            })  # fmt: skip
        return tuple(found)

    def picture(self, run: Run, before: Tensor | None) -> Any:
        """By what its inputs are, or a duty's own."""
        duty, state = run.subject.problem, run.subject.state
        now = _present(duty, state.theta)
        then = None if before is None else _present(duty, before)
        return train_looks.look(duty, now, then, _laws(run))

    def sentence(self, rows: Sequence[Row], found: Mapping[str, Any]) -> str:
        return train_words.sentence(rows, *_measured(found))

    def mark(self, rows: Sequence[Row]) -> str:
        """Whether the estimate was exploited."""
        return train_words.exploited(rows)

    def danger(
        self, rows: Sequence[Row], before: Sequence[Row], found: Mapping[str, Any], dark: bool,
        height: int,
    ) -> Figure:  # fmt: skip
        _, examples = _measured(found)
        return train_plots.danger(rows, before, examples, found.get("target"), dark, height)

    def task(
        self, rows: Sequence[Row], before: Sequence[Row], found: Mapping[str, Any], dark: bool,
        height: int,
    ) -> Figure:  # fmt: skip
        measure, _ = _measured(found)
        return train_plots.task(rows, before, measure, dark, height)

    def ledger(self, found: Mapping[str, Any]) -> str:
        return train_words.ledger(found.get("met", ()), found.get("adversary", True))


def _measured(found: Mapping[str, Any]) -> tuple[str, int]:
    """What the score is called, and N; before anything is known, too."""
    return found.get("measure", "score"), found.get("examples", 0)


def _present(duty: Duty, theta: Tensor) -> Problem:
    """The problem with these weights, in a model of its own."""
    made = duty.fresh()
    made.put(theta)
    return made.problem


def _laws(run: Run) -> list[tuple[int, Distribution]]:
    """Every adversary's step and D."""
    defender, state, duty = run.subject.iteration, run.subject.state, run.subject.problem
    if not isinstance(defender, Defender) or defender.adversary is None or not len(state.met):
        return []
    d = duty.problem.distribution
    none = torch.zeros(0, d.noise_dim, dtype=d.dtype)
    module = defender.adversary.family.module(d, state.rng.child("start", 0), none)
    return [(int(row[0]), at(module, row[1:])) for row in state.met]


def _nats(law: Distribution, reference: Distribution) -> float | None:
    """KL(D || D0) of two Gaussians."""
    if not (isinstance(law, Gaussian) and isinstance(reference, Gaussian)):
        return None
    own, base = (
        torch.distributions.MultivariateNormal(g.mean, scale_tril=train_looks.factor(g))
        for g in (law, reference)
    )
    return float(torch.distributions.kl_divergence(own, base))
