"""Numbers as a reader wants them, and the sentences under the charts."""

import math
from collections.abc import Mapping, Sequence

from workbench.html import power, prose, signed
from workbench.numbers import places
from workbench.problem import Truth
from workbench.views.margins import Picture
from workbench.views.rows import Row
from workbench.views.table import INSTEAD


def count(n: float) -> str:
    """How often something is seen: three digits, or a power of ten.

    >>> count(0.00187), count(93.4), count(1234567), count(0.0), count(1.03e9)
    ('0.00187', '93.4', '1,234,567', '0', '10<sup>9.0</sup>')
    """
    if n == 0.0:
        return "0"
    if 1000.0 <= n < 1e7:
        return f"{n:,.0f}"
    if not 1e-4 <= n < 1e7:
        return f"10<sup>{signed(math.log10(n), 1)}</sup>"
    return f"{n:.3g}"


_CLOSED = ("conditioned", "moments", "ratio", "partition", "free_energy", "mean_field")
"""Estimates without an error bar that may stand for P, the most trusted first."""


def budget_words(n: int) -> str:
    """A budget: a power of ten where it is one.

    >>> budget_words(250_000)
    '250,000'
    """
    exponent = math.log10(n)
    if n >= 10_000 and abs(exponent - round(exponent)) < 1e-9:
        return f"10<sup>{round(exponent)}</sup>"
    return f"{n:,}"


def sentence(rows: Sequence[Row], truth: Truth | None, budget: int, samples: bool = True) -> str:
    """What the estimates say, in plain words (HTML); `samples`: whether D can be sampled."""
    by_key = {r.key: r for r in rows}
    closed = by_key.get("moments")
    parts = []
    best = _best(rows, truth)
    if best is not None:
        log10_p, source = best
        seen = count(budget * 10.0**log10_p)
        parts.append(
            f"A share of <b>{power(log10_p)}</b> of the inputs from D fails, going by {source}; D "
            "cannot be sampled, so no budget of draws would ever show one."
            if not samples
            else f"Sampling {budget_words(budget)} times would see this <b>{seen}</b> "
            f"time{'' if seen == '1' else 's'} on average, going by {source}."
        )
    if closed is not None and closed.log10_p is not None:
        said = f"Covariance propagation says <b>{power(closed.log10_p)}</b> from the weights alone"
        if truth is not None:
            decimals = places(truth.se_log10)
            known = f"the truth is <b>{power(truth.log10_p, decimals)}</b>" + (
                f" ± {truth.se_log10:.1g} digits" if truth.se_log10 > 0 else " exactly"
            )
            said += f"; {known}{_gap(closed.log10_p - truth.log10_p)}"
        parts.append(said + ".")
    elif closed is not None and samples:
        why, _, _ = closed.note.partition(INSTEAD)
        parts.append(f"Covariance propagation cannot say: {prose(why.rstrip('.'))}.")
    sampled = _sampled_words(by_key.get("monte_carlo"))
    if sampled:
        parts.append(sampled)
    return " ".join(parts)


def _gap(gap: float) -> str:
    if abs(gap) < 0.05:
        return ", and the two agree"
    side = "high" if gap > 0 else "low"
    return f", so it is {abs(gap):.1f} digits too {side}"


def _best(rows: Sequence[Row], truth: Truth | None) -> tuple[float, str] | None:
    """The most trustworthy log10 P on the screen and what it is called."""
    if truth is not None:
        return truth.log10_p, "the stored truth"
    shown = [r for r in rows if r.log10_p is not None and math.isfinite(r.log10_p)]
    sure = [r for r in shown if sure_of(r) and r.state != "stale"]
    if sure:
        row = min(sure, key=lambda r: r.err or 0.0)
        return row.log10_p or 0.0, row.title
    fair = {r.key: r for r in shown if r.state in ("ready", "done") and not r.warning}
    closed = next((fair[key] for key in _CLOSED if key in fair), None)
    return None if closed is None else (closed.log10_p or 0.0, closed.title)


def sure_of(row: Row) -> bool:
    """Whether an estimate knows its error, finds it small, and has nothing against itself."""
    return row.err is not None and row.err < 0.15 and not row.warning


def _sampled_words(row: Row | None) -> str:
    if row is None or row.log10_p is None or row.state == "stale" or row.forwards == 0:
        return ""
    draws = f"{row.forwards:,} draws"
    if row.upper_only is not None:
        return (
            f"Monte Carlo has seen none in {draws}: all it knows is that P is below "
            f"{power(row.upper_only, 1)} (95%)."
        )
    hits = round(row.forwards * 10.0**row.log10_p)
    low, high = row.interval or (-math.inf, 0.0)
    return (
        f"Monte Carlo has seen {hits:,} in {draws}: P lies between {power(low)} and "
        f"{power(high)} (95%)."
    )


def fixed_words(fixed: Mapping[str, str]) -> str:
    """Why sliders cannot be turned here (HTML); each reason once.

    >>> fixed_words({"lean": "Spins do not move.", "sigma": "Spins do not move."})
    "<span class='small'>Spins do not move.</span>"
    """
    reasons = (why[:1].upper() + why[1:] for why in dict.fromkeys(fixed.values()))
    return f"<span class='small'>{prose(' '.join(reasons))}</span>"


def truth_words(truth: Truth | None, at_reference: bool, has_truth: bool) -> str:
    """Where the truth comes from, or why there is none here."""
    if truth is not None:
        error = f" ± {truth.se_log10:.1g}" if truth.se_log10 > 0 else " exactly"
        value = f"log10 P = {signed(truth.log10_p, places(truth.se_log10))}{error}"
        return f"Truth: {value} ({prose(truth.method)})."
    if has_truth and not at_reference:
        return (
            "The stored truth holds only for the problem as its card has it (spread 1, "
            "threshold 0, mean 0), not with the sliders elsewhere."
        )
    return "No truth is stored with this problem."


def margin_sentence(picture: Picture) -> str:
    """What the chart of the margin shows."""
    n, beyond = picture.bars.draws, picture.hits
    line = (
        "the line is the Gaussian that covariance propagation reads off the weights. What "
        "counts is its area beyond 0"
        if picture.log_density is not None
        else "covariance propagation has no distribution of the margin to draw here"
    )
    if n == 0:
        return f"<span class='small'>D cannot be sampled; {line}.</span>"
    seen = f"{beyond:,} of them" if beyond else "none of them"
    return (
        f"<span class='small'>Bars are {n:,} sampled margins, {seen} in the shaded half where the "
        f"catastrophe holds; {line}.</span>"
    )
