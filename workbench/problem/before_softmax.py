"""C over the values that a last softmax takes, where it asks no more of them than of its own."""

import copy

import torch
from torch import Tensor

from workbench.graph import Graph, LogSoftmax, Softmax
from workbench.problem.core import Problem
from workbench.specs import Polyhedral


def before_softmax(problem: Problem) -> Problem:
    """The same event for a reader of the weights, a last softmax left unread if C allows it.

    p_i > p_j holds exactly where x_i > x_j, so that half-spaces that compare two probabilities are
    half-spaces of x; differences of logarithms are those of x. All that is read of the problem,
    `graph`, ends in x then, and margins of half-spaces are by x; M and the spec stay as they are.

    >>> import torch, workbench as wb
    >>> M = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Softmax(1)).double()
    >>> D = wb.Gaussian(torch.zeros(3).double(), torch.ones(3).double())
    >>> problem = wb.Problem(D, M, wb.Argmax(0))
    >>> before_softmax(problem).graph
    Graph(
      0: input = input()
      1: 0 = linear(0)
    )
    """
    graph, c = problem.graph, problem.spec
    part = graph.nodes[-1].part
    if part is None or not isinstance(part.whole, Softmax | LogSoftmax):
        return problem
    assert isinstance(c, Polyhedral)
    (source,) = part.sources
    event = c.halfspaces(problem.outputs, torch.zeros(1, dtype=problem.dtype))
    logarithms = isinstance(part.whole, LogSoftmax)
    along = graph.shapes(problem.distribution.dim)[source]
    if len(along) != 1 or not (_differences if logarithms else _comparisons)(event.a, event.b):
        return problem
    made = copy.copy(problem)
    made.__dict__["graph"] = Graph(graph.nodes[: source + 1])
    return made


def _differences(a: Tensor, b: Tensor) -> bool:
    """Whether a y does not change where a number is added to all of y."""
    return not a.requires_grad and bool((a.sum(1) == 0).all())


def _comparisons(a: Tensor, b: Tensor) -> bool:
    """Whether every a y + b > 0 says that an entry of y is greater than another."""
    two = bool(((a != 0).sum(1) == 2).all())
    return two and _differences(a, b) and not b.requires_grad and not bool(b.any())
