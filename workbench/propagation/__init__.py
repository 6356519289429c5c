"""How a law moves through a network."""

from workbench.propagation.augmented import Augmented
from workbench.propagation.base import Carrier, Propagator
from workbench.propagation.covariance import Covariance
from workbench.propagation.cumulant import Cumulant
from workbench.propagation.cumulant4 import Cumulant4
from workbench.propagation.mean import Mean

ALL: tuple[type[Propagator], ...] = (Mean, Covariance, Augmented, Cumulant, Cumulant4)
"""Every propagator, as `workbench list propagators` shows them."""

__all__ = [
    "ALL", "Augmented", "Carrier", "Covariance", "Cumulant", "Cumulant4", "Mean", "Propagator",
]  # fmt: skip
