"""Rare tokens under laws on which nothing was ever chosen: counted first, then estimated."""

import math
from collections.abc import Iterable, Iterator
from itertools import islice

from workbench.bench.base import Bench, Choice, Report, Row
from workbench.bench.tokens import TOKENS, judged, scale
from workbench.catalogue.counting import counted, targets
from workbench.catalogue.language_models import language_model
from workbench.distributions import template
from workbench.errors import BadInput
from workbench.problem import Problem, Truth
from workbench.specs import Argmax

LAWS = {
    "bpe_mixed": ("bpe_1", ["word", "letter", "word", "hex", "name", "word"], 12, 3.5),
    "bpe_flat": ("bpe_1", ["name", "word", "capitals", "word", "letter", "mark"], 12, 2.0),
    "char1_turned": ("char_1", ["letter", "= ", "letter", "letter", "letter", "mark"], 14, 2.5),
    "char2_turned": ("char_2", ["mark", "letter", "any", "letter"], 36, 2.5),
    "char2_lines": ("char_2", ["letter", "letter", "=\n", "letter", "any", "letter"], 14, 3.5),
}
"""{name: language model, form of every position, tokens a position at most, power of its weights}:
none of them a law of the catalogue."""
METHODS = ("leaves", "main_effects")


def fresh(name: str) -> Iterator[Problem]:
    """The targets of a law of `LAWS`, a decade of P each, with their counted truths."""
    model_name, forms, most, power = LAWS[name]
    model = language_model(model_name)
    assert model.vocabulary is not None
    law = template(model.vocabulary, forms, most, power)
    mass, leaves = counted(model, law)
    for decade, token in targets(mass, leaves).items():
        truth = Truth(math.log10(mass[token]), 0.0, f"exact: {law.outcomes:,} sequences evaluated")
        yield Problem(law, model, Argmax(token, "wins"), f"{name}_1e{decade}", truth=truth)


def choose(choice: Choice, quick: bool, report: Report) -> Iterator[Row]:
    """The laws are counted, then a row a decade or band and method, as of `tokens`."""
    if choice.problems:
        raise BadInput(
            "fresh-tokens makes its own targets: `workbench bench tokens` takes problems"
        )
    laws = list(LAWS)[3:4] if quick else list(LAWS)
    chosen = Choice((), choice.methods or METHODS, choice.budget, choice.seeds)
    found: list[Problem] = []
    for law in laws:
        report(0.0, f"counting {law}")
        found += fresh(law)
    yield from judged(found, scale(quick, chosen), report)


def conclude(rows: list[Row]) -> Iterable[str]:
    """What the columns mean, and who warns."""
    return islice(TOKENS.conclude(rows), 2)


def measure(quick: bool, report: Report) -> Iterator[Row]:
    """The whole of it."""
    return choose(Choice(), quick, report)


FRESH_TOKENS = Bench(
    "fresh-tokens",
    "rare tokens under five laws that no setting was chosen on, against truths counted on the spot",
    TOKENS.columns,
    measure,
    conclude,
    sections=("band",),
    choose=choose,
)
