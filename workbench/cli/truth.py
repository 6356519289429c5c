"""`workbench truth`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench import numbers
from workbench.cli.estimate import cost_text, error_text, truth_text
from workbench.cli.frame import INTERRUPTED, AsJson, Debug, warn
from workbench.cli.options import ProblemName, Seed, whole
from workbench.cli.plain import print_json
from workbench.cli.progress import Bar
from workbench.cli.tables import grid, say, table
from workbench.errors import BadInput, NotConverged

if TYPE_CHECKING:
    from workbench.experiments.evidence import Evidence
    from workbench.problem import Problem, Truth


def truth(
    problem: ProblemName,
    budget: Annotated[
        int | None,
        whole("--budget", "FORWARDS", "Forward passes of M in all; 1,000,000 by default."),
    ] = None,
    seed: Seed = 0,
    store: Annotated[
        bool,
        typer.Option(
            "--store", show_default=False, help="Write the answer into the card, with what made it."
        ),
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """The best reference value of one problem: exact, or what independent samplers agree on.

    Where D is only recognised, it is the ratio of two such values on its base.
    Ends with exit code 2 where they differ by more than 4 standard errors.
    """
    from workbench import catalogue
    from workbench.distributions import Recognised
    from workbench.experiments import reference as best
    from workbench.problem.codec import store_over

    triple = catalogue.load(problem)
    if store and triple.truth is not None and triple.truth.se_log10 == 0.0:
        raise BadInput(f"the truth that {triple.name} holds is exact: nothing better can be stored")
    card = _card_of(problem) if store else Path()
    spend = best.DEFAULT_BUDGET if budget is None else budget
    evidence, found, refusal = None, None, None
    with Bar(triple.name) as bar:
        try:
            if isinstance(triple.distribution, Recognised):
                found = best.best_truth(triple, spend, seed, report=bar.update)
            else:
                evidence = best.gather(triple, spend, seed, report=bar.update)
        except KeyboardInterrupt:
            warn("stopped early; a truth takes all methods to their end.")
            raise typer.Exit(INTERRUPTED) from None
    if evidence is not None:
        try:
            found = best.conclude(evidence, triple, spend, seed)
        except NotConverged as error:
            refusal = error
    path = None
    if store and found is not None:
        if found.log10_p == float("-inf"):
            raise BadInput(f"{triple.name} has P = 0, and a card holds a finite log10 P")
        path = store_over(replace(triple, truth=found), card)
    if as_json:
        print_json(_record(triple, evidence, found, refusal, path))
    else:
        _show(triple, evidence, found, path)
    if refusal is not None:
        raise refusal


def _card_of(problem: str) -> Path:
    """The card of that name or path. Raises `BadInput` where the problem has none."""
    from workbench import catalogue

    if problem in catalogue.names():
        return catalogue.data_folder() / "problems" / f"{problem}.json"
    if not Path(problem).exists():
        raise BadInput(f"{problem} has no card of its own to store a truth in: save one first")
    return Path(problem)


def _record(
    triple: "Problem",
    evidence: "Evidence | None",
    found: "Truth | None",
    refusal: NotConverged | None,
    path: Path | None,
) -> dict[str, Any]:
    known = triple.truth
    told: dict[str, Any] = {
        "problem": triple.name,
        "truth": found and {
            "log10_p": found.log10_p, "se_log10": found.se_log10, "method": found.method,
            "provenance": found.provenance,
        },
        "known": known and {"log10_p": known.log10_p, "se_log10": known.se_log10},
        "stored": path,
    }  # fmt: skip
    if evidence is None:  # the parts stand in the provenance
        return told
    return told | {
        "answers": [a.row() for a in evidence.answers],
        "exact": evidence.exact,
        "hits": evidence.hits,
        "draws": evidence.draws,
        "modes": evidence.mode_shares,
        "missed": list(evidence.missed),
        "cautions": list(evidence.cautions),
        "refused": evidence.refused,
        "reason": None if refusal is None else str(refusal),
    }


def _show(
    triple: "Problem", evidence: "Evidence | None", found: "Truth | None", path: Path | None
) -> None:
    lines: list[tuple[str, str]] = []
    if evidence is not None:
        lines = _evidence(evidence)
    elif found is not None:
        parts = found.provenance["estimates"]
        lines = [(part["event"], f"{_part(part)}, {part['method']}") for part in parts]
    if found is not None:
        lines.append(("truth", truth_text(found.log10_p, found.se_log10)))
        known = triple.truth
        if known is not None:
            lines.append(("the card says", truth_text(known.log10_p, known.se_log10)))
            lines.append(("difference", error_text(found.log10_p - known.log10_p, found.se_log10)))
    if evidence is not None:
        forwards = sum(a.forwards for a in evidence.answers)
        lines.append(("cost", cost_text(forwards, sum(a.seconds for a in evidence.answers))))
    if path is not None:
        lines.append(("stored in", str(path)))
    say(grid(lines))


def _part(part: dict[str, Any]) -> str:
    """One of the two probabilities that a ratio is of."""
    return truth_text(part["log10_p"], part["se_log10"])


def _evidence(evidence: "Evidence") -> list[tuple[str, str]]:
    """Prints what every method says; the lines of what is to be known beside it."""
    from workbench.bench import Column

    columns = (
        Column("method", "method"),
        Column("log10_p", "estimate", "power", "log10_err"),
        Column("log10_err", "error", "digits"),
        Column("forwards", "forwards", "count"),
        Column("seconds", "seconds", "seconds"),
        Column("doubt", "left out because"),
    )
    if evidence.answers:
        say(table(columns, [a.row() for a in evidence.answers]))
    lines: list[tuple[str, str]] = []
    if evidence.draws:
        lines.append(
            (
                "plain draws",
                f"{numbers.several(evidence.hits, 'failure')} in {numbers.count(evidence.draws)}",
            )
        )
    for method, shares in evidence.mode_shares.items():
        held = [f"{name} {share:.0%}" for name, share in shares.items() if share >= 0.005]
        if len(shares) > 1:
            lines.append((f"modes, {method}", ", ".join(held)))
    lines += [("beware", text) for text in (*evidence.missed, *evidence.cautions)]
    return lines + [(f"not {name}", why) for name, why in evidence.refused.items()]
