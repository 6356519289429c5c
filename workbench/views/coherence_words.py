"""What the Coherence screen says: a table of laws and the sentences under the charts (HTML)."""

import math
import statistics
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from workbench.coherence import Defect, Heat
from workbench.html import power, prose
from workbench.numbers import places
from workbench.problem import Truth
from workbench.views.coherence_session import Point
from workbench.views.roster import title
from workbench.views.worker import RUNNING

KEPT = 1e-6
"""Digits: a smaller defect is rounding."""


def amount(value: float) -> str:
    """A defect in digits.

    >>> amount(0.0), amount(0.5694), amount(58.003), amount(580.3), amount(math.inf)
    ('holds', '0.57', '58', '580', '∞')
    """
    if math.isinf(value):
        return "∞"
    if value < KEPT:
        return "holds"
    return f"{value:.2g}" if value < 99.5 else f"{value:,.0f}"


def table(defects: Sequence[Defect], found: Mapping[str, Any]) -> str:
    """One line a law: what it says, and by how many digits the estimate breaks it."""
    lines = []
    waiting = found.get("state") == RUNNING
    for d in defects:
        told = f"<b>{amount(d.digits)}</b>" if d.digits is not None else ""
        if d.digits is None:
            blank = "…" if waiting else "–"
            told = "<span class='small'>not measurable</span>" if d.reason else blank
        law = prose(d.law) + (
            f"<br><span class='small'>{prose(d.reason)}</span>" if d.reason else ""
        )
        mark = f" data-digits='{d.digits!r}'" if d.digits is not None else ""
        slug = d.name.replace(" ", "-")
        lines.append(
            f"<tr><td>{escape(d.name)}</td><td class='l'>{law}</td>"
            f"<td class='n'><span class='wb-defect-{slug}'{mark}>{told}</span></td></tr>"
        )
    head = "<tr><th>law</th><th>what should hold</th><th class='n'>off by, digits</th></tr>"
    return f"<table class='wb-table'>{head}{''.join(lines)}</table>"


def sentence(heat: Heat | None, truth: Truth | None, key: str, found: Mapping[str, Any]) -> str:
    """What the heat flow says of this estimate, in plain words."""
    if found.get("state") == "error":
        return f"<span class='bad'>{prose(str(found.get('message', '')))}</span>"
    if heat is None:
        if found.get("state") == RUNNING:
            return f"Measuring: {100 * found.get('share', 0.0):.0f}% of the heat flow."
        return "Not measured yet. No truth is needed for any of this."
    if heat.log_p == -math.inf:
        return "The estimate is 0, which contradicts none of the laws below."
    side = "low" if heat.correction() > 0 else "high"
    said = (
        f"{escape(title(key).capitalize())} says <b>{power(heat.log10_p)}</b>. If that were right, "
        "integrating part of D exactly would change nothing; instead it moves the estimate "
        f"{'up' if side == 'low' else 'down'}. <b>Coherence defect {heat.digits:.2g} digit"
        f"{'' if f'{heat.digits:.2g}' == '1' else 's'}</b>: it is about that much too {side}, and "
        f"the corrected estimate is <b>{power(heat.corrected_log10)}</b>."
    )
    if heat.digits < 0.01:
        said = (
            f"{escape(title(key).capitalize())} says <b>{power(heat.log10_p)}</b>, and the heat "
            "flow finds nothing to correct (below 0.01 digit); that does not bound the error."
        )
    if truth is not None:
        off = heat.log10_p - truth.log10_p
        left = heat.corrected_log10 - truth.log10_p
        said += (
            f" The truth, which was not used, is {power(truth.log10_p, places(truth.se_log10))}: "
            f"the estimate is {abs(off):.2f} digits off, the corrected one {abs(left):.2f}."
        )
    return said


def points_sentence(points: Sequence[Point], sweep: Mapping[str, Any]) -> str:
    """What the chart of foretold against true errors shows."""
    if sweep.get("state") == RUNNING:
        place = escape(str(sweep.get("at", "")))
        return f"<span class='small'>{100 * sweep.get('share', 0.0):.0f}%: {place}</span>"
    if not points:
        return (
            "<span class='small'>Nothing has been measured yet: press <b>Measure</b>, or <b>Whole "
            "catalogue</b>.</span>"
        )
    before = statistics.median(abs(p.error or 0.0) for p in points)
    after = statistics.median(abs(p.heat.corrected_log10 - (p.truth or 0.0)) for p in points)
    right = sum(p.heat.correction() * (p.error or 0.0) <= 0 for p in points)
    if len(points) == 1:
        side = "right" if right else "wrong"
        return (
            f"<span class='small'>One estimate with a known truth: the defect points to the {side} "
            f"side; the error is {before:.2f} digits, and {after:.2f} once corrected. "
            "<b>Whole catalogue</b> measures every problem.</span>"
        )
    return (
        f"<span class='small'>{len(points)} estimates with a known truth: the defect points to the "
        f"right side for {right}; the median error is {before:.2f} digits, and {after:.2f} once "
        "corrected. Faint markers: the wrong side.</span>"
    )
