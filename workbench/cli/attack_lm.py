"""`workbench attack-lm`: an adversary that begins as a language model."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench import numbers
from workbench.cli.estimate import cost_text
from workbench.cli.frame import AsJson, Debug
from workbench.cli.options import Every, ProblemName, RunFolder, Seed, real, whole
from workbench.cli.plain import print_json
from workbench.cli.searching import ended, searched
from workbench.cli.tables import grid, say
from workbench.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.adversaries import Attack
    from workbench.problem import Problem
    from workbench.rng import Rng

SHOWN = 48
"""Fresh texts that are judged, and shown in part, at the end."""


def attack_lm(
    problem: ProblemName,
    source: Annotated[
        str,
        typer.Option("--source", metavar="S", help="Of gradients: score, elites or tilted."),
    ] = "score",
    tilt: Annotated[
        float | None,
        real(
            "--tilt",
            "T",
            "Temperature of score or tilted: rewards count as exp(r / T); 0.5 if none.",
        ),
    ] = None,
    price: Annotated[float | None, real("--price", "L", "Of a nat; 0.05 if none.")] = None,
    nats: Annotated[float | None, real("--nats", "K", "A limit instead.")] = None,
    steps: Annotated[int, whole("--steps", "N", "At most.")] = 30,
    draws: Annotated[int, whole("--draws", "B", "Texts a step.")] = 36,
    rate: Annotated[
        float | None, real("--rate", "R", "Of Adam; what suits the size of D if none.")
    ] = None,
    seed: Seed = 0,
    folder: RunFolder = None,
    every: Every = 1,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Fine-tune the language model that writes M's inputs until M fails on them.

    Ctrl-C ends the search and judges the best D so far; with --run, `workbench resume` goes on.
    """
    from workbench import catalogue
    from workbench.adversaries import KL, Penalty
    from workbench.adversaries.lm import LMAdversary, for_text
    from workbench.adversaries.sources import SOURCES
    from workbench.experiments import Run, pursuit

    known = {cls.name: cls for cls in SOURCES}
    if source not in known:
        raise BadInput(f"unknown source {source!r}: use one of {', '.join(known)}")
    if source == "elites" and tilt is not None:
        raise BadInput("elites have no --tilt")
    warmth = 0.5 if tilt is None else tilt
    if nats is not None and price is not None:
        raise BadInput("give --price or --nats, not both")
    region = Penalty(0.05 if price is None else price) if nats is None else KL(nats)
    cls: Any = known[source]  # all but the elites have a temperature
    made = cls() if source == "elites" else cls(temperature=warmth)
    attacked = catalogue.load(problem)
    rate = for_text(attacked.distribution).rate if rate is None else rate
    adversary = LMAdversary(made, region, rate=rate, steps=steps, draws=draws)
    subject = pursuit(attacked, adversary, seed)
    if folder is None:
        drive(subject, subject.walk(), as_json)
        return
    with Run.start(folder, "attack_lm", subject, every) as run:
        drive(subject, run.walk(), as_json)


def drive(subject: Any, walk: Iterator[float], as_json: bool) -> None:
    """Step a search to the end, or to Ctrl-C; judge fresh texts of what it found."""
    from workbench.math.logspace import LN10

    name = subject.problem.name

    def told() -> str:
        spent, log_p = subject.state.path[-1, 1:3].tolist()
        step = f"{name}, step {len(subject.state.path)}"
        return f"{step}: {numbers.power(log_p / LN10)} at {spent:.1f} nats"

    found, interrupted = searched(subject, walk, name, told)
    rng = subject.state.rng.child("judged")
    found = found.check(rng, SHOWN)
    texts = _texts(found, rng)
    if as_json:
        record = {**found.record(), "seed": subject.seed, "interrupted": interrupted}
        print_json({**record, "steps": subject.state.steps, "texts": texts})
    else:
        say(grid(_lines(found, subject.state.steps)))
        say("", *(f"{'FAILS' if t['fails'] else '     '}  {t['text']}" for t in texts[:16]))
    ended(interrupted)


def _texts(found: "Attack", rng: "Rng") -> list[dict[str, Any]]:
    """Fresh texts of D, and whether M fails on them."""
    from workbench.distributions import Sampleable

    d = found.distribution
    assert isinstance(d, Sampleable)
    x = d.sample(SHOWN, rng.child("texts").generator())
    fails = (found.problem.margin(x) > 0).tolist()
    texts = reader_of(found.problem)(x)
    return [{"text": t, "fails": f} for t, f in zip(texts, fails, strict=True)]


def reader_of(problem: "Problem") -> "Callable[[Tensor], list[str]]":
    """Token ids as text: as M reads them, by the vocabulary of M or D, or as numbers."""
    from workbench.distributions import PromptedText
    from workbench.models import Automaton, Continuation, Transformer
    from workbench.models.router import Router

    d, M = problem.distribution, problem.model
    if isinstance(M, Automaton | Router):
        return M.read
    writer: Any = M
    if isinstance(d, PromptedText) and isinstance(d.speaker, Continuation):
        writer = d.speaker.network
    vocabulary = writer.vocabulary if isinstance(writer, Transformer) else None
    if vocabulary is not None:
        return lambda x: [vocabulary.decode(row) for row in x.tolist()]
    return lambda x: [" ".join(map(str, row)) for row in x.tolist()]


def _lines(found: "Attack", steps: int) -> list[tuple[str, str]]:
    """What a reader wants to know, a line each."""
    assert found.checked is not None
    hits, draws = found.checked.info["hits"], found.checked.info["draws"]
    first = found.found.info.get("first_hits")
    begun = f"{numbers.power(found.log10_p_reference)}, exactly"
    if first is not None:
        begun = f"{first[0]} of {numbers.several(first[1], 'text')} fail"
    fails = f"{hits} of {numbers.several(draws, 'fresh text')} fail ({hits / draws:.0%})"
    took = cost_text(found.cost.forwards, found.cost.seconds)
    return [
        (found.problem.name, f"language model fine-tuned by {found.found.info['source']}"),
        ("under D0", begun),
        ("under D", fails),
        ("spent", f"{found.nats:.3g} ± {found.nats_err:.2g} nats"),
        ("cost", f"{numbers.several(steps, 'step')}, {took}"),
    ]
