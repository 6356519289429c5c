"""What the Train screen says: the sentence under its charts, the ledger of adversaries (HTML)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.experiments import Row
from workbench.html import power, signed
from workbench.numbers import several
from workbench.views.words import count

UNSURE = 2.0
"""Digits of its own error from which a referee's value says less than its upper end."""


def sentence(rows: Sequence[Row], measure: str, examples: int) -> str:
    """How safe the model has become, by whom, and what that cost.

    Args:
        rows: metrics of the run.
        measure: what the score of the task is called.
        examples: N of the training set.
    """
    press = "<b>Run</b> takes gradient steps that make C less likely."
    if not rows:
        return f"Nothing has been trained yet. {press}"
    last = rows[-1]
    if last["steps"] == 0:
        return f"{_untrained(last, measure)} {press}"
    judged = next((r for r in reversed(rows) if r.get("referee") is not None), None)
    parts = [f"After <b>{several(last['steps'], 'step')}</b>"]
    if last.get("log10_p") is not None:
        parts[0] += f" the estimate of P under D₀ is <b>{power(last['log10_p'])}</b>"
    if judged is not None:
        parts.append(_judged(judged, last, examples))
    parts.append(_cost(rows, measure))
    return ". ".join(p for p in parts if p) + "."


def _untrained(row: Row, measure: str) -> str:
    """The model as it was given."""
    known = [f"{measure} on held-out inputs is {100 * row['score']:.1f}%"]
    if row.get("log10_p") is not None:
        known.insert(0, f"the estimate of P under D₀ is <b>{power(row['log10_p'])}</b>")
    return f"Nothing has been trained yet: {', and '.join(known)}."


def _judged(judged: Row, last: Row, examples: int) -> str:
    when = "" if judged is last else f" at step {judged['steps']:,}"
    value, high = judged["referee"], judged.get("referee_high")
    if value == -math.inf:
        top = "" if high is None else f", so that P is below {power(high)} (95%)"
        return f"The referee, an independent sampler, saw no failure{when}{top}"
    if high is not None and high - value > UNSURE:
        return (
            f"The referee, an independent sampler, can say only that P is below "
            f"<b>{power(high)}</b>{when} (95%)"
        )
    digits = -math.log10(examples) - value
    side = f"{_times(abs(digits))} times {'less' if digits >= 0.0 else 'more'} than"
    return (
        f"The referee, an independent sampler, finds <b>{power(value)}</b>{when}: {side} "
        f"one failure in the N = {examples:,} training examples"
    )


def _times(digits: float) -> str:
    """A factor to two digits, or as a power of ten.

    >>> _times(2.67), _times(8.04)
    ('470', '10<sup>8.0</sup>')
    """
    return count(float(f"{10.0**digits:.2g}")) if digits < 6.0 else power(digits, 1)


def _cost(rows: Sequence[Row], measure: str) -> str:
    scores = [r["score"] for r in rows if r.get("score") is not None]
    if not scores:
        return ""
    text = f"{measure[:1].upper()}{measure[1:]} on held-out inputs is {100 * scores[-1]:.1f}%"
    best = max(scores)
    return text if best - scores[-1] < 5e-4 else f"{text} (at best {100 * best:.1f}%)"


def exploited(rows: Sequence[Row]) -> str:
    """The red mark, where the referee caught the estimate; else empty."""
    caught = next((r for r in rows if r.get("exploited")), None)
    if caught is None:
        return ""
    said = ""
    for end, where in (("", "under D₀"), ("_adv", "under the adversary's D")):
        claimed, found = caught.get(f"claimed{end}"), caught.get(f"referee{end}")
        if not said and claimed is not None and found is not None and abs(claimed - found) > 1.0:
            said = f": {where} the estimate was {power(claimed)}, the referee's {power(found)}"
    return (
        f"<span class='bad wb-exploited'>EXPLOITED at step {caught['steps']:,}{said}. The "
        "optimiser has exploited what the estimate overlooks: trust the referee alone.</span>"
    )


def ledger(met: Sequence[Mapping[str, Any]], searched: bool = True) -> str:
    """One line an adversary: when it was met, how far it is from D0, log10 P under it then and now.

    Args:
        met: each with `step`, `nats`, `then` (log10 P by the estimate that was followed) and `now`
            (by covariance propagation), oldest first.
        searched: whether there is an adversary at all.
    """
    if not searched:
        return "<span class='small'>This training has no adversary: it is against D₀ alone.</span>"
    if not met:
        return "<span class='small'>None yet: the first is found once the training starts.</span>"
    lines = []
    for k, each in enumerate(met):
        lines.append(
            f"<tr><td>{k + 1}</td><td class='n'>{each['step']:,}</td>"
            f"<td class='n'>{_number(each.get('nats'))}</td>"
            f"<td class='n'>{_power(each.get('then'))}</td>"
            f"<td class='n'><b>{_power(each.get('now'))}</b></td></tr>"
        )
    head = (
        "<tr><th>adversary</th><th class='n'>found at step</th>"
        "<th class='n' title='KL(D ‖ D₀): how far it is from D₀'>nats</th>"
        "<th class='n' title='P under it when it was found, by the estimator of the training'>"
        "P then</th>"
        "<th class='n' title='P under it for the present model, by covariance propagation'>"
        "P now</th></tr>"
    )
    return f"<table class='wb-table'>{head}{''.join(lines)}</table>"


def _number(value: Any) -> str:
    return "–" if value is None else signed(value)


def _power(value: Any) -> str:
    return "–" if value is None else power(value)


def compared(pinned: bool, found: Mapping[str, Any]) -> str:
    """What the picture sets side by side."""
    if found.get("picture") is None:
        return ""
    with_what = "the pinned model" if pinned else "the model at the start of this run"
    return f"<span class='small'>The present model compared with {with_what}.</span>"
