"""Respect for proofs: what is proved impossible, or certain, every estimator answers so."""

import contextlib
import math

import cases
import pytest
import torch
from torch import nn

import workbench as wb
from workbench.distributions import IndependentTokens, ShortText
from workbench.estimators import ALL
from workbench.estimators.proofs import proof
from workbench.experiments import Attempt
from workbench.math.region import Region
from workbench.models import dense, mlp
from workbench.propagation.intervals import head, intervals, moves
from workbench.propagation.linear_bounds import Frame, bound
from workbench.specs import Ranked

ONE = torch.ones(1)


def gaussian(d):
    return wb.Gaussian(torch.zeros(d), torch.ones(d))


def boxed(threshold, d=6, half=0.4):
    """A random ReLU network on a small box; C is output 0 above the threshold."""
    model = mlp([d, 16, 16, 2], torch.Generator().manual_seed(1), bias_std=0.3)
    box = wb.Box(torch.full((d,), -half), torch.full((d,), half))
    return wb.Problem(box, model, wb.Halfspace(torch.tensor([1.0, 0.0]), -threshold))


def most(problem):
    """The greatest margin by linear bounds and by intervals."""
    d, event = problem.distribution, problem.spec.halfspaces(problem.outputs, ONE)
    path = moves(problem.graph, d.dim, d.dtype)
    rough = head(len(path), event.a, event.b)(intervals(path, d.low[None], d.high[None])[-1])
    frame = Frame(torch.zeros(d.dim), torch.eye(d.dim))
    sharp = bound(path, frame, Region.box(d.low[None], d.high[None]), event.a, event.b)
    return float(sharp.most), float(rough[1])


def between():
    """A threshold that linear bounds prove out of reach and intervals do not."""
    sharp, rough = most(boxed(0.0))
    return 0.5 * (sharp + rough)


def falling():
    """y = -relu(W x) on a Gaussian: never positive, and no bound on D is needed to know."""
    first = dense(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)))
    return nn.Sequential(first, nn.ReLU(), dense(-torch.ones(1, 4)))


def saturating():
    """Three tanh, each below 1: their sum never exceeds 3."""
    first = dense(5.0 * torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))
    return nn.Sequential(first, nn.Tanh(), dense(torch.ones(1, 3)))


MIXTURE = wb.Mixture(torch.ones(2), (gaussian(3), wb.Gaussian(torch.ones(3), 2.0 * torch.ones(3))))
IMPOSSIBLE = {
    "box by intervals": boxed(100.0),
    "box by linear bounds": boxed(between()),
    "box, either of two": boxed(100.0).vary(
        spec=wb.Halfspace(torch.tensor([1.0, 0.0]), -100.0)
        | wb.Halfspace(torch.tensor([0.0, 1.0]), -100.0)
    ),
    "sign on a gaussian": wb.Problem(gaussian(3), falling(), wb.Halfspace(ONE)),
    "tanh on a gaussian": wb.Problem(gaussian(3), saturating(), wb.Halfspace(ONE, -3.001)),
    "a constant in the plane": wb.Problem(
        gaussian(2), dense(torch.zeros(1, 2), -torch.ones(1)), wb.Halfspace(ONE)
    ),
    "finitely many inputs": wb.Problem(
        wb.Discrete(torch.tensor([[0.0, 1.0]] * 6), torch.ones(6, 2)),
        boxed(0.0).model,
        wb.Halfspace(torch.tensor([1.0, 0.0]), -100.0),
    ),
    "recognised, not sampled": wb.Problem(
        wb.Conditional(gaussian(3), dense(torch.ones(1, 3)), wb.Halfspace(ONE, -2.0)),
        saturating(),
        wb.Halfspace(ONE, -3.001),
    ),
    "energy": wb.Problem(
        wb.Gibbs(gaussian(3), dense(torch.ones(1, 3))), saturating(), wb.Halfspace(ONE, -3.001)
    ),
    "spins": wb.Problem(
        wb.SpinGlass(torch.zeros(3, 3), torch.zeros(3)),
        dense(torch.ones(1, 3)),
        wb.Halfspace(ONE, -3.5),
    ),
    "tanh on a mixture": wb.Problem(MIXTURE, saturating(), wb.Halfspace(ONE, -3.001)),
}


def served():
    """Every estimator with every problem that it can serve at all."""
    found = []
    for name, problem in IMPOSSIBLE.items():
        for cls in (*ALL, cases.Stratified):
            with contextlib.suppress(wb.Unsupported):
                cls().check(problem)
                found.append(pytest.param(cls, problem, id=f"{cls.name}, {name}"))
    return found


SERVED = served()
each_answer = pytest.mark.parametrize("cls, problem", SERVED)


def test_every_estimator_has_something_to_answer():
    """But those of tokens, and of ranks: no bound is known for a transformer, an automaton or a
    margin that the values of x tell."""
    unbounded = {
        cls
        for cls in ALL
        if {IndependentTokens, ShortText} & {*cls.needs.distribution} or Ranked in cls.needs.spec
    }
    assert {p.values[0] for p in SERVED} == {*ALL, cases.Stratified} - unbounded
    assert len(unbounded) < len(ALL) / 3


@each_answer
def test_every_estimator_answers_zero_where_c_is_impossible(cls, problem):
    estimate = cls()(problem, 3_000, 1)
    assert estimate.log10_p == -math.inf and estimate.kind is cls.kind
    assert "C never holds" in estimate.info["proof"]
    attempt = Attempt(problem, cls(), wb.Budget(3_000), 1)
    attempt.run()
    assert attempt.started and attempt.estimate().log10_p == -math.inf


@each_answer
def test_every_estimator_answers_one_where_c_is_certain(cls, problem):
    certain = problem.vary(spec=(~problem.spec).shift(-1e-3))
    estimate = cls()(certain, 3_000, 1)
    assert estimate.log10_p == 0.0 and "C always holds" in estimate.info["proof"]


def test_intervals_alone_would_not_have_seen_it():
    sharp, rough = most(IMPOSSIBLE["box by linear bounds"])
    assert sharp < 0 < rough


@pytest.mark.parametrize("seed", range(20))
def test_nothing_that_was_seen_is_called_impossible(seed):
    """Thresholds at the greatest of the sampled margins, on boxes from tiny to wide."""
    g = torch.Generator().manual_seed(seed)
    name = ("relu", "gelu", "tanh")[seed % 3]
    model = mlp([3, 7, 5, 1], g, name, bias_std=0.5)
    low = torch.randn(3, generator=g)
    box = wb.Box(low, low + 10.0 ** (-3.0 + 4.0 * torch.rand(3, generator=g)))
    problem = wb.Problem(box, model, wb.Halfspace(ONE))
    s = problem.margin(box.sample(5_000, g)).detach()
    least, most = float(s.min()), float(s.max())
    assert proof(problem.vary(spec=problem.spec.shift(most - 1e-9))) is None
    assert proof(problem.vary(spec=problem.spec.shift(least + 1e-9))) is None


def test_what_an_unbounded_law_can_reach_is_not_called_impossible():
    for name in ("A_d10_1e-20", "digits", "D_needle_1e-6", "B_w64_h4_1e-8"):
        assert proof(wb.load(name)) is None


def test_a_proof_ends_when_the_weights_change():
    problem = boxed(100.0)
    assert proof(problem) == -math.inf
    last = [p for p in problem.model.parameters() if p.ndim == 1][-1]
    with torch.no_grad():
        last += 200.0
    assert proof(problem) == 0.0
    last.data -= 140.0  # an edit that leaves no trace in the tensor's version
    assert proof(problem) == -math.inf


def test_what_cannot_be_read_has_no_proof():
    class Fancy(nn.Module):
        def forward(self, x):
            return torch.erf(x)

    problem = wb.Problem(gaussian(1), Fancy(), wb.Halfspace(ONE, -2.0))
    assert proof(problem) is None and not problem.readable
    assert wb.MonteCarlo()(problem, 100).log10_p == -math.inf


def test_layer_norm_has_no_proof():
    model = nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 1))
    assert proof(wb.Problem(gaussian(3), model, wb.Halfspace(ONE, -100.0))) is None
