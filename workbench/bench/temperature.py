"""Is it worth tuning the temperature of `itgis` and `mhis` to a law, as was published?"""

import math
from collections.abc import Iterable, Iterator

from workbench import catalogue
from workbench.bench.base import Bench, Column, Report, Row
from workbench.bench.tokens import BUDGET, FLOOR, rms, truth_of
from workbench.estimators import ITGIS, MHIS

GRID = (0.3, 1.0, 3.0, 10.0)
MODERATE = -5.2
"""log10 of the truths above which a target is one to tune on."""
_PILOT = 8  # a part of the budget, each
_QUICK = ("T_bpe_hex", "T_bpe_indent", "T_bpe_word")
_METHODS = (ITGIS, MHIS)


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a method and law with targets of both kinds.

    T is that of the least squared error on the law's moderate targets, an eighth of the budget
    each; its other targets are then estimated with what the pilots left, and with T = 1 and all.
    """
    laws: dict[str, list[str]] = {}
    for name in catalogue.token_names():
        laws.setdefault(name.rpartition("_")[0], []).append(name)
    chosen = [law for law in laws if not quick or law in _QUICK]
    methods = _METHODS[:1] if quick else _METHODS
    works = [(method, law) for method in methods for law in chosen]
    for i, (method, law) in enumerate(works):
        report(i / len(works), f"{method.name} on {law}")
        tuning = [n for n in laws[law] if _truth(n) > MODERATE]
        others = [n for n in laws[law] if n not in tuning]
        if not tuning or not others:
            continue

        def error(name: str, t: float, spent: int, method: type[ITGIS | MHIS] = method) -> float:
            found = method(temperature=t)(catalogue.load(name), spent, 0).log10_p
            return max(found, FLOOR) - _truth(name)

        pilots = {t: rms([error(n, t, BUDGET // _PILOT) for n in tuning]) for t in GRID}
        best = min(GRID, key=lambda t: (pilots[t], abs(math.log(t))))
        left = BUDGET - len(GRID) * (BUDGET // _PILOT)
        usual = [error(n, 1.0, BUDGET) for n in others]
        tuned = [error(n, best, left) for n in others]
        yield {
            "method": method.name, "law": law, "temperature": best, "others": len(others),
            "usual": rms(usual), "tuned": rms(tuned),
        }  # fmt: skip


def _truth(name: str) -> float:
    return truth_of(catalogue.load(name))


def conclude(rows: list[Row]) -> Iterable[str]:
    """Over all targets that had no part in the tuning."""
    for method in dict.fromkeys(row["method"] for row in rows):
        mine = [row for row in rows if row["method"] == method]
        n = sum(row["others"] for row in mine)
        usual, tuned = (
            math.sqrt(sum(row["others"] * row[key] ** 2 for row in mine) / n)
            for key in ("usual", "tuned")
        )
        yield (
            f"{method}: root mean squared error of log10 P on {n} rarer targets {usual:.2f} digits "
            f"at T = 1, {tuned:.2f} at a T tuned to the law on targets above 10^{MODERATE}, pilots "
            f"within the budget; an answer of 0 counts as 10^{FLOOR:.0f}."
        )


TEMPERATURE = Bench(
    "temperature",
    "T of itgis and mhis tuned law by law on commoner tokens, against T = 1 on rarer ones",
    (
        Column("method", "method"), Column("law", "law"), Column("temperature", "T", "small"),
        Column("others", "targets", "count"), Column("usual", "RMSE at T = 1", "small"),
        Column("tuned", "RMSE at T", "small"),
    ),
    run,
    conclude,
)  # fmt: skip
