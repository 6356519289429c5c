"""`workbench hush`: train a language model until it hardly ever writes a word."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench import numbers
from workbench.cli.frame import INTERRUPTED, AsJson, Debug, warn
from workbench.cli.options import (
    Device,
    Every,
    ProblemName,
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
from workbench.cli.train import check_trained


def hush(
    problem: ProblemName,
    nats: Annotated[float, real("--nats", "K", "How far the worst prompts may go.")] = 4.0,
    growth: Annotated[
        float, real("--growth", "G", "Of the perplexity, at most; 0.02 is two percent.")
    ] = 0.02,
    steps: Annotated[int, whole("--steps", "N", "Gradient steps.")] = 60,
    seed: Seed = 0,
    device: Device = None,
    folder: RunFolder = None,
    every: Every = 10,
    out: TrainedCard = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Train the language model of a problem `L_*` away from its word, its perplexity kept.

    Ctrl-C judges the best model so far; with --run, `workbench resume` goes on.
    """
    from workbench import catalogue
    from workbench.experiments import Run
    from workbench.experiments.kinds import hushing
    from workbench.training.hush import Hush

    check_trained(out)
    refuse_both(device, folder)
    chosen, text = Hush(nats=nats, growth=growth, steps=steps), catalogue.load(problem)
    text = text if device is None else text.to(device=device)
    subject = hushing(text, chosen, seed)
    with Run(subject, "hush") as run:
        if folder is not None:
            run.keep(folder, every)
        drive(subject, run.walk(), as_json, out)


def drive(subject: Any, walk: Iterator[float], as_json: bool, out: Path | None = None) -> None:
    """Step to the end, or to Ctrl-C; print what became of P and of the perplexity, write M."""
    from workbench.device import CPU, on
    from workbench.experiments import lessons
    from workbench.experiments.kinds import as_it_stands

    name, interrupted = subject.problem.name, False
    with Bar(name) as bar:
        try:
            for share in walk:
                bar.update(share, f"{name}, step {subject.state.ticks}")
        except KeyboardInterrupt:
            interrupted = True
    if interrupted and not subject.state.ticks:
        warn("stopped before the first step was done: nothing is trained yet.")
        raise typer.Exit(INTERRUPTED)
    state = as_it_stands(subject) if interrupted else subject.state
    with on(subject.problem):
        found = subject.iteration.report(subject.problem, state)
        made = None if out is None else lessons.trained(subject, state.best)
    if out is not None and made is not None:
        made.to(device=CPU).save(out)
    if as_json:
        print_json({
            "problem": name, "seed": subject.seed, "steps": subject.state.ticks,
            "seconds": subject.seconds, "log10_p": found.log10_p,
            "log10_p_adversary": found.log10_p_adversary, "growth": found.growth,
            "interrupted": interrupted,
        })  # fmt: skip
    else:
        own, adverse = (
            f"{numbers.power(pair[0])} at first, {numbers.power(pair[1])} now, exactly"
            for pair in (found.log10_p, found.log10_p_adversary)
        )
        took = numbers.seconds(subject.seconds)
        say(grid([
            (name, f"{numbers.several(subject.state.ticks, 'step')}, {took} s"),
            ("its own prompts", own), ("the worst prompts", adverse),
            ("perplexity", f"{found.growth - 1.0:+.2%}"),
        ]))  # fmt: skip
    if interrupted:
        warn("stopped early; this is how far it came.")
        raise typer.Exit(INTERRUPTED)
