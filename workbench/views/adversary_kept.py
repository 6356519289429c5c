"""What the Adversary screen keeps of a search: checks, and results that were pinned."""

from dataclasses import dataclass

from workbench.adversaries import Attack, Likeliest, Mode
from workbench.distributions import PromptedText
from workbench.errors import NotConverged, Unsupported
from workbench.estimators import Estimate
from workbench.experiments import Course


@dataclass(frozen=True)
class Check:
    """What an independent sampler said after so many steps."""

    steps: int
    attack: Attack
    course: Course
    """The run that it belongs to."""
    modes: tuple[Mode, ...] = ()
    """The ways in which draws of D fail."""
    nearest: Likeliest | None = None
    """The likeliest failure under D, where a search finds it."""

    @property
    def checked(self) -> Estimate:
        """What the sampler says."""
        assert self.attack.checked is not None
        return self.attack.checked

    @property
    def log10_p(self) -> float:
        """log10 P_D[C] by the sampler."""
        return self.checked.log10_p

    @property
    def err(self) -> float | None:
        """Its standard error, in digits."""
        return self.checked.log10_err


@dataclass(frozen=True)
class Pin:
    """A result kept to compare others with."""

    name: str
    attack: Attack


def portrayed(attack: Attack, steps: int, course: Course) -> Check:
    """A check, with the ways to fail and the likeliest failure where they can be had.

    Text by a prompted language model is dear to draw, and its failures show in the texts.
    """
    if isinstance(attack.distribution, PromptedText):
        return Check(steps, attack, course)
    try:
        nearest = attack.design_point()
    except (Unsupported, NotConverged):
        nearest = None
    return Check(steps, attack, course, attack.modes(), nearest)
