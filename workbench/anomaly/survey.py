"""Detectors on testbeds of several seeds: a row each, and a summary over the seeds."""

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from workbench.anomaly.auroc import over_seeds
from workbench.anomaly.detectors import Detector
from workbench.anomaly.judging import judge
from workbench.anomaly.testbed import Testbed
from workbench.errors import Unsupported

Row: TypeAlias = dict[str, Any]


def survey(
    make: Callable[[int], Testbed],
    methods: Mapping[str, Detector],
    seeds: Sequence[int],
    report: Callable[[float, str], None],
) -> Iterator[Row]:
    """One row a seed, detector and kind of inputs that anomalous ones are told from.

    Args:
        make: the testbed of a seed.
        methods: {name in the rows: detector}.
        report: told the share of the work that is done, and what is under way.

    Yields:
        {"testbed", "normal": the kind, "detector", "seed", "auroc", "err": over inputs, "seconds":
        processor time of the scores}; of a detector that cannot serve, where there are others,
        {"testbed", "detector", "seed", "reason"}.

    Raises:
        Unsupported: where the only detector cannot serve.
    """
    for i, seed in enumerate(seeds):
        report(i / len(seeds), f"seed {seed}")
        bed = make(seed)
        for j, (method, detector) in enumerate(methods.items()):
            report((i + j / len(methods)) / len(seeds), f"{bed.name}, seed {seed}: {method}")
            try:
                judged = judge(bed, detector)
            except Unsupported as error:
                if len(methods) == 1:
                    raise
                yield {"testbed": bed.name, "detector": method, "seed": seed, "reason": str(error)}
                continue
            for kind, area in judged.against.items():
                yield {
                    "testbed": bed.name, "normal": kind, "detector": method, "seed": seed,
                    "auroc": area.value, "err": area.err, "seconds": judged.seconds,
                }  # fmt: skip


def summary(rows: Iterable[Row]) -> list[Row]:
    """A row a testbed, kind and detector: mean AUROC, its 95% interval over seeds, the worst seed.

    Over one seed the interval is that over its inputs, value +- 1.96 err. Rows with a `reason` are
    left out.
    """
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if "reason" in row:
            continue
        found.setdefault((row["testbed"], row["normal"], row["detector"]), []).append(row)
    ordered = sorted(found.items(), key=lambda item: item[0][:2])  # a section a kind
    return [_summed(mine) for _, mine in ordered]


def _summed(rows: list[Row]) -> Row:
    told = over_seeds([row["auroc"] for row in rows])
    low, high = told.low, told.high
    if told.seeds == 1:
        half = 1.96 * rows[0]["err"]
        low, high = max(0.0, told.mean - half), min(1.0, told.mean + half)
    first = rows[0]
    return {
        "testbed": first["testbed"], "normal": first["normal"], "detector": first["detector"],
        "auroc": told.mean, "low": low, "high": high, "worst": told.worst, "seeds": told.seeds,
        "area": f"{told.mean:.3f}", "interval": f"{low:.3f} to {high:.3f}",
        "least": f"{told.worst:.3f}", "seconds": statistics.median(r["seconds"] for r in rows),
    }  # fmt: skip
