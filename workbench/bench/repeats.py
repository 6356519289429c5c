"""What repeats of a method on one problem say: its error, its claims, and its price."""

import math
import statistics
from collections.abc import Sequence

from workbench.bench.base import Row
from workbench.experiments.price import offset, price, relative_variance
from workbench.math.logspace import LN10
from workbench.problem import Truth

_BEYOND = 1e10  # where W10 stops being a number worth reading


def summary(rows: Sequence[Row], truth: Truth | None) -> Row:
    """One row of the answers among `rows`, the repeats of one method on one problem.

    `rows` are those of an `Attempt`, or have a `reason` where there was no answer. Errors are
    taken against `truth`: `median_error` over all answers (inf for P = 0), `rmse` over those that
    are not 0. `covered` of `intervals` claimed 95% intervals hold the truth. `verdict` is W10 for
    a reader, or why there is none; `note` says it at length. `gradients` is None where a method
    tells them as forwards alone.
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
    gradients = [row["gradients"] for row in answers if row.get("gradients") is not None]
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
        "gradients": statistics.mean(gradients) if gradients else None,
        "seconds": statistics.median(row["seconds"] for row in answers),
        "relative_variance": spread,
        "w10": w10,
        "verdict": verdict,
        "note": "; ".join(notes) or None,
    }
