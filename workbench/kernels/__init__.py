"""Markov kernels that leave N(0, I) in base noise, conditioned on margin > threshold, invariant."""

from workbench.kernels.base import Chains, Kernel, Moves
from workbench.kernels.elliptical_slice import EllipticalSlice
from workbench.kernels.hamiltonian import Hamiltonian
from workbench.kernels.pcn import PCN

ALL: tuple[type[Kernel], ...] = (PCN, EllipticalSlice, Hamiltonian)
"""Every kernel, as the setting `kernel` of estimators names them."""

__all__ = ["ALL", "Chains", "EllipticalSlice", "Hamiltonian", "Kernel", "Moves", "PCN"]
