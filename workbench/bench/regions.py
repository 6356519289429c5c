"""What exact integration over the linear regions of a ReLU network could give.

Inside one activation pattern the network is affine and the failures are a polytope, whose mass
`orthant` knows. How many such regions P is spread over says what that is worth.
"""

import statistics
import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from workbench import catalogue
from workbench.bench.base import Bench, Column, Report, Row
from workbench.distributions import Gaussian, Reparameterised
from workbench.errors import NotConverged, Unsupported
from workbench.estimators import Conditioned, Orthant
from workbench.estimators.drawn import Lines
from workbench.graph import Elementwise, activations_of
from workbench.iteration import Budget
from workbench.iteration import run as through
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Polyhedral, Polytope

QUICK = ("B_w32_h2_1e-5", "D_mintree_1e-7")
_LINES, _BUDGET = 3000, Budget(200_000)
_POLYTOPE = Budget(1_000_000)
_STEP = 1e-6  # beyond the boundary of C, so that a literal that holds is known


@torch.no_grad()
def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a reference problem of ReLUs."""
    names = QUICK if quick else [n for n in catalogue.names() if n[0] in "BCDd" or "plane" in n]
    for i, name in enumerate(names):
        report(i / len(names), name)
        problem = catalogue.load(name)
        if problem.truth is not None:
            yield {"problem": name, **row(problem)}


def row(problem: Problem) -> Row:
    """How P is spread over regions as lines have it, and the likeliest region's own mass."""
    method = Conditioned(lines=_LINES, tolerance=0.01)
    start = time.perf_counter()
    state, _ = through(method, problem, method.init(problem, Rng(0)), _BUDGET)
    seconds = time.perf_counter() - start
    which = patterns(problem, state)
    share = shares(state, which)
    found: Row = {
        "lines": len(state.t),
        "patterns": len(share),
        "one": float(share.max()),
        "half": int((share.sort(descending=True).values.cumsum(0) < 0.5).sum()) + 1,
        "seconds": seconds,
    }
    first = int((which == int(share.argmax())).nonzero()[0])
    unit = state.theta[state.owner[first]]
    start = time.perf_counter()
    try:
        mass = Orthant(points=256, replicates=4)(
            region(problem, state.at[first] + _STEP * unit / unit.norm()), _POLYTOPE
        )
    except (Unsupported, NotConverged) as error:
        return {**found, "reason": str(error)}
    assert problem.truth is not None
    return {
        **found,
        "mass": 10.0 ** (mass.log10_p - problem.truth.log10_p),
        "mass_seconds": time.perf_counter() - start,
    }


def patterns(problem: Problem, state: Lines) -> Tensor:
    """`(n,)`: in which linear region each line enters C, by number."""
    d = problem.distribution
    assert isinstance(d, Reparameterised)
    signs = _pre_activations(problem, d.push(state.at)) > 0
    if signs.shape[1] == 0:
        return torch.zeros(len(state.t), dtype=torch.long)
    _, which = torch.unique(signs, dim=0, return_inverse=True)
    return which


def shares(state: Lines, which: Tensor) -> Tensor:
    """Share of P by region, as the lines have it."""
    used = torch.stack([(state.owner == k).sum() for k in range(len(state.theta))])
    log_p = state.log_p + state.log_weight[state.owner] - torch.log(used[state.owner])
    weight = torch.softmax(log_p, 0)
    return weight.new_zeros(int(which.max()) + 1).index_add(0, which, weight)


def region(problem: Problem, z: Tensor) -> Problem:
    """The failures in the linear region about z `(d,)`, as a polytope in noise under N(0, I).

    Of several clauses the one with the greatest margin.
    """
    d, c = problem.distribution, problem.spec
    assert isinstance(d, Gaussian) and isinstance(c, Polyhedral)
    event = c.halfspaces(problem.outputs, d.mean)

    def values(at: Tensor) -> Tensor:
        x = d.push(at[None])
        return torch.cat(
            [_pre_activations(problem, x)[0], (problem.model(x) @ event.a.T + event.b)[0]]
        )

    slope = torch.autograd.functional.jacobian(values, z, vectorize=True)
    assert isinstance(slope, Tensor)
    y = values(z).detach()
    offset, neurons = y - slope @ z, len(y) - len(event.b)
    margins = y[neurons:]
    clause = max(event.clauses, key=lambda rows: float(margins[list(rows)].min()))
    sign = torch.sign(y[:neurons])
    a = torch.cat([sign[:, None] * slope[:neurons], slope[neurons:][list(clause)]])
    b = torch.cat([sign * offset[:neurons], offset[neurons:][list(clause)]])
    read = a.norm(dim=1) > 0  # a neuron that reads nothing here says nothing
    spec = Polytope(a[read].detach(), b[read].detach())
    return Problem(Gaussian(torch.zeros_like(z), torch.ones_like(z)), nn.Flatten(), spec)


def _pre_activations(problem: Problem, x: Tensor) -> Tensor:
    values = activations_of(problem.graph, x)
    found = [
        values[node.inputs[0]] for node in problem.graph.nodes if isinstance(node.op, Elementwise)
    ]
    return torch.cat(found, dim=1) if found else x.new_zeros(len(x), 0)


def conclude(rows: list[Row]) -> Iterator[str]:
    """What regions are worth."""
    known = [r for r in rows if "mass" in r]
    if known:
        mass = [r["mass"] for r in known]
        one = statistics.median(r["mass_seconds"] for r in known)
        every = statistics.median(r["seconds"] for r in known)
        yield (
            f"The region that most lines lead to holds {statistics.median(mass):.1e} of P (median; "
            f"most {max(mass):.2f}) and takes {one:.2g} s, where all lines take {every:.2g} s."
        )
    yield (
        "Half of P: so many regions, at least, by the lines' shares; where nearly every line has "
        "a pattern of its own, there are many more than that."
    )


REGIONS = Bench(
    name="regions",
    about="how many linear regions P is spread over, and what the likeliest of them holds",
    columns=(
        Column("problem", "problem"),
        Column("lines", "lines", "count"),
        Column("patterns", "patterns", "count"),
        Column("one", "of most lines", "small"),
        Column("half", "half of P", "count"),
        Column("mass", "its mass / P", "small"),
        Column("mass_seconds", "its seconds", "seconds"),
        Column("seconds", "lines' seconds", "seconds"),
    ),
    run=run,
    conclude=conclude,
)
