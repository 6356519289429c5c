"""The laboratory of tiny networks: accuracy read off the weights, against draws."""

import math

from workbench.numbers import count, small
from workbench.views.compute_plots import Course, against_compute
from workbench.views.lab import Action, Chart, Laboratory, Slider
from workbench.views.style import Figure, axis, colour, ink, layout, symbol
from workbench.views.tiny_session import BENT, JOB, REPEATS, Errors, Known, TinySession

MINE, DRAWS = "last_input", "monte_carlo"
"""The rows whose accents they have."""


def _errors(session: TinySession, dark: bool, height: int) -> Figure:
    best, curve = session.known, session.curve
    n = [e.forwards for e in curve]
    foretold = [100.0 * _binomial(best.p, k) for k in n] if best else []
    mine, theirs = [100.0 * e.weights for e in curve], [100.0 * e.draws for e in curve]
    courses = [
        Course("from the weights", n, mine, colour(MINE), symbol(MINE)),
        Course("draws", n, theirs, colour(DRAWS), symbol(DRAWS), ""),
        Course("draws, √(P (1 − P) / n)", n, foretold, colour(DRAWS), "line-ew", "dash"),
    ]
    return against_compute(
        courses, 100.0 * best.error if best else 0.0, "operations, in forward passes",
        "error of P, percentage points", dark, height,
    )  # fmt: skip


def _binomial(p: float, n: float) -> float:
    """Standard error of a share that is counted in n draws."""
    return math.sqrt(p * (1.0 - p) / n)


def _say_errors(session: TinySession) -> str:
    best = session.known
    if best is None:
        return "Under way." if session.running(JOB) else "Not begun."
    if best.error == 0.0 and best.p == 1.0:
        text = "P = <b>100%</b>: right on every line and at every point that was looked at."
    elif best.error == 0.0:
        text = (
            f"P = <b>{100 * best.p:.7f}%</b>, exactly: of two numbers only the angle matters, and "
            f"the weights tell at which angles the answer changes. That costs as much as "
            f"{count(best.forwards)} draws."
        )
    else:
        text = f"P = <b>{100 * best.p:.3f}%</b> ± {100 * best.error:.2g}%, from the weights."
        text += _compared(best, session.curve[-1]) if session.curve else ""
    return f"{text} <span class='small'>Errors are root mean squares over {REPEATS} repeats.</span>"


def _compared(best: Known, last: Errors) -> str:
    drawn = _binomial(best.p, last.forwards)
    text = (
        f" For the operations of {count(last.forwards)} draws the estimate from the weights has an "
        f"error of {100 * last.weights:.2g}%, the draws one of {100 * drawn:.2g}%"
    )
    if last.weights < drawn:
        times = small((drawn / max(last.weights, best.error)) ** 2)
        least = " at least" if last.weights < 2.0 * best.error else ""
        text += f"; draws need{least} {times} times the operations for as small an error."
    else:
        text += ": <b>here draws are better</b>."
    if not best.along:
        text += (
            " One of so many numbers tells too little to be worth its price: the network is run, "
            "at the points of a lattice instead of at random ones."
        )
    return text


def _noise(session: TinySession, dark: bool, height: int) -> Figure:
    best, noise = session.known, float(session.noise)
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
        return "Under way." if session.running(BENT) else ""
    (_, first), (noise, last) = session.bent[0], session.bent[-1]
    return (
        f"As trained the network is right on {100 * first:.0f}% of the inputs, with noise "
        f"{noise:g} on {100 * last:.0f}%. All of it is read off the weights; from left to right "
        "the same noise grows. The dot is the network that the slider makes."
    )


TINY = Laboratory(
    name="tiny",
    title="Tiny networks",
    about="A few ReLUs read numbers one by one, and point at one of them, or say their median to "
    "within a tenth. On what share of all inputs are they right? Instead of trying inputs, the "
    "share is read off the weights: given the other numbers, the last one is followed in closed "
    "form.",
    session=TinySession,
    controls=("network", Slider("noise", 0.0, 1.0), "seed"),
    actions=(Action("Measure", "measure", "All of it once more.", True),),
    blocks=(
        Chart("What does it cost to know?", _errors, "errors", _say_errors, 360),
        Chart("How much noise do the weights bear?", _noise, "noise", _say_noise, 300),
    ),
)
