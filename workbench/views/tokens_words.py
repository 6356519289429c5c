"""The sentences of the Tokens screen."""

import math

from workbench.adversaries import Prices
from workbench.html import power
from workbench.math.logspace import LN10
from workbench.problem import Problem
from workbench.views.rows import Row
from workbench.views.tokens_plots import reference


def worth_sentence(prices: Prices | None, problem: Problem, nats: float) -> str:
    """What the chosen tilt brings, and what a nat of it is worth (HTML)."""
    if prices is None:
        return "No tilt has been sampled yet."
    start, (log_p, err) = reference(prices, problem.truth), prices.at(nats)
    if nats == 0.0:
        return f"At 0 nats q is D itself, under which P is <b>{power(start)}</b>."
    if not (math.isfinite(start) and math.isfinite(log_p)):
        return f"No failure has been drawn yet that tells of a tilt of {nats:g} nats."
    gained = log_p / LN10 - start
    return (
        f"A tilt of {nats:g} nats takes P from {power(start)} to <b>{power(log_p / LN10)}</b> "
        f"(± {1.96 * err / LN10:.1g} digits, 95%): <b>{gained / nats:.2f} digits per nat</b>."
    )


def estimates_sentence(rows: tuple[Row, ...], problem: Problem) -> str:
    """Who came nearest to the truth, and who answered 0 (HTML)."""
    truth = problem.truth
    said = [r for r in rows if r.log10_p is not None and r.state != "stale"]
    if truth is None or not said:
        return "No truth is stored with this problem." if truth is None else ""
    exact = f"P is <b>{power(truth.log10_p)}</b>" + (
        " exactly." if truth.se_log10 == 0.0 else f" ± {truth.se_log10:.1g} digits."
    )
    seen = [r for r in said if math.isfinite(r.log10_p or 0.0)]
    none = [r.title for r in said if r.log10_p == -math.inf]
    if seen:
        near = min(seen, key=lambda r: abs((r.log10_p or 0.0) - truth.log10_p))
        gap = abs((near.log10_p or 0.0) - truth.log10_p)
        off = "less than 0.01" if gap < 0.005 else f"{gap:.2f}"
        exact += f" The closest is <b>{near.title}</b>, {off} digits off."
    if none:
        exact += f" No failure seen by: {', '.join(none)}."
    return exact
