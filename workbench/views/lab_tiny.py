"""The laboratory of tiny networks: accuracy read off the weights, against draws."""

import math

from workbench.numbers import count, small
from workbench.views.compute_plots import Course, against_compute
from workbench.views.lab import Action, Chart, Laboratory, Slider
from workbench.views.style import Figure, axis, blank, colour, ink, layout, symbol
from workbench.views.tiny_session import BENT, JOB, REPEATS, Errors, Known, TinySession

MINE, DRAWS = "last_input", "monte_carlo"
"""The rows whose accents they have."""


def _errors(session: TinySession, dark: bool, height: int) -> Figure:
    best, curve = session.known, session.curve
    if best is None:
        return blank(dark, height, "Computing …" if session.running(JOB) else "Not started yet.")
    n = [e.forwards for e in curve]
    foretold = [100.0 * _binomial(best.p, k) for k in n]
    mine, theirs = [100.0 * e.weights for e in curve], [100.0 * e.draws for e in curve]
    courses = [
        Course("from the weights", n, mine, colour(MINE), symbol(MINE)),
        Course("draws", n, theirs, colour(DRAWS), symbol(DRAWS), ""),
        Course("draws, √(P (1 − P) / n)", n, foretold, colour(DRAWS), "line-ew", "dash"),
    ]
    return against_compute(
        courses, 100.0 * best.error, "compute, in forward passes",
        "error of the accuracy, percentage points", dark, height,
    )  # fmt: skip


def _binomial(p: float, n: float) -> float:
    """Standard error of a share that is counted in n draws."""
    return math.sqrt(p * (1.0 - p) / n)


def _say_errors(session: TinySession) -> str:
    best = session.known
    if best is None:
        return ""
    if best.error == 0.0 and best.p == 1.0:
        text = "P = <b>100%</b>: right on every line and at every point that was tried."
    elif best.error == 0.0:
        text = (
            f"P = <b>{100 * best.p:.7f}%</b>, exactly: of two numbers only the angle matters, and "
            f"the weights determine at which angles the answer changes. That costs as much as "
            f"{count(best.forwards)} draws."
        )
    else:
        text = f"P = <b>{100 * best.p:.3f}%</b> ± {100 * best.error:.2g}%, from the weights."
        text += _compared(best, session.curve[-1]) if session.curve else ""
    return f"{text} <span class='small'>Errors are root mean squares over {REPEATS} repeats.</span>"


def _compared(best: Known, last: Errors) -> str:
    drawn = _binomial(best.p, last.forwards)
    text = (
        f" For the compute of {count(last.forwards)} draws the estimate from the weights has an "
        f"error of {100 * last.weights:.2g}%, the draws themselves one of {100 * drawn:.2g}%"
    )
    if last.weights < drawn:
        times = small((drawn / max(last.weights, best.error)) ** 2)
        least = " at least" if last.weights < 2.0 * best.error else ""
        text += f"; draws need{least} {times} times the compute for as small an error."
    else:
        text += ": <b>here draws are better</b>."
    if not best.along:
        text += (
            " Among so many numbers the last one is not worth integrating out: the network is run "
            "instead, at the points of a lattice rather than at random ones."
        )
    return text


def _noise(session: TinySession, dark: bool, height: int) -> Figure:
    best, noise = session.known, float(session.noise)
    if not session.bent:
        return blank(dark, height, "Computing …" if session.running(BENT) else "Not started yet.")
    data = [{
        "type": "scatter", "mode": "lines", "name": "along one line of weights",
        "x": [s for s, _ in session.bent], "y": [p for _, p in session.bent],
        "line": {"color": colour(MINE), "width": 2},
        "hovertemplate": "noise %{x:.2f}: %{y:.2%}<extra></extra>",
    }]  # fmt: skip
    if best:
        data.append({
            "type": "scatter", "mode": "markers", "name": "here", "x": [noise], "y": [best.p],
            "marker": {"color": ink(dark), "size": 10},
            "hovertemplate": "noise %{x:.2f}: %{y:.2%}<extra>here</extra>",
        })  # fmt: skip
    return {
        "data": data,
        "layout": layout(
            dark, height,
            xaxis=axis(dark, title={"text": "noise on the weights"}, range=[-0.03, 1.03]),
            yaxis=axis(dark, title={"text": "accuracy"}, range=[0.0, 1.03], tickformat=".0%"),
        ),
    }  # fmt: skip


def _say_noise(session: TinySession) -> str:
    if len(session.bent) < 2:
        return ""
    (_, first), (noise, last) = session.bent[0], session.bent[-1]
    return (
        f"As trained, the network is right on {100 * first:.0f}% of the inputs; with noise "
        f"{noise:g} on {100 * last:.0f}%. All of it is computed from the weights, with one draw of "
        "noise that is scaled up from left to right. The dot is the network at the slider's noise."
    )


TINY = Laboratory(
    name="tiny",
    title="Tiny networks",
    about="Networks of a few ReLUs read numbers one by one, then point at one of them, or give "
    "their median to within a tenth. On what share of all inputs are they right? Instead of trying "
    "inputs, the share is computed from the weights: given all numbers but the last, that one is "
    "integrated out in closed form.",
    session=TinySession,
    controls=("network", Slider("noise", 0.0, 1.0), "seed"),
    actions=(Action("Measure", "measure", "Compute and time everything again.", True),),
    blocks=(
        Chart(
            "What does it cost to know the accuracy?",
            _errors,
            "errors",
            _say_errors,
            360,
            share=0.62,
        ),
        Chart("How much noise can the weights take?", _noise, "noise", _say_noise, 360, share=0.62),
    ),
)
