"""What decides C about a text: the verdict of an automaton, and a residue that it must have."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.errors import Unsupported
from workbench.math.checks import known
from workbench.models import Automaton, Residue
from workbench.problem import Problem
from workbench.specs import And, Spec, Trusted, heads_of


@dataclass(frozen=True, eq=False)
class Reading:
    """C holds where the automaton ends in an accepted state and the residue is the target.

    Args:
        after: `(Q, V)` int64, the least automaton that decides alike.
        accepted: `(Q,)` bool.
        residue: None where any will do.
    """

    after: Tensor
    accepted: Tensor
    residue: Residue | None = None


def reading(problem: Problem) -> Reading:
    """Raises `Unsupported` where M is no automaton, or C asks for more than one residue."""
    model, spec = problem.stated
    if isinstance(model, Residue):
        one = torch.zeros(1, model.alphabet, dtype=torch.int64)
        return Reading(one, torch.tensor([True]), _fired(model, spec))
    parts = tuple(_parts(spec))
    asked = [p for p in parts if isinstance(p, Trusted) and isinstance(p.network, Residue)]
    rest = [p for p in parts if p not in asked]
    if len(asked) > 1 or not rest or any(True for p in rest for _ in heads_of(p)):
        raise Unsupported("C of more than a residue", "an automaton and at most one are needed")
    own = rest[0] if len(rest) == 1 else And(tuple(rest))
    automaton = automaton_of(problem)
    outputs = automaton.outputs
    s = known(own.margin(outputs[:, :0], outputs), "states that inputs may end in")
    found = [_fired(p.network, p.inner) for p in asked]
    return Reading(*merged(automaton.after, s > 0), *found)


def _parts(spec: Spec) -> Iterator[Spec]:
    """All that a conjunction asks for."""
    if isinstance(spec, And):
        for part in spec.parts:
            yield from _parts(part)
    else:
        yield spec


def _fired(network: nn.Module, event: Spec) -> Residue:
    """The residue, where the event is that it is the target."""
    assert isinstance(network, Residue)
    said = event.margin(torch.zeros(2, 0), torch.tensor([[0.5], [-0.5]]).double())
    if bool(said[0] > 0) and not bool(said[1] > 0):
        return network
    raise Unsupported("any residue but one", "the event that it is the target is needed")


def automaton_of(problem: Problem) -> Automaton:
    """M. Raises `Unsupported` where it is no automaton."""
    model = problem.stated[0]
    if not isinstance(model, Automaton):
        what = f"a {type(model).__name__} that reads text"
        raise Unsupported(what, "an automaton is needed")
    return model


def margins(problem: Problem) -> Tensor:
    """`(Q,)`: the margin of every state of the automaton M."""
    outputs = automaton_of(problem).outputs
    return problem.spec.margin(outputs[:, :0], outputs)


def merged(after: Tensor, accepted: Tensor) -> tuple[Tensor, Tensor]:
    """The least automaton that accepts the same texts, state 0 first (Moore 1956).

    Classes are split until all states of one have successors of the same classes.

    Args:
        after: `(Q, V)` int64.
        accepted: `(Q,)` bool.
    """
    classes = accepted.long()
    while True:
        seen = torch.cat([classes[:, None], classes[after]], 1)
        _, finer = torch.unique(seen, dim=0, return_inverse=True)
        if int(finer.max()) == int(classes.max()):
            break
        classes = finer
    ahead = torch.arange(len(classes) - 1, -1, -1)
    first = torch.zeros(int(classes.max()) + 1, dtype=torch.int64)
    first[classes.flip(0)] = ahead  # of every class the first state
    order = torch.argsort(first)
    rank = torch.argsort(order)
    first = first[order]
    return rank[classes][after[first]], accepted[first]
