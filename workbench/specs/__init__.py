"""What a catastrophe is."""

from workbench.specs.argmax import Argmax
from workbench.specs.base import Halfspaces, Polyhedral, Spec
from workbench.specs.boolean import And, Or
from workbench.specs.halfspace import Halfspace
from workbench.specs.heads import Head, Joined, Probe, Trusted, heads_of, join
from workbench.specs.points import Points
from workbench.specs.polytope import Polytope
from workbench.specs.widened import Widened, widen

ALL: tuple[type[Spec], ...] = (Halfspace, Argmax, Polytope, Points, And, Or, Trusted, Probe)
"""Every kind of spec, as `workbench list specs` shows them."""

__all__ = [
    "ALL",
    "And",
    "Argmax",
    "Halfspace",
    "Halfspaces",
    "Head",
    "Joined",
    "Or",
    "Points",
    "Polyhedral",
    "Polytope",
    "Probe",
    "Spec",
    "Trusted",
    "Widened",
    "heads_of",
    "join",
    "widen",
]
