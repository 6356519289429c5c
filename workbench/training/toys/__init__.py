"""Small duties to train on, each made from a seed in a second or two."""

from workbench.training.toys.arcs import plane
from workbench.training.toys.backdoor import PLANTED, Trigger, backdoor
from workbench.training.toys.bar import regression
from workbench.training.toys.steering import STATE, STEPS, controller, riccati

__all__ = [
    "PLANTED", "STATE", "STEPS", "Trigger", "backdoor", "controller", "plane", "regression",
    "riccati",
]  # fmt: skip
