"""Python that makes a row of a comparison again."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from workbench.estimators import Estimator
from workbench.iteration import Budget

IMPORTS = "import workbench as wb\nfrom workbench.experiments import compare, summarise\n"


def recipe(
    source: str, estimator: Estimator, budget: Budget, seeds: Sequence[int],
    device: str | None = None,
) -> str:  # fmt: skip
    """The text of one notebook cell that makes these runs again, and shows their summary.

    Args:
        source: the catalogue name of the problem, or the path of its card.
        estimator: as it is set; only what is not usual is written down.
        budget: of every run.
        seeds: of the runs.
        device: where they are made; the processor where None.

    >>> from workbench.estimators import Subset
    >>> print(recipe("digits", Subset(particles=500), Budget(20_000), range(3)))
    import workbench as wb
    from workbench.experiments import compare, summarise
    <BLANKLINE>
    problem, estimator = wb.load('digits'), wb.Subset(particles=500)
    rows = list(compare(problem, [estimator], wb.Budget(20_000), range(0, 3)))
    summarise(rows)
    """
    moved = "" if device is None else f".to(device={device!r})"
    return (
        f"{IMPORTS}\n"
        f"problem, estimator = wb.load({source!r}){moved}, {call(estimator)}\n"
        f"rows = list(compare(problem, [estimator], {_limit(budget)}, {_seeds(seeds)}))\n"
        "summarise(rows)"
    )


def recipes(
    sources: Iterable[str], estimators: Sequence[Estimator], budget: Budget, seeds: Sequence[int],
    device: str | None = None,
) -> str:  # fmt: skip
    """A script of such cells, one a problem and estimator, each under the `# %%` of its own."""
    cells = [recipe(s, e, budget, seeds, device) for s in sources for e in estimators]
    return "\n".join(f"# %%\n{cell}\n" for cell in cells)


def call(made: Any) -> str:
    """The call that makes an estimator, a region, a family or a search; what is usual is left out.

    >>> from workbench.adversaries import KL, Adversary, families
    >>> call(Adversary(families.LowRank(), KL(2.0), steps=10))
    'wb.Adversary(family=wb.families.LowRank(), region=wb.KL(nats=2.0), steps=10)'
    """
    usual = type(made)()
    values = {f.name: getattr(made, f.name) for f in fields(made) if f.init}
    given = {k: v for k, v in values.items() if v != getattr(usual, k)}
    words = (f"{k}={call(v) if is_dataclass(v) else repr(v)}" for k, v in given.items())
    return f"{_name(type(made))}({', '.join(words)})"


def _name(made: type[Any]) -> str:
    """How a cell that has `import workbench as wb` calls a class; what it has to import by name."""
    from workbench import __all__ as public
    from workbench.adversaries import families

    if made.__name__ in public:
        return f"wb.{made.__name__}"
    return f"wb.families.{made.__name__}" if made in families.ALL else made.__name__


def _limit(budget: Budget) -> str:
    forwards = "None" if budget.forwards is None else f"{budget.forwards:_}"
    return f"wb.Budget({forwards}" + (f", {budget.seconds!r})" if budget.seconds else ")")


def _seeds(seeds: Sequence[int]) -> str:
    if list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"range({seeds[0]}, {seeds[0] + len(seeds)})"
    return repr(tuple(seeds))
