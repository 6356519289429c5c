"""Every estimator where it matters: small problems of all kinds, of 1e-5 to 1e-9."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from workbench.bench import mixed
from workbench.bench.base import Bench, Choice, Column, Report, Row, Work, carried_out
from workbench.bench.mixed_problems import series_of
from workbench.bench.rare_problems import rare_problem, truth_of
from workbench.errors import NotConverged
from workbench.estimators import ALL, MonteCarlo
from workbench.problem import Problem

PROBLEMS, QUICK = 60, 2
NO_TRUTH = "no truth"


def run(quick: bool, report: Report) -> Iterator[Row]:
    """A row an estimator and problem, and one a problem that tells its truth, or why none."""
    return choose(Choice(), quick, report)


def choose(choice: Choice, quick: bool, report: Report) -> Iterator[Row]:
    """The same of some estimators or problems, or of so many problems."""

    @lru_cache(maxsize=1)  # all of one problem follow one another
    def known(seed: int) -> Problem | str:
        try:
            problem = rare_problem(seed)
            return replace(problem, truth=truth_of(problem, seed=seed))
        except NotConverged as error:
            return str(error)

    def truth(seed: int) -> Row:
        problem = known(seed)
        if isinstance(problem, str):
            return {"outcome": NO_TRUTH, "reason": problem}
        assert problem.truth is not None
        return {"truth": problem.truth.log10_p, "truth_se": problem.truth.se_log10}

    def row(seed: int, estimator: type) -> Row:
        problem = known(seed)
        if isinstance(problem, str):
            return {"outcome": "cannot", "reason": problem}
        return mixed.row(problem, estimator(), choice.budget)

    works = [
        work
        for seed in range(choice.seeds or (QUICK if quick else PROBLEMS))
        for name in [series_of(seed).name]
        for work in (
            Work(name, "truth", seed, lambda s=seed: truth(s)),
            *(
                Work(name, c.name, seed, lambda s=seed, c=c: row(s, c))
                for c in ALL
                if c is not MonteCarlo
            ),
        )
    ]
    made = carried_out(works, choice, quick, report)
    yield from (r for r in made if r.get("outcome") != "cannot")


def conclude(rows: list[Row]) -> Iterator[str]:
    """How many problems have a truth, and what each estimator makes of them."""
    truths = [r for r in rows if r["method"] == "truth"]
    without = sum(r.get("outcome") == NO_TRUTH for r in truths)
    if truths:
        yield (
            f"{len(truths) - without} problems with a truth; {without} without: no bar is passed "
            "so rarely, or the samplers do not agree."
        )
    yield from mixed.conclude([r for r in rows if r["method"] != "truth"])


RARE = Bench(
    name="rare",
    about="every estimator on small problems of all kinds, where P is 1e-5 to 1e-9: who is wrong "
    "without a warning",
    columns=(
        Column("problem", "problem"),
        Column("truth", "sampled", "power", "truth_se"),
        *mixed.MIXED.columns[2:],
    ),
    run=run,
    conclude=conclude,
    sections=("problem",),
    choose=choose,
    resumes=True,
)
