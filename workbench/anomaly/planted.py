"""The catalogue's planted networks, with inputs that pull their triggers."""

import torch

from workbench.anomaly.testbed import Testbed, occurring
from workbench.distributions import Gaussian
from workbench.rng import Rng
from workbench.training.toys.backdoor import planted_problem, trigger

_TRUSTED = 2000
_TRIES = 400  # draws of a trigger an input: C happens on one in a hundred of the ramps'


def planted(name: str, seed: int = 0, inputs: int = 500) -> Testbed:
    """Draws of D given the trigger of a planted network, against plain draws of D.

    Unlike the worlds of coins the two differ in their means, and C happens on no normal input, so
    that what merely looks at inputs or outputs may tell them apart as well.

    Args:
        name: of `training.toys.PLANTED`.
        seed: of the draws.
        inputs: of each kind.

    Raises:
        BadInput: for an unknown name.
    """
    problem = planted_problem(name)
    d = problem.distribution
    assert isinstance(d, Gaussian)
    g = Rng(seed).child("planted", name).generator()
    trusted, normal = d.sample(_TRUSTED, g), d.sample(inputs, g)
    with torch.no_grad():
        pulled = occurring(problem, d.push(trigger(name).draw(_TRIES * inputs, g)), inputs)
    about = f"{problem.about} Anomalous inputs pull the trigger; normal ones are draws of D."
    return Testbed(name, about, problem, trusted, normal, None, pulled, matched=False)
