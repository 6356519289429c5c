"""How fast language models write: tokens a CPU second, on one thread."""

import statistics
import time
from collections.abc import Iterable, Iterator

import torch

from workbench import catalogue
from workbench.bench.base import Bench, Column, Report, Row, one_thread
from workbench.catalogue.router import ROUTER
from workbench.catalogue.smollm import smollm_missing
from workbench.distributions import PromptedText
from workbench.models import Continuation
from workbench.models.speaker import Speaker
from workbench.rng import Rng

TARGET, BATCH = 80, 24
_REPEATS = {True: 3, False: 9}


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a language model that writes after a prompt; SmolLM2 where it is installed."""
    with one_thread():
        names = catalogue.prompted_names() + ([] if smollm_missing() else [ROUTER])
        for i, name in enumerate(names):
            report(i / len(names), name)
            yield _row(name, _REPEATS[quick])


@torch.no_grad()
def _row(name: str, repeats: int) -> Row:
    """Medians; the prompt is read before, as a search reads it once."""
    d = catalogue.load(name).distribution
    assert isinstance(d, PromptedText) and isinstance(d.speaker, Speaker | Continuation)
    end = d.speaker.end
    d.log_prob(d.sample(2, Rng(0).generator()))  # reads the prompt
    written, judged = [], []
    for k in range(repeats):
        generator = Rng(k).generator()
        begun = time.process_time()
        x = d.sample(BATCH, generator)
        said = time.process_time()
        d.log_prob(x)
        done = time.process_time()
        # What fills a text up after its end is not counted, though it is computed.
        tokens = int(((x == end).cumsum(1) - (x == end).long() == 0).sum())
        written.append(tokens / (said - begun))
        judged.append(tokens / (done - said))
    weights = sum(p.numel() for p in d.speaker.network.parameters())
    return {
        "problem": name, "weights": weights, "batch": BATCH, "length": d.length,
        "written": statistics.median(written), "judged": statistics.median(judged),
    }  # fmt: skip


def _conclude(rows: list[Row]) -> Iterable[str]:
    for row in rows:
        met = "at least" if row["written"] >= TARGET else "fewer than"
        yield f"{row['problem']}: {met} {TARGET} tokens a CPU second, {BATCH} texts at once."
    if missing := smollm_missing():
        yield f"Not measured: {missing}"


SPEECH = Bench(
    "speech",
    "tokens a CPU second that the language models write and judge, one thread",
    (
        Column("problem", "problem"), Column("weights", "weights", "count"),
        Column("batch", "texts at once", "count"), Column("length", "tokens at most", "count"),
        Column("written", "written a CPU s", "count"), Column("judged", "judged a CPU s", "count"),
    ),
    run,
    _conclude,
)  # fmt: skip
