"""What a nat buys along one slope, against P by enumeration."""

import pytest
import torch

import workbench as wb
from workbench.adversaries import Tilting
from workbench.distributions import Tokens
from workbench.errors import BadInput, Unsupported
from workbench.iteration import Budget, equal, pack, run, steps, unpack
from workbench.math.simplex import log_prob
from workbench.problem import Problem
from workbench.views.variation import token_slope

NATS = (0.0, 0.5, 1.0, 3.0)
KEPT = 10


def small() -> Problem:
    """A rare token of a transformer whose contexts are few enough to visit them all."""
    problem = wb.load("T_char1_letter_1e-3")
    p = problem.distribution.log_probs().exp()
    return problem.vary(Tokens(torch.where(p >= p.topk(KEPT).values[:, -1:], p, 0.0)))


def exact(problem: Problem, log_q) -> list[float]:
    """log P under every tilt, over all outcomes."""
    d = problem.distribution
    assert isinstance(d, Tokens)
    x, _ = d.outcome(0, d.outcomes)
    x = x[problem.margin(x) > 0]
    return [float(log_prob(q, x).logsumexp(0)) for q in log_q]


@pytest.fixture(scope="module")
def priced():
    problem = small()
    tilting = Tilting(token_slope(problem, 0), NATS)
    state, _ = run(tilting, problem, tilting.init(problem, wb.Rng(0)), Budget(60_000))
    return problem, tilting, state


@torch.no_grad()
def test_every_tilt_is_priced_within_its_error(priced):
    """5 standard errors: a false alarm in 2e6 tilts where the error is normal."""
    problem, tilting, state = priced
    prices, truth = tilting.read(state), exact(problem, state.log_q)
    assert truth[0] < -4.0 and abs(truth[-1] - truth[0]) > 2.0  # tilts that differ
    for k, nats in enumerate(NATS):
        log_p, err = prices.at(nats)
        assert err < 0.5 and abs(log_p - truth[k]) < 5 * err


def test_stopped_and_resumed_is_the_straight_run(priced):
    problem, tilting, _ = priced
    states = [s for s, _ in steps(tilting, problem, tilting.init(problem, wb.Rng(1)), Budget(2048))]
    assert len(states) == 4
    again = unpack(type(states[1]), pack(states[1]))
    assert equal(list(steps(tilting, problem, again, Budget(2048)))[-1][0], states[-1])


def test_what_it_cannot_tilt_is_refused():
    with pytest.raises(BadInput, match="at least 0"):
        Tilting(torch.zeros(1, 2), [-1.0])
    with pytest.raises(Unsupported, match="independent tokens"):
        Tilting(torch.zeros(1, 2), [1.0]).init(wb.load("A_d10_1e-3"), wb.Rng(0))
