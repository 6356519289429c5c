"""Language models trained away from a word: log P against perplexity, both exact."""

import time
from collections.abc import Iterable, Iterator
from itertools import product

from workbench import catalogue
from workbench.bench.base import Bench, Column, Report, Row
from workbench.training.hush import Hush

_GROWTHS = (0.002, 0.02)
_NATS = (1.0, 4.0)
_FIGURE = 0.02, 4.0
_STEPS = {True: 30, False: 60}


def measure(quick: bool, report: Report) -> Iterator[Row]:
    """Every word, how far the worst prompts may go, and what the perplexity may grow by."""
    names = ["L_delete_1e-7"] if quick else catalogue.short_text_names()
    settings = [_FIGURE] if quick else list(product(_GROWTHS, _NATS))
    for i, (name, (growth, nats)) in enumerate(product(names, settings)):
        report(i / (len(names) * len(settings)), name)
        begun = time.process_time()
        found = Hush(nats=nats, growth=growth, steps=_STEPS[quick])(catalogue.load(name))
        yield {
            "problem": name, "nats": nats, "allowed": growth, "before": found.log10_p[0],
            "after": found.log10_p[1], "worst_before": found.log10_p_adversary[0],
            "worst_after": found.log10_p_adversary[1], "growth": 100.0 * (found.growth - 1.0),
            "cpu": time.process_time() - begun,
        }  # fmt: skip


def _conclude(rows: list[Row]) -> Iterable[str]:
    for row in (r for r in rows if (r["allowed"], r["nats"]) == _FIGURE):
        yield (
            f"{row['problem']}: under the worst prompts within {row['nats']:g} nats log10 P falls "
            f"by {row['worst_before'] - row['worst_after']:.1f} digits while the perplexity grows "
            f"by {row['growth']:.2f}%."
        )


HUSH = Bench(
    "hush",
    "language models trained away from a word: log P under the worst prompts against perplexity",
    (
        Column("problem", "problem"), Column("nats", "nats", "small"),
        Column("allowed", "allowed", "small"), Column("before", "own prompts", "power"),
        Column("after", "then", "power"), Column("worst_before", "worst prompts", "power"),
        Column("worst_after", "then", "power"), Column("growth", "perplexity %", "small"),
        Column("cpu", "CPU s", "seconds"),
    ),
    measure,
    _conclude,
    ("problem",),
)  # fmt: skip
