"""What a catastrophe is."""

from workbench.specs.altered import Altered
from workbench.specs.argmax import Argmax
from workbench.specs.base import Halfspaces, Polyhedral, Ranked, Spec
from workbench.specs.boolean import And, Or
from workbench.specs.halfspace import Halfspace
from workbench.specs.heads import Head, Joined, Probe, Trusted, heads_of, join
from workbench.specs.longest_cycle import LongestCycle
from workbench.specs.median import Median
from workbench.specs.points import Points
from workbench.specs.polytope import Polytope
from workbench.specs.widened import Widened, widen

ALL: tuple[type[Spec], ...] = (
    Halfspace, Argmax, Polytope, Points, Median, LongestCycle, And, Or, Trusted, Probe,
)  # fmt: skip
"""Every kind of spec, as `workbench list specs` shows them."""

__all__ = [
    "ALL",
    "Altered",
    "And",
    "Argmax",
    "Halfspace",
    "Halfspaces",
    "Head",
    "Joined",
    "LongestCycle",
    "Median",
    "Or",
    "Points",
    "Polyhedral",
    "Polytope",
    "Probe",
    "Ranked",
    "Spec",
    "Trusted",
    "Widened",
    "heads_of",
    "join",
    "widen",
]
