"""Measurements of the workbench itself, run as `workbench bench NAME`."""

from workbench.bench.algzoo import ALGZOO
from workbench.bench.anomaly import ANOMALY
from workbench.bench.attack import ATTACK
from workbench.bench.automata import AUTOMATA
from workbench.bench.base import Bench, Choice, Column
from workbench.bench.bounds import BOUNDS
from workbench.bench.claims import CLAIMS
from workbench.bench.coherence import COHERENCE
from workbench.bench.coverage import COVERAGE
from workbench.bench.crowd import CROWD
from workbench.bench.digits_tuning import TUNING
from workbench.bench.distillation import DISTILLATION
from workbench.bench.economy import ECONOMY
from workbench.bench.fresh_tokens import FRESH_TOKENS
from workbench.bench.heat import HEAT
from workbench.bench.hush import HUSH
from workbench.bench.images import IMAGES
from workbench.bench.language import LANGUAGE
from workbench.bench.latency import LATENCY
from workbench.bench.mixed import MIXED
from workbench.bench.narrow import NARROW
from workbench.bench.paths import PATHS
from workbench.bench.precision import PRECISION
from workbench.bench.propagation import PROPAGATION
from workbench.bench.rare import RARE
from workbench.bench.recognised import RECOGNISED
from workbench.bench.recorded import recorded
from workbench.bench.regions import REGIONS
from workbench.bench.reporters import REPORTERS
from workbench.bench.speech import SPEECH
from workbench.bench.students import STUDENTS
from workbench.bench.tails import TAILS
from workbench.bench.temperature import TEMPERATURE
from workbench.bench.throughput import THROUGHPUT
from workbench.bench.tokens import TOKENS
from workbench.bench.training import TRAINING
from workbench.bench.truth import TRUTH
from workbench.errors import BadInput

ALL: tuple[Bench, ...] = (
    TRUTH,
    COVERAGE,
    TAILS,
    PROPAGATION,
    NARROW,
    THROUGHPUT,
    PATHS,
    PRECISION,
    LATENCY,
    CROWD,
    BOUNDS,
    COHERENCE,
    HEAT,
    REGIONS,
    CLAIMS,
    MIXED,
    RARE,
    IMAGES,
    RECOGNISED,
    ATTACK,
    LANGUAGE,
    SPEECH,
    ECONOMY,
    TRAINING,
    TUNING,
    HUSH,
    TOKENS,
    FRESH_TOKENS,
    TEMPERATURE,
    AUTOMATA,
    ANOMALY,
    REPORTERS,
    ALGZOO,
    DISTILLATION,
    STUDENTS,
)
"""Every bench, as `workbench bench` offers them."""


def find(name: str) -> Bench:
    """The bench of that name. Raises `BadInput` with the known names."""
    for bench in ALL:
        if bench.name == name:
            return bench
    known = ", ".join(bench.name for bench in ALL)
    raise BadInput(f"no bench is called {name!r}: use one of {known}")


__all__ = ["ALL", "Bench", "Choice", "Column", "find", "recorded"]
