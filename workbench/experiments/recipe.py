"""Python that makes a row of a comparison again."""

from collections.abc import Iterable, Sequence

from workbench.estimators import Estimator
from workbench.iteration import Budget

IMPORTS = "import workbench as wb\nfrom workbench.experiments import compare, summarise\n"


def recipe(source: str, estimator: Estimator, budget: Budget, seeds: Sequence[int]) -> str:
    """The text of one notebook cell that makes these runs again, and shows their summary.

    Args:
        source: the catalogue name of the problem, or the path of its card.
        estimator: as it is set; only what is not usual is written down.
        budget: of every run.
        seeds: of the runs.

    >>> from workbench.estimators import Subset
    >>> print(recipe("digits", Subset(particles=500), Budget(20_000), range(3)))
    import workbench as wb
    from workbench.experiments import compare, summarise
    <BLANKLINE>
    problem, estimator = wb.load('digits'), wb.Subset(particles=500)
    rows = list(compare(problem, [estimator], wb.Budget(20_000), range(0, 3)))
    summarise(rows)
    """
    return (
        f"{IMPORTS}\n"
        f"problem, estimator = wb.load({source!r}), {_call(estimator)}\n"
        f"rows = list(compare(problem, [estimator], {_limit(budget)}, {_seeds(seeds)}))\n"
        "summarise(rows)"
    )


def recipes(
    sources: Iterable[str], estimators: Sequence[Estimator], budget: Budget, seeds: Sequence[int]
) -> str:
    """A script of such cells, one a problem and estimator, each under the `# %%` of its own."""
    cells = [recipe(s, e, budget, seeds) for s in sources for e in estimators]
    return "\n".join(f"# %%\n{cell}\n" for cell in cells)


def _call(estimator: Estimator) -> str:
    usual = type(estimator)().settings()
    given = {k: v for k, v in estimator.settings().items() if v != usual[k]}
    return f"wb.{type(estimator).__name__}({', '.join(f'{k}={v!r}' for k, v in given.items())})"


def _limit(budget: Budget) -> str:
    forwards = "None" if budget.forwards is None else f"{budget.forwards:_}"
    return f"wb.Budget({forwards}" + (f", {budget.seconds!r})" if budget.seconds else ")")


def _seeds(seeds: Sequence[int]) -> str:
    if list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"range({seeds[0]}, {seeds[0] + len(seeds)})"
    return repr(tuple(seeds))
