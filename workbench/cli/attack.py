"""`workbench attack`."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench import numbers
from workbench.cli import settings
from workbench.cli.estimate import cost_text
from workbench.cli.frame import AsJson, Debug
from workbench.cli.options import (
    Device,
    Every,
    ProblemName,
    RunFolder,
    Seed,
    assigned,
    real,
    refuse_both,
    whole,
)
from workbench.cli.plain import print_json
from workbench.cli.searching import ended, searched
from workbench.cli.tables import grid, say
from workbench.errors import BadInput, Unsupported

if TYPE_CHECKING:
    from workbench.adversaries import Attack, Region

_WORTH = -100.0
"""log10 of the least bound that is worth a line."""

CHECK = 50_000
"""Forward passes of the check, unless told otherwise."""


def attack(
    problem: ProblemName,
    family: Annotated[
        str, typer.Option("--family", metavar="F", help="`list families` names them.")
    ] = "shifted",
    assignments: Annotated[list[str] | None, assigned("family")] = None,
    nats: Annotated[float | None, real("--nats", "K", "KL(D || D0) at most; 4 by default.")] = None,
    ball: Annotated[
        float | None,
        real("--ball", "R", "Instead: the mean moves by at most R standard deviations."),
    ] = None,
    box: Annotated[
        float | None,
        real(
            "--box", "W", "Instead: no coordinate of the mean by more than W standard deviations."
        ),
    ] = None,
    steps: Annotated[int, whole("--steps", "N", "At most, a restart.")] = 40,
    restarts: Annotated[int, whole("--restarts", "R", "Starts.")] = 1,
    optimiser: Annotated[
        str, typer.Option("--optimiser", metavar="O", help="auto, natural, adam, ...")
    ] = "auto",
    estimator: Annotated[
        str,
        typer.Option(
            "--estimator",
            "-e",
            metavar="E",
            help="One with a gradient; settings as in 'conditioned[search=fitted]'.",
        ),
    ] = "conditioned",
    scout: Annotated[
        str | None,
        typer.Option("--scout", metavar="E", help="One with a cheaper gradient that climbs first."),
    ] = None,
    seed: Seed = 0,
    check: Annotated[int, whole("--check", "FORWARDS", "Of the check's samplers.")] = CHECK,
    device: Device = None,
    folder: RunFolder = None,
    every: Every = 50,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Search the distribution D near D0 on which C is likeliest, and check it by sampling.

    Ctrl-C ends the search and reports the best D so far; with --run, `workbench resume` goes on.
    """
    from workbench import catalogue
    from workbench.adversaries import Adversary
    from workbench.experiments import Run, pursuit

    if check < 1:
        raise BadInput(f"--check takes forward passes, at least one, got {check}")
    adversary = Adversary(
        settings.build_family(family, assignments or []), _region(nats, ball, box),
        settings.build_written(estimator), optimiser, steps=steps, restarts=restarts,
        scout=None if scout is None else settings.build_written(scout),
    )  # fmt: skip
    refuse_both(device, folder)
    chosen = catalogue.load(problem)
    chosen = chosen if device is None else chosen.to(device=device)
    subject = pursuit(chosen, adversary, seed)
    if folder is None:
        drive(subject, subject.walk(), as_json, check)
        return
    with Run.start(folder, "attack", subject, every) as run:
        drive(subject, run.walk(), as_json, check)


def _region(nats: float | None, ball: float | None, box: float | None) -> "Region":
    """The one trust region that was asked for; KL of 4 nats where none was."""
    from workbench.adversaries import KL, Ball, Cube

    asked = [
        kind(float(size))
        for kind, size in ((KL, nats), (Ball, ball), (Cube, box))
        if size is not None
    ]
    if len(asked) > 1:
        raise BadInput("a search has one trust region: use one of --nats, --ball, --box")
    return asked[0] if asked else KL()


def drive(subject: Any, walk: Iterator[float], as_json: bool, check: int = CHECK) -> None:
    """Step a search to the end, or to Ctrl-C; check and print what it found."""
    from workbench.device import on

    label = f"{subject.problem.name}: {subject.iteration.family.name} adversary"
    found, interrupted = searched(
        subject, walk, label, lambda: f"{label}, {subject.state.forwards:,} forwards"
    )
    with on(subject.problem):
        found = found.check(subject.state.rng.child("check"), check)
        if as_json:
            print_json({**found.record(), "seed": subject.seed, "interrupted": interrupted})
        else:
            say(grid(_lines(found)))
    ended(interrupted)


def _nearest(found: "Attack") -> str:
    """How far the likeliest failure lies from the centre of D, where a search finds it."""
    try:
        nearest = found.design_point()
    except Unsupported:
        return ""
    if nearest is None:
        return ""
    if nearest.distance == 0.0:
        return "the centre of D itself is a failure"
    return f"the likeliest failure lies {nearest.distance:.2f} standard deviations from D's centre"


def _lines(found: "Attack") -> list[tuple[str, str]]:
    """What a reader wants to know, a line each."""
    from workbench.distributions import Sampleable

    assert found.checked is not None
    err = found.checked.log10_err
    seen = numbers.power(found.checked.log10_p, err)
    if err is not None and math.isfinite(err):
        seen += f" ± {numbers.digits(err)} digits"
    spent = f"{found.nats:.4g}" + (f" ± {found.nats_err:.2g}" if found.nats_err else "")
    lines = [
        (found.problem.name, f"{found.family} adversary"),
        ("under D0", numbers.power(found.log10_p_reference)),
        ("under D", f"{numbers.power(found.log10_p)}   (estimate)"),
        ("checked", seen),
        ("spent", f"{spent} nats; the next one brings {found.found.price:.2g} nats of log P"),
    ]
    if isinstance(found.distribution, Sampleable):
        ways = ", ".join(f"{mode.told} ({mode.share:.0%})" for mode in found.modes())
        lines.append(("failures", ways or "none among 4,096 draws"))
    nearest = _nearest(found)
    if nearest:
        lines.append(("nearest", nearest))
    bound = found.record()["bound_lower_log10"]
    if bound is not None and bound > _WORTH:
        lines.append(("proves", f"P under D0 is at least {numbers.power(bound)} (97.5%)"))
    if found.warning:
        lines.append(("beware", found.warning))
    lines.append(("cost", cost_text(found.cost.forwards, found.cost.seconds)))
    return lines
