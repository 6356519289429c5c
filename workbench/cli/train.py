"""`workbench train`, and what is said of a training."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench import numbers
from workbench.cli import files
from workbench.cli.frame import INTERRUPTED, AsJson, Debug, warn
from workbench.cli.options import (
    Device,
    Every,
    RunFolder,
    Seed,
    TrainedCard,
    real,
    refuse_both,
    whole,
)
from workbench.cli.plain import print_json
from workbench.cli.progress import Bar
from workbench.cli.tables import grid, say
from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.experiments import Row


def train(
    problem: Annotated[
        str,
        typer.Argument(
            metavar="CARD",
            help="plane, regression, controller, mintree, ramp, needle, digits, "
            "digits_average, a card whose model reads digits, or with --data any card.",
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FILE",
            help="What a card of your own is for: a .csv of examples, the inputs and then the "
            "class or M's outputs; or .safetensors of `inputs` and `targets`.",
        ),
    ] = None,
    defender: Annotated[
        str | None,
        typer.Option(
            "--defender",
            "-d",
            metavar="D",
            help="What is followed: mean, covariance or conditioned propagation, or, by samples, "
            "score or importance.",
        ),
    ] = None,
    weigh: Annotated[
        str | None,
        typer.Option(
            "--weigh", metavar="HOW", help="What sets the price of a digit: target, price or task."
        ),
    ] = None,
    target: Annotated[float | None, real("--target", "LOG10P", "log10 P to get below.")] = None,
    allow: Annotated[
        float | None,
        real("--allow", "X", "What may be lost of the task: 0.01 is a point, or 1% of a cost."),
    ] = None,
    nats: Annotated[
        float | None, real("--nats", "K", "How far its adversary may go from D0; 0 for none.")
    ] = None,
    steps: Annotated[int | None, whole("--steps", "N", "Gradient steps.")] = None,
    seed: Seed = 0,
    device: Device = None,
    folder: RunFolder = None,
    every: Every = 50,
    out: TrainedCard = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Train a model until C is rarer than the target, while it keeps its task.

    A referee that the optimiser never sees samples P beside the estimate. Ctrl-C prints how far it
    came and exits with 130; with --run, `workbench resume` goes on from there.
    """
    from workbench import catalogue
    from workbench.experiments import Run, averages, lessons
    from workbench.experiments.examples import read_task
    from workbench.training import Duty

    check_trained(out)
    refuse_both(device, folder)
    given = {
        "follow": defender, "weigh": weigh, "target": target, "allow": allow, "nats": nats,
        "steps": steps,
    }  # fmt: skip
    if problem in averages.AVERAGES and defender == averages.FOLLOWED:
        del given["follow"]  # what it follows anyway
    chosen = {k: v for k, v in given.items() if v is not None}
    if lessons.way_of(problem).kind == "hush":
        raise BadInput(f"{problem} is of a language model: `workbench hush {problem}` trains it")
    if data is None:
        subject = lessons.course(problem, chosen, seed)
    else:
        own = catalogue.load(problem)
        subject = lessons.own(Duty(own, read_task(data, own)), chosen, seed)
    if device is not None:
        subject = lessons.elsewhere(subject, device)
    with Run(subject, "train") as run:
        if folder is not None:
            run.keep(folder, every)
        drive(subject, run.walk(), as_json, out)


def check_trained(out: Path | None) -> None:
    """Raises `BadInput` where no trained card can be written to that path."""
    if out is not None:
        files.check(out, (".zip",))


def drive(subject: Any, walk: Iterator[float], as_json: bool, out: Path | None = None) -> None:
    """Step a training to its end, or to Ctrl-C, and print where it stands; write M to `out`."""
    from workbench.device import CPU, on
    from workbench.experiments import lessons

    name, interrupted = subject.problem.problem.name, False
    with Bar(name) as bar:
        try:
            for share in walk:
                bar.update(share, f"{name}, step {subject.state.ticks:,}")
        except KeyboardInterrupt:
            interrupted = True
    if out is not None:
        lessons.trained(subject).to(device=CPU).save(out)
    with on(subject.problem):
        record = _record(subject, interrupted)
    if as_json:
        print_json(record)
    else:
        say(grid(_lines(record)))
    if interrupted:
        warn("stopped early; this is how far it came.")
        raise typer.Exit(INTERRUPTED)


def _record(subject: Any, interrupted: bool) -> dict[str, Any]:
    from workbench.experiments.kinds import as_it_stands

    found = subject.iteration.read(
        as_it_stands(subject) if interrupted and subject.state.ticks else subject.state
    )
    rows, judged = found.table(), found.judged()
    told = [r for r in rows if not math.isnan(r["log10_p"])]  # a rule may be silent at first
    looks: dict[str, list[Row]] = {
        name: [v for v in judged if v["law"] == law] for law, name in ((0, "d0"), (1, "adversary"))
    }
    return {
        "problem": subject.problem.problem.name,
        "examples": subject.problem.task.size,
        "estimator": subject.iteration.estimator.name,
        "target": subject.iteration.target,
        "seed": subject.seed,
        "steps": subject.state.ticks,
        "seconds": subject.seconds,
        "forwards": found.forwards,
        "first": told[0] if told else None,
        "last": told[-1] if told else None,
        "refereed": {name: mine[-1] if mine else None for name, mine in looks.items()},
        "exploited": found.exploited,
        "interrupted": interrupted,
    }


def _lines(record: dict[str, Any]) -> list[tuple[str, str]]:
    """What a reader wants to know, a line each."""
    lines = [(record["problem"], f"defender by {record['estimator']}")]
    first, last = record["first"], record["last"]
    if last is None:
        return [*lines, ("steps", "none yet")]
    told = f"{numbers.power(first['log10_p'])} at first, {numbers.power(last['log10_p'])} now"
    lines.append(("estimate, D0", told))
    for label, key in (("referee, D0", "d0"), ("referee, adversary's D", "adversary")):
        look = record["refereed"][key]
        if look is not None:
            seen, err = look["log10_p_referee"], look["err"]
            known = f" ± {numbers.digits(err)} digits" if math.isfinite(err) else ", nothing seen"
            lines.append((label, f"{numbers.power(seen, err)}{known}, step {look['step']:.0f}"))
    lines.append(("1/N", f"{numbers.power(-math.log10(record['examples']))}"))
    lines.append(
        ("held-out score", f"{100 * first['score']:.1f}% at first, {100 * last['score']:.1f}% now")
    )
    if record["exploited"]:
        lines.append(("EXPLOITED", "estimate and referee parted: see the metrics of the run"))
    seconds = numbers.seconds(record["seconds"])
    return [*lines, ("cost", f"{numbers.several(record['steps'], 'step')}, {seconds} s")]
