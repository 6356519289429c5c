"""Parts of C that lines leave out are found: closed forms, and a network with two ways to fail."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.bench import own_nets
from workbench.estimators import lookout
from workbench.math.gaussian import log_cdf
from workbench.rng import Rng


class TwoWays(nn.Module):
    """Positive beyond `a` along the first axis, and beyond `b` against a second direction."""

    def __init__(self, a: float, b: float, cosine: float):
        super().__init__()
        self.a, self.b = a, b
        self.v = torch.tensor([cosine, math.sqrt(1.0 - cosine**2), 0.0, 0.0])

    def forward(self, x):
        one, other = x[:, 0] - self.a, x @ self.v - self.b
        return torch.maximum(one, other)[:, None]


def problem_of(model, d=4):
    law = wb.Gaussian(torch.zeros(d), torch.ones(d))
    return wb.Problem(law, model, wb.Halfspace(torch.ones(1), 0.0))


def union(a, b, cosine):
    """log10 of P(z1 > a or z2 > b), correlated; by quadrature over z1."""
    t = torch.linspace(-9.0, a, 20_001)
    at = -(b - cosine * t) / math.sqrt(1.0 - cosine**2)
    inner = torch.exp(-0.5 * t**2) / math.sqrt(2.0 * math.pi) * torch.exp(log_cdf(at))
    first = math.exp(float(log_cdf(torch.tensor(-a))))
    return math.log10(first + float(torch.trapezoid(inner, t)))


def only_first(problem):
    """A state whose pilot has drawn lines along the first axis alone."""
    method = wb.Conditioned()
    state = replace(method.init(problem, Rng(0)), begun=True, searched=1, limit=20_000)
    axis = torch.eye(4)[:1]
    one, index = torch.ones(1), torch.zeros(1, dtype=torch.long)
    state = replace(
        state, theta=3.0 * axis, clause=index, piece=index, log_weight=0.0 * one,
        centre=axis[None][:, :0], root=axis[None, None][:, :0].expand(1, 0, 4, 4),
        taken=axis[:, :0], index=3.0 * one, slope=one, propagated=False,
    )  # fmt: skip
    return method, method.step(problem, state)


@pytest.mark.parametrize("cosine", [-0.9, -0.5, 0.0])
def test_a_second_way_gets_lines_of_its_own(cosine):
    problem = problem_of(TwoWays(3.0, 3.2, cosine))
    with torch.no_grad():
        method, state = only_first(problem)
        assert float(method.read(state).log_p) < union(3.0, 3.2, cosine) * math.log(10.0) - 0.2
        while not method.finished(state):
            state = method.step(problem, state)
        answer = method.read(state)
    assert len(answer.info["summits"]) == 2 and not answer.warning
    assert abs(answer.log10_p - union(3.0, 3.2, cosine)) < 0.005  # their shares overlap


def test_what_finds_no_room_is_warned_of():
    """One direction is all that is allowed: the warning and the indicator name what is left."""
    problem = problem_of(TwoWays(3.0, 3.0, -0.9))
    with torch.no_grad():
        answer = wb.Conditioned(summits=1)(problem)
    missing = union(3.0, 3.0, -0.9) - answer.log10_p
    assert missing == pytest.approx(math.log10(2.0), abs=0.01)
    assert "no line reaches some of the failures" in answer.warning
    assert answer.indicator == pytest.approx(missing, rel=0.3)


def test_a_small_part_is_not_asked_for():
    """A second way of a ten-thousandth of P lies beyond the sphere that is looked at."""
    problem = problem_of(TwoWays(2.0, 5.0, -0.9))
    with torch.no_grad():
        method, state = only_first(problem)
        after = method.step(problem, state)
    assert after.looked and after.log_hidden == -math.inf and after.starts
    assert 0 < after.forwards - state.forwards < 200


def test_a_single_way_is_answered_as_before_for_a_tenth_more():
    """The reference network: the same lines, and at most 15% more forward passes."""
    problem = wb.load("digits")
    with torch.no_grad():
        answer = wb.Conditioned()(problem)
        looked = [lookout.hidden([(torch.zeros(()), problem)], s, 500) for s in piloted(problem)]
    assert answer.info["looked_from"] and not answer.warning
    assert all(not len(found.theta) for found in looked)
    assert sum(found.forwards for found in looked) < 0.15 * answer.cost.forwards


def piloted(problem):
    method = wb.Conditioned()
    state = replace(method.init(problem, Rng(0)), limit=20_000)
    while not state.piloted:
        state = method.step(problem, state)
    return [state]


def test_both_parts_of_a_trained_network_are_counted():
    """Two ways for the product of two factors to be large, half of P each, of which the search saw
    one: 4.9 standard errors of 400,000 draws, and the error that the estimate foretells."""
    kind = next(k for k in own_nets.KINDS if k.name == "pair of factors")
    problem = own_nets.drawn(own_nets.made(kind, 10), 1.0, 400_000)
    with torch.no_grad():
        answer = wb.Conditioned()(problem)
    assert max(summit["part"] for summit in answer.info["summits"]) < 0.6
    error = 4.9 * problem.truth.se_log10 + 2.0 * answer.indicator
    assert abs(answer.log10_p - problem.truth.log10_p) < min(error, 0.28)


def test_own_networks_are_made_anew_and_alike():
    kind = own_nets.KINDS[0]
    one, again = own_nets.made(kind, 3), own_nets.made(kind, 3)
    x = torch.randn(5, kind.dim, generator=torch.Generator().manual_seed(0))
    assert torch.equal(one.margin(x), again.margin(x))
    wide = own_nets.drawn(one, 1.4, 100_000).truth
    plain = own_nets.drawn(one, 1.0, 100_000).truth
    assert abs(wide.log10_p - plain.log10_p) < 4.9 * math.hypot(wide.se_log10, plain.se_log10)


def test_under_a_flow_that_hides_nothing_the_lines_are_all_there_is():
    """Its transforms take no empty batch, and every part of C is counted."""
    search = wb.Adversary(wb.families.Flow(), wb.KL(1.0), wb.Conditioned(), steps=1)
    assert search(wb.load("A_d10_1e-6")).log10_p >= -6.0 - 1e-6


def test_where_no_gradient_leads_it_says_so():
    network = nn.Sequential(nn.Linear(4, 2), wb.models.Sign(), nn.Linear(2, 1))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]]))
        network[0].bias.fill_(-2.0)
        network[2].weight.fill_(1.0)
        network[2].bias.fill_(1.0)
        answer = wb.Conditioned()(problem_of(network))
    assert answer.info["looked_from"] == 0
    assert "the margin has no gradient to look along" in answer.warning


def test_where_the_budget_holds_no_look_it_says_so():
    problem = wb.load("digits")
    with torch.no_grad():
        (state,) = piloted(problem)
        state = replace(state, limit=state.forwards + 500)
        after = wb.Conditioned().step(problem, state)
        assert after.looked and not after.starts
        assert "the budget held no look" in wb.Conditioned().read(after).warning


def test_climbs_stand_where_there_is_no_slope_in_either_precision():
    """Of two points one lies where the network is flat: it stays, and the other turns uphill."""
    for dtype in (torch.float64, torch.float32):
        model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.ReLU()).to(dtype)
        with torch.no_grad():
            model[0].weight.copy_(torch.tensor([[1.0, 0.0]]))
        zero = torch.zeros(2, dtype=dtype)
        spec = wb.Halfspace(torch.ones(1, dtype=dtype), -5.0)
        problem = wb.Problem(wb.Gaussian(zero, torch.ones_like(zero)), model, spec)
        starts = torch.tensor([[-0.6, 0.8], [0.6, 0.8]], dtype=dtype)
        unit, s = lookout.climbed(problem, starts, 2.0, torch.full((len(starts),), -1))
        torch.testing.assert_close(unit, torch.tensor([[-0.6, 0.8], [1.0, 0.0]], dtype=dtype))
        torch.testing.assert_close(s, torch.tensor([-5.0, -3.0], dtype=dtype))
