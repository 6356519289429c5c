"""Numbers as a reader wants them, the table of estimates, and the sentences under the charts."""

import math
from collections.abc import Sequence
from html import escape

from workbench.problem import Truth
from workbench.views.margins import Picture
from workbench.views.rows import Row
from workbench.views.style import MINUS, colour

STATES = {
    "ready": "exact in D's moments, redrawn as you drag",
    "running": "counting",
    "paused": "paused",
    "done": "done",
    "stale": "about an earlier position",
    "idle": "not asked yet",
    "unsupported": "cannot",
    "error": "failed",
}
KINDS = {
    "heuristic": "presumption",
    "unbiased": "unbiased",
    "consistent": "consistent",
    "lower": "lower bound",
    "upper": "upper bound",
}


def digits(err: float | None, usual: int = 2) -> int:
    """Decimals that a number with this error deserves."""
    if err is None or not math.isfinite(err) or err <= 0.0:
        return usual
    return min(4, max(1, 1 - math.floor(math.log10(err))))


def signed(value: float, decimals: int = 2) -> str:
    """A number with a true minus sign."""
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:.{decimals}f}"
    return text.replace("-", MINUS)


def power(log10_p: float, decimals: int = 2) -> str:
    """A probability as a power of ten, in HTML."""
    if log10_p == -math.inf:
        return "0"
    return f"10<sup>{signed(log10_p, decimals)}</sup>"


def count(n: float) -> str:
    """How often something is seen: three digits, or a power of ten.

    >>> count(0.00187), count(93.4), count(1234567), count(0.0)
    ('0.00187', '93.4', '1,234,567', '0')
    """
    if n == 0.0:
        return "0"
    if n >= 1000.0:
        return f"{n:,.0f}"
    if n < 1e-4:
        return f"10<sup>{signed(math.log10(n), 1)}</sup>"
    return f"{n:.3g}"


def budget_words(n: int) -> str:
    """A budget: a power of ten where it is one.

    >>> budget_words(250_000)
    '250,000'
    """
    exponent = math.log10(n)
    if n >= 10_000 and abs(exponent - round(exponent)) < 1e-9:
        return f"10<sup>{round(exponent)}</sup>"
    return f"{n:,}"


def sentence(rows: Sequence[Row], truth: Truth | None, budget: int) -> str:
    """What the estimates say, in plain words (HTML)."""
    by_key = {r.key: r for r in rows}
    closed = by_key.get("moments")
    parts = []
    best = _best(rows, truth)
    if best is not None:
        log10_p, source = best
        seen = count(budget * 10.0**log10_p)
        parts.append(
            f"Sampling {budget_words(budget)} times would see this <b>{seen}</b> "
            f"time{'' if seen == '1' else 's'} on average, going by {source}."
        )
    if closed is not None and closed.log10_p is not None:
        said = f"Covariance propagation says <b>{power(closed.log10_p)}</b> from the weights alone"
        if truth is not None:
            decimals = digits(truth.se_log10)
            known = f"the truth is <b>{power(truth.log10_p, decimals)}</b>" + (
                f" ± {truth.se_log10:.1g} digits" if truth.se_log10 > 0 else " exactly"
            )
            said += f"; {known}{_gap(closed.log10_p - truth.log10_p)}"
        parts.append(said + ".")
    elif closed is not None:
        parts.append(f"Covariance propagation cannot say: {escape(closed.note.rstrip('.'))}.")
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
    sure = [r for r in shown if r.err is not None and r.state != "stale" and r.err < 0.15]
    if sure:
        row = min(sure, key=lambda r: r.err or 0.0)
        return row.log10_p or 0.0, row.title
    closed = next((r for r in shown if r.key == "moments"), None)
    return None if closed is None else (closed.log10_p or 0.0, closed.title)


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


def truth_words(truth: Truth | None, at_reference: bool, has_truth: bool) -> str:
    """Where the truth comes from, or why there is none here."""
    if truth is not None:
        error = f" ± {truth.se_log10:.1g}" if truth.se_log10 > 0 else " exactly"
        value = f"log10 P = {signed(truth.log10_p, digits(truth.se_log10))}{error}"
        return f"Truth: {value} ({escape(truth.method)})."
    if has_truth and not at_reference:
        return (
            "The stored truth holds only where the card has the problem: spread 1, "
            "threshold 0, mean 0. Here there is none."
        )
    return "No truth is stored with this problem."


def margin_sentence(picture: Picture) -> str:
    """What the chart of the margin shows."""
    n, beyond = picture.bars.draws, picture.hits
    line = (
        "the line is the Gaussian law that covariance propagation reads from the weights"
        if picture.log_density is not None
        else "there is no propagated law to draw"
    )
    if n == 0:
        return f"<span class='small'>D cannot be sampled; {line}.</span>"
    seen = f"{beyond:,} of them" if beyond else "none of them"
    return (
        f"<span class='small'>Bars are {n:,} sampled margins, {seen} in the shaded half where the "
        f"catastrophe holds; {line}. What matters is its area beyond 0.</span>"
    )


def table(rows: Sequence[Row], truth: Truth | None) -> str:
    """The estimates as an HTML table; the cell of each has the class `wb-estimate-<key>`."""
    lines = [_line(row, truth) for row in rows]
    head = (
        "<tr><th>estimate of log<sub>10</sub> P</th><th class='n'>value</th>"
        "<th class='n'>error</th><th class='n'>off by</th>"
        "<th class='n' title='forward passes of M, or operations worth as many'>forwards</th>"
        "<th class='s'>state</th></tr>"
    )
    return f"<table class='wb-table'>{head}{''.join(lines)}</table>"


def _line(row: Row, truth: Truth | None) -> str:
    value, error, off = "–", KINDS.get(row.kind, row.kind), ""
    if row.log10_p is not None:
        value = signed(row.log10_p, digits(row.err, 3 if row.state == "ready" else 2))
        if row.upper_only is not None:
            value, error = f"&lt; {signed(row.upper_only)}", "95% bound"
        elif row.note and row.log10_p == -math.inf:
            value = "–"
        elif row.err is not None and math.isfinite(row.err):
            error = f"± {row.err:.2g}"
        if truth is not None and math.isfinite(row.log10_p):
            off = f"{row.log10_p - truth.log10_p:+.2f}".replace("-", MINUS)
    cost = f"{row.forwards:,}" if row.forwards else ""
    raw = "" if row.log10_p is None else f" data-log10p='{row.log10_p!r}'"
    name = f"<span class='dot' style='background:{colour(row.key)}'></span>{escape(row.title)}"
    if row.state in ("unsupported", "error") or (row.state == "ready" and row.log10_p is None):
        why = f"<span class='wb-why wb-estimate-{row.key}'>{escape(row.note)}</span>"
        return f"<tr class='wb-{row.state}'><td>{name}</td><td colspan='5'>{why}</td></tr>"
    beware = ""
    if row.warning and row.state not in ("running", "stale"):
        beware = f"<tr class='wb-beware'><td></td><td colspan='5'>{escape(row.warning)}</td></tr>"
    return (
        f"<tr class='wb-{row.state}'><td>{name}</td>"
        f"<td class='n v'><span class='wb-estimate-{row.key}'{raw}>{value}</span></td>"
        f"<td class='n'>{error}</td><td class='n'>{off}</td>"
        f"<td class='n'>{cost}</td><td class='s'>{_state(row)}</td></tr>{beware}"
    )


def _state(row: Row) -> str:
    if row.state == "ready":
        return "live, from the weights"
    text = STATES[row.state]
    if row.state in ("running", "paused"):
        bar = f"<span class='bar'><span style='width:{100 * row.fraction:.1f}%'></span></span>"
        text = f"{bar} {100 * row.fraction:.0f}%" + (" paused" if row.state == "paused" else "")
    return text + (f", {escape(row.note)}" if row.note and row.state != "ready" else "")


TABLE_CSS = """
.bk-clearfix, .wb-table { width: 100%; }
sup, sub { line-height: 0; font-size: .75em; }
.wb-table { border-collapse: collapse; width: 100%; font-size: 13px; line-height: 1.35;
  font-variant-numeric: tabular-nums; }
.wb-table th { font-weight: 500; text-align: left; opacity: .65; font-size: 12px; }
.wb-table th, .wb-table td { padding: 4px 10px 4px 0; white-space: nowrap;
  border-bottom: 1px solid rgba(128,128,128,.22); }
.wb-table .n { text-align: right; }
.wb-table .v { font-weight: 600; min-width: 72px; }
.wb-table .s { width: 30%; padding-left: 14px; }
.wb-table .wb-why { white-space: normal; opacity: .8; }
.wb-table .wb-idle td, .wb-table .wb-stale td { opacity: .55; }
.wb-table .wb-beware td { white-space: normal; color: #b45309; font-size: 12px; }
.wb-table .wb-error .wb-why { color: #c0392b; opacity: 1; }
.dot { display: inline-block; width: 10px; height: 10px; border-radius: 50%;
  margin-right: 8px; }
.bar { display: inline-block; width: 90px; height: 6px; border-radius: 3px; margin-right: 4px;
  background: rgba(128,128,128,.25); vertical-align: middle; overflow: hidden; }
.bar span { display: block; height: 100%; background: rgba(128,128,128,.9); }
"""
