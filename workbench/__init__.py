"""The workbench: how likely is a catastrophe C(x, M(x)) for x ~ D, from the weights of M.

>>> import workbench as wb
>>> problem = wb.load("A_d10_1e-12")
>>> round(wb.Moments()(problem).log10_p, 6)
-12.0
"""

from workbench.catalogue import load
from workbench.distributions import Box, Conditional, Discrete, Gaussian, Mixture, SpinGlass
from workbench.errors import BadInput, NotConverged, StaleRun, Unsupported, WorkbenchError
from workbench.estimators import (
    GLD,
    ChangeOfMeasure,
    Conditioned,
    Cubature,
    DesignPoint,
    Enumeration,
    Estimate,
    Estimator,
    Importance,
    Lower,
    MeanField,
    Moments,
    MonteCarlo,
    Orthant,
    Ratio,
    Slices,
    Subset,
    Upper,
)  # fmt: skip
from workbench.experiments import best_truth
from workbench.iteration import Budget
from workbench.objective import log_p_and_grad
from workbench.problem import Problem, Truth
from workbench.rng import Rng
from workbench.specs import And, Argmax, Halfspace, Or, Polytope, Probe, Spec, Trusted
from workbench.types import Grad, Kind

__version__ = "0.1.0"

__all__ = [
    "GLD", "And", "Argmax", "BadInput", "Box", "Budget", "ChangeOfMeasure", "Conditional",
    "Conditioned", "Cubature", "DesignPoint", "Discrete", "Enumeration", "Estimate", "Estimator",
    "Gaussian", "Grad", "Halfspace", "Importance", "Kind", "Lower", "MeanField", "Mixture",
    "Moments", "MonteCarlo", "NotConverged", "Or", "Orthant", "Polytope", "Probe", "Problem",
    "Ratio", "Rng", "Slices", "Spec", "SpinGlass", "StaleRun", "Subset", "Trusted", "Truth",
    "Unsupported", "Upper", "WorkbenchError", "best_truth", "load", "log_p_and_grad",
]  # fmt: skip
