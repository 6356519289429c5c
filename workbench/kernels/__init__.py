"""Markov kernels that leave the law of the noise, given margin > threshold, invariant."""

from workbench.kernels.base import Chains, Kernel, Moves
from workbench.kernels.elliptical_slice import EllipticalSlice
from workbench.kernels.hamiltonian import Hamiltonian
from workbench.kernels.pcn import PCN
from workbench.kernels.token_gibbs import TokenGibbs

ALL: tuple[type[Kernel], ...] = (PCN, EllipticalSlice, Hamiltonian)
"""Every kernel of base noise, as the setting `kernel` of estimators names them."""

__all__ = [
    "ALL",
    "Chains",
    "EllipticalSlice",
    "Hamiltonian",
    "Kernel",
    "Moves",
    "PCN",
    "TokenGibbs",
]
