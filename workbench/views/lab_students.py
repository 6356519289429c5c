"""The laboratory of students without data: moments from the weights, against moments of draws."""

from workbench.numbers import milliseconds, small
from workbench.views.compute_plots import Course, against_compute
from workbench.views.lab import Action, Chart, Laboratory
from workbench.views.students_session import JOB, REPEATS, Fit, StudentsSession
from workbench.views.style import Figure, blank, colour, symbol

ROWS = {
    "covariance": "moments", "augmented": "moments_augmented", "cumulant": "moments_cumulant",
}  # fmt: skip
"""{propagator: the row whose accent it has}."""
DRAWS = "monte_carlo"
SAME = 1.2
"""Ratio of two CPU times up to which neither is called the shorter."""


def _excess(session: StudentsSession, dark: bool, height: int) -> Figure:
    found = session.standing
    if found is None:
        return blank(dark, height, "Computing …" if session.running(JOB) else "Not started yet.")
    drawn = found.drawn
    courses = [
        Course(
            "draws", [1e3 * f.seconds for f in drawn], [f.excess for f in drawn],
            colour(DRAWS), symbol(DRAWS),
        ),
        *[
            Course(name, [1e3 * f.seconds], [f.excess], colour(ROWS[name]), symbol(ROWS[name]), "")
            for name, f in found.propagated.items()
        ],
    ]  # fmt: skip
    return against_compute(
        courses, found.floor, "CPU time, ms", "excess error / teacher's variance", dark, height
    )


def until(drawn: tuple[Fit, ...], excess: float) -> float:
    """Seconds after which draws have so small an excess, which falls as 1 / n.

    Between two sizes on the line that joins them in the chart, beyond the last by that law.
    """
    before = drawn[0]
    for fit in drawn:
        if fit.excess <= excess:
            if fit is before:
                return fit.seconds
            share = (before.excess - excess) / (before.excess - fit.excess)
            return before.seconds + share * (fit.seconds - before.seconds)
        before = fit
    return before.seconds * before.excess / excess


def _say(session: StudentsSession) -> str:
    found = session.standing
    if found is None:
        return ""
    lines = [
        f"The best possible readout misses {found.least:.2g} of the teacher's variance; the excess "
        "is what another one misses beyond that."
    ]
    if not session.running(JOB):
        lines += [_judged(name, fit, found.drawn, found.floor)
                  for name, fit in found.propagated.items()]  # fmt: skip
        if session.hidden == 1:
            lines.append(
                "With one hidden layer the propagated moments are exact: draws only come close."
            )
        else:
            last = max(until(found.drawn, fit.excess) for fit in found.propagated.values())
            lines.append(
                "<b>Where it loses:</b> beyond one hidden layer the moments are approximate, and "
                f"no further compute mends that. From {milliseconds(1e3 * last)} ms on draws are "
                "the best."
            )
    lines.append(
        f"<span class='small'>Each mark of draws is the mean over {REPEATS} students. CPU times "
        "are those of one thread on this machine.</span>"
    )
    return "<br>".join(lines)


def _judged(name: str, fit: Fit, drawn: tuple[Fit, ...], floor: float) -> str:
    after = until(drawn, max(fit.excess, floor))
    unseen = fit.excess < 2.0 * floor
    text = (
        f"<b>{name}</b>: an excess of {fit.excess:.2g} in {milliseconds(1e3 * fit.seconds)} ms; "
        f"draws get there in {'more than ' if unseen else ''}{milliseconds(1e3 * after)} ms"
    )
    times = after / fit.seconds
    if times > SAME:
        return f"{text}, {small(times)} times as long."
    if times * SAME > 1.0:
        return f"{text}, in about the same time."
    return f"{text}: <b>draws are better</b>."


STUDENTS = Laboratory(
    name="students",
    title="Students without data",
    about="A narrow student imitates a wide teacher. Its hidden layers are random; the readout "
    "closest to the teacher follows from the covariances of its neurons with one another and with "
    "the teacher's outputs. These moments come from the weights alone, or from draws.",
    session=StudentsSession,
    controls=("width", "hidden", "seed"),
    actions=(Action("Fit", "fit", "Fit and time all students again.", True),),
    blocks=(Chart("What does a good student cost?", _excess, "excess", _say, 380, share=0.62),),
)
