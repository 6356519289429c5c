"""What the Adversary screen says under its charts (HTML)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from workbench.adversaries import Attack
from workbench.distributions import PromptedText, Sampleable, Sequences
from workbench.html import power, prose, signed
from workbench.math.logspace import LN10
from workbench.numbers import places, several
from workbench.problem import Problem
from workbench.views import adversary_pictures, adversary_plots, pictures
from workbench.views.adversary_kept import Check, Pin
from workbench.views.adversary_session import (
    PROPOSAL,
    PROPOSAL_BUDGET,
    RIVALS,
    AdversarySession,
)
from workbench.views.roster import title
from workbench.views.table import TABLE_CSS
from workbench.views.worker import DONE, ERROR, RUNNING

CHECK = "Have an independent sampler estimate P under the D that is shown."
PROPOSE = "Estimate P under D₀ by importance sampling, with D as the proposal; D₀ must be Gaussian."
CHALLENGE = (
    "What the cross-entropy method, gradient ascent on the margin, the score function and random "
    "search find with as many nats and forward passes; D₀ must be Gaussian."
)
PIN = "Keep this result to compare later ones with."
"""What the buttons do."""
_WORTH = -100.0
"""log10 of the least bound that is worth a sentence."""


def course_sentence(session: AdversarySession) -> str:
    """Where the search stands, and what the check says of it; in red where the two part."""
    attack, found, check = session.attack, session.found, session.checked
    if attack is None:
        truth = session.problem.truth
        start = "" if truth is None else f" Under D₀ itself P is {power(truth.log10_p)}."
        if session.writes:
            return (
                "Press <b>Run</b>: the language model writes texts, M judges each of them, and the "
                f"language model learns to write what comes closer to C.{start}"
            )
        return (
            f"Press <b>Run</b>: the adversary follows the gradient of log P, so it needs no "
            f"failure to start from.{start}"
        )
    if "first_hits" in attack.found.info:
        return _written(session, attack, check)
    by = title(session.by_shown)
    said = (
        f"Under D₀ {escape(by)} estimates P at {power(attack.log10_p_reference)}{_truly(attack)}. "
        f"After {several(found['at'], 'step')} and "
        f"{several(attack.cost.forwards, 'forward pass')}, {_nats(attack)} away from D₀, it "
        f"estimates <b>{power(attack.log10_p)}</b>."
    )
    if check is None:
        note = session.worker.results.get("check", {})
        if note.get("state") == "error":
            return f"{said} <span class='bad'>Not checked: {prose(note.get('message', ''))}</span>"
        return f"{said} An independent sampler will check this."
    if session.warning:
        return (
            f"{said} <span class='bad wb-parted'>The check says {_value(check)}: "
            f"{prose(session.warning)}.</span>"
        )
    return (
        f"{said} An independent sampler, which had no part in the search, finds "
        f"<b>{_value(check)}</b>."
    )


def _written(session: AdversarySession, attack: Attack, check: Check | None) -> str:
    """The same where a language model learns from its own texts: how many of them fail."""
    hits, draws = attack.found.info["first_hits"]
    rows = [row["log10_p"] for row in session.rows if "log10_p" in row]
    last = round(10.0 ** rows[-1] * draws)
    said = (
        f"Of the first {draws} texts, written under D₀, {hits} failed{_truly(attack)}; after "
        f"{several(len(rows), 'step')} and {attack.cost.forwards:,} texts <b>{last} of {draws}</b>."
        f" The best D so far is {_nats(attack)} away."
    )
    if check is None:
        return f"{said} Fresh texts will be judged next."
    seen = check.checked.info
    fresh = f"<b>{seen['hits']} of {seen['draws']}</b> fresh texts of it fail"
    if session.warning:
        return f"{said} <span class='bad wb-parted'>But {fresh}: {prose(session.warning)}.</span>"
    return f"{said} {fresh}, which had no part in the search."


def _truly(attack: Attack) -> str:
    """The stored truth under D0, in brackets."""
    truth = attack.problem.truth
    return "" if truth is None else f" (the truth is {power(truth.log10_p)})"


def _value(check: Any) -> str:
    err = check.err
    if err is None or not math.isfinite(err):
        return power(check.log10_p)
    return f"{power(check.log10_p, min(3, places(err)))} ± {err:.1g} digits"


def _nats(attack: Attack) -> str:
    err = f" ± {attack.nats_err:.1g}" if attack.nats_err > 0 else ""
    return f"{attack.nats:.3g}{err} nats"


def frontier_sentence(attack: Attack | None, pins: Sequence[Pin] = ()) -> str:
    """What failure costs: digits for the nats spent, the worth of one more, what is proved."""
    if attack is None:
        return "<span class='small'>How likely C becomes for how many nats.</span>"
    start = adversary_plots.start_of(attack)
    said = [f"{_nats(attack)} spent; none of the first texts had failed."]
    if math.isfinite(start):
        said = [f"{_nats(attack)} bought {signed(attack.log10_p - start, 1)} digits of P."]
    if attack.found.price > 0 and "first_hits" not in attack.found.info:
        said.append(
            f"One nat more would make C about {math.exp(attack.found.price):.2g} times as likely."
        )
    low = attack.bound_lower / LN10
    if low > _WORTH:
        said.append(
            f"What this D proves (97.5% confidence): under D₀ itself P is at least {power(low, 1)}."
        )
    if pins:
        said.append(f"Dashed: {several(len(pins), 'pinned result')}.")
    return f"<span class='small'>{' '.join(said)}</span>"


def proposal_sentence(session: AdversarySession) -> str:
    """P under D0 by importance sampling from D, and what the baselines found, as far as either
    has come."""
    said = " ".join((*_proposed(session), *_rivals(session)))
    return f"<span class='small'>{said}</span>" if said else ""


def _proposed(session: AdversarySession) -> Iterator[str]:
    job, estimate, truth = session.told(PROPOSAL), session.proposed, session.problem.truth
    if job.get("state") == ERROR:
        yield _failed("Importance sampling from D", job)
    elif estimate is not None and job.get("state") == DONE:
        err = estimate.log10_err
        error = f" ± {err:.1g} digits" if err is not None and math.isfinite(err) else ""
        yield (
            f"Importance sampling from D puts P under D₀ at <b>{power(estimate.log10_p)}</b>"
            f"{error} after {estimate.cost.forwards:,} forward passes."
        )
        if truth is not None and session.attack and session.attack.problem is session.problem:
            yield f"The truth is {power(truth.log10_p)}."
        if estimate.warning:
            yield f"<span class='bad'>{prose(estimate.warning)}</span>"
    elif job:
        spent = estimate.cost.forwards if estimate else 0
        yield f"Importance sampling from D: {spent:,} of {PROPOSAL_BUDGET:,} forward passes …"


def _rivals(session: AdversarySession) -> Iterator[str]:
    job, rivals = session.told(RIVALS), session.rivals
    if rivals:
        yield "With as many nats and forward passes, checked in the same way, the baselines reach:"
    for rival in rivals:
        got = "none" if rival.checked is None else power(rival.checked.log10_p)
        mark = "; " if rival is not rivals[-1] else "."
        yield f"{rival.family.replace('_', ' ')} {got}{mark}"
    if job.get("state") == ERROR:
        yield _failed("The baselines", job)
    elif job.get("state") == RUNNING:
        yield "The next baseline is searching …" if rivals else "The baselines are searching …"


def _failed(who: str, job: Mapping[str, Any]) -> str:
    return f"<span class='bad'>{who}: {prose(str(job.get('message', '')))}</span>"


def picture_sentence(problem: Problem, attack: Attack | None, check: Check | None = None) -> str:
    """What the picture of D shows."""
    if attack is None:
        return "<span class='small'>D is still D₀.</span>"
    d = attack.distribution
    if isinstance(d, PromptedText):
        return (
            "<span class='small'>The words whose frequency changed most from D₀ (grey) to D "
            "(orange). In the texts, the stronger a word's background, the more the margin falls "
            "without it; ✗ marks catastrophes.</span>"
        )
    far = adversary_pictures.shift(problem, d)
    said = "" if far is None else f"The mean has moved by {far:.2f} standard deviations of D₀."
    if isinstance(d, Sequences):
        said = (
            "Each column is a position: its likeliest tokens, with their probability under D₀ "
            "(grey) and under D (orange). In the draws, the stronger a token's background, the "
            "more it matters."
        )
    elif not isinstance(d, Sampleable):
        said += " D cannot be sampled."
    elif pictures.shows_digits(problem):
        said += " Draws marked ✗ are catastrophes."
    elif d.dim == 2:
        said += " The rings are 1, 2 and 3 standard deviations out; C holds in the shaded region."
    if check is not None:
        said += _ways(check)
    return f"<span class='small'>{said}</span>"


def _ways(check: Check) -> str:
    """How draws of D fail, and how far the likeliest failure is."""
    said = ""
    if check.modes:
        each = ", ".join(f"{escape(mode.told)} ({mode.share:.0%})" for mode in check.modes)
        said = f" Ways to fail: {each}."
    if check.nearest is not None and check.nearest.distance > 0.0:
        said += (
            f" The likeliest failure is {check.nearest.distance:.2f} standard deviations of D from "
            "its centre."
        )
    return said


def table(pins: Sequence[Pin], session: AdversarySession) -> str:
    """The present result above those pinned; empty where nothing is pinned."""
    if not pins:
        return ""
    attack = session.attack if session.checked is None else session.checked.attack
    lines = [] if attack is None else [_line("now", attack)]
    lines += [_line(pin.name, pin.attack) for pin in reversed(pins)]
    head = (
        "<tr><th>D</th><th class='n'>nats</th><th class='n'>log<sub>10</sub> P</th>"
        "<th class='n'>checked</th><th class='n'>forward passes</th></tr>"
    )
    return f"<style>{TABLE_CSS}</style><table class='wb-table'>{head}{''.join(lines)}</table>"


def _line(name: str, attack: Attack) -> str:
    checked = "–"
    if attack.checked is not None:
        err = attack.checked.log10_err
        checked = signed(attack.checked.log10_p, places(err))
        if err is not None and math.isfinite(err):
            checked += f" ± {err:.1g}"
        if attack.warning:
            told = escape(attack.warning, quote=True)
            checked = f"<span style='color:var(--wb-bad, #b3261e)' title='{told}'>{checked}</span>"
    return (
        f"<tr><td style='white-space:normal'>{escape(name)}</td>"
        f"<td class='n'>{attack.nats:.3g}</td>"
        f"<td class='n'>{signed(attack.log10_p)}</td><td class='n'>{checked}</td>"
        f"<td class='n'>{attack.cost.forwards:,}</td></tr>"
    )
