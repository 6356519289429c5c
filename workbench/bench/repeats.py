"""What repeats of a method on one problem say: its error, its claims, and its price."""

import math
import statistics
from collections.abc import Sequence

from workbench.bench.base import Row
from workbench.math.logspace import LN10
from workbench.problem import Truth

TOLERANCE = 0.1
"""The relative error that W10 is the price of."""

_BEYOND = 1e10  # where W10 stops being a number worth reading
_HOPELESS = 50.0  # of log-variance: exp of it is out of any sampler's reach


def summary(rows: Sequence[Row], truth: Truth | None) -> Row:
    """One row of the answers among `rows`, the repeats of one method on one problem.

    `rows` are those of an `Attempt`, or have a `reason` where there was no answer. Errors are
    taken against `truth`: `median_error` over all answers (inf for P = 0), `rmse` over those that
    are not 0. `covered` of `intervals` claimed 95% intervals hold the truth. `verdict` is W10 for
    a reader, or why there is none; `note` says it at length.
    """
    answers = [row for row in rows if "reason" not in row]
    reasons = [row["reason"] for row in rows if "reason" in row]
    head: Row = {"repeats": len(rows), "failed": len(reasons)}
    if reasons:
        head["reason"] = reasons[0]
    if not answers:
        return {**head, "verdict": "no answer", "note": f"no answer: {reasons[0]}"}
    logs = [row["log10_p"] for row in answers]
    claimed = [row["log10_err"] for row in answers if row["log10_err"] is not None]
    covers = [row["covers"] for row in answers if row["covers"] is not None]
    cost = statistics.mean(row["forwards"] for row in answers)
    spread = relative_variance([LN10 * x for x in logs])
    off = None if truth is None else offset(logs, truth, spread)
    zeros = logs.count(-math.inf)
    errors = [] if truth is None else [abs(x - truth.log10_p) for x in logs]
    finite = [e for e in errors if math.isfinite(e)]
    w10 = None if off is not None else price(spread, cost)
    verdict = None if w10 is None else f"{w10:,.0f}" if w10 < _BEYOND else f"over {_BEYOND:.0e}"
    if zeros == len(logs):
        verdict = "P = 0"
    elif off is not None:
        verdict = f"mean {1.0 + off:.2g} P"
    notes = [f"{zeros} of {len(logs)} answered P = 0"] if zeros else []
    if off is not None and zeros < len(logs):
        notes.append(f"mean is {1.0 + off:.2g} of P")
    if reasons:
        notes.append(f"{len(reasons)} of {len(rows)} failed: {reasons[0]}")
    return {
        **head,
        "log10_p": statistics.median(logs),
        "median_error": statistics.median(errors) if errors else None,
        "rmse": math.sqrt(statistics.fmean(e * e for e in finite)) if finite else None,
        "claimed": statistics.median(claimed) if claimed else None,
        "covered": sum(covers),
        "intervals": len(covers),
        "coverage": f"{sum(covers)}/{len(covers)}" if covers else None,
        "zeros": zeros,
        "forwards": cost,
        "gradients": statistics.mean(row.get("gradients", 0) for row in answers),
        "seconds": statistics.median(row["seconds"] for row in answers),
        "relative_variance": spread,
        "w10": w10,
        "verdict": verdict,
        "note": "; ".join(notes) or None,
    }


def relative_variance(logs: Sequence[float]) -> float | None:
    """Var(P-hat) / E[P-hat]^2 from repeats of log P-hat in nats; None where it is not known.

    Repeats are close to log-normal: expm1(var(log P-hat)), which a rare large repeat does not
    dominate as it does the variance of P-hat. With answers of 0 among them it is the latter.

    >>> relative_variance([0.0, 0.0]), relative_variance([0.0])
    (0.0, None)
    """
    if len(logs) < 2 or max(logs) == -math.inf:
        return None
    if min(logs) > -math.inf:
        variance = statistics.variance(logs)
        return math.expm1(variance) if variance < _HOPELESS else math.inf
    top = max(logs)
    values = [math.exp(x - top) for x in logs]
    return statistics.variance(values) / statistics.fmean(values) ** 2


def price(spread: float | None, forwards: float) -> float | None:
    """W10: forward-equivalents for a relative error of 10%, by averaging runs like these.

    Relative variance times the cost of a run over 0.01; one run where the repeats do not differ.

    >>> price(0.04, 1000.0), price(0.0, 10.0), price(None, 10.0)
    (4000.0, 10.0, None)
    """
    if spread is None:
        return None
    return forwards if spread == 0 else spread * forwards / TOLERANCE**2


def offset(logs10: Sequence[float], truth: Truth, spread: float | None) -> float | None:
    """Mean of P-hat / P less 1 where no number of runs brings it within 10%; else None.

    That is said where it exceeds 10% by more than three standard errors, those of the truth
    included: averaging runs mends the spread of a method and not its bias.
    """
    # Beyond 10^300 the ratio is out of range, and so far off that its size says nothing more.
    mean = statistics.fmean(10.0 ** min(300.0, x - truth.log10_p) for x in logs10) - 1.0
    noise = 0.0 if spread is None else spread / len(logs10)
    slack = TOLERANCE + 3.0 * math.hypot(math.sqrt(noise), LN10 * truth.se_log10)
    return mean if abs(mean) > slack else None
