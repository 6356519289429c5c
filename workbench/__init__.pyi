from .adversaries import KL, Adversary, Attack, Ball, Cube, Penalty, families
from .catalogue import load
from .distributions import (
    Box,
    Conditional,
    Discrete,
    Gaussian,
    Gibbs,
    Mixture,
    SpinGlass,
    SpinNetwork,
    StudentT,
    Tokens,
    template,
)
from .errors import BadInput, NotConverged, StaleRun, Unsupported, WorkbenchError
from .estimators import (
    GLD,
    ITGIS,
    MHIS,
    QLD,
    ChangeOfMeasure,
    Conditioned,
    CrossEntropy,
    Cubature,
    DesignPoint,
    Enumeration,
    Estimate,
    Estimator,
    FreeEnergy,
    Importance,
    LastInput,
    Leaves,
    Lower,
    MainEffects,
    MeanField,
    Moments,
    MonteCarlo,
    Orthant,
    Partition,
    Ratio,
    Slices,
    Strata,
    Subset,
    Tangent,
    Transitions,
    Upper,
    first_choice,
)  # fmt: skip
from .experiments import best_truth
from .iteration import Budget
from .models import Transformer
from .objective import log_p_and_grad
from .problem import Problem, Truth
from .rng import Rng
from .specs import (
    And,
    Argmax,
    Halfspace,
    LongestCycle,
    Median,
    Or,
    Points,
    Polytope,
    Probe,
    Spec,
    Trusted,
)
from .types import Grad, Kind

__version__: str

__all__ = [
    "GLD", "ITGIS", "KL", "MHIS", "QLD", "Adversary", "And", "Argmax", "Attack", "BadInput",
    "Ball", "Box", "Budget", "ChangeOfMeasure", "Conditional", "Conditioned", "CrossEntropy",
    "Cubature", "Cube", "DesignPoint", "Discrete", "Enumeration", "Estimate", "Estimator",
    "FreeEnergy", "Gaussian", "Gibbs", "Grad", "Halfspace", "Importance", "Kind", "LastInput",
    "Leaves", "LongestCycle", "Lower", "MainEffects", "MeanField", "Median", "Mixture", "Moments",
    "MonteCarlo", "NotConverged", "Or",
    "Orthant", "Partition", "Penalty", "Points", "Polytope", "Probe", "Problem", "Ratio", "Rng",
    "Slices", "Spec", "SpinGlass", "SpinNetwork", "StaleRun", "Strata", "StudentT", "Subset",
    "Tangent", "Tokens", "Transformer", "Transitions", "Trusted", "Truth", "Unsupported", "Upper",
    "WorkbenchError", "best_truth", "families", "first_choice", "load", "log_p_and_grad",
    "template",
]  # fmt: skip
