"""Where the draws of an importance sampler lie that is trained against."""

import torch
from torch import Tensor

from workbench.estimators.pieces import Field, Pieces, event_of
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Polyhedral
from workbench.training.shifts import by_elites

WAYS = ("tangents", "cross entropy", "none")


def shifts_of(
    way: str, problem: Problem, pieces: Pieces, rng: Rng, draws: int, moves: int
) -> Tensor:
    """Shifts `(n, d)`, in the noise of each piece, of half of its draws.

    Args:
        way: "tangents", to the design point, which the weights and their gradients give away;
            "cross entropy", the mean of the worst draws (Rubinstein & Kroese 2004), which takes
            nothing but margins; "none" for draws of D0 alone.
        problem: with C.
        pieces: of D0.
        rng: of the draws of "cross entropy".
        draws: a piece and round of it.
        moves: of the search for design points, or rounds.
    """
    if way == "none":
        return torch.zeros_like(pieces.mean)
    if way == "cross entropy":
        return by_elites(problem, pieces, rng, draws, moves)
    assert isinstance(problem.spec, Polyhedral)
    field = Field(problem.model, pieces, event_of(problem.spec, problem.outputs, pieces.mean))
    found = field.tangents(1, moves)
    return found.beta.clamp(min=0.0) * found.unit[:, 0]
