"""What the repeats of every estimator on every problem say together."""

import math
import statistics
from collections.abc import Iterable
from typing import Any

from workbench.experiments.attempt import Row
from workbench.experiments.price import offset, price, relative_variance
from workbench.math.logspace import LN10
from workbench.problem import Problem, Truth


def summarise(rows: Iterable[Row]) -> list[Row]:
    """One row a problem and estimator: medians over seeds, their spread, how often it was right.

    `log10_low` and `log10_high` are the least and greatest estimate; `covered` of `intervals`
    95% intervals hold the truth; `zeros` counts the answers P = 0. `w10` is the forwards that an
    error of 10% would cost (see `price`), from several seeds of an estimator with no bias beyond
    that; where averaging mends nothing, `mean_of_truth` is the mean of its answers over P. An
    estimator without an answer keeps its `reason`.
    """
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        key = (row["problem"], row["estimator"], repr(row["settings"]))
        groups.setdefault(key, []).append(row)
    return [_summary(group) for group in groups.values()]


def _summary(group: list[Row]) -> Row:
    answers = [row for row in group if "reason" not in row]
    reasons = [row["reason"] for row in group if "reason" in row]
    shared = ("problem", "estimator", "settings", "kind", "truth", "truth_se")
    head = {key: group[0][key] for key in shared}
    head["seeds"] = len(answers)
    if reasons:
        head["reason"] = reasons[0]
        head["refused"] = all(row["refused"] for row in group if "reason" in row)
    if not answers:
        return head
    logs = [row["log10_p"] for row in answers]
    covers = [row["covers"] for row in answers if row["covers"] is not None]
    warnings = [row["warning"] for row in answers if row["warning"]]
    return {
        **head,
        "log10_p": statistics.median(logs),
        "log10_err": _median(answers, "log10_err"),
        "log10_low": min(logs),
        "log10_high": max(logs),
        "error": _median(answers, "error"),
        "covered": sum(covers),
        "intervals": len(covers),
        "zeros": sum(p == -math.inf for p in logs),
        "forwards": _median(answers, "forwards"),
        "flops": _median(answers, "flops"),
        "seconds": _median(answers, "seconds"),
        **_worth(answers, logs),
        "warnings": len(warnings),
        "warning": warnings[0] if warnings else "",
    }


def _worth(answers: list[Row], logs: list[float]) -> dict[str, float | None]:
    """`w10`, or `mean_of_truth` where no number of runs mends the mean; both None for one seed."""
    spread = relative_variance([LN10 * x for x in logs])
    truth, se = answers[0]["truth"], answers[0]["truth_se"]
    off = None
    if truth is not None and len(logs) > 1 and max(logs) > -math.inf:
        off = offset(logs, Truth(truth, se, "of the rows"), spread)
    if off is not None:
        return {"w10": None, "mean_of_truth": 1.0 + off}
    if truth is None and answers[0]["kind"] not in ("unbiased", "consistent"):
        return {"w10": None, "mean_of_truth": None}  # that it does not vary is no sign of its error
    cost = statistics.fmean(row["forwards"] for row in answers)
    return {"w10": price(spread, cost), "mean_of_truth": None}


def beware(row: Row) -> str:
    """What stands beside a row so that no answer of 0 is taken for a small P; else empty."""
    if row["warning"] or row["log10_p"] > -math.inf or row["log10_err"] == 0.0:
        return row["warning"]
    return "not found within this budget, which does not say that P is 0"


def unanswered(rows: Iterable[Row], named: bool) -> list[Row]:
    """The rows that leave a question open which was asked.

    Where estimators were not named, one that does not serve a problem was not asked about it.
    """
    return [row for row in rows if "reason" in row and (named or not row["refused"])]


def truth_row(problem: Problem) -> Row | None:
    """The problem's reference value, or None where it has none."""
    truth = problem.truth
    if truth is None:
        return None
    return {"log10_p": truth.log10_p, "se_log10": truth.se_log10, "method": truth.method}


def _median(rows: list[dict[str, Any]], key: str) -> float | None:
    values = [row[key] for row in rows if row[key] is not None]
    return statistics.median(values) if values else None
