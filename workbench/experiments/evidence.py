"""What independent methods say of one probability, and whether they may be believed together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from workbench.errors import NotConverged
from workbench.estimators.monte_carlo import clopper_pearson
from workbench.math.logspace import LN10, to_log10
from workbench.numbers import several

SIGMAS = 4.0
"""Standard errors by which two methods may differ."""

_LEVEL = math.erf(SIGMAS / math.sqrt(2.0))


@dataclass(frozen=True)
class Answer:
    """What one method says, from several runs of it.

    Attributes:
        method: its name and the settings that differ from the defaults.
        log_p: log of the mean of its P-hat, in nats.
        log_err: standard error of that: the larger of what the runs claim and how they spread.
        log10_runs: log10 P-hat of every run.
        seeds: of the runs.
        forwards: spent in all.
        seconds: spent in all.
        doubt: why it does not count, in one sentence; else empty.
    """

    method: str
    log_p: float
    log_err: float
    log10_runs: tuple[float, ...]
    seeds: tuple[int, ...]
    forwards: int
    seconds: float
    doubt: str = ""

    @property
    def counts(self) -> bool:
        """Whether it may enter a mean."""
        return not self.doubt and math.isfinite(self.log_p) and math.isfinite(self.log_err)

    def row(self) -> dict[str, Any]:
        """As plain numbers, logs to base 10."""
        return {
            "method": self.method,
            "log10_p": to_log10(self.log_p),
            "log10_err": self.log_err / LN10,
            "runs": list(self.log10_runs),
            "seeds": list(self.seeds),
            "forwards": self.forwards,
            "seconds": round(self.seconds, 3),
            "doubt": self.doubt,
        }


@dataclass(frozen=True)
class Combined:
    """The inverse-variance mean of answers that agree, in nats.

    Attributes:
        log_p: the mean.
        log_err: its standard error, inflated by `birge`.
        chi2: sum of squared deviations over squared errors.
        dof: answers less one.
        birge: max(1, sqrt(chi2 / dof)).
    """

    log_p: float
    log_err: float
    chi2: float
    dof: int
    birge: float


@dataclass(frozen=True)
class Evidence:
    """Answers of independent methods on one problem.

    Attributes:
        problem: its name.
        answers: one a method; the exact one alone, where there is one.
        exact: whether that is so.
        hits, draws: of plain Monte Carlo.
        missed: one sentence a mode that a method missed.
        mode_shares: for every method that shows its failures, the share of each mode.
        refused: methods that cannot serve the problem, and why.
        families: of every method, what it shares with those of the same family.
    """

    problem: str
    answers: tuple[Answer, ...]
    exact: bool = False
    hits: int = 0
    draws: int = 0
    missed: tuple[str, ...] = ()
    mode_shares: dict[str, dict[str, float]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    families: dict[str, str] = field(default_factory=dict)

    @property
    def cautions(self) -> tuple[str, ...]:
        """What the agreement of the methods does not exclude, one sentence each."""
        kin = {self.families.get(a.method, a.method) for a in self.counted}
        if self.exact or len(self.counted) < 2 or len(kin) > 1:
            return ()
        return (
            f"all that counts is {kin.pop()}: what misleads it in every variant is not excluded",
        )

    @property
    def counted(self) -> tuple[Answer, ...]:
        """The answers that enter the mean."""
        return tuple(a for a in self.answers if a.counts)

    def combined(self) -> Combined:
        """The answer of all.

        Raises:
            NotConverged: where fewer than two methods have an answer, none of them exact, or where
                two that do differ by more than 4 standard errors; the sentence names modes missed.
        """
        if self.exact:
            only = self.answers[0]
            return Combined(only.log_p, only.log_err, 0.0, 0, 1.0)
        counted = self.counted
        if len(counted) < 2:
            raise NotConverged(self._too_few())
        self._check_agreement()
        return inverse_variance_mean(counted)

    def _check_agreement(self) -> None:
        worst, pair = 0.0, None
        for a, b in combinations(self.counted, 2):
            gap = disagreement(a, b)
            if gap > worst:
                worst, pair = gap, (a, b)
        if pair is not None and worst > SIGMAS:
            a, b = pair
            self._refuse(
                f"{a.method} ({_power(a)}) and {b.method} ({_power(b)}) differ by "
                f"{worst:.1f} standard errors"
            )
        if self.draws:
            low, high = clopper_pearson(self.hits, self.draws, _LEVEL)
            for a in self.counted:
                slack = SIGMAS * a.log_err
                if a.log_p - slack > high or a.log_p + slack < low:
                    self._refuse(
                        f"{a.method} says {_power(a)}, but {self.hits:,} of {self.draws:,} plain "
                        f"draws fail, which puts P between 10^{low / LN10:.3g} and "
                        f"10^{high / LN10:.3g}"
                    )

    def _refuse(self, why: str) -> None:
        modes = "; ".join(self.missed) or "no mode that one sees is missing in another"
        raise NotConverged(f"{self.problem}: no truth, {why}; {modes}")

    def _too_few(self) -> str:
        counted = ", ".join(a.method for a in self.counted)
        whose = f"only {counted}" if counted else "none"
        doubts = "; ".join(f"{a.method}: {_why_not(a)}" for a in self.answers if not a.counts)
        return (
            f"{self.problem}: no truth, {whose} of {several(len(self.answers), 'method')} has an "
            "answer "
            f"with an error, and it takes two that share nothing ({doubts or 'no others ran'}); "
            "try a larger budget"
        )


def disagreement(a: Answer, b: Answer) -> float:
    """Standard errors between two answers.

    >>> a = Answer("a", -10.0, 0.03, (), (), 0, 0.0)
    >>> b = Answer("b", -10.25, 0.04, (), (), 0, 0.0)
    >>> round(disagreement(a, b), 9)
    5.0
    """
    if a.log_p == b.log_p:
        return 0.0
    return abs(a.log_p - b.log_p) / max(math.hypot(a.log_err, b.log_err), 1e-300)


def inverse_variance_mean(answers: Sequence[Answer]) -> Combined:
    """Mean of log P by inverse variance, its error times the Birge ratio (Birge 1932).

    The weights are 1 / (standard error of log P)^2, at least 1e-6 each: an answer whose relative
    error is known better than that is not what a sampler has.
    """
    weights = [1.0 / max(a.log_err, 1e-6) ** 2 for a in answers]
    total = math.fsum(weights)
    mean = math.fsum(w * a.log_p for w, a in zip(weights, answers, strict=True)) / total
    chi2 = math.fsum(w * (a.log_p - mean) ** 2 for w, a in zip(weights, answers, strict=True))
    dof = len(answers) - 1
    birge = max(1.0, math.sqrt(chi2 / dof)) if dof else 1.0
    return Combined(mean, birge / math.sqrt(total), chi2, dof, birge)


def _power(a: Answer) -> str:
    return f"10^{to_log10(a.log_p):.3f} +- {a.log_err / LN10:.2g} digits"


def _why_not(a: Answer) -> str:
    if a.doubt:
        return a.doubt
    return "it saw no failure" if a.log_p == -math.inf else "its error is not known"
