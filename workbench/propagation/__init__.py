"""How a law moves through a network."""

from workbench.propagation.base import Carrier, Propagator
from workbench.propagation.covariance import Covariance
from workbench.propagation.mean import Mean

ALL: tuple[type[Propagator], ...] = (Mean, Covariance)
"""Every propagator, as `workbench list propagators` shows them."""

__all__ = ["ALL", "Carrier", "Covariance", "Mean", "Propagator"]
