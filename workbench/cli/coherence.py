"""`workbench coherence`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench import numbers
from workbench.cli import settings
from workbench.cli.estimate import truth_text
from workbench.cli.frame import AsJson, Debug
from workbench.cli.options import ProblemName, assigned, whole
from workbench.cli.plain import print_json
from workbench.cli.progress import Bar
from workbench.cli.tables import grid, say
from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.coherence import Defect, Heat
    from workbench.problem import Problem


def coherence(
    problem: ProblemName,
    estimator: Annotated[
        str, typer.Option("--estimator", "-e", metavar="NAME", help="A deterministic one.")
    ] = "moments",
    assignments: Annotated[list[str] | None, assigned("estimator")] = None,
    probes: Annotated[
        int | None,
        whole("--probes", "K", "Random directions for the heat flow; all of D's by default."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """What a deterministic estimate owes, and how far off that says it may be; needs no truth.

    A great defect shows that the estimate is wrong. A small one is no bound on its error: what
    contradicts itself nowhere may still be off by digits.
    """
    from workbench import catalogue
    from workbench.coherence import Defect, Heat, measure

    if probes is not None and probes < 1:
        raise BadInput(f"--probes must be at least 1, got {probes}")
    method, triple = settings.build(estimator, assignments or []), catalogue.load(problem)
    defects: list[Defect] = []
    heat: Heat | None = None
    with Bar(f"{triple.name}: {method.name}") as bar:
        for news in measure(triple, method, probes):
            if isinstance(news, Defect):
                defects.append(news)
                bar.update(0.0, news.name)
            elif isinstance(news, Heat):
                heat = news
            else:
                bar.update(news, "heat flow")
    if as_json:
        print_json(_record(triple, method.name, method.settings(), defects, heat))
        return
    say(grid([(triple.name, method.name), *_lines(triple, heat)]))
    say(
        "",
        grid([(d.name, _digits(d), d.law if d.digits is not None else d.reason) for d in defects]),
        "A great defect shows an error; a small one bounds none: compare it with other estimators.",
    )


def _digits(defect: "Defect") -> str:
    return "–" if defect.digits is None else f"{numbers.digits(defect.digits)} digits"


def _lines(problem: "Problem", heat: "Heat | None") -> list[tuple[str, str]]:
    if heat is None:
        return []
    lines = [
        ("estimate", numbers.power(heat.log10_p)),
        ("coherence defect", f"{numbers.digits(heat.digits)} digits, by the heat flow"),
        ("corrected", numbers.power(heat.corrected_log10)),
    ]
    if problem.truth is not None:
        lines.append(("truth", truth_text(problem.truth.log10_p, problem.truth.se_log10)))
    return lines


def _record(
    problem: "Problem", name: str, chosen: dict[str, Any], defects: "list[Defect]",
    heat: "Heat | None",
) -> dict[str, Any]:  # fmt: skip
    truth = problem.truth
    record: dict[str, Any] = {
        "problem": problem.name,
        "estimator": name,
        "settings": chosen,
        "truth_log10_p": None if truth is None else truth.log10_p,
        "defects": [
            {"name": d.name, "law": d.law, "digits": d.digits, "reason": d.reason,
             "estimates": d.estimates}
            for d in defects
        ],
    }  # fmt: skip
    if heat is not None:
        record |= {
            "log10_p": heat.log10_p,
            "coherence_digits": heat.digits,
            "corrected_log10_p": heat.corrected_log10,
            "rate": heat.rate,
            "rate_err": heat.rate_err,
            "drift": heat.drift,
        }
    return record
