"""What the charts of a comparison say, in words."""

import math
from collections.abc import Sequence
from html import escape

from workbench.distributions import Sampleable
from workbench.html import power
from workbench.numbers import places
from workbench.problem import Problem
from workbench.views.compare_job import Cell
from workbench.views.compare_table import confidently_wrong
from workbench.views.words import count


def error_sentence(cells: Sequence[Cell], problem: Problem | None, budget: int) -> str:
    """What the chart of error against forwards says of a problem (HTML)."""
    if problem is None:
        return "No problem is picked."
    truth = problem.truth
    if truth is None:
        return "No truth is stored with this problem, so there is no error to draw."
    p = 10.0**truth.log10_p
    mine = [c for c in cells if c.problem == problem.name and c.summary and c.state != "stale"]
    needed = (1.0 - p) / p / 0.01
    sampling = (
        f"plain Monte Carlo would need <b>{count(needed)}</b> forward passes for an error of 10%, "
        f"and in {budget:,} it sees this <b>{count(p * budget)}</b> times on average"
        if isinstance(problem.distribution, Sampleable)
        else "D cannot be sampled, so no sampler has an answer"
    )
    parts = [f"P = {power(truth.log10_p, places(truth.se_log10))}: {sampling}."]
    right = [c for c in mine if c.summary and c.summary["error"] is not None]
    right = [c for c in right if c.summary and math.isfinite(c.summary["error"])]
    if right:
        best = min(right, key=lambda c: abs(c.summary["error"]) if c.summary else math.inf)
        assert best.summary is not None
        parts.append(
            f"The closest is <b>{escape(best.title)}</b>, {abs(best.summary['error']):.2g} digits "
            f"off with {best.summary['forwards']:,.0f} forward passes."
        )
    return " ".join(parts)


def calibration_sentence(cells: Sequence[Cell]) -> str:
    """What the chart of claimed against actual error says (HTML)."""
    held: dict[str, list[int]] = {}
    wrong = []
    for cell in cells:
        row = cell.summary
        if row is None or cell.state == "stale" or not row["intervals"]:
            continue
        both = held.setdefault(cell.title, [0, 0])
        both[0] += row["covered"]
        both[1] += row["intervals"]
        if confidently_wrong(row) and not row["warning"]:
            wrong.append(f"{escape(cell.title)} on {escape(cell.problem)}")
    if not held:
        return "No run has both an error bar and a known truth."
    shares = "; ".join(f"{escape(n)} {a} of {b}" for n, (a, b) in held.items())
    text = f"95% intervals that contain the truth: {shares}."
    if wrong:
        text += f" <b>Confidently wrong: {', '.join(wrong)}.</b>"
    return text
