"""Ways to estimate log P."""

from workbench.estimators.base import Estimate, Estimator, Needs
from workbench.estimators.bounds import Lower, Upper
from workbench.estimators.change_of_measure import ChangeOfMeasure
from workbench.estimators.conditioned import Conditioned
from workbench.estimators.cross_entropy import CrossEntropy
from workbench.estimators.cubature import Cubature
from workbench.estimators.design_point import DesignPoint
from workbench.estimators.enumeration import Enumeration
from workbench.estimators.first import first_choice
from workbench.estimators.free_energy import FreeEnergy
from workbench.estimators.gld import GLD
from workbench.estimators.importance import Importance
from workbench.estimators.itgis import ITGIS
from workbench.estimators.last_input import LastInput
from workbench.estimators.leaves import Leaves
from workbench.estimators.main_effects import MainEffects
from workbench.estimators.mean_field import MeanField
from workbench.estimators.mhis import MHIS
from workbench.estimators.moments import Moments
from workbench.estimators.monte_carlo import MonteCarlo
from workbench.estimators.orthant import Orthant
from workbench.estimators.partition import Partition
from workbench.estimators.proofs import proof
from workbench.estimators.qld import QLD
from workbench.estimators.ratio import Ratio
from workbench.estimators.slices import Slices
from workbench.estimators.strata import Strata
from workbench.estimators.subset import Subset
from workbench.estimators.tangents import Tangent
from workbench.estimators.transitions import Transitions

ALL: tuple[type[Estimator], ...] = (
    Moments, Slices, Conditioned, MonteCarlo, Importance, Subset, DesignPoint, GLD, Lower, Upper,
    ChangeOfMeasure, Enumeration, Cubature, Orthant, Ratio, Partition, FreeEnergy, MeanField,
    Leaves, ITGIS, MHIS, QLD, CrossEntropy, Transitions, LastInput, MainEffects,
)  # fmt: skip
"""Every estimator: the tests, the command line, the comparison and the screens go by this tuple."""

__all__ = [
    "ALL", "GLD", "ITGIS", "MHIS", "QLD", "ChangeOfMeasure", "Conditioned", "CrossEntropy",
    "Cubature", "DesignPoint", "Enumeration", "Estimate", "Estimator", "FreeEnergy", "Importance",
    "LastInput", "Leaves", "Lower", "MainEffects", "MeanField", "Moments", "MonteCarlo", "Needs",
    "Orthant", "Partition", "Ratio", "Slices", "Strata", "Subset", "Tangent", "Transitions",
    "Upper", "first_choice", "proof",
]  # fmt: skip
