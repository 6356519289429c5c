"""`workbench estimate`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench import numbers
from workbench.cli import settings
from workbench.cli.frame import INTERRUPTED, AsJson, Debug, warn
from workbench.cli.options import (
    Device,
    Every,
    Forwards,
    ProblemName,
    RunFolder,
    Seconds,
    Seed,
    assigned,
    refuse_both,
)
from workbench.cli.plain import print_json
from workbench.cli.progress import Bar
from workbench.cli.tables import grid, say

if TYPE_CHECKING:
    from workbench.estimators import Estimate
    from workbench.experiments import Attempt


def estimate(
    problem: ProblemName,
    estimator: Annotated[
        str | None,
        typer.Option(
            "--estimator",
            "-e",
            metavar="NAME",
            help="`list estimators` names them; by default conditioned, or what D asks for.",
        ),
    ] = None,
    assignments: Annotated[list[str] | None, assigned("estimator")] = None,
    budget: Forwards = None,
    seconds: Seconds = None,
    seed: Seed = 0,
    single: Annotated[
        bool, typer.Option("--float32", help="In single precision.", show_default=False)
    ] = False,
    device: Device = None,
    folder: RunFolder = None,
    every: Every = 50,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Estimate log P of one problem with one estimator.

    Where none is named it is conditioned, as in most cases; ratio, leaves, transitions, partition,
    mean_field or last_input where D or C is of the kind that they are made for; or else a sampler.
    Ctrl-C prints the best estimate so far and exits with 130; with --run, `workbench resume` goes
    on from there.
    """
    from workbench import catalogue
    from workbench.estimators import first_choice
    from workbench.experiments import Attempt

    method = settings.build(estimator, assignments or []) if estimator else None
    chosen = catalogue.load(problem)
    if method is None:
        method = settings.build(first_choice(chosen).name, assignments or [])
    refuse_both(device, folder)
    if single or device is not None:
        import torch

        chosen = chosen.to(torch.float32 if single else None, device)
    attempt = Attempt(chosen, method, settings.budget_of(budget, seconds), seed)
    if folder is None:
        drive(attempt, attempt.walk(), as_json)
        return
    from workbench.experiments import Run

    with Run.start(folder, "estimate", attempt, every) as run:
        drive(attempt, run.walk(), as_json)


def drive(attempt: "Attempt", walk: Iterator[float], as_json: bool) -> None:
    """Step an attempt to the end, or to Ctrl-C, and print what it found."""
    interrupted, label = False, f"{attempt.problem.name}: {attempt.estimator.name}"
    with Bar(label) as bar:
        try:
            for share in walk:
                bar.update(share, f"{label}, {attempt.state.forwards:,} forwards")
        except KeyboardInterrupt:
            interrupted = True
    if interrupted and not attempt.started:
        warn("stopped before the first step was done: there is no estimate yet.")
        raise typer.Exit(INTERRUPTED)
    found = attempt.estimate()
    if as_json:
        print_json(_record(attempt, found, interrupted))
    else:
        say(grid(_lines(attempt, found)))
    if interrupted:
        warn("stopped early; this is the best estimate so far.")
        raise typer.Exit(INTERRUPTED)


def _record(attempt: "Attempt", found: "Estimate", interrupted: bool) -> dict[str, Any]:
    info = dict(found.info)
    if found.log10_interval is not None:
        info["log10_interval"] = found.log10_interval
    if interrupted:
        info["interrupted"] = True
    return {
        "problem": attempt.problem.name,
        "estimator": attempt.estimator.name,
        "settings": attempt.estimator.settings(),
        "kind": found.kind,
        "log_p": float(found.log_p.detach()),
        "log10_p": found.log10_p,
        "log_err": found.log_err,
        "forwards": found.cost.forwards,
        "flops": found.cost.flops,
        "seconds": found.cost.seconds,
        "seed": attempt.seed,
        "info": info,
    }


def _lines(attempt: "Attempt", found: "Estimate") -> list[tuple[str, str]]:
    """What a reader wants to know, a line each."""
    from workbench.experiments import error_in_digits

    truth, error = attempt.problem.truth, found.log10_err
    value = numbers.power(found.log10_p, error)
    if error is not None and error < float("inf"):
        value += f" ± {numbers.digits(error)} digits"
    elif error is None:
        value += f"   (no error bar; {found.doubt})" if found.doubt else "   (no error bar)"
    lines = [
        (attempt.problem.name, f"{attempt.estimator.name}, {found.kind}"),
        ("estimate", value),
    ]
    interval = found.log10_interval
    if interval is not None:
        low, high = (numbers.power(end, error) for end in interval)
        lines.append(("95% interval", f"{low} to {high}"))
    if truth is not None:
        lines.append(("truth", truth_text(truth.log10_p, truth.se_log10)))
        off = error_in_digits(found.log10_p, truth.log10_p)
        lines.append(("error", error_text(off, error)))
    if found.warning:
        lines.append(("beware", found.warning))
    lines.append(("cost", cost_text(found.cost.forwards, found.cost.seconds)))
    return lines


def truth_text(log10_p: float, se: float) -> str:
    """A reference value with its own error."""
    return f"{numbers.power(log10_p, se)} " + (f"± {numbers.digits(se)}" if se else "(exact)")


def error_text(off: float, claimed: float | None) -> str:
    """An error in digits, in words where there is no number."""
    text = numbers.signed(off, claimed)
    return "blind: it saw no event" if text == "blind" else f"{text} digits"


def cost_text(forwards: int, seconds: float) -> str:
    """Forward passes and seconds."""
    return f"{numbers.several(forwards, 'forward pass')}, {numbers.seconds(seconds)} s"
