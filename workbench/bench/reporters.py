"""Freshly trained reporters: how seldom they part, and a D near D0 on which they do."""

import math
from collections.abc import Iterator

from workbench.adversaries import KL, Adversary, Attack, matched
from workbench.anomaly.reporters import reporters
from workbench.bench.base import Bench, Column, Report, Row
from workbench.estimators import Conditioned
from workbench.experiments.reference import best_truth
from workbench.rng import Rng

DIGITS, NATS, OFTEN = 0.3, 8.0, 0.5
"""Error of log10 P under D0 at most; nats that D may spend; P under D at least."""
SEEDS, _QUICK_SEEDS = 10, 1
_BUDGET, _STEPS = 400_000, 20


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a seed of the world, the network and its reporters."""
    seeds = _QUICK_SEEDS if quick else SEEDS
    search = Conditioned(search="fitted")
    for seed in range(seeds):
        report(seed / seeds, f"seed {seed}")
        made = reporters(seed)
        problem = made.problem
        truth = best_truth(problem, _BUDGET, seed)
        estimate = search(problem)
        row: Row = {
            "seed": seed, "shown": int((problem.margin(made.examples) > 0).sum()),
            "truth": truth.log10_p, "se": truth.se_log10, "log10_p": estimate.log10_p,
            "error": estimate.log10_p - truth.log10_p,
        }  # fmt: skip
        row |= _attacked("matched", matched(problem, NATS, search, seed).check(Rng(seed)))
        if not quick:
            adversary = Adversary(region=KL(NATS), estimator=search, steps=_STEPS)
            found = adversary(problem, rng=seed)
            row |= _attacked("shifted", found.check(Rng(seed)))
        yield row


def _attacked(name: str, attack: Attack) -> Row:
    checked = attack.checked
    assert checked is not None
    p = math.exp(float(checked.log_p))
    return {f"{name}_nats": attack.nats, name: p, f"{name}_warning": attack.warning}


def conclude(rows: list[Row]) -> Iterator[str]:
    """On how many seeds the figures are reached."""
    worst = max(abs(r["error"]) for r in rows)
    near = sum(abs(r["error"]) <= DIGITS for r in rows)
    yield (
        f"log10 P under D0 within {DIGITS} digits on {near} of {len(rows)} seeds, at worst "
        f"{worst:.2f} off; easy examples on which they part: {sum(r['shown'] for r in rows)}."
    )
    for name in ("matched", "shifted"):
        mine = [r for r in rows if name in r]
        if mine:
            often = sum(r[name] >= OFTEN and r[f"{name}_nats"] <= NATS * (1.0 + 1e-6) for r in mine)
            yield (
                f"{name}: within {NATS:g} nats they part with P >= {OFTEN} on {often} of "
                f"{len(mine)} seeds, least {min(r[name] for r in mine):.2f}."
            )
    yield (
        "P under D is an independent sampler's. `matched` is a Gaussian with the moments of "
        "what fails; `shifted` moves the mean alone, by the gradient of the estimate."
    )


REPORTERS = Bench(
    name="reporters",
    about="reporters that agree on all easy examples: how often they part, and where",
    columns=(
        Column("seed", "seed", "count"),
        Column("truth", "truth", "power", "se"),
        Column("log10_p", "fitted", "power"),
        Column("error", "error", "error"),
        Column("matched_nats", "nats", "small"),
        Column("matched", "P, matched", "share"),
        Column("shifted_nats", "nats", "small"),
        Column("shifted", "P, shifted", "share"),
    ),
    run=run,
    conclude=conclude,
)
