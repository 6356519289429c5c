"""The best reference value that can be had of a problem: independent methods, or an exact one."""

import math
import platform
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import date
from typing import Any

from workbench.distributions import Recognised
from workbench.errors import BadInput, NotConverged, Unsupported
from workbench.estimators import (
    Cubature,
    Enumeration,
    Estimator,
    Importance,
    MonteCarlo,
    Orthant,
    Subset,
)  # fmt: skip
from workbench.estimators.ratio import parts_of
from workbench.estimators.witness import Failures, Witness
from workbench.experiments import modes
from workbench.experiments.attempt import Attempt
from workbench.experiments.evidence import Answer, Evidence
from workbench.experiments.folder import versions
from workbench.iteration import Budget
from workbench.math.logspace import LN10
from workbench.problem import Problem, Truth
from workbench.rng import Rng

RUNS = 4
"""Independent runs of every sampler: their spread checks what each claims."""

DEFAULT_BUDGET = 1_000_000

ORACLES: tuple[Estimator, ...] = (Enumeration(), Orthant(), Cubature())
"""Exact methods, tried first and in this order."""

SAMPLERS: tuple[Estimator, ...] = (
    Importance(),
    Subset(),
    Subset(kernel="elliptical_slice", levels="fixed"),
)
"""What is combined where nothing exact applies; plain Monte Carlo joins where P is large."""

_PILOT_SHARE, _LARGE = 0.05, 20
_EXACT = 1e-3  # relative error from which sampling would do as well
_MANY = 100  # hits from which counting is an answer with an error

Report = Callable[[float, str], None]


def best_truth(
    problem: Problem,
    budget: int = DEFAULT_BUDGET,
    seed: int = 0,
    methods: Sequence[Estimator] | None = None,
    report: Report | None = None,
) -> Truth:
    """A reference value of log10 P, with an error that independent methods have agreed on.

    Where D is recognised and not sampled, it is the ratio of two such values on its base. An exact
    method that serves the problem answers alone. Else several samplers run, each `RUNS`
    times, and their inverse-variance mean is the answer, its error inflated by their disagreement
    (Birge ratio). The provenance says what went into it.

    Args:
        problem: the triple (D, M, C).
        budget: forward passes in all.
        seed: of all random numbers.
        methods: instead of `ORACLES` and `SAMPLERS`; at least two.
        report: told the share of the work that is done, and what is under way.

    Raises:
        NotConverged: where two methods differ by more than 4 standard errors, or fewer than two
            have an answer; the sentence says which modes one of them missed.

    >>> import torch
    >>> import workbench as wb
    >>> D = wb.Gaussian(torch.zeros(3).double(), torch.ones(3).double())
    >>> M = torch.nn.Tanh()
    >>> C = wb.Halfspace(torch.tensor([1.0, 0.0, 0.0]).double(), -0.9)
    >>> truth = best_truth(wb.Problem(D, M, C), 200_000)
    >>> z = (truth.log10_p + 1.1502) / truth.se_log10  # log10 Phi(-atanh 0.9) = -1.1502
    >>> bool(abs(z) < 5)
    True
    """
    if isinstance(problem.distribution, Recognised):
        return _of_parts(problem, budget, seed, methods, report)
    evidence = gather(problem, budget, seed, methods, report)
    return conclude(evidence, problem, budget, seed)


def _of_parts(
    problem: Problem, budget: int, seed: int, methods: Sequence[Estimator] | None,
    report: Report | None,
) -> Truth:  # fmt: skip
    """P(r > 0 and s > 0) / P(r > 0), each a truth on the base, which can be sampled."""
    both, recognised = (
        best_truth(part, max(1, budget // 2), seed + i, methods, report)
        for i, part in enumerate(parts_of(problem))
    )
    told = [
        {"event": what, "log10_p": t.log10_p, "se_log10": t.se_log10, "method": t.method,
         **t.provenance}
        for what, t in (("r > 0 and s > 0", both), ("r > 0", recognised))
    ]  # fmt: skip
    command = f"workbench truth {problem.name} --budget {budget} --seed {seed}"
    return Truth(
        min(0.0, both.log10_p - recognised.log10_p),
        math.hypot(both.se_log10, recognised.se_log10),
        "the ratio of two reference values on the base",
        {"command": command, "made": date.today().isoformat(), "budget": budget, "seed": seed,
         "estimates": told},
        {} if problem.truth is None else problem.truth.gradients,
    )  # fmt: skip


def gather(
    problem: Problem,
    budget: int = DEFAULT_BUDGET,
    seed: int = 0,
    methods: Sequence[Estimator] | None = None,
    report: Report | None = None,
) -> Evidence:
    """What the methods say, agreed or not; arguments as `best_truth`."""
    Budget(budget)
    if methods is not None and len(methods) < 2:
        raise BadInput(f"a truth takes at least two methods that share nothing, got {len(methods)}")
    told = report or (lambda share, label: None)
    for oracle in ORACLES if methods is None else ():
        try:
            return _exact(problem, oracle, budget, seed, told)
        except (Unsupported, NotConverged):
            continue
    chosen = [m for m in (methods or SAMPLERS) if not isinstance(m, MonteCarlo)]
    counting, left = _count(problem, budget, seed, told)
    refused: dict[str, str] = {}
    serving: list[Estimator] = []
    for method in chosen:
        try:
            method.check(problem)
            serving.append(method)
        except Unsupported as error:
            refused[_label(method)] = f"{error.what}: {error.needs}"
    answers: list[Answer] = [counting] if counting.counts else []
    ways, _ = modes.find(problem, Rng(seed).child("modes"))
    each: list[modes.Shares] = []
    for i, method in enumerate(serving):
        done = 1.0 - left / budget * (1.0 - i / len(serving))
        told(done, _label(method))
        answer, found = _sample(problem, method, left // len(serving), seed)
        answers.append(answer)
        shared = modes.shares(answer.method, problem, ways, found)
        if shared is not None:
            each.append(shared)
    told(1.0, "")
    draws = counting.forwards
    return Evidence(
        problem.name,
        tuple(answers),
        hits=round(math.exp(counting.log_p) * draws),
        draws=draws,
        missed=modes.missed(ways, each),
        mode_shares={s.method: dict(zip(ways.names, s.share, strict=True)) for s in each},
        refused=refused,
        families={_label(m): m.name for m in serving},
    )


def conclude(evidence: Evidence, problem: Problem, budget: int, seed: int) -> Truth:
    """The truth that the evidence bears out. Raises `NotConverged` where it bears out none."""
    mean = evidence.combined()
    names = ", ".join(a.method for a in evidence.counted)
    method = (
        f"exact: {names}" if evidence.exact
        else f"inverse-variance mean of independent estimates: {names}"
    )  # fmt: skip
    provenance: dict[str, Any] = {
        "command": f"workbench truth {problem.name} --budget {budget} --seed {seed}",
        "made": date.today().isoformat(),
        "versions": {
            **versions(),
            "python": platform.python_version(),
        },
        "budget": budget,
        "seed": seed,
        "estimates": [_plain(a.row()) for a in evidence.answers],
    }
    if not evidence.exact:
        provenance |= {
            "chi2": mean.chi2, "dof": mean.dof, "birge": mean.birge,
            "plain_draws": evidence.draws, "plain_hits": evidence.hits,
            "modes": evidence.mode_shares, "missed": list(evidence.missed),
            "cautions": list(evidence.cautions),
        }  # fmt: skip
    gradients = {} if problem.truth is None else problem.truth.gradients
    return Truth(min(0.0, mean.log_p / LN10), mean.log_err / LN10, method, provenance, gradients)


def _exact(problem: Problem, oracle: Estimator, budget: int, seed: int, told: Report) -> Evidence:
    told(0.0, oracle.name)
    attempt = Attempt(problem, oracle, Budget(budget), seed)
    attempt.run(lambda share: told(share, oracle.name))
    answer = _answer(oracle, [attempt])
    if answer.doubt or answer.log_err > _EXACT:
        raise NotConverged(f"{oracle.name} has no answer within {budget:,} forwards")
    return Evidence(problem.name, (answer,), exact=True)


def _count(problem: Problem, budget: int, seed: int, told: Report) -> tuple[Answer, int]:
    """Plain Monte Carlo: a pilot, and more where P is large; what is left of the budget."""
    told(0.0, MonteCarlo.name)
    pilot = Attempt(problem, MonteCarlo(), Budget(max(1, int(_PILOT_SHARE * budget))), seed)
    pilot.run()
    answer = _answer(MonteCarlo(), [pilot])
    if math.exp(answer.log_p) * answer.forwards >= _LARGE:
        more = Attempt(problem, MonteCarlo(), Budget(max(1, budget // 4)), seed)
        more.run()  # the same stream from its start, so that the pilot is part of it
        answer = _answer(MonteCarlo(), [more])
    if math.exp(answer.log_p) * answer.forwards < _MANY:
        answer = _answer(MonteCarlo(), [pilot], doubt=f"fewer than {_MANY} hits")
    return answer, max(1, budget - answer.forwards)


def _sample(
    problem: Problem, method: Estimator, budget: int, seed: int
) -> tuple[Answer, list[Failures]]:
    """`RUNS` runs of a sampler, and the failures that they show."""
    attempts: list[Attempt] = []
    found: list[Failures] = []
    for run in range(RUNS):
        attempt = Attempt(problem, method, Budget(max(1, budget // RUNS)), RUNS * seed + run)
        try:
            attempt.run()
        except (NotConverged, Unsupported) as error:
            return _nothing(method, str(error)), found
        attempts.append(attempt)
        if isinstance(method, Witness):
            found.append(method.failures(problem, attempt.state))
    return _answer(method, attempts), found


def _answer(method: Estimator, attempts: Sequence[Attempt], doubt: str = "") -> Answer:
    """Several runs of one method as one answer."""
    estimates = [a.estimate() for a in attempts]
    logs = [float(e.log_p.detach()) for e in estimates]
    warnings = [e.warning for e in estimates if e.warning]
    errors = [math.inf if e.log_err is None else e.log_err for e in estimates]
    top = max(logs)
    log_p, log_err = -math.inf, max(errors)  # an error of P = 0 is finite where that is exact
    if top > -math.inf:
        values = [math.exp(x - top) for x in logs]
        mean = math.fsum(values) / len(values)
        log_p = top + math.log(mean)
        stated = [v * e for v, e in zip(values, errors, strict=True) if v > 0.0]
        claimed = math.sqrt(math.fsum(s * s for s in stated)) / (mean * len(values))
        log_err = max(claimed, _spread(values, mean))
    return Answer(
        _label(method), log_p, log_err,
        tuple(x / LN10 for x in logs), tuple(a.seed for a in attempts),
        sum(e.cost.forwards for e in estimates), math.fsum(e.cost.seconds for e in estimates),
        doubt or (f"its own warning: {warnings[0]}" if warnings else ""),
    )  # fmt: skip


def _spread(values: Sequence[float], mean: float) -> float:
    """Relative standard error of the mean from the spread of the runs; 0 for one run."""
    n = len(values)
    if n < 2:
        return 0.0
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1) / n) / mean


def _nothing(method: Estimator, why: str) -> Answer:
    return Answer(_label(method), -math.inf, math.inf, (), (), 0, 0.0, why)


def _label(method: Estimator) -> str:
    """The name, and the settings that differ from the defaults."""
    changed = [
        f"{f.name}={getattr(method, f.name)}"
        for f in fields(method)  # type: ignore[arg-type]
        if getattr(method, f.name) != f.default
    ]
    return f"{method.name}[{', '.join(changed)}]" if changed else method.name


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """What JSON cannot hold, as text."""

    def text(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        return [text(v) for v in value] if isinstance(value, list) else value

    return {key: text(value) for key, value in row.items()}
