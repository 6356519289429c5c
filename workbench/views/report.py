"""A run folder as one HTML page that needs no network: what ran, what it found, and from what."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from workbench.adversaries.sources import Tilted
from workbench.errors import BadInput
from workbench.experiments import Folder, Row, beware
from workbench.experiments.kinds import kind_of
from workbench.html import facts, power, prose
from workbench.numbers import places, seconds, several
from workbench.views import (
    adversary_plots,
    html_page,
    train_hush_plots,
    train_hush_words,
    train_plots,
    train_words,
)
from workbench.views.style import Figure, axis, colour, ink, layout, power_ticks, window

_HEIGHT = 340


def page(place: str | Path) -> str:
    """The report of a run: its sentence, curves, problem, settings and provenance.

    Args:
        place: a run folder; it may still be running, and counts up to its last checkpoint.

    Raises:
        BadInput: where there is no run, or none of its steps has an answer yet.
        StaleRun: where it was truncated, altered, or made by a newer workbench.
    """
    folder = Folder.look(place)
    kind = kind_of(folder.kind)
    subject = kind.rebuild(folder.config, folder.file)
    subject.state, subject.seconds = folder.state(type(subject.state)), folder.mark.seconds
    rows = [row for row in folder.rows if row.get("log10_p") is not None]
    if not rows:
        raise BadInput(f"{place} has no answer yet: go on with it by `workbench resume`")
    say, draw = _KINDS[kind.name]
    figures = [figure for figure in draw(folder, rows, subject) if figure["data"]]
    parts = [
        f"<h1>{escape(kind.title(folder.config))}</h1>",
        f"<p>{say(folder, rows, subject)}</p>",
        *[html_page.plot(figure, i == 0) for i, figure in enumerate(figures)],
        "<h2>Problem</h2>", getattr(subject.problem, "problem", subject.problem)._repr_html_(),
        "<h2>Settings</h2>", _settings(folder.config),
        "<h2>Provenance</h2>", _provenance(folder),
    ]  # fmt: skip
    return html_page.page(kind.title(folder.config), parts)


def _estimate_words(folder: Folder, rows: Sequence[Row], subject: Any) -> str:
    """What was found, what it promises, and what the estimate itself warns of."""
    found, config = subject.estimate(), folder.config
    value = power(found.log10_p, places(found.log10_err))
    spread = f" ({found.kind}, no error bar)" if found.log10_err is None else ""
    if found.log10_interval is not None:
        low, high = (power(end) for end in found.log10_interval)
        spread = f" (95% interval {low} to {high})"
    said = (
        f"By <b>{escape(config['estimator'])}</b>, <b>P = {value}</b>{spread}, from "
        f"{several(found.cost.forwards, 'forward pass')} of the model; seed {config['seed']}."
    )
    doubt = beware(
        {"log10_p": found.log10_p, "log10_err": found.log10_err, "warning": found.warning}
    )
    return f"{said} <span class='bad'>Beware: {prose(doubt)}.</span>" if doubt else said


def _estimate_figures(folder: Folder, rows: Sequence[Row], subject: Any) -> list[Figure]:
    """log10 P against forward passes, with its 95% interval, and the stored truth."""
    seen = [row for row in rows if math.isfinite(row["log10_p"])]
    if len(seen) < 2:
        return []
    x, y = [row["forwards"] for row in seen], [row["log10_p"] for row in seen]
    ends = [(row["log10_low"], row["log10_high"]) for row in seen]
    tone = colour(folder.config["estimator"])
    data: list[Figure] = []
    held = [(n, a, b) for n, (a, b) in zip(x, ends, strict=True) if a is not None and a > -math.inf]
    if held:
        around = [n for n, _, _ in held] + [n for n, _, _ in reversed(held)]
        edge = [b for _, _, b in held] + [a for _, a, _ in reversed(held)]
        data.append({
            "type": "scatter", "x": around, "y": edge, "fill": "toself", "mode": "lines",
            "line": {"width": 0}, "fillcolor": tone, "opacity": 0.2, "hoverinfo": "skip",
            "name": "95% interval",
        })  # fmt: skip
    data.append({"type": "scatter", "mode": "lines", "x": x, "y": y, "name": "estimate",
                 "line": {"color": tone, "width": 2}})  # fmt: skip
    truth = subject.problem.truth
    if truth is not None:
        data.append({
            "type": "scatter", "mode": "lines", "x": [x[0], x[-1]], "y": [truth.log10_p] * 2,
            "line": {"color": ink(False), "width": 1.4}, "name": "truth",
        })  # fmt: skip
    reach = window(y, [y[-1], *([truth.log10_p] if truth else [])])
    return [_chart(data, "forward passes", reach)]


def _chart(data: list[Figure], x: str, ends: tuple[float, float]) -> Figure:
    """These lines of log10 P between two ends of its axis, over what x is."""
    ticks, names = power_ticks(*ends)
    shape = layout(
        False, _HEIGHT, showlegend=True, xaxis=axis(False, title={"text": x}),
        yaxis=axis(False, range=[*ends], tickvals=ticks, ticktext=names, title={"text": "P"}),
    )  # fmt: skip
    return {"data": data, "layout": shape}


def _attack_words(folder: Folder, rows: Sequence[Row], subject: Any) -> str:
    last, family = rows[-1], subject.iteration.family.name
    start, end = power(last["log10_p_reference"]), power(last["log10_p_best"])
    return (
        f"Near D<sub>0</sub> the <b>{escape(family)}</b> adversary took P from {start} to "
        f"<b>{end}</b>, in {several(last['steps'], 'step')} and "
        f"{several(last['forwards'], 'forward pass')}. {_heard(folder.kind, subject)}"
    )


def _heard(kind: str, subject: Any) -> str:
    """Who says so, and who is to be quoted."""
    if isinstance(getattr(subject.iteration, "source", None), Tilted):
        return "Both are exact: sums over the transitions of D and M."
    return (
        f"So {_LISTENED[kind]}: quote what <code>workbench resume</code> on this folder prints as "
        "checked."
    )


def _attack_figures(folder: Folder, rows: Sequence[Row], subject: Any) -> list[Figure]:
    climbed = getattr(subject.iteration, "estimator", subject.iteration)
    return [adversary_plots.course(rows, (), climbed.name, subject.problem, height=_HEIGHT)]


def _train_words(folder: Folder, rows: Sequence[Row], subject: Any) -> str:
    task = subject.problem.task
    said = train_words.sentence(rows, task.measure, task.size)
    return f"{said} {train_words.exploited(rows)}"


def _train_figures(folder: Folder, rows: Sequence[Row], subject: Any) -> list[Figure]:
    task, target = subject.problem.task, subject.iteration.target
    return [
        train_plots.danger(rows, (), task.size, target, False, _HEIGHT),
        train_plots.task(rows, (), task.measure, False, _HEIGHT),
    ]


def _hush_words(folder: Folder, rows: Sequence[Row], subject: Any) -> str:
    hush = subject.iteration
    return train_hush_words.sentence(rows, hush.growth, hush.nats)


def _hush_figures(folder: Folder, rows: Sequence[Row], subject: Any) -> list[Figure]:
    return [
        train_hush_plots.danger(rows, (), False, _HEIGHT),
        train_hush_plots.perplexity(rows, (), subject.iteration.growth, False, _HEIGHT),
    ]


_LISTENED = {
    "attack": "says the estimator that was climbed, and an adversary finds its mistakes too",
    "attack_lm": "say the few texts of a step, and the best of many steps is lucky too",
}
_KINDS: dict[str, tuple[Callable[..., str], Callable[..., list[Figure]]]] = {
    "estimate": (_estimate_words, _estimate_figures),
    "attack": (_attack_words, _attack_figures),
    "attack_lm": (_attack_words, _attack_figures),
    "train": (_train_words, _train_figures),
    "hush": (_hush_words, _hush_figures),
}


def _settings(config: Mapping[str, Any]) -> str:
    def text(value: Any) -> str:
        return escape(value if isinstance(value, str) else json.dumps(value, default=str))

    return facts("", [(key, text(value)) for key, value in config.items()])


def _provenance(folder: Folder) -> str:
    mark = folder.mark
    lines = [
        ("standing", "finished" if mark.finished else "stopped, or still running"),
        ("steps", f"{mark.steps:,} in {seconds(mark.seconds)} s"),
        *[(name, escape(version)) for name, version in folder.manifest["versions"].items()],
        *[(name, f"<code>{digest}</code>") for name, digest in folder.manifest["files"].items()],
        (mark.state, f"<code>{mark.state_sha256}</code>"),
    ]
    return facts("What it was made of, and the SHA-256 of every file", lines)
