"""What estimates owe one another, measured without a truth: coherence and its defects."""

from workbench.coherence.base import Defect
from workbench.coherence.checks import CHECKS, coherence_defect, measure, run, run_all
from workbench.coherence.heat import Heat, heat_flow, mean_defect

__all__ = [
    "CHECKS", "Defect", "Heat", "coherence_defect", "heat_flow", "mean_defect", "measure", "run",
    "run_all",
]  # fmt: skip
