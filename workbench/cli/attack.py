"""`workbench attack`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench import numbers
from workbench.cli import settings
from workbench.cli.estimate import Every, ProblemName, RunFolder, Seed, cost_text
from workbench.cli.frame import INTERRUPTED, AsJson, Debug, warn
from workbench.cli.plain import print_json
from workbench.cli.progress import Bar
from workbench.cli.tables import grid, say

if TYPE_CHECKING:
    from workbench.adversaries import Attack

CHECK = 50_000
"""Forward passes of the check, unless told otherwise."""


def attack(
    problem: ProblemName,
    family: Annotated[
        str, typer.Option("--family", metavar="F", help="`list families` names them.")
    ] = "shifted",
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the family; repeatable."),
    ] = None,
    nats: Annotated[
        float,
        typer.Option("--nats", metavar="K", parser=settings.real, help="KL(D || D0) at most."),
    ] = 4.0,
    steps: Annotated[
        int, typer.Option("--steps", metavar="N", parser=settings.whole, help="At most, a restart.")
    ] = 40,
    restarts: Annotated[
        int, typer.Option("--restarts", metavar="R", parser=settings.whole, help="Starts.")
    ] = 1,
    optimiser: Annotated[
        str, typer.Option("--optimiser", metavar="O", help="auto, natural, adam, ...")
    ] = "auto",
    estimator: Annotated[
        str, typer.Option("--estimator", "-e", metavar="E", help="One with a gradient.")
    ] = "conditioned",
    seed: Seed = 0,
    check: Annotated[
        int,
        typer.Option(
            "--check", metavar="FORWARDS", parser=settings.whole, help="Of the check's samplers."
        ),
    ] = CHECK,
    folder: RunFolder = None,
    every: Every = 50,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Search the distribution D near D0 on which C is likeliest, and check it by sampling.

    Ctrl-C ends the search and reports the best D so far; with --run, `workbench resume` goes on.
    """
    from workbench import catalogue
    from workbench.adversaries import KL, Adversary
    from workbench.experiments import Run, pursuit

    adversary = Adversary(
        settings.build_family(family, assignments or []), KL(float(nats)),
        settings.build(estimator, []), optimiser, steps=steps, restarts=restarts,
    )  # fmt: skip
    subject = pursuit(catalogue.load(problem), adversary, seed)
    if folder is None:
        drive(subject, subject.walk(), as_json, check)
        return
    with Run.start(folder, "attack", subject, every) as run:
        drive(subject, run.walk(), as_json, check)


def drive(subject: Any, walk: Iterator[float], as_json: bool, check: int = CHECK) -> None:
    """Step a search to the end, or to Ctrl-C; check and print what it found."""
    adversary, interrupted = subject.iteration, False
    label = f"{subject.problem.name}: {adversary.family.name} adversary"
    with Bar(label) as bar:
        try:
            for share in walk:
                bar.update(share, f"{label}, {subject.state.forwards:,} forwards")
        except KeyboardInterrupt:
            interrupted = True
    if interrupted and not len(subject.state.path):
        warn("stopped before the first step was done: there is no D yet.")
        raise typer.Exit(INTERRUPTED)
    found = adversary.report(subject.problem, subject.state, subject.seconds)
    found = found.check(subject.state.rng.child("check"), check)
    if as_json:
        print_json({**found.record(), "seed": subject.seed, "interrupted": interrupted})
    else:
        say(grid(_lines(found)))
    if interrupted:
        warn("stopped early; this is the best D so far.")
        raise typer.Exit(INTERRUPTED)


def _lines(found: "Attack") -> list[tuple[str, str]]:
    """What a reader wants to know, a line each."""
    assert found.checked is not None
    err = found.checked.log10_err
    spent = f"{found.nats:.4g}" + (f" ± {found.nats_err:.2g}" if found.nats_err else "")
    lines = [
        (found.problem.name, f"{found.family} adversary"),
        ("under D0", numbers.power(found.log10_p_reference)),
        ("under D", f"{numbers.power(found.log10_p)}   (estimate)"),
        ("checked", f"{numbers.power(found.checked.log10_p, err)} ± {numbers.digits(err)} digits"),
        ("spent", f"{spent} nats; the next one brings {found.found.price:.2g} nats of log P"),
    ]
    bound = found.record()["bound_lower_log10"]
    if bound is not None:
        lines.append(("proves", f"P under D0 is at least {numbers.power(bound)} (97.5%)"))
    if found.warning:
        lines.append(("beware", found.warning))
    lines.append(("cost", cost_text(found.cost.forwards, found.cost.seconds)))
    return lines
